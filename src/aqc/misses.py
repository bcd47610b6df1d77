"""Depths that missed the goal at earlier times, and which ones will miss it at a later one.

A shallow circuit follows an evolution the better, the more layers L it has for the time t,

    log I(t, L) = a + b log t - c L / t.

So three depths that missed tell a, b and c. Depths that are sure to miss need not be fitted, and
those that are likely to may be given up sooner.
Measured on a Heisenberg chain of 50 qubits (benchmarks/deep.py, case series), I between 0.003 and
0.1: right within a factor 1.5.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

# Beyond, the infidelity does not tell how far away a circuit is.
_FAR = 0.3
_SURELY = 1.5


class Miss(NamedTuple):
    """A depth that did not reach the goal.

    Attributes:
        time: Of the evolution, in units of 1/energy.
        layers: Brick layers.
        infidelity: Where its fit was given up.
    """

    time: float
    layers: int
    infidelity: float


def law(misses: Sequence[Miss], time: float) -> Callable[[int], float] | None:
    """Return the infidelity expected at a time, by layers; None where the misses do not tell.

    Args:
        misses: Of earlier times, the last ones last.
        time: The time wanted, longer than those.

    Example:
        >>> seen = [Miss(3.0, 7, 0.020), Miss(3.5, 8, 0.028), Miss(3.5, 9, 0.012)]
        >>> [round(law(seen, 4.0)(layers), 3) for layers in (10, 11)]
        [0.018, 0.008]
        >>> law(seen[:2], 4.0) is None
        True
    """
    seen = [miss for miss in misses if miss.infidelity < _FAR][-3:]
    times = np.abs([miss.time for miss in seen])
    layers = np.array([float(miss.layers) for miss in seen])
    if len(seen) < 3 or abs(time) <= times.max():
        return None
    matrix = np.stack([np.ones(3), np.log(times), -layers / times], axis=1)
    if np.linalg.matrix_rank(matrix) < 3:
        return None
    a, b, c = np.linalg.solve(matrix, np.log([miss.infidelity for miss in seen]))
    if c <= 0:
        return None
    return lambda layers: float(np.exp(a + b * np.log(abs(time)) - c * layers / abs(time)))


def fewest_layers(expected: Callable[[int], float], goal: float, least: int) -> int:
    """Return the fewest layers that may reach a goal: at most half as many again as `least`.

    Args:
        expected: From `law`.
        goal: The infidelity wanted.
        least: Layers that were needed at the time before.

    Example:
        >>> fewest_layers(lambda layers: 0.5**layers, 0.01, 5)
        7
    """
    depths = range(least, least + max(least // 2, 1))
    return next((n for n in depths if expected(n) <= _SURELY * goal), depths.stop)
