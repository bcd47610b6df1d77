"""Ascent of the log-joint by Adam, in stretches, and what it leads to."""

from typing import Any, NamedTuple

import numpy as np

from aqc.errors import DivergenceError
from aqc.kernels._kernel import Steps
from aqc.kernels.gp_high_frequency_pde._objective import Problem, Unknowns, log_joint, unflatten

_CHUNK = 200
# The joint grows without bound where the equation or the boundary can be met exactly.
_MOST_LOG_PRECISION = 20.0
_SETTLING = 0.2  # last share of the epochs, in which the step falls to zero
_BETA1, _BETA2, _TINY = 0.9, 0.999, 1e-8


class Solution(NamedTuple):
    """A solution and the process that it was found under.

    Args:
        u_grid: u on the grid, shaped as the source.
        u_eval: u at the points asked for, (p,).
        frequencies: f, (axes, Q), cycles per unit of x.
        weights: e^w, (axes, Q).
        length_scales: e^-l (Matérn) or e^(-l/2) (Gaussian), (axes, Q), in units of x.
        tau: Precision of the boundary.
        v: Precision of the equation.
        residual_rms: Root mean square of the equation's residual on the grid.
        epochs: After which the loss was noted, (k,).
        loss: -log joint there, (k,).
    """

    u_grid: np.ndarray
    u_eval: np.ndarray
    frequencies: np.ndarray
    weights: np.ndarray
    length_scales: np.ndarray
    tau: float
    v: float
    residual_rms: float
    epochs: np.ndarray
    loss: np.ndarray


def ascend(
    problem: Problem,
    start: Unknowns,
    points: tuple[np.ndarray, ...],
    epochs: int,
    lr: float,
    state: Any,
) -> Steps:
    """Raise the log-joint by Adam.

    Args:
        problem: What is solved.
        start: Where it begins.
        points: Where u is wanted, for each axis one coordinate of every point.
        epochs: Steps.
        lr: Size of a step.
        state: What an earlier run yielded.

    Yields:
        (fraction done, state).

    Returns:
        The `Solution` after the last step.

    Raises:
        DivergenceError: The numbers went out of range.
    """
    shape = problem.source.shape
    if state is None:
        flat = start.flatten()
        state = {"flat": flat, "mean": 0 * flat, "square": 0 * flat, "epoch": 0, "loss": []}
    flat, mean, square = (np.array(state[name]) for name in ("flat", "mean", "square"))
    precisions = slice(problem.source.size, problem.source.size + 2)
    losses = list(state["loss"])
    for first in range(int(state["epoch"]), epochs, _CHUNK):
        last = min(first + _CHUNK, epochs)
        for epoch in range(first + 1, last + 1):
            joint = log_joint(problem, unflatten(flat, shape))
            if epoch == first + 1:
                losses.append(-joint.value)
            gradient = joint.gradient.flatten()
            mean += (1 - _BETA1) * (gradient - mean)
            square += (1 - _BETA2) * (gradient**2 - square)
            scale = np.sqrt(square / (1 - _BETA2**epoch)) + _TINY
            # A constant step leaves spikes, in one of which the run may end.
            step = lr * min(1.0, (epochs - epoch + 1) / (_SETTLING * epochs))
            flat += step / (1 - _BETA1**epoch) * mean / scale
            np.minimum(flat[precisions], _MOST_LOG_PRECISION, out=flat[precisions])
        if not np.isfinite(flat).all():
            raise DivergenceError(
                f"The ascent left the range of numbers before epoch {last}; lower `lr`."
            )
        yield (
            last / epochs,
            {
                "flat": flat.copy(),
                "mean": mean.copy(),
                "square": square.copy(),
                "epoch": last,
                "loss": list(losses),
            },
        )
    return _solution(problem, unflatten(flat, shape), points, epochs, losses)


def _solution(
    problem: Problem,
    found: Unknowns,
    points: tuple[np.ndarray, ...],
    epochs: int,
    losses: list[float],
) -> Solution:
    joint = log_joint(problem, found)
    rows = [
        mixture.evaluate(problem.covariance, np.abs(at[:, None] - x))
        for mixture, at, x in zip(found.mixtures, points, problem.grids, strict=True)
    ]
    u_eval = rows[0] @ joint.coefficients
    if len(rows) == 2:
        u_eval = np.sum(u_eval * rows[1], axis=1)
    log_rates = np.array([m.log_rate for m in found.mixtures])
    power = 1.0 if problem.covariance.startswith("matern52") else 0.5
    return Solution(
        u_grid=found.u,
        u_eval=u_eval,
        frequencies=np.array([m.frequency for m in found.mixtures]),
        weights=np.exp([m.log_weight for m in found.mixtures]),
        length_scales=np.exp(-power * log_rates),
        tau=float(np.exp(found.log_tau)),
        v=float(np.exp(found.log_v)),
        residual_rms=float(np.sqrt(np.mean(joint.residual**2))),
        epochs=np.append(np.arange(len(losses)) * _CHUNK, epochs),
        loss=np.append(losses, -joint.value),
    )
