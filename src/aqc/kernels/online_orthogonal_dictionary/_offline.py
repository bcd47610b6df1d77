"""The method that sees all signals at once, and codes from a dictionary."""

from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Interval
from jaxtyping import Float

from aqc.errors import InputError
from aqc.kernels._magnitude import refuse_huge
from aqc.kernels._signature import checked
from aqc.kernels.online_orthogonal_dictionary._frank_wolfe import Power
from aqc.kernels.online_orthogonal_dictionary._measures import (
    frank_wolfe_gap,
    polar,
    random_dictionary,
    slope,
)


class Offline(NamedTuple):
    """A dictionary learned from all signals at once.

    Args:
        dictionary: Orthogonal, atoms in the columns, shape (n, n).
        gaps: Frank-Wolfe gap after each iteration.
    """

    dictionary: np.ndarray
    gaps: np.ndarray


class Codes(NamedTuple):
    """Sparse codes of signals.

    Args:
        codes: Columns z, shape (n, samples).
        residual: ||Y - D Z||_F / ||Y||_F.
    """

    codes: np.ndarray
    residual: float


@checked(n=(2, 128), samples=(1, 200_000))
def learn_offline(
    signals: Float[np.ndarray, "n samples"],
    p: Power = 3.0,
    iterations: Annotated[int, Interval(ge=1, le=1000)] = 30,
    seed: Annotated[int, Interval(ge=0)] = 0,
) -> Offline:
    """Return an orthogonal dictionary by matching, stretching and projection on all signals.

        D <- polar(Y (sign(Z) |Z|^(p-1))^T),  Z = D^T Y

    Args:
        signals: Isotropic columns y, shape (n, samples).
        p: Of the norm.
        iterations: Passes over all signals.
        seed: Of the first dictionary, random orthogonal.

    Returns:
        The dictionary and its gaps.

    Raises:
        InputError: All signals are zero.

    Source: Zhai, Yang, Liao, Wright, Ma, arXiv:1906.02435 for p = 4: the offline baseline.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = rng.normal(size=(2, 4000)) * (rng.random((2, 4000)) < 0.3)
        >>> np.abs(learn_offline(y).dictionary).round(1).max(0).tolist()
        [1.0, 1.0]
    """
    refuse_huge(signals=signals)
    if not signals.any():
        raise InputError("`signals` must not be all zero, but are.", "/signals")
    dictionary, gaps = random_dictionary(len(signals), seed), []
    for _ in range(iterations):
        dictionary = polar(-slope(dictionary, signals, p))
        gaps.append(frank_wolfe_gap(dictionary, signals, p))
    return Offline(dictionary, np.array(gaps))


def offline_work(signals: np.ndarray, p: float, iterations: int, seed: int) -> float:
    """Return the multiplications that `learn_offline` takes, roughly.

    Args:
        signals: Columns, shape (n, samples).
        p: Of the norm.
        iterations: Passes.
        seed: Of the first dictionary.

    Returns:
        Those of the gradients; a power costs as much as some thirty of them.

    Source: counted.

    Example:
        >>> offline_work(np.ones((16, 1000)), 3.0, 30, 0)
        59520000.0
    """
    n, samples = signals.shape
    return float(iterations * samples * (4 * n**2 + 60 * n))


@checked(n=(1, 128), samples=(1, 200_000))
def encode(
    dictionary: Float[np.ndarray, "n n"],
    signals: Float[np.ndarray, "n samples"],
    keep: Annotated[int, Interval(ge=1, le=128)],
) -> Codes:
    """Return codes with at most `keep` entries: the largest of z = D^T y.

    For an orthogonal D that is the best approximation with so many atoms.

    Args:
        dictionary: Orthogonal D, shape (n, n).
        signals: Columns y, shape (n, samples).
        keep: Entries of a code.

    Returns:
        The codes and what they miss.

    Raises:
        InputError: D is not orthogonal, or has fewer atoms than `keep`.

    Source: arXiv:2103.01484 takes codes by D^T y.

    Example:
        >>> encode(np.eye(2), np.array([[3.0], [-4.0]]), 1)
        Codes(codes=array([[ 0.],
               [-4.]]), residual=0.6)
    """
    refuse_huge(dictionary=dictionary, signals=signals)
    n = len(dictionary)
    if keep > n:
        raise InputError(f"`keep` must be at most the {n} atoms, but is {keep}.", "/keep")
    defect = float(np.abs(dictionary.T @ dictionary - np.eye(n)).max())
    if defect > 1e-6:
        raise InputError(
            f"`dictionary` must be orthogonal, but D^T D differs from the identity by "
            f"{defect:.2g}; send the `dictionary` of a result, not its stream's.",
            "/dictionary",
        )
    codes = dictionary.T @ signals
    dropped = np.argsort(-np.abs(codes), axis=0, kind="stable")[keep:]
    np.put_along_axis(codes, dropped, 0.0, axis=0)
    size = float(np.linalg.norm(signals))
    missed = float(np.linalg.norm(signals - dictionary @ codes))
    return Codes(codes, missed / size if size else 0.0)
