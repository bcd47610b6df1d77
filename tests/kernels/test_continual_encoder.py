"""The continual encoder against a regular one of every window, and the time of a step."""

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax

from aqc.errors import InputError
from aqc.kernels.continual_inference_attention import (
    KERNEL,
    EncoderBlock,
    attend_retroactively,
    attend_with_one_query,
    encode_continually,
)


def block(rng: np.random.Generator, d: int = 8, m: int = 12) -> EncoderBlock:
    shapes: list[tuple[int, ...]] = [(d, d)] * 4 + [(d, m), (m,), (m, d), (d,)]
    drawn = [rng.normal(size=s) / np.sqrt(s[0]) for s in shapes]
    return EncoderBlock(*drawn, 1 + 0.3 * rng.normal(size=(2, d)), 0.3 * rng.normal(size=(2, d)))


def norm(x: np.ndarray, b: EncoderBlock, number: int) -> np.ndarray:
    unit = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5)
    return unit * b.scale[number] + b.shift[number]


def encode_window(x: np.ndarray, blocks: list[EncoderBlock], heads: int) -> np.ndarray:
    """A regular encoder, head by head."""
    for b in blocks:
        answers = []
        parts = [np.split(x @ w, heads, axis=1) for w in (b.query, b.key, b.value)]
        for q, k, v in zip(*parts, strict=True):
            answers.append(softmax(q @ k.T / np.sqrt(q.shape[1]), axis=1) @ v)
        x = norm(x + np.hstack(answers) @ b.out, b, 0)
        layers = np.maximum(x @ b.up + b.up_bias, 0) @ b.down + b.down_bias
        x = norm(x + layers, b, 1)
    return x


@pytest.mark.parametrize(("depth", "heads", "recycled"), [(2, 4, 13), (3, 2, None)])
def test_the_encoder_is_the_regular_one_of_every_window(
    depth: int, heads: int, recycled: int | None
) -> None:
    rng, window = np.random.default_rng(depth), 7
    blocks, x = [block(rng) for _ in range(depth)], rng.normal(size=(40, 8))
    positions = None if recycled is None else rng.normal(size=(recycled, 8))
    found = encode_continually(x, blocks, window, heads, positions)
    seen = x if positions is None else x + positions[np.arange(40) % recycled]
    expected = [encode_window(seen[t : t + window], blocks, heads)[-1] for t in range(34)]
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(found.y, expected, rtol=0, atol=1e-12)
    first = encode_continually(x[:20], blocks, window, heads, positions)
    second = encode_continually(x[20:], blocks, window, heads, positions, first.state)
    both = np.concatenate([first.y, second.y])
    np.testing.assert_allclose(both, found.y, rtol=0, atol=1e-13)


def test_multiplications_of_two_blocks() -> None:
    rng, n, d, m = np.random.default_rng(0), 7, 8, 12
    found = encode_continually(rng.normal(size=(9, d)), [block(rng), block(rng)], n, 2)
    whole = 2 * (4 * n * d * d + 2 * n * n * d + 2 * n * d + 2 * n * d * m)
    # New q, k, v; the sums of two heads; all tokens' out and layers.
    first = 3 * d * d + 2 * (7 * n * d // 2 + 2 * n - 3 * d // 2) + n * d * d + 2 * n * d * m
    # All tokens' keys and values; one query, its sums, out and layers.
    last = 2 * n * d * d + 2 * d * d + 2 * n * d + 2 * d + 2 * d * m
    count = found.multiplications
    assert (count.window, count.continual) == (whole, first + last)
    assert count.ratio == whole / (first + last)


def test_refusals_of_the_encoder() -> None:
    rng = np.random.default_rng(1)
    x, two = rng.normal(size=(20, 8)), [block(rng), block(rng)]
    steep = EncoderBlock(**vars(two[0]) | {"query": 400 * np.eye(8), "key": np.eye(8)})
    state = encode_continually(x, two, 5).state
    for arguments, sentence in (
        ((x, two, 5, 3), r"`heads` must divide the width of the tokens \(8\), but is 3"),
        ((x, two[:1], 5), "`blocks` must have 2 to 8 items, but has 1"),
        ((x[:4], two, 5), r"at least as long as the window \(5\), but has 4 entries"),
        ((x, [two[0], block(rng, 6)], 5), "must have 8 entries along axis"),
        ((x, two, 5, 1, np.zeros((8, 8))), "`positions` must be at least 2 n - 1 = 9 for a window"),
        (
            (x, two, 6, 1, None, state),
            "`carried` must be of the window.* .6, 1, 8., but is of .5, 1, 8.",
        ),
        ((x * np.nan, two, 5), "`x` must be finite"),
        ((x, [steep, two[1]], 5), "loses its digits; take smaller weights"),
    ):
        with pytest.raises(InputError, match=sentence):
            encode_continually(*arguments)
    big = {"blocks": [vars(block(rng, 64, 256))] * 2, "window": 512}
    with pytest.raises(InputError, match="takes at most 2e.10 multiplications"):
        KERNEL.operation("encode-continually").run(big | {"x": np.ones((20_000, 64))})


def least_time(run: Any) -> float:
    """Of the processor, and the least of several: others may use the machine."""
    run()
    times = []
    for _ in range(15):
        begin = time.process_time()
        run()
        times.append(time.process_time() - begin)
    return min(times)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("window", "single", "retroactive"), [(64, 3, 1.1), (120, 4, 1.5)])
def test_a_step_takes_less_time_than_its_window(
    window: int, single: float, retroactive: float, seed: int
) -> None:
    """Seen: a quarter and a seventh with one query, and half with all outputs."""
    tokens = np.random.default_rng(seed).normal(size=(3, 2000, 1, 64))

    def recompute(q: jax.Array, k: jax.Array, v: jax.Array) -> jax.Array:
        def one(begin: jax.Array) -> jax.Array:
            a, b, c = (jax.lax.dynamic_slice(x, (begin, 0), (window, 64)) for x in (q, k, v))
            return jax.nn.softmax(a @ b.T / 8) @ c

        # All of a window's outputs are made, and the sum keeps them from being left out.
        last, sums = jax.lax.map(lambda i: (one(i)[-1], one(i).sum()), jnp.arange(2001 - window))
        return last + 0 * sums[:, None]

    with jax.enable_x64(True):
        flat, anew = tokens[:, :, 0], jax.jit(recompute)
        slow = least_time(lambda: anew(*flat).block_until_ready())
        expected = np.asarray(anew(*flat))
    for attend, factor, options in (
        (attend_with_one_query, single, {}),
        (attend_retroactively, retroactive, {"rows": "newest"}),
    ):
        found = attend(*tokens, window, **options).y[:, 0]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
        assert factor * least_time(lambda a=attend, o=options: a(*tokens, window, **o)) < slow
