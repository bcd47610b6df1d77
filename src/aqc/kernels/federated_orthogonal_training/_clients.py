"""Clients: their samples, their local training, and the round that joins it."""

from typing import Any

import jax
import numpy as np
import optax


def split(
    labels: np.ndarray, clients: int, dirichlet: float | None, rng: np.random.Generator
) -> list[np.ndarray]:
    """Return the samples of each client, at least one.

    Args:
        labels: Shape (n,).
        clients: C.
        dirichlet: Concentration of each class's shares; None for equal shares by chance.
        rng: Of the draws.

    Returns:
        C arrays of rows, disjoint, together all.

    Source: the two partitions in common use.

    Example:
        >>> shares = split(np.arange(10) % 2, 3, 0.1, np.random.default_rng(0))
        >>> sorted(np.concatenate(shares).tolist()) == list(range(10))
        True
    """
    rows = rng.permutation(len(labels))
    if dirichlet is None:
        return np.array_split(rows, clients)
    owner = np.full(len(labels), -1)
    owner[rows[:clients]] = np.arange(clients)  # nobody goes without
    for label in np.unique(labels):
        free = np.flatnonzero((labels == label) & (owner < 0))
        # Gamma variables of a small concentration may all vanish: their logarithms do not.
        logs = np.log(rng.gamma(dirichlet + 1, size=clients))
        logs += np.log(1 - rng.random(clients)) / dirichlet
        weights = np.exp(logs - logs.max())
        owner[free] = rng.choice(clients, len(free), p=weights / weights.sum())
    return [np.flatnonzero(owner == client) for client in range(clients)]


def order_of_task(inputs: int, task: int, seed: int) -> np.ndarray:
    if task == 0:
        return np.arange(inputs)
    return np.random.default_rng([seed, 3, task]).permutation(inputs)


def draw_rows(shares: list[np.ndarray], steps: int, batch: int, key: list[int]) -> np.ndarray:
    """Return the samples of every step, shape (clients, steps, batch): shuffled epochs in a row."""
    rng = np.random.default_rng(key)
    found = []
    for share in shares:
        epochs = -(-steps * batch // len(share))
        rows = np.concatenate([rng.permutation(share) for _ in range(epochs)])
        found.append(rows[: steps * batch].reshape(steps, batch))
    return np.stack(found)


def layer_inputs(weights: list[Any], x: Any) -> list[Any]:
    """Return the inputs of each layer, and the outputs.

    Args:
        weights: Of each layer, shape (outputs, inputs).
        x: Shape (n, inputs).

    Returns:
        One array more than layers.

    Source: a ReLU network without biases.

    Example:
        >>> [float(x[0]) for x in layer_inputs([np.eye(1), -np.eye(1)], np.ones(1))]
        [1.0, 1.0, -1.0]
    """
    found = [x]
    for number, weight in enumerate(weights):
        x = x @ weight.T
        found.append(x if number == len(weights) - 1 else jax.nn.relu(x))
        x = found[-1]
    return found


@jax.jit
def advance(
    weights: list[jax.Array],
    projectors: list[jax.Array],
    x: jax.Array,
    y: jax.Array,
    rows: jax.Array,
    learning_rate: jax.Array,
) -> list[jax.Array]:
    """Train for the rounds that `rows` (rounds, clients, steps, batch) has, both algorithms."""

    def loss(weights: list[jax.Array], rows: jax.Array) -> jax.Array:
        logits = layer_inputs(weights, x[rows])[-1]
        return optax.softmax_cross_entropy_with_integer_labels(logits, y[rows]).mean()

    def local(weights: list[jax.Array], rows: jax.Array) -> list[jax.Array]:
        def step(weights: list[jax.Array], rows: jax.Array) -> tuple[list[jax.Array], None]:
            slopes = jax.grad(loss)(weights, rows)
            return [w - learning_rate * g for w, g in zip(weights, slopes, strict=True)], None

        return jax.lax.scan(step, weights, rows)[0]

    def run(weights: list[jax.Array], projectors: list[jax.Array]) -> list[jax.Array]:
        def one_round(weights: list[jax.Array], rows: jax.Array) -> tuple[list[jax.Array], None]:
            sent = jax.vmap(local, in_axes=(None, 0))(weights, rows)
            moved = []
            for w, of_clients, projector in zip(weights, sent, projectors, strict=True):
                update = w - of_clients.mean(0)
                moved.append(w - (update - update @ projector))
            return moved, None

        return jax.lax.scan(one_round, weights, rows)[0]

    return jax.vmap(run)(weights, projectors)


def measure_accuracy(
    weights: list[np.ndarray], points: np.ndarray, labels: np.ndarray, orders: list[np.ndarray]
) -> np.ndarray:
    """Return the accuracy of both algorithms on every task, shape (2, tasks)."""
    found = np.zeros((2, len(orders)))
    for algorithm in (0, 1):
        own = [w[algorithm] for w in weights]
        for task, order in enumerate(orders):
            logits = np.asarray(layer_inputs(own, points[:, order].astype(np.float32))[-1])
            found[algorithm, task] = np.mean(logits.argmax(1) == labels)
    return found
