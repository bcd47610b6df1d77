"""What a general solver finds, which for these equations is the faster way."""

from collections.abc import Callable

import numpy as np
from scipy.integrate import DOP853

MOST_EVALUATIONS = 100_000


def integrate(
    slope: Callable[[float, np.ndarray], np.ndarray], u0: np.ndarray, t: np.ndarray, rtol: float
) -> np.ndarray | None:
    """Return SciPy's DOP853 at some times, (times, d), or None where it does not get there.

    It does not where the solution ends before, or takes more than 100 000 evaluations (stiff
    equations do).

    Args:
        slope: u' of t and u.
        u0: At t = 0, (d,).
        t: Ascending.
        rtol: Relative tolerance; the absolute one is a hundredth of it.
    """
    rows = np.empty((len(t), len(u0)))
    done = 0
    with np.errstate(over="ignore", invalid="ignore"):
        solver = DOP853(slope, 0.0, u0.astype(float), t.max(), rtol=rtol, atol=rtol / 100)
        while done < len(t):
            if solver.status != "running" or solver.nfev > MOST_EVALUATIONS:
                return None
            solver.step()
            if solver.status == "failed":
                return None
            inside = solver.dense_output()
            while done < len(t) and t[done] <= solver.t:
                rows[done] = inside(t[done])
                done += 1
    return rows


def distance(found: np.ndarray, exact: np.ndarray | None) -> float | None:
    """Return the relative L2 distance, None where there is nothing to compare with."""
    if exact is None:
        return None
    return float(np.linalg.norm(found - exact) / np.linalg.norm(exact))
