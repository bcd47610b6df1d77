"""Few points on an interval: SciPy's Radau on the same cosines takes less time for less error."""

from collections.abc import Callable, Iterator

import numpy as np
from scipy.integrate import Radau

from aqc.kernels.chemotaxis_singular_limits._step import Box, Fields

MOST_POINTS = 64  # from about 100 on, its matrices of 3 n x 3 n take longer than the scheme
_RTOL, _ATOL = 1e-6, 1e-8
Rates = Callable[[float, np.ndarray], np.ndarray]


def rates_of(box: Box, eps: float, tau: float) -> tuple[Rates, Rates]:
    """Return y' and its Jacobian as functions of t and y, the coefficients of n, c and w in a row.

    Args:
        box: One or two dimensions.
        eps: Above 0.
        tau: Diffusion of w.
    """
    squares, size = box.squares, box.squares.size
    of_c, of_w = -(squares + 1) / eps, -(tau * squares + 1) / eps
    units = np.eye(size).reshape(size, *box.shape)

    def rates(_: float, y: np.ndarray) -> np.ndarray:
        n, c, w = y.reshape(3, *box.shape)
        signals = [of_c * c + w / eps, of_w * w + n / eps]
        return np.stack([box.taxis(n, c) - squares * n, *signals]).ravel()

    def jacobian(_: float, y: np.ndarray) -> np.ndarray:
        n, c, _w = y.reshape(3, 1, *box.shape)
        found = np.zeros((3, size, 3, size))
        # Taxis is linear in either of its arguments: of unit vectors it gives the columns.
        found[0, :, 0] = box.taxis(units, c).reshape(size, size).T - np.diag(squares.ravel())
        found[0, :, 1] = box.taxis(n * np.ones_like(units), units).reshape(size, size).T
        found[1, :, 1], found[2, :, 2] = np.diag(of_c.ravel()), np.diag(of_w.ravel())
        found[1, :, 2] = found[2, :, 0] = np.eye(size) / eps
        return found.reshape(3 * size, 3 * size)

    return rates, jacobian


def follow(
    box: Box, start: Fields, eps: float, tau: float, times: np.ndarray
) -> Iterator[tuple[float, Fields, bool]]:
    """Yield time and fields at some times and after each step, and whether the time was asked for.

    Ends early where the steps become too small to go on.

    Args:
        box: An interval.
        start: One run.
        eps: Above 0.
        tau: Diffusion of w.
        times: Ascending, from 0, shape (times,).
    """

    def fields(y: np.ndarray) -> Fields:
        return Fields(*y.reshape(3, 1, *box.shape))

    first, at = np.concatenate([x.ravel() for x in start]), 0
    rates, jacobian = rates_of(box, eps, tau)
    with np.errstate(over="ignore", invalid="ignore"):
        atol = _ATOL * np.abs(first).max()
        solver = Radau(rates, 0.0, first, times[-1], rtol=_RTOL, atol=atol, jac=jacobian)
        while solver.status == "running":
            solver.step()
            if solver.status == "failed":
                return
            dense = solver.dense_output()
            while at < len(times) and times[at] <= solver.t:
                yield times[at], fields(dense(times[at])), True
                at += 1
            yield solver.t, fields(solver.y), False
