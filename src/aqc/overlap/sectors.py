"""Where the magnetization is conserved: which states of a bond go with which legs of a cut.

Let the product state, the gates and the target all conserve the number of ones. Left of a cut the
target then has as many ones more than the product state as the crossing gates bring there,

    D(bond state) = sum_j (o_j - i_j),        o_j, i_j: out and in of gate j's left qubit,

so that of the target's bond only the states with this D, its sector, meet a given setting of the
legs. With m crossing layers D is one of -m..m, and the boundary keeps as many numbers for each
setting as the largest sector has: about 0.4 chi where a Neel state evolved.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from aqc.mps import MPS, right_canonical

# Of a normalized target: what all cuts together may drop. Truncation at equal weights mixes
# sectors by about 1e-12.
_DROPPED = 1e-10
_ONES = np.array([0, 1, 1, 2])  # of two qubits
# Sectors are padded to a multiple of this, so that similar targets share a compilation.
_BUCKET = 4


@dataclass(frozen=True)
class Sectors:
    """A target whose bonds are sorted by magnetization.

    Attributes:
        tensors: Of the sites, (vL, i, vR).
        excess: D of each bond's states, from the left end to the right one.
        ones: Ones of the product state on each site.
    """

    tensors: list[np.ndarray]
    excess: list[np.ndarray]
    ones: np.ndarray

    def size(self, depth: int) -> int:
        """Return the padded size of the largest sector that `depth` crossing gates reach."""
        reached = (excess[np.abs(excess) <= depth] for excess in self.excess)
        largest = max(np.unique(each, return_counts=True)[1].max(initial=1) for each in reached)
        return -(-int(largest) // _BUCKET) * _BUCKET


def sort(target: MPS, product: np.ndarray) -> Sectors | None:
    """Sort a target's bonds by magnetization; None where it or the product state has several.

    Args:
        target: A state.
        product: One-qubit states, shape (n, 2).

    Example:
        >>> singlet = MPS((np.eye(2)[None], np.array([[[0.0], [1]], [[-1], [0]]])))
        >>> sort(singlet, np.eye(2)).excess[1].tolist(), sort(singlet, np.ones((2, 2)))
        ([0, 1], None)
    """
    weights = np.abs(product) ** 2
    ones = weights.argmax(axis=1)
    if weights.min(axis=1).max() > _DROPPED / len(product):
        return None
    share = _DROPPED / (2 * len(product))
    carried, excess = np.ones((1, 1), dtype=complex), [np.zeros(1, dtype=int)]
    tensors = []
    for tensor, here in zip(right_canonical(target).tensors, ones, strict=True):
        grown = np.tensordot(carried, tensor, 1).reshape(-1, tensor.shape[2])
        of_rows = (excess[-1][:, None] + np.arange(2) - here).reshape(-1)
        vectors, carried, kept = _sorted_rows(grown, of_rows, share)
        tensors.append(vectors.reshape(-1, 2, len(kept)))
        excess.append(kept)
    right = np.flatnonzero(excess[-1] == 0)
    if len(right) != 1 or abs(carried[right[0], 0]) ** 2 < 1 - _DROPPED:
        return None
    tensors[-1] = tensors[-1][..., right] * carried[right[0], 0]
    return Sectors(tensors, [*excess[:-1], np.zeros(1, dtype=int)], ones)


def _sorted_rows(
    matrix: np.ndarray, of_rows: np.ndarray, share: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return U, R, D with matrix = U R where each column of U lives in one sector D of rows.

    The lightest columns go, of a weight of `share` in all.
    """
    parts = []
    for excess in np.unique(of_rows):
        rows = np.flatnonzero(of_rows == excess)
        u, s, v = np.linalg.svd(matrix[rows], full_matrices=False)
        parts += [(s[k], excess, rows, u[:, k], s[k] * v[k]) for k in range(len(s))]
    light = np.cumsum(np.sort([part[0] ** 2 for part in parts]))
    dropped = int(np.searchsorted(light, share, side="right"))
    order = sorted(range(len(parts)), key=lambda k: parts[k][0])[dropped:]
    kept = [parts[k] for k in sorted(order)]
    vectors = np.zeros((len(matrix), len(kept)), dtype=complex)
    for column, (_, _, rows, u, _) in enumerate(kept):
        vectors[rows, column] = u
    return vectors, np.array([part[4] for part in kept]), np.array([part[1] for part in kept])


@cache
def grouped(depth: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the settings of a cell's made legs by d = sum_j o_j - sum_j i_j, and the groups' ends.

    The legs are i_1, then i_j and o_(j-1) for j = 2..m: d is one of -m..m-1.

    Example:
        >>> grouped(1)
        ((1, 0), (1, 2))
    """
    signs = np.array([-1, *[-1, 1] * (depth - 1)])
    settings = np.arange(2 ** len(signs))
    d = (settings[:, None] >> np.arange(len(signs))[::-1] & 1) @ signs
    order, sizes = np.argsort(d, kind="stable"), np.bincount(d + depth)
    return tuple(order.tolist()), tuple(np.cumsum(sizes).tolist())


def closers(
    pair: np.ndarray, outer: np.ndarray, inner: np.ndarray, ones: int, depth: int, size: int
) -> np.ndarray:
    """Return the parts of a cell's target that meet each group of legs, padded.

    With a the wire that the cell's last gate takes in beside the last out leg, the outer bond is
    in sector d - a + ones and the inner one in d - a + i + j.

    Args:
        pair: The target's two sites, shape (outer, 4, inner).
        outer: D of the outer bond's states, as this half sees it.
        inner: D of the inner bond's states.
        ones: Ones of the product state in the cell.
        depth: Number of crossing layers.
        size: Padded size of a sector.

    Returns:
        shape (2 depth, 2, size, 4, size): d, a, outer bond, (i, j), inner bond.
    """
    found = np.zeros((2 * depth, 2, size, 4, size), dtype=complex)
    for group, d in enumerate(range(-depth, depth)):
        for a, both in np.ndindex(2, 4):
            rows = np.flatnonzero(outer == d - a + ones)
            columns = np.flatnonzero(inner == d - a + _ONES[both])
            if 0 <= _ONES[both] - a <= 1 and abs(d - a + ones) <= depth:
                part = pair[np.ix_(rows, [both], columns)][:, 0]
                found[group, a, : len(rows), both, : len(columns)] = part
    return found
