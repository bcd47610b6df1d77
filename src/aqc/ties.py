"""Which blocks of a layer share one gate, where a Hamiltonian and its state repeat.

A layer's pair (a, b) goes over into (a + 2, b + 2) when everything is moved by the unit cell of two
sites. On a ring all pairs of a layer are reached in this way, and share a gate. An open chain does
not repeat at its ends: there blocks keep gates of their own, as far as the ends reach through the
layers, so that the number of gates does not grow with the length.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from aqc.coloring import Pair

CELL = 2
_STRAIGHT, _TURNED = (0, 1, 2, 3), (0, 2, 1, 3)


class Ties(NamedTuple):
    """Which gate each block takes, and which way round.

    Attributes:
        groups: Number of the gate of each block, shape (blocks,).
        orders: Order of its rows and columns, shape (blocks, 4): turned where a block's pair lies
            the other way round than the first one's of its group.
    """

    groups: np.ndarray
    orders: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """How many blocks take each gate, shape (gates,)."""
        return np.bincount(self.groups)

    def spread(self, gates: Any) -> Any:
        """Return the blocks of gates (gates, 4, 4), of NumPy or JAX, shape (blocks, 4, 4)."""
        rows, columns = self.orders[:, :, None], self.orders[:, None, :]
        return gates[self.groups[:, None, None], rows, columns]

    def turned(self, blocks: np.ndarray) -> np.ndarray:
        """Return each block (blocks, 4, 4) the way round of its group's gate."""
        own = np.arange(len(blocks))[:, None, None]
        return blocks[own, self.orders[:, :, None], self.orders[:, None, :]]

    def summed(self, values: np.ndarray) -> np.ndarray:
        """Return the sums over the blocks of each gate, shape (gates, ...)."""
        sums = np.zeros((len(self.sizes), *values.shape[1:]), values.dtype)
        np.add.at(sums, self.groups, values)
        return sums

    def gathered(self, blocks: np.ndarray) -> np.ndarray:
        """Return of each group the block in its middle, shape (gates, 4, 4)."""
        order = np.argsort(self.groups, kind="stable")
        first = np.cumsum(self.sizes) - self.sizes
        return self.turned(blocks)[order[first + self.sizes // 2]]


def tie(layers: Sequence[Sequence[Pair]], num_qubits: int, *, around: bool) -> Ties:
    """Return which blocks share a gate.

    Args:
        layers: The pairs of each layer.
        num_qubits: Of the lattice.
        around: Whether it is a ring; else an open chain, whose light cone of that many layers is
            what either end reaches: (layers + 1) // 2 blocks there keep gates of their own.

    Example:
        >>> chain = [[(0, 1), (2, 3), (4, 5), (6, 7)]]
        >>> tie(chain, 8, around=False).groups.tolist()
        [0, 1, 1, 2]
        >>> ring = tie([[(0, 1), (2, 3)], [(1, 2), (0, 3)]], 4, around=True)
        >>> ring.groups.tolist(), ring.orders[-1].tolist()
        ([0, 0, 1, 1], [0, 2, 1, 3])
    """
    groups: list[int] = []
    orders: list[tuple[int, ...]] = []
    free = (len(layers) + 1) // 2
    for pairs in layers:
        first = max(groups, default=-1) + 1
        known: dict[Pair, int] = {}
        for position, pair in enumerate(pairs):
            number, turned = _along(position, len(pairs), free), False
            if around:
                number, turned = _around(pair, num_qubits, known)
            groups.append(first + number)
            orders.append(_TURNED if turned else _STRAIGHT)
    return Ties(np.array(groups), np.array(orders))


def _along(position: int, count: int, free: int) -> int:
    """Return the gate's number of a block by its place from the left in its layer."""
    inner = min(max(position - free, 0), max(count - 2 * free - 1, 0))
    return position - inner


def _around(pair: Pair, num_qubits: int, known: dict[Pair, int]) -> tuple[int, bool]:
    """Return the number of the pairs that are this one moved, and whether it is turned."""
    a, b = pair
    cells = range(0, num_qubits, CELL)
    moved = [((a + by) % num_qubits, (b + by) % num_qubits) for by in cells]
    for candidate, turned in ((moved, False), ([p[::-1] for p in moved], True)):
        for place in candidate:
            if place in known:
                return known[place], turned
    known[pair] = len(set(known.values()))
    return known[pair], False
