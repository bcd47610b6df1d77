"""Block types: what an optimizer may do to a two-qubit block. One type, one small class.

All methods act on many blocks at once, in plain JAX; the leading axis counts blocks.
"""

import functools
import itertools
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

from aqc.gates import pauli


class Block(Protocol):
    """A manifold of two-qubit gates with local coordinates around each of its points."""

    num_parameters: int

    def point(self, matrices: np.ndarray) -> jax.Array:
        """Return the point of the manifold that stands for given 4x4 matrices."""

    def matrices(self, point: jax.Array) -> jax.Array:
        """Return the 4x4 matrices of a point, shape (blocks, 4, 4)."""

    def linearize(self, point: jax.Array, x: jax.Array) -> jax.Array:
        """Return matrices that agree with those of `retract(point, x)` to first order in x."""

    def retract(self, point: jax.Array, x: jax.Array) -> jax.Array:
        """Move along the local coordinates x, shape (blocks, num_parameters)."""


class SU4:
    """Any two-qubit gate: G exp(i sum_a x_a P_a), P_a the 15 Pauli products but the identity."""

    num_parameters = 15

    @staticmethod
    @functools.cache
    def generators() -> np.ndarray:
        """Return the P_a, shape (15, 4, 4)."""
        names = ["".join(letters) for letters in itertools.product("IXYZ", repeat=2)]
        return np.stack([pauli(name) for name in names[1:]])  # a i j

    def _algebra(self, point: jax.Array, x: jax.Array) -> jax.Array:
        generators = jnp.asarray(1j * self.generators(), point.dtype)
        return jnp.tensordot(x.astype(point.dtype), generators, 1)

    def point(self, matrices: np.ndarray) -> jax.Array:
        """Return the matrices themselves."""
        return jnp.asarray(matrices)

    def matrices(self, point: jax.Array) -> jax.Array:
        """Return the point itself."""
        return point

    def linearize(self, point: jax.Array, x: jax.Array) -> jax.Array:
        """Return G (1 + i sum_a x_a P_a)."""
        return point + point @ self._algebra(point, x)

    def retract(self, point: jax.Array, x: jax.Array) -> jax.Array:
        """Return G exp(i sum_a x_a P_a)."""
        return unitary_part(point @ _exponential(self._algebra(point, x)))


def _exponential(matrices: jax.Array) -> jax.Array:
    """Return exp of small matrices (norm up to about 4) by scaling, Taylor series and squaring."""
    squarings, degree = 4, 12
    scaled = matrices / 2**squarings
    eye = jnp.broadcast_to(jnp.eye(matrices.shape[-1], dtype=matrices.dtype), matrices.shape)

    def horner(step: int, result: jax.Array) -> jax.Array:
        return eye + scaled @ result / (degree - step)

    # Loops, not unrolled: a third of a second less to compile.
    series = jax.lax.fori_loop(0, degree, horner, eye)
    return jax.lax.fori_loop(0, squarings, lambda _, result: result @ result, series)


def unitary_part(matrices: jax.Array) -> jax.Array:
    """Return the nearest unitary of almost unitary matrices (one Newton-Schulz step)."""
    gram = matrices.conj().swapaxes(-1, -2) @ matrices
    return matrices @ (1.5 * jnp.eye(matrices.shape[-1], dtype=matrices.dtype) - 0.5 * gram)


BLOCKS: dict[str, Block] = {"su4": SU4()}
