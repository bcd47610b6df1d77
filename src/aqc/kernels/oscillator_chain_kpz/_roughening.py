"""Growth of the roughness of one ring's phases."""

import math
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Interval
from jaxtyping import Float

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._signature import checked
from aqc.kernels.oscillator_chain_kpz._noiseless import advance as advance_without_noise
from aqc.kernels.oscillator_chain_kpz._ring import (
    Ring,
    advance,
    record,
    start,
    structure_factor,
)

AXES = {"size": (8, 16384), "records": (2, 200), "rows": (1, 512)}
Coupling = Annotated[float, Interval(ge=0, le=1e3)]
Delta = Annotated[float, Interval(gt=-math.pi / 2, lt=math.pi / 2)]
Strength = Annotated[float, Interval(ge=0, le=1e3)]
Realizations = Annotated[int, Interval(ge=1, le=512)]
Duration = Annotated[float, Interval(gt=0, le=1e6)]
TimeStep = Annotated[float, Interval(gt=0, le=10)]
Seed = Annotated[int, Interval(ge=0, le=2**32 - 1)]
_SLIPS = (
    1e-3  # slips for each site and unit of time 1 / K that noise may cause in a synchronized ring
)
_FLAT = 0.05  # slope of log W below which it counts as saturated


@dataclass(frozen=True)
class Roughening:
    """The phases as a growing surface.

    Args:
        t: Record times, shape (records,).
        width: W(t), the root of the mean W^2 of all realizations.
        error: Its standard error.
        slope: Local exponent d log W / d log t.
        beta: Growth exponent, of a fit over `fit_window`.
        skewness: Of phi - mean, over sites and realizations.
        wavenumber: 2 pi m / L, m = 1 to L/2.
        structure_factor: S(k) at the end.
        steepest: Largest |phi_{i+1} - phi_i| at the end.
        slip_rate: Phase slips for each site and unit of time, in the second half.
        nu: K cos(delta).
        nonlinearity: lambda = -2 K sin(delta).
        g: lambda^2 D / nu^3; None without coupling.
        locked: Whether the oscillators of each ring share one mean frequency over the second half,
            within `lock_tolerance`; shape (n_realizations,).
        saturation: W at late times; None while W grows.
        saturation_time: First record with W above 0.9 of it; None while W grows.
        verdict: "synchronized" or "desynchronized": locked most of the time without noise, at
            most 0.001 K phase slips for each site and unit of time with it.
    """

    t: np.ndarray
    width: np.ndarray
    error: np.ndarray
    slope: np.ndarray
    beta: float
    skewness: np.ndarray
    wavenumber: np.ndarray
    structure_factor: np.ndarray
    steepest: float
    slip_rate: float
    nu: float
    nonlinearity: float
    g: float | None
    locked: np.ndarray
    saturation: float | None
    saturation_time: float | None
    verdict: str


def grow_roughness_steps(
    size: int,
    t_final: float,
    K: float = 1.0,
    delta: float = 0.0,
    sigma: float = 0.0,
    D: float = 0.0,
    n_realizations: int = 16,
    dt: float = 0.1,
    seed: int = 0,
    record_times: np.ndarray | None = None,
    frequencies: np.ndarray | None = None,
    fit_window: tuple[float, float] | None = None,
    lock_tolerance: float = 1e-3,
    state: dict[str, Any] | None = None,
) -> Steps:
    """Do what `grow_roughness` does, from record to record.

    Yields:
        (fraction, {"ring": the phases, "records": so far, "half": phases at half time,
        "half_slips": slips until then}).

    Returns:
        `Roughening`.
    """
    times = _check(size, t_final, K, D, dt, n_realizations, record_times, frequencies)
    window = _check_window(fit_window, times)
    ring = Ring(
        K, delta, D, _omega(size, sigma, n_realizations, seed, frequencies), n_realizations, dt
    )
    steps = np.rint(times / dt).astype(int)
    half = round(t_final / dt) // 2
    if state is None:
        first = start(ring, seed)
        state = {"ring": first, "records": [], "half": first["phi"], "half_slips": first["slips"]}
    recorded = set(steps.tolist())
    ends = [end for end in sorted({*recorded, half}) if end > state["ring"]["step"]]
    # White noise is what no solver of the library takes; without it one is better than Euler.
    follow = advance if D > 0 else advance_without_noise
    for now in follow(ring, state["ring"], ends):
        state = state | {"ring": now}
        if now["step"] == half:
            state = state | {"half": now["phi"], "half_slips": now["slips"]}
        if now["step"] in recorded:
            state = state | {"records": [*state["records"], tuple(record(now))]}
        yield min(1.0, now["step"] / steps[-1]), state
    return _summary(ring, times, half, state, window, lock_tolerance)


@checked(**AXES)
def grow_roughness(
    size: Annotated[int, Interval(ge=8, le=16384)],
    t_final: Duration,
    K: Coupling = 1.0,
    delta: Delta = 0.0,
    sigma: Strength = 0.0,
    D: Strength = 0.0,
    n_realizations: Realizations = 16,
    dt: TimeStep = 0.1,
    seed: Seed = 0,
    record_times: Float[np.ndarray, "records"] | None = None,
    frequencies: Float[np.ndarray, "rows size"] | None = None,
    fit_window: tuple[float, float] | None = None,
    lock_tolerance: Annotated[float, Interval(gt=0, le=1e3)] = 1e-3,
) -> Roughening:
    """Simulate rings of phase oscillators, and measure their phases as a growing surface.

        d phi_i / dt = w_i + G(phi_{i+1} - phi_i) + G(phi_{i-1} - phi_i) + eta_i,
        G(d) = K (sin(d + delta) - sin delta)

    from phi = 0, never wrapped. With noise: steps of Euler and Maruyama. Without: SciPy's DOP853,
    to 1e-6 of a phase.

    Args:
        size: L, oscillators in the ring.
        t_final: T.
        K: Coupling.
        delta: Its phase shift; not 0 makes it neither odd nor even.
        sigma: Standard deviation of the frequencies w_i, drawn once for each ring.
        D: Strength of the noise, <eta eta> = 2 D delta(t).
        n_realizations: Rings.
        dt: Time step with noise, at most 0.2 / K; record times are multiples of it in any case.
        seed: Of frequencies and noise.
        record_times: Increasing, from one step to T; 40 equal ratios when not given.
        frequencies: w_i in place of drawn ones, one row for all rings or one for each.
        fit_window: Times between which beta is fitted; from T / 10 to T when not given.
        lock_tolerance: Spread of mean frequencies of a locked ring.

    Returns:
        Roughness, exponents, skewness, spectrum, slips and locking.

    Raises:
        InputError: The step is too long for the coupling, or times or frequencies do not fit.

    Source:
        arXiv:2604.06040 for the question; the model as in arXiv:2210.03782 and 2311.13253.

    Example:
        >>> ring = grow_roughness(64, 20.0, D=0.01, n_realizations=8)
        >>> ring.verdict, round(ring.nu, 2), ring.g
        ('synchronized', 1.0, 0.0)
    """
    return drain(grow_roughness_steps(**locals()))


def roughening_work(
    size: int, t_final: float, n_realizations: int, dt: float, **rest: Any
) -> float:
    """Return sites x realizations x steps."""
    return float(size * n_realizations * t_final / dt)


def _omega(
    size: int, sigma: float, rows: int, seed: int, frequencies: np.ndarray | None
) -> np.ndarray:
    """Return the frequencies less their rings' means, (L, R): the mean only turns a ring."""
    if frequencies is None:
        # Another stream than the noise's.
        rng = np.random.default_rng([seed, 1])
        frequencies = sigma * rng.standard_normal((rows, size))
    return frequencies.T - frequencies.mean(1)


def _check(
    size: int,
    t_final: float,
    coupling: float,
    noise: float,
    dt: float,
    realizations: int,
    record_times: np.ndarray | None,
    frequencies: np.ndarray | None,
) -> np.ndarray:
    """Return the record times, or refuse what does not fit."""
    if coupling * dt > 0.2:
        raise InputError(
            f"`dt` must be at most {0.2 / coupling:g} (0.2 / K; 4 K dt must stay below 2), but is "
            f"{dt:g}.",
            "/dt",
        )
    if t_final < 20 * dt:
        raise InputError(
            f"`t_final` must be at least 20 steps, but is {t_final / dt:g}.", "/t_final"
        )
    if frequencies is not None:
        if frequencies.shape[1] != size:
            raise InputError(
                f"`frequencies` must have {size} columns, one for each oscillator, but has "
                f"{frequencies.shape[1]}.",
                "/frequencies",
            )
        if len(frequencies) not in (1, realizations):
            raise InputError(
                f"`frequencies` must have 1 row or {realizations}, one for each realization, but "
                f"has {len(frequencies)}.",
                "/frequencies",
            )
        if np.abs(frequencies).max() > 1e3:
            raise InputError(
                "`frequencies` must be at most 1000 in size, but some are more.", "/frequencies"
            )
    if record_times is None:
        steps = np.unique(np.rint(np.geomspace(1, t_final / dt, 40)))
        return dt * steps
    if not (np.diff(record_times) > 0.99 * dt).all():
        raise InputError(
            "`record_times` must increase by at least one step, but do not.", "/record_times"
        )
    if record_times[0] < dt / 2 or record_times[-1] > t_final + dt / 2:
        raise InputError(
            f"`record_times` must lie between one step and `t_final` ({t_final:g}), but lie "
            f"between {record_times[0]:g} and {record_times[-1]:g}.",
            "/record_times",
        )
    return record_times


def _check_window(window: tuple[float, float] | None, times: np.ndarray) -> np.ndarray:
    """Return which records are fitted."""
    low, high = window or (times[-1] / 10, times[-1])
    chosen: np.ndarray = (times >= low * (1 - 1e-9)) & (times <= high * (1 + 1e-9))
    if chosen.sum() < 2:
        raise InputError(
            f"`fit_window` must hold at least 2 record times, but {low:g} to {high:g} holds "
            f"{chosen.sum()}.",
            "/fit_window",
        )
    return chosen


def _summary(
    ring: Ring,
    times: np.ndarray,
    half: int,
    state: dict[str, Any],
    window: np.ndarray,
    tolerance: float,
) -> Roughening:
    variance, cube, steepest = (np.array([seen[k] for seen in state["records"]]) for k in range(3))
    mean = variance.mean(1)
    width = np.sqrt(mean)
    # Of a ring at rest nothing can be fitted.
    positive = np.maximum(width, 1e-300)
    last = state["ring"]
    elapsed = (last["step"] - half) * ring.dt
    turned = (last["phi"].astype(float) - state["half"]) / elapsed
    locked = np.ptp(turned, axis=0) < tolerance
    slip_rate = float((last["slips"] - state["half_slips"]).mean() / (len(ring.omega) * elapsed))
    saturation, saturation_time = _saturation(times, positive, mean)
    nu, nonlinearity = (
        ring.coupling * math.cos(ring.delta),
        -2 * ring.coupling * math.sin(ring.delta),
    )
    quiet = slip_rate <= _SLIPS * ring.coupling if ring.noise > 0 else locked.mean() > 0.5
    sites = len(ring.omega)
    return Roughening(
        t=times,
        width=width,
        error=variance.std(1) / (2 * positive * math.sqrt(variance.shape[1])),
        slope=np.gradient(np.log(positive), np.log(times)),
        beta=float(np.polyfit(np.log(times[window]), np.log(positive[window]), 1)[0]),
        skewness=cube.mean(1) / positive**3,
        wavenumber=2 * math.pi / sites * np.arange(1, sites // 2 + 1),
        structure_factor=structure_factor(last["phi"]),
        steepest=float(steepest[-1].max()),
        slip_rate=slip_rate,
        nu=nu,
        nonlinearity=nonlinearity + 0.0,
        g=nonlinearity**2 * ring.noise / nu**3 if nu > 0 else None,
        locked=locked,
        saturation=saturation,
        saturation_time=saturation_time,
        verdict="synchronized" if quiet else "desynchronized",
    )


def _saturation(
    times: np.ndarray, width: np.ndarray, mean: np.ndarray
) -> tuple[float | None, float | None]:
    late = times >= times[-1] / 3
    if late.sum() < 3 or np.polyfit(np.log(times[late]), np.log(width[late]), 1)[0] > _FLAT:
        return None, None
    level = math.sqrt(mean[late].mean())
    return level, float(times[np.argmax(width > 0.9 * level)])
