"""What is measured at a snapshot of a training: dimensions, and the commutator's alignment."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from aqc.errors import DivergenceError
from aqc.kernels.execution_manifold._commutator import commutator, project
from aqc.kernels.execution_manifold._trajectory import (
    SNAPSHOTS,
    Dimensions,
    principal_directions,
    trajectory_effective_dimension,
)
from aqc.kernels.execution_manifold._transformer import Network, apply, draw_batch, loss

_TEST_BATCHES, _TEST_SIZE = 8, 32


@functools.partial(jax.jit, static_argnames="network")
def _assess(
    weights: jax.Array, tokens: jax.Array, labels: jax.Array, *, network: Network
) -> tuple[jax.Array, jax.Array, jax.Array]:
    logits, attention = apply(network, weights, tokens)
    value = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
    right = (jnp.argmax(logits, 1) == labels).mean()
    return value, right, jax.scipy.special.entr(attention).sum(-1).mean()


@functools.partial(jax.jit, static_argnames="network")
def _gradient(
    weights: jax.Array, tokens: jax.Array, labels: jax.Array, *, network: Network
) -> jax.Array:
    return jax.grad(lambda w: loss(network, w, tokens, labels))(weights)


def commutators(
    network: Network, weights: np.ndarray, tokens: np.ndarray, labels: np.ndarray, eta: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the commutators of pairs of batches, in double precision.

    Args:
        network: Its sizes.
        weights: Shape (P,).
        tokens: Shape (pairs, 2, batch, length).
        labels: Shape (pairs, 2, batch).
        eta: Step size.

    Returns:
        delta, shape (pairs, P), and the defects, shape (pairs,).

    Source: arXiv:2602.10496.

    Example:
        >>> from aqc.kernels.execution_manifold._transformer import first_weights
        >>> network = Network(12, 8, 3, 16, 1, 2, False)
        >>> rng = np.random.default_rng(0)
        >>> (x, a), (y, b) = (draw_batch(network, (1,), 4, rng) for _ in range(2))
        >>> deltas, defects = commutators(
        ...     network, first_weights(network, 0), np.array([[x, y]]), np.array([[a, b]]), 1e-3
        ... )
        >>> deltas.shape == (1, network.parameters), defects.shape
        (True, (1,))
    """
    found = []
    with jax.enable_x64(True):
        for x, y in zip(tokens, labels, strict=True):
            first, second = (
                functools.partial(_gradient_of, network, x[which], y[which]) for which in (0, 1)
            )
            found.append(commutator(first, second, weights.astype(float), eta))
    deltas, defects = zip(*found, strict=True)
    return np.stack(deltas), np.array(defects)


def _gradient_of(
    network: Network, tokens: np.ndarray, labels: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    return np.asarray(_gradient(weights, tokens, labels, network=network))


def measure(
    network: Network,
    markers: tuple[int, ...],
    batch: int,
    pairs: int,
    eta: float,
    n_components: int,
    threshold: float,
    seed: int,
    state: dict[str, Any],
) -> dict[str, Any]:
    """Take a snapshot, and measure what can be measured with those so far.

    Args:
        network: Its sizes.
        markers: Numbers of values to add.
        batch: Sequences.
        pairs: Of batches.
        eta: Step size of the commutators.
        n_components: Directions of each block.
        threshold: Share of the variance.
        seed: Of the batches.
        state: Of the training.

    Returns:
        The state with one more snapshot and its measurements.

    Source: arXiv:2602.10496.
    """
    done, weights = state["done"], state["weights"]
    rng = np.random.default_rng([seed, 2, done])
    tests = [
        draw_batch(network, (m,), _TEST_SIZE, rng) for m in markers for _ in range(_TEST_BATCHES)
    ]
    data = [np.concatenate(part) for part in zip(*tests, strict=True)]
    with jax.enable_x64(False):
        values = [float(x) for x in _assess(weights, *data, network=network)]
    blocks = network.blocks
    snapshot = np.concatenate([weights[place] for place in blocks.values()])
    state = state | {
        "snapshots": np.vstack([state["snapshots"], snapshot]),
        "course": [*state["course"], (done, *values)],
    }
    if len(state["snapshots"]) < max(SNAPSHOTS[0], n_components + 1):
        return state
    draws = [draw_batch(network, markers, batch, rng) for _ in range(2 * pairs)]
    tokens, labels = (
        np.stack(part).reshape(pairs, 2, *part[0].shape) for part in zip(*draws, strict=True)
    )
    deltas, defects = commutators(network, weights, tokens, labels, eta)
    path = state["snapshots"].astype(float)
    columns = np.split(path, len(blocks), axis=1)
    directions = [principal_directions(column, n_components) for column in columns]
    basis = list(zip(blocks.values(), directions, strict=True))
    share = project(median_commutator(deltas, defects, done)[None], basis)
    record = (
        done,
        float(share.inside[0]),
        float(share.outside[0]),
        share.random,
        float(share.ratio[0]),
        float(np.median(defects)),
        float(np.quantile(defects, 0.9)),
    )
    dimension = block_dimensions(path, len(blocks), threshold).dimension.tolist()
    return state | {"measured": [*state["measured"], (record, dimension)]}


def median_commutator(deltas: np.ndarray, defects: np.ndarray, step: int) -> np.ndarray:
    """Return the commutator of median defect.

    Args:
        deltas: Shape (pairs, P).
        defects: Shape (pairs,).
        step: Of the training, for the error.

    Returns:
        Shape (P,).

    Raises:
        DivergenceError: It is zero.

    Source: arXiv:2602.10496.

    Example:
        >>> median_commutator(np.eye(3), np.array([3.0, 1.0, 2.0]), 0).tolist()
        [0.0, 0.0, 1.0]
    """
    middle = deltas[np.argsort(defects)[len(defects) // 2]]
    if not middle.any():
        raise DivergenceError(
            f"The commutator at step {step} is zero in double precision: its fractions are "
            "undefined; take fewer steps or a lower `learning_rate`."
        )
    return np.asarray(middle)


def block_dimensions(path: np.ndarray, blocks: int, threshold: float) -> Dimensions:
    """Return the dimensions of blocks of equal size.

    Args:
        path: Shape (S, P).
        blocks: Their number.
        threshold: Share of the variance.

    Returns:
        As of `trajectory_effective_dimension`.

    Source: see there.

    Example:
        >>> block_dimensions(np.outer(np.arange(5.0), [1.0, 2.0]), 2, 0.9).dimension.tolist()
        [1, 1]
    """
    sizes = (path.shape[1] // blocks,) * blocks
    found: Dimensions = trajectory_effective_dimension(path, sizes, threshold)
    return found
