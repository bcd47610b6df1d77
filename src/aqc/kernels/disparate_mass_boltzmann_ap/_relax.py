"""Relaxation of a mixture of light and heavy particles, recorded on the way."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Gt, Interval, Le, Len
from jaxtyping import Float

from aqc.errors import DivergenceError, InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._magnitude import refuse_huge
from aqc.kernels._signature import checked
from aqc.kernels.disparate_mass_boltzmann_ap._operators import Grid
from aqc.kernels.disparate_mass_boltzmann_ap._step import advance

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NEGATIVE, _OUTSIDE, _STABLE = 1e-6, 1e-6, 2.0
_BETWEEN = 50


@dataclass(frozen=True)
class Values:
    """A distribution on the grid -S + 2 S j / n_v, j = 0 ... n_v - 1, along both axes.

    Args:
        f: Shape (n_v, n_v).
    """

    f: Float[np.ndarray, "n_v n_v"]
    kind: Literal["values"] = "values"

    def on(self, grid: Grid) -> np.ndarray:
        """Return the values on the grid."""
        return self.f


@dataclass(frozen=True)
class Maxwellian:
    """One Maxwellian.

    Args:
        density: n.
        mean: Mean velocity.
        temperature: Per own mass.
    """

    density: Annotated[float, Gt(0), Le(1e6)]
    mean: tuple[float, float]
    temperature: Annotated[float, Gt(0), Le(1e6)]


@dataclass(frozen=True)
class Maxwellians:
    """A sum of Maxwellians.

    Args:
        parts: At most 16.
    """

    parts: Annotated[tuple[Maxwellian, ...], Len(1, 16)]
    kind: Literal["maxwellians"] = "maxwellians"

    def on(self, grid: Grid) -> np.ndarray:
        """Return the values on the grid."""
        x, y = grid.velocities
        found = np.zeros_like(x)
        for part in self.parts:
            square = (x - part.mean[0]) ** 2 + (y - part.mean[1]) ** 2
            t = part.temperature
            found += part.density / (2 * np.pi * t) * np.exp(-square / (2 * t))
        return found


@dataclass(frozen=True)
class Species:
    """One species over time; each velocity in the unit of its own thermal velocity.

    Args:
        density: n, shape (records,).
        velocity: Mean, shape (records, 2).
        temperature: T, shape (records,).
        distance: L1 distance from the Maxwellian of the same moments.
        entropy: Integral of f log f where f > 0.
        least: Smallest value of f.
        f: At the end, shape (n_v, n_v).
    """

    density: np.ndarray
    velocity: np.ndarray
    temperature: np.ndarray
    distance: np.ndarray
    entropy: np.ndarray
    least: np.ndarray
    f: np.ndarray


@dataclass(frozen=True)
class Relaxation:
    """Both species on their way to one temperature.

    Args:
        t: Times of the records.
        light: Light species.
        heavy: Heavy species; its physical velocity is eps times the one here.
        energy_drift: Largest relative change of the total energy.
    """

    t: np.ndarray
    light: Species
    heavy: Species
    energy_drift: float


@checked(n_v=(16, 64))
def relax_mixture(
    light: Values | Maxwellians,
    heavy: Values | Maxwellians,
    eps: Annotated[float, Gt(0), Le(0.3)],
    dt: Annotated[float, Gt(0)],
    n_steps: Annotated[int, Interval(ge=1, le=20_000)],
    b0: Annotated[float, Gt(0), Le(1e3)] = 1.0,
    half_width: Annotated[float, Interval(ge=1, le=100)] = 8.0,
    n_v: Annotated[int, Interval(ge=16, le=64)] = 32,
    n_angles: Annotated[int, Interval(ge=4, le=32)] = 8,
    n_records: Annotated[int, Interval(ge=2, le=1000)] = 100,
) -> Relaxation:
    """Relax a space-homogeneous mixture of light and heavy particles with steps free of eps.

    The light species becomes Maxwellian within eps^2, the heavy one within eps, and
    d(T_L - T_H)/dt = -2 b0 (n_L + n_H) (T_L - T_H).

    Args:
        light: Distribution f_L, in units of its thermal velocity.
        heavy: Distribution f_H, in units of its own.
        eps: Square root of the ratio of masses.
        dt: Time step, in the time of temperature relaxation.
        n_steps: How many.
        b0: Rate of collisions per density.
        half_width: Of the velocity box, 7 to 9 thermal velocities.
        n_v: Points along each velocity axis, even.
        n_angles: Directions of the spectral collision operator.
        n_records: Most records over time, the start and the end among them.

    Returns:
        Moments, distance from equilibrium and entropy over time, distributions at the end.

    Raises:
        InputError: A distribution is negative, empty or leaves the box, grids differ, or the
            explicit part is unstable for `dt`.

    Source: arXiv 2411.13240, truncated operators and asymptotic-preserving step; operators here
    derived for two-dimensional Maxwell molecules.

    Example:
        >>> hot = Maxwellians((Maxwellian(1.0, (0.0, 0.0), 1.5),))
        >>> cold = Maxwellians((Maxwellian(1.0, (0.0, 0.0), 1.0),))
        >>> found = relax_mixture(hot, cold, 1e-3, 0.02, 50)
        >>> gap = found.light.temperature - found.heavy.temperature
        >>> bool(abs(gap[-1] / gap[0] - 0.92**50) < 1e-9)
        True
    """
    return drain(relax_mixture_steps(**locals()))


def relax_mixture_steps(
    light: Values | Maxwellians,
    heavy: Values | Maxwellians,
    eps: float,
    dt: float,
    n_steps: int,
    b0: float,
    half_width: float,
    n_v: int,
    n_angles: int,
    n_records: int,
    state: Any = None,
) -> Steps:
    """Run `relax_mixture` step by step."""
    if n_v % 2:
        raise InputError(f"`n_v` must be even, but is {n_v}.", "/n_v")
    grid = Grid(half_width, n_v, n_angles)
    pair = [_start(grid, species, name) for species, name in ((light, "light"), (heavy, "heavy"))]
    _check_step(grid, pair, dt, b0)
    wanted = set(np.linspace(0, n_steps, min(n_records, n_steps + 1)).round().astype(int).tolist())
    state = state or {"step": 0, "pair": pair, "records": [_record(grid, pair, 0.0)]}
    fields = list(state["pair"])
    records = [tuple(x) for x in state["records"]]
    for step in range(state["step"] + 1, n_steps + 1):
        with np.errstate(over="ignore", invalid="ignore"):
            fields = list(advance(grid, fields[0], fields[1], eps, dt, b0))
        if not all(np.isfinite(f).all() for f in fields):
            raise DivergenceError(f"The distributions are not finite at step {step}: reduce `dt`.")
        if step in wanted:
            records.append(_record(grid, fields, step * dt))
        if step % _BETWEEN == 0:
            yield step / n_steps, {"step": step, "pair": fields, "records": list(records)}
    return _result(grid, fields, records)


def relax_work(n_steps: int, n_v: int, n_angles: int, **_: object) -> float:
    """Return steps x points of velocity x directions."""
    return float(n_steps * n_v**2 * (n_angles + 8))


def _start(grid: Grid, species: Values | Maxwellians, name: str) -> np.ndarray:
    """Return a distribution on the grid, or refuse it."""
    if isinstance(species, Values):
        if len(species.f) != grid.n_v:
            raise InputError(
                f"`{name}.f` must have {grid.n_v} entries along each axis, as `n_v` says, but has "
                f"{len(species.f)}.",
                f"/{name}/f",
            )
        refuse_huge(**{f"{name}.f": species.f})
    f = species.on(grid)
    if f.max() <= 0 or not np.isfinite(f).all():
        raise InputError(f"`{name}` must have a density > 0 within the box.", f"/{name}")
    if f.min() < -_NEGATIVE * f.max():
        raise InputError(f"`{name}` must be >= 0, but holds {f.min():.3g}.", f"/{name}")
    ring = np.maximum(*np.abs(grid.velocities)) > 0.9 * grid.half_width
    if np.abs(f[ring]).sum() > _OUTSIDE * f.sum():
        raise InputError(
            f"`{name}` must vanish at the box's edge, but {np.abs(f[ring]).sum() / f.sum():.2g} of "
            "it is there: increase `half_width`.",
            f"/{name}",
        )
    if np.sqrt(grid.moments(f).temperature) < 2 * grid.half_width / grid.n_v:
        raise InputError(
            f"`{name}` must be wider than a cell, but its thermal velocity is less: increase "
            "`n_v` or reduce `half_width`.",
            f"/{name}",
        )
    return f


def _check_step(grid: Grid, pair: list[np.ndarray], dt: float, b0: float) -> None:
    """Refuse a step that the explicit diffusion in velocity cannot take."""
    moments = [grid.moments(f) for f in pair]
    fastest = max(m.n for m in moments) * max(m.temperature for m in moments) * b0
    largest = _STABLE / (fastest * (np.pi * grid.n_v / (2 * grid.half_width)) ** 2)
    if dt > largest:
        raise InputError(
            f"`dt` must be at most {largest:.3g} for the diffusion in velocity to be stable, but "
            f"is {dt:g}.",
            "/dt",
        )


def _record(grid: Grid, pair: list[np.ndarray], time: float) -> tuple[Any, ...]:
    row: list[Any] = [time]
    for f in pair:
        moments = grid.moments(f)
        positive = f[f > 0]
        row += [
            moments.n,
            moments.u,
            moments.temperature,
            float(np.abs(f - grid.maxwellian(moments)).sum() * grid.cell),
            float((positive * np.log(positive)).sum() * grid.cell),
            float(f.min()),
            moments.n * moments.energy,
        ]
    return tuple(row)


def _result(grid: Grid, pair: list[np.ndarray], records: list[tuple[Any, ...]]) -> Relaxation:
    columns = [np.array(x) for x in zip(*records, strict=True)]
    energy = columns[7] + columns[14]
    light, heavy = (
        Species(*columns[first : first + 6], f)  # type: ignore[call-arg]
        for first, f in zip((1, 8), pair, strict=True)
    )
    return Relaxation(columns[0], light, heavy, float(np.abs(energy / energy[0] - 1).max()))


def draw(found: Relaxation) -> "Figure":
    """Return a figure of the temperatures and of the distances from equilibrium."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, species in (("light", found.light), ("heavy", found.heavy)):
        left.plot(found.t, species.temperature, label=name)
        right.semilogy(found.t, species.distance, label=name)
    left.set(xlabel="time t (of temperature relaxation)", ylabel="temperature T")
    right.set(xlabel="time t (of temperature relaxation)", ylabel="L1 distance from Maxwellian")
    left.legend()
    right.legend()
    return figure
