import time

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library import UGate
from qiskit.quantum_info import Statevector
from scipy.stats import unitary_group

from aqc.circuit import Circuit, Gate
from aqc.errors import InputError
from aqc.gates import CX, PAULI
from aqc.interop.synthesis import euler_angles, synthesize, two_qubit_counts

BASES = ["cx", "cz", "ecr", "iswap", "rzz"]


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize(("num_qubits", "layers"), [(1, 2), (2, 1), (3, 4), (5, 5)])
def test_unitary_is_the_product_of_the_matrices(
    basis, num_qubits, layers, brickwork, matrix_of, distance
):
    circuit = brickwork(num_qubits, layers, seed=layers)
    emitted = synthesize(circuit, basis)
    assert emitted.layout is None
    assert emitted.circuit.global_phase == 0
    assert distance(matrix_of(emitted.circuit), matrix_of(circuit)) < 1e-12


@pytest.mark.parametrize("basis", BASES)
def test_state_of_eight_qubits(basis, brickwork, matrix_of, distance):
    circuit = brickwork(8, 9, seed=7)
    state = Statevector(synthesize(circuit, basis).circuit.reverse_bits()).data
    assert distance(state, matrix_of(circuit)[:, 0]) < 1e-12


@pytest.mark.parametrize("basis", BASES)
def test_only_u_and_the_basis_gate_and_no_two_u_in_a_row(basis, brickwork):
    emitted = synthesize(brickwork(6, 5), basis).circuit
    assert set(emitted.count_ops()) == {"u", basis}
    last = {}
    for step in emitted.data:
        for qubit in step.qubits:
            assert not (step.name == "u" and last.get(qubit) == "u")
            last[qubit] = step.name


def test_counts_of_the_brickwork(brickwork):
    emitted = synthesize(brickwork(7, 4)).circuit
    assert two_qubit_counts(emitted) == (3 * 12, 3 * 4)


def test_layers_on_the_only_bond_of_two_qubits_become_one_block(brickwork):
    assert two_qubit_counts(synthesize(brickwork(2, 9)).circuit) == (3, 3)


def test_identities_are_not_written():
    gates = (Gate((0,), PAULI["X"]), Gate((0,), PAULI["X"]), Gate((1, 0), 1j * np.eye(4)))
    assert len(synthesize(Circuit(2, gates)).circuit.data) == 0


def test_cx_in_is_cx_out_with_the_control_on_the_left(matrix_of, distance):
    emitted = synthesize(Circuit(2, (Gate((0, 1), CX),))).circuit
    expected = QuantumCircuit(2)
    expected.cx(0, 1)
    assert two_qubit_counts(emitted) == (1, 1)
    assert distance(matrix_of(emitted), matrix_of(expected)) < 1e-13


def test_empty_circuit():
    assert synthesize(Circuit(3, ())).circuit.num_qubits == 3


def test_same_circuit_again(brickwork):
    circuit = brickwork(6, 3)
    assert synthesize(circuit).circuit == synthesize(circuit).circuit


def test_a_thousand_qubits_take_seconds(brickwork):
    circuit = brickwork(1000, 3)
    start = time.perf_counter()
    emitted = synthesize(circuit).circuit
    assert two_qubit_counts(emitted) == (3 * 1499, 9)
    # Measured: 0.25 s; the bound only catches a change of order.
    assert time.perf_counter() - start < 5


def test_euler_angles_of_gates_with_vanishing_entries(distance):
    rng = np.random.default_rng(0)
    phases = np.exp(2j * np.pi * rng.random((40, 2)))
    diagonal = np.array([np.diag(pair) for pair in phases[:20]])
    flips = np.array([np.diag(pair)[::-1] for pair in phases[20:]])
    tiny = unitary_group.rvs(2, size=20, random_state=rng)
    tilts = np.array([UGate(10.0**-k, 0.3, 1.1).to_matrix() for k in range(1, 18)])
    for unitary in [*diagonal, *flips, *tiny, *tilts, *(flips[:17] @ tilts)]:
        (angles,) = euler_angles(unitary[None])
        assert distance(UGate(*angles).to_matrix(), unitary) < 1e-14
        assert abs(angles).max() <= np.pi


def test_two_qubit_counts_pass_over_barriers_and_other_sizes():
    circuit = QuantumCircuit(3, 1)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.barrier(1, 2)
    circuit.ccx(0, 1, 2)
    circuit.rzz(0.3, 1, 2)
    circuit.measure(0, 0)
    assert two_qubit_counts(circuit) == (2, 2)
    assert two_qubit_counts(QuantumCircuit(0)) == (0, 0)


def test_unknown_basis_is_refused_also_without_a_block():
    with pytest.raises(InputError, match="`basis` must be one of cx, cz, ecr, iswap, rzz"):
        synthesize(Circuit(1, ()), "swap")


def test_circuit_without_qubits_is_refused():
    with pytest.raises(InputError, match="at least 1 qubit, but has 0"):
        synthesize(Circuit(0, ()))


def test_matrix_that_is_not_unitary_is_refused():
    with pytest.raises(InputError, match="unitary to 1e-09"):
        synthesize(Circuit(1, (Gate((0,), 2 * np.eye(2)),)))
