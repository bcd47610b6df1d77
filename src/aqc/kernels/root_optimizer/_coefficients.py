"""Newton-Schulz coefficients fitted to a matrix shape ("AdaNewton")."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import Interval, Len
from jaxtyping import Float
from scipy.linalg import eigh_tridiagonal
from scipy.optimize import minimize

from aqc.errors import InputError
from aqc.kernels._muon import MUON_COEFFICIENTS
from aqc.kernels._signature import checked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Triple = tuple[float, float, float]
Origin = Literal["fitted", "published", "muon", "given"]

# The four shapes of the paper's models, by (shorter, longer) side.
PUBLISHED: Mapping[tuple[int, int], Triple] = {
    (2048, 2048): (3.4916, -4.8224, 2.1095),
    (2048, 3072): (3.4509, -4.5790, 1.9325),
    (2048, 8192): (2.9794, -3.6674, 1.6207),
    (2048, 16384): (3.1943, -3.8221, 1.5322),
}
_ITERATIONS = 5
_STARTS = (MUON_COEFFICIENTS, (2.5, -2.5, 1.0), (3.0, -3.6, 1.6))
_RANDOM_SHARE = 0.75  # of the loss; the rest is momentum spectra, as in the paper's 3 : 1
_HIGHEST, _PENALTY = 1.3, 10.0
_POINTS = 1024
# Wiggles of the composed polynomial are narrowest where it is steepest, near zero.
_GRID = np.concatenate([np.geomspace(1e-4, 1e-1, 500), np.linspace(0.1, 1, 1500)])


@dataclass(frozen=True)
class CoefficientFit:
    """Coefficients fitted to a shape, and how near to 1 they bring the singular values.

    Attributes:
        coefficients: (a, b, c) of f(x) = a x + b x^3 + c x^5.
        error: Mean of (f^5(s) - 1)^2 over singular values s of random matrices of the shape.
        muon_error: The same for Muon's coefficients.
        momentum_error: As `error`, over the momentum spectra.
        muon_momentum_error: The same for Muon's coefficients.
        overshoot: Largest |f^5| on [0, 1].
        muon_overshoot: The same for Muon's coefficients.
        inputs: Points of [0, 1], shape (points,).
        outputs: f^5 there, shape (points,).
        muon_outputs: The same for Muon's coefficients, shape (points,).
    """

    coefficients: Float[np.ndarray, "3"]
    error: float
    muon_error: float
    momentum_error: float
    muon_momentum_error: float
    overshoot: float
    muon_overshoot: float
    inputs: Float[np.ndarray, " points"]
    outputs: Float[np.ndarray, " points"]
    muon_outputs: Float[np.ndarray, " points"]


@checked(k=(1, 4096))
def fit_coefficients(
    rows: Annotated[int, Interval(ge=1, le=4096)],
    columns: Annotated[int, Interval(ge=1, le=4096)],
    momentum_spectra: Annotated[tuple[Float[np.ndarray, "?k"], ...], Len(1, 20)] | None = None,
    seed: Annotated[int, Interval(ge=0)] = 0,
) -> CoefficientFit:
    """Fit the coefficients of five Newton-Schulz steps to a matrix shape.

    Minimizes 0.75 E_random[(f^5(s) - 1)^2] + 0.25 E_momentum[(f^5(s) - 1)^2]
    + 10 max(0, max_[0, 1] |f^5| - 1.3)^2 over (a, b, c), with f(x) = a x + b x^3 + c x^5 and s the
    singular values over their Frobenius norm.

    Args:
        rows: m.
        columns: n.
        momentum_spectra: Singular values of momentum matrices of this shape; by default
            s_i ~ i^-1/2 and s_i ~ i^-1.
        seed: Of the random matrices.

    Returns:
        The coefficients, and errors beside those of Muon's.

    Raises:
        InputError: A spectrum holds a negative value, or nothing but zeros.

    Source:
        arXiv:2511.20626, Sec. 4.5; the paper fits offline by real momentum and random spectra
        in the ratio 1 : 3. The loss's third term is added here: without it the fit to a flat
        matrix diverges on spectra of low rank.

    Example:
        >>> fit = fit_coefficients(64, 256)
        >>> fit.error < 0.05 * fit.muon_error
        True
    """
    spectra = momentum_spectra
    for i, spectrum in enumerate(spectra or ()):
        if (spectrum < 0).any() or not spectrum.any():
            raise InputError(
                f"`momentum_spectra[{i}]` must hold singular values, but "
                + (f"holds {spectrum.min()}." if spectrum.any() else "all are zero."),
                f"/momentum_spectra/{i}",
            )
    short, long = sorted((rows, columns))
    random = random_singular_values(short, long, seed)
    index = np.arange(1.0, short + 1)
    momentum = _thinned([_normalized(s) for s in spectra or (index**-0.5, index**-1.0)])
    coefficients = _minimize(random, momentum)
    outputs, muon_outputs = (iterate(_GRID, c) for c in (coefficients, MUON_COEFFICIENTS))
    return CoefficientFit(
        coefficients=np.array(coefficients),
        error=_error(random, coefficients),
        muon_error=_error(random, MUON_COEFFICIENTS),
        momentum_error=_error(momentum, coefficients),
        muon_momentum_error=_error(momentum, MUON_COEFFICIENTS),
        overshoot=float(np.abs(outputs).max()),
        muon_overshoot=float(np.abs(muon_outputs).max()),
        inputs=_GRID,
        outputs=outputs,
        muon_outputs=muon_outputs,
    )


@functools.lru_cache(maxsize=256)
def fitted_coefficients(short: int, long: int) -> Triple:
    """Return the coefficients fitted to a shape with the default spectra, fitted once a process."""
    a, b, c = fit_coefficients(short, long).coefficients.tolist()
    return a, b, c


def random_singular_values(short: int, long: int, seed: int) -> np.ndarray:
    """Return singular values of Gaussian matrices over their Frobenius norms.

    Householder reflections turn a Gaussian matrix into a bidiagonal one of independent chi
    variables (Silverstein, Dumitriu and Edelman): its singular values have the same law, and
    cost no matrix.

    Args:
        short: Shorter side.
        long: Longer side.
        seed: Of the draws.

    Returns:
        The values of several matrices, sorted, at most 1024.
    """
    rng = np.random.default_rng(seed)
    spectra = []
    for _ in range(max(1, min(8, 2048 // short))):
        diagonal = np.sqrt(rng.chisquare(np.arange(long, long - short, -1)))
        beside = np.sqrt(rng.chisquare(np.arange(short - 1, 0, -1)))
        squares = diagonal**2
        squares[1:] += beside**2
        values = eigh_tridiagonal(squares, diagonal[:-1] * beside, eigvals_only=True)
        spectra.append(_normalized(np.sqrt(np.maximum(values, 0))))
    return _thinned(spectra)


def iterate(x: np.ndarray, coefficients: Triple, iterations: int = _ITERATIONS) -> np.ndarray:
    """Return f applied several times, f(x) = a x + b x^3 + c x^5.

    Args:
        x: Singular values, any shape.
        coefficients: (a, b, c).
        iterations: How often.
    """
    a, b, c = coefficients
    for _ in range(iterations):
        # Clipped, so that coefficients that diverge give a large loss and not an overflow.
        squares = np.clip(x, -1e3, 1e3) ** 2
        x = np.clip(x, -1e3, 1e3) * (a + squares * (b + c * squares))
    return x


def _minimize(random: np.ndarray, momentum: np.ndarray) -> Triple:
    points = np.concatenate([random, momentum, _GRID])
    ends = (len(random), len(random) + len(momentum))

    def loss(coefficients: np.ndarray) -> float:
        outputs = iterate(points, tuple(coefficients))
        off = (outputs - 1) ** 2
        excess = max(0.0, float(np.abs(outputs[ends[1] :]).max()) - _HIGHEST)
        share = _RANDOM_SHARE * off[: ends[0]].mean()
        share += (1 - _RANDOM_SHARE) * off[ends[0] : ends[1]].mean()
        return float(share + _PENALTY * excess**2)

    options = {"xatol": 1e-6, "fatol": 1e-10, "maxiter": 600}
    fits = [minimize(loss, start, method="Nelder-Mead", options=options) for start in _STARTS]
    a, b, c = min(fits, key=lambda fit: fit.fun).x.tolist()
    return a, b, c


def _error(spectrum: np.ndarray, coefficients: Triple) -> float:
    return float(np.mean((iterate(spectrum, coefficients) - 1) ** 2))


def _normalized(spectrum: np.ndarray) -> np.ndarray:
    return np.asarray(spectrum / np.linalg.norm(spectrum))


def _thinned(spectra: list[np.ndarray]) -> np.ndarray:
    values = np.sort(np.concatenate(spectra))
    if len(values) <= _POINTS:
        return values
    return values[np.linspace(0, len(values) - 1, _POINTS).round().astype(int)]


def draw_coefficients(result: CoefficientFit) -> "Figure":
    """Draw five steps of the fitted and of Muon's polynomial over the singular values."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    axes.plot(result.inputs, result.outputs, label="fitted")
    axes.plot(result.inputs, result.muon_outputs, "--", label="Muon")
    axes.axhline(1, color="0.6", linewidth=0.8)
    axes.set(xscale="log", xlabel="singular value over the Frobenius norm")
    axes.set_ylabel("after five steps")
    axes.legend()
    return figure
