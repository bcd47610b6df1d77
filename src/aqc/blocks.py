"""Block types: the manifolds of two-qubit gates on which an optimizer moves.

A gate is a product of factors G = F_m ... F_1, and each factor moves by its own generators,
F exp(i sum_a x_a T_a). All methods act on many gates at once, in plain JAX.
"""

import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from aqc.gates import pauli


@dataclass(frozen=True)
class Block:
    """A manifold of two-qubit gates with local coordinates around each of its points.

    A point holds the factors of each gate, the one that acts last first: shape (gates, factors, 4,
    4). The coordinates of a gate are those of its factors, one factor after another.

    Attributes:
        generators: For each factor the names of its generators T_a: Pauli products, "XX+YY" for
            (XX + YY) / sqrt(2), "XY-YX" likewise. A factor without generators never moves.
        coordinates: Maps Cartan coordinates (a, b, c), shape (gates, 3), to those that the gates of
            this type can have, where the middle one of three factors is exp(i (a XX + b YY + c ZZ))
            between two pairs of one-qubit gates; None for a single factor, which is a group.
    """

    generators: tuple[tuple[str, ...], ...]
    coordinates: Callable[[np.ndarray], np.ndarray] | None = None

    @property
    def num_parameters(self) -> int:
        """Number of local coordinates of a gate."""
        return sum(map(len, self.generators))

    def matrices(self, point: jax.Array) -> jax.Array:
        """Return the 4x4 matrices of a point, shape (gates, 4, 4)."""
        return functools.reduce(jnp.matmul, (point[:, k] for k in range(len(self.generators))))

    def linearize(self, point: jax.Array, x: jax.Array) -> jax.Array:
        """Return matrices that agree with those of `retract(point, x)` to first order in x."""
        moved = [factor + factor @ step for factor, step in self._moves(point, x)]
        return functools.reduce(jnp.matmul, moved)

    def retract(self, point: jax.Array, x: jax.Array) -> jax.Array:
        """Move along the local coordinates x, shape (gates, num_parameters)."""
        moved = [
            unitary_part(factor @ _exponential(step)) for factor, step in self._moves(point, x)
        ]
        return jnp.stack(moved, axis=1)

    def frame(self, point: np.ndarray) -> np.ndarray:
        """Return what the coordinates generate in front of the gate, in Pauli products.

        To first order a move is G (1 + i sum_ab x_a J_ab P_b).

        Args:
            point: shape (gates, factors, 4, 4).

        Returns:
            J, shape (gates, num_parameters, 15).
        """
        rows: list[np.ndarray] = []
        behind = np.broadcast_to(np.eye(4, dtype=complex), point[:, 0].shape)
        for k in reversed(range(len(self.generators))):
            turned = behind[:, None].conj().swapaxes(-1, -2) @ _stacked(self.generators[k])
            rows.insert(0, np.einsum("gaij,bji->gab", turned @ behind[:, None], paulis()).real / 4)
            behind = point[:, k] @ behind
        return np.concatenate(rows, axis=1)

    def _moves(self, point: jax.Array, x: jax.Array) -> Iterator[tuple[jax.Array, jax.Array]]:
        """Yield each factor and i sum_a x_a T_a of it."""
        done = 0
        for k, names in enumerate(self.generators):
            own = x[:, done : done + len(names)].astype(point.dtype)
            yield point[:, k], jnp.tensordot(own, jnp.asarray(1j * _stacked(names), point.dtype), 1)
            done += len(names)


@functools.cache
def paulis() -> np.ndarray:
    """Return the Pauli products but the identity, shape (15, 4, 4), from IX to ZZ."""
    return _stacked(_PAULIS)


@functools.cache
def _stacked(names: tuple[str, ...]) -> np.ndarray:
    return np.array([_generator(name) for name in names], dtype=complex).reshape(-1, 4, 4)


def _generator(name: str) -> np.ndarray:
    if len(name) == 2:
        return pauli(name)
    sign = 1 if name[2] == "+" else -1
    return (pauli(name[:2]) + sign * pauli(name[3:])) / 2**0.5


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


_PAULIS = tuple("".join(letters) for letters in itertools.product("IXYZ", repeat=2))[1:]
_LOCALS = tuple(name for name in _PAULIS if "I" in name)


def _between_locals(coordinates: Callable[[np.ndarray], np.ndarray], *interaction: str) -> Block:
    return Block((_LOCALS, interaction, _LOCALS), coordinates)


BLOCKS: dict[str, Block] = {
    # Any two-qubit gate: 3 CX.
    "su4": Block((_PAULIS,)),
    # K exp(i (a XX + b YY)) K': 2 CX.
    "cx2": _between_locals(lambda abc: abc * [1, 1, 0], "XX", "YY"),
    # K exp(i a XX) K': 2 CX or 1 RZZ.
    "rzz": _between_locals(lambda abc: abc * [1, 0, 0], "XX"),
    # K exp(i pi/4 XX) K': 1 CX.
    "cx1": _between_locals(lambda abc: np.broadcast_to([np.pi / 4, 0, 0], abc.shape)),
    # Any gate that commutes with ZI + IZ: magnetization is conserved exactly.
    "u1": Block((("ZI", "IZ", "ZZ", "XX+YY", "XY-YX"),)),
}
