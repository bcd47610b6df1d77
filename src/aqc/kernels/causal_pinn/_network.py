"""The network, the losses of its residuals, and how it is trained."""

import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from aqc.kernels.causal_pinn._systems import Rate

_DECAY, _DECAY_STEPS = 0.9, 2000
_FINER = 16

# Weights and biases by layer; with gates, those of the two encodings that the layers mix.
Layers = dict[str, list[tuple[Any, Any]]]


def causal_weights(losses: jax.Array, eps: Any) -> jax.Array:
    """Return w_i = exp(-eps sum_{k<i} L_k), without a gradient.

    Args:
        losses: L_i, (n,).
        eps: Causality parameter.
    """
    before = jnp.cumsum(losses) - losses
    weights: jax.Array = jax.lax.stop_gradient(jnp.exp(-eps * before))
    return weights


def causal_loss(losses: jax.Array, eps: Any) -> jax.Array:
    """Return mean_i w_i L_i."""
    loss: jax.Array = jnp.mean(causal_weights(losses, eps) * losses)
    return loss


def start_layers(
    shape: tuple[int, ...], learning_rate: float, seed: int, gated: bool = False
) -> tuple[list[Any], Any]:
    """Return random layers and the optimizer's moments as a list, and their structure."""
    rng = np.random.default_rng(seed)

    def draw(a: int, b: int) -> tuple[np.ndarray, np.ndarray]:
        scale = np.sqrt(2 / (a + b))
        return (scale * rng.normal(size=(a, b))).astype(np.float32), np.zeros(b, np.float32)

    layers = {"layers": [draw(a, b) for a, b in itertools.pairwise(shape)], "gates": []}
    if gated:
        layers["gates"] = [draw(*shape[:2]) for _ in range(2)]
    leaves, tree = jax.tree.flatten((layers, optimizer_of(learning_rate).init(layers)))
    return list(map(np.asarray, leaves)), tree


def optimizer_of(learning_rate: Any) -> optax.GradientTransformation:
    """Return Adam with the rate that falls."""
    return optax.adam(lambda count: learning_rate * _DECAY ** (count / _DECAY_STEPS))


def forward(layers: Layers, x: jax.Array) -> jax.Array:
    """Return N(x); with gates h <- (1 - z) U + z V, z = tanh(h W + b), the "modified MLP"."""
    *hidden, (weight, bias) = layers["layers"]
    encodings = [jnp.tanh(x @ w + b) for w, b in layers["gates"]]
    for number, (w, b) in enumerate(hidden):
        x = jnp.tanh(x @ w + b)
        if encodings and number:
            x = (1 - x) * encodings[0] + x * encodings[1]
    return x @ weight + bias


def network(layers: Layers, t: jax.Array, u0: jax.Array, reach: jax.Array) -> jax.Array:
    """Return u(t) = u0 + t N(t) for one time; N sees t scaled to [-1, 1]."""
    return u0 + t * forward(layers, jnp.array([2 * t / reach - 1]))


def losses_of(
    layers: Layers, times: jax.Array, u0: jax.Array, matrix: jax.Array, rate: Rate
) -> jax.Array:
    """Return L_i."""

    def both(t: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jax.jvp(lambda s: network(layers, s, u0, times[-1]), (t,), (jnp.ones_like(t),))

    u, slope = jax.vmap(both)(times)
    return jnp.mean((slope - rate(matrix, u)) ** 2, axis=-1)


@functools.partial(jax.jit, static_argnames=("tree", "rate"))
def train(
    leaves: list[Any],
    times: Any,
    u0: Any,
    matrix: Any,
    eps: Any,
    count: Any,
    tree: Any,
    learning_rate: Any,
    rate: Rate,
) -> tuple[list[Any], jax.Array, jax.Array]:
    """Make `count` iterations; return the leaves, the loss and the least weight after them."""
    times = jnp.asarray(times)
    optimizer = optimizer_of(learning_rate)

    def loss_of(layers: Layers) -> jax.Array:
        return causal_loss(losses_of(layers, times, u0, matrix, rate), eps)

    def one(_: jax.Array, given: Any) -> Any:
        layers, moments = given
        step, moments = optimizer.update(jax.grad(loss_of)(layers), moments, layers)
        return optax.apply_updates(layers, step), moments

    given = jax.lax.fori_loop(0, count, one, jax.tree.unflatten(tree, leaves))
    losses = losses_of(given[0], times, u0, matrix, rate)
    return jax.tree.leaves(given), causal_loss(losses, eps), causal_weights(losses, eps).min()


def read_off(
    leaves: list[Any], tree: Any, times: np.ndarray, u0: np.ndarray, matrix: Any, rate: Rate
) -> tuple[np.ndarray, np.ndarray]:
    """Return u and L_i at the times."""
    layers, _ = jax.tree.unflatten(tree, list(map(jnp.asarray, leaves)))
    at = jnp.asarray(times)
    path = jax.vmap(lambda t: network(layers, t, jnp.asarray(u0), at[-1]))(at)
    losses = losses_of(layers, at, jnp.asarray(u0), jnp.asarray(matrix), rate)
    return np.asarray(path, float), np.asarray(losses, float)


def value_at(
    leaves: list[Any], tree: Any, t: float, times: np.ndarray, u0: np.ndarray
) -> np.ndarray:
    """Return u at one time."""
    layers, _ = jax.tree.unflatten(tree, list(map(jnp.asarray, leaves)))
    return np.asarray(network(layers, jnp.float32(t), jnp.asarray(u0), jnp.asarray(times[-1])))


def weight_between(
    leaves: list[Any],
    tree: Any,
    times: np.ndarray,
    u0: np.ndarray,
    matrix: Any,
    rate: Rate,
    eps: float,
) -> float:
    """Return the least weight of times _FINER times as dense, each counted for less by as much."""
    layers, _ = jax.tree.unflatten(tree, list(map(jnp.asarray, leaves)))
    dense = jnp.linspace(times[0], times[-1], _FINER * (len(times) - 1) + 1)
    losses = losses_of(layers, dense, jnp.asarray(u0), jnp.asarray(matrix), rate)
    return float(causal_weights(losses / _FINER, eps).min())
