"""What a reduced model is made of: modes, few points with weights, and reconstruction from them."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, Lt
from jaxtyping import Float
from scipy.linalg import qr
from scipy.optimize import nnls

from aqc.errors import DivergenceError, InputError
from aqc.kernels._magnitude import refuse_huge
from aqc.kernels._signature import checked

_RANK_CUT = 1e-10


@dataclass(frozen=True)
class Cubature:
    """Few points whose weighted sum replaces the sum over all.

    Args:
        points: Numbers of the points, ascending, shape (k,).
        weights: Positive, shape (k,), in the unit of the given weights.
        error: ||G x - G w|| / ||G w||, the row of ones included.
    """

    points: np.ndarray
    weights: np.ndarray
    error: float


@dataclass(frozen=True)
class Reconstruction:
    """Coefficients of modes that fit values known at a few points.

    Args:
        coefficients: z, shape (modes,).
        residual: ||V z - p|| / ||p|| at these points, 0 where p = 0.
    """

    coefficients: np.ndarray
    residual: float


@checked(rows=(1, 5000), points=(2, 10_000))
def empirical_cubature(
    integrands: Float[np.ndarray, "rows points"],
    weights: Float[np.ndarray, " points"],
    tol: Annotated[float, Gt(0), Lt(1)] = 1e-4,
) -> Cubature:
    """Choose few points and positive weights that integrate given functions.

    ||G x - G w|| <= tol ||G w||, x >= 0, G the integrands and a row of ones (the volume).

    Args:
        integrands: Values of the functions at the points, shape (rows, points).
        weights: Of the full quadrature w > 0, shape (points,).
        tol: Relative error allowed.

    Returns:
        Points, weights, error.

    Raises:
        InputError: A weight is not positive.
        DivergenceError: The non-negative least squares did not end.

    Source: Casenave and Akkari, Math. Comput. Appl. 24 (2019) 41, operator compression. Instead
    of a greedy search the rows are compressed by their singular vectors, as few as reach `tol`;
    non-negative least squares then has a solution with at most as many points as rows.

    Example:
        >>> x = np.linspace(0, 1, 101)
        >>> found = empirical_cubature(np.array([x, x**2, x**3]), np.full(101, 1 / 101))
        >>> len(found.points) <= 4, found.error < 1e-4
        (True, True)
    """
    refuse_huge(integrands=integrands, weights=weights)
    if weights.min() <= 0:
        raise InputError(f"`weights` must be > 0, but holds {weights.min():g}.", "/weights")
    size = np.linalg.norm(integrands @ weights)
    ones = np.full((1, len(weights)), (size or 1.0) / weights.sum())
    matrix = np.vstack([integrands, ones])
    _, values, right = np.linalg.svd(matrix, full_matrices=False)
    compressed = (values[:, None] * right)[values > _RANK_CUT * values[0]]
    target = compressed @ weights
    rows = min(4, len(compressed))
    while True:
        try:
            solution, _ = nnls(compressed[:rows], target[:rows], maxiter=20 * len(weights))
        except RuntimeError as error:
            raise DivergenceError(f"No cubature was found: {error}.") from error
        lack = float(np.linalg.norm(compressed @ solution - target) / np.linalg.norm(target))
        if lack <= tol or rows == len(compressed):
            break
        rows = min(len(compressed), rows + max(2, rows // 8))
    if lack > tol:
        raise DivergenceError(f"No cubature of error {tol:g} was found, only one of {lack:.3g}.")
    points = np.flatnonzero(solution)
    return Cubature(points, solution[points], lack)


@checked(points=(1, 10_000), modes=(1, 1000))
def gappy_pod(
    modes: Float[np.ndarray, "points modes"], values: Float[np.ndarray, " points"]
) -> Reconstruction:
    """Fit modes to values that are known at a few points only.

    z = argmin ||V z - p||, e = ||V z - p|| / ||p||.

    Args:
        modes: V restricted to the points, shape (points, modes).
        values: p there, shape (points,).

    Returns:
        Coefficients and relative residual.

    Raises:
        InputError: There are fewer points than modes.

    Source: Casenave and Akkari, Math. Comput. Appl. 24 (2019) 41, ROM-Gappy-POD; the residual is
    what their error indicator is a function of.

    Example:
        >>> gappy_pod(np.array([[1.0], [1.0]]), np.array([1.0, 3.0])).coefficients
        array([2.])
    """
    if len(modes) < modes.shape[1]:
        raise InputError(
            f"`modes` must have at least as many points as modes, but has {len(modes)} points and "
            f"{modes.shape[1]} modes.",
            "/modes",
        )
    refuse_huge(modes=modes, values=values)
    coefficients = np.linalg.lstsq(modes, values, rcond=None)[0]
    size = float(np.linalg.norm(values))
    lack = float(np.linalg.norm(modes @ coefficients - values))
    return Reconstruction(coefficients, lack / size if size else 0.0)


def pod(snapshots: np.ndarray, tol: float) -> np.ndarray:
    """Return the fewest orthonormal modes that leave at most `tol` of the snapshots' norm.

    Args:
        snapshots: Shape (times, n).
        tol: Relative, of the Frobenius norm.
    """
    _, values, right = np.linalg.svd(snapshots, full_matrices=False)
    tails = np.sqrt(np.cumsum(values[::-1] ** 2)[::-1])
    keep = np.sum(tails > tol * tails[0])
    found: np.ndarray = right[:keep].T
    return found


def interpolation_points(modes: np.ndarray) -> np.ndarray:
    """Return one point for each mode, where the modes can be told apart (Q-DEIM)."""
    _, _, pivots = qr(modes.T, pivoting=True, mode="economic")
    found: np.ndarray = pivots[: modes.shape[1]]
    return found
