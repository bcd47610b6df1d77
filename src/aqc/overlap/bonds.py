"""Which bond dimensions the truncated overlap needs, told from the middle of the chain.

The states that the circuit passes through at its start, from both ends, are truncated optimally on
a window of sites. An optimizer changes them little; what the overlap then really loses is returned
with every value.
"""

import numpy as np

from aqc.ansatz import Ansatz
from aqc.mps import MPS, Sweep, right_canonical
from aqc.threads import one_blas_thread

Segments = tuple[tuple[int, int], ...]

_WINDOW = 16
# Bonds are padded to a multiple of this, so that similar problems share a compilation.
_BUCKET = 4


@one_blas_thread()
def choose_segments(
    ansatz: Ansatz, target: MPS, weight: float, most: int | None = None
) -> Segments:
    """Return pairs of layers and the bond dimension of each segment, one or two of them.

    Args:
        ansatz: At its start.
        target: The state to reach.
        weight: How much all truncations together may lose.
        most: The largest bond dimension, where that is less than twice the target's.
    """
    cap = 2 * target.max_bond + _BUCKET
    most = min(most or cap, cap)
    n, width = ansatz.num_qubits, min(_WINDOW, ansatz.num_qubits)
    first = (n - width) // 4 * 2  # even, so that layers keep their parity
    # What the window may lose in one layer of one family: twice an equal share of the weight, of
    # which early layers and the bonds at the ends leave the most.
    share = 2 * weight * (width - 1) / max(n - 1, 1) / (2 * ansatz.layers)
    bonds = np.maximum(*_bonds(ansatz, target, range(first, first + width), share, most))
    bonds = np.maximum.accumulate(bonds)  # a state behind more layers is never given less
    odd = ansatz.layers % 2
    by_pair = np.concatenate([bonds[:odd], bonds]).reshape(-1, 2).max(axis=1)
    return segments_of([min(padded(int(bond)), most) for bond in by_pair])


def padded(bond: int) -> int:
    """Return the bond dimension that is worked with.

    Example:
        >>> padded(33)
        36
    """
    return -(-bond // _BUCKET) * _BUCKET


def segments_of(bonds: list[int]) -> Segments:
    """Return the cheapest split into at most two segments: each more is seconds of compilation.

    Example:
        >>> segments_of([8, 16, 16, 40, 40])
        ((3, 16), (2, 40))
    """
    largest = bonds[-1]
    count, whole = len(bonds), ((len(bonds), largest),)
    splits = (((k, bonds[k - 1]), (count - k, largest)) for k in range(1, count))
    best = min(splits, key=work_of, default=whole)
    return best if work_of(best) <= 0.7 * work_of(whole) else whole


def work_of(segments: Segments) -> int:
    """Return what an evaluation costs, in units of one pair of layers with bond dimension 1.

    Example:
        >>> work_of(((3, 2), (1, 4)))
        88
    """
    return sum(pairs * bond**3 for pairs, bond in segments)


def enlarged(segments: Segments, most: int) -> Segments:
    """Return segments with half as much again for every bond, as far as the largest may grow.

    Example:
        >>> enlarged(((3, 16), (2, 40)), 100), enlarged(((3, 16), (2, 40)), 50)
        (((3, 24), (2, 60)), ((3, 24), (2, 50)))
    """
    return tuple((pairs, min(padded(bond * 3 // 2), most)) for pairs, bond in segments)


def _bonds(
    ansatz: Ansatz, target: MPS, sites: range, share: float, cap: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the bond dimensions behind each layer, of the forward and the backward family."""
    inside = [
        [(bond - sites.start, number) for bond, number in layer if {bond, bond + 1} <= set(sites)]
        for layer in _numbered(ansatz)
    ]
    angle = float(np.arcsin(np.sqrt(min(share, 1.0))))
    blocks = ansatz.blocks.astype(complex)
    forward = Sweep(MPS.product(ansatz.state[sites.start : sites.stop]))
    backward = Sweep(_window(target, sites))
    # The target itself is cut as well.
    backward.apply_along(dict.fromkeys(range(len(sites) - 1), np.eye(4)), angle, cap)
    before, behind = [], [backward.state.max_bond]
    for layer in inside:
        forward.apply_along({bond: blocks[number] for bond, number in layer}, angle, cap)
        before.append(forward.state.max_bond)
    for layer in reversed(inside[1:]):
        gates = {bond: blocks[number].conj().T for bond, number in layer}
        backward.apply_along(gates, angle, cap)
        behind.insert(0, backward.state.max_bond)
    return np.array(before), np.array(behind)


def _numbered(ansatz: Ansatz) -> list[list[tuple[int, int]]]:
    """Return (bond, number of its block), layer by layer."""
    numbers = iter(range(len(ansatz.blocks)))
    return [[(bond, next(numbers)) for bond in bonds] for bonds in ansatz.bonds]


def _window(state: MPS, sites: range) -> MPS:
    """Return some sites of a state with the center on the first of them; open at both ends."""
    tensors = right_canonical(state).tensors
    center = np.ones((1, 1))
    for tensor in tensors[: sites.start]:
        grown = np.tensordot(center, tensor, 1)
        center = np.linalg.qr(grown.reshape(-1, grown.shape[2]))[1]
    inner = list(tensors[sites.start : sites.stop])
    inner[0] = np.tensordot(center, inner[0], 1)
    return MPS(tuple(inner))
