"""The penalty that holds a matrix within a chosen distance of orthogonality."""

import math
from typing import Annotated

import numpy as np
from annotated_types import Interval
from scipy.special import expit

Lam = Annotated[float, Interval(ge=0, le=1e12)] | None
Alpha = Annotated[float, Interval(gt=0, le=1e6)]

# The paper holds maps of 512 dimensions at the distance 12 = 0.53 sqrt(512).
_SHARE = 0.53
# Rounds the cone of the norm at orthogonal matrices, where it has no slope.
ROUNDING = 1e-24


def threshold(lam: float | None, n: int) -> float:
    """Return the distance that is allowed, 0.53 sqrt(n) unless one is given.

    Args:
        lam: As given.
        n: Rows of the map.

    Returns:
        lambda.

    Source: arXiv:2509.16664 takes lambda = 12 at n = 512.

    Example:
        >>> round(threshold(None, 512), 2), threshold(3.0, 512)
        (11.99, 3.0)
    """
    return _SHARE * math.sqrt(n) if lam is None else lam


def distance(weight: np.ndarray) -> float:
    """Return the distance from orthogonality x = ||W W^T - I||_F.

    Args:
        weight: W, shape (n, n).

    Returns:
        x.

    Source: arXiv:2509.16664, equation 3.

    Example:
        >>> distance(2 * np.eye(4))
        6.0
    """
    return float(np.linalg.norm(weight @ weight.T - np.eye(len(weight))))


def lambda_penalty(weight: np.ndarray, lam: float, alpha: float) -> tuple[float, np.ndarray]:
    """Return the penalty and its gradient.

        L_lambda = s x,   s = sigmoid(alpha (x - lambda)),   x = ||W W^T - I||_F
        dL_lambda/dW = (s + alpha x s (1 - s)) 2 (W W^T - I) W / x

    Args:
        weight: W, shape (n, n).
        lam: Distance from which on the penalty acts.
        alpha: Steepness of its onset.

    Returns:
        (L_lambda, its gradient of shape (n, n)).

    Source: arXiv:2509.16664, equation 6.

    Example:
        >>> value, _ = lambda_penalty(2 * np.eye(4), 6.0, 10.0)  # x = 6 = lambda: s = 1/2
        >>> value
        3.0
    """
    defect = weight @ weight.T - np.eye(len(weight))
    x = math.sqrt(np.sum(defect**2) + ROUNDING)
    s, rest = expit(alpha * (x - lam)), expit(-alpha * (x - lam))
    slope = s + alpha * x * s * rest
    return float(s * x), slope * 2 * (defect @ weight) / x
