import numpy as np
import pytest
from scipy.stats import unitary_group

from aqc.ansatz import Ansatz
from aqc.circuit import Circuit, Gate
from aqc.errors import InputError
from aqc.gates import cx_count
from aqc.interop.fusion import embed, from_zeros, fuse
from reference import fidelity, random_product, random_unitaries, statevector


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


def cx_counts(circuit):
    return [cx_count(gate.matrix) for gate in circuit.gates if len(gate.qubits) == 2]


@pytest.mark.parametrize("num_qubits", [2, 5, 6])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_first_layer_from_zeros_takes_one_cx_per_block(num_qubits, layers):
    count = sum(len(range(layer % 2, num_qubits - 1, 2)) for layer in range(layers))
    blocks = random_unitaries(count, 4, seed=4)
    circuit = Ansatz(random_product(num_qubits, seed=5), layers, blocks).circuit()
    short = from_zeros(circuit)
    assert fidelity(statevector(short), statevector(circuit)) > 1 - 1e-13
    first = num_qubits // 2
    expected = [1] if num_qubits == 2 else [1] * first + [3] * (count - first)
    assert sorted(cx_counts(short)) == expected


def test_products_between_blocks_do_not_keep_them_apart():
    local = np.kron(*random_unitaries(2, 2, seed=6))
    a, b, c = random_unitaries(3, 4, seed=7)
    gates = [((0, 1), a), ((1, 2), local), ((0, 1), b), ((2, 3), local), ((1, 2), c)]
    circuit = Circuit(4, tuple(Gate(*gate) for gate in gates))
    short = from_zeros(circuit)
    assert fidelity(statevector(short), statevector(circuit)) > 1 - 1e-13
    assert cx_counts(short) == [1, 3]


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
