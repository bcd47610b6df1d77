"""Rotations and their Lie algebra: Cayley's transform, the rotation between two weights, means."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from aqc.errors import InputError

Magnitude = Literal["mean", "median", "max"]

# Cayley's transform has no value at an eigenvalue -1 and loses its digits near it.
_SINGULAR = 1e-6
_RANK = 1e-10

_LENGTH: dict[Magnitude, Callable[[np.ndarray], np.floating]] = {
    "mean": np.mean,
    "median": np.median,
    "max": np.max,
}


class Mean(NamedTuple):
    """The mean of rotations in the Lie algebra.

    Args:
        skew: A*, like one of the matrices averaged.
        angles: ||A_i||_F, shape (T,).
        angle: ||A*||_F.
        correction: By how much A* is longer than the plain average, 1 for equal rotations.
    """

    skew: np.ndarray
    angles: np.ndarray
    angle: float
    correction: float


def cayley(skew: np.ndarray) -> np.ndarray:
    """Return the rotation R = (I - A)^-1 (I + A).

    Args:
        skew: A, antisymmetric, shape (..., d, d).

    Returns:
        Shape (..., d, d).

    Source: arXiv:2602.05943; Cayley's transform.

    Example:
        >>> cayley(np.array([[0.0, -1.0], [1.0, 0.0]])).round(12).tolist()  # a quarter turn
        [[0.0, -1.0], [1.0, 0.0]]
    """
    one = np.eye(skew.shape[-1])
    return np.linalg.solve(one - skew, one + skew)


def inverse_cayley(rotation: np.ndarray) -> np.ndarray:
    """Return the antisymmetric A with R = (I - A)^-1 (I + A).

    Args:
        rotation: R without an eigenvalue -1, shape (d, d).

    Returns:
        A = (R + I)^-1 (R - I), its symmetric part (rounding) taken out, shape (d, d).

    Source: arXiv:2602.05943.

    Example:
        >>> inverse_cayley(np.array([[0.0, -1.0], [1.0, 0.0]])).round(12).tolist()
        [[0.0, -1.0], [1.0, 0.0]]
    """
    one = np.eye(len(rotation))
    skew = np.linalg.solve(rotation + one, rotation - one)
    return 0.5 * (skew - skew.T)


def rotation_between(base: np.ndarray, expert: np.ndarray, number: int) -> tuple[np.ndarray, bool]:
    """Return the rotation R that makes W0 R nearest to W_i.

    Of all orthogonal minimizers the one nearest to I: with W0^T W_i = U S V^T, U1 and V1 the
    columns of nonzero singular values and U2 and V2 the others,

        R = U1 V1^T + U2 polar(U2^T V2) V2^T.

    Args:
        base: W0, shape (out, in).
        expert: W_i, shape (out, in).
        number: Of the expert, for the sentence that refuses it.

    Returns:
        (R, whether a reflection had to be turned into a rotation), shape (in, in).

    Raises:
        InputError: It turns some direction by 180 degrees.

    Source: arXiv:2602.05943 takes R = U V^T. The completion of the null space and the sign are
    ours: for out < in that R is arbitrary there and may reflect.

    Example:
        >>> turn = np.array([[0.6, -0.8], [0.8, 0.6]])
        >>> rotation_between(np.eye(2), turn, 0)[0].round(12).tolist()
        [[0.6, -0.8], [0.8, 0.6]]
    """
    u, s, vt = np.linalg.svd(base.T @ expert)
    rank = int(np.sum(s > _RANK * max(s[0], np.finfo(float).tiny)))
    null_u, null_v = u[:, rank:], vt[rank:].T
    fixed = u[:, :rank] @ vt[:rank]
    left, _, right = np.linalg.svd(null_u.T @ null_v)
    rotation = fixed + null_u @ left @ right @ null_v.T
    flipped = bool(np.linalg.det(rotation) < 0)
    if flipped and len(left):
        left[:, -1] *= -1
        rotation = fixed + null_u @ left @ right @ null_v.T
    elif flipped:
        rotation = fixed - 2 * np.outer(u[:, -1], vt[-1])
    if np.linalg.svd(rotation + np.eye(len(rotation)), compute_uv=False)[-1] < _SINGULAR:
        raise InputError(
            f"`experts[{number}]` must be less than half a turn away from the base, but some "
            f"direction is turned by 180 degrees, where Cayley's transform has no value.",
            f"/experts/{number}",
        )
    return rotation, flipped


def mean_skew(skews: np.ndarray, magnitude: Magnitude) -> Mean:
    """Return the mean of antisymmetric matrices whose length is not shortened by disagreement.

        A* = a sum_i A_i / ||sum_i A_i||_F,   a = mean (median, max) of ||A_i||_F

    Args:
        skews: A_i, shape (T, ...); norms are over all axes but the first.
        magnitude: What a is.

    Returns:
        The mean; zero where the A_i cancel.

    Source: arXiv:2602.05943.

    Example:
        >>> quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
        >>> mean_skew(np.stack([quarter, 3 * quarter]), "mean").skew.round(12).tolist()
        [[0.0, -2.0], [2.0, 0.0]]
    """
    angles = np.sqrt(np.sum(skews.reshape(len(skews), -1) ** 2, axis=1))
    total = skews.sum(0)
    length = float(np.linalg.norm(total))
    if length < 1e-8:
        return Mean(np.zeros_like(total), angles, 0.0, 0.0)
    angle = float(_LENGTH[magnitude](angles))
    return Mean(total * (angle / length), angles, angle, angle * len(skews) / length)
