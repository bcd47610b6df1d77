"""The block: a sublayer's output, its gate, and the rule by which it changes the tokens."""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Rule = Literal["none", "vanilla", "mhc", "ddl", "mgt"]
Projection = Literal["value", "self"]
BetaMode = Literal["householder", "tanh_scalar", "tanh_vector"]
Norm = Literal["pre", "post"]

_EPS = 1e-12  # under roots: far below rounding of anything normalized


class Settings(NamedTuple):
    """What a block is, apart from its weights; hashable.

    Args:
        rule: "none" v alone, "vanilla" x + v, "mhc" x + gated v, "ddl" the delta rule, "mgt" the
            delta rule on the gated v.
        heads: Of the attention.
        mlp: Whether a second sublayer, of width 4 d, follows.
        norm: Before each sublayer, or after each change.
        projection: What the delta rule erases: the tokens' part along v, or the tokens.
        beta_mode: How beta is made of the tokens.
        alpha: Weight of what is erased.
    """

    rule: Rule
    heads: int = 4
    mlp: bool = True
    norm: Norm = "pre"
    projection: Projection = "value"
    beta_mode: BetaMode = "householder"
    alpha: float = 1.0


def draw_block(
    rng: np.random.Generator, width: int, settings: Settings, beta_bias: float = 0.0
) -> Any:
    """Draw the weights of one block, of variance 1 / fan-in.

    Args:
        rng: Of NumPy: to draw there costs JAX no compilation.
        width: d.
        settings: Of the block.
        beta_bias: b_0 of beta.

    Returns:
        For each sublayer a dict of its own weights, `gate`, `beta` and `bias`.
    """
    shapes: list[dict[str, tuple[int, ...]]] = [
        dict.fromkeys(("query", "key", "value", "out"), (width, width))
    ]
    if settings.mlp:
        shapes.append({"up": (width, 4 * width), "down": (4 * width, width)})
    columns = width if settings.beta_mode == "tanh_vector" else 1
    blocks = []
    for own in shapes:
        every = own | {"gate": (width, width), "beta": (width, columns)}
        drawn = {name: rng.normal(size=s) / s[0] ** 0.5 for name, s in every.items()}
        blocks.append(drawn | {"bias": np.float64(beta_bias)})
    return blocks


def manifold_geometric_block(
    x: jax.Array, weights: Any, settings: Settings
) -> tuple[jax.Array, jax.Array]:
    """Return the tokens after one block, and the mean of |beta|; plain JAX.

    Args:
        x: Tokens, shape (n, d).
        weights: As from `draw_block`.
        settings: Of the block.

    Returns:
        Tokens, shape (n, d), and a number.
    """
    sizes = []
    for own in weights:
        seen = normalize(x) if settings.norm == "pre" else x
        raw = _attend(seen, own, settings.heads) if "query" in own else _mlp(seen, own)
        seen = normalize(x)
        beta = beta_of(seen, own, settings.beta_mode)
        if settings.rule in ("mhc", "mgt"):
            raw = raw * jax.nn.sigmoid(seen @ own["gate"])
        x = apply_rule(x, raw, beta, settings)
        x = normalize(x) if settings.norm == "post" else x
        sizes.append(jnp.abs(beta).mean())
    return x, jnp.stack(sizes).mean()


def apply_rule(x: jax.Array, v: jax.Array, beta: jax.Array, settings: Settings) -> jax.Array:
    """Return x changed by v: x + beta (v - alpha Proj(x)) for the rules with a delta.

    Args:
        x: Tokens, shape (n, d).
        v: What a sublayer writes, shape (n, d).
        beta: Shape (n, 1) or (n, d).
        settings: Of the block.
    """
    if settings.rule == "none":
        return v
    if settings.rule in ("vanilla", "mhc"):
        return x + v
    erased = x
    if settings.projection == "value":
        unit = v / jnp.sqrt(jnp.sum(v**2, -1, keepdims=True) + _EPS**2)
        erased = unit * jnp.sum(unit * x, -1, keepdims=True)
    return x + beta * (v - settings.alpha * erased)


def beta_of(seen: jax.Array, own: Any, mode: BetaMode) -> jax.Array:
    """Return beta of normalized tokens, shape (n, 1), or (n, d) for vectors."""
    raw = seen @ own["beta"] + own["bias"]
    return 2 * jax.nn.sigmoid(raw) if mode == "householder" else jnp.tanh(raw)


def normalize(x: jax.Array) -> jax.Array:
    """Return each token with mean 0 and variance 1."""
    centered = x - x.mean(-1, keepdims=True)
    return centered / jnp.sqrt((centered**2).mean(-1, keepdims=True) + _EPS)


def _attend(x: jax.Array, own: Any, heads: int) -> jax.Array:
    size, width = x.shape

    def split(w: jax.Array) -> jax.Array:
        return (x @ w).reshape(size, heads, width // heads)

    q, k, v = (split(own[name]) for name in ("query", "key", "value"))
    scores = jnp.einsum("ihc,jhc->hij", q, k) / (width // heads) ** 0.5
    mixed = jnp.einsum("hij,jhc->ihc", jax.nn.softmax(scores, -1), v)
    return mixed.reshape(size, width) @ own["out"]


def _mlp(x: jax.Array, own: Any) -> jax.Array:
    return jax.nn.gelu(x @ own["up"]) @ own["down"]
