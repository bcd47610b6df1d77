"""How near a generated series comes to a true one: geometry, spectrum, short-term prediction."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Interval
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d
from scipy.special import logsumexp

from aqc.errors import InputError
from aqc.kernels._signature import checked

_MOST_BINNED = 5  # dimensions; above, mixtures of Gaussians
_SAMPLES = 1000


@dataclass(frozen=True)
class Scores:
    """Distances of a generated series from a true one.

    Args:
        geometry: D_stsp, Kullback-Leibler divergence of the distributions in state space, in nats.
        spectrum: PSE, mean Hellinger distance of the power spectra, 0 to 1.
    """

    geometry: float
    spectrum: float


@checked(n=(1, 16), t=(50, 200_000), s=(50, 200_000))
def score_dynamics(
    true: Float[np.ndarray, "t n"],
    generated: Float[np.ndarray, "s n"],
    bins: Annotated[int, Interval(ge=2, le=100)] = 30,
    smoothing: Annotated[float, Interval(gt=0, le=1000)] = 20.0,
    seed: Annotated[int, Interval(ge=0, le=2**32 - 1)] = 0,
) -> Scores:
    """Score a generated series by the geometry and the spectrum of the true one.

    D_stsp = sum_k p_k log(p_k / q_k) over bins of a box around the true series (up to 5
    dimensions), or by Monte Carlo of Gaussian mixtures (more); PSE = mean over dimensions of
    sqrt(1 - sum_f sqrt(P_f Q_f)) of smoothed, normalized power spectra.

    Args:
        true: Shape (T, N), not used in training.
        generated: Shape (S, N), of the free-running network.
        bins: For each axis; the box is the true range, widened by a tenth of a deviation.
        smoothing: Width of the Gaussian that smooths the spectra, in frequencies.
        seed: Of the Monte Carlo samples.

    Returns:
        Both distances; 0 for equal series.

    Raises:
        InputError: A channel of the true series is constant.

    Source:
        arXiv:2306.04406, with 30 bins and a smoothing of 20.

    Example:
        >>> wave = np.sin(np.arange(200.0))[:, None]
        >>> score_dynamics(wave, wave)
        Scores(geometry=0.0, spectrum=0.0)
    """
    check_channels(true, "true")
    # Of a constant or exploding channel the spectrum is empty: it is as far as can be.
    near = np.clip(generated, *_box(true, 1e3))
    size = true.shape[1]
    geometry = _binned(true, generated, bins) if size <= _MOST_BINNED else _mixed(true, near, seed)
    length = min(len(true), len(generated))
    spectrum = _spectral(true[:length], near[:length], smoothing)
    return Scores(max(0.0, float(geometry)), float(spectrum))


def check_channels(series: np.ndarray, name: str) -> None:
    """Refuse channels without variance.

    Raises:
        InputError: There is one.
    """
    flat = np.flatnonzero(np.ptp(series, axis=0) == 0)
    if len(flat):
        raise InputError(
            f"`{name}` must vary in every channel, but channel {flat[0]} has zero variance.",
            f"/{name}",
        )
    if np.abs(series).max() > 1e100:
        raise InputError(f"`{name}` must be at most 1e100 in size, but is more.", f"/{name}")


def _box(true: np.ndarray, margin: float) -> tuple[np.ndarray, np.ndarray]:
    wide = margin * true.std(0)
    return true.min(0) - wide, true.max(0) + wide


def _binned(true: np.ndarray, generated: np.ndarray, bins: int, laplace: float = 1e-5) -> float:
    """Return the divergence of histograms, each bin with `laplace` counts to begin with."""
    low, high = _box(true, 0.1)
    count = float(bins) ** true.shape[1]

    def cells(series: np.ndarray) -> np.ndarray:
        inside = series[((series >= low) & (series <= high)).all(1)]
        index = np.minimum((bins * (inside - low) / (high - low)).astype(int), bins - 1)
        flat: np.ndarray = index @ bins ** np.arange(true.shape[1])
        return flat

    p_cells, q_cells = cells(true), cells(generated)
    # Only cells that either series visits are listed: 30^5 would be many.
    visited, index = np.unique(np.concatenate([p_cells, q_cells]), return_inverse=True)
    p_counts = np.bincount(index[: len(p_cells)], minlength=len(visited))
    q_counts = np.bincount(index[len(p_cells) :], minlength=len(visited))
    p_total, q_total = len(p_cells) + laplace * count, len(q_cells) + laplace * count
    p, q = (p_counts + laplace) / p_total, (q_counts + laplace) / q_total
    empty = (count - len(visited)) * laplace / p_total * np.log(q_total / p_total)
    return float(np.sum(p * np.log(p / q)) + empty)


def _mixed(true: np.ndarray, generated: np.ndarray, seed: int) -> float:
    """Return the divergence of mixtures of unit Gaussians at the (standardized) points."""
    rng = np.random.default_rng(seed)
    center, scale = true.mean(0), true.std(0)
    p, q = (true - center) / scale, (generated - center) / scale
    samples = p[rng.integers(len(p), size=_SAMPLES)] + rng.normal(size=(_SAMPLES, p.shape[1]))
    return float(np.mean(_log_density(samples, p) - _log_density(samples, q)))


def _log_density(x: np.ndarray, centers: np.ndarray) -> np.ndarray:
    density = np.empty(len(x))
    for i in range(0, len(x), 50):
        block = x[i : i + 50]
        squares = (block**2).sum(1)[:, None] + (centers**2).sum(1) - 2 * block @ centers.T
        density[i : i + 50] = logsumexp(-squares / 2, axis=1) - np.log(len(centers))
    return density


def _spectral(true: np.ndarray, generated: np.ndarray, smoothing: float) -> float:
    p, q = (_spectrum(series, smoothing) for series in (true, generated))
    overlap = np.sqrt(p * q).sum(0)
    return float(np.sqrt(np.maximum(0.0, 1 - np.minimum(overlap, 1))).mean())


def _spectrum(series: np.ndarray, smoothing: float) -> np.ndarray:
    """Return smoothed power spectra that sum to 1, or zeros for a constant channel."""
    centered = series - series.mean(0)
    deviation = centered.std(0)
    varies = deviation > 1e-12 * np.abs(series).max()
    power = np.abs(np.fft.rfft(centered / np.where(varies, deviation, 1.0), axis=0)) ** 2
    smooth = gaussian_filter1d(power, smoothing, axis=0) * varies
    total = smooth.sum(0)
    found: np.ndarray = smooth / np.where(total > 0, total, 1.0)
    return found
