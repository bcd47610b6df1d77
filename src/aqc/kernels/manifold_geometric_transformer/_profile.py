"""What becomes of the tokens over depth, rule by rule."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import jax
import numpy as np
from annotated_types import Interval, Len
from jaxtyping import Float
from scipy.special import entr

from aqc.errors import DivergenceError, InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._magnitude import refuse_huge
from aqc.kernels._signature import checked
from aqc.kernels.manifold_geometric_transformer._block import (
    BetaMode,
    Norm,
    Projection,
    Rule,
    Settings,
    draw_block,
    manifold_geometric_block,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CHUNK = 16  # layers between two reports
_HUGE = 1e100  # squares of what is larger, or as small, come near to the ends of the numbers


@dataclass(frozen=True)
class Profile:
    """One rule's tokens over depth; all curves have the shape (seeds, L).

    Args:
        rule: Its name.
        effective_rank: exp of the entropy of the singular values' shares; at most min(n, d).
        mean_cosine: Over all pairs of different tokens.
        rms: Of all entries.
        residual_ratio: ||x - mean token|| / ||x||.
        identity: Share of tokens whose nearest first token, by cosine, is their own.
        mean_beta: Of |beta|; near 0 every delta rule does nothing.
        distance: ||x_l - x_0|| / ||x_0||.
        final: Tokens after the last layer, shape (seeds, n, d).
    """

    rule: str
    effective_rank: np.ndarray
    mean_cosine: np.ndarray
    rms: np.ndarray
    residual_ratio: np.ndarray
    identity: np.ndarray
    mean_beta: np.ndarray
    distance: np.ndarray
    final: np.ndarray


_CURVES = (
    "effective_rank",
    "mean_cosine",
    "rms",
    "residual_ratio",
    "identity",
    "mean_beta",
    "distance",
)


@checked(n=(2, 256), d=(8, 256))
def profile_rank_collapse(
    x: Float[np.ndarray, "n d"],
    depth: Annotated[int, Interval(ge=1, le=512)],
    rules: Annotated[tuple[Rule, ...], Len(1, 5)] = ("vanilla", "mhc", "ddl", "mgt"),
    heads: Annotated[int, Interval(ge=1, le=16)] = 4,
    mlp: bool = True,
    norm: Norm = "pre",
    projection: Projection = "value",
    beta_mode: BetaMode = "householder",
    alpha: Annotated[float, Interval(ge=0, le=2)] = 1.0,
    beta_bias: Annotated[float, Interval(ge=-10, le=10)] = 0.0,
    seeds: Annotated[int, Interval(ge=1, le=5)] = 1,
) -> tuple[Profile, ...]:
    """Send tokens through a deep transformer at initialization and watch their rank, by rule.

    x' = x + beta (v - alpha Proj(x)),  v = sublayer(LN x) * sigmoid(LN(x) W_gate)

    Args:
        x: Tokens, shape (n, d).
        depth: Blocks L, each with weights of its own.
        rules: "none", "vanilla", "mhc" (the gate alone), "ddl" (the delta alone), "mgt" (both).
        heads: Of the attention; they divide d.
        mlp: Whether each block has an MLP of width 4 d.
        norm: Layer norm before the sublayers, or after each change.
        projection: "value", along v, or "self", all of x.
        beta_mode: "householder", 2 sigmoid, one number for each token; "tanh_scalar";
            "tanh_vector".
        alpha: Weight of what is erased.
        beta_bias: b_0 in beta's argument.
        seeds: Networks of seeds 0, 1, ..., the same for all rules.

    Returns:
        A profile for each rule.

    Raises:
        InputError: `heads` does not divide d, a rule is given twice, or x is all zeros.
        DivergenceError: The numbers overflow, or all become zero, at a layer, which is told.

    Source:
        arXiv:2601.01014, which has no experiment; the gate, beta and the projection are of its
        parents (arXiv:2601.00417) where it leaves them open.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(8, 8))
        >>> (alone,) = profile_rank_collapse(x, 6, rules=["none"], mlp=False)
        >>> bool(alone.effective_rank[0, -1] < 1.5)
        True
    """
    return drain(
        profile_steps(
            x,
            depth,
            rules,
            heads,
            mlp,
            norm,
            projection,
            beta_mode,
            alpha,
            beta_bias,
            seeds,
        )
    )


def profile_steps(
    x: np.ndarray,
    depth: int,
    rules: tuple[Rule, ...],
    heads: int,
    mlp: bool,
    norm: Norm,
    projection: Projection,
    beta_mode: BetaMode,
    alpha: float,
    beta_bias: float,
    seeds: int,
    state: Any = None,
) -> Steps:
    """Do what `profile_rank_collapse` does, step by step.

    Args:
        x: As in `profile_rank_collapse`, like all others.
        depth: See there.
        rules: See there.
        heads: See there.
        mlp: See there.
        norm: See there.
        projection: See there.
        beta_mode: See there.
        alpha: See there.
        beta_bias: See there.
        seeds: See there.
        state: What an earlier run yielded, to go on from there.

    Yields:
        (fraction done, state) after some layers of a rule.

    Returns:
        The profiles.

    Source:
        See `profile_rank_collapse`.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(8, 8))
        >>> options = (4, True, "pre", "value", "householder", 1.0, 0.0, 1)
        >>> next(profile_steps(x, 32, ("mgt",), *options))[0]
        0.5
    """
    check_tokens(x, rules, heads)
    every = [Settings(rule, heads, mlp, norm, projection, beta_mode, alpha) for rule in rules]
    start = np.broadcast_to(x, (seeds, *x.shape))
    curves, now = np.zeros((len(rules), len(_CURVES), seeds, depth)), start
    finals: list[np.ndarray] = []
    done = 0
    if state is not None:
        finals, done, now, curves = list(state[0]), state[1], state[2], state[3].copy()
    for i in range(len(finals), len(rules)):
        for begin, end in _chunks(done, depth):
            layers, betas = _advance(now, beta_bias, begin, end, every[i])
            refuse_overflow(layers, rules[i], begin)
            now, curves[i, :, :, begin:end] = layers[-1], measure(layers, x, betas)
            if end < depth:
                fraction = (i + end / depth) / len(rules)
                yield fraction, (list(finals), end, now, curves.copy())
        finals.append(now)
        done, now = 0, start
        yield len(finals) / len(rules), (list(finals), done, np.array(now), curves.copy())
    return tuple(
        Profile(rule, **dict(zip(_CURVES, curve, strict=True)), final=final)
        for rule, curve, final in zip(rules, curves, finals, strict=True)
    )


def profile_of(rule: str, layers: np.ndarray, first: np.ndarray, betas: np.ndarray) -> Profile:
    """Return the profile of tokens (layers, seeds, n, d) and mean betas (layers, seeds)."""
    curves = dict(zip(_CURVES, measure(layers, first, betas), strict=True))
    return Profile(rule, **curves, final=layers[-1])


def _chunks(done: int, depth: int) -> Iterator[tuple[int, int]]:
    for begin in range(done, depth, _CHUNK):
        yield begin, min(begin + _CHUNK, depth)


def check_tokens(x: np.ndarray, rules: tuple[Rule, ...], heads: int) -> None:
    """Refuse what no network can take."""
    refuse_huge(x=x)
    if x.shape[1] % heads:
        raise InputError(
            f"`heads` must divide the width of the tokens ({x.shape[1]}), but is {heads}.", "/heads"
        )
    if len(set(rules)) < len(rules):
        raise InputError("`rules` must be different ones, but one is given twice.", "/rules")
    if not np.abs(x).max(1).min() > 1e-60:
        raise InputError("`x` must hold no token of zeros, but does.", "/x")


def refuse_overflow(layers: np.ndarray, rule: str, begin: int) -> None:
    """Tell at which of these layers (layers, seeds, n, d) numbers are lost."""
    largest = np.abs(layers).max(-1)  # of each token; comparisons with NaN are false
    bad = ~((largest < _HUGE) & (largest > 1 / _HUGE)).all((1, 2))
    if bad.any():
        layer = int(bad.argmax())
        raise DivergenceError(
            f"The tokens overflow or vanish at layer {begin + layer + 1} of the rule {rule} "
            f"(largest entries of tokens {largest[layer].min():.3g} to {largest[layer].max():.3g}"
            "); scale the input, or take a smaller depth."
        )


def _advance(
    now: np.ndarray, beta_bias: float, begin: int, end: int, settings: Settings
) -> tuple[np.ndarray, np.ndarray]:
    """Return the tokens after each layer, shape (layers, seeds, n, d), and the mean |beta|."""
    layers, betas = [], []
    for layer in range(begin, end):
        drawn = [
            draw_block(np.random.default_rng([seed, layer]), now.shape[-1], settings, beta_bias)
            for seed in range(len(now))
        ]
        weights = jax.tree.map(lambda *same: np.stack(same), *drawn)
        with jax.enable_x64(True):
            moved, beta = _blocks(now, weights, settings)
            now = np.asarray(moved)
        layers.append(now)
        betas.append(np.asarray(beta))
    return np.array(layers), np.array(betas)


@partial(jax.jit, static_argnames="settings")
def _blocks(now: jax.Array, weights: Any, settings: Settings) -> tuple[jax.Array, jax.Array]:
    """One block of each seed; without draws and singular values it compiles in a moment."""
    return jax.vmap(partial(manifold_geometric_block, settings=settings))(now, weights)


def measure(layers: np.ndarray, first: np.ndarray, betas: np.ndarray) -> np.ndarray:
    """Return the curves of tokens (layers, seeds, n, d), shape (curves, seeds, layers)."""
    size = len(first)
    norm = np.linalg.norm(layers, axis=(-2, -1))
    values = np.linalg.svd(layers, compute_uv=False)
    shares = values / values.sum(-1, keepdims=True)
    unit = layers / np.linalg.norm(layers, axis=-1, keepdims=True)
    cosines = unit @ unit.swapaxes(-2, -1)
    centered = layers - layers.mean(-2, keepdims=True)
    to_first = unit @ (first / np.linalg.norm(first, axis=1, keepdims=True)).T
    curves = (
        np.exp(entr(shares).sum(-1)),
        (cosines.sum((-2, -1)) - size) / (size * (size - 1)),
        norm / np.sqrt(first.size),
        np.linalg.norm(centered, axis=(-2, -1)) / norm,
        (to_first.argmax(-1) == np.arange(size)).mean(-1),
        betas,
        np.linalg.norm(layers - first, axis=(-2, -1)) / np.linalg.norm(first),
    )
    return np.stack(curves).swapaxes(1, 2)


def count_work(
    x: np.ndarray, depth: int, rules: tuple[str, ...], heads: int, seeds: int, **_: Any
) -> float:
    """Return the multiplications, an exponential taken as 100 and a random number as 60."""
    n, d = x.shape
    products = n * n * d + 14 * n * d * d + 8 * n * d * min(n, d)
    each = products + 100 * heads * n * n + 60 * 14 * d * d
    return float(len(rules) * seeds * depth * each)


def draw_profiles(found: tuple[Profile, ...]) -> "Figure":
    """Draw rank, cosine and identity over depth, the first seed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.2, 3.4), layout="constrained")
    panels = figure.subplots(1, 3)
    labels = ("effective rank", "mean cosine of tokens", "share of tokens nearest to their start")
    for panel, name, label in zip(
        panels, ("effective_rank", "mean_cosine", "identity"), labels, strict=True
    ):
        for profile in found:
            curve = getattr(profile, name)[0]
            panel.plot(np.arange(1, len(curve) + 1), curve, label=profile.rule)
        panel.set(xlabel="layer", ylabel=label)
    panels[0].set_ylim(0, None)
    panels[2].set_ylim(0, 1.05)
    panels[0].legend()
    return figure
