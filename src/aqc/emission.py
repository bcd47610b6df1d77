"""From an ansatz to the circuit that is written, in the gates and on the qubits asked for."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aqc.ansatz import Ansatz
from aqc.interop.circuits import as_gates
from aqc.interop.fusion import from_zeros
from aqc.interop.routing import chain_circuit
from aqc.interop.synthesis import synthesize, two_qubit_counts
from aqc.noise import noise_fidelity, readout_fidelity
from aqc.problem import Problem

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


@dataclass(frozen=True, eq=False)
class Emission:
    """A written circuit.

    Attributes:
        circuit: As it is written, on the device's qubits where a coupling map is given.
        layout: Physical qubit of each site at the end, or None without a coupling map.
        chain: The same on the chain: qubit i is site i, what only helped routing comes last.
        cx_depth: Depth of the chain in CX, whatever the basis, where Trotter is counted too.
    """

    circuit: "QuantumCircuit"
    layout: tuple[int, ...] | None
    chain: "QuantumCircuit"
    cx_depth: int


def emit(problem: Problem, ansatz: Ansatz) -> Emission:
    """Return an ansatz written as a problem asks for."""
    compiled = ansatz.circuit()
    if problem.mode == "state":
        compiled = from_zeros(compiled)
    settings = problem.circuit
    emitted = synthesize(
        compiled,
        settings.basis,
        settings.coupling_map,
        problem.seed,
        swaps=problem.mode == "state",
        errors=settings.errors,
    )
    chain = emitted.circuit
    if emitted.layout is not None:
        chain = chain_circuit(emitted.circuit, emitted.layout)
    in_cx = emitted.circuit
    if settings.basis != "cx" or emitted.layout is not None:
        in_cx = synthesize(compiled).circuit
    return Emission(emitted.circuit, emitted.layout, chain, two_qubit_counts(in_cx)[1])


def survival(problem: Problem, ansatz: Ansatz) -> float:
    """Return what the noise of the goal's device leaves of an ansatz, readout included."""
    device = problem.goal.device
    assert device is not None
    circuit = as_gates(emit(problem, ansatz).chain)
    return noise_fidelity(circuit, device) * readout_fidelity(problem.num_qubits, device)
