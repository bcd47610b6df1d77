"""Aer's simulations against Qiskit's state vectors, and its error bound against dense truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter
from qiskit.quantum_info import Operator, Statevector

from aqc.errors import TruncationError, UnsupportedGateError
from aqc.gates import evolution
from aqc.interop import aer
from aqc.mps import MPS, log_overlap


def random_gate(rng: np.random.Generator, strength: float) -> np.ndarray:
    matrix = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    return evolution(matrix + matrix.conj().T, strength / 2)


def random_circuit(seed: int, n: int, depth: int, strength: float, far: bool) -> QuantumCircuit:
    """Return layers of gates on neighbors, or on random pairs of qubits."""
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(n)
    for layer in range(depth):
        for left in range(layer % 2, n - 1, 2):
            pair = rng.choice(n, 2, replace=False) if far else (left, left + 1)
            circuit.unitary(random_gate(rng, strength), [int(qubit) for qubit in pair])
    return circuit


def mixed_circuit(n: int) -> QuantumCircuit:
    """Return a circuit with every kind of thing that is allowed, on at least 5 qubits."""
    circuit = QuantumCircuit(n, 2, global_phase=0.3)
    circuit.h(range(n - 1))
    circuit.ccx(0, 4, 2)
    circuit.barrier()
    circuit.cx(4, 0)
    circuit.rzz(0.3, 1, 3)
    circuit.ecr(2, 1)
    circuit.u(0.1, 0.2, 0.3, 2)
    circuit.id(0)
    circuit.swap(0, 3)
    nested = QuantumCircuit(3)
    nested.csx(2, 0)
    nested.append(nested.to_gate(), (1, 2, 0))
    circuit.append(nested.to_instruction(), (3, 1, 4))
    circuit.prepare_state([0.6, 0.8j], n - 1)
    return circuit


def dense(circuit: QuantumCircuit) -> np.ndarray:
    """Return the state vector by Qiskit itself, qubit 0 leftmost."""
    vector = Statevector(circuit).data
    return vector.reshape((2,) * circuit.num_qubits).transpose().ravel()


def angle_between(a: np.ndarray, b: np.ndarray) -> float:
    """Return the angle between two states without cancellation, however small it is."""
    overlap = np.vdot(a, b)
    return float(np.arctan2(np.linalg.norm(b - overlap * a), abs(overlap)))


def test_fused_circuit_is_the_same_operator():
    circuit = mixed_circuit(5)
    fused = aer.fuse(circuit)
    assert set(fused.count_ops()) == {"unitary"}
    assert Operator(fused).equiv(Operator(circuit), rtol=0.0, atol=1e-13)


def test_three_cx_on_a_pair_become_one_unitary():
    circuit = QuantumCircuit(4)
    for pair in ((0, 1), (2, 3), (1, 2)):
        for _ in range(3):
            circuit.cx(*pair)
            circuit.u(0.1, 0.2, 0.3, pair[0])
    assert aer.fuse(circuit).size() == 3


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        (lambda circuit: circuit.measure_all(), "measure"),
        (lambda circuit: circuit.reset(0), "reset"),
        (lambda circuit: circuit.initialize([0.6, 0.8], 0), "reset"),
        (lambda circuit: circuit.delay(10, 0), "delay"),
        (
            lambda circuit: circuit.if_test(
                (circuit.clbits[0], 1), QuantumCircuit(3, 1), [0, 1, 2], [0]
            ),
            "if_else",
        ),
        (lambda circuit: circuit.rx(Parameter("alpha"), 0), "alpha"),
        (lambda circuit: circuit.append(Gate("opaque", 2, []), (0, 1)), "opaque"),
        (lambda circuit: circuit.append(Gate("opaque", 3, []), (0, 1, 2)), "opaque"),
    ],
)
def test_refuses_what_has_no_matrix(spoil, name):
    circuit = QuantumCircuit(3, 1)
    circuit.cx(0, 1)
    spoil(circuit)
    for simulate in (aer.simulate_statevector, aer.simulate_mps):
        with pytest.raises(UnsupportedGateError, match=rf"must hold only .*'?{name}"):
            simulate(circuit)


@pytest.mark.parametrize("n", [5, 7])
def test_every_allowed_gate_on_every_road(n):
    circuit = mixed_circuit(n)
    truth = dense(circuit)
    assert abs(truth).max() < 0.9  # not a basis state
    assert angle_between(truth, aer.simulate_statevector(circuit)) < 1e-13
    simulation = aer.simulate_mps(circuit)
    assert angle_between(truth, simulation.mps.to_dense()) <= simulation.angle < 1e-6


@pytest.mark.parametrize("circuit", [QuantumCircuit(2), QuantumCircuit(1 + 3)])
def test_a_circuit_without_gates(circuit):
    simulation = aer.simulate_mps(circuit)
    assert (simulation.angle, simulation.max_bond) == (0.0, 1)
    np.testing.assert_array_equal(simulation.mps.to_dense(), np.eye(2**circuit.num_qubits)[0])


def test_qubit_i_is_site_i():
    circuit = QuantumCircuit(6)
    circuit.x(1)
    circuit.cx(1, 5)
    flipped = MPS.product(np.eye(2)[[0, 1, 0, 0, 0, 1]])
    assert log_overlap(flipped, aer.simulate_mps(circuit).mps)[0] == pytest.approx(0.0, abs=1e-14)


def test_largest_bond_is_the_largest_on_the_way():
    forth = random_circuit(seed=1, n=8, depth=6, strength=1.0, far=False)
    there_and_back = forth.compose(forth.inverse())
    assert aer.simulate_mps(forth).max_bond == 16
    simulation = aer.simulate_mps(there_and_back)
    assert simulation.max_bond == 16
    assert simulation.mps.max_bond == 1


@settings(max_examples=150)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(2, 10),
    depth=st.integers(1, 8),
    strength=st.sampled_from([1e-3, 1e-2, 0.1, 0.3, 1.0]),
    far=st.booleans(),
    threshold=st.sampled_from([1e-2, 1e-3, 1e-4, 1e-6, 1e-8, 1e-12, aer.EXACT]),
)
def test_true_error_never_exceeds_the_bound(seed, n, depth, strength, far, threshold):
    circuit = random_circuit(seed, n, depth, strength, far)
    simulation = aer.simulate_mps(circuit, threshold)
    vector = simulation.mps.to_dense()
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-13)
    assert angle_between(dense(circuit), vector) <= simulation.angle + 1e-13


@pytest.mark.parametrize("threshold", [1e-4, 1e-6, 1e-8])
def test_a_bound_that_truncation_comes_near(threshold):
    circuit = random_circuit(seed=3, n=11, depth=6, strength=0.3, far=False)
    simulation = aer.simulate_mps(circuit, threshold)
    error = angle_between(dense(circuit), simulation.mps.to_dense())
    assert simulation.max_bond < 32  # less than an exact simulation takes
    assert simulation.angle / 20 < error <= simulation.angle


def test_refuses_a_state_that_needs_too_large_bonds(monkeypatch):
    monkeypatch.setattr(aer, "_MAX_BOND", 8)
    circuit = random_circuit(seed=0, n=8, depth=8, strength=1.0, far=False)
    with pytest.raises(TruncationError, match="bond dimensions below 8"):
        aer.simulate_mps(circuit)
