"""The log-joint of grid values, boundary and equation under a product of processes."""

from typing import Literal, NamedTuple

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotri

from aqc.errors import DivergenceError
from aqc.kernels.gp_high_frequency_pde._covariance import Covariance, Mixture

Equation = Literal["poisson", "allen_cahn"]


class Problem(NamedTuple):
    """What is solved, on a line or on a rectangle.

    Args:
        grids: The axes, each (N_a,).
        source: s, with one axis for each grid.
        boundary: g on the boundary points, zero elsewhere; shaped as the source.
        on_boundary: Which points these are.
        equation: Laplacian u = s, or Laplacian u + u (u^2 - 1) = s.
        covariance: Of each axis.
        boundary_weight: lambda_b.
        jitter: Added to the diagonal of each K.
    """

    grids: tuple[np.ndarray, ...]
    source: np.ndarray
    boundary: np.ndarray
    on_boundary: np.ndarray
    equation: Equation
    covariance: Covariance
    boundary_weight: float
    jitter: float


class Unknowns(NamedTuple):
    """What is found by ascent, or the gradient by it.

    Args:
        u: Solution on the grid.
        log_tau: Log precision of the boundary.
        log_v: Log precision of the equation.
        mixtures: One for each axis.
    """

    u: np.ndarray
    log_tau: float
    log_v: float
    mixtures: tuple[Mixture, ...]

    def flatten(self) -> np.ndarray:
        """Return all numbers in one array."""
        parts = [self.u.ravel(), [self.log_tau, self.log_v]]
        return np.concatenate([*parts, *(part for m in self.mixtures for part in m)])


def unflatten(flat: np.ndarray, shape: tuple[int, ...]) -> Unknowns:
    """Return the unknowns of a grid of a shape: the reverse of `flatten`."""
    size = int(np.prod(shape))
    mixtures = flat[size + 2 :].reshape(len(shape), 3, -1)
    return Unknowns(
        flat[:size].reshape(shape),
        float(flat[size]),
        float(flat[size + 1]),
        tuple(Mixture(*parts) for parts in mixtures),
    )


class Joint(NamedTuple):
    """The log-joint at a point.

    Args:
        value: Up to a constant.
        gradient: By the unknowns.
        residual: Of the equation, on the grid.
        coefficients: K^-1 u, from which u is predicted elsewhere.
    """

    value: float
    gradient: Unknowns
    residual: np.ndarray
    coefficients: np.ndarray


def log_joint(problem: Problem, at: Unknowns) -> Joint:
    """Return the log-joint and its gradient.

    -1/2 log|K| - 1/2 u' K^-1 u + lambda_b [N_b/2 log tau - tau/2 |u_b - g|^2]
    + N/2 log v - v/2 |residual|^2, with K the Kronecker product of the axes' K_a.

    Args:
        problem: What is solved.
        at: Where.

    Raises:
        DivergenceError: A covariance matrix is not positive definite.
    """
    u, size = at.u, at.u.size
    tables = [
        mixture.on_lags(problem.covariance, np.arange(len(x)) * (x[-1] - x[0]) / (len(x) - 1))
        for mixture, x in zip(at.mixtures, problem.grids, strict=True)
    ]
    pairs = [table.matrices(problem.jitter) for table in tables]
    inverses, log_dets = zip(*(_invert(k) for k, _ in pairs), strict=True)
    halves = [_apply(axis, inverse, u) for axis, inverse in enumerate(inverses)]
    whole = halves[0]
    if u.ndim == 2:
        whole = _apply(1, inverses[1], whole)
    residual, reaction = _react(problem.equation, u)
    residual -= problem.source
    for axis, (_, kxx) in enumerate(pairs):
        residual += _apply(axis, kxx, halves[axis])
    tau, v = np.exp(at.log_tau), np.exp(at.log_v)
    miss = np.where(problem.on_boundary, u - problem.boundary, 0.0)
    weight, n_boundary = problem.boundary_weight, problem.on_boundary.sum()
    misfit, wrong = float(np.sum(miss**2)), float(np.sum(residual**2))

    push = -v * residual  # gradient by the residual
    by_u = -whole + reaction * push - weight * tau * miss
    by_mixtures = []
    for axis, (_, kxx) in enumerate(pairs):
        back = _apply(axis, inverses[axis], _apply(axis, kxx, push))
        by_u += back
        half, unrolled = _rows(axis, halves[axis]), _rows(axis, whole)
        by_k = half @ unrolled.T / 2 - _rows(axis, back) @ half.T
        by_k -= size / len(kxx) / 2 * inverses[axis]
        by_mixtures.append(tables[axis].pull_back(by_k, _rows(axis, push) @ half.T))
    value = (
        -sum(size / len(k) * log_det for (k, _), log_det in zip(pairs, log_dets, strict=True)) / 2
        - float(np.sum(u * whole)) / 2
        + weight * (n_boundary * at.log_tau - tau * misfit) / 2
        + (size * at.log_v - v * wrong) / 2
    )
    gradient = Unknowns(
        by_u,
        weight * (n_boundary - tau * misfit) / 2,
        (size - v * wrong) / 2,
        tuple(by_mixtures),
    )
    return Joint(float(value), gradient, residual, whole)


def _react(equation: Equation, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the equation's term without derivatives and its slope."""
    if equation == "poisson":
        return np.zeros_like(u), np.zeros_like(u)
    return u * (u**2 - 1), 3 * u**2 - 1


def _apply(axis: int, symmetric: np.ndarray, field: np.ndarray) -> np.ndarray:
    return symmetric @ field if axis == 0 else field @ symmetric


def _rows(axis: int, field: np.ndarray) -> np.ndarray:
    return field.reshape(len(field), -1) if axis == 0 else field.T


def _invert(k: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the inverse and the log-determinant from one Cholesky factor."""
    factor, failed = dpotrf(k, lower=1, clean=1)
    diagonal = np.diag(factor)
    if failed or not np.isfinite(diagonal).all():
        raise DivergenceError(
            "A covariance matrix of the process is not positive definite; raise `jitter` (1e-6 "
            "suits solutions of size 1) or lower `lr`."
        )
    log_det = 2 * float(np.log(diagonal).sum())
    lower = dpotri(factor, lower=1)[0]
    # The upper triangle is zero, as the factor's was.
    lower += np.tril(lower, -1).T
    return lower, log_det
