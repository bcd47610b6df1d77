"""How fast the full system approaches its limits as the parameters go to zero."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Gt, Interval, Le, Len
from jaxtyping import Float

from aqc.errors import DivergenceError, InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._signature import checked
from aqc.kernels.chemotaxis_singular_limits._solve import (
    Nonnegative,
    Positive,
    begin,
    check_densities,
    march,
    nodes,
)
from aqc.kernels.chemotaxis_singular_limits._step import Box, Fields

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BETWEEN = 25
NORMS = (
    "n, largest in time of L2",
    "grad n, L2 in time and space",
    "c, L2 in time and space",
    "w, L2 in time and space",
    "c, largest in time of L2",
    "w, largest in time of L2",
    "c at the end, L2",
)
Parameters = Annotated[tuple[Annotated[float, Gt(0), Le(10)], ...], Len(2, 12)]


@dataclass(frozen=True)
class Rates:
    """Distances from the limit.

    Args:
        eps: Values of the parameter, descending, shape (e,).
        norms: Names of the norms.
        errors: Distances, shape (norms, e).
        slopes: Of log error over log eps between neighbours, shape (norms, e - 1); 0 where an
            error is 0.
    """

    eps: np.ndarray
    norms: tuple[str, ...]
    errors: np.ndarray
    slopes: np.ndarray


@checked(points=(8, 1024))
def parabolic_elliptic_rates(
    n0: Float[np.ndarray, " points"],
    c0: Float[np.ndarray, " points"],
    w0: Float[np.ndarray, " points"],
    length: Positive,
    eps: Parameters,
    tau: Nonnegative = 1.0,
    t_final: Positive = 1.0,
    n_steps: Annotated[int, Interval(ge=10, le=20_000)] = 1500,
) -> Rates:
    """Measure the distance from the parabolic-elliptic system, eps = 0, in several norms.

    Its order is 1 for data on the critical manifold; else the initial layer of c and w has
    order 1/2 in L2 in time, and does not vanish at all in the largest value over time.

    Args:
        n0: Cells at the middle of equal parts of the interval, shape (points,).
        c0: Signal.
        w0: Its source.
        length: Of the interval.
        eps: Values of eps, different, 2 to 12.
        tau: Diffusion of w, fixed.
        t_final: End.
        n_steps: Graded time steps, the same for all runs.

    Returns:
        Errors and slopes.

    Raises:
        InputError: A density is negative, or two values of eps are equal.
        DivergenceError: A run blows up.

    Source: arXiv 2508.01436, parabolic-elliptic simplification. All runs share grid and time
    steps, so that their common error cancels.

    Example:
        >>> x = (np.arange(16) + 0.5) / 16
        >>> n0 = 1 + 0.5 * np.cos(np.pi * x)
        >>> found = parabolic_elliptic_rates(n0, 0 * x, 0 * x, 1.0, (1e-2, 1e-3), n_steps=300)
        >>> bool(abs(found.slopes[0, 0] - 1) < 0.1)
        True
    """
    return drain(parabolic_elliptic_rates_steps(**locals()))


def parabolic_elliptic_rates_steps(
    *, eps: tuple[float, ...], tau: float, state: Any = None, **given: Any
) -> Steps:
    """Run `parabolic_elliptic_rates` step by step."""
    values = _descending(eps)
    return _rates(values, np.full(len(values) + 1, tau), state=state, **given)


@checked(points=(8, 1024))
def indirect_direct_rates(
    n0: Float[np.ndarray, " points"],
    c0: Float[np.ndarray, " points"],
    w0: Float[np.ndarray, " points"],
    length: Positive,
    eps: Parameters,
    t_final: Positive = 1.0,
    n_steps: Annotated[int, Interval(ge=10, le=20_000)] = 1500,
) -> Rates:
    """Measure the distance from the direct Keller-Segel system as eps = tau goes to 0.

    In the limit w = n and (1 - Lap) c = n.

    Args:
        n0: Cells at the middle of equal parts of the interval, shape (points,).
        c0: Signal.
        w0: Its source.
        length: Of the interval.
        eps: Values of eps = tau, different, 2 to 12.
        t_final: End.
        n_steps: Graded time steps, the same for all runs.

    Returns:
        Errors and slopes.

    Raises:
        InputError: A density is negative, or two values of eps are equal.
        DivergenceError: A run blows up.

    Source: arXiv 2508.01436, indirect-direct simplification.

    Example:
        >>> x = (np.arange(16) + 0.5) / 16
        >>> n0 = 1 + 0.5 * np.cos(np.pi * x)
        >>> found = indirect_direct_rates(n0, n0, n0, 1.0, (1e-2, 1e-3), n_steps=300)
        >>> bool(found.slopes[0, 0] > 0.8)
        True
    """
    return drain(indirect_direct_rates_steps(**locals()))


def indirect_direct_rates_steps(
    *, eps: tuple[float, ...], state: Any = None, **given: Any
) -> Steps:
    """Run `indirect_direct_rates` step by step."""
    values = _descending(eps)
    return _rates(values, np.r_[values, 0.0], state=state, **given)


def rates_work(n0: np.ndarray, eps: tuple[float, ...], n_steps: int, **_: object) -> float:
    """Return steps x runs x points."""
    return float(n_steps * ((len(eps) + 1) * n0.size + 200))


def _descending(eps: tuple[float, ...]) -> np.ndarray:
    values = np.sort(np.array(eps))[::-1]
    if np.any(np.diff(values) == 0):
        raise InputError("`eps` must hold different values, but two are equal.", "/eps")
    return values


def _rates(
    eps: np.ndarray,
    tau: np.ndarray,
    n0: np.ndarray,
    c0: np.ndarray,
    w0: np.ndarray,
    length: float,
    t_final: float,
    n_steps: int,
    state: Any,
) -> Steps:
    check_densities(n0=n0, c0=c0, w0=w0)
    box, times, all_eps = Box((length,), n0.shape), nodes(t_final, n_steps, True), np.r_[eps, 0.0]
    if state is None:
        start = begin(box, n0, c0, w0, all_eps, tau)
        first = _distances(box, start)
        state = {"step": 0, "fields": tuple(start), "largest": first, "now": first}
        state["squares"] = np.zeros_like(first)
    for step, fields in march(box, state, all_eps, tau, times):
        now = _distances(box, fields)
        if not np.isfinite(now).all():
            raise DivergenceError(f"A run blows up before t = {times[step]:.3g}.")
        half = (times[step] - times[step - 1]) / 2
        state = {
            "step": step,
            "fields": tuple(fields),
            "largest": np.maximum(state["largest"], now),
            "squares": state["squares"] + half * (now**2 + state["now"] ** 2),
            "now": now,
        }
        if step % _BETWEEN == 0:
            yield step / n_steps, state
    largest, integrals, last = state["largest"], np.sqrt(state["squares"]), state["now"]
    errors = np.stack([largest[0], *integrals[[1, 2, 3]], largest[2], largest[3], last[2]])
    return Rates(eps, NORMS, errors, _slopes(eps, errors))


def _slopes(eps: np.ndarray, errors: np.ndarray) -> np.ndarray:
    usable = (errors[:, 1:] > 0) & (errors[:, :-1] > 0)
    ratios = np.where(usable, errors[:, :-1], 1.0) / np.where(usable, errors[:, 1:], 1.0)
    found: np.ndarray = np.log(ratios) / np.log(eps[:-1] / eps[1:])
    return found


def _distances(box: Box, fields: Fields) -> np.ndarray:
    """Return L2 distances of n, grad n, c and w of each run from the last, shape (4, runs - 1)."""
    n, c, w = (x[:-1] - x[-1] for x in fields)
    parts = (n, np.sqrt(box.squares) * n, c, w)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.stack([np.linalg.norm(x, axis=1) for x in parts]) * np.sqrt(box.cell)


def draw_rates(found: Rates) -> "Figure":
    """Return a figure of the errors over eps."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 4.0), layout="constrained")
    axes = figure.add_subplot()
    for name, errors, slopes in zip(found.norms, found.errors, found.slopes, strict=True):
        if errors.min() > 0:
            axes.loglog(found.eps, errors, ".-", label=f"{name} (slope {slopes[-1]:.2f})")
    axes.set(xlabel="eps", ylabel="distance from the limit")
    figure.legend(loc="outside right center", fontsize="small")
    return figure
