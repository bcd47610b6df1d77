"""Circuits as matrix product states against state vectors, and the bound on what was cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aqc.circuit import Circuit, Gate
from aqc.errors import TruncationError
from aqc.mps import MPS, log_overlap, right_canonical
from aqc.simulate import compress, on_bonds, run_circuit, sweeps
from reference import fidelity, random_unitaries, statevector


def random_circuit(num_qubits: int, count: int, seed: int) -> Circuit:
    """Return gates on any one or two qubits, neighbors or not, in either order."""
    rng = np.random.default_rng(seed)
    gates = []
    for number in range(count):
        size = int(rng.integers(1, 3))
        qubits = tuple(int(q) for q in rng.choice(num_qubits, size, replace=False))
        gates.append(Gate(qubits, random_unitaries(1, 2**size, seed + number)[0]))
    return Circuit(num_qubits, tuple(gates))


@given(st.integers(2, 7), st.integers(0, 14), st.integers(0, 10**6))
def test_a_circuits_state_is_that_of_the_state_vector(num_qubits, count, seed):
    circuit = random_circuit(num_qubits, count, seed)
    found = run_circuit(circuit, angle=0.0, max_bond=64)
    assert fidelity(found.mps.to_dense(), statevector(circuit)) == pytest.approx(1, abs=1e-12)
    assert found.angle < 1e-6


@given(st.integers(4, 7), st.integers(6, 14), st.integers(0, 10**6), st.floats(1e-3, 1.0))
def test_truncation_is_never_understated(num_qubits, count, seed, angle):
    circuit = random_circuit(num_qubits, count, seed)
    truth = statevector(circuit)
    for found in (
        run_circuit(circuit, angle=angle, max_bond=64),
        run_circuit(circuit, angle=0.0, max_bond=2),
        compress(run_circuit(circuit, angle=0.0, max_bond=64).mps, angle=angle, max_bond=64),
    ):
        lost = 1 - fidelity(found.mps.to_dense(), truth)
        assert lost <= np.sin(min(found.angle, np.pi / 2)) ** 2 + 1e-12
    assert found.angle <= angle + 1e-6


def test_compression_loses_exactly_the_weight_it_says():
    state = run_circuit(random_circuit(8, 40, seed=1), angle=0.0, max_bond=64).mps
    found = compress(state, angle=0.0, max_bond=5)
    assert found.mps.max_bond == 5 < state.max_bond
    log_fidelity = 2 * log_overlap(state, found.mps)[0]
    assert found.weight > 1e-3
    assert found.weight == pytest.approx(-np.expm1(log_fidelity), abs=1e-12)


def test_a_staircase_is_one_sweep_in_either_direction():
    gates = random_unitaries(6, 4, seed=2)
    up = Circuit(7, tuple(Gate((j, j + 1), gates[j]) for j in range(6)))
    down = Circuit(7, tuple(Gate((j, j + 1), gates[j]) for j in reversed(range(6))))
    for circuit, expected in ((up, 1), (down, 2)):
        plan = sweeps(7, on_bonds(circuit)[1])
        assert len(plan) == expected
        found = run_circuit(circuit, angle=0.0, max_bond=64)
        assert fidelity(found.mps.to_dense(), statevector(circuit)) == pytest.approx(1)


def test_gates_on_the_same_pair_are_fused():
    unitaries = random_unitaries(3, 4, seed=3)
    one = random_unitaries(1, 2, seed=4)[0]
    gates = (
        Gate((1, 2), unitaries[0]),
        Gate((2,), one),
        Gate((2, 1), unitaries[1]),
        Gate((0,), one),
    )
    states, found = on_bonds(Circuit(3, gates))
    assert [bond for bond, _ in found] == [1]
    np.testing.assert_allclose(states[0], one[:, 0])


def test_right_canonical_keeps_the_state():
    rng = np.random.default_rng(5)
    state = MPS(tuple(rng.normal(size=s) for s in ((1, 2, 6), (6, 2, 3), (3, 2, 7), (7, 2, 1))))
    found = right_canonical(state)
    dense = state.to_dense() / np.linalg.norm(state.to_dense())
    assert fidelity(found.to_dense(), dense) == pytest.approx(1, abs=1e-14)
    for tensor in found.tensors[1:]:
        gram = np.tensordot(tensor, tensor.conj(), ((1, 2), (1, 2)))
        np.testing.assert_allclose(gram, np.eye(len(gram)), atol=1e-14)


def test_what_does_not_fit_is_refused():
    circuit = random_circuit(8, 60, seed=6)
    with pytest.raises(TruncationError, match=r"raise `target.max_bond`"):
        run_circuit(circuit, angle=0.01, max_bond=4, limit=0.02)
