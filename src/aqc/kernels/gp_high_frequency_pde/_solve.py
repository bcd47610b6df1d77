"""The two operations: on an interval and on a rectangle."""

from typing import Annotated, Any

import numpy as np
from annotated_types import Gt, Interval
from jaxtyping import Float

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._magnitude import refuse_huge
from aqc.kernels._signature import checked
from aqc.kernels.gp_high_frequency_pde._ascent import Solution, ascend
from aqc.kernels.gp_high_frequency_pde._covariance import Covariance, Mixture
from aqc.kernels.gp_high_frequency_pde._objective import (
    Equation,
    Problem,
    Unknowns,
)

Components = Annotated[int, Interval(ge=1, le=64)]
Epochs = Annotated[int, Interval(ge=1, le=100_000)]
Rate = Annotated[float, Gt(0), Interval(le=1.0)]
Weight = Annotated[float, Gt(0), Interval(le=1e6)]
Jitter = Annotated[float, Interval(ge=1e-12, le=1.0)]
Precision = Annotated[float, Interval(ge=1e-8, le=1e8)]
Cycles = Annotated[float, Gt(0)]


def solving_work(
    source: np.ndarray, components: int, covariance: Covariance, epochs: int, **_: Any
) -> float:
    """Return epochs x roughly the floating-point operations of one."""
    lengths = np.array(source.shape, float)
    return float(epochs * np.sum(lengths**3 + 50 * lengths**2 + 200 * components * lengths + 1e5))


def solve_on_interval_steps(
    x: np.ndarray,
    source: np.ndarray,
    boundary: np.ndarray,
    x_eval: np.ndarray,
    equation: Equation,
    covariance: Covariance,
    components: int,
    freq_scale: float | None,
    epochs: int,
    lr: float,
    boundary_weight: float,
    jitter: float,
    precision: float,
    state: Any = None,
) -> Steps:
    """Do what `solve_on_interval` does step by step."""
    refuse_huge(source=source, boundary=boundary)
    _check_axis("x", x, freq_scale, x_eval)
    values = np.zeros_like(source)
    values[[0, -1]] = boundary
    on_boundary = np.zeros(len(x), bool)
    on_boundary[[0, -1]] = True
    problem = Problem(
        (x,), source, values, on_boundary, equation, covariance, boundary_weight, jitter
    )
    start = _start(problem, components, freq_scale, precision)
    return (yield from ascend(problem, start, (x_eval,), epochs, lr, state))


@checked(n=(16, 600), p=(1, 5000))
def solve_on_interval(
    x: Float[np.ndarray, " n"],
    source: Float[np.ndarray, " n"],
    boundary: Float[np.ndarray, " 2"],
    x_eval: Float[np.ndarray, " p"],
    equation: Equation = "poisson",
    covariance: Covariance = "matern52_cos",
    components: Components = 30,
    freq_scale: Cycles | None = None,
    epochs: Epochs = 20_000,
    lr: Rate = 0.01,
    boundary_weight: Weight = 200.0,
    jitter: Jitter = 1e-6,
    precision: Precision = 1.0,
) -> Solution:
    """Solve u'' = s or u'' + u (u^2 - 1) = s under a process that learns its frequencies.

    The maximum over u, w, l, f, tau, v of
    -1/2 log|K| - 1/2 u' K^-1 u + lambda_b [N_b/2 log tau - tau/2 |u_b - g|^2]
    + N/2 log v - v/2 |K_xx K^-1 u + F(u) - s|^2.

    Args:
        x: Uniform grid, shape (n,).
        source: s on the grid, shape (n,).
        boundary: u at the first and the last point, shape (2,).
        x_eval: Where u is wanted, shape (p,), within the grid.
        equation: "poisson" or "allen_cahn".
        covariance: Matérn-5/2 or Gaussian mixture, with the learned cosine or without.
        components: Q.
        freq_scale: Highest frequency at the start, in cycles per unit of x; by default 0.4 / h.
        epochs: Steps of Adam; below some 10 000 the answer may be far off.
        lr: Step of Adam; in the last fifth of the epochs it falls to zero.
        boundary_weight: lambda_b.
        jitter: Added to the diagonal of K.
        precision: v at the start; 1 suits sources of size 1e4, smaller ones need more, or all of
            the source is taken for noise and u falls to zero.

    Returns:
        Solution, spectrum and loss after the last step (no step is picked).

    Raises:
        InputError: The grid is not uniform, or too coarse for `freq_scale`.
        DivergenceError: K lost positive definiteness.

    Source: arXiv 2311.04465, the GP-HM model and its training objective.

    Example:
        >>> x = np.linspace(0, 1, 24)
        >>> u = np.sin(30 * x)
        >>> found = solve_on_interval(
        ...     x, -900 * u, u[[0, -1]], x[5:6], components=8, freq_scale=6.0, epochs=3000
        ... )
        >>> bool(abs(found.u_eval[0] - u[5]) < 0.1)
        True
    """
    return drain(
        solve_on_interval_steps(
            x,
            source,
            boundary,
            x_eval,
            equation,
            covariance,
            components,
            freq_scale,
            epochs,
            lr,
            boundary_weight,
            jitter,
            precision,
        )
    )


def solve_on_rectangle_steps(
    x: np.ndarray,
    y: np.ndarray,
    source: np.ndarray,
    x_edges: np.ndarray,
    y_edges: np.ndarray,
    x_eval: np.ndarray,
    y_eval: np.ndarray,
    equation: Equation,
    covariance: Covariance,
    components: int,
    freq_scale: float | None,
    epochs: int,
    lr: float,
    boundary_weight: float,
    jitter: float,
    precision: float,
    state: Any = None,
) -> Steps:
    """Do what `solve_on_rectangle` does step by step."""
    refuse_huge(source=source, x_edges=x_edges, y_edges=y_edges)
    _check_axis("x", x, freq_scale, x_eval)
    _check_axis("y", y, freq_scale, y_eval)
    apart = np.abs(x_edges[:, [0, -1]] - y_edges[:, [0, -1]].T).max()
    if apart > 1e-6 * (1 + np.abs(x_edges).max()):
        raise InputError(
            f"`y_edges` must agree with `x_edges` at the corners, but differs by {apart:g}.",
            "/y_edges",
        )
    values = np.zeros_like(source)
    values[:, [0, -1]] = y_edges.T
    values[[0, -1]] = x_edges
    on_boundary = np.ones(source.shape, bool)
    on_boundary[1:-1, 1:-1] = False
    problem = Problem(
        (x, y), source, values, on_boundary, equation, covariance, boundary_weight, jitter
    )
    start = _start(problem, components, freq_scale, precision)
    return (yield from ascend(problem, start, (x_eval, y_eval), epochs, lr, state))


@checked(n=(16, 200), m=(16, 200), p=(1, 5000))
def solve_on_rectangle(
    x: Float[np.ndarray, " n"],
    y: Float[np.ndarray, " m"],
    source: Float[np.ndarray, "n m"],
    x_edges: Float[np.ndarray, "2 m"],
    y_edges: Float[np.ndarray, "2 n"],
    x_eval: Float[np.ndarray, " p"],
    y_eval: Float[np.ndarray, " p"],
    equation: Equation = "poisson",
    covariance: Covariance = "matern52_cos",
    components: Components = 30,
    freq_scale: Cycles | None = None,
    epochs: Epochs = 10_000,
    lr: Rate = 0.01,
    boundary_weight: Weight = 200.0,
    jitter: Jitter = 1e-6,
    precision: Precision = 1.0,
) -> Solution:
    """Solve the equations of `solve_on_interval` on a rectangle, with the Laplacian.

    K = K_1 (x) K_2, log|K| = N_2 log|K_1| + N_1 log|K_2|, u_xx = K_1xx K_1^-1 U.

    Args:
        x: Uniform grid of the first axis, shape (n,).
        y: Uniform grid of the second axis, shape (m,).
        source: s on the grid, shape (n, m).
        x_edges: u at the first and the last x, shape (2, m).
        y_edges: u at the first and the last y, shape (2, n).
        x_eval: First coordinates of the points where u is wanted, shape (p,).
        y_eval: Second coordinates of these points, shape (p,).
        equation: "poisson" or "allen_cahn".
        covariance: Matérn-5/2 or Gaussian mixture, with the learned cosine or without.
        components: Q, for each axis.
        freq_scale: Highest frequency at the start, in cycles per unit; by default 0.4 / h.
        epochs: Steps of Adam.
        lr: Step of Adam; in the last fifth of the epochs it falls to zero.
        boundary_weight: lambda_b.
        jitter: Added to the diagonal of K_1 and of K_2.
        precision: v at the start; 1 suits sources of size 1e4, smaller ones need more, or all of
            the source is taken for noise and u falls to zero.

    Returns:
        Solution, spectra and loss after the last step.

    Raises:
        InputError: A grid is not uniform or too coarse, or the edges differ at a corner.
        DivergenceError: K lost positive definiteness.

    Source: arXiv 2311.04465, the product covariance and its Kronecker structure.

    Example:
        >>> x = np.linspace(0, 1, 16)
        >>> u = np.sin(20 * x)[:, None] * np.sin(20 * x)
        >>> found = solve_on_rectangle(
        ...     x, x, -800 * u, u[[0, -1]], u.T[[0, -1]], x[3:4], x[4:5], components=6, epochs=1500
        ... )
        >>> bool(abs(found.u_eval[0] - u[3, 4]) < 0.05)
        True
    """
    return drain(
        solve_on_rectangle_steps(
            x,
            y,
            source,
            x_edges,
            y_edges,
            x_eval,
            y_eval,
            equation,
            covariance,
            components,
            freq_scale,
            epochs,
            lr,
            boundary_weight,
            jitter,
            precision,
        )
    )


def _check_axis(name: str, grid: np.ndarray, freq_scale: float | None, points: np.ndarray) -> None:
    step = (grid[-1] - grid[0]) / (len(grid) - 1)
    if not step > 0 or np.abs(np.diff(grid) - step).max() > 1e-6 * step:
        raise InputError(f"`{name}` must be a uniform, increasing grid, but is not.", f"/{name}")
    if freq_scale is not None and freq_scale > 0.5 / step:
        raise InputError(
            f"`freq_scale` must be at most {0.5 / step:g} cycles per unit, but is {freq_scale:g}: "
            f"above the Nyquist frequency of the grid `{name}`.",
            "/freq_scale",
        )
    if points.min() < grid[0] - 1e-9 * step or points.max() > grid[-1] + 1e-9 * step:
        raise InputError(
            f"`{name}_eval` must lie within the grid, [{grid[0]:g}, {grid[-1]:g}], but spans "
            f"[{points.min():g}, {points.max():g}].",
            f"/{name}_eval",
        )


def _start(
    problem: Problem, components: int, freq_scale: float | None, precision: float
) -> Unknowns:
    """Return equal weights, unit lengths, frequencies spread from zero, and u = 0."""
    mixtures = []
    for x in problem.grids:
        highest = freq_scale or 0.4 * (len(x) - 1) / (x[-1] - x[0])
        if not problem.covariance.endswith("_cos"):
            # The gradient by a zero frequency vanishes: it stays there.
            highest = 0.0
        mixtures.append(
            Mixture(
                np.full(components, -np.log(components)),
                np.zeros(components),
                np.linspace(0, highest, components),
            )
        )
    return Unknowns(np.zeros_like(problem.source), 0.0, np.log(precision), tuple(mixtures))
