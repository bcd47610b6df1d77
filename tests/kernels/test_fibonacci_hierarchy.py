import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aqc.errors import InputError
from aqc.kernels._kernel import drain
from aqc.kernels.fibonacci_hierarchy import (
    Bytes,
    CutAndProject,
    Periodic,
    Text,
    Tokens,
    compare_tilings,
    compare_tilings_steps,
    decode_phrases,
    describe_tiling,
    krichevsky_trofimov_bits,
    parse_phrases,
)
from aqc.kernels.fibonacci_hierarchy.tiling import (
    LENGTHS,
    deflate,
    golden_phases,
    phrase_positions,
    tile_words,
)

PHI = (1 + 5**0.5) / 2
SIZES = (4000, 2000, 1000, 1000, 1000, 1000, 500, 500, 500, 500, 500)
TILINGS = [
    CutAndProject(),
    CutAndProject(phases=golden_phases(12)),
    CutAndProject(alpha=0.7),
    Periodic(),
    Periodic("LLSLS", 5),
    Periodic("LSSSLSSL", 3),
    Periodic("S"),
    Periodic("L"),
]


def zipf_text(words, seed, passages=True):
    """Zipf words; of blocks of 400 about half are drawn from a library of 20 passages."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, 20_001) ** 1.1

    def block():
        return rng.choice(20_000, 400, p=share / share.sum())

    library = [block() for _ in range(20)]
    blocks = [
        library[rng.integers(20)] if passages and rng.random() < 0.5 else block()
        for _ in range(words // 400)
    ]
    return Tokens(np.concatenate(blocks))


def test_levels_of_a_million_words():
    found = describe_tiling(CutAndProject(), 1_000_000)
    exact = [381966, 236067, 145898, 90169, 55728, 34441, 21286, 13155, 8130, 5025]
    assert found.positions.tolist() == exact
    np.testing.assert_allclose(found.positions, found.fibonacci_positions, atol=1.5)
    whole = 1e6 * PHI / 5**0.5
    np.testing.assert_allclose(found.coverage[4:], whole, rtol=2e-3)
    np.testing.assert_allclose(found.coverage[2:], whole, rtol=1e-2)
    assert found.factor_complexity.tolist() == list(range(2, 52))
    periodic = describe_tiling(Periodic("LLSLS"), 1_000_000)
    assert periodic.positions.tolist() == [375000, 250000, 124999, 124999, 0, 0, 0, 0, 0, 0]
    assert periodic.factor_complexity.max() == 5


def approximant(large, tiles):
    """The periodic pattern of slope large/tiles."""
    steps = np.diff(np.arange(tiles + 1) * large // tiles)
    return "".join("SL"[step] for step in steps)


def test_longer_periods_die_later():
    depths = [
        np.count_nonzero(describe_tiling(Periodic(approximant(a, b)), 50_000).positions)
        for a, b in ((3, 5), (8, 13), (21, 34), (55, 89))
    ]
    assert depths == sorted(set(depths))
    assert depths[-2] < 10


def test_cut_and_project_is_the_word_that_grows():
    word = "L"
    while len(word) < 5000:
        word = word.replace("S", "s").replace("L", "LS").replace("s", "L")
    (tiles,) = tile_words(CutAndProject(phases=(1 / PHI,)), 20_000)
    assert "".join("SL"[int(x)] for x in tiles[:5000]) == word[:5000]


@pytest.mark.parametrize("tiling", TILINGS, ids=repr)
@pytest.mark.parametrize("words", [2, 3, 17, 400])
def test_hierarchy_against_lists(tiling, words):
    """Deflation, done tile by tile."""
    for tiles in tile_words(tiling, words):
        assert np.where(tiles, 2, 1).sum() == words
        level = [("L", 2) if x else ("S", 1) for x in tiles]
        for starts, length in zip(deflate(tiles), LENGTHS, strict=True):
            place, want = 0, []
            for letter, span in level:
                want += [place] * (letter == "L" and span == length)
                place += span
            assert starts.tolist() == want
            up, k = [], 0
            while k < len(level):
                if level[k][0] == "L" and k + 1 < len(level) and level[k + 1][0] == "S":
                    up.append(("L", level[k][1] + level[k + 1][1]))
                    k += 2
                else:
                    up.append(("S", level[k][1]))
                    k += 1
            level = up


def test_singles_are_merged_from_the_left():
    (tiles,) = tile_words(Periodic("LSSSLSSL"), 24)
    # LSSSLSSL LSSSLSSL ... with S S -> L: L L S L L L | L L S L L L
    assert "".join("SL"[int(x)] for x in tiles[:12]) == "LLSLLLLLSLLL"


def alternative_parse(tokens, parse, tiling):
    """The rule again, with dictionaries and a list: deepest first, then pairs, words, escapes."""
    positions = phrase_positions(tiling, len(tokens))
    books = [{tuple(row): i for i, row in enumerate(book.tolist())} for book in parse.phrases]
    words = {word: i for i, word in enumerate(parse.words.tolist())}
    taken, events = [False] * len(tokens), {}
    for level in range(9, -1, -1):
        n = LENGTHS[level]
        for start in positions[level]:
            entry = books[level].get(tuple(tokens[start : start + n]))
            if entry is not None and not any(taken[start : start + n]):
                taken[start : start + n] = [True] * n
                events[start] = (2 + level, entry)
    place = 0
    while place < len(tokens):
        pair = books[0].get(tuple(tokens[place : place + 2]))
        if pair is not None and not taken[place] and not taken[place + 1]:
            taken[place] = taken[place + 1] = True
            events[place] = (2, pair)
        elif not taken[place]:
            word = words.get(tokens[place])
            events[place] = (0, tokens[place]) if word is None else (1, word)
        place += 1
    return [(start, *events[start]) for start in sorted(events)]


@pytest.mark.parametrize("tiling", TILINGS, ids=repr)
def test_parse_against_the_rule_with_dictionaries(tiling):
    rng = np.random.default_rng(1)
    passage = rng.integers(0, 40, 160)
    tokens = np.concatenate([rng.integers(0, 60, 90), passage, rng.integers(0, 60, 40), passage])
    tokens = np.unique(tokens, return_inverse=True)[1]
    parse = parse_phrases(Tokens(tokens), tiling, (45, 30, 9, 9, 9, 9, 9, 9, 9, 9, 9))
    found = list(zip(parse.start, parse.symbol, parse.index, strict=True))
    assert found == alternative_parse(tokens.tolist(), parse, tiling)
    np.testing.assert_array_equal(decode_phrases(parse), tokens)
    assert parse.hits.sum() == len(parse.symbol)
    assert parse.hits[0] > 0
    assert parse.hits @ [1, 1, *LENGTHS] == len(tokens)


def test_codebooks_hold_the_most_frequent():
    tokens = np.random.default_rng(2).integers(0, 6, 500)
    parse = parse_phrases(Tokens(tokens), codebook_sizes=(5, 8, 6, 4, 0, 0, 0, 0, 0, 0, 0))
    words = sorted(range(6), key=lambda w: -np.count_nonzero(tokens == w))[:5]
    assert set(parse.words) == set(words)
    for book, n in zip(parse.phrases[:3], LENGTHS, strict=False):
        grams = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
        grams = [g for g in grams if set(g) <= set(words)]
        counts = sorted((grams.count(g) for g in set(grams)), reverse=True)
        assert [grams.count(tuple(row)) for row in book.tolist()] == [
            c for c in counts[: len(book)] if c >= 2
        ]
    assert [len(book) for book in parse.phrases[3:]] == [0] * 7


@given(st.text(min_size=1, max_size=300), st.sampled_from(TILINGS))
def test_text_round_trip(text, tiling):
    assert decode_phrases(parse_phrases(Text(text), tiling)) == text.encode()


@given(st.binary(min_size=1, max_size=300), st.sampled_from(TILINGS))
def test_bytes_round_trip(data, tiling):
    source = Bytes(base64.b64encode(data * 3).decode())
    assert decode_phrases(parse_phrases(source, tiling)) == data * 3


@given(
    st.lists(st.integers(0, 5) | st.integers(0, 2**62), min_size=1, max_size=120),
    st.integers(1, 4),
    st.sampled_from(TILINGS),
)
def test_tokens_round_trip(tokens, times, tiling):
    parse = parse_phrases(Tokens(np.array(tokens * times)), tiling, (3, *[2] * 10))
    assert decode_phrases(parse).tolist() == tokens * times


@given(st.lists(st.integers(0, 7), min_size=1, max_size=60))
def test_code_length_is_the_sequential_sum(sequence):
    counts, bits = np.zeros(8), 0.0
    for symbol in sequence:
        bits -= np.log2((counts[symbol] + 0.5) / (counts.sum() + 4))
        counts[symbol] += 1
    assert krichevsky_trofimov_bits(counts[None], 8) == pytest.approx(bits, abs=1e-9)


def test_code_bits_of_a_parse_are_the_sequential_sum():
    parse = parse_phrases(zipf_text(4000, 3))
    contexts, books, bits = np.zeros((12, 12, 12)), {}, 0.0
    sizes = [0, len(parse.words), *(len(book) for book in parse.phrases)]
    a = b = 0
    for symbol, index in zip(parse.symbol, parse.index, strict=True):
        row = contexts[a, b]
        bits -= np.log2((row[symbol] + 0.5) / (row.sum() + 6))
        row[symbol] += 1
        a, b = b, symbol
        if symbol:
            counts = books.setdefault(symbol, np.zeros(sizes[symbol]))
            bits -= np.log2((counts[index] + 0.5) / (counts.sum() + sizes[symbol] / 2))
            counts[index] += 1
    assert parse.code_bits == pytest.approx(bits, rel=1e-9)
    assert parse.code_bits == pytest.approx(parse.symbol_bits + parse.index_bits.sum())


def savings(words, passages, seeds):
    runs = [compare_tilings(zipf_text(words, s, passages), codebook_sizes=SIZES) for s in seeds]
    single = np.array([run.advantage_single for run in runs])
    return single, single / [run.fibonacci for run in runs], runs


def test_long_repeats_favor_the_aperiodic_tiling():
    short, _, runs = savings(20_000, True, range(5))
    assert short.min() > 0
    for run in runs:
        assert run.advantage_equal > 0
        # The published way of comparing says more than the equal one.
        assert run.advantage_unequal > 1.3 * run.advantage_equal
    _, null, _ = savings(20_000, False, range(5))
    assert np.abs(null).mean() < 1e-3


@pytest.mark.slow
def test_savings_grow_with_the_text():
    means = []
    for words in (20_000, 60_000, 200_000):
        single, _, _ = savings(words, True, range(5))
        assert single.min() > 0
        means.append(single.mean())
        _, null, _ = savings(words, False, range(5))
        assert np.abs(null).mean() < 1e-3
    assert means[0] < means[1] < means[2]


def test_steps_resume_to_the_same():
    arguments = (zipf_text(2000, 4), "LLSLS", None)
    whole, states = drain(compare_tilings_steps(*arguments)), compare_tilings_steps(*arguments)
    for fraction, state in states:
        assert fraction == pytest.approx(len(state) / 5)
        assert drain(compare_tilings_steps(*arguments, state=state)) == whole


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"source": Text("")}, "have 1 to 4000000 characters"),
        ({"source": Text("é" * 3_000_000)}, "1 to 4000000 bytes"),
        ({"source": Text("\ud800")}, "must be valid Unicode"),
        ({"source": Bytes("?")}, "must be base64"),
        ({"source": Tokens(np.zeros(0, int))}, "at least 1 entr"),
        ({"source": Tokens(np.zeros(1_000_001, int))}, "at most 1000000 words"),
        ({"source": Text("." * 1_000_001)}, "at most 1000000 words"),
        ({"source": Tokens(np.array([3, -1]))}, "must not be negative, but holds -1"),
        ({"source": Tokens(np.array([0.5]))}, "must hold integers"),
        ({"source": Text("a"), "tiling": Periodic("LSX")}, "made of L and S, but holds 'X'"),
        ({"source": Text("a"), "tiling": Periodic("L" * 257)}, "1 to 256 characters"),
        ({"source": Text("a"), "tiling": CutAndProject(0.5)}, "greater than 0.5"),
        ({"source": Text("a"), "tiling": CutAndProject(1.0)}, "less than 1"),
        ({"source": Text("a"), "tiling": CutAndProject(phases=(0.1,) * 13)}, "1 to 12 items"),
        ({"source": Text("a"), "codebook_sizes": (1,) * 10}, "11 to 11 items"),
        ({"source": Text("a"), "codebook_sizes": (65536,) * 11}, "65535"),
        ({"source": Text("a"), "codebook_sizes": (-1,) * 11}, "0"),
    ],
)
def test_refusals(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        parse_phrases(**arguments)


def test_a_wrong_pattern_is_refused_before_counting():
    with pytest.raises(InputError, match="made of L and S"):
        compare_tilings(Text("a b"), "LLs")
