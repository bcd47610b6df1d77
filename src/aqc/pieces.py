"""A Hamiltonian that changes in time: pieces, each constant for a while.

The state is exp(-i H_m t_m) ... exp(-i H_1 t_1) |psi_0>. A product formula lets every group of
disjoint pairs run through the whole time on a clock of its own: a layer is what the group alone
does in its window of that time. Where H is smooth the formulas keep their order.
"""

import functools

import numpy as np

from aqc.coloring import Colors, Pair, color
from aqc.gates import evolution
from aqc.hamiltonian import Hamiltonian

Pieces = tuple[tuple[Hamiltonian, float], ...]


def support(pieces: Pieces) -> Hamiltonian:
    """Return a Hamiltonian with the terms of all pieces: what is coupled at any time.

    Example:
        >>> one, two = (Hamiltonian.from_terms(3, [("XX", p, -1.0)]) for p in ((0, 1), (1, 2)))
        >>> support(((one, 0.5), (two, 1.0))).pairs
        ((0, 1), (1, 2))
    """
    if len(pieces) == 1:
        return pieces[0][0]
    return _summed(pieces, [1.0] * len(pieces), absolute=True)


def colored(pieces: Pieces) -> Colors:
    """Return the colors of all couplings; none where the layers are a chain's, or for no pieces.

    Example:
        >>> ring = Hamiltonian.from_terms(4, [("ZZ", (j, (j + 1) % 4), 1.0) for j in range(4)])
        >>> colored(((ring, 1.0),))
        (((0, 1), (2, 3)), ((1, 2), (0, 3)))
    """
    if not pieces:
        return ()
    whole = support(pieces)
    return () if whole.is_chain else _color(whole.pairs)


# Of large lattices it takes a second, and an estimate asks for it again and again.
_color = functools.lru_cache(maxsize=32)(color)


def averaged(pieces: Pieces) -> tuple[Hamiltonian, float]:
    """Return the mean Hamiltonian and the whole time.

    Example:
        >>> one, two = (Hamiltonian.from_terms(2, [("Z", (0,), c)]) for c in (1.0, 2.0))
        >>> mean, time = averaged(((one, 0.5), (two, 0.5)))
        >>> mean.to_terms(), time
        ([['Z', [0], 1.5]], 1.0)
    """
    if len(pieces) == 1:
        return pieces[0]
    total = sum(abs(time) for _, time in pieces)
    weights = [time / total if total else 1 / len(pieces) for _, time in pieces]
    return _summed(pieces, weights, absolute=False), total


def pair_gates(
    pieces: Pieces, layers: list[list[Pair]], clocks: list[int], fractions: list[float]
) -> list[np.ndarray]:
    """Return the gates of the layers of a product formula.

    Args:
        pieces: On pairs that the layers hold.
        layers: The pairs of each layer.
        clocks: The number of the group of each layer, which has a clock of its own.
        fractions: How much of the whole time each layer lets pass.

    Returns:
        For each layer unitary matrices, shape (pairs, 4, 4).
    """
    pairs = tuple(sorted({pair for layer in layers for pair in layer}))
    number = {pair: k for k, pair in enumerate(pairs)}
    matrices = [hamiltonian.pair_matrices(pairs) for hamiltonian, _ in pieces]
    now: dict[int, float] = {}
    made: dict[tuple[int, tuple[float, ...]], np.ndarray] = {}
    gates = []
    for layer, clock, fraction in zip(layers, clocks, fractions, strict=True):
        begun = now.get(clock, 0.0)
        now[clock] = begun + fraction
        spans = tuple(round(t, 14) for t in _spans(pieces, begun, begun + fraction))
        if (clock, spans) not in made:
            numbers = [number[pair] for pair in layer]
            acting = [(t, of[numbers]) for t, of in zip(spans, matrices, strict=True) if t]
            turns = [evolution(of, t) for t, of in acting[:: 1 if fraction >= 0 else -1]]
            idle = np.tile(np.eye(4, dtype=complex), (len(layer), 1, 1))
            made[clock, spans] = functools.reduce(lambda done, turn: turn @ done, turns, idle)
        gates.append(made[clock, spans])
    return gates


def _spans(pieces: Pieces, begin: float, end: float) -> list[float]:
    """Return how long each piece acts within a window of fractions of the whole time; signed."""
    sizes = [abs(time) for _, time in pieces]
    total = sum(sizes)
    if not total:
        return [0.0] * len(pieces)
    if len(pieces) == 1:  # no rounding of differences
        return [(end - begin) * pieces[0][1]]
    edges = np.concatenate([[0.0], np.cumsum(sizes) / total])
    edges[0], edges[-1] = -np.inf, np.inf  # a fourth-order step may look beyond both ends
    low, high = min(begin, end), max(begin, end)
    inside = np.clip(np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1]), 0.0, None)
    signs = [np.sign(time) * (1 if end >= begin else -1) for _, time in pieces]
    return [float(x * total * sign) for x, sign in zip(inside, signs, strict=True)]


def _summed(pieces: Pieces, weights: list[float], *, absolute: bool) -> Hamiltonian:
    sums: dict[tuple[tuple[int, ...], str], float] = {}
    for (hamiltonian, _), weight in zip(pieces, weights, strict=True):
        for term in hamiltonian.terms:
            key = term.qubits, term.pauli
            more = weight * (abs(term.coefficient) if absolute else term.coefficient)
            sums[key] = sums.get(key, 0.0) + more
    return Hamiltonian.from_sums(pieces[0][0].num_qubits, sums)
