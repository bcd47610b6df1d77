"""log |<target|V|psi_0>|^2 through the state vector: the reference, and deep small circuits."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aqc.ansatz import Ansatz
from aqc.mps import MPS, as_matrix


class DenseData(NamedTuple):
    """What the contraction needs beside the blocks (arrays only).

    Attributes:
        numbers: The number of each block, shape (pairs of layers, n - 1); the identity, which
            follows the blocks, fills up the last pair. Even bonds come first in each pair.
        state: Product state, shape (2**n, R); R = 2**n counts the inputs of operators, else 1.
        target: Conjugated target, shape (2**n, R).
    """

    numbers: jax.Array
    state: jax.Array
    target: jax.Array


def prepare(ansatz: Ansatz, target: MPS, dtype: np.dtype) -> DenseData:
    """Lay out ansatz and target as vectors."""
    n = ansatz.num_qubits
    pairs = (ansatz.layers + 1) // 2
    numbers = np.full((pairs, n - 1), len(ansatz.blocks), dtype=np.int32)
    number = 0
    for layer, bonds in enumerate(ansatz.bonds):
        for bond in bonds:
            numbers[layer // 2, bond] = number
            number += 1
    state = as_matrix(MPS.product(ansatz.state))
    final = as_matrix(target).conj()
    return DenseData(*map(jax.device_put, (numbers, state.astype(dtype), final.astype(dtype))))


def log_fidelity(blocks: jax.Array, data: DenseData) -> jax.Array:
    """Return log |<target|V|psi_0>|^2, a real scalar in double precision.

    Args:
        blocks: shape (number of blocks, 4, 4), complex64 or complex128.
        data: From `prepare`, of the same dtype.
    """
    num_bonds = data.numbers.shape[1]
    gates = jnp.concatenate([blocks, jnp.eye(4, dtype=blocks.dtype)[None]])[data.numbers]

    def two_layers(vector: jax.Array, layer_gates: jax.Array) -> tuple[jax.Array, None]:
        for bond in [*range(0, num_bonds, 2), *range(1, num_bonds, 2)]:
            vector = vector.reshape(2**bond, 4, -1)
            vector = jnp.einsum("xy,lyr->lxr", layer_gates[bond], vector)
        return vector.reshape(data.state.shape), None

    vector, _ = jax.lax.scan(two_layers, data.state, gates)
    return 2 * jnp.log(jnp.abs(jnp.sum(data.target * vector)).astype(float))
