"""Solutions of the full or the reduced system in one and two dimensions."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Gt, Interval, Le
from jaxtyping import Float

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._magnitude import refuse_huge
from aqc.kernels._signature import checked
from aqc.kernels.chemotaxis_singular_limits._radau import MOST_POINTS, follow
from aqc.kernels.chemotaxis_singular_limits._step import (
    Box,
    Fields,
    advance,
    factors,
    on_manifold,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_START = 1e-6  # first time of graded nodes, of the final one
_STEPS = 1500
_BETWEEN = 25  # steps between two offers to stop
_AT_ONCE = 2**15  # coefficients of all steps whose factors are made at once
_HIGHEST, _TAIL = 1e6, 1e-3

Positive = Annotated[float, Gt(0), Le(1e3)]
Nonnegative = Annotated[float, Interval(ge=0, le=10)]


@dataclass(frozen=True)
class Chemotaxis:
    """Cells and signals at some times; s of them, fewer where the run stopped.

    Args:
        t: Times, shape (s,).
        n: Cells, shape (s, *grid).
        c: Signal, same shape.
        w: Its source, same shape.
        mass: Integral of n.
        largest: Of n.
        smallest: Of n.
        w_distance: L2 norm of w - (1 - tau Lap)^-1 n.
        c_distance: L2 norm of c - (1 - Lap)^-1 w.
        status: Whether the end was reached.
    """

    t: np.ndarray
    n: np.ndarray
    c: np.ndarray
    w: np.ndarray
    mass: np.ndarray
    largest: np.ndarray
    smallest: np.ndarray
    w_distance: np.ndarray
    c_distance: np.ndarray
    status: Literal["done", "blow-up suspected"]


@checked(points=(8, 1024))
def solve_chemotaxis(
    n0: Float[np.ndarray, " points"],
    c0: Float[np.ndarray, " points"],
    w0: Float[np.ndarray, " points"],
    length: Positive,
    eps: Nonnegative,
    tau: Nonnegative,
    t_final: Positive = 1.0,
    n_steps: Annotated[int, Interval(ge=10, le=20_000)] | None = None,
    n_snapshots: Annotated[int, Interval(ge=2, le=500)] = 50,
    graded: bool = True,
) -> Chemotaxis:
    """Solve the chemotaxis system with indirect signal on an interval with no-flux ends.

    n_t = Lap n - div(n grad c), eps c_t = Lap c - c + w, eps w_t = tau Lap w - w + n.

    Args:
        n0: Cells at the middle of equal parts of the interval, shape (points,).
        c0: Signal; of no effect where eps = 0.
        w0: Its source; of no effect where eps = 0.
        length: Of the interval.
        eps: Time scale of the signals; 0 for the parabolic-elliptic system.
        tau: Diffusion of w; with eps = 0 also 0 for the direct Keller-Segel system.
        t_final: End.
        n_steps: Time steps of the exponential scheme, which is as good for every eps. Where not
            given: none of them for eps > 0 and at most 64 points, where SciPy's Radau takes less
            time for less error; else 1500.
        n_snapshots: Times at which the answer is given.
        graded: Whether the scheme's steps grow from 1e-6 of the end on (so that the initial layer
            is resolved for every eps) or are equal.

    Returns:
        Fields, mass, extremes, distance from the critical manifold.

    Raises:
        InputError: A density is negative.

    Source: arXiv 2508.01436, the system and its limits; the exponential scheme is ours.

    Example:
        >>> x = (np.arange(32) + 0.5) / 32
        >>> n0 = 1 + 0.5 * np.cos(np.pi * x)
        >>> found = solve_chemotaxis(n0, np.ones(32), np.ones(32), 1.0, 0.01, 1.0, n_steps=200)
        >>> bool(abs(found.mass[-1] - 1) < 1e-12)
        True
    """
    return drain(solve_chemotaxis_steps(**locals()))


def solve_chemotaxis_steps(
    *, length: float, n_steps: int | None, state: Any = None, **given: Any
) -> Steps:
    """Run `solve_chemotaxis` step by step."""
    if n_steps is None and given["eps"] > 0 and len(given["n0"]) <= MOST_POINTS:
        return _solve_small(length, **given)
    return _solve((length,), state=state, n_steps=n_steps or _STEPS, **given)


@checked(rows=(8, 256), columns=(8, 256))
def solve_chemotaxis_rectangle(
    n0: Float[np.ndarray, "rows columns"],
    c0: Float[np.ndarray, "rows columns"],
    w0: Float[np.ndarray, "rows columns"],
    lengths: tuple[Positive, Positive],
    eps: Nonnegative,
    tau: Nonnegative,
    t_final: Positive = 1.0,
    n_steps: Annotated[int, Interval(ge=10, le=20_000)] = 500,
    n_snapshots: Annotated[int, Interval(ge=2, le=50)] = 5,
    graded: bool = True,
) -> Chemotaxis:
    """Solve the chemotaxis system with indirect signal on a rectangle with no-flux walls.

    n_t = Lap n - div(n grad c), eps c_t = Lap c - c + w, eps w_t = tau Lap w - w + n.

    Args:
        n0: Cells at the middle of equal rectangles, shape (rows, columns).
        c0: Signal; of no effect where eps = 0.
        w0: Its source; of no effect where eps = 0.
        lengths: Along rows' and columns' numbers.
        eps: Time scale of the signals; 0 for the parabolic-elliptic system.
        tau: Diffusion of w.
        t_final: End.
        n_steps: Time steps.
        n_snapshots: Times at which the answer is given.
        graded: Whether steps grow from 1e-6 of the end on, or are equal.

    Returns:
        Fields, mass, extremes, distance from the critical manifold.

    Raises:
        InputError: A density is negative.

    Source: arXiv 2508.01436, the system and its limits; the exponential scheme is ours.

    Example:
        >>> n0 = 1 + 0.5 * np.cos(np.pi * (np.arange(16) + 0.5) / 16)[:, None] * np.ones(16)
        >>> found = solve_chemotaxis_rectangle(n0, n0, n0, (1.0, 1.0), 0.1, 1.0, n_steps=50)
        >>> found.n.shape
        (5, 16, 16)
    """
    return drain(solve_chemotaxis_rectangle_steps(**locals()))


def solve_chemotaxis_rectangle_steps(
    *, lengths: tuple[float, ...], state: Any = None, **given: Any
) -> Steps:
    """Run `solve_chemotaxis_rectangle` step by step."""
    return _solve(tuple(lengths), state=state, **given)


def solve_work(n0: np.ndarray, n_steps: int | None, **_: object) -> float:
    """Return steps x points."""
    return float((n_steps or _STEPS) * (n0.size + 200))


def _solve(
    lengths: tuple[float, ...],
    n0: np.ndarray,
    c0: np.ndarray,
    w0: np.ndarray,
    eps: float,
    tau: float,
    t_final: float,
    n_steps: int,
    n_snapshots: int,
    graded: bool,
    state: Any,
) -> Steps:
    check_densities(n0=n0, c0=c0, w0=w0)
    box, times = Box(lengths, n0.shape), nodes(t_final, n_steps, graded)
    wanted = np.searchsorted(times, np.linspace(0, t_final, n_snapshots) * (1 - 1e-12))
    eps_, tau_ = np.array([eps]), np.array([tau])
    if state is None:
        start = begin(box, n0, c0, w0, eps_, tau_)
        state = {"step": 0, "fields": tuple(start), "snapshots": []}
        state["snapshots"].append(_snapshot(box, start, 0.0, tau))
    status: Literal["done", "blow-up suspected"] = "done"
    for step, fields in march(box, state, eps_, tau_, times):
        if _is_lost(box, fields.n[0], n0):
            status = "blow-up suspected"
            break
        if step in wanted:
            state["snapshots"].append(_snapshot(box, fields, times[step], tau))
        state["step"], state["fields"] = step, tuple(fields)
        if step % _BETWEEN == 0:
            yield step / n_steps, state | {"snapshots": list(state["snapshots"])}
    return _answer(state["snapshots"], status)


def _solve_small(
    length: float,
    n0: np.ndarray,
    c0: np.ndarray,
    w0: np.ndarray,
    eps: float,
    tau: float,
    t_final: float,
    n_snapshots: int,
    graded: bool,
) -> Steps:
    """Yield no state: such a run is started anew."""
    check_densities(n0=n0, c0=c0, w0=w0)
    box, times = Box((length,), n0.shape), np.linspace(0, t_final, n_snapshots)
    start = begin(box, n0, c0, w0, np.array([eps]), np.array([tau]))
    snapshots = []
    for time, fields, asked in follow(box, start, eps, tau, times):
        if _is_lost(box, fields.n[0], n0):
            break
        if asked:
            snapshots.append(_snapshot(box, fields, time, tau))
        else:
            yield time / t_final, None
    done = len(snapshots) == n_snapshots
    return _answer(snapshots, "done" if done else "blow-up suspected")


def _answer(snapshots: list[Any], status: Literal["done", "blow-up suspected"]) -> Chemotaxis:
    t, n, c, w, *measures = (np.array(x) for x in zip(*snapshots, strict=True))
    mass, largest, smallest, w_distance, c_distance = measures
    return Chemotaxis(t, n, c, w, mass, largest, smallest, w_distance, c_distance, status)


def check_densities(**densities: np.ndarray) -> None:
    """Refuse negative densities, and no cells at all.

    Raises:
        InputError: One of them is.
    """
    refuse_huge(**densities)
    for name, values in densities.items():
        if values.min() < 0:
            raise InputError(f"`{name}` must be >= 0, but holds {values.min():g}.", f"/{name}")
    if densities["n0"].max() == 0:
        raise InputError("`n0` must hold cells, but is zero everywhere.", "/n0")


def nodes(t_final: float, n_steps: int, graded: bool) -> np.ndarray:
    """Return the times of a run, shape (n_steps + 1,)."""
    if not graded:
        return np.linspace(0, t_final, n_steps + 1)
    return np.r_[0.0, np.geomspace(_START * t_final, t_final, n_steps)]


def begin(
    box: Box, n0: np.ndarray, c0: np.ndarray, w0: np.ndarray, eps: np.ndarray, tau: np.ndarray
) -> Fields:
    """Return the coefficients of all runs at the start; signals of runs of eps = 0 are made."""
    eps_, tau_ = (x.reshape(-1, *(1 for _ in box.shape)) for x in (eps, tau))
    ones = np.ones_like(eps_)
    given = Fields(*(box.transform(x) * ones for x in (n0, c0, w0)))
    made = on_manifold(box, given.n, tau_)
    return Fields(*(np.where(eps_ == 0, x, y) for x, y in zip(made, given, strict=True)))


def march(
    box: Box, state: Any, eps: np.ndarray, tau: np.ndarray, times: np.ndarray
) -> Generator[tuple[int, Fields], None, None]:
    """Yield the number of each step that is left, and the fields after it."""
    eps_, tau_ = (x.reshape(-1, *(1 for _ in box.shape)) for x in (eps, tau))
    fields = Fields(*state["fields"])
    lengths, at_once = np.diff(times), max(1, _AT_ONCE // fields.n.size)
    for begin_ in range(state["step"], len(lengths), at_once):
        chosen = lengths[begin_ : begin_ + at_once]
        by = factors(box, chosen, eps_, tau_)
        for k in range(len(chosen)):
            with np.errstate(over="ignore", invalid="ignore"):
                fields = advance(box, fields, by.of(k))
            yield begin_ + k + 1, fields


def _snapshot(box: Box, fields: Fields, time: float, tau: float) -> tuple[Any, ...]:
    n, c, w = (box.values(x[0]) for x in fields)
    ideal_w = fields.n[0] / (1 + tau * box.squares)
    ideal_c = fields.w[0] / (1 + box.squares)
    distances = [
        float(np.linalg.norm(found[0] - ideal) * np.sqrt(box.cell))
        for found, ideal in ((fields.w, ideal_w), (fields.c, ideal_c))
    ]
    zeroth = fields.n[0].flat[0] * np.sqrt(n.size)  # the sum over the grid
    return time, n, c, w, float(zeroth * box.cell), n.max(), n.min(), *distances


def _is_lost(box: Box, n: np.ndarray, n0: np.ndarray) -> bool:
    """Say whether the cells concentrate beyond what the grid resolves."""
    values = box.values(n)
    if not np.isfinite(values).all() or np.abs(values).max() > _HIGHEST * n0.mean():
        return True
    tail = np.linalg.norm(n[box.upper])
    return bool(tail > _TAIL * np.linalg.norm(n) and values.max() > 2 * n0.max())


def draw(found: Chemotaxis) -> "Figure":
    """Return a figure of the cells in space and time, or of the last field of a rectangle."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    if found.n.ndim == 2:
        grid = (np.arange(found.n.shape[1]) + 0.5) / found.n.shape[1]
        shown = left.pcolormesh(found.t, grid, found.n.T, shading="nearest")
        left.set(xlabel="time t", ylabel="x / length", title="cells n")
    else:
        shown = left.imshow(found.n[-1], origin="lower", aspect="auto")
        left.set(xlabel="column", ylabel="row", title=f"cells n at t = {found.t[-1]:.3g}")
    figure.colorbar(shown)
    for name, values in (("w", found.w_distance), ("c", found.c_distance)):
        positive = values > 0
        if positive.any():
            right.semilogy(found.t[positive], values[positive], ".-", label=name)
            right.legend()
    right.set(xlabel="time t", ylabel="L2 distance from the critical manifold")
    right.set_title(found.status)
    return figure
