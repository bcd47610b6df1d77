"""One or two qubits: the exponential itself, in at most three CX."""

from typing import TYPE_CHECKING, Any

import numpy as np

from aqc.qiskit_plugin.chains import Chain, Declined

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

# Beyond, a phase has fewer than seven correct digits.
_LARGEST_PHASE = 1e9
# Of the decomposition and of the comparison, and of an exponential for each radian.
_ROUNDING, _ROUNDING_OF_PHASES = 1e-13, 4 * np.finfo(float).eps


def exact(chain: Chain, time: float) -> tuple["QuantumCircuit", dict[str, Any]]:
    """Return a circuit for exp(-iHt), global phase included, and its figures.

    Args:
        chain: Of one or two qubits.
        time: t, in units of 1/energy.

    Raises:
        Declined: If the time is so long that phases have no correct digits left.

    Example:
        >>> circuit, figures = exact(Chain((4, 7), (("ZZ", (0, 1), 1.0),)), 0.3)
        >>> circuit.count_ops()["cx"], figures["infidelity"] < 1e-13
        (2, True)
    """
    from qiskit.quantum_info import Operator

    from aqc.circuit import Circuit, Gate
    from aqc.gates import evolution, pauli
    from aqc.interop.synthesis import synthesize, two_qubit_counts

    size = len(chain.qubits)
    phase = sum(abs(coefficient) for *_, coefficient in chain.terms) * abs(time)
    if not phase <= _LARGEST_PHASE:
        raise Declined(f"the time is too long to be resolved: {phase:.1e} radians")
    dense = np.zeros((2**size, 2**size), dtype=complex)
    for letters, sites, coefficient in chain.terms:
        at = dict(zip(sites, letters, strict=True))
        dense += coefficient * pauli("".join(at.get(site, "I") for site in range(size)))
    matrix = evolution(dense, time)
    circuit = synthesize(Circuit(size, (Gate(tuple(range(size)), matrix),))).circuit
    overlap = np.vdot(Operator(circuit.reverse_bits()).data, matrix) / len(matrix)
    circuit.global_phase += float(np.angle(overlap))
    infidelity = max(0.0, float(1 - abs(overlap) ** 2))
    gates, depth = two_qubit_counts(circuit)
    return circuit, {
        "infidelity": infidelity,
        "infidelity_bound": infidelity + _ROUNDING + (_ROUNDING_OF_PHASES * phase) ** 2,
        "two_qubit_gates": gates,
        "two_qubit_depth": depth,
    }
