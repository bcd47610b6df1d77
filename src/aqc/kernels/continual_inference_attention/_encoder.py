"""An encoder over a stream: retroactive attention, regular blocks, and one output at the end."""

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from annotated_types import Interval, Len
from jaxtyping import Float

from aqc.errors import InputError
from aqc.kernels._magnitude import refuse_huge
from aqc.kernels._signature import checked
from aqc.kernels.continual_inference_attention._steps import (
    RetroactiveState,
    empty_rows,
    retroactive_step,
)
from aqc.kernels.continual_inference_attention._streams import (
    Multiplications,
    Window,
    first_answer,
    refuse_growth,
    to_numpy,
)

_NORM_EPS = 1e-5


@dataclass(frozen=True)
class EncoderBlock:
    """The weights of x' = norm(x + attention(x)), y = norm(x' + down relu(up x')).

    Args:
        query: Shape (w, w), applied from the right, as all others.
        key: Shape (w, w).
        value: Shape (w, w).
        out: Of the heads' concatenated answers, shape (w, w).
        up: Shape (w, m).
        up_bias: Shape (m,).
        down: Shape (m, w).
        down_bias: Shape (w,).
        scale: Of the norm after the attention and of that after the layers, shape (2, w).
        shift: Likewise.
    """

    query: Float[np.ndarray, "w w"]
    key: Float[np.ndarray, "w w"]
    value: Float[np.ndarray, "w w"]
    out: Float[np.ndarray, "w w"]
    up: Float[np.ndarray, "w m"]
    up_bias: Float[np.ndarray, " m"]
    down: Float[np.ndarray, "m w"]
    down_bias: Float[np.ndarray, " w"]
    scale: Float[np.ndarray, "two w"]
    shift: Float[np.ndarray, "two w"]


@dataclass(frozen=True)
class EncoderState:
    """The window's inputs, by slot, and the first block's sums.

    Args:
        rows: Of the first block's attention.
        inputs: Tokens with their positions, shape (n, w).
    """

    rows: RetroactiveState
    inputs: Float[np.ndarray, "n w"]


@dataclass(frozen=True)
class EncodedStream:
    """The newest token's outputs.

    Args:
        y: Shape (steps, w).
        state: To go on from.
        multiplications: Of one step, all blocks.
        error_growth: Largest growth of rounding errors by subtraction in the first block.
    """

    y: np.ndarray
    state: EncoderState
    multiplications: Multiplications
    error_growth: float


class _Sizes(NamedTuple):
    window: int
    width: int
    hidden: int
    heads: int
    depth: int


for _class in (EncoderBlock, EncoderState):
    jax.tree_util.register_dataclass(_class)


@checked(T=(1, 20_000), w=(1, 512), m=(1, 2048), P=(3, 4096), n=(2, 1024), two=(2, 2), H=(1, 64))
def encode_continually(
    x: Float[np.ndarray, "T w"],
    blocks: Annotated[tuple[EncoderBlock, ...], Len(2, 8)],
    window: Window,
    heads: Annotated[int, Interval(ge=1, le=64)] = 1,
    positions: Float[np.ndarray, "P w"] | None = None,
    carried: EncoderState | None = None,
) -> EncodedStream:
    """Encode a sliding window with each token that arrives, and return the newest token's output.

    The first block's attention is retroactive, O(n w) for all n tokens; the last answers one query;
    blocks in between are regular, O(n^2 w). Token t has the position t mod P.

    Args:
        x: The stream, shape (T, w).
        blocks: Of two blocks none is regular.
        window: n, tokens that see each other.
        heads: Of every attention; they divide w.
        positions: Recycled encodings that are added to the tokens, shape (P, w), P >= 2 n - 1.
        carried: State that an earlier call returned.

    Returns:
        Outputs from the step at which the first window is full, and the state.

    Raises:
        InputError: `heads` does not divide w, `positions` are too few to tell the tokens of a
            window apart, the stream is shorter than the window, the state is of another window, or
            scores of the first block differ so much that subtraction loses the digits.

    Source:
        arXiv:2306.13474 (Continual Transformers, arXiv:2201.06268): the two-block encoder and the
        recycling positional encoding. Norms after the residuals and ReLU are a choice.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> shapes = [(4, 4)] * 4 + [(4, 6), (6,), (6, 4), (4,), (2, 4), (2, 4)]
        >>> blocks = [EncoderBlock(*[rng.normal(size=s) for s in shapes]) for _ in range(2)]
        >>> encode_continually(rng.normal(size=(9, 4)), blocks, window=5, heads=2).y.shape
        (5, 4)
    """
    sizes = _check(x, blocks, window, heads, positions, carried)
    width = sizes.width // heads
    state = carried or EncoderState(
        empty_rows(window, heads, width), np.zeros((window, sizes.width))
    )
    first = first_answer(state.rows.arrived, window, len(x))
    if positions is not None:
        x = x + positions[(state.rows.arrived + np.arange(len(x))) % len(positions)]
    with jax.enable_x64(True):
        after, y, growth = _encode(state, tuple(blocks), x, heads)
    worst = float(np.asarray(growth).max())
    refuse_growth(worst, "x", "take smaller weights or another encoder")
    kept = EncoderState(to_numpy(after.rows), np.asarray(after.inputs))
    return EncodedStream(np.asarray(y)[first:], kept, count_encoder(sizes), worst)


def count_encoder(sizes: _Sizes) -> Multiplications:
    """Return the multiplications of one step, and of a window's anew, by formula."""
    n, d, m, heads, depth = sizes
    layers = 2 * n * d * m
    regular = 4 * n * d * d + 2 * n * n * d + 2 * n * d + layers
    first = 3 * d * d + 7 * n * d + 2 * n * heads - 3 * d + n * d * d + layers
    last = 2 * n * d * d + 2 * d * d + 2 * n * d + 2 * d + 2 * d * m
    continual = first + (depth - 2) * regular + last
    return Multiplications(continual, depth * regular, depth * regular / continual)


def encoding_work(
    x: np.ndarray, blocks: tuple[EncoderBlock, ...], window: int, heads: int, **_: Any
) -> float:
    """Return the multiplications of the stream."""
    sizes = _Sizes(window, x.shape[1], blocks[0].up.shape[1], heads, len(blocks))
    return float(len(x) * count_encoder(sizes).continual)


def _check(
    x: np.ndarray,
    blocks: tuple[EncoderBlock, ...],
    window: int,
    heads: int,
    positions: np.ndarray | None,
    carried: EncoderState | None,
) -> _Sizes:
    refuse_huge(x=x, **({} if positions is None else {"positions": positions}))
    for number, block in enumerate(blocks):
        refuse_huge(**{f"blocks[{number}].{name}": value for name, value in vars(block).items()})
    if x.shape[1] % heads:
        raise InputError(
            f"`heads` must divide the width of the tokens ({x.shape[1]}), but is {heads}.", "/heads"
        )
    if positions is not None and len(positions) < 2 * window - 1:
        raise InputError(
            f"`positions` must be at least 2 n - 1 = {2 * window - 1} for a window of {window}, "
            f"but are {len(positions)}.",
            "/positions",
        )
    if carried is not None:
        wanted, given = (window, heads, x.shape[1] // heads), carried.rows.q.shape
        if given != wanted:
            raise InputError(
                f"`carried` must be of the window, heads and widths of heads {wanted}, but is of "
                f"{given}.",
                "/carried",
            )
        if carried.rows.arrived < 0:
            raise InputError("`carried.rows.arrived` must not be negative.", "/carried")
    return _Sizes(window, x.shape[1], blocks[0].up.shape[1], heads, len(blocks))


@partial(jax.jit, static_argnames="heads")
def _encode(state: Any, blocks: tuple[EncoderBlock, ...], x: jax.Array, heads: int) -> Any:
    size = state.inputs.shape[0]
    ages = jnp.arange(size)

    def step(state: EncoderState, token: jax.Array) -> Any:
        slot = state.rows.arrived % size
        q, k, v = (_project(token, blocks[0], name, heads) for name in ("query", "key", "value"))
        rows, answers, growth = retroactive_step(state.rows, q / np.sqrt(q.shape[-1]), k, v)
        inputs = jnp.asarray(state.inputs).at[slot].set(token)
        # By slot: attention does not know the order of its tokens.
        hidden = _finish(inputs, answers.reshape(inputs.shape), blocks[0])
        # Before the window is full, slots without a token must not be seen; nor is the output.
        hidden = jnp.where((ages <= state.rows.arrived)[:, None], hidden, 0.0)
        for block in blocks[1:-1]:
            hidden = _finish(hidden, _attend(hidden, hidden, block, heads), block)
        newest = hidden[slot][None]
        output = _finish(newest, _attend(newest, hidden, blocks[-1], heads), blocks[-1])[0]
        changes: dict[str, Any] = {"rows": rows, "inputs": inputs}
        return EncoderState(**changes), (output, growth)

    after, (y, growth) = jax.lax.scan(step, jax.tree.map(jnp.asarray, state), x)
    return after, y, growth


def _project(x: jax.Array, block: EncoderBlock, name: str, heads: int) -> jax.Array:
    projected: jax.Array = x @ getattr(block, name)
    return projected.reshape(*x.shape[:-1], heads, -1)


def _attend(asking: jax.Array, seen: jax.Array, block: EncoderBlock, heads: int) -> jax.Array:
    q = _project(asking, block, "query", heads)
    k, v = (_project(seen, block, name, heads) for name in ("key", "value"))
    scores = jnp.einsum("ihc,jhc->hij", q, k) / np.sqrt(q.shape[-1])
    mixed = jnp.einsum("hij,jhc->ihc", jax.nn.softmax(scores, -1), v)
    return mixed.reshape(asking.shape)


def _finish(x: jax.Array, answers: jax.Array, block: EncoderBlock) -> jax.Array:
    """Return the tokens after the residuals, norms and layers of a block."""
    x = _normalize(x + answers @ block.out, block, 0)
    layers = jax.nn.relu(x @ block.up + block.up_bias) @ block.down + block.down_bias
    return _normalize(x + layers, block, 1)


def _normalize(x: jax.Array, block: EncoderBlock, number: int) -> jax.Array:
    centered = x - x.mean(-1, keepdims=True)
    unit = centered / jnp.sqrt((centered**2).mean(-1, keepdims=True) + _NORM_EPS)
    return unit * jnp.asarray(block.scale)[number] + jnp.asarray(block.shift)[number]
