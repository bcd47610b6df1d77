"""Eigenvalues of band matrices and of their products against the uniform disk."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Interval
from scipy.linalg import eig, eigvals

from aqc.kernels._kernel import Steps, drain
from aqc.kernels._signature import checked
from aqc.kernels.band_circular_law.ensembles import (
    MOST_ROWS,
    Entries,
    Law,
    Profile,
    bandwidth,
    draw_matrix,
    profile_matrix,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOMENTS = 3


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues of some draws of one ensemble, and how far from the circular law.

    Args:
        eigenvalues: Shape (repeats, n).
        ks_radial: sup |F_n(|lambda|^2) - u| with |lambda| cut at 1, shape (repeats,).
        ks_angular: The same of the angle over 2 pi.
        spectral_radius: max |lambda|, shape (repeats,).
        moments: Mean of lambda^p conj(lambda)^q for p, q = 0, 1, 2; the limit is
            delta_pq / (p + 1). Shape (3, 3).
        bandwidth: B = 1 / max b_ij^2.
        gamma: log B / log n.
        profile_error: Largest error of a row or column sum of the profile.
        peak: Median over the unit right eigenvectors of max |v_i| sqrt(n / log n); None if not
            asked for.
        participation: Mean of n sum |v_i|^4, 2 for delocalized complex Gaussian vectors.
    """

    eigenvalues: np.ndarray
    ks_radial: np.ndarray
    ks_angular: np.ndarray
    spectral_radius: np.ndarray
    moments: np.ndarray
    bandwidth: float
    gamma: float
    profile_error: float
    peak: float | None
    participation: float | None


@dataclass(frozen=True)
class Product:
    """Eigenvalues of a product of independent matrices.

    Args:
        eigenvalues: Shape (n,).
        ks_radial: Of |lambda|^(2/m) against the uniform law.
        ks_angular: Of the angle over 2 pi.
    """

    eigenvalues: np.ndarray
    ks_radial: float
    ks_angular: float


def measure_spectrum_steps(
    n: int,
    profile: Profile,
    entries: Law | Entries,
    repeats: int,
    eigenvectors: bool,
    seed: int,
    state: Any = None,
) -> Steps:
    """Measure spectra, reporting after every matrix.

    Args:
        n: As for `measure_spectrum`, and so all others.
        profile: Variances.
        entries: Their law.
        repeats: Number of matrices.
        eigenvectors: Whether to look at them.
        seed: Of the random numbers.
        state: What an earlier run yielded.

    Yields:
        (fraction, eigenvalues and eigenvectors' statistics so far).

    Returns:
        Spectrum.

    Raises:
        InputError: The profile or the entries cannot be used.
    """
    variances = profile_matrix(profile, n, np.random.default_rng([seed, 0]))
    state = state or {"eigenvalues": np.empty((0, n), complex), "vectors": []}
    for k in range(len(state["eigenvalues"]), repeats):
        # A generator of its own for each matrix: a resumed run draws the same.
        matrix = draw_matrix(variances, entries, np.random.default_rng([seed, k + 1]))
        found, told = _decompose(matrix, eigenvectors)
        state = {
            "eigenvalues": np.concatenate([state["eigenvalues"], found[None]]),
            "vectors": [*state["vectors"], told],
        }
        yield (k + 1) / repeats, state
    values = state["eigenvalues"]
    powers = values[None] ** np.arange(_MOMENTS)[:, None, None]
    peaks = np.array([told for told in state["vectors"] if told])
    return Spectrum(
        eigenvalues=values,
        ks_radial=np.array([kolmogorov(np.minimum(np.abs(x) ** 2, 1)) for x in values]),
        ks_angular=np.array([kolmogorov(np.angle(x) / (2 * np.pi) % 1) for x in values]),
        spectral_radius=np.abs(values).max(1),
        moments=np.einsum("pkn,qkn->pq", powers, powers.conj()) / values.size,
        bandwidth=bandwidth(variances),
        gamma=float(np.log(bandwidth(variances)) / np.log(n)),
        profile_error=float(max(np.abs(variances.sum(axis) - 1).max() for axis in (0, 1))),
        peak=float(np.median(peaks[:, 0])) if eigenvectors else None,
        participation=float(np.mean(peaks[:, 1])) if eigenvectors else None,
    )


@checked()
def measure_spectrum(
    n: Annotated[int, Interval(ge=2, le=MOST_ROWS)],
    profile: Profile,
    entries: Law | Entries = "complex_gaussian",
    repeats: Annotated[int, Interval(ge=1, le=20)] = 1,
    eigenvectors: bool = False,
    seed: Annotated[int, Interval(ge=0)] = 0,
) -> Spectrum:
    """Compare the eigenvalues of random band matrices with the circular law.

    X_ij = b_ij xi_ij, sum_i b_ij^2 = sum_j b_ij^2 = 1; the limit is uniform on the unit disk.

    Args:
        n: Number of rows.
        profile: Variances b_ij^2.
        entries: Law of xi_ij, or the xi_ij themselves (then all draws are equal).
        repeats: Number of independent matrices.
        eigenvectors: Whether to measure how spread the right eigenvectors are.
        seed: Of the random numbers.

    Returns:
        Eigenvalues and distances from the limit.

    Raises:
        InputError: The profile is not doubly stochastic, or sizes do not agree.

    Source: arXiv 2410.16457: the circular law holds for b_ij^2 <= n^-gamma, gamma > 5/6 (Gaussian
    entries) or 8/9 (subgaussian). A finite n can support that and never prove it.

    Example:
        >>> from aqc.kernels.band_circular_law import CyclicBand
        >>> found = measure_spectrum(200, CyclicBand(100), seed=1)
        >>> bool(found.ks_radial[0] < 0.1), round(found.gamma, 2)
        (True, 0.87)
    """
    found: Spectrum = drain(
        measure_spectrum_steps(n, profile, entries, repeats, eigenvectors, seed)
    )
    return found


@checked()
def measure_product(
    n: Annotated[int, Interval(ge=2, le=600)],
    profile: Profile,
    factors: Annotated[int, Interval(ge=1, le=12)],
    entries: Law = "complex_gaussian",
    seed: Annotated[int, Interval(ge=0)] = 0,
) -> Product:
    """Compare the eigenvalues of a product of independent band matrices with their limit law.

    P = X_1 ... X_m: |lambda|^(2/m) is uniform on [0, 1] in the limit, and so is the angle.

    Args:
        n: Number of rows.
        profile: Variances b_ij^2, the same for all factors.
        factors: m. More would lose the smallest eigenvalues to rounding: those below
            (1e-14)^(2/m) of the law, which is 0.5 % at m = 12.
        entries: Law of xi_ij.
        seed: Of the random numbers.

    Returns:
        Eigenvalues and distances from the limit.

    Raises:
        InputError: The profile is not doubly stochastic, or does not fit n.

    Source: arXiv 2410.16457, the product law. The product is formed, not linearized.

    Example:
        >>> from aqc.kernels.band_circular_law import CyclicBand
        >>> bool(measure_product(100, CyclicBand(60), factors=3).ks_radial < 0.15)
        True
    """
    rng = np.random.default_rng(seed)
    variances = profile_matrix(profile, n, rng)
    product = np.eye(n)
    for _ in range(factors):
        product = product @ draw_matrix(variances, entries, rng)
    found = eigvals(product)
    return Product(
        eigenvalues=found,
        ks_radial=kolmogorov(np.minimum(np.abs(found) ** (2 / factors), 1)),
        ks_angular=kolmogorov(np.angle(found) / (2 * np.pi) % 1),
    )


def kolmogorov(sample: np.ndarray) -> float:
    """Return the Kolmogorov distance of numbers in [0, 1] from the uniform law.

    Args:
        sample: Shape (n,).

    Returns:
        sup |F_n(u) - u|.

    Source: Kolmogorov's statistic; numbers that were cut at 1 are an atom there.

    Example:
        >>> kolmogorov(np.array([0.25, 0.75]))
        0.25
    """
    n, ordered = len(sample), np.sort(sample)
    above = np.arange(1, n + 1) / n - ordered
    below = ordered - np.arange(n) / n
    return float(max(above.max(), below.max()))


def draw(found: Spectrum) -> "Figure":
    """Return a figure of the eigenvalues over the unit circle, and of the radial law."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    angle = np.linspace(0, 2 * np.pi, 300)
    left.plot(np.cos(angle), np.sin(angle), color="0.6")
    left.plot(found.eigenvalues.real.T, found.eigenvalues.imag.T, ".", ms=3)
    left.set(xlabel="Re lambda", ylabel="Im lambda", aspect="equal")
    left.set_title(f"gamma = {found.gamma:.2f}")
    shares = np.arange(1, found.eigenvalues.shape[1] + 1) / found.eigenvalues.shape[1]
    for row in found.eigenvalues:
        right.step(np.sort(np.abs(row) ** 2), shares)
    right.plot([0, 1], [0, 1], ":", color="0.3", label="uniform disk")
    right.set(xlabel="|lambda|^2", ylabel="share of eigenvalues")
    right.set_title(f"Kolmogorov distance {found.ks_radial.mean():.3f}")
    right.legend()
    return figure


def _decompose(matrix: np.ndarray, eigenvectors: bool) -> tuple[np.ndarray, tuple[float, ...]]:
    """Return the eigenvalues and, where asked for, (peak, participation)."""
    if not eigenvectors:
        return eigvals(matrix).astype(complex), ()
    values, vectors = eig(matrix)
    n, sizes = len(matrix), np.abs(vectors)
    peak = np.median(sizes.max(0)) * np.sqrt(n / np.log(n))
    return values.astype(complex), (float(peak), float(n * (sizes**4).sum(0).mean()))
