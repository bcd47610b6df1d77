"""Evolution in Fourier space with DOP853, from snapshot to snapshot."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Gt, Interval
from scipy import fft
from scipy.integrate import DOP853

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._signature import checked
from aqc.kernels.nlse_pseudospectral._fields import (
    Initial,
    NoisyGaussian,
    field_of,
    grid,
    wavenumbers,
)
from aqc.kernels.nlse_pseudospectral._measures import (
    Entropies,
    Invariants,
    check_size,
    entropies,
    invariants,
    tail,
)

_MOST_NUMBERS = 1_000_000
_MAX_STEP = 0.1
_MOST_TAIL = 1e-6
# Steps of DOP853 for each unit of N^2 T / L^2, measured: its stability limit at 2/3 of Nyquist.
_STEPS_PER_UNIT = 1.0

Tolerance = Annotated[float, Interval(ge=1e-13, le=1e-3)]


@dataclass(frozen=True)
class Evolution:
    """A field in space and time.

    Args:
        status: "done", or why the run ended early; what follows covers the snapshots reached.
        warning: Of a line too short for the initial field, or "".
        x: Shape (N,).
        t: Shape (snapshots,).
        psi: Shape (snapshots, N).
        invariants: Of each snapshot.
        mass_drift: Largest |M(t) - M(0)| / M(0).
        momentum_drift: Largest |P(t) - P(0)| over its bound sqrt(M int |psi_x|^2) at t = 0.
        energy_drift: Largest |E(t) - E(0)| over its bound at t = 0.
        entropies: Of each snapshot.
        tail: Least and largest part of the power above 2/3 of the Nyquist frequency.
        rhs_evaluations: How often the right-hand side was computed.
    """

    status: str
    warning: str
    x: np.ndarray
    t: np.ndarray
    psi: np.ndarray
    invariants: Invariants
    mass_drift: float
    momentum_drift: float
    energy_drift: float
    entropies: Entropies
    tail: tuple[float, float]
    rhs_evaluations: int


def evolve_field_steps(
    initial: Initial,
    length: float,
    t_final: float,
    n_snapshots: int = 100,
    g: float = 1.0,
    filter: bool = True,
    frame: Literal["lab", "interaction"] = "lab",
    rtol: float = 1e-9,
    atol: float = 1e-11,
    state: dict[str, Any] | None = None,
) -> Steps:
    """Do what `evolve_field` does, snapshot by snapshot.

    Yields:
        (fraction, {"psi": snapshots so far, "spectrum": of the last one, "step": size of the next
        step, "evaluations": so far, "steps": so far}).

    Returns:
        `Evolution`.
    """
    psi, warning = field_of(initial, length)
    _check(initial, psi, n_snapshots)
    times = np.linspace(0.0, t_final, n_snapshots)
    rhs, to_lab = _equation(len(psi), length, g, filter, frame)
    most_steps = 20 * _steps(psi, length, t_final, g) + 1000
    # Restarted from each snapshot with the step in use, so that a resumed run is the same run.
    now = state or {"psi": psi[None], "spectrum": fft.fft(psi), "step": 0.0}
    now = {"evaluations": 0, "steps": 0, **now}
    status = "done"
    while (done := len(now["psi"])) < n_snapshots:
        start, end = float(times[done - 1]), float(times[done])
        first = min(now["step"], end - start) or None
        with np.errstate(over="ignore", invalid="ignore"):  # a step that fails says so below
            solver = DOP853(
                rhs, start, now["spectrum"], end, _MAX_STEP, rtol, atol, first_step=first
            )
            step, steps = now["step"], now["steps"]
            while solver.status == "running" and steps < most_steps:
                solver.step()
                steps += 1
                # The last step is cut to end at the snapshot.
                step = max(step if solver.t == end else 0.0, solver.step_size or 0.0)
        if solver.status != "finished" or not np.isfinite(solver.y).all():
            status = f"stopped after t = {start:g}: " + (
                "the steps became too small" if solver.status == "failed" else "too many steps"
            )
            break
        field = fft.ifft(to_lab(end) * solver.y)
        now = {
            "psi": np.concatenate([now["psi"], field[None]]),
            "spectrum": solver.y,
            "step": step,
            "evaluations": now["evaluations"] + solver.nfev,
            "steps": steps,
        }
        yield done / (n_snapshots - 1), now
    return _summary(status, warning, times, now, length, g)


@checked(n=(16, 4096), solitons=(1, 32))
def evolve_field(
    initial: Initial,
    length: Annotated[float, Interval(gt=0, le=1e6)],
    t_final: Annotated[float, Interval(gt=0, le=200)],
    n_snapshots: Annotated[int, Interval(ge=2, le=500)] = 100,
    g: Annotated[float, Interval(ge=-1e3, le=1e3)] = 1.0,
    filter: bool = True,
    frame: Literal["lab", "interaction"] = "lab",
    rtol: Tolerance = 1e-9,
    atol: Annotated[float, Gt(0)] = 1e-11,
) -> Evolution:
    """Integrate the nonlinear Schrödinger equation on a periodic line.

        i psi_t + psi_xx / 2 + g |psi|^2 psi = 0,   y = FFT psi,   p = IFFT(s y),
        y' = -(i/2) k^2 s y + i g s FFT(|p|^2 p),   s = exp(-36 (|k| / k_c)^36)

    with k_c = 2/3 of the Nyquist wavenumber and adaptive Dormand-Prince steps of order eight.

    Args:
        initial: psi(x, 0): samples, solitons, akhmediev_breather, modulated_sech, noisy_gaussian.
        length: L of the line [-L/2, L/2).
        t_final: T.
        n_snapshots: Times at which the field is kept, from 0 to T.
        g: 1 focusing, -1 defocusing, 0 linear.
        filter: Whether s removes what would be aliased; s = 1 if not.
        frame: "interaction" integrates y e^{i k^2 s t / 2}, whose linear part stands still.
        rtol: Relative tolerance of a step.
        atol: Absolute tolerance of a step, of the FFT's entries.

    Returns:
        Snapshots, invariants, entropies, and how well the invariants were kept.

    Raises:
        InputError: N is odd, the field is zero or not resolved, or the snapshots are too many.

    Source:
        arXiv:2509.05901. The invariants here use spectral derivatives and the Hamiltonian's 1/2;
        the authors' program uses finite differences and the opposite sign of P. The interaction
        frame is ours.

    Example:
        >>> soliton = {"kind": "solitons", "amplitude": [1], "position": [0], "velocity": [1]}
        >>> run = evolve_field(soliton | {"points": 128}, length=40, t_final=2, n_snapshots=3)
        >>> round(float(abs(run.psi).max()), 3), run.mass_drift < 1e-12
        (1.0, True)
    """
    return drain(evolve_field_steps(**locals()))


def evolution_work(initial: Initial, length: float, t_final: float, g: float, **rest: Any) -> float:
    """Return steps x (points + 500), the 500 for what a step costs on any grid."""
    psi, _ = field_of(initial, length)
    return _steps(psi, length, t_final, g) * (len(psi) + 500)


def _steps(psi: np.ndarray, length: float, t_final: float, g: float) -> float:
    """Return about how many steps a run takes: for stability, for the phase's turns, at least."""
    turns = abs(g) * float(np.abs(psi).max()) ** 2
    return t_final * (_STEPS_PER_UNIT * (len(psi) / length) ** 2 + turns + 1 / _MAX_STEP)


def _check(initial: Initial, psi: np.ndarray, n_snapshots: int) -> None:
    if psi.size * n_snapshots > _MOST_NUMBERS:
        raise InputError(
            f"`n_snapshots` times the points must be at most {_MOST_NUMBERS}, but is "
            f"{psi.size * n_snapshots}.",
            "/n_snapshots",
        )
    check_size(psi, "initial")
    high = float(tail(psi))
    if high > _MOST_TAIL and not isinstance(initial, NoisyGaussian):
        raise InputError(
            f"The initial field must be resolved, with at most {_MOST_TAIL:g} of its power above "
            f"2/3 of the Nyquist wavenumber, but has {high:.2g} there; take more points.",
            "/initial",
        )


Equation = Callable[[float, np.ndarray], np.ndarray]


def _equation(
    points: int, length: float, g: float, filter: bool, frame: str
) -> tuple[Equation, Callable[[float], np.ndarray | float]]:
    """Return y' = f(t, y), and the factor that brings y into the laboratory's frame."""
    k = wavenumbers(points, length)
    cutoff = 2 * math.pi * points / (3 * length)
    s = np.exp(-36 * (np.abs(k) / cutoff) ** 36) if filter else np.ones(points)
    linear, nonlinear = -0.5j * k**2 * s, 1j * g * s

    def cubic(y: np.ndarray) -> np.ndarray:
        p = fft.ifft(s * y)
        product: np.ndarray = nonlinear * fft.fft((p.real**2 + p.imag**2) * p)
        return product

    if frame == "lab":
        return lambda t, y: linear * y + cubic(y), lambda t: 1.0

    def interaction(t: float, y: np.ndarray) -> np.ndarray:
        turn = np.exp(linear * t)
        product: np.ndarray = turn.conj() * cubic(turn * y)
        return product

    return interaction, lambda t: np.exp(linear * t)


def _summary(
    status: str, warning: str, times: np.ndarray, now: dict[str, Any], length: float, g: float
) -> Evolution:
    psi = now["psi"]
    kept, high = invariants(psi, length, g), tail(psi)

    def drift(values: np.ndarray, scale: np.ndarray) -> float:
        return float(np.abs(values - values[0]).max() / (scale[0] or 1.0))

    return Evolution(
        status=status,
        warning=warning,
        x=grid(psi.shape[1], length),
        t=times[: len(psi)],
        psi=psi,
        invariants=kept,
        mass_drift=drift(kept.mass, kept.mass),
        momentum_drift=drift(kept.momentum, kept.momentum_scale),
        energy_drift=drift(kept.energy, kept.energy_scale),
        entropies=entropies(psi),
        tail=(float(high.min()), float(high.max())),
        rhs_evaluations=now["evaluations"],
    )
