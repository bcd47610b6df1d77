"""L-BFGS directions and a Wolfe line search, on the host.

On a group the left-trivialized tangent frame moves with the point, so steps and gradients of
earlier iterations are used unchanged: plain vectors of local coordinates.
"""

from collections.abc import Callable

import numpy as np


class LBFGS:
    """Limited-memory BFGS (Nocedal and Wright, Algorithm 7.4).

    Args:
        memory: Number of pairs (step, change of gradient) kept.

    Attributes:
        inverse: Initial estimate of the inverse Hessian, up to a factor, as matrices on the
            diagonal, shape (blocks, p, p); None stands for the identity.
    """

    def __init__(self, memory: int = 20):
        self.memory = memory
        self.inverse: np.ndarray | None = None
        self.steps: list[np.ndarray] = []
        self.changes: list[np.ndarray] = []

    def along(self, gradient: np.ndarray) -> np.ndarray:
        """Return -H grad, H the current estimate of the inverse Hessian."""
        q = gradient.copy()
        history = []
        for s, y in zip(reversed(self.steps), reversed(self.changes), strict=True):
            rho = 1 / (s @ y)
            a = rho * (s @ q)
            q -= a * y
            history.append((rho, a, s, y))
        if self.steps:
            s, y = self.steps[-1], self.changes[-1]
            q *= (s @ y) / (y @ self._scaled(y))
        q = self._scaled(q)
        for rho, a, s, y in reversed(history):
            q += s * (a - rho * (y @ q))
        return -q

    def _scaled(self, vector: np.ndarray) -> np.ndarray:
        if self.inverse is None:
            return vector
        rows = vector.reshape(len(self.inverse), -1, 1)
        return np.matmul(self.inverse, rows).ravel()

    def update(self, step: np.ndarray, change: np.ndarray) -> None:
        """Take in a step and the change of the gradient along it, if the curvature is positive."""
        if step @ change > 1e-10 * np.linalg.norm(step) * np.linalg.norm(change):
            self.steps = [*self.steps, step][-self.memory :]
            self.changes = [*self.changes, change][-self.memory :]

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the state as arrays, for a checkpoint."""
        arrays = {"steps": np.array(self.steps), "changes": np.array(self.changes)}
        return arrays if self.inverse is None else arrays | {"inverse": self.inverse}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take the state from arrays."""
        self.steps, self.changes = list(arrays["steps"]), list(arrays["changes"])
        self.inverse = arrays.get("inverse")


def cubic_minimum(
    a: float, value_a: float, slope_a: float, b: float, value_b: float, slope_b: float
) -> float:
    """Return the minimum of the cubic through two points with slopes, kept inside (a, b)."""
    d1 = slope_a + slope_b - 3 * (value_a - value_b) / (a - b)
    square = d1**2 - slope_a * slope_b
    low, high = min(a, b), max(a, b)
    middle = 0.5 * (a + b)
    if square >= 0:
        d2 = np.copysign(np.sqrt(square), b - a)
        denominator = slope_b - slope_a + 2 * d2
        if denominator != 0:
            middle = b - (b - a) * (slope_b + d2 - d1) / denominator
    margin = 0.1 * (high - low)
    return float(np.clip(middle, low + margin, high - margin))


def wolfe_search(
    probe: Callable[[float], tuple[float, float]],
    value: float,
    slope: float,
    *,
    first: float = 1.0,
    noise: float = 0.0,
    max_probes: int = 12,
) -> bool:
    """Find a step length with sufficient decrease and a much smaller slope.

    The conditions are f(a) <= f(0) + 1e-4 a f'(0) + noise and |f'(a)| <= 0.9 |f'(0)|.

    Args:
        probe: Maps a step length to (value, slope) there; the caller keeps what it evaluated.
        value: f(0).
        slope: f'(0) < 0.
        first: Step length to try first.
        noise: How far rounding may lift a value.
        max_probes: Most evaluations.

    Returns:
        Whether the last probe satisfied the conditions.

    Source: Nocedal and Wright, Numerical Optimization, Algorithms 3.5 and 3.6.
    """
    low, value_low, slope_low = 0.0, value, slope
    high: tuple[float, float, float] | None = None
    length = first
    for _ in range(max_probes):
        new_value, new_slope = probe(length)
        enough = new_value <= value + 1e-4 * length * slope + noise
        if enough and abs(new_slope) <= 0.9 * abs(slope):
            return True
        if not enough or not np.isfinite(new_value) or new_value >= value_low + noise:
            high = (length, new_value, new_slope)
        else:
            ahead = 1.0 if high is None else high[0] - length
            if new_slope * ahead >= 0:
                high = (low, value_low, slope_low)
            low, value_low, slope_low = length, new_value, new_slope
        if high is None:
            length *= 2.5
        elif np.isfinite(high[1]):
            length = cubic_minimum(low, value_low, slope_low, *high)
        else:
            length = 0.5 * (low + high[0])
    return False
