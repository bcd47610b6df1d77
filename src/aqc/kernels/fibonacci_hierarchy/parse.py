"""The lossless parse of a word sequence by a tiling's phrases, and its code length."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Interval, Len
from scipy.special import gammaln

from aqc.kernels._kernel import Steps, drain
from aqc.kernels._signature import checked
from aqc.kernels.fibonacci_hierarchy.codebooks import Codebooks, count_phrases, default_sizes
from aqc.kernels.fibonacci_hierarchy.tiling import (
    LENGTHS,
    CutAndProject,
    Periodic,
    Tiling,
    golden_phases,
    phrase_positions,
    tile_words,
)
from aqc.kernels.fibonacci_hierarchy.tokens import Source, Words, join, split

# Symbols of an event: an escaped word, a word, then phrases of 2, 3, 5, ..., 144 words.
ESCAPE, WORD, PHRASE = 0, 1, 2
SYMBOLS = 2 + len(LENGTHS)
_PAPER_PHASES = 12

Sizes = Annotated[tuple[Annotated[int, Interval(ge=0, le=65535)], ...], Len(11, 11)]


@dataclass(frozen=True)
class Parse:
    """A sequence as events, with all that is needed to undo it.

    Args:
        symbol: 0 escape, 1 word, 2 + k phrase of level k, shape (events,).
        index: Entry of the codebook, or the word's number for an escape.
        start: First word of each event.
        vocabulary: Words in lower case (latin-1), or the caller's tokens, by number.
        upper: Positions of upper-case bytes.
        words: Codebook of words.
        phrases: Codebooks of phrases.
        positions_per_level: Positions that the tiling allows, shape (10,).
        coverage_per_level: Words that phrases of each level took, shape (10,).
        hits: Events of each symbol, shape (12,).
        code_bits: Adaptive code length of symbols and indices.
        symbol_bits: Of the symbols alone.
        index_bits: Of the indices, by symbol, shape (12,); escapes cost the same for all tilings
            and are left out.
    """

    symbol: np.ndarray
    index: np.ndarray
    start: np.ndarray
    vocabulary: tuple[str, ...] | np.ndarray
    upper: np.ndarray
    words: np.ndarray
    phrases: tuple[np.ndarray, ...]
    positions_per_level: np.ndarray
    coverage_per_level: np.ndarray
    hits: np.ndarray
    code_bits: float
    symbol_bits: float
    index_bits: np.ndarray


@dataclass(frozen=True)
class Comparison:
    """Code lengths of tilings on one sequence with the same codebooks, in bits.

    Args:
        n_words: Length of the sequence.
        fibonacci: One phase.
        periodic: The pattern, once.
        fibonacci_equal: As many phases as the pattern has rotations (at most 12).
        periodic_equal: All these rotations of the pattern.
        fibonacci_twelve: Twelve phases.
        advantage_single: Bits saved, one phase against one pattern.
        advantage_equal: Bits saved with equally many tilings on both sides.
        advantage_unequal: Bits saved by twelve phases against ONE pattern, the paper's headline.
    """

    n_words: int
    fibonacci: float
    periodic: float
    fibonacci_equal: float
    periodic_equal: float
    fibonacci_twelve: float
    advantage_single: float
    advantage_equal: float
    advantage_unequal: float


@checked()
def parse_phrases(
    source: Source,
    tiling: Tiling | None = None,
    codebook_sizes: Sizes | None = None,
) -> Parse:
    """Parse a text into the longest frequent phrases that a tiling allows, and price the parse.

    Deepest level first, left to right, without overlap; then bigrams anywhere, words, escapes.

    Args:
        source: A text, bytes, or token numbers.
        tiling: By default the Fibonacci tiling with one phase.
        codebook_sizes: Most entries for words, bigrams and phrases of 3, ..., 144 words; by
            default as the paper's program has them for the length.

    Returns:
        Events, codebooks and code length; `decode_phrases` undoes it.

    Raises:
        InputError: The source is empty or too long, or the pattern is none.

    Source: arXiv 2603.14999. The code is a Dirichlet(1/2) mixture (symbols in the context of the
    two before, indices without): the controlled comparison of tilings, not the paper's file
    format, which adds a range coder, a recency cache and LZ77.

    Example:
        >>> from aqc.kernels.fibonacci_hierarchy import Text
        >>> parse = parse_phrases(Text("to be or not to be, to be or not to be"))
        >>> decode_phrases(parse)
        b'to be or not to be, to be or not to be'
    """
    words = split(source)
    books = count_phrases(words.ids, codebook_sizes or default_sizes(len(words.ids)))
    return _parse(words, books, tiling or CutAndProject())


@checked()
def compare_tilings(
    source: Source,
    pattern: Annotated[str, Len(1, 256)] = "LLSLS",
    codebook_sizes: Sizes | None = None,
) -> Comparison:
    """Compare the Fibonacci tiling with a periodic one, with equally many tilings and as published.

    Args:
        source: A text, bytes, or token numbers.
        pattern: L and S, repeated.
        codebook_sizes: As for `parse_phrases`; the same codebooks serve all tilings.

    Returns:
        Code lengths and the bits that the Fibonacci tiling saves.

    Raises:
        InputError: The source is empty or too long, or the pattern is none.

    Source: arXiv 2603.14999, the comparison of aperiodic and periodic hierarchies.

    Example:
        >>> from aqc.kernels.fibonacci_hierarchy import Tokens
        >>> tokens = np.random.default_rng(0).integers(0, 50, 400)
        >>> found = compare_tilings(Tokens(np.tile(tokens, 5)))
        >>> found.advantage_unequal >= found.advantage_equal
        True
    """
    found: Comparison = drain(compare_tilings_steps(source, pattern, codebook_sizes))
    return found


def compare_tilings_steps(
    source: Source, pattern: str, codebook_sizes: Sizes | None, state: list[float] | None = None
) -> Steps:
    """Compare tilings, reporting after each of the five parses.

    Args:
        source: As for `compare_tilings`, and so all others.
        pattern: L and S.
        codebook_sizes: Most entries.
        state: What an earlier run yielded.

    Yields:
        (fraction, code lengths so far).

    Returns:
        Comparison.

    Raises:
        InputError: The source is empty or too long, or the pattern is none.
    """
    words = split(source)
    equal = min(len(pattern), _PAPER_PHASES)
    tilings: list[Tiling] = [
        *(CutAndProject(phases=golden_phases(count)) for count in (1, equal, _PAPER_PHASES)),
        Periodic(pattern),
        Periodic(pattern, equal),
    ]
    tile_words(tilings[3], 2)  # refuses a wrong pattern before any work
    books = count_phrases(words.ids, codebook_sizes or default_sizes(len(words.ids)))
    bits = list(state or [])
    for tiling in tilings[len(bits) :]:
        bits = [*bits, _parse(words, books, tiling).code_bits]
        yield len(bits) / len(tilings), bits
    fibonacci, fibonacci_equal, twelve, periodic, periodic_equal = bits
    return Comparison(
        n_words=len(words.ids),
        fibonacci=fibonacci,
        periodic=periodic,
        fibonacci_equal=fibonacci_equal,
        periodic_equal=periodic_equal,
        fibonacci_twelve=twelve,
        advantage_single=periodic - fibonacci,
        advantage_equal=periodic_equal - fibonacci_equal,
        advantage_unequal=periodic - twelve,
    )


def decode_phrases(parse: Parse) -> bytes | np.ndarray:
    """Return what a parse was made of.

    Args:
        parse: From `parse_phrases`; only its symbols, indices, codebooks, vocabulary and
            upper-case positions are read.

    Returns:
        The bytes of the text, or the tokens.

    Source: arXiv 2603.14999, the inverse of the event stream.

    Example:
        >>> from aqc.kernels.fibonacci_hierarchy import Tokens
        >>> decode_phrases(parse_phrases(Tokens(np.array([7, 7, 3])))).tolist()
        [7, 7, 3]
    """
    lengths = np.concatenate([[1, 1], LENGTHS])[parse.symbol]
    ends = np.cumsum(lengths)
    ids = np.empty(ends[-1], int)
    for symbol in range(SYMBOLS):
        chosen = np.flatnonzero(parse.symbol == symbol)
        if not chosen.size:
            continue
        index = parse.index[chosen]
        if symbol == ESCAPE:
            content = index[:, None]
        elif symbol == WORD:
            content = parse.words[index][:, None]
        else:
            content = parse.phrases[symbol - PHRASE][index]
        first = (ends - lengths)[chosen]
        ids[first[:, None] + np.arange(content.shape[1])] = content
    return join(Words(ids, parse.vocabulary, parse.upper))


def krichevsky_trofimov_bits(counts: np.ndarray, symbols: int) -> float:
    """Return the adaptive code length of sequences with these counts, in bits.

    sum over rows of [lnG(n + K/2) - lnG(K/2) - sum_i (lnG(n_i + 1/2) - lnG(1/2))] / ln 2.

    Args:
        counts: Of each symbol, one row for each context.
        symbols: K, of which some may have no column.

    Returns:
        Bits.

    Source: Krichevsky and Trofimov, IEEE Transactions on Information Theory 27 (1981).

    Example:
        >>> krichevsky_trofimov_bits(np.array([[1, 1]]), 2)
        3.0
    """
    totals = counts.sum(1)
    return float(
        (gammaln(totals + symbols / 2) - gammaln(symbols / 2)).sum()
        - (gammaln(counts + 0.5) - gammaln(0.5)).sum()
    ) / float(np.log(2))


def _parse(words: Words, books: Codebooks, tiling: Tiling) -> Parse:
    positions = phrase_positions(tiling, len(words.ids))
    symbol, index = _choose(words.ids, books, positions)
    start = np.flatnonzero(symbol >= 0)
    symbol, index = symbol[start], index[start]
    hits = np.bincount(symbol, minlength=SYMBOLS)
    padded = np.concatenate([[0, 0], symbol])
    context = padded[:-2] * SYMBOLS + padded[1:-1]
    table = np.bincount(context * SYMBOLS + symbol, minlength=SYMBOLS**3)
    symbol_bits = krichevsky_trofimov_bits(table.reshape(-1, SYMBOLS), SYMBOLS)
    index_bits = np.zeros(SYMBOLS)
    for k, size in enumerate(books.sizes):
        if hits[WORD + k]:
            counts = np.bincount(index[symbol == WORD + k])[None]
            index_bits[WORD + k] = krichevsky_trofimov_bits(counts, size)
    return Parse(
        symbol=symbol,
        index=index,
        start=start,
        vocabulary=words.vocabulary,
        upper=words.upper,
        words=books.words,
        phrases=books.phrases,
        positions_per_level=np.array([len(level) for level in positions]),
        coverage_per_level=hits[PHRASE:] * LENGTHS,
        hits=hits,
        code_bits=symbol_bits + float(index_bits.sum()),
        symbol_bits=symbol_bits,
        index_bits=index_bits,
    )


def _choose(
    ids: np.ndarray, books: Codebooks, positions: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the symbol (or -1) and the index at every word where an event begins."""
    symbol, index = np.full(len(ids), -1), np.zeros(len(ids), int)
    free = np.ones(len(ids), bool)
    for level in reversed(range(len(LENGTHS))):
        length, entry = LENGTHS[level], books.phrase_index[level]
        hits = positions[level][entry[positions[level]] >= 0]
        for start in hits.tolist():
            # What is taken already is at least as long: one of the ends lies in it.
            if free[start] and free[start + length - 1]:
                free[start : start + length] = False
                symbol[start] = PHRASE + level
                index[start] = entry[start]
    pairs = free[:-1] & free[1:] & (books.phrase_index[0][:-1] >= 0)
    begins = np.flatnonzero(_every_other(pairs))
    symbol[begins], index[begins] = PHRASE, books.phrase_index[0][begins]
    free[begins] = free[begins + 1] = False
    rest = np.flatnonzero(free)
    known = books.word_index[rest] >= 0
    symbol[rest] = np.where(known, WORD, ESCAPE)
    index[rest] = np.where(known, books.word_index[rest], ids[rest])
    return symbol, index


def _every_other(eligible: np.ndarray) -> np.ndarray:
    """Return the first, third, ... of every run: the greedy choice from the left."""
    places = np.arange(len(eligible))
    last_gap = np.maximum.accumulate(np.where(eligible, -1, places))
    return eligible & ((places - last_gap) % 2 == 1)
