"""Invariants and entropies of a field, from its spectrum."""

from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Interval
from jaxtyping import Complex
from scipy import fft

from aqc.errors import InputError
from aqc.kernels._signature import checked
from aqc.kernels.nlse_pseudospectral._fields import wavenumbers

_LEAST = 1e-15  # probabilities below it count as zero, as in the paper's analysis


class Invariants(NamedTuple):
    """What the equation conserves, one value for each field.

    Attributes:
        mass: M = int |psi|^2 dx.
        momentum: P = int Im(psi* psi_x) dx.
        energy: E = int (|psi_x|^2 - g |psi|^4) / 2 dx.
        momentum_scale: sqrt(M int |psi_x|^2 dx), which bounds |P|.
        energy_scale: int (|psi_x|^2 + |g| |psi|^4) / 2 dx, which bounds |E|.
    """

    mass: np.ndarray
    momentum: np.ndarray
    energy: np.ndarray
    momentum_scale: np.ndarray
    energy_scale: np.ndarray


class Entropies(NamedTuple):
    """Entropies of p_j = |psi_j|^2 / sum, in nats, one value for each field.

    Attributes:
        shannon: -sum p log p.
        renyi_0: log of the number of points that hold anything.
        renyi_2: -log sum p^2.
        renyi_inf: -log max p.
        tsallis_half: (sum p^(1/2) - 1) / (1 - 1/2).
        tsallis_2: 1 - sum p^2.
        spectral_shannon: The Shannon entropy of |FFT psi|^2.
    """

    shannon: np.ndarray
    renyi_0: np.ndarray
    renyi_2: np.ndarray
    renyi_inf: np.ndarray
    tsallis_half: np.ndarray
    tsallis_2: np.ndarray
    spectral_shannon: np.ndarray


class Measures(NamedTuple):
    """Of one field.

    Attributes:
        invariants: Numbers, shape ().
        entropies: Numbers, shape ().
        tail: Part of the power above 2/3 of the Nyquist wavenumber.
    """

    invariants: Invariants
    entropies: Entropies
    tail: float


@checked(n=(16, 1_000_000))
def measure_field(
    psi: Complex[np.ndarray, "n"],
    length: Annotated[float, Interval(gt=0, le=1e6)],
    g: Annotated[float, Interval(ge=-1e3, le=1e3)] = 1.0,
) -> Measures:
    """Return invariants and entropies of a field on a periodic line.

        M = int |psi|^2,  P = int Im(psi* psi_x),  E = int (|psi_x|^2 - g |psi|^4) / 2,

    with spectral derivatives, and entropies of p_j = |psi_j|^2 / sum.

    Args:
        psi: Equally spaced values over one period, shape (N,).
        length: The period L.
        g: Of i psi_t + psi_xx / 2 + g |psi|^2 psi = 0.

    Returns:
        All of them.

    Raises:
        InputError: The field is zero, or so large or small that its powers are not numbers.

    Source:
        arXiv:2509.05901 for the entropies.

    Example:
        >>> wave = np.exp(2j * np.pi * np.arange(64) / 64)
        >>> found = measure_field(wave, length=2 * np.pi)
        >>> round(float(found.invariants.momentum / found.invariants.mass), 12)
        1.0
    """
    check_size(psi, "psi")
    return Measures(invariants(psi, length, g), entropies(psi), float(tail(psi)))


def check_size(psi: np.ndarray, name: str) -> None:
    """Refuse a field that is zero, or whose fourth power is not a number.

    Raises:
        InputError: It is.
    """
    largest = float(np.abs(psi).max())
    if not 1e-50 < largest < 1e4:
        raise InputError(
            f"`{name}` must have a peak between 1e-50 and 1e4, but its peak is {largest:g}.",
            f"/{name}",
        )


def invariants(psi: np.ndarray, length: float, g: float) -> Invariants:
    """Return the invariants of fields, (fields, N), with spectral derivatives."""
    points = psi.shape[-1]
    k = wavenumbers(points, length)
    power = np.abs(fft.fft(psi)) ** 2 * (length / points**2)
    quartic = g * np.sum(np.abs(psi) ** 4, axis=-1) * (length / points)
    mass, kinetic = power.sum(-1), power @ k**2
    # The mode at the Nyquist frequency has no sign, and so no momentum.
    odd = np.where(np.arange(points) == points // 2, 0.0, k)
    return Invariants(
        mass=mass,
        momentum=power @ odd,
        energy=(kinetic - quartic) / 2,
        momentum_scale=np.sqrt(mass * kinetic),
        energy_scale=(kinetic + np.abs(quartic)) / 2,
    )


def entropies(psi: np.ndarray) -> Entropies:
    """Return the entropies of fields, (fields, N)."""
    p = _distribution(np.abs(psi) ** 2)
    squares = np.sum(p**2, axis=-1)
    return Entropies(
        shannon=_shannon(p),
        renyi_0=np.log((p > 0).sum(-1)),
        renyi_2=-np.log(squares),
        renyi_inf=-np.log(p.max(-1)),
        tsallis_half=2 * (np.sqrt(p).sum(-1) - 1),
        tsallis_2=1 - squares,
        spectral_shannon=_shannon(_distribution(np.abs(fft.fft(psi)) ** 2)),
    )


def tail(psi: np.ndarray) -> np.ndarray:
    """Return the part of the power above 2/3 of the Nyquist frequency, for fields (fields, N)."""
    points = psi.shape[-1]
    power = np.abs(fft.fft(psi)) ** 2
    high = np.abs(np.fft.fftfreq(points)) > 1 / 3
    part: np.ndarray = power[..., high].sum(-1) / power.sum(-1)
    return part


def _distribution(weights: np.ndarray) -> np.ndarray:
    p = weights / weights.sum(-1, keepdims=True)
    return np.where(p > _LEAST, p, 0.0)


def _shannon(p: np.ndarray) -> np.ndarray:
    total: np.ndarray = -np.sum(p * np.log(np.where(p > 0, p, 1.0)), axis=-1)
    return total
