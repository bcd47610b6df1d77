"""Frequency codebooks of words and phrases, counted over all positions of the sequence."""

from dataclasses import dataclass

import numpy as np

from aqc.kernels.fibonacci_hierarchy.tiling import LENGTHS

# Most entries for words, bigrams, and phrases of 3, ..., 144 words, by the number of words.
_SIZES = (
    (5_000, (509, 509, 350, 100, 50, 0, 0, 0, 0, 0, 0)),
    (50_000, (1000, 509, 500, 200, 100, 50, 0, 0, 0, 0, 0)),
    (200_000, (4000, 2000, 1000, 500, 200, 100, 50, 0, 0, 0, 0)),
    (500_000, (8000, 4000, 2000, 1000, 500, 300, 100, 50, 0, 0, 0)),
    (2_000_000, (16000, 8000, 4000, 2000, 1000, 1000, 500, 200, 100, 0, 0)),
)


@dataclass(frozen=True)
class Codebooks:
    """The frequent words and phrases of one sequence.

    Args:
        words: Number of each, shape (entries,).
        phrases: For 2, 3, 5, ..., 144 words their numbers, shape (entries, length).
        word_index: For every position the entry of its word, or -1.
        phrase_index: For each length and every position the entry of the phrase that begins
            there, or -1.
    """

    words: np.ndarray
    phrases: tuple[np.ndarray, ...]
    word_index: np.ndarray
    phrase_index: tuple[np.ndarray, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of entries: words, then phrases by length."""
        return (len(self.words), *(len(book) for book in self.phrases))


def default_sizes(n_words: int) -> tuple[int, ...]:
    """Return the most entries for a sequence of so many words."""
    return next(sizes for limit, sizes in _SIZES if n_words < limit)


def count_phrases(ids: np.ndarray, sizes: tuple[int, ...]) -> Codebooks:
    """Return the most frequent words, and phrases of such words that occur at least twice.

    Args:
        ids: Words by number, shape (n,).
        sizes: Most entries for words and each phrase length.
    """
    words, word_index = _most_frequent(ids, np.ones(len(ids), bool), sizes[0], least=1)
    unknown = np.concatenate([[0], np.cumsum(word_index < 0)])
    names, power = {1: ids}, 1
    phrases, indices = [], []
    for length, size in zip(LENGTHS, sizes[1:], strict=True):
        index = np.full(len(ids), -1)
        starts = np.empty(0, int)
        if length <= len(ids) and size:
            while 2 * power <= length:
                names[2 * power] = _name_pairs(names[power], power)
                power *= 2
            named = _name_pairs(names[power], length - power)[: len(ids) - length + 1]
            known = unknown[length:] == unknown[:-length]
            starts, index[: len(named)] = _most_frequent(named, known, size, least=2)
        phrases.append(ids[starts[:, None] + np.arange(length)])
        indices.append(index)
    return Codebooks(ids[words], tuple(phrases), word_index, tuple(indices))


def _name_pairs(names: np.ndarray, apart: int) -> np.ndarray:
    """Return one number for each pair of names so far apart: equal pairs, equal numbers.

    Phrases of n words are pairs of two phrases of a power of two that may overlap, so that no
    phrase is hashed and none is confused with another.
    """
    first, second = names[: len(names) - apart], names[apart:]
    numbers: np.ndarray = np.unique(
        first.astype(np.int64) * (int(names.max(initial=0)) + 1) + second, return_inverse=True
    )[1]
    return numbers


def _most_frequent(
    names: np.ndarray, allowed: np.ndarray, size: int, least: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return a position of each entry, and the entry of each position or -1.

    Ties are broken by the first occurrence.
    """
    places = np.flatnonzero(allowed)
    if not places.size or not size:
        return np.empty(0, int), np.full(len(names), -1)
    kinds, first, counts = np.unique(names[places], return_index=True, return_counts=True)
    order = np.lexsort((first, -counts))[:size]
    order = order[counts[order] >= least]
    rank = np.full(int(kinds.max()) + 1, -1)
    rank[kinds[order]] = np.arange(len(order))
    index = np.full(len(names), -1)
    index[places] = rank[names[places]]
    return places[first[order]], index
