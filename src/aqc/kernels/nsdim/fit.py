"""Random-feature fits: what the width buys."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Interval
from jaxtyping import Float
from scipy.linalg import lstsq

from aqc.kernels._signature import checked
from aqc.kernels.nsdim.dimension import Bound, Widths
from aqc.kernels.nsdim.features import (
    Activation,
    Points,
    check_size,
    hidden_functions,
    read_domain,
)

_RCOND = 1e-14


@dataclass(frozen=True)
class FitErrors:
    """Errors of random-feature fits by width.

    Args:
        widths: M.
        error: Largest error on the points that the fit did not see, shape (widths,).
        coefficient_norm: Norm of the output weights, shape (widths,).
    """

    widths: tuple[int, ...]
    error: np.ndarray
    coefficient_norm: np.ndarray


@checked()
def fit_random_features(
    points: Float[np.ndarray, "points dimensions"],
    target: Float[np.ndarray, " points"],
    activation: Activation,
    bound: Bound,
    widths: Widths,
    bias_bound: Bound | None = None,
    seed: Annotated[int, Interval(ge=0)] = 0,
) -> FitErrors:
    """Fit a target by random features, and tell the error by width.

    min ||A c - f|| on every other point, singular values below 1e-14 s_1 dropped.

    Args:
        points: Shape (n, d); the fit sees points 0, 2, 4, ... and is judged on the others.
        target: f, shape (n,).
        activation: sigma.
        bound: R, of the weights.
        widths: M.
        bias_bound: Of the biases; by default R as well.
        seed: Of the random numbers.

    Returns:
        Errors by width.

    Raises:
        InputError: The matrix is too large, or the points do not vary.

    Source: arXiv 2409.16697, width redundancy of an extreme learning machine.

    Example:
        >>> x = np.linspace(-1, 1, 200)[:, None]
        >>> found = fit_random_features(x, np.exp(x[:, 0]), "tanh", 1.0, (5, 30))
        >>> bool(found.error[1] < 1e-8 < found.error[0])
        True
    """
    points, _ = read_domain(Points(points))
    check_size(len(points), widths)
    bounds = (bound, bound if bias_bound is None else bias_bound)
    errors, norms = [], []
    for width in widths:
        values = hidden_functions(points, activation, bounds, width, max(widths), 1, False, seed)
        outer = lstsq(values[::2], target[::2], cond=_RCOND)[0]
        errors.append(np.abs(values[1::2] @ outer - target[1::2]).max())
        norms.append(np.linalg.norm(outer))
    return FitErrors(widths, np.array(errors), np.array(norms))
