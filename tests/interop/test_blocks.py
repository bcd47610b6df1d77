import numpy as np
import pytest
from scipy.stats import unitary_group

from aqc.circuit import Circuit, Gate
from aqc.errors import InputError
from aqc.interop.blocks import embed, fuse


def test_fused_circuit_is_the_same_unitary(brickwork, matrix_of, distance):
    circuit = brickwork(4, 5, seed=1)
    doubled = Circuit(4, tuple(gate for gate in circuit.gates for _ in range(2)))
    fused = fuse(doubled)
    pairs = [gate for gate in circuit.gates if len(gate.qubits) == 2]
    assert sum(len(gate.qubits) == 2 for gate in fused.gates) == len(pairs)
    assert distance(matrix_of(fused), matrix_of(doubled)) < 1e-12


def test_pair_in_either_order_becomes_one_block(matrix_of, distance):
    a, b = unitary_group.rvs(4, size=2, random_state=0)
    circuit = Circuit(2, (Gate((0, 1), a), Gate((1, 0), b)))
    (gate,) = fuse(circuit).gates
    assert distance(gate.matrix, matrix_of(circuit)) < 1e-13


def test_swap_after_a_block_costs_nothing_more():
    block = unitary_group.rvs(4, random_state=3)
    swap = np.eye(4)[[0, 2, 1, 3]]
    (gate,) = fuse(Circuit(2, (Gate((0, 1), block), Gate((1, 0), swap)))).gates
    np.testing.assert_allclose(gate.matrix, swap @ block, atol=1e-15)


def test_gate_on_a_third_qubit_keeps_blocks_apart():
    block = np.eye(4)
    gates = (Gate((0, 1), block), Gate((1, 2), block), Gate((0, 1), block))
    assert [gate.qubits for gate in fuse(Circuit(3, gates)).gates] == [(0, 1), (1, 2), (0, 1)]


def test_one_qubit_gates_before_a_block_stay_before_it(matrix_of, distance):
    a, b = unitary_group.rvs(2, size=2, random_state=1)
    c = unitary_group.rvs(4, random_state=2)
    circuit = Circuit(2, (Gate((1,), a), Gate((1,), b), Gate((0, 1), c)))
    assert [gate.qubits for gate in fuse(circuit).gates] == [(1,), (0, 1)]
    assert distance(matrix_of(fuse(circuit)), matrix_of(circuit)) < 1e-13


def test_embed_on_either_side():
    x = np.array([[0, 1], [1, 0]])
    assert (embed(Gate((5,), x), (5, 2)) == np.kron(x, np.eye(2))).all()
    assert (embed(Gate((5,), x), (2, 5)) == np.kron(np.eye(2), x)).all()
    assert (embed(Gate((5,), x), (5,)) == x).all()


@pytest.mark.parametrize(
    ("gate", "sentence"),
    [
        (Gate((0,), np.eye(4)), r"shape \(4, 4\) on the qubits \(0,\)"),
        (Gate((0, 1, 2), np.eye(8)), r"shape \(8, 8\)"),
        (Gate((1, 1), np.eye(4)), r"distinct and in 0..2, but are \(1, 1\)"),
        (Gate((2, 3), np.eye(4)), r"distinct and in 0..2, but are \(2, 3\)"),
    ],
)
def test_malformed_gates_are_refused(gate, sentence):
    with pytest.raises(InputError, match=sentence):
        fuse(Circuit(3, (gate,)))
