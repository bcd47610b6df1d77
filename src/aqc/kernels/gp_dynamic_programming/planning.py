"""Transition matrices on a grid, and the best escapement by policy iteration."""

from dataclasses import dataclass

import numpy as np

from aqc.kernels.gp_dynamic_programming.gp import Draws, Process
from aqc.kernels.gp_dynamic_programming.models import Model, growth

_ROUNDS = 1000


@dataclass(frozen=True)
class Policy:
    """What to harvest at each stock.

    Args:
        stock: Grid, shape (n,), in the data's unit.
        harvest: Shape (n,).
        escapement: Stock left, shape (n,).
        value: Expected discounted harvest from each stock on.
    """

    stock: np.ndarray
    harvest: np.ndarray
    escapement: np.ndarray
    value: np.ndarray


def process_transitions(
    process: Process,
    draws: Draws,
    grid: np.ndarray,
    scale: float,
    closed: bool,
    include_process_noise: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the transition matrix averaged over the draws, and mean and deviation of g.

    The row of escapement S is normal about g(S), with the variance of g and of the process.
    """
    points, n = grid / scale, len(grid)
    matrix, means, seconds = np.zeros((n, n)), np.zeros(n), np.zeros(n)
    for length, noise in zip(draws.length, draws.noise, strict=True):
        mean, variance = process.predict(length, noise, points)
        if closed:
            mean[0] = 0.0
        means += mean
        seconds += variance + mean**2
        spread = variance + (noise**2 if include_process_noise else 1e-12)
        logs = -((points - mean[:, None]) ** 2) / (2 * spread[:, None])
        matrix += _rows(logs, mean, points[1])
    count = len(draws.length)
    mean = means / count
    deviation = np.sqrt(np.maximum(seconds / count - mean**2, 0))
    return matrix / count, mean * scale, deviation * scale


def model_transitions(model: Model, grid: np.ndarray) -> np.ndarray:
    """Return the transition matrix of a lognormal model on the grid."""
    mean = growth(model.name, model.parameters, grid)
    logs = np.full((len(grid), len(grid)), -np.inf)
    with np.errstate(divide="ignore"):
        centers = np.log(mean)[:, None]
    kept = mean > 0
    place = np.log(grid[1:])
    logs[kept, 1:] = -((place - centers[kept]) ** 2) / (2 * model.sigma**2) - place
    return _rows(logs, mean, grid[1])


def best_policy(transitions: np.ndarray, grid: np.ndarray, discount: float) -> Policy:
    """Return the policy with V = max_h h + (1 - delta) E V(next), found by policy iteration.

    Args:
        transitions: Law of the next stock by escapement, shape (n, n).
        grid: Stocks, shape (n,).
        discount: delta.
    """
    n = len(grid)
    kept = np.arange(n)  # escapement's index, at first all
    value = np.zeros(n)
    for _ in range(_ROUNDS):
        value = np.linalg.solve(np.eye(n) - (1 - discount) * transitions[kept], grid - grid[kept])
        # The gain of leaving S does not depend on the stock, which only bounds S.
        gain = (1 - discount) * transitions @ value - grid
        best = np.maximum.accumulate(gain)
        improved = np.maximum.accumulate(np.where(gain >= best, np.arange(n), 0))
        # Changes within rounding would go on for ever.
        improved = np.where(gain[improved] > gain[kept] + 1e-10 * grid[-1], improved, kept)
        if np.array_equal(improved, kept):
            break
        kept = improved
    return Policy(grid, grid - grid[kept], grid[kept], value)


def _rows(logs: np.ndarray, mean: np.ndarray, step: float) -> np.ndarray:
    """Return normalized rows; a mean in the cell of 0 is extinction."""
    rows = np.exp(logs - logs.max(1, keepdims=True, initial=-1e300))
    extinct = mean < step / 2
    rows[extinct] = 0.0
    rows[extinct, 0] = 1.0
    normalized: np.ndarray = rows / rows.sum(1, keepdims=True)
    return normalized
