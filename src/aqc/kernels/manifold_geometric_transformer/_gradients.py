"""How large gradients are at each layer, and the profile of a network of one's own."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import jax
import numpy as np
from annotated_types import Interval, Len
from jaxtyping import Float

from aqc.errors import InputError
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
from aqc.kernels.manifold_geometric_transformer._profile import (
    Profile,
    check_tokens,
    count_work,
    profile_of,
    refuse_overflow,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_TOKENS = 20_000_000  # numbers of all layers' tokens, kept for the way back
_ATTENTION, _MLP = ("query", "key", "value", "out"), ("up", "down")
_EACH = ("gate", "beta", "bias")


@dataclass(frozen=True)
class Sublayers:
    """What makes gate and beta of each layer's sublayer.

    Args:
        gate: Shape (L, d, d).
        beta: Shape (L, d, 1), or (L, d, d) for vectors of betas.
        bias: b_0 of beta, shape (L,).
    """

    gate: Float[np.ndarray, "L d d"]
    beta: Float[np.ndarray, "L d b"]
    bias: Float[np.ndarray, " L"]


@dataclass(frozen=True)
class Mlp:
    """The weights of the second sublayers, stacked.

    Args:
        up: Shape (L, d, m).
        down: Shape (L, m, d).
        own: Of gate and beta.
    """

    up: Float[np.ndarray, "L d m"]
    down: Float[np.ndarray, "L m d"]
    own: Sublayers


@dataclass(frozen=True)
class Stack:
    """The weights of L layers, stacked.

    Args:
        query: Shape (L, d, d), as the three others.
        key: Of the attention.
        value: Of the attention.
        out: Of the heads' concatenated answers.
        own: Of gate and beta of the attention.
        mlp: Of the second sublayers; None without.
    """

    query: Float[np.ndarray, "L d d"]
    key: Float[np.ndarray, "L d d"]
    value: Float[np.ndarray, "L d d"]
    out: Float[np.ndarray, "L d d"]
    own: Sublayers
    mlp: Mlp | None = None


@dataclass(frozen=True)
class Gradients:
    """Norms of gradients on their way back.

    Args:
        rule: Its name.
        norm: ||d <u, x_L> / d x_l|| for l = 0 ... L with a random u of norm one, shape
            (seeds, L + 1); the last is 1.
    """

    rule: str
    norm: np.ndarray


@dataclass(frozen=True)
class OwnProfile:
    """What a network of one's own does to tokens.

    Args:
        profile: With one seed.
        gradients: With one seed.
    """

    profile: Profile
    gradients: Gradients


@checked(n=(2, 256), d=(8, 256))
def profile_gradients(
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
) -> tuple[Gradients, ...]:
    """Send gradients back through a deep transformer at initialization, by rule.

    g_l = ||d <u, x_L> / d x_l||, u random with norm one

    Args:
        x: Tokens, shape (n, d).
        depth: Blocks L, each with weights of its own; n d L and seeds at most 2e7 in all.
        rules: As in `profile_rank_collapse`, like all others.
        heads: See there.
        mlp: See there.
        norm: See there.
        projection: See there.
        beta_mode: See there.
        alpha: See there.
        beta_bias: See there.
        seeds: See there.

    Returns:
        The norms for each rule.

    Raises:
        InputError: As `profile_rank_collapse`; or the tokens of all layers are too many.
        DivergenceError: Tokens or gradients overflow or vanish.

    Source:
        A diagnostic of arXiv:2601.01014's protocol, which has no experiment.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(8, 8))
        >>> (plain,) = profile_gradients(x, 6, rules=["vanilla"])
        >>> plain.norm.shape
        (1, 7)
    """
    check_tokens(x, rules, heads)
    if x.size * depth * seeds > _MOST_TOKENS:
        raise InputError(
            f"`depth` must keep n d L seeds at most {_MOST_TOKENS}, but makes it "
            f"{x.size * depth * seeds}.",
            "/depth",
        )
    found = []
    for rule in rules:
        settings = Settings(rule, heads, mlp, norm, projection, beta_mode, alpha)
        norms = []
        for seed in range(seeds):
            weights = partial(_drawn, seed, x.shape[1], settings, beta_bias)
            norms.append(_there_and_back(x, weights, depth, settings)[2])
        found.append(Gradients(rule, np.array(norms)))
    return tuple(found)


@checked(n=(2, 256), d=(8, 256), L=(1, 512), m=(1, 1024), b=(1, 256))
def profile_own_layers(
    x: Float[np.ndarray, "n d"],
    layers: Stack,
    rule: Rule = "mgt",
    heads: Annotated[int, Interval(ge=1, le=16)] = 4,
    norm: Norm = "pre",
    projection: Projection = "value",
    beta_mode: BetaMode = "householder",
    alpha: Annotated[float, Interval(ge=0, le=2)] = 1.0,
) -> OwnProfile:
    """Profile tokens and gradients of a network whose weights are given, trained or not.

    x' = x + beta (v - alpha Proj(x)),  v = sublayer(LN x) * sigmoid(LN(x) W_gate)

    Args:
        x: Tokens, shape (n, d).
        layers: Weights of all layers, stacked.
        rule: "none", "vanilla", "mhc", "ddl" or "mgt"; weights that it does not use are ignored.
        heads: Of the attention; they divide d.
        norm: Layer norm before the sublayers, or after each change.
        projection: "value", along v, or "self", all of x.
        beta_mode: How beta is made; "tanh_vector" takes a beta of shape (L, d, d).
        alpha: Weight of what is erased.

    Returns:
        Curves over the layers, and the norms of gradients.

    Raises:
        InputError: `heads` does not divide d, stacks differ in L, or beta does not fit its mode.
        DivergenceError: The numbers overflow, or vanish, at a layer, which is told.

    Source:
        arXiv:2601.01014; see `profile_rank_collapse`.

    Example:
        >>> x, eye = np.random.default_rng(0).normal(size=(8, 8)), np.tile(np.eye(8), (3, 1, 1))
        >>> own = Sublayers(eye, eye[:, :, :1], np.zeros(3))
        >>> found = profile_own_layers(x, Stack(eye, eye, eye, eye, own), "vanilla")
        >>> found.profile.effective_rank.shape, found.gradients.norm.shape
        ((1, 3), (1, 4))
    """
    check_tokens(x, (rule,), heads)
    blocks = _blocks_of(layers, x.shape[1] if beta_mode == "tanh_vector" else 1)
    depth = len(layers.query)
    settings = Settings(rule, heads, layers.mlp is not None, norm, projection, beta_mode, alpha)
    tokens, betas, norms = _there_and_back(x, blocks, depth, settings)
    profile = profile_of(rule, tokens[1:, None], x, betas[:, None])
    return OwnProfile(profile, Gradients(rule, norms[None]))


def gradient_work(**arguments: Any) -> float:
    """Return the multiplications: forward once, and thrice for the way back."""
    return 4 * count_work(**arguments)


def own_work(x: np.ndarray, layers: Stack, heads: int, **_: Any) -> float:
    """Return the multiplications likewise."""
    return gradient_work(x=x, depth=len(layers.query), rules=("own",), heads=heads, seeds=1)


def draw_gradients(found: tuple[Gradients, ...]) -> "Figure":
    """Draw the norms over the layers, the first seed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    axes = figure.add_subplot()
    for one in found:
        axes.semilogy(np.arange(one.norm.shape[1]), one.norm[0], label=one.rule)
    axes.set(xlabel="layer", ylabel="norm of the gradient there")
    axes.legend()
    return figure


def _drawn(seed: int, width: int, settings: Settings, beta_bias: float, layer: int) -> Any:
    return draw_block(np.random.default_rng([seed, layer]), width, settings, beta_bias)


def _blocks_of(layers: Stack, columns: int) -> Callable[[int], Any]:
    """Return a function that gives one layer's weights as `draw_block` does."""
    parts: list[tuple[Any, tuple[str, ...]]] = [(layers, _ATTENTION)]
    if layers.mlp is not None:
        parts.append((layers.mlp, _MLP))
    for number, (part, names) in enumerate(parts):
        where = "layers.mlp." if number else "layers."
        refuse_huge(**{where + name: getattr(part, name) for name in names})
        refuse_huge(**{f"{where}own.{f.name}": getattr(part.own, f.name) for f in fields(part.own)})
        if part.own.beta.shape[2] != columns:
            raise InputError(
                f"`{where}own.beta` must have {columns} columns for this `beta_mode`, but has "
                f"{part.own.beta.shape[2]}.",
                "/" + where.replace(".", "/") + "own/beta",
            )

    def block(layer: int) -> Any:
        return [
            {name: getattr(part, name)[layer] for name in names}
            | {name: getattr(part.own, name)[layer] for name in _EACH}
            for part, names in parts
        ]

    return block


def _there_and_back(
    x: np.ndarray, block: Callable[[int], Any], depth: int, settings: Settings
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the tokens of all layers, (L + 1, n, d), mean |beta| and the gradients' norms."""
    tokens, betas = [x], []
    with jax.enable_x64(True):
        for layer in range(depth):
            moved, beta = _forward(tokens[-1], block(layer), settings)
            tokens.append(np.asarray(moved))
            betas.append(float(beta))
            refuse_overflow(tokens[-1][None, None], settings.rule, layer)
        gradient = np.random.default_rng(0).normal(size=x.shape)
        gradient /= np.linalg.norm(gradient)
        norms = [1.0]
        for layer in reversed(range(depth)):
            gradient = np.asarray(_back(tokens[layer], block(layer), gradient, settings))
            refuse_overflow(gradient[None, None], f"{settings.rule}, as gradients,", layer)
            norms.append(float(np.linalg.norm(gradient)))
    return np.array(tokens), np.array(betas), np.array(norms[::-1])


@partial(jax.jit, static_argnames="settings")
def _forward(x: jax.Array, weights: Any, settings: Settings) -> tuple[jax.Array, jax.Array]:
    return manifold_geometric_block(x, weights, settings)


@partial(jax.jit, static_argnames="settings")
def _back(x: jax.Array, weights: Any, gradient: jax.Array, settings: Settings) -> jax.Array:
    _, pull = jax.vjp(lambda x: manifold_geometric_block(x, weights, settings)[0], x)
    return pull(gradient)[0]
