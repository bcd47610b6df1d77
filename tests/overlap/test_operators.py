"""The overlap of operators, tr(target^dagger V) / 2^n, by both engines against matrices."""

import jax
import numpy as np
import pytest

from aqc.ansatz import Ansatz
from aqc.mps import MPS, as_matrix, bell_pairs, normalized
from aqc.overlap import prepare
from overlap.test_overlap import value_and_gradient
from reference import random_unitaries


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def random_case(num_qubits: int, layers: int, seed: int) -> tuple[Ansatz, MPS]:
    count = sum(len(range(layer % 2, num_qubits - 1, 2)) for layer in range(layers))
    blocks = random_unitaries(count, 4, seed=seed)
    rng = np.random.default_rng(seed + 1)
    bonds = [1, *rng.integers(1, 5, size=num_qubits - 1), 1]
    shapes = [(bonds[j], 4, bonds[j + 1]) for j in range(num_qubits)]
    tensors = tuple(rng.normal(size=s) + 1j * rng.normal(size=s) for s in shapes)
    return Ansatz(bell_pairs(num_qubits), layers, blocks), normalized(MPS(tensors))


def matrix(ansatz: Ansatz) -> np.ndarray:
    """The circuit as a product of Kronecker products."""
    n = ansatz.num_qubits
    whole = np.eye(2**n, dtype=complex)
    bonds = [bond for layer in ansatz.bonds for bond in layer]
    for bond, block in zip(bonds, ansatz.blocks, strict=True):
        whole = np.kron(np.kron(np.eye(2**bond), block), np.eye(2 ** (n - bond - 2))) @ whole
    return whole


@pytest.mark.parametrize(("num_qubits", "layers"), [(2, 1), (4, 5), (5, 2)])
def test_engines_agree_with_the_trace_of_matrices(num_qubits, layers):
    ansatz, target = random_case(num_qubits, layers, seed=7 * num_qubits + layers)
    trace = np.vdot(as_matrix(target), matrix(ansatz)) / 2 ** (num_qubits / 2)
    truth = 2 * np.log(abs(trace))
    assert truth < -0.5
    exact, exact_gradient = value_and_gradient(ansatz, target, "exact")
    dense, dense_gradient = value_and_gradient(ansatz, target, "dense")
    assert exact == pytest.approx(truth, abs=1e-10)
    assert dense == pytest.approx(truth, abs=1e-10)
    scale = np.abs(exact_gradient).max()
    assert np.abs(exact_gradient - dense_gradient).max() < 1e-10 * scale


def test_states_carry_no_references():
    """State mode keeps its shapes: a reference of dimension one costs nothing."""
    states = Ansatz(np.tile([1.0, 0.0], (4, 1)), 2, np.tile(np.eye(4), (3, 1, 1)))
    target = MPS.product(states.state)
    data = prepare(states, target, "exact", np.dtype(complex))
    assert data.state.shape == (2, 1, 4, 1)
    assert data.target.shape[2:7] == (1, 1, 8, 4, 1)


def test_no_overlap_underflows():
    """Random circuits on 600 qubits: |tr|^2 / 4^n is far below the smallest double."""
    ansatz, _ = random_case(600, 2, seed=3)
    still = MPS.product(bell_pairs(600))
    value, gradient = value_and_gradient(ansatz, still, "exact")
    assert -np.inf < value < -745
    assert np.isfinite(gradient).all()
