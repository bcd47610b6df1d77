import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aqc.blocks import BLOCKS
from aqc.gates import cx_count, pauli
from aqc.points import exact_matrices, nearest_point
from reference import random_unitaries

CX = {"su4": 3, "cx2": 2, "rzz": 2, "cx1": 1, "u1": 3}


def moved(block, dtype, seed):
    """Return a point far from where it began, in the optimizer's precision."""
    point = nearest_point(random_unitaries(5, 4, seed=seed), block).astype(dtype)
    rng = np.random.default_rng(seed)
    retract = jax.jit(BLOCKS[block].retract)
    with jax.enable_x64(True):
        for _ in range(20):
            x = rng.normal(size=(5, BLOCKS[block].num_parameters))
            point = np.asarray(retract(point, x))
    return point


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
@pytest.mark.parametrize("block", BLOCKS)
def test_gates_are_of_their_type_to_double_precision(block, dtype):
    point = moved(block, dtype, seed=1)
    gates = exact_matrices(point, block)
    with jax.enable_x64(True):
        before = np.asarray(BLOCKS[block].matrices(jnp.asarray(point)))
    # Phases are free.
    overlaps = np.einsum("gij,gij->g", before.conj(), gates) / 4
    assert abs(abs(overlaps) - 1).max() < (1e-5 if dtype == "complex64" else 1e-13)
    assert abs(gates @ gates.conj().swapaxes(1, 2) - np.eye(4)).max() < 1e-13
    assert max(cx_count(gate, 1e-12) for gate in gates) == CX[block]


def test_a_gate_of_the_type_is_its_own_nearest_point():
    for block in BLOCKS:
        gates = exact_matrices(moved(block, "complex128", seed=2), block)
        again = exact_matrices(nearest_point(gates, block), block)
        assert abs(abs(np.einsum("gij,gij->g", gates.conj(), again)) / 4 - 1).max() < 1e-13


def test_u1_gates_conserve_the_magnetization():
    total = pauli("ZI") + pauli("IZ")
    gates = exact_matrices(moved("u1", "complex64", seed=3), "u1")
    assert abs(gates @ total - total @ gates).max() < 1e-14
    assert abs(gates[:, 1, 2]).min() > 1e-3  # it does exchange
