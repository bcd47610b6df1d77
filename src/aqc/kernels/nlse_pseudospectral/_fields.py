"""Initial fields on a periodic line: the caller's own, and the exact or common ones."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Gt, Interval
from jaxtyping import Complex, Float

from aqc.errors import InputError

Points = Annotated[int, Interval(ge=16, le=4096)]
_EDGE = 1e-6  # relative amplitude at the ends of the line that a periodic soliton may have


@dataclass(frozen=True)
class Samples:
    """A field of one's own, at x_j = -L/2 + j L / N.

    Args:
        psi: N values.
    """

    psi: Complex[np.ndarray, "n"]
    kind: Literal["samples"] = "samples"


@dataclass(frozen=True)
class Solitons:
    """A sum of solitons A sech(A (x - x0)) e^{i v x}, each an exact solution when far from others.

    Args:
        amplitude: A > 0 of each.
        position: x0 of each.
        velocity: v of each.
        points: N.
    """

    amplitude: Float[np.ndarray, "solitons"]
    position: Float[np.ndarray, "solitons"]
    velocity: Float[np.ndarray, "solitons"]
    points: Points = 512
    kind: Literal["solitons"] = "solitons"


@dataclass(frozen=True)
class AkhmedievBreather:
    """The exact breather of period 2 pi / (2 sqrt(1 - 2 a)) over a unit background.

    Args:
        a: Below 1/2; the peak is 1 + 2 sqrt(2 a).
        start: Its own time at t = 0; the peak is at -start.
        points: N.
    """

    a: Annotated[float, Interval(gt=0, lt=0.5)]
    start: float = -5.0
    points: Points = 256
    kind: Literal["akhmediev_breather"] = "akhmediev_breather"


@dataclass(frozen=True)
class ModulatedSech:
    """sqrt(2) sech(x) e^{i x / 2} (1 + cos(x) / 2), which the authors' program calls a breather.

    Args:
        points: N.
    """

    points: Points = 512
    kind: Literal["modulated_sech"] = "modulated_sech"


@dataclass(frozen=True)
class NoisyGaussian:
    """A exp(-x^2 / w^2) and complex Gaussian noise, white and so not resolved: no tail is refused.

    Args:
        amplitude: A.
        width: w.
        noise: Standard deviation of the real and of the imaginary part.
        seed: Of the noise.
        points: N.
    """

    amplitude: float = 1.0
    width: Annotated[float, Gt(0)] = 5.0
    noise: Annotated[float, Interval(ge=0, le=1)] = 0.01
    seed: Annotated[int, Interval(ge=0, le=2**32 - 1)] = 42
    points: Points = 512
    kind: Literal["noisy_gaussian"] = "noisy_gaussian"


Initial = Samples | Solitons | AkhmedievBreather | ModulatedSech | NoisyGaussian


def num_points(initial: Initial) -> int:
    """Return N."""
    return len(initial.psi) if isinstance(initial, Samples) else initial.points


def grid(points: int, length: float) -> np.ndarray:
    """Return x_j = -L/2 + j L / N."""
    return -length / 2 + length / points * np.arange(points)


def wavenumbers(points: int, length: float) -> np.ndarray:
    """Return k in the order of the FFT."""
    return 2 * np.pi * np.fft.fftfreq(points, length / points)


def field_of(initial: Initial, length: float) -> tuple[np.ndarray, str]:
    """Return psi(x, 0) on the grid, and a warning or "".

    Raises:
        InputError: N is odd, a soliton has no amplitude, or the line is no whole number of a
            breather's periods.
    """
    points = num_points(initial)
    if points % 2 or points < 16:
        raise InputError(
            f"The field must have an even number of points, at least 16, but has {points}.",
            "/initial/psi" if isinstance(initial, Samples) else "/initial/points",
        )
    x = grid(points, length)
    if isinstance(initial, Samples):
        return initial.psi, ""
    if isinstance(initial, AkhmedievBreather):
        return _breather(initial, x, length), ""
    if isinstance(initial, ModulatedSech):
        psi = math.sqrt(2) * _sech(x) * np.exp(0.5j * x) * (1 + 0.5 * np.cos(x))
        return psi, _edge_warning(psi)
    if isinstance(initial, NoisyGaussian):
        real, imag = np.random.default_rng(initial.seed).normal(size=(2, points))
        smooth = initial.amplitude * np.exp(-((x / initial.width) ** 2))
        return smooth + initial.noise * (real + 1j * imag), ""
    if (initial.amplitude <= 0).any():
        raise InputError(
            f"`initial.amplitude` must be positive, but holds {initial.amplitude.min()}.",
            "/initial/amplitude",
        )
    rows = zip(initial.amplitude, initial.position, initial.velocity, strict=True)
    psi = np.sum([a * _sech(a * (x - x0)) * np.exp(1j * v * x) for a, x0, v in rows], axis=0)
    return psi, _edge_warning(psi)


def _breather(initial: AkhmedievBreather, x: np.ndarray, length: float) -> np.ndarray:
    a, t = initial.a, initial.start
    wave = 2 * math.sqrt(1 - 2 * a)
    periods = length * wave / (2 * np.pi)
    if round(periods) < 1 or abs(periods - round(periods)) > 1e-9 * periods:
        raise InputError(
            f"`length` must be a whole multiple of the breather's period "
            f"{2 * np.pi / wave:.12g}, but is {length:.12g}.",
            "/length",
        )
    rate = math.sqrt(8 * a * (1 - 2 * a))
    if abs(rate * t) > 300:
        raise InputError(
            f"`initial.start` must be at most {300 / rate:.3g} in size, where the breather is "
            f"still distinct from its background, but is {t:g}.",
            "/initial/start",
        )
    # Divided by cosh(b t), so that nothing overflows.
    over = 2 * (1 - 2 * a) + 1j * rate * math.tanh(rate * t)
    under = math.sqrt(2 * a) * np.cos(wave * x) / math.cosh(rate * t) - 1
    psi: np.ndarray = np.exp(1j * t) * (1 + over / under)
    return psi


def _sech(x: np.ndarray) -> np.ndarray:
    small = np.exp(-np.abs(x))
    values: np.ndarray = 2 * small / (1 + small**2)
    return values


def _edge_warning(psi: np.ndarray) -> str:
    edge = abs(psi[0]) / np.abs(psi).max()
    if edge <= _EDGE:
        return ""
    return (
        f"The line is short: at its end the field is {edge:.1e} of its peak, and is no soliton on "
        "a periodic line."
    )
