"""The approximation itself: E, the interval's distribution, the persistency exponent, samples."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Gt, Interval, Len, Lt
from scipy.integrate import simpson
from scipy.optimize import brentq
from scipy.signal import lfilter

from aqc.errors import InputError
from aqc.kernels._signature import checked
from aqc.kernels.slepian_iia.covariances import Covariance, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NEGLIGIBLE = 1e-10  # where E is cut off
_LONGEST = 1e4
_FORGOTTEN = 14.0  # theta t at which the grid may end: P(T > t) is about 1e-6
_ROUGH = 1e-8  # how far a table's E may rise by the spline's noise
# Negative probabilities beyond this share of the largest are no rounding.
_IMPOSSIBLE = 1e-3


@dataclass(frozen=True)
class Excursions:
    """The approximated time T between zero crossings.

    Args:
        t: Grid of times, shape (n_grid,), in the covariance's unit of time.
        e: Expected clipped Slepian process.
        survival: P(T > t).
        pdf: Density of T, per time.
        theta: Persistency exponent, P(T > t) ~ e^(-theta t), per time; None where there is none.
        theta_note: Why there is none.
        mean: Of T, by E.
        variance: Of T, by E.
        rice_mean: Mean time between zeros, exact for the process.
        validity: Whether T is a distribution.
        monotone: Whether E decreases.
        quantiles: Times, None where beyond the grid.
    """

    t: np.ndarray
    e: np.ndarray
    survival: np.ndarray
    pdf: np.ndarray
    theta: float | None
    theta_note: str
    mean: float
    variance: float
    rice_mean: float
    validity: Literal["valid", "inconclusive", "invalid"]
    monotone: bool
    quantiles: tuple[float | None, ...]


@checked()
def approximate_excursions(
    covariance: Covariance,
    t_max: Annotated[float, Gt(0)] | None = None,
    n_grid: Annotated[int, Interval(ge=64, le=16384)] = 4096,
    quantiles: Annotated[tuple[Annotated[float, Gt(0), Lt(1)], ...], Len(0, 50)] = (0.1, 0.5, 0.9),
) -> Excursions:
    """Return the independent interval approximation of the time between zero crossings.

    Psi_T(s) = (1 - s L(E)(s)) / (1 + s L(E)(s)), and theta int_0^inf e^(theta t) E(t) dt = 1.

    Args:
        covariance: r(t) with r(0) = 1; a table has at least 64 points.
        t_max: Last time of the grid; by default where E and P(T > t) are negligible, at most 1e4
            (a table: its own end).
        n_grid: Points of the grid.
        quantiles: Probabilities p whose times P(T <= t) = p are wanted.

    Returns:
        Distribution, exponent and verdict.

    Raises:
        InputError: The table is no covariance of a smooth process, or ends before `t_max`.

    Source: arXiv 2401.01805, the Laplace transform of the Slepian-based IIA and the 2-geometric
    divisor. The divisor's law is put on a grid, half of each cell's mass on either end, which is
    of second order in the step.

    Example:
        >>> from aqc.kernels.slepian_iia.covariances import Diffusion
        >>> found = approximate_excursions(Diffusion(2.0), n_grid=1024)
        >>> round(found.theta, 4), found.validity
        (0.1862, 'valid')
    """
    end = _end(covariance)
    if t_max is not None and isinstance(covariance, Table) and t_max > end:
        raise InputError(
            f"`t_max` must not exceed the table's last time {end:g}, but is {t_max:g}.", "/t_max"
        )
    t, e = _tabulate(covariance, _support(covariance), n_grid)
    rate = _decay_rate(t, e)
    theta, note = _theta(t, e, rate)
    first, second = _divisor_moments(t, e, rate)
    monotone = bool(np.all(np.diff(e) <= _ROUGH))

    t_max = t_max or min(end, max(t[-1], _FORGOTTEN / theta if theta else 0.0))
    t, e = _tabulate(covariance, t_max, n_grid)
    interval = _interval_law(e)
    negative = interval.min() < -_IMPOSSIBLE * interval.max()
    if negative:
        theta, note = None, "T is no distribution"
    survival = 1 - np.cumsum(interval) + interval / 2
    survival[0] = 1.0
    pdf = interval / t[1]
    pdf[0] *= 2  # half a cell
    return Excursions(
        t=t,
        e=e,
        survival=survival,
        pdf=pdf,
        theta=theta,
        theta_note=note,
        mean=2 * first,
        # T sums nu copies of D; nu has mean 2 and variance 2.
        variance=2 * (second - first**2) + 2 * first**2,
        rice_mean=float(np.pi / np.sqrt(covariance.curvature)),
        validity="invalid" if negative else "valid" if monotone else "inconclusive",
        monotone=monotone,
        quantiles=tuple(_quantile(t, survival, p) for p in quantiles),
    )


@checked()
def sample_excursions(
    covariance: Covariance,
    n_samples: Annotated[int, Interval(ge=1, le=1_000_000)] = 1000,
    seed: Annotated[int, Interval(ge=0)] = 0,
) -> np.ndarray:
    """Draw independent times between zero crossings from the approximation.

    T = D_1 + ... + D_nu, P(D > t) = E(t), P(nu = k) = 2^-k.

    Args:
        covariance: r(t) with r(0) = 1, for which E falls from 1 to 0.
        n_samples: How many.
        seed: Of the random numbers.

    Returns:
        Times, shape (n_samples,), in the covariance's unit of time.

    Raises:
        InputError: E is not monotone, so that D does not exist.

    Source: arXiv 2401.01805, the stochastic representation by the 2-geometric divisor.

    Example:
        >>> from aqc.kernels.slepian_iia.covariances import Telegraph
        >>> times = sample_excursions(Telegraph(1.0), n_samples=20000, seed=1)
        >>> bool(abs(times.mean() - 2) < 0.06)
        True
    """
    t, e = _tabulate(covariance, _support(covariance), 8192)
    if np.any(np.diff(e) > _ROUGH):
        raise InputError(
            "`covariance` must make E decrease from 1 to 0 for its intervals to be drawn, but E "
            f"rises by {np.diff(e).max():.3g} in one step: see `validity`.",
            "/covariance",
        )
    rng = np.random.default_rng(seed)
    counts = rng.geometric(0.5, n_samples)
    falling = np.minimum.accumulate(e)
    parts = np.interp(rng.random(counts.sum()), falling[::-1], t[::-1])
    owners = np.repeat(np.arange(n_samples), counts)
    return np.bincount(owners, parts, n_samples)


def draw(found: Excursions) -> "Figure":
    """Return a figure of E and the survival function with its exponential tail."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    shown = found.survival > 1e-6
    axes.semilogy(found.t[shown], found.survival[shown], label="P(T > t)")
    positive = found.e > 1e-6
    axes.semilogy(found.t[positive], found.e[positive], "--", label="E(t)")
    if found.theta is not None:
        anchor = int(np.searchsorted(-found.survival, -1e-2).clip(0, len(found.t) - 1))
        decay = np.exp(-found.theta * (found.t - found.t[anchor])) * found.survival[anchor]
        axes.semilogy(found.t[shown], decay[shown], ":", label=f"theta = {found.theta:.4f}")
    axes.set(xlabel="t (time unit of the covariance)", ylabel="probability", ylim=(1e-6, 2))
    axes.set_title(f"Time between zero crossings ({found.validity})")
    axes.legend()
    return figure


def _end(covariance: Covariance) -> float:
    """Return the last time at which anything may be asked."""
    if isinstance(covariance, Table):
        covariance.check()
        return covariance.end
    return _LONGEST


def _support(covariance: Covariance) -> float:
    """Return the time after which E is negligible."""
    end = _end(covariance)
    # Geometric, since E may die after 1e-5 or 1e3 units of time.
    times = np.geomspace(end * 1e-10, end, 4000)
    large = np.flatnonzero(np.abs(_expected(covariance, times)) >= _NEGLIGIBLE)
    return float(times[min(large[-1] + 1, len(times) - 1)]) if large.size else end


def _tabulate(covariance: Covariance, t_max: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the uniform grid and E on it."""
    t = np.linspace(0, t_max, n)
    e = np.ones(n)
    e[1:] = _expected(covariance, t[1:])
    return t, e


def _interval_law(e: np.ndarray) -> np.ndarray:
    """Return the probabilities of T = t_k, from E on the grid."""
    masses = -np.diff(e)
    divisor, impulse = np.zeros(len(e)), np.zeros(len(e))
    divisor[:-1] += masses / 2
    divisor[1:] += masses / 2
    impulse[0] = 1.0
    # The geometric sum has the generating function (q/2) / (1 - q/2): a recursive filter.
    law: np.ndarray = lfilter(divisor / 2, impulse - divisor / 2, impulse)
    return law


def _divisor_moments(t: np.ndarray, e: np.ndarray, rate: float | None) -> tuple[float, float]:
    """Return the mean of D and of its square."""
    tail = e[-1] / rate if rate else 0.0
    first = float(simpson(e, x=t)) + tail
    return first, 2 * float(simpson(t * e, x=t)) + 2 * tail * t[-1]


def _expected(covariance: Covariance, t: np.ndarray) -> np.ndarray:
    lacking, slope = covariance.evaluate(t)
    # A table may touch r = 1 by rounding; E is bounded by 1 there as everywhere.
    spread = np.sqrt(np.maximum(lacking * (2 - lacking), 1e-300))
    return np.clip(-slope / (np.sqrt(covariance.curvature) * spread), -1, 1)


def _decay_rate(t: np.ndarray, e: np.ndarray) -> float | None:
    """Return the exponential rate of E's envelope, None where it decays more slowly than that."""
    envelope = np.maximum.accumulate(np.abs(e[::-1]))[::-1]
    early, middle, late = (int(x * len(t)) for x in (0.5, 0.7, 0.9))
    # Rounding and spline noise are no decay.
    level = np.log(np.maximum(envelope[[early, middle, late]], 1e-14))
    before = (level[0] - level[1]) / (t[middle] - t[early])
    after = (level[1] - level[2]) / (t[late] - t[middle])
    if level[2] > np.log(_NEGLIGIBLE) and after < 0.95 * before:
        return None
    return float(max(before, after)) or None


def _theta(t: np.ndarray, e: np.ndarray, rate: float | None) -> tuple[float | None, str]:
    """Return the smallest root of theta int e^(theta t) E dt = 1 below E's own rate."""
    if rate is None:
        return None, "E decays more slowly than any exponential"

    def excess(theta: float) -> float:
        tail = e[-1] * np.exp(theta * t[-1]) / (rate - theta)
        return float(theta * (simpson(np.exp(theta * t) * e, x=t) + tail) - 1)

    trials = np.linspace(0, rate, 66)[1:-1]
    above = [i for i, theta in enumerate(trials) if excess(theta) > 0]
    if not above:
        return None, "the equation for theta has no root below the rate of E's decay"
    lower = trials[above[0] - 1] if above[0] else 0.0
    return float(brentq(excess, lower, trials[above[0]], xtol=1e-14)), ""


def _quantile(t: np.ndarray, survival: np.ndarray, p: float) -> float | None:
    below = np.flatnonzero(survival <= 1 - p)
    if not below.size:
        return None
    i = below[0]
    share = (survival[i - 1] - (1 - p)) / (survival[i - 1] - survival[i])
    return float(t[i - 1] + share * (t[i] - t[i - 1]))
