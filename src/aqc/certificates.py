"""The certificate that goes with a problem's mode."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from aqc.certify import Certificate, certify, measure
from aqc.certify_unitary import UnitaryCertificate, certify_unitary
from aqc.observables import Observables, bond_densities, compare, difference
from aqc.pauli_strings import energy, expectation
from aqc.problem import Problem
from aqc.target import Target

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


def certificate_for(problem: Problem, circuit: "QuantumCircuit", target: Target) -> Certificate:
    """Return the certificate of a circuit as the solution of a problem.

    Args:
        problem: What problem.json holds.
        circuit: Qubit i is site i.
        target: The problem's.

    Raises:
        InputError: If the numbers of qubits differ.
        UnsupportedGateError: If the circuit holds more than unitary gates.
        TruncationError: If the circuit entangles too much to be simulated.
    """
    if problem.mode == "unitary":
        return _of_unitary(problem, circuit, target)
    return certify(circuit, target)


def certify_for(
    problem: Problem, circuit: "QuantumCircuit", target: Target
) -> tuple[Certificate, dict[str, Any] | None]:
    """Return the certificate, and in state mode how far observables are off.

    Args:
        problem: What problem.json holds.
        circuit: Qubit i is site i; what only helped routing comes last and must end in |0>.
        target: The problem's.
    """
    if problem.mode == "unitary":
        return _of_unitary(problem, circuit, target), None
    with ThreadPoolExecutor(1) as beside:
        aimed = beside.submit(bond_densities, target.mps)
        certificate, measured = measure(circuit, target.padded(circuit.num_qubits))
    observed = problem.to_hamiltonian() if problem.hamiltonian else None
    on_bonds = observed if observed is None or observed.is_chain else None
    found = compare(
        Observables.of(measured.densities[: problem.num_qubits - 1], on_bonds),
        Observables.of(aimed.result(), on_bonds),
    )
    if observed is not None and on_bonds is None:
        energies = (energy(state, observed) for state in (measured.state, target.mps))
        found["energy"] = difference(*energies)
    given = [
        difference(*(expectation(state, letters, qubits) for state in (measured.state, target.mps)))
        for letters, qubits in problem.observables
    ]
    return certificate, found | {"given": given}


def _of_unitary(problem: Problem, circuit: "QuantumCircuit", target: Target) -> UnitaryCertificate:
    evolution = problem.evolution()
    assert evolution is not None  # the mode asks for one
    return certify_unitary(circuit, *evolution, target, powers=problem.powers)
