"""Polynomials that are orthonormal under data: one variable, and products of several."""

import itertools
from dataclasses import dataclass
from functools import lru_cache
from math import comb
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Interval
from jaxtyping import Float
from scipy.linalg import cholesky, eigh_tridiagonal

from aqc.errors import InputError
from aqc.kernels._magnitude import refuse_huge
from aqc.kernels._signature import checked

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Samples:
    """A distribution known by samples.

    Args:
        values: Shape (N,).
        degree: Largest degree asked for.
    """

    values: Float[np.ndarray, " N"]
    degree: Annotated[int, Interval(ge=1, le=20)]
    kind: Literal["samples"] = "samples"


@dataclass(frozen=True)
class Moments:
    """A distribution known by raw moments.

    Args:
        moments: m_0, ..., m_2d, shape (2 d + 1,); they give the polynomials up to degree d.
    """

    moments: Float[np.ndarray, " count"]
    kind: Literal["moments"] = "moments"


@dataclass(frozen=True)
class PolynomialBasis:
    """Orthonormal polynomials of one variable, by their recurrence, and their Gauss rule.

    Args:
        a: a_0, ..., a_{d-1}.
        b: b_1, ..., b_d.
        nodes: Of the d-point Gauss rule, ascending.
        weights: Its weights, which sum to 1.
        gram_error: max |<P_i P_j> - delta_ij| over the samples; None for moments.
    """

    a: np.ndarray
    b: np.ndarray
    nodes: np.ndarray
    weights: np.ndarray
    gram_error: float | None


@checked(N=(2, 20_000), count=(3, 41))
def arbitrary_polynomial_chaos_basis(source: Samples | Moments) -> PolynomialBasis:
    """Return the polynomials that are orthonormal under samples or moments, and their Gauss rule.

    b_{k+1} P_{k+1}(z) = (z - a_k) P_k(z) - b_k P_{k-1}(z),  a_k = <z P_k^2>,  P_0 = 1.

    Args:
        source: Samples and a degree, or raw moments.

    Returns:
        Recurrence and Gauss rule.

    Raises:
        InputError: There are no more distinct samples than the degree, the number of moments is
            even, or they belong to no distribution.

    Source:
        arXiv:2306.14753 takes the polynomials from the matrix of moments; samples are treated here
        by Stieltjes' recurrence, which is the same in exact arithmetic and stabler in doubles.

    Example:
        >>> found = arbitrary_polynomial_chaos_basis(Moments([1, 0, 1, 0, 3, 0, 15]))
        >>> found.b.round(4)  # Hermite's, the roots of 1, 2, 3
        array([1.    , 1.4142, 1.7321])
    """
    if isinstance(source, Samples):
        refuse_huge(values=source.values)
        refuse_few_values(source.values[:, None], source.degree, "source/values")
        polynomials, a, b = build_basis(source.values[:, None], source.degree)
        a, b = a[:, 0], b[:, 0]
        error = gram_error(polynomials[:, :, 0].T)
    else:
        a, b = _from_moments(source.moments)
        error = None
    if not np.isfinite(b).all() or b.min() <= 0:
        raise InputError(
            "`source.values` must be spread more widely: their differences are lost in rounding.",
            "/source/values",
        )
    nodes, vectors = eigh_tridiagonal(a, b[:-1])
    return PolynomialBasis(a, b, nodes, vectors[0] ** 2, error)


def _from_moments(moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if len(moments) % 2 == 0:
        raise InputError(
            f"`source.moments` must hold m_0, ..., m_2d, an odd number, but holds {len(moments)}.",
            "/source/moments",
        )
    refuse_huge(moments=moments)
    degree = len(moments) // 2
    hankel = moments[np.add.outer(np.arange(degree + 1), np.arange(degree + 1))]
    try:
        root = cholesky(hankel)
    except np.linalg.LinAlgError:
        raise InputError(
            "`source.moments` must be those of a distribution with more than "
            f"{degree} points, but their Hankel matrix is not positive definite.",
            "/source/moments",
        ) from None
    diagonal = np.diag(root)
    ratios = np.diag(root, 1) / diagonal[:-1]
    return np.diff(ratios, prepend=0.0), diagonal[1:] / diagonal[:-1]


def build_basis(z: Any, degree: int, module: Any = np) -> tuple[Any, Any, Any]:
    """Return the polynomials of each column under its own values, and their recurrence.

    Args:
        z: Shape (N, n).
        degree: d.
        module: NumPy, or what stands for it under differentiation.

    Returns:
        P, shape (d + 1, N, n); a and b, shape (d, n).
    """
    a, b = [], []
    rows = [module.ones_like(z)]
    below = module.zeros_like(z)
    for k in range(degree):
        a.append(module.mean(z * rows[k] ** 2, axis=0))
        rest = (z - a[k]) * rows[k] - below
        b.append(module.sqrt(module.mean(rest**2, axis=0)))
        with np.errstate(invalid="ignore", divide="ignore"):  # callers look at b
            rows.append(rest / b[k])
        below = b[k] * rows[k]
    return module.stack(rows), module.stack(a), module.stack(b)


def evaluate_basis(z: Any, a: Any, b: Any, module: Any = np) -> Any:
    """Return the polynomials of a known recurrence at other points.

    Args:
        z: Shape (Q, n).
        a: Shape (d, n).
        b: Shape (d, n).
        module: As in `build_basis`.

    Returns:
        P, shape (d + 1, Q, n).
    """
    rows = [module.ones_like(z)]
    below = module.zeros_like(z)
    for k in range(len(a)):
        rows.append(((z - a[k]) * rows[k] - below) / b[k])
        below = b[k] * rows[k]
    return module.stack(rows)


@lru_cache(maxsize=64)
def multi_indices(inputs: int, degree: int) -> np.ndarray:
    """Return all multi-indices of a total degree at most d, by degree, shape (M, n).

    Example:
        >>> multi_indices(2, 2).tolist()
        [[0, 0], [1, 0], [0, 1], [2, 0], [1, 1], [0, 2]]
    """
    found = np.zeros((count_terms(inputs, degree), inputs), int)
    picks = itertools.chain.from_iterable(
        itertools.combinations_with_replacement(range(inputs), total) for total in range(degree + 1)
    )
    for row, pick in zip(found, picks, strict=True):
        np.add.at(row, list(pick), 1)
    found.setflags(write=False)
    return found


def count_terms(inputs: int, degree: int) -> int:
    """Return M = (n + d)! / (n! d!)."""
    return comb(inputs + degree, degree)


def products(polynomials: Any, indices: np.ndarray) -> Any:
    """Return Psi_alpha(x) = prod_i P_{alpha_i}(x_i), shape (N, M).

    Args:
        polynomials: Shape (d + 1, N, n).
        indices: Shape (M, n).
    """
    psi = polynomials[indices[:, 0], :, 0]
    for i in range(1, indices.shape[1]):
        psi = psi * polynomials[indices[:, i], :, i]
    return psi.T


def gram_error(psi: np.ndarray) -> float:
    """Return the largest entry of |Psi^T Psi / N - 1|."""
    return float(np.abs(psi.T @ psi / len(psi) - np.eye(psi.shape[1])).max())


def refuse_few_values(x: np.ndarray, degree: int, path: str) -> None:
    """Refuse a column with no more distinct values than the degree."""
    for j, column in enumerate(x.T):
        distinct = len(np.unique(column))
        if distinct <= degree:
            raise InputError(
                f"`{path.replace('/', '.')}` must have more than {degree} distinct values in each "
                f"column for polynomials of degree {degree}, but column {j} has only {distinct}.",
                f"/{path}",
            )


def draw_basis(found: PolynomialBasis) -> "Figure":
    """Draw the polynomials below the Gauss rule's degree, and the rule itself."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 5.0), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    reach = max(float(np.ptp(found.nodes)), 1e-3)
    z = np.linspace(found.nodes[0] - 0.1 * reach, found.nodes[-1] + 0.1 * reach, 400)
    rows = evaluate_basis(z[:, None], found.a[:, None], found.b[:, None])[:, :, 0]
    for k, row in enumerate(rows[: min(len(rows), 6)]):
        upper.plot(z, row, label=f"P_{k}")
    upper.set_ylabel("orthonormal polynomial")
    upper.legend(ncols=3)
    lower.vlines(found.nodes, 0, found.weights)
    lower.plot(found.nodes, found.weights, "o")
    lower.set(xlabel="z", ylabel="Gauss weight", ylim=(0, None))
    return figure
