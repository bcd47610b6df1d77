"""L/S tilings of a word sequence, and the hierarchy that deflation makes of them."""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
from annotated_types import Gt, Interval, Len, Lt

from aqc.errors import InputError
from aqc.kernels._signature import checked

PHI = (1 + math.sqrt(5)) / 2
# Words in a super-L of each level.
LENGTHS = (2, 3, 5, 8, 13, 21, 34, 55, 89, 144)
MOST_WORDS = 1_000_000
_FACTORS_OF = 20_000


@dataclass(frozen=True)
class CutAndProject:
    """Tile k is L iff floor((k+1) alpha + theta) - floor(k alpha + theta) = 1.

    Args:
        alpha: Share of L tiles, within (1/2, 1); by default 1/phi, the Fibonacci tiling.
        phases: theta of each tiling to merge; by default only 0. The paper's are frac(i / phi).
    """

    alpha: Annotated[float, Gt(0.5), Lt(1)] = 1 / PHI
    phases: Annotated[tuple[Annotated[float, Interval(ge=0, lt=1)], ...], Len(1, 12)] = (0.0,)
    kind: Literal["cut_and_project"] = "cut_and_project"


@dataclass(frozen=True)
class Periodic:
    """A pattern of L and S, repeated.

    Args:
        pattern: For example "LLSLS"; two S in a row are merged into one L.
        rotations: Number of tilings to merge: the pattern turned by 0, 1, ... tiles.
    """

    pattern: Annotated[str, Len(1, 256)] = "LLSLS"
    rotations: Annotated[int, Interval(ge=1, le=12)] = 1
    kind: Literal["periodic"] = "periodic"


Tiling = CutAndProject | Periodic


@dataclass(frozen=True)
class Hierarchy:
    """Where a tiling allows phrases, by level.

    Args:
        lengths: Words of a phrase, shape (10,).
        positions: Number of phrases, all phases merged, shape (10,).
        coverage: Words in phrases of the first phase, shape (10,).
        fibonacci_positions: W / phi^(k+2) for one phase.
        factor_complexity: Different factors of 1, ..., 50 tiles among the first 20000 of the
            first phase; n + 1 for a Sturmian word, at most the period for a periodic one.
            Shape (50,).
    """

    lengths: np.ndarray
    positions: np.ndarray
    coverage: np.ndarray
    fibonacci_positions: np.ndarray
    factor_complexity: np.ndarray


@checked()
def describe_tiling(
    tiling: Tiling,
    n_words: Annotated[int, Interval(ge=2, le=MOST_WORDS)],
) -> Hierarchy:
    """Count the phrases that a tiling allows at each level of its hierarchy.

    Level k of the Fibonacci tiling has W / phi^(k+2) phrases, which cover W phi / sqrt(5) words at
    every level; a periodic tiling has none beyond a level that grows with log(period).

    Args:
        tiling: L covers two words, S one.
        n_words: W.

    Returns:
        Counts by level, and the factor complexity of the word of tiles.

    Raises:
        InputError: The pattern holds other letters than L and S.

    Source: arXiv 2603.14999, the aperiodic hierarchy and the collapse of periodic tilings.

    Example:
        >>> describe_tiling(CutAndProject(), 1000).positions.tolist()
        [381, 236, 145, 90, 55, 34, 21, 12, 8, 4]
    """
    first, *_ = tile_words(tiling, n_words)
    levels = deflate(first)
    counts = np.array([len(level) for level in levels])
    merged = phrase_positions(tiling, n_words)
    return Hierarchy(
        lengths=np.array(LENGTHS),
        positions=np.array([len(level) for level in merged]),
        coverage=counts * LENGTHS,
        fibonacci_positions=n_words / PHI ** np.arange(2, 12),
        factor_complexity=_factor_complexity(first[:_FACTORS_OF]),
    )


def golden_phases(count: int) -> tuple[float, ...]:
    """Return the paper's phases, frac(i / phi)."""
    return tuple(i / PHI % 1 for i in range(count))


def tile_words(tiling: Tiling, n_words: int) -> list[np.ndarray]:
    """Return, for each phase, whether each tile is an L; the tiles end with the words.

    Raises:
        InputError: The pattern holds other letters than L and S.
    """
    k = np.arange(n_words + 1)
    if isinstance(tiling, CutAndProject):
        lines = (np.floor(k * tiling.alpha + theta) for theta in tiling.phases)
        return [_cut(np.diff(line) == 1, n_words) for line in lines]
    strange = set(tiling.pattern) - {"L", "S"}
    if strange:
        raise InputError(
            f"`tiling.pattern` must be made of L and S, but holds {sorted(strange)[0]!r}.",
            "/tiling/pattern",
        )
    letters = np.array([letter == "L" for letter in tiling.pattern])
    turned = (letters[(k[:-1] + turn) % len(letters)] for turn in range(tiling.rotations))
    return [_cut(_merge_singles(tiles), n_words) for tiles in turned]


def deflate(tiles: np.ndarray) -> list[np.ndarray]:
    """Return the first words of the phrases of every level.

    Going up, L S becomes a super-L and every other tile a super-S: the inverse of L -> LS, S -> L.

    Args:
        tiles: Whether each is an L, shape (n,).
    """
    large, spans = tiles, np.where(tiles, 2, 1)
    levels = []
    for length in LENGTHS:
        starts = np.cumsum(spans) - spans
        # Only a super-L of the Fibonacci length is a phrase.
        levels.append(starts[large & (spans == length)])
        pair = np.append(large[:-1] & ~large[1:], False)
        kept = ~np.append(False, pair[:-1])
        spans = (spans + np.where(pair, np.append(spans[1:], 0), 0))[kept]
        large = pair[kept]
    return levels


def phrase_positions(tiling: Tiling, n_words: int) -> list[np.ndarray]:
    """Return the first words of the phrases of every level, all phases merged."""
    allowed = np.zeros((len(LENGTHS), n_words), bool)
    for tiles in tile_words(tiling, n_words):
        for marks, starts in zip(allowed, deflate(tiles), strict=True):
            marks[starts] = True
    return [np.flatnonzero(marks) for marks in allowed]


def _merge_singles(tiles: np.ndarray) -> np.ndarray:
    """Return the tiles with S S replaced by L, from the left in each run of S."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], tiles, [True]]).astype(int)))
    merged, dropped = tiles.copy(), np.zeros(len(tiles), bool)
    for begin, end in pairwise(edges):
        if not tiles[begin : begin + 1].all():
            merged[begin : end - 1 : 2] = True
            dropped[begin + 1 : end : 2] = True
    return merged[~dropped]


def _cut(tiles: np.ndarray, n_words: int) -> np.ndarray:
    """Return as many tiles as cover the words; the last one is cut to S if it overhangs."""
    ends = np.cumsum(np.where(tiles, 2, 1))
    count = int(np.searchsorted(ends, n_words)) + 1
    tiles = tiles[:count].copy()
    if ends[count - 1] > n_words:
        tiles[-1] = False
    return tiles


def _factor_complexity(tiles: np.ndarray) -> np.ndarray:
    """Return the number of different factors of 1, ..., 50 tiles."""
    counts, codes = [], np.zeros(len(tiles) + 1, np.int64)
    for n in range(1, min(50, len(tiles)) + 1):
        # Fifty letters are fifty bits.
        codes = codes[: len(tiles) - n + 1] * 2 + tiles[n - 1 :]
        counts.append(1 + np.count_nonzero(np.diff(np.sort(codes))))
    return np.array(counts)
