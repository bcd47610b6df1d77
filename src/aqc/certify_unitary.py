"""What an emitted circuit is worth as exp(-iHt) on every input: measured again, with a bound.

Up to ten qubits the circuit's matrix, by qiskit-aer, is compared with the exponential itself. For
more, the emitted circuit is undone on the target, gate by gate: what is left is an operator

    W = V^dagger U,    tr(W) / 2^n = <V|U>,

near the identity, whose truncation is bounded as that of the target is. Neither uses the
contraction that the optimizer works with.
"""

from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from aqc.certify import Certificate
from aqc.errors import InputError
from aqc.hamiltonian import Hamiltonian
from aqc.mps import MPS, bell_pairs, log_overlap
from aqc.propagator import exact_propagator, propagate_within
from aqc.simulate import act_on
from aqc.spectral import spectral_distance, spectral_estimate
from aqc.target import Target

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

_DENSE_QUBITS = 10
# Of the target's own error, what undoing the circuit may add.
_UNDOING_SHARE = 0.05
_SMALLEST_ANGLE = 1e-7
_MAX_BOND = 1024
# A 4x4 matrix times a vector rounds by this much, and an exponential by this much of its phases.
_ROUNDING_PER_GATE = 8.5 * np.finfo(float).eps
_ROUNDING_OF_PHASES = 4 * np.finfo(float).eps


@dataclass(frozen=True)
class PowerError:
    """The error of a circuit repeated `power` times, against exp(-iHt power).

    Attributes:
        power: Number of repetitions k.
        infidelity: Process infidelity; None where it is only bounded.
        infidelity_bound: Bound on it: angles of unitaries grow at most k-fold.
    """

    power: int
    infidelity: float | None
    infidelity_bound: float


@dataclass(frozen=True)
class UnitaryCertificate(Certificate):
    """How close a circuit comes to exp(-iHt) on all inputs; fidelities are process fidelities.

    Attributes:
        average_gate_fidelity: (2^n F + 1) / (2^n + 1), the mean over all pure inputs.
        spectral_distance: min over phases of ||V - exp(i phi) exp(-iHt)||, the worst input's
            error.
        spectral_kind: "exact" or "estimate".
        global_phase: What the circuit's global phase lacks to be that of exp(-iHt), in radians.
        powers: Errors of the circuit repeated.
    """

    average_gate_fidelity: float
    spectral_distance: float
    spectral_kind: Literal["exact", "estimate"]
    global_phase: float
    powers: tuple[PowerError, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, as JSON knows them."""
        powers = [asdict(power) for power in self.powers]
        return {**super().to_dict(), "powers": powers}

    def rows(self) -> dict[str, str]:
        """Return what a notebook shows: names and numbers, in words."""
        return super().rows() | {
            "average gate fidelity": f"{self.average_gate_fidelity:.6g}",
            "error on the worst input": f"{self.spectral_distance:.3g} ({self.spectral_kind})",
        }


def certify_unitary(
    circuit: "QuantumCircuit",
    hamiltonian: Hamiltonian,
    time: float,
    target: Target | None = None,
    *,
    powers: tuple[int, ...] = (),
) -> UnitaryCertificate:
    """Measure a circuit against exp(-iHt) on every input, and bound its distance from it.

    Args:
        circuit: Qubit i is site i; any unitary gates, on any qubits.
        hamiltonian: A chain.
        time: t, in units of 1/energy.
        target: From `propagate_within`, for more than ten qubits; made within 1e-6 if left out.
        powers: Numbers of repetitions to tell the error of, too.

    Raises:
        InputError: If the numbers of qubits differ.
        UnsupportedGateError: If the circuit holds more than unitary gates.
        TruncationError: If the operator entangles too much.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.rxx(0.5, 0, 1)
        >>> chain = Hamiltonian.from_terms(2, [("XX", (0, 1), 1.0)])
        >>> certify_unitary(circuit, chain, 0.25).spectral_distance < 1e-9
        True
    """
    if circuit.num_qubits != hamiltonian.num_qubits:
        raise InputError(
            f"`circuit` must have {hamiltonian.num_qubits} qubits, as the Hamiltonian has, but has "
            f"{circuit.num_qubits}."
        )
    if circuit.num_qubits <= _DENSE_QUBITS:
        return _by_matrix(circuit, hamiltonian, time, powers)
    if target is None:
        target = propagate_within(hamiltonian, time, tolerance=1e-6, max_bond=_MAX_BOND)
    return _by_undoing(circuit, hamiltonian, time, target, powers)


def _by_matrix(
    circuit: "QuantumCircuit", hamiltonian: Hamiltonian, time: float, powers: tuple[int, ...]
) -> UnitaryCertificate:
    from aqc.interop.aer import simulate_unitary

    made = simulate_unitary(circuit)
    left = made.conj().T @ exact_propagator(hamiltonian, time)  # W
    overlap = np.trace(left) / len(left)
    strength = sum(abs(term.coefficient) for term in hamiltonian.terms)
    rounding = _ROUNDING_PER_GATE * (circuit.size() + 4 * circuit.num_qubits)
    rounding = float(rounding + _ROUNDING_OF_PHASES * strength * abs(time))
    infidelity = _from_overlap(overlap)
    repeated = []
    for power in powers:
        both = np.linalg.matrix_power(made, power), exact_propagator(hamiltonian, time * power)
        error = _from_overlap(complex(np.vdot(*both)) / len(left))
        repeated.append(PowerError(power, error, min(1.0, error + 2 * power * rounding)))
    method = f"qiskit-aer {version('qiskit-aer')} unitary, against the matrix exponential"
    return _certificate(
        circuit.num_qubits,
        infidelity,
        # The overlap's error enters F = |overlap|^2 twice.
        infidelity_bound=min(1.0, infidelity + 2 * rounding),
        angles=(0.0, 0.0, 0.0),
        rigorous=True,
        method=method,
        spectral=(spectral_distance(left), "exact"),
        global_phase=float(np.angle(overlap)) - hamiltonian.constant * time,
        powers=tuple(repeated),
    )


def _by_undoing(
    circuit: "QuantumCircuit",
    hamiltonian: Hamiltonian,
    time: float,
    target: Target,
    powers: tuple[int, ...],
) -> UnitaryCertificate:
    from aqc.interop.circuits import from_qiskit

    target_angle = target.truncation_angle + target.trotter_angle
    undone = act_on(
        from_qiskit(circuit.inverse()),
        target.mps,
        angle=max(_UNDOING_SHARE * target_angle, _SMALLEST_ANGLE),
        max_bond=_MAX_BOND,
    )
    num_qubits = circuit.num_qubits
    identity = MPS.product(bell_pairs(num_qubits))
    log_modulus, phase = log_overlap(identity, undone.mps)
    infidelity = float(-np.expm1(min(2 * log_modulus, 0.0))) + 0.0
    rounding = 2 * _ROUNDING_PER_GATE * (circuit.size() + num_qubits)
    angle = float(np.arcsin(np.sqrt(min(1.0, infidelity + rounding))))
    total = angle + undone.angle + target_angle
    method = f"undone on the target as a matrix product operator, chi {undone.mps.max_bond}"
    return _certificate(
        num_qubits,
        infidelity,
        infidelity_bound=_infidelity(total),
        angles=(target.truncation_angle, target.trotter_angle, undone.angle),
        rigorous=target.trotter_exact,
        method=method,
        spectral=(spectral_estimate(undone.mps, phase, angle), "estimate"),
        global_phase=float(np.angle(phase)) - hamiltonian.constant * time - circuit.global_phase,
        powers=tuple(PowerError(k, None, _infidelity(k * total)) for k in powers),
    )


def _certificate(
    num_qubits: int,
    infidelity: float,
    *,
    infidelity_bound: float,
    angles: tuple[float, float, float],
    rigorous: bool,
    method: str,
    spectral: tuple[float, Literal["exact", "estimate"]],
    global_phase: float,
    powers: tuple[PowerError, ...],
) -> UnitaryCertificate:
    truncation, trotter, undoing = map(_infidelity, angles)
    per_input = 0.5**num_qubits  # 1 / 2^n, which does not overflow
    return UnitaryCertificate(
        fidelity=1.0 - infidelity,
        infidelity=infidelity,
        infidelity_bound=infidelity_bound,
        bound_kind="rigorous" if rigorous else "with estimate",
        target_truncation=truncation,
        target_trotter_estimate=trotter,
        circuit_truncation=undoing,
        log_fidelity_per_site=float(-np.log1p(-infidelity)) / num_qubits
        if infidelity < 1
        else np.inf,
        method=method,
        average_gate_fidelity=(1.0 - infidelity + per_input) / (1 + per_input),
        spectral_distance=spectral[0],
        spectral_kind=spectral[1],
        global_phase=float(np.angle(np.exp(1j * global_phase))),
        powers=powers,
    )


def _from_overlap(overlap: complex) -> float:
    return max(0.0, float(1.0 - abs(overlap) ** 2))


def _infidelity(angle: float) -> float:
    return float(np.sin(min(np.pi / 2, angle)) ** 2)
