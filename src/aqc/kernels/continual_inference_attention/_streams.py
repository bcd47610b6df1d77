"""Whole streams, one token after the other, exactly as the windows would answer."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from annotated_types import Interval
from jaxtyping import Float

from aqc.errors import InputError
from aqc.kernels._magnitude import refuse_huge
from aqc.kernels._signature import checked
from aqc.kernels.continual_inference_attention._steps import (
    ConvolutionState,
    RetroactiveState,
    TokenState,
    convolution_step,
    empty_rows,
    empty_tokens,
    retroactive_step,
    token_step,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Growth of rounding errors beyond which the retroactive sums are refused: 1e-16 becomes 1e-10.
_MOST_GROWTH = 1e6
_MOST_NUMBERS = 10_000_000

Window = Annotated[int, Interval(ge=2, le=1024)]


@dataclass(frozen=True)
class Multiplications:
    """Multiplications of one step and one head, by formula.

    Args:
        continual: Of the form that was run.
        window: Of all outputs of the window anew.
        ratio: How many times fewer.
    """

    continual: int
    window: int
    ratio: float


@dataclass(frozen=True)
class RetroactiveOutputs:
    """Outputs of all tokens of each full window.

    Args:
        y: Shape (steps, n, heads, d), oldest token first; only the newest with rows="newest".
        state: To go on from.
        multiplications: Of one step and one head.
        error_growth: Largest growth of rounding errors by subtraction, over all rows and steps.
    """

    y: np.ndarray
    state: RetroactiveState
    multiplications: Multiplications
    error_growth: float


@dataclass(frozen=True)
class SingleOutputs:
    """Outputs of one token of each full window.

    Args:
        y: Shape (steps, heads, d).
        state: To go on from.
        multiplications: Of one step and one head.
    """

    y: np.ndarray
    state: TokenState
    multiplications: Multiplications


@dataclass(frozen=True)
class ConvolvedStream:
    """A convolution's outputs.

    Args:
        y: Shape (steps, C_out).
        state: To go on from.
    """

    y: np.ndarray
    state: ConvolutionState


def _count(window: int, width: int, continual: int) -> Multiplications:
    regular = 2 * window**2 * width + 2 * window * width
    return Multiplications(continual, regular, regular / continual)


@checked(T=(1, 20_000), H=(1, 64), d=(1, 1024), n=(2, 1024))
def attend_retroactively(
    q: Float[np.ndarray, "T H d"],
    k: Float[np.ndarray, "T H d"],
    v: Float[np.ndarray, "T H d"],
    window: Window,
    rows: Literal["all", "newest"] = "all",
    carried: RetroactiveState | None = None,
) -> RetroactiveOutputs:
    """Update the attention of all tokens of a sliding window with each token that arrives.

    D_i <- D_i - exp(s_i,old) + exp(s_i,new),  A_i <- A_i - exp(s_i,old) v_old + exp(s_i,new) v_new,
    y_i = A_i / D_i,  s_ij = q_i k_j / d^(1/2)

    Args:
        q: Queries of the stream, shape (T, heads, d).
        k: Keys, shape (T, heads, d).
        v: Values, shape (T, heads, d).
        window: n, tokens that see each other.
        rows: All n outputs of each step, or that of the newest token alone.
        carried: State that an earlier call returned.

    Returns:
        Outputs from the step at which the first window is full, and the state.

    Raises:
        InputError: The stream is shorter than the window, the state is of another window, the
            answer is too large, or scores differ so much that subtraction loses the digits.

    Source:
        arXiv:2306.13474 (Continual Transformers, arXiv:2201.06268). The shift by each row's
        largest score at its arrival, and the refusal, are added here.

    Example:
        >>> q, k, v = np.random.default_rng(0).normal(size=(3, 10, 1, 4))
        >>> attend_retroactively(q, k, v, window=6).y.shape
        (5, 6, 1, 4)
    """
    _check_tokens(q, k, v, window, carried)
    state = carried or empty_rows(window, *q.shape[1:])
    first = first_answer(state.arrived, window, len(q))
    numbers = (len(q) - first) * q[0].size * (window if rows == "all" else 1)
    if numbers > _MOST_NUMBERS:
        raise InputError(
            f"`rows` must give at most {_MOST_NUMBERS} numbers, but {rows!r} gives {numbers}; "
            'take "newest", or a part of the stream at a time.',
            "/rows",
        )
    with jax.enable_x64(True):
        after, y, growth = _retroactive(state, q / np.sqrt(q.shape[2]), k, v, rows)
    worst = float(np.asarray(growth).max())
    refuse_growth(worst, "q", "take attend-with-one-query")
    width = q.shape[2]
    count = _count(window, width, 7 * window * width + 2 * window - 3 * width)
    return RetroactiveOutputs(np.asarray(y)[first:], to_numpy(after), count, worst)


@checked(T=(1, 20_000), H=(1, 64), d=(1, 1024), n=(2, 1024))
def attend_with_one_query(
    q: Float[np.ndarray, "T H d"],
    k: Float[np.ndarray, "T H d"],
    v: Float[np.ndarray, "T H d"],
    window: Window,
    delay: Annotated[int, Interval(ge=0, le=1023)] = 0,
    carried: TokenState | None = None,
) -> SingleOutputs:
    """Return the attention of one token of a sliding window for each token that arrives.

    y = softmax(q K^T / d^(1/2)) V

    Args:
        q: Queries of the stream, shape (T, heads, d).
        k: Keys, shape (T, heads, d).
        v: Values, shape (T, heads, d).
        window: n, tokens that see each other.
        delay: How many tokens before the newest the output is for.
        carried: State that an earlier call returned.

    Returns:
        Outputs from the step at which the first window is full, and the state.

    Raises:
        InputError: The stream is shorter than the window, the state is of another window, or the
            delay is not within it.

    Source:
        arXiv:2306.13474 (Continual Transformers, arXiv:2201.06268).

    Example:
        >>> q, k, v = np.random.default_rng(0).normal(size=(3, 10, 1, 4))
        >>> attend_with_one_query(q, k, v, window=6).y.shape
        (5, 1, 4)
    """
    _check_tokens(q, k, v, window, carried)
    if delay >= window:
        raise InputError(f"`delay` must be below `window` ({window}), but is {delay}.", "/delay")
    state = carried or empty_tokens(window, *q.shape[1:])
    first = first_answer(state.arrived, window, len(q))
    with jax.enable_x64(True):
        after, y = _single(state, q / np.sqrt(q.shape[2]), k, v, delay)
    width = q.shape[2]
    count = _count(window, width, 2 * window * width + 2 * width)
    return SingleOutputs(np.asarray(y)[first:], to_numpy(after), count)


@checked(T=(1, 20_000), C=(1, 256), C_out=(1, 256), k=(1, 64))
def convolve_continually(
    x: Float[np.ndarray, "T C"],
    weights: Float[np.ndarray, "k C C_out"],
    bias: Float[np.ndarray, " C_out"],
    carried: ConvolutionState | None = None,
) -> ConvolvedStream:
    """Convolve a stream along time, each input multiplied once when it arrives.

    y_t = b + sum_i x_{t-i} w_i

    Args:
        x: The stream, shape (T, C).
        weights: Of the newest input first, shape (k, C, C_out).
        bias: Shape (C_out,).
        carried: State that an earlier call returned.

    Returns:
        Outputs from the step at which k inputs are there, and the state.

    Raises:
        InputError: The stream is shorter than the kernel.

    Source:
        arXiv:2306.13474 (Continual 3D CNNs, arXiv:2106.00050), along time alone.

    Example:
        >>> x = np.arange(5.0)[:, None]
        >>> convolve_continually(x, [[[1.0]], [[-1.0]]], [0.0]).y.ravel()
        array([1., 1., 1., 1.])
    """
    refuse_huge(x=x, weights=weights, bias=bias)
    if carried is None:
        carried = ConvolutionState(0, np.zeros(weights.shape[::2]))
    elif carried.arrived < 0:
        raise InputError("`carried.arrived` must not be negative.", "/carried/arrived")
    first = first_answer(carried.arrived, len(weights), len(x))
    with jax.enable_x64(True):
        after, y = _convolve(carried, x, weights, bias)
    return ConvolvedStream(np.asarray(y)[first:], to_numpy(after))


def first_answer(arrived: int, window: int, length: int) -> int:
    """Return how many steps pass before the first answer."""
    first = max(0, window - 1 - arrived)
    if first >= length:
        raise InputError(
            f"The stream must be at least as long as the window ({window}), but has {length} "
            f"entries after {arrived} carried ones."
        )
    return first


def _check_tokens(q: np.ndarray, k: np.ndarray, v: np.ndarray, window: int, carried: Any) -> None:
    refuse_huge(q=q, k=k, v=v)
    if q[0].size > 1024:
        raise InputError(f"`q` must have heads x d at most 1024, but has {q[0].size}.", "/q")
    if carried is None:
        return
    if len(carried.q) != window:
        raise InputError(
            f"`carried` must be of the window {window}, but is of {len(carried.q)}.", "/carried"
        )
    if carried.arrived < 0:
        raise InputError("`carried.arrived` must not be negative.", "/carried/arrived")


def refuse_growth(worst: float, name: str, remedy: str) -> None:
    """Refuse sums that have lost more digits than the limit."""
    if not worst <= _MOST_GROWTH:
        raise InputError(
            f"`{name}` must give scores close enough for sums of their exponentials to be updated, "
            f"but a row's sum falls to 1 / {worst:.2g} of what it was (1 / {_MOST_GROWTH:.0e} is "
            f"the limit) and loses its digits; {remedy}.",
            f"/{name}",
        )


def to_numpy(state: Any) -> Any:
    """Return a state of NumPy arrays."""
    arrays = jax.tree.map(np.asarray, state)
    return type(state)(**(vars(arrays) | {"arrived": int(arrays.arrived)}))


@partial(jax.jit, static_argnames="rows")
def _retroactive(state: Any, q: jax.Array, k: jax.Array, v: jax.Array, rows: str) -> Any:
    size = len(state.q)

    def step(state: Any, token: Any) -> Any:
        slot = state.arrived % size
        state, y, growth = retroactive_step(state, *token)
        y = y[slot] if rows == "newest" else y[(slot + 1 + jnp.arange(size)) % size]
        # Until the window is full the rows of no token are of no use, and 0 / 0.
        return state, (y, growth)

    state, (y, growth) = jax.lax.scan(step, jax.tree.map(jnp.asarray, state), (q, k, v))
    return state, y, growth


@partial(jax.jit, static_argnames="delay")
def _single(state: Any, q: jax.Array, k: jax.Array, v: jax.Array, delay: int) -> Any:
    def step(state: Any, token: Any) -> Any:
        q, k, v = token
        return token_step(state, q, k, v, delay)

    return jax.lax.scan(step, jax.tree.map(jnp.asarray, state), (q, k, v))


@jax.jit
def _convolve(state: Any, x: jax.Array, weights: jax.Array, bias: jax.Array) -> Any:
    def step(state: Any, row: jax.Array) -> Any:
        return convolution_step(state, row, weights, bias)

    return jax.lax.scan(step, jax.tree.map(jnp.asarray, state), x)


def draw_outputs(found: SingleOutputs) -> "Figure":
    """Draw the outputs of the first head over the steps, and the multiplications."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(2, 1))
    for j in range(min(4, found.y.shape[2])):
        left.plot(found.y[:, 0, j], label=f"component {j}")
    left.set(xlabel="step after the first full window", ylabel="output of the first head")
    left.legend(fontsize="small")
    counts = found.multiplications
    right.bar(["window", "continual"], [counts.window, counts.continual])
    right.set(yscale="log", ylabel="multiplications per step and head")
    right.set_title(f"{counts.ratio:.1f} times fewer")
    return figure
