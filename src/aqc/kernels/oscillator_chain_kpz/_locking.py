"""Which locked states a ring of sinusoidally coupled oscillators has, exactly."""

import math
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Gt
from jaxtyping import Float
from scipy.optimize import brentq

from aqc.kernels._signature import checked

_MOST_STATES = 100


class Locking(NamedTuple):
    """The locked states with all |phi_{i+1} - phi_i| <= pi / 2, which are the stable ones.

    Attributes:
        locks: Whether there is any.
        windings: n of sum_i (phi_{i+1} - phi_i) = 2 pi n, (states,); at most the 100 nearest 0.
        differences: phi_{i+1} - phi_i of each, (states, L).
    """

    locks: bool
    windings: np.ndarray
    differences: np.ndarray


@checked(size=(3, 16384))
def find_locking(
    frequencies: Float[np.ndarray, "size"], K: Annotated[float, Gt(0)] = 1.0
) -> Locking:
    """Find the locked states of a ring without noise, for delta = 0.

        sin d_i = c + X_i / K,   X_i = -sum_{j <= i} (w_j - mean w),
        sum_i asin(c + X_i / K) = 2 pi n

    The sum rises with c in [-1 - min X / K, 1 - max X / K]: n exists if its ends enclose 2 pi n.

    Args:
        frequencies: w_i, (L,).
        K: Coupling.

    Returns:
        All of them.

    Raises:
        InputError: The frequencies are not finite, or fewer than 3.

    Source:
        Derived here from the model of arXiv:2604.06040.

    Example:
        >>> find_locking([0.3, -0.3, 0.3, -0.3], 1.0).windings.tolist()
        [0]
        >>> find_locking([3.0, -3.0, 3.0, -3.0], 1.0).locks
        False
    """
    x = -np.cumsum(frequencies - frequencies.mean())
    scaled = x / K
    low, high = (-1 - scaled.min(), 1 - scaled.max())
    windings, states = [], []
    if low <= high:
        first, last = (_turn(c, scaled) / (2 * math.pi) for c in (low, high))
        # Ends that hit a winding exactly count.
        numbers = range(math.ceil(first - 1e-12), math.floor(last + 1e-12) + 1)
        for n in sorted(numbers, key=abs)[:_MOST_STATES]:
            c = _solve(low, high, scaled, n)
            windings.append(n)
            states.append(np.arcsin(np.clip(c + scaled, -1, 1)))
    order = np.argsort(windings)
    return Locking(
        locks=bool(windings),
        windings=np.array(windings, int)[order],
        differences=np.array(states).reshape(-1, len(x))[order],
    )


def _turn(c: float, scaled: np.ndarray) -> float:
    return float(np.arcsin(np.clip(c + scaled, -1, 1)).sum())


def _solve(low: float, high: float, scaled: np.ndarray, n: int) -> float:
    def off(c: float) -> float:
        return _turn(c, scaled) - 2 * math.pi * n

    if off(low) >= 0:
        return low
    if off(high) <= 0:
        return high
    return float(brentq(off, low, high, xtol=1e-15))
