"""The cases by which the engine is judged, at their full size."""

import numpy as np
import pytest
from qiskit.quantum_info import Statevector

from aqc import compile_evolution
from aqc.hamiltonian import Hamiltonian
from reference import xxz


def disordered_xxz(num_qubits: int) -> Hamiltonian:
    """J/2 XX + J/2 YY + J ZZ; couplings are drawn for the even bonds first."""
    draws = np.random.RandomState(0).rand(num_qubits - 1) + 0.5
    bonds = [*range(0, num_qubits - 1, 2), *range(1, num_qubits - 1, 2)]
    terms = [
        (pair, (bond, bond + 1), weight * coupling)
        for bond, coupling in zip(bonds, draws, strict=True)
        for pair, weight in (("XX", 0.5), ("YY", 0.5), ("ZZ", 1.0))
    ]
    return Hamiltonian.from_terms(num_qubits, terms)


@pytest.mark.parametrize(
    ("num_qubits", "start", "reached"),
    [(10, 1.756e-3, 2.66e-5), (50, 7.358e-3, 1.32e-4), (100, 1.0405e-2, 1.72e-4)],
)
def test_disordered_xxz_reaches_the_optimum_of_its_ansatz(num_qubits, start, reached):
    result = compile_evolution(
        disordered_xxz(num_qubits),
        0.2,
        initial_state="neel",
        ansatz={"layers": 3},
        target={"tolerance": 1e-8},
        goal={"infidelity": reached},
        optimizer={"max_steps": 2000},
    )
    assert result.optimum.history[0][1] == pytest.approx(start, rel=1e-3)
    assert result.certificate.infidelity <= reached
    assert result.two_qubit_depth == 7
    if num_qubits == 10:
        vector = Statevector(result.circuit).data.reshape((2,) * 10).transpose().ravel()
        dense = abs(np.vdot(result.target.mps.to_dense(), vector)) ** 2
        assert result.certificate.fidelity == pytest.approx(dense, abs=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("num_qubits", [50, 100])
def test_xxz_chain_at_nine_layers(num_qubits):
    """S1 and S2, and the certificate against quimb's own simulation of the emitted circuit."""
    import quimb.tensor as qtn

    from aqc.interop.quimb import to_quimb

    goal = {50: 0.0095, 100: 0.026}[num_qubits]
    result = compile_evolution(
        xxz(num_qubits), 1.0, initial_state="neel", goal={"infidelity": goal}
    )
    assert result.certificate.infidelity <= goal
    # eight layers of 3 CX and one of 1 CX
    cx = 4 * 3 * (num_qubits - 1) + num_qubits // 2
    assert (result.two_qubit_depth, result.two_qubit_gates) == (25, cx)
    simulated = qtn.CircuitMPS(num_qubits, gate_opts={"cutoff": 1e-15})
    for instruction in result.circuit.data:
        qubits = [result.circuit.find_bit(q).index for q in instruction.qubits]
        if instruction.operation.name == "cx":
            simulated.cx(*qubits)
        else:
            simulated.u3(*instruction.operation.params, *qubits)
    amplitude = to_quimb(result.target.mps).H @ simulated.psi
    # What the certificate's simulation cuts off lowers the fidelity that it reports.
    assert -1e-9 < abs(amplitude) ** 2 - result.certificate.fidelity < 1e-6
    assert result.trotter.infidelity > 5 * result.certificate.infidelity
