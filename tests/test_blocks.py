import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from aqc.blocks import BLOCKS
from aqc.gates import pauli
from aqc.points import nearest_point
from reference import random_unitaries

PAULIS = [a + b for a in "IXYZ" for b in "IXYZ"][1:]


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("size", [1e-3, 0.3, 1.0])
def test_su4_retraction_is_the_exponential_of_its_coordinates(size):
    block = BLOCKS["su4"]
    matrices = random_unitaries(6, 4, seed=0)
    x = size * np.random.default_rng(1).uniform(-1, 1, size=(6, 15))
    moved = np.asarray(
        block.matrices(block.retract(nearest_point(matrices, "su4"), jnp.asarray(x)))
    )
    generators = np.stack([pauli(name) for name in PAULIS])
    expected = matrices @ scipy.linalg.expm(1j * np.tensordot(x, generators, 1))
    assert np.abs(moved - expected).max() < 1e-12


@pytest.mark.parametrize("name", BLOCKS)
def test_linearization_agrees_to_first_order(name):
    block = BLOCKS[name]
    point = nearest_point(random_unitaries(4, 4, seed=2), name)
    x = np.random.default_rng(3).normal(size=(4, block.num_parameters))
    errors = []
    for h in (1e-3, 5e-4):
        step = jnp.asarray(h * x)
        difference = block.matrices(block.retract(point, step)) - block.linearize(point, step)
        errors.append(float(jnp.abs(difference).max()))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("name", BLOCKS)
def test_matrices_stay_unitary_over_many_moves(name):
    block = BLOCKS[name]
    rng = np.random.default_rng(4)
    retract = jax.jit(block.retract)
    point = nearest_point(random_unitaries(3, 4, seed=5), name)
    for _ in range(50):
        x = jnp.asarray(rng.uniform(-1, 1, size=(3, block.num_parameters)))
        point = retract(point, x)
    matrices = np.asarray(block.matrices(point))
    gram = matrices.conj().swapaxes(1, 2) @ matrices
    assert np.abs(gram - np.eye(4)).max() < 1e-13
