"""Split of a sampled vector field into a gradient and a gauge field (Galerkin)."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Annotated, Literal

import numpy as np
from annotated_types import Gt, Interval
from jaxtyping import Float

from aqc.errors import InputError
from aqc.kernels._signature import checked

_MOST_FUNCTIONS = 1000
_CHUNK = 4_000_000  # numbers of a block of gradients
_RIDGE = 1e-10
_TESTS = 64  # held-out test functions
Gradients = Callable[[np.ndarray], np.ndarray]  # points n d -> n d functions


@dataclass(frozen=True)
class Polynomials:
    """All monomials of degree 1 to `degree`."""

    degree: Annotated[int, Interval(ge=1, le=4)] = 2
    kind: Literal["polynomials"] = "polynomials"


@dataclass(frozen=True)
class FourierFeatures:
    """Random functions cos(w.x + b), w normal with deviation 1/length (x standardized)."""

    count: Annotated[int, Interval(ge=1, le=512)]
    length: Annotated[float, Gt(0)] = 1.0
    seed: Annotated[int, Interval(ge=0)] = 0
    kind: Literal["fourier_features"] = "fourier_features"


@dataclass(frozen=True)
class Decomposition:
    """s = grad phi + r.

    Args:
        coefficients: Of phi in the basis, for standardized points.
        conservative: grad phi at the samples, shape (n, d).
        gauge: r at the samples, shape (n, d).
        energy_fraction: E|r|^2 / E|s|^2.
        orthogonality: |E[grad phi . r]| / E|s|^2: zero up to the ridge.
        heldout_residual: Root mean square of E[grad psi . r] / sqrt(E|grad psi|^2 E|r|^2) over 64
            other functions psi and those samples that the fit (here of one half) did not see.
        heldout_noise: The same for fields without any relation, about 1/sqrt(samples).
    """

    coefficients: np.ndarray
    conservative: np.ndarray
    gauge: np.ndarray
    energy_fraction: float
    orthogonality: float
    heldout_residual: float
    heldout_noise: float


@checked(samples=(10, 100_000), dimensions=(1, 16))
def decompose_field(
    samples: Float[np.ndarray, "samples dimensions"],
    field: Float[np.ndarray, "samples dimensions"],
    basis: Polynomials | FourierFeatures | None = None,
    seed: Annotated[int, Interval(ge=0)] = 0,
) -> Decomposition:
    """Split a vector field into a gradient and a part that leaves the density as it is.

    s = grad phi + r, div(p r) = 0, hence E|s|^2 = E|grad phi|^2 + E|r|^2.

    Args:
        samples: Points of the density p, shape (n, d).
        field: s at these points, shape (n, d).
        basis: Functions that phi is made of; by default polynomials of degree 2.
        seed: Of the halves and of the test functions.

    Returns:
        Both parts and how well they are told apart.

    Raises:
        InputError: The basis has more than 1000 functions or more than a tenth of the samples.

    Source: arXiv 2402.03845, the orthogonal decomposition with the gauge condition
    div r + r . grad log p = 0; solved here as <grad psi_a, grad psi_b> c = <grad psi_a, s>.

    Example:
        >>> points = np.random.default_rng(0).normal(size=(2000, 2))
        >>> turned = -points + points @ np.array([[0, 1], [-1, 0]])
        >>> found = decompose_field(points, turned)
        >>> bool(abs(found.energy_fraction - 0.5) < 0.02)
        True
    """
    basis = basis or Polynomials()
    d = samples.shape[1]
    gradients, count = _basis(basis, d)
    if not 10 * count <= len(samples) or count > _MOST_FUNCTIONS:
        raise InputError(
            f"`basis` must have at most {min(len(samples) // 10, _MOST_FUNCTIONS)} functions for "
            f"{len(samples)} samples, but has {count}.",
            "/basis",
        )
    center, scale = samples.mean(0), samples.std(0)
    if scale.min() <= 0:
        raise InputError(
            f"`samples` must vary along every axis, but axis {int(scale.argmin())} is constant.",
            "/samples",
        )
    points = (samples - center) / scale
    # In standardized points a gradient is divided by the scale.
    weights = 1 / scale
    coefficients = _fit(gradients, count, points, field, weights)
    conservative = _apply(gradients, coefficients, points, weights)
    gauge = field - conservative
    energy = float((field**2).sum())
    residual, noise = _held_out(gradients, count, points, field, weights, seed)
    return Decomposition(
        coefficients=coefficients,
        conservative=conservative,
        gauge=gauge,
        energy_fraction=float((gauge**2).sum()) / energy if energy else 0.0,
        orthogonality=abs(float((conservative * gauge).sum())) / energy if energy else 0.0,
        heldout_residual=residual,
        heldout_noise=noise,
    )


def decomposition_work(
    samples: np.ndarray,
    field: np.ndarray,
    basis: Polynomials | FourierFeatures | None,
    seed: int,
) -> float:
    """Return samples x dimensions x functions x (functions + 20 dimensions)."""
    n, d = samples.shape
    count = _basis(basis or Polynomials(), d)[1]
    return float(n * d * count * (count + 20 * d))


def _basis(basis: Polynomials | FourierFeatures, d: int) -> tuple[Gradients, int]:
    """Return the gradients of the basis functions, and their number."""
    if isinstance(basis, FourierFeatures):
        return _fourier(d, basis.count, basis.length, basis.seed), basis.count
    exponents = np.array(
        [
            np.bincount(axes, minlength=d)
            for degree in range(1, basis.degree + 1)
            for axes in combinations_with_replacement(range(d), degree)
        ]
    )

    def gradients(x: np.ndarray) -> np.ndarray:
        powers = x[:, :, None] ** np.arange(basis.degree + 1)  # n d power
        out = np.empty((len(x), d, len(exponents)))
        for axis in range(d):
            lowered = exponents.copy()
            lowered[:, axis] = np.maximum(lowered[:, axis] - 1, 0)
            out[:, axis] = exponents[:, axis]
            for other in range(d):
                out[:, axis] *= powers[:, other, lowered[:, other]]
        return out

    return gradients, len(exponents)


def _fourier(d: int, count: int, length: float, seed: int) -> Gradients:
    rng = np.random.default_rng(seed)
    waves = rng.normal(size=(d, count)) / length
    phases = rng.uniform(0, 2 * np.pi, count)
    return lambda x: -np.sin(x @ waves + phases)[:, None] * waves


def _blocks(points: np.ndarray, count: int) -> list[slice]:
    n, d = points.shape
    size = max(1, _CHUNK // (d * count))
    return [slice(i, i + size) for i in range(0, n, size)]


def _fit(
    gradients: Gradients, count: int, points: np.ndarray, field: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Solve <grad psi_a, grad psi_b> c = <grad psi_a, s>, averages over the points."""
    gram, right = np.zeros((count, count)), np.zeros(count)
    for block in _blocks(points, count):
        part = (gradients(points[block]) * weights[:, None]).reshape(-1, count)
        gram += part.T @ part
        right += part.T @ field[block].ravel()
    ridge = _RIDGE * np.trace(gram) / count
    solution: np.ndarray = np.linalg.solve(gram + ridge * np.eye(count), right)
    # Refinement takes the ridge out where the functions are independent.
    for _ in range(3):
        rest = right - gram @ solution
        solution = solution + np.linalg.solve(gram + ridge * np.eye(count), rest)
    return solution


def _apply(
    gradients: Gradients, coefficients: np.ndarray, points: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    blocks = _blocks(points, len(coefficients))
    return np.concatenate([gradients(points[b]) @ coefficients for b in blocks]) * weights


def _held_out(
    gradients: Gradients,
    count: int,
    points: np.ndarray,
    field: np.ndarray,
    weights: np.ndarray,
    seed: int,
) -> tuple[float, float]:
    """Return the gauge condition's residual for functions and samples that the fit has not seen."""
    order = np.random.default_rng(seed).permutation(len(points))
    seen, rest = order[::2], order[1::2]
    coefficients = _fit(gradients, count, points[seen], field[seen], weights)
    points = points[rest]
    gauge = field[rest] - _apply(gradients, coefficients, points, weights)
    size = (gauge**2).sum()
    if size == 0:
        return 0.0, 0.0
    tests = _fourier(points.shape[1], _TESTS, 1.0, seed + 1)
    overlaps, norms, noise = np.zeros(_TESTS), np.zeros(_TESTS), np.zeros(_TESTS)
    for block in _blocks(points, _TESTS):
        part = tests(points[block]) * weights[:, None]
        products = np.einsum("ndf,nd->nf", part, gauge[block])
        overlaps += products.sum(0)
        noise += (products**2).sum(0)
        norms += (part**2).sum((0, 1))
    cosines, spread = overlaps / np.sqrt(norms * size), noise / (norms * size)
    return float(np.sqrt((cosines**2).mean())), float(np.sqrt(spread.mean()))
