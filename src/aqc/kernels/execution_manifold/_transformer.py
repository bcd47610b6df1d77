"""A small transformer, and the task of modular addition of marked values that it learns."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

ATTENTION = ("query", "key", "value", "output")
_NORM_GUARD = 1e-5


class Network(NamedTuple):
    """Sizes of a transformer.

    Args:
        vocabulary: Tokens.
        length: Of a sequence.
        classes: Outputs.
        width: d.
        layers: L.
        heads: They divide the width.
        mlp: Whether layers have a two-layer network after their attention.
    """

    vocabulary: int
    length: int
    classes: int
    width: int
    layers: int
    heads: int
    mlp: bool

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each array of weights, in the order of the flat vector."""
        d = self.width
        found: dict[str, tuple[int, ...]] = {
            "tokens": (self.vocabulary, d),
            "positions": (self.length, d),
        }
        for layer in range(self.layers):
            found |= {f"{layer}.scale": (d,), f"{layer}.shift": (d,)}
            found |= {f"{layer}.{name}": (d, d) for name in ATTENTION}
            if self.mlp:
                found |= {f"{layer}.mlp_scale": (d,), f"{layer}.mlp_shift": (d,)}
                found |= {f"{layer}.up": (d, 4 * d), f"{layer}.down": (4 * d, d)}
        return found | {
            "scale": (d,),
            "shift": (d,),
            "head": (d, self.classes),
            "bias": (self.classes,),
        }

    @property
    def places(self) -> dict[str, slice]:
        """Where each array stands in the flat vector."""
        ends = np.cumsum([np.prod(shape) for shape in self.shapes.values()]).tolist()
        return {
            name: slice(a, b) for name, a, b in zip(self.shapes, [0, *ends[:-1]], ends, strict=True)
        }

    @property
    def parameters(self) -> int:
        """P."""
        return int(sum(np.prod(shape) for shape in self.shapes.values()))

    @property
    def blocks(self) -> dict[str, slice]:
        """The attention matrices, whose trajectories are analyzed, in the flat vector."""
        places = self.places
        return {
            f"layer {layer} {name}": places[f"{layer}.{name}"]
            for layer in range(self.layers)
            for name in ATTENTION
        }


def first_weights(network: Network, seed: int) -> np.ndarray:
    """Return random weights.

    Args:
        network: Its sizes.
        seed: Of the draw.

    Returns:
        The flat vector in single precision, shape (P,).

    Source: the deviations of the author's library: 1 for embeddings, 1 / sqrt(3 fan-in) for
        matrices.

    Example:
        >>> first_weights(Network(8, 4, 2, 4, 1, 1, False), 0).shape
        (138,)
    """
    rng = np.random.default_rng([seed, 0])
    parts = []
    for name, shape in network.shapes.items():
        if len(shape) == 1:
            parts.append(np.full(shape, float(name.endswith("scale"))))
        else:
            size = 1.0 if name in ("tokens", "positions") else (3 * shape[0]) ** -0.5
            parts.append(rng.normal(0, size, shape).ravel())
    return np.concatenate(parts).astype(np.float32)


def apply(network: Network, flat: jax.Array, tokens: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the outputs after the last token, and the attention that it pays in the last layer.

    Args:
        network: Its sizes.
        flat: Weights, shape (P,).
        tokens: Shape (batch, length).

    Returns:
        Logits, shape (batch, classes), and attention, shape (batch, heads, length).

    Source: a causal transformer that normalizes before each part, without biases in attention.

    Example:
        >>> network = Network(8, 4, 2, 4, 1, 2, False)
        >>> logits, attention = apply(
        ...     network, jnp.asarray(first_weights(network, 0)), jnp.zeros((3, 4), int)
        ... )
        >>> logits.shape, attention.shape, bool(jnp.allclose(attention.sum(-1), 1))
        ((3, 2), (3, 2, 4), True)
    """
    shapes = network.shapes
    w = {name: flat[place].reshape(shapes[name]) for name, place in network.places.items()}
    x = w["tokens"][tokens] + w["positions"]
    attention = jnp.zeros(0)
    for layer in range(network.layers):
        normal = _normalize(x) * w[f"{layer}.scale"] + w[f"{layer}.shift"]
        mixed, attention = _attend(network, normal, *(w[f"{layer}.{name}"] for name in ATTENTION))
        x = x + mixed
        if network.mlp:
            normal = _normalize(x) * w[f"{layer}.mlp_scale"] + w[f"{layer}.mlp_shift"]
            x = x + jax.nn.gelu(normal @ w[f"{layer}.up"]) @ w[f"{layer}.down"]
    last = _normalize(x[:, -1]) * w["scale"] + w["shift"]
    return last @ w["head"] + w["bias"], attention[:, :, -1]


def _normalize(x: jax.Array) -> jax.Array:
    centered = x - x.mean(-1, keepdims=True)
    return centered / jnp.sqrt((centered**2).mean(-1, keepdims=True) + _NORM_GUARD)


def _attend(
    network: Network,
    x: jax.Array,
    query: jax.Array,
    key: jax.Array,
    value: jax.Array,
    output: jax.Array,
) -> tuple[jax.Array, jax.Array]:
    size = network.width // network.heads
    # b t h s, from one matrix for all heads
    q, k, v = (
        (x @ matrix).reshape(*x.shape[:2], network.heads, size) for matrix in (query, key, value)
    )
    scores = jnp.einsum("bthe,bshe->bhts", q, k) / size**0.5
    earlier = np.tril(np.ones((network.length, network.length), bool))
    weights = jax.nn.softmax(jnp.where(earlier, scores, -jnp.inf), axis=-1)
    mixed = jnp.einsum("bhts,bshe->bthe", weights, v).reshape(x.shape)
    return mixed @ output, weights


def loss(network: Network, flat: jax.Array, tokens: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the mean cross-entropy of a batch.

    Args:
        network: Its sizes.
        flat: Weights, shape (P,).
        tokens: Shape (batch, length).
        labels: Shape (batch,).

    Returns:
        A scalar.

    Source: arXiv:2602.10496.

    Example:
        >>> network = Network(8, 4, 2, 4, 1, 2, False)
        >>> weights = jnp.zeros(network.parameters)
        >>> round(float(loss(network, weights, jnp.zeros((3, 4), int), jnp.zeros(3, int))), 4)
        0.6931
    """
    logits, _ = apply(network, flat, tokens)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def draw_batch(
    network: Network, markers: tuple[int, ...], batch: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return sequences in which marked values are to be added, and their sums.

    Token C + i marks slot i; the token after it is a value in 0..C-1. The label is the sum of the
    m values modulo C. All other tokens are neither values nor markers. The slots are those of the
    whole batch, never next to each other's values.

    Args:
        network: Its sizes; C is `classes`.
        markers: Numbers m of slots, of which one is drawn for the batch.
        batch: Sequences.
        rng: Of all draws.

    Returns:
        Tokens, shape (batch, length), and labels, shape (batch,).

    Source: arXiv:2602.10496 and its code.

    Example:
        >>> tokens, labels = draw_batch(
        ...     Network(20, 8, 5, 4, 1, 1, False), (2,), 3, np.random.default_rng(0)
        ... )
        >>> [int(sum(row[row < 5]) % 5) for row in tokens] == labels.tolist()
        True
    """
    m = int(rng.choice(markers))
    classes, length = network.classes, network.length
    tokens = rng.integers(classes + max(markers), network.vocabulary, (batch, length))
    # m pairs of tokens after the first one, none overlapping: every arrangement equally often.
    free = length - 1 - m
    slots = 1 + np.sort(rng.choice(free, m, replace=False)) + np.arange(m)
    values = rng.integers(classes, size=(batch, m))
    tokens[:, slots] = classes + np.arange(m)
    tokens[:, slots + 1] = values
    return tokens, values.sum(1) % classes
