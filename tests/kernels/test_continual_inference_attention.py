"""Continual attention and convolution against softmax over every window."""

from typing import Any

import jax
import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.special import softmax

from aqc.errors import InputError
from aqc.kernels.continual_inference_attention import (
    KERNEL,
    RetroactiveState,
    TokenState,
    attend_retroactively,
    attend_with_one_query,
    convolve_continually,
    retroactive_step,
    token_step,
)
from aqc.kernels.continual_inference_attention._steps import empty_rows, empty_tokens


def stream(seed: int, length: int, heads: int, width: int, scale: float = 1.0) -> list[np.ndarray]:
    q, k, v = np.random.default_rng(seed).normal(size=(3, length, heads, width))
    return [scale * q, scale * k, v]


def over_windows(tokens: list[np.ndarray], window: int) -> np.ndarray:
    """All outputs of all windows, anew, shape (steps, n, heads, d)."""
    found = []
    for begin in range(len(tokens[0]) - window + 1):
        q, k, v = (x[begin : begin + window].transpose(1, 0, 2) for x in tokens)
        scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[2])
        found.append((softmax(scores, axis=-1) @ v).transpose(1, 0, 2))
    return np.array(found)


@pytest.mark.parametrize(
    ("length", "heads", "width", "window"),
    [
        (160, 1, 64, 64),
        pytest.param(512, 1, 64, 64, marks=pytest.mark.slow),
        pytest.param(512, 1, 64, 120, marks=pytest.mark.slow),
        (40, 3, 5, 7),
        (9, 2, 4, 9),
    ],
)
def test_the_continual_forms_are_the_windowed_ones(
    length: int, heads: int, width: int, window: int
) -> None:
    tokens = stream(0, length, heads, width)
    expected = over_windows(tokens, window)
    assert np.ptp(expected) > 1  # not trivial
    rows = "newest" if expected.size > 1e7 else "all"
    found = attend_retroactively(*tokens, window, rows=rows)
    want = expected[:, -1] if rows == "newest" else expected
    np.testing.assert_allclose(found.y, want, rtol=0, atol=1e-12)
    for delay in {0, window - 1}:
        single = attend_with_one_query(*tokens, window, delay=delay)
        np.testing.assert_allclose(single.y, expected[:, -1 - delay], rtol=0, atol=1e-12)


def test_the_newest_rows_are_those_of_all() -> None:
    tokens = stream(1, 50, 2, 6)
    every = attend_retroactively(*tokens, 8)
    newest = attend_retroactively(*tokens, 8, rows="newest")
    np.testing.assert_allclose(newest.y, every.y[:, -1], atol=1e-14)
    assert newest.error_growth == pytest.approx(every.error_growth)


@pytest.mark.parametrize("cut", [5, 30])
def test_a_stream_in_two_calls_is_one_stream(cut: int) -> None:
    tokens, window = stream(2, 50, 2, 6), 8
    for attend in (attend_retroactively, attend_with_one_query):
        whole = attend(*tokens, window)
        if cut >= window:
            first = attend(*[x[:cut] for x in tokens], window)
            y, state = first.y, first.state
        else:
            # Too short for an answer: the first tokens by hand.
            y, state = whole.y[:0], step_by_step(attend, [x[:cut] for x in tokens], window)
        second = attend(*[x[cut:] for x in tokens], window, carried=state)
        np.testing.assert_allclose(np.concatenate([y, second.y]), whole.y, rtol=0, atol=1e-14)
        assert second.state.arrived == 50


def step_by_step(attend: Any, tokens: list[np.ndarray], window: int) -> Any:
    single = attend is attend_with_one_query
    step: Any = token_step if single else retroactive_step
    shape = (window, *tokens[0].shape[1:])
    with jax.enable_x64(True):
        state = empty_tokens(*shape) if single else empty_rows(*shape)
        for q, k, v in zip(*tokens, strict=True):
            state = jax.jit(step)(state, q / np.sqrt(q.shape[-1]), k, v)[0]
        fields = {name: np.asarray(x) for name, x in vars(state).items()}
    kind = TokenState if single else RetroactiveState
    return kind(**(fields | {"arrived": int(state.arrived)}))


def test_attention_knows_the_order_of_arrival_only_by_the_window() -> None:
    """Tokens permuted within one window: its outputs are permuted, nothing else."""
    tokens, order = stream(3, 10, 1, 4), np.random.default_rng(0).permutation(10)
    one = attend_retroactively(*tokens, 10).y[0]
    other = attend_retroactively(*[x[order] for x in tokens], 10).y[0]
    np.testing.assert_allclose(other, one[order], atol=1e-13)


def test_large_equal_scores_do_no_harm() -> None:
    """Scores of 3000, whose exponentials overflow, but which differ little."""
    q, k, v = stream(4, 60, 1, 4)
    q[..., 0], k[..., 0] = 60.0, 100.0
    expected = over_windows([q, k, v], 9)
    np.testing.assert_allclose(attend_retroactively(q, k, v, 9).y, expected, atol=1e-11)


@pytest.mark.parametrize("scale", [4.0, 8.0])
def test_scores_that_differ_too_much_are_refused(scale: float) -> None:
    tokens = stream(5, 200, 1, 64, scale)
    with pytest.raises(InputError, match="loses its digits; take attend-with-one-query"):
        attend_retroactively(*tokens, 64)
    single = attend_with_one_query(*tokens, 64)
    expected = over_windows(tokens, 64)[:, -1]
    np.testing.assert_allclose(single.y, expected, rtol=0, atol=1e-12)


def test_the_growth_of_errors_is_honest() -> None:
    """The error that is there stays below what the growth allows."""
    bounds = []
    for scale in (0.5, 1.0, 1.5, 2.0):
        for seed in range(5):
            tokens = stream(seed, 120, 1, 16, scale)
            try:
                found = attend_retroactively(*tokens, 16)
            except InputError:
                continue
            error = np.abs(found.y - over_windows(tokens, 16)).max()
            bound = 16 * np.finfo(float).eps * found.error_growth * np.abs(tokens[2]).max()
            assert error <= bound
            bounds.append(bound)
    assert len(bounds) >= 10
    assert max(bounds) > 1e-13  # some cases are hard
    assert max(bounds) < 1e-7


def test_the_convolution_is_that_of_the_whole_stream() -> None:
    rng = np.random.default_rng(6)
    x, w, b = rng.normal(size=(80, 3)), rng.normal(size=(5, 3, 2)), rng.normal(size=2)
    found = convolve_continually(x, w, b)
    assert found.y.shape == (76, 2)
    for o in range(2):
        filtered = sum(lfilter(w[:, c, o], [1.0], x[:, c]) for c in range(3)) + b[o]
        np.testing.assert_allclose(found.y[:, o], filtered[4:], rtol=0, atol=1e-12)
    with jax.enable_x64(True):
        kernel = np.flip(w, 0).transpose(2, 1, 0)
        direct = jax.lax.conv_general_dilated(x.T[None], kernel, (1,), "VALID")
    np.testing.assert_allclose(found.y, np.asarray(direct)[0].T + b, rtol=0, atol=1e-12)
    for cut in (5, 40):
        first = convolve_continually(x[:cut], w, b)
        second = convolve_continually(x[cut:], w, b, carried=first.state)
        both = np.concatenate([first.y, second.y])
        np.testing.assert_allclose(both, found.y, rtol=0, atol=1e-14)
    single = convolve_continually(x, w[:1], b)
    np.testing.assert_allclose(single.y, x @ w[0] + b, atol=1e-13)


@pytest.mark.parametrize(("window", "single", "all_rows"), [(64, 64.0, 18.6), (120, 120.0, 34.5)])
def test_multiplications_by_formula_and_by_the_compiler(
    window: int, single: float, all_rows: float
) -> None:
    tokens, d = stream(7, window, 1, 64), 64
    one = attend_with_one_query(*tokens, window).multiplications
    every = attend_retroactively(*tokens, window).multiplications
    assert one.window == every.window == 2 * window**2 * d + 2 * window * d
    assert one.ratio == pytest.approx(single, rel=1e-3)
    assert every.ratio == pytest.approx(all_rows, rel=2e-3)

    def windowed(q: Any, k: Any, v: Any) -> Any:
        return jax.nn.softmax(q @ k.T / 8) @ v

    def flops(function: Any, *given: Any) -> float:
        with jax.enable_x64(True):
            return float(jax.jit(function).lower(*given).compile().cost_analysis()["flops"])

    whole = flops(windowed, *[x[:, 0] for x in tokens])
    token = [x[0] for x in tokens]
    ratio_one = whole / flops(token_step, empty_tokens(window, 1, d), *token)
    ratio_all = whole / flops(retroactive_step, empty_rows(window, 1, d), *token)
    assert ratio_one == pytest.approx(one.ratio, rel=0.25)
    assert ratio_all == pytest.approx(every.ratio, rel=0.25)


# --- refusals


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"window": 21}, r"at least as long as the window \(21\), but has 20 entries after 0"),
        ({"window": 1}, "`window` must be at least 2"),
        ({"window": 1025}, "`window` must be at most 1024"),
        ({"k": np.zeros((19, 2, 3))}, r"`k` must have 20 entries along axis 0 \(T\)"),
        ({"v": np.zeros((20, 2, 4))}, r"`v` must have 3 entries along axis 2 \(d\)"),
        ({"q": np.full((20, 2, 3), np.nan)}, "`q` must be finite"),
        ({"q": np.full((20, 2, 3), 1e70)}, "`q` must hold numbers of size at most"),
    ],
)
def test_refusals_of_attention(change: dict[str, Any], sentence: str) -> None:
    q, k, v = stream(8, 20, 2, 3)
    given: dict[str, Any] = {"q": q, "k": k, "v": v, "window": 5}
    for attend in (attend_retroactively, attend_with_one_query):
        with pytest.raises(InputError, match=sentence):
            attend(**given | change)


def test_other_refusals() -> None:
    tokens = stream(9, 20, 2, 3)
    state = attend_with_one_query(*tokens, 5).state
    with pytest.raises(InputError, match="`carried` must be of the window 6, but is of 5"):
        attend_with_one_query(*tokens, 6, carried=state)
    with pytest.raises(InputError, match=r"`delay` must be below `window` \(5\), but is 5"):
        attend_with_one_query(*tokens, 5, delay=5)
    with pytest.raises(InputError, match="`rows` must give at most 10000000 numbers"):
        attend_retroactively(*[np.zeros((3000, 1, 64))] * 3, 64)
    wide = [np.zeros((4, 2, 600))] * 3
    with pytest.raises(InputError, match="heads x d at most 1024, but has 1200"):
        attend_with_one_query(*wide, 2)
    with pytest.raises(InputError, match=r"window \(3\), but has 2 entries"):
        convolve_continually(np.zeros((2, 1)), np.zeros((3, 1, 1)), [0.0])
    with pytest.raises(InputError, match='but not "stride"'):
        KERNEL.operation("convolve-continually").run({"stride": 2})
    big = np.zeros((5000, 1, 1024))
    with pytest.raises(InputError, match="takes at most 4e.09 tokens x"):
        KERNEL.operation().run({"q": big, "k": big, "v": big, "window": 1024})
