"""How sparse, how stationary and how right a dictionary is."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from aqc.errors import InputError


class Sparsity(NamedTuple):
    """How sparse the codes z = D^T y of signals are.

    Args:
        ratio: Mean of ||z||_1 / (sqrt(n) ||z||_2): 1 for flat codes, 1 / sqrt(n) for one entry.
        support: Mean share of entries above a tenth of the root mean square of all.
        energy: Mean share of the energy in the k largest entries, k = 1..n, shape (n,).
    """

    ratio: float
    support: float
    energy: np.ndarray


def polar(matrix: np.ndarray) -> np.ndarray:
    """Return the nearest orthogonal matrix, U V^T of the singular value decomposition.

    Args:
        matrix: Shape (n, n).

    Returns:
        Shape (n, n).

    Source: linear algebra; -polar(G) is the point of the spectral-norm ball that minimizes <S, G>.

    Example:
        >>> np.abs(polar(np.diag([2.0, -0.5])) - np.diag([1, -1])).max() < 1e-12
        np.True_
    """
    u, _, vt = np.linalg.svd(matrix)
    rotation: np.ndarray = u @ vt
    return rotation


def random_dictionary(n: int, seed: int) -> np.ndarray:
    """Return an orthogonal matrix drawn from Haar's measure.

    Args:
        n: Dimension.
        seed: Of the draw.

    Returns:
        Shape (n, n).

    Source: QR of a Gaussian matrix, signs of R's diagonal taken out.

    Example:
        >>> d = random_dictionary(3, 0)
        >>> np.abs(d @ d.T - np.eye(3)).max() < 1e-12
        np.True_
    """
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))
    return q * np.sign(np.diag(r))


def slope(dictionary: np.ndarray, signals: np.ndarray, p: float) -> np.ndarray:
    """Return the gradient of f(D) = -mean over signals of ||D^T y||_p^p.

    Args:
        dictionary: D, shape (n, n).
        signals: Columns y, shape (n, samples).
        p: Of the norm.

    Returns:
        -(p / samples) Y (sign(Z) |Z|^(p-1))^T with Z = D^T Y, shape (n, n).

    Source: arXiv:2103.01484 for p = 3.

    Example:
        >>> slope(np.eye(1), np.array([[2.0]]), 3.0)
        array([[-24.]])
    """
    codes = dictionary.T @ signals
    stretched = np.sign(codes) * np.abs(codes) ** (p - 1)
    return -p / signals.shape[1] * (signals @ stretched.T)


def frank_wolfe_gap(dictionary: np.ndarray, signals: np.ndarray, p: float) -> float:
    """Return how far D is from stationary on the spectral-norm ball.

    Args:
        dictionary: D, shape (n, n).
        signals: Columns, shape (n, samples).
        p: Of the norm.

    Returns:
        max over ||S||_2 <= 1 of <grad f(D), D - S> = ||grad f||_* + <grad f, D>, at least 0 inside
        the ball.

    Source: Frank and Wolfe's gap, the measure of arXiv:2103.01484's rate.

    Example:
        >>> frank_wolfe_gap(np.eye(2), np.eye(2), 3.0)
        0.0
    """
    gradient = slope(dictionary, signals, p)
    nuclear = np.linalg.svd(gradient, compute_uv=False).sum()
    return float(nuclear + np.sum(gradient * dictionary))


def recovery_error(dictionary: np.ndarray, truth: np.ndarray) -> float:
    """Return how far a dictionary's atoms are from the true ones, whatever their order and signs.

    Args:
        dictionary: Unit columns, shape (n, n).
        truth: Unit columns, shape (n, n).

    Returns:
        1 - mean <d_i, d0_i>^2 over the best matching of columns.

    Source: the usual measure of dictionary learning.

    Example:
        >>> recovery_error(np.eye(3), -np.eye(3)[:, [2, 0, 1]])
        0.0
    """
    overlaps = (dictionary.T @ truth) ** 2
    rows, columns = linear_sum_assignment(-overlaps)
    return float(1 - overlaps[rows, columns].mean())


def sparsity(codes: np.ndarray) -> Sparsity:
    """Return how sparse codes are.

    Args:
        codes: Columns z, shape (n, samples); zero columns are left out.

    Returns:
        Three measures.

    Source: our own choice of measures.

    Example:
        >>> sparsity(np.array([[3.0], [0.0], [4.0], [0.0]])).energy.tolist()
        [0.64, 1.0, 1.0, 1.0]
    """
    energy = np.sum(codes**2, axis=0)
    codes, energy = codes[:, energy > 0], energy[energy > 0]
    n = len(codes)
    ratio = np.abs(codes).sum(0) / np.sqrt(n * energy)
    support = np.abs(codes) > 0.1 * np.sqrt(energy.mean() / n)
    largest = -np.sort(-(codes**2), axis=0)
    return Sparsity(
        float(ratio.mean()),
        float(support.mean()),
        np.minimum(1.0, np.mean(np.cumsum(largest, axis=0) / energy, axis=1)),
    )


def whitening(signals: np.ndarray) -> np.ndarray:
    """Return (Y Y^T / samples)^(-1/2), which makes signals isotropic.

    Args:
        signals: Columns, shape (n, samples).

    Returns:
        Symmetric, shape (n, n).

    Raises:
        InputError: The signals do not span their space.

    Source: linear algebra.

    Example:
        >>> whitening(np.diag([2.0, 4.0])).round(6).tolist()
        [[0.707107, 0.0], [0.0, 0.353553]]
    """
    values, vectors = np.linalg.eigh(signals @ signals.T / signals.shape[1])
    if values[0] <= 1e-12 * values[-1]:
        rank = int(np.sum(values > 1e-12 * values[-1]))
        raise InputError(
            f"`signals` must span all {len(values)} dimensions to be whitened, but their rank is "
            f"{rank}; leave the others out.",
            "/signals",
        )
    return (vectors / np.sqrt(values)) @ vectors.T
