"""What an emitted circuit is worth: its fidelity, measured again, and a bound on its infidelity.

The circuit is simulated by qiskit-aer, which shares no code with the optimizer.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal

import numpy as np

from aqc.errors import InputError
from aqc.markup import table
from aqc.mps import MPS, log_overlap
from aqc.observables import bond_densities, bond_densities_dense
from aqc.target import Target

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

# Up to here the state vector is exact and takes no longer than an MPS.
_DENSE_QUBITS = 16
_MAX_DENSE_QUBITS = 24
# Share of the target's own error that the simulation of the circuit may add. On 50 qubits half a
# percent more in the bound buys two thirds of the simulation's time.
_SIMULATION_SHARE = 0.05
# A 4x4 matrix times a vector: four complex products and three sums round by at most this much of
# the vector's norm.
_ROUNDING_PER_GATE = 8.5 * np.finfo(float).eps


@dataclass(frozen=True)
class Certificate:
    """How close a circuit comes to exp(-iHt)|psi_0>, and how well that is known.

    Attributes:
        fidelity: F = |<target|circuit>|^2, from the simulated circuit and the target MPS.
        infidelity: 1 - F.
        infidelity_bound: Bound on the infidelity of the exact circuit against the exact state.
        bound_kind: "rigorous", or "with estimate" when the product formula's error enters.
        target_truncation: Bound on the infidelity from truncating the target.
        target_trotter_estimate: Estimate of the infidelity from the target's product formula.
        circuit_truncation: Bound on the infidelity from truncating the simulated circuit.
        log_fidelity_per_site: -(log F) / n, which does not saturate; infinite for F = 0.
        method: What simulated the circuit.
    """

    fidelity: float
    infidelity: float
    infidelity_bound: float
    bound_kind: Literal["rigorous", "with estimate"]
    target_truncation: float
    target_trotter_estimate: float
    circuit_truncation: float
    log_fidelity_per_site: float
    method: str

    def to_dict(self) -> dict[str, float | str | None]:
        """Return the fields by name, as JSON knows them: an infinite number becomes None."""
        fields = asdict(self)
        if not np.isfinite(self.log_fidelity_per_site):
            fields["log_fidelity_per_site"] = None
        return fields

    def rows(self) -> dict[str, str]:
        """Return what a notebook shows: names and numbers, in words."""
        return {
            "infidelity against the target": f"{self.infidelity:.3g}",
            "bound on the infidelity": f"{self.infidelity_bound:.3g} ({self.bound_kind})",
            "truncation of the target": f"{self.target_truncation:.3g}",
            "time step of the target": f"{self.target_trotter_estimate:.3g}",
            "truncation of the simulation": f"{self.circuit_truncation:.3g}",
            "-(log F) per site": f"{self.log_fidelity_per_site:.3g}",
            "simulated by": self.method,
        }

    def _repr_html_(self) -> str:
        return table("Certificate", self.rows())


@dataclass(frozen=True, eq=False)
class Measurement:
    """The simulated circuit beside the target.

    Attributes:
        log_overlap: log |<target|circuit>|.
        angle: Bound, in radians, on the angle between the simulated and the exact circuit.
        method: What simulated the circuit.
        densities: The circuit's density matrices of all bonds, shape (qubits - 1, 4, 4).
        state: The circuit's state: a vector, or an MPS.
    """

    log_overlap: float
    angle: float
    method: str
    densities: np.ndarray
    state: np.ndarray | MPS


def certify(
    circuit: "QuantumCircuit",
    target: Target,
    *,
    method: Literal["auto", "statevector", "mps"] = "auto",
) -> Certificate:
    """Measure a circuit against a target and bound its distance from the truth.

    Angles arccos(sqrt(F)) between states obey the triangle inequality, so

        infidelity <= sin^2( angle(circuit, its simulation) + angle(simulation, target MPS)
                             + angle(target truncation) + angle(target product formula) ).

    Args:
        circuit: Acts on |0...0>; qubit i is site i of the target. Any unitary gates, on any qubits.
        target: What it should reach.
        method: "statevector" is exact and for few qubits, "mps" for many; "auto" takes the state
            vector up to 16 qubits.

    Returns:
        The certificate. A circuit that misses its target is no error.

    Raises:
        InputError: If the numbers of qubits differ, or no such method can hold them.
        UnsupportedGateError: If the circuit holds more than unitary gates.
        TruncationError: If the circuit entangles too much to be simulated.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> plus = MPS.product(np.full((3, 2), 0.5**0.5))
        >>> target = Target(plus, truncation_angle=0.0, trotter_angle=0.0, trotter_exact=True)
        >>> circuit = QuantumCircuit(3)
        >>> _ = circuit.h(0), circuit.h(1)
        >>> round(certify(circuit, target).infidelity, 12)
        0.5
    """
    return measure(circuit, target, method=method)[0]


def measure(
    circuit: "QuantumCircuit",
    target: Target,
    *,
    method: Literal["auto", "statevector", "mps"] = "auto",
) -> tuple[Certificate, Measurement]:
    """Return what `certify` returns, and what it was computed from."""
    from aqc.interop.aer import fuse

    num_qubits = target.mps.num_qubits
    if target.mps.tensors[0].shape[1] != 2:
        raise InputError("`target` must be a state, but is an operator; use `certify_unitary`.")
    if circuit.num_qubits != num_qubits:
        raise InputError(
            f"`circuit` must have {num_qubits} qubits, as the target has, "
            f"but has {circuit.num_qubits}."
        )
    fused = fuse(circuit)
    target_angle = target.truncation_angle + target.trotter_angle
    measured = _simulator(method, num_qubits)(fused, target.mps, _SIMULATION_SHARE * target_angle)
    log_fidelity = min(2 * measured.log_overlap, 0.0)
    infidelity = float(-np.expm1(log_fidelity)) + 0.0  # no negative zero
    # An amplitude's error enters F = |amplitude|^2 twice.
    rounding = 2 * _ROUNDING_PER_GATE * (circuit.size() + fused.size() + num_qubits)
    measured_angle = float(np.arcsin(np.sqrt(min(1.0, infidelity + rounding))))
    certificate = Certificate(
        fidelity=float(np.exp(log_fidelity)),
        infidelity=infidelity,
        infidelity_bound=_infidelity(measured.angle + measured_angle + target_angle),
        bound_kind="rigorous" if target.trotter_exact else "with estimate",
        target_truncation=_infidelity(target.truncation_angle),
        target_trotter_estimate=_infidelity(target.trotter_angle),
        circuit_truncation=_infidelity(measured.angle),
        log_fidelity_per_site=-log_fidelity / num_qubits,
        method=measured.method,
    )
    return certificate, measured


def _simulator(method: str, num_qubits: int) -> "_Simulator":
    if method == "auto":
        method = "statevector" if num_qubits <= _DENSE_QUBITS else "mps"
    if method not in _SIMULATORS:
        raise InputError(f"`method` must be 'auto', 'statevector' or 'mps', but is {method!r}.")
    if method == "statevector" and num_qubits > _MAX_DENSE_QUBITS:
        raise InputError(
            f"A state vector must have at most {_MAX_DENSE_QUBITS} qubits, but would have "
            f"{num_qubits}; use the method 'mps'."
        )
    return _SIMULATORS[method]


def _infidelity(angle: float) -> float:
    """Return sin^2 of an angle between states, which is never above pi/2."""
    return float(np.sin(min(np.pi / 2, angle)) ** 2)


def _by_statevector(circuit: "QuantumCircuit", target: MPS, angle: float) -> Measurement:
    from aqc.interop.aer import simulate_statevector

    vector = simulate_statevector(circuit)
    overlap = abs(np.vdot(target.to_dense(), vector))
    log_modulus = float(np.log(overlap)) if overlap > 0.0 else -np.inf
    method = f"qiskit-aer {version('qiskit-aer')} statevector"
    return Measurement(log_modulus, 0.0, method, bond_densities_dense(vector), vector)


def _by_mps(circuit: "QuantumCircuit", target: MPS, angle: float) -> Measurement:
    from aqc.interop.aer import simulate_mps, threshold_for

    threshold = threshold_for(circuit, angle)
    simulation = simulate_mps(circuit, threshold, is_fused=True)
    return Measurement(
        float(log_overlap(target, simulation.mps)[0]),
        simulation.angle,
        f"qiskit-aer {version('qiskit-aer')} matrix product state, "
        f"threshold {threshold:.0e}, chi {simulation.max_bond}",
        bond_densities(simulation.mps),
        simulation.mps,
    )


_Simulator = Callable[["QuantumCircuit", MPS, float], Measurement]
_SIMULATORS: dict[str, _Simulator] = {"statevector": _by_statevector, "mps": _by_mps}
