"""Depths that missed the goal at earlier times, and which ones will miss it at a later one.

A shallow circuit follows an evolution the better, the more layers L it has for the time t,

    log I(t, L) = a + b log t - c L / t.

So three depths that missed tell a, b and c, and depths that are sure to miss need not be fitted.
Measured on a Heisenberg chain of 50 qubits (benchmarks/deep.py, case series), I between 0.003 and
0.1: right within a factor 1.5.
"""

from collections.abc import Sequence
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


def fewest_layers(misses: Sequence[Miss], time: float, goal: float, least: int) -> int:
    """Return the fewest layers that may reach a goal at a time.

    Args:
        misses: Of earlier times, the last ones last.
        time: The time wanted, longer than those.
        goal: The infidelity wanted.
        least: Layers that were needed at the time before.

    Returns:
        `least` where the misses do not tell more.

    Example:
        >>> seen = [Miss(3.0, 7, 0.020), Miss(3.5, 8, 0.028), Miss(3.5, 9, 0.012)]
        >>> fewest_layers(seen, 4.0, 0.01, 10), fewest_layers(seen[:2], 4.0, 0.01, 10)
        (11, 10)
    """
    seen = [miss for miss in misses if miss.infidelity < _FAR][-3:]
    times = np.abs([miss.time for miss in seen])
    layers = np.array([float(miss.layers) for miss in seen])
    if len(seen) < 3 or abs(time) <= times.max():
        return least
    matrix = np.stack([np.ones(3), np.log(times), -layers / times], axis=1)
    if np.linalg.matrix_rank(matrix) < 3:
        return least
    a, b, c = np.linalg.solve(matrix, np.log([miss.infidelity for miss in seen]))
    if c <= 0:
        return least
    # I = _SURELY goal at this many layers; at most as many more as the time is longer.
    enough = (a + b * np.log(abs(time)) - np.log(_SURELY * goal)) * abs(time) / c
    most = int(np.ceil(least * abs(time) / times.max()))
    return int(np.clip(np.ceil(enough), least, max(most, least)))
