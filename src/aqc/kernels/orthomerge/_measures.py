"""What a merge should leave alone: the angles between neurons and the spectrum."""

from typing import NamedTuple

import numpy as np


class Geometry(NamedTuple):
    """The angles between a weight's rows and its largest singular value.

    Args:
        hyperspherical_energy: Sum over pairs of rows i < j of 1 / ||w_i - w_j||, rows of norm 1.
        spectral_norm: Largest singular value.
    """

    hyperspherical_energy: float
    spectral_norm: float


class Merged(NamedTuple):
    """Experts merged into one weight, beside two ways that are common.

    Args:
        weight: W*, shape (out, in).
        rotation: R(A*), shape (in, in).
        angles: ||A_i||_F of the experts, shape (T,).
        angle: ||A*||_F.
        correction: By how much A* is longer than the plain average of the A_i.
        residual_fractions: ||W_i - W0 R_i|| / ||W_i - W0||, what no rotation tells, shape (T,).
        flipped: Experts whose best orthogonal matrix was a reflection, shape (T,).
        orthogonality_error: Largest entry of |R^T R - I|.
        base: Geometry of W0.
        merged: Geometry of W*.
        task_arithmetic: Geometry of W0 + sum_i (W_i - W0).
        average: Geometry of the mean of the W_i.
    """

    weight: np.ndarray
    rotation: np.ndarray
    angles: np.ndarray
    angle: float
    correction: float
    residual_fractions: np.ndarray
    flipped: np.ndarray
    orthogonality_error: float
    base: Geometry
    merged: Geometry
    task_arithmetic: Geometry
    average: Geometry


def geometry(weight: np.ndarray) -> Geometry:
    """Return the hyperspherical energy and the spectral norm of a weight.

    Rows of zeros are left out of the energy; two rows nearer than 1e-8 count as that far apart.

    Args:
        weight: Shape (out, in).

    Returns:
        Both measures.

    Source: Liu et al., arXiv:1805.09298, with exponent 1.

    Example:
        >>> geometry(np.array([[3.0, 0.0], [-4.0, 0.0]]))
        Geometry(hyperspherical_energy=0.5, spectral_norm=5.0)
    """
    lengths = np.linalg.norm(weight, axis=1)
    rows = weight[lengths > 0] / lengths[lengths > 0, None]
    inverse = np.maximum(2 - 2 * (rows @ rows.T), 1e-16) ** -0.5
    np.fill_diagonal(inverse, 0)
    return Geometry(float(inverse.sum() / 2), float(np.linalg.norm(weight, 2)))
