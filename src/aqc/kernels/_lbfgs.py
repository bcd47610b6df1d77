"""L-BFGS in stretches, from whose ends a run can go on."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize


class Stretch(NamedTuple):
    """Some iterations of L-BFGS.

    Args:
        point: Where they ended, shaped as the start.
        value: There.
        slope: Largest entry of the gradient there in size.
        values: After each iteration.
        stopped: Whether it ended by itself, not by the number of iterations.
    """

    point: np.ndarray
    value: float
    slope: float
    values: list[float]
    stopped: bool


def descend(
    value_and_gradient: Callable[[np.ndarray], tuple[float, np.ndarray]],
    start: np.ndarray,
    iterations: int,
    slope: float,
) -> Stretch:
    """Return where some iterations of L-BFGS lead; its memory begins anew with each call.

    Args:
        value_and_gradient: Of a point shaped as the start.
        start: Any shape.
        iterations: Most iterations.
        slope: Where the gradient's largest entry is below this, it ends.

    Returns:
        The last point and the way there.

    Example:
        >>> descend(lambda x: (float(np.sum(x**2)), 2 * x), np.ones((2, 2)), 50, 1e-9).value < 1e-18
        True
    """
    values: list[float] = []

    def flat(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = value_and_gradient(x.reshape(start.shape))
        return float(value), np.asarray(gradient, float).ravel()

    found = minimize(
        flat,
        start.ravel(),
        jac=True,
        method="L-BFGS-B",
        callback=lambda intermediate_result: values.append(float(intermediate_result.fun)),
        options={"maxiter": iterations, "maxfun": 20 * iterations, "ftol": 0.0, "gtol": slope},
    )
    return Stretch(
        found.x.reshape(start.shape),
        float(found.fun),
        float(np.abs(found.jac).max()),
        values,
        found.nit < iterations,
    )
