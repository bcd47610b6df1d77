"""Levenberg-Marquardt on a model's residuals and ridge, several starts, step by step."""

from collections.abc import Generator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.linalg import cho_factor, cho_solve

from aqc.errors import DivergenceError
from aqc.kernels.dapc_neural_network._models import Model, count_weights, draw_weights

_CHUNK = 32  # columns of the Jacobian at a time, which bounds the memory
_FLAT = 1e-9  # relative slope at which a run has converged


class Run(NamedTuple):
    """One start's way down.

    Args:
        weights: Where it ended.
        cost: Residuals and ridge there, (1 / 2) sum of squares.
        evaluations: Of the residuals.
        history: Root mean square of residuals and ridge over the points, after each evaluation.
    """

    weights: np.ndarray
    cost: float
    evaluations: int
    history: np.ndarray


def descend(
    model: Model,
    x: np.ndarray,
    y: np.ndarray,
    ridge: float,
    evaluations: int,
    restarts: int,
    seed: int,
    state: Any = None,
) -> Generator[tuple[float, Any], None, list[Run]]:
    """Minimize |f(x; w) - y|^2 + ridge N |w|^2 from several starts.

    Args:
        model: What is fitted.
        x: Shape (N, n).
        y: Of mean 0 and standard deviation 1, shape (N, m).
        ridge: lambda.
        evaluations: Most evaluations of the residuals of one start.
        restarts: Number of starts.
        seed: Of the starts.
        state: What was yielded, to go on from there.

    Yields:
        (fraction done, state) after every evaluation.

    Returns:
        The runs, one for each start.

    Raises:
        DivergenceError: A start has no finite residuals.
    """
    starts = [draw_weights(model, np.random.default_rng([seed, i])) for i in range(restarts)]
    finished: list[Run] = []
    inner = None
    if state is not None:
        finished = [Run(*run) for run in state[0]]
        inner = state[1]
    for i in range(len(finished), restarts):
        walk = _walk(model, x, y, ridge, evaluations, starts[i], inner)
        inner = None
        while True:
            try:
                done, inside = next(walk)
            except StopIteration as stop:
                finished.append(stop.value)
                break
            yield (i + done) / restarts, ([tuple(run) for run in finished], inside)
    return finished


def _walk(
    model: Model,
    x: np.ndarray,
    y: np.ndarray,
    ridge: float,
    evaluations: int,
    start: np.ndarray,
    state: Any,
) -> Generator[tuple[float, Any], None, Run]:
    """Levenberg-Marquardt with Nielsen's rule for the damping."""
    weights, damping, factor, history = state or (start, -1.0, 2.0, [])
    points, scale = len(x), float(np.sqrt(ridge * len(x)))

    def cost_of(w: np.ndarray) -> tuple[float, np.ndarray]:
        with jax.enable_x64(True):
            residuals = np.append(np.asarray(_residuals(model, w, x, y)), scale * w)
        with np.errstate(over="ignore", invalid="ignore"):
            return float(residuals @ residuals) / 2, residuals

    def normal(w: np.ndarray, residuals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with jax.enable_x64(True):
            jacobian = np.asarray(_jacobian(model, w, x, y))
        matrix = jacobian.T @ jacobian + scale**2 * np.eye(len(w))
        return matrix, jacobian.T @ residuals[: len(jacobian)] + scale**2 * w

    cost, residuals = cost_of(weights)
    matrix, slope = normal(weights, residuals)
    if not (np.isfinite(cost) and np.isfinite(matrix).all()):
        raise DivergenceError(
            "The fit has no finite residuals at its start: the signals of a layer do not carry "
            "its polynomials. Take a lower degree, fewer nodes or another `basis`."
        )
    history = list(history) or [np.sqrt(2 * cost / points)]
    damping = 1e-3 * matrix.diagonal().max() if damping < 0 else damping
    while len(history) < evaluations and np.abs(slope).max() > _FLAT * points:
        try:
            damped = matrix + damping * np.eye(len(weights))
            move = -cho_solve(cho_factor(damped, lower=True), slope)
        except np.linalg.LinAlgError:  # no curvature left in some direction: more damping
            move = np.zeros_like(weights)
        trial, trial_residuals = cost_of(weights + move)
        lower = trial < cost
        beyond = normal(weights + move, trial_residuals) if lower else (matrix, slope)
        settled = 0 < np.abs(move).max() < 1e-12
        if lower and np.isfinite(beyond[0]).all():
            gain = (cost - trial) / ((damping * move - slope) @ move / 2)
            settled = settled or cost - trial <= 1e-10 * cost
            weights, cost, (matrix, slope) = weights + move, trial, beyond
            damping, factor = damping * max(1 / 3, 1 - (2 * gain - 1) ** 3), 2.0
        else:
            damping, factor = damping * factor, factor * 2
        history.append(np.sqrt(2 * cost / points))
        if settled or factor > 1e30:
            break
        yield len(history) / evaluations, (weights, damping, factor, list(history))
    return Run(weights, cost, len(history), np.array(history))


@partial(jax.jit, static_argnums=0)
def _residuals(model: Model, weights: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
    return (model.forward(weights, x) - y).ravel()


@partial(jax.jit, static_argnums=0)
def _jacobian(model: Model, weights: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
    def column(direction: jax.Array) -> jax.Array:
        return jax.jvp(lambda w: _residuals(model, w, x, y), (weights,), (direction,))[1]

    count = count_weights(model)
    padded = -(-count // _CHUNK) * _CHUNK
    directions = jnp.eye(padded, count).reshape(-1, _CHUNK, count)
    columns = jax.lax.map(jax.vmap(column), directions)
    return columns.reshape(padded, -1)[:count].T
