"""How many directions a weight trajectory takes, and which."""

from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
from annotated_types import Interval, Len
from jaxtyping import Float, Int

from aqc.errors import InputError
from aqc.kernels._magnitude import refuse_huge
from aqc.kernels._signature import checked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BlockSizes = Annotated[tuple[Annotated[int, Interval(ge=1)], ...], Len(0, 1000)]
Threshold = Annotated[float, Interval(gt=0, le=1)]
SNAPSHOTS = (5, 2000)

MOST_NUMBERS = 50_000_000
_LISTED = 10
# Singular values below this part of the largest are rounding: squared, as the Gram matrix has
# them, they are at the edge of double precision.
_RANK = 1e-7


class Dimensions(NamedTuple):
    """How many directions each block of a trajectory takes.

    Args:
        dimension: Fewest principal directions that hold the share `threshold` of the variance,
            shape (blocks,).
        explained: Cumulative shares of the first ten directions (or of all S - 1), shape
            (blocks, directions).
        straightness: Distance from start to end by the path's length, shape (blocks,).
        random_walk_dimension: `dimension` of a random walk of as many snapshots in many
            dimensions: the null that a claim of a low dimension is to be read against.
        random_walk_explained: `explained` of that walk, shape (directions,).
    """

    dimension: Int[np.ndarray, " blocks"]
    explained: Float[np.ndarray, "blocks directions"]
    straightness: Float[np.ndarray, " blocks"]
    random_walk_dimension: int
    random_walk_explained: Float[np.ndarray, " directions"]


@checked(snapshots=SNAPSHOTS)
def trajectory_effective_dimension(
    weights: Float[np.ndarray, "snapshots parameters"],
    block_sizes: BlockSizes = (),
    threshold: Threshold = 0.9,
) -> Dimensions:
    """Return how many directions a trajectory of weights takes, block by block.

    With s_1 >= s_2 >= ... the singular values of the centered snapshots of a block, the dimension
    is the least k for which s_1^2 + ... + s_k^2 is at least the share `threshold` of all.

    Args:
        weights: Snapshots w_1, ..., w_S as rows, shape (S, P), S from 5 to 2000.
        block_sizes: Lengths of the consecutive blocks (layers, say) that make up a row; one block
            when none are given.
        threshold: Share of the variance.

    Returns:
        Dimension, explained shares and straightness of each block, and those of a random walk.

    Raises:
        InputError: The sizes do not add up to P, a block does not move, or there are more than
            5e7 numbers.

    Source: arXiv:2602.10496, its principal component analysis; the random walk is our addition.
        Centered, a walk of S steps has variances in the ratio 1 / sin^2(pi k / 2S), close to
        6 / (pi k)^2 of the whole: 6 directions for 90 % of any long walk.

    Example:
        >>> line = np.outer(np.arange(20.0), [1.0, 2.0, -1.0])
        >>> found = trajectory_effective_dimension(line)
        >>> found.dimension.tolist(), found.random_walk_dimension
        ([1], 6)
    """
    require_trajectory(weights)
    blocks = slices(block_sizes, weights.shape[1])
    count = len(weights) - 1
    dimensions, explained, straightness = [], [], []
    for number, block in enumerate(blocks):
        path = weights[:, block]
        variances = principal_variances(path)
        if variances[0] <= 0:
            raise InputError(
                f"`weights` must move in every block, but block {number} has no variance: its "
                "effective dimension is undefined.",
                "/weights",
            )
        shares = cumulative(variances)
        dimensions.append(fewest(shares, threshold))
        explained.append(shares[: min(_LISTED, count)])
        length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum()
        straightness.append(np.linalg.norm(path[-1] - path[0]) / length)
    walk = random_walk_shares(len(weights))
    return Dimensions(
        np.array(dimensions),
        np.array(explained),
        np.array(straightness),
        fewest(walk, threshold),
        walk[:_LISTED],
    )


def require_trajectory(weights: np.ndarray) -> None:
    """Refuse a trajectory of too many or too large numbers.

    Args:
        weights: Shape (S, P).

    Raises:
        InputError: It has more than 5e7 numbers, or some above 1e60.

    Source: limits of this package.

    Example:
        >>> require_trajectory(np.ones((5, 2)))
    """
    if weights.size > MOST_NUMBERS:
        raise InputError(
            f"`weights` must have at most {MOST_NUMBERS} numbers, but has {weights.size}; give "
            "fewer snapshots.",
            "/weights",
        )
    refuse_huge(weights=weights)


def slices(block_sizes: tuple[int, ...], parameters: int) -> list[slice]:
    """Return where each block stands in a row of weights.

    Args:
        block_sizes: Their lengths; empty for one block of all.
        parameters: P.

    Returns:
        One slice per block.

    Raises:
        InputError: The lengths do not add up.

    Source: bookkeeping.

    Example:
        >>> slices((2, 3), 5)
        [slice(0, 2, None), slice(2, 5, None)]
    """
    if block_sizes and sum(block_sizes) != parameters:
        raise InputError(
            f"`block_sizes` must add up to the {parameters} weights of a snapshot, but add up to "
            f"{sum(block_sizes)}.",
            "/block_sizes",
        )
    ends = np.cumsum(block_sizes or (parameters,)).tolist()
    return [slice(a, b) for a, b in zip([0, *ends[:-1]], ends, strict=True)]


def principal_variances(path: np.ndarray) -> np.ndarray:
    """Return the squared singular values of centered snapshots, largest first.

    Args:
        path: Shape (S, p).

    Returns:
        Shape (S - 1,); what is rounding is zero.

    Source: the eigenvalues of the Gram matrix of S snapshots, of which there are few.

    Example:
        >>> principal_variances(np.array([[0.0], [1.0], [2.0]])).round(12).tolist()
        [2.0, 0.0]
    """
    centered = path - path.mean(0)
    variances = np.linalg.eigvalsh(centered @ centered.T)[:0:-1]
    floor = max(_RANK**2 * variances[0], len(path) * path.shape[1] * _rounding(path) ** 2)
    return np.where(variances > floor, variances, 0.0)


def principal_directions(path: np.ndarray, count: int) -> np.ndarray:
    """Return the leading principal directions of snapshots, orthonormal.

    Args:
        path: Shape (S, p).
        count: Most directions; there are fewer where the path takes fewer.

    Returns:
        Shape (p, r), r <= count.

    Source: the right singular vectors v = X^T u / s of the centered snapshots X, from the
        eigenvectors u of X X^T.

    Example:
        >>> principal_directions(np.outer(np.arange(5.0), [0.0, 2.0]), 3).round(12).tolist()
        [[0.0], [1.0]]
    """
    centered = path - path.mean(0)
    _, vectors = np.linalg.eigh(centered @ centered.T)
    rank = int(np.count_nonzero(principal_variances(path)))
    leading = centered.T @ vectors[:, ::-1][:, : min(count, rank)]
    directions, _ = np.linalg.qr(leading)
    # A sign that does not depend on the library.
    signs = np.sign(directions[np.abs(directions).argmax(0), np.arange(directions.shape[1])])
    return np.asarray(directions * signs)


def random_walk_shares(snapshots: int) -> np.ndarray:
    """Return the cumulative variance shares of a random walk in many dimensions.

    Args:
        snapshots: S.

    Returns:
        Shape (S - 1,).

    Source: the Gram matrix of a centered walk is the inverse of a path's graph Laplacian, whose
        eigenvalues are 4 sin^2(pi k / 2S).

    Example:
        >>> random_walk_shares(61)[:3].round(2).tolist()
        [0.61, 0.76, 0.83]
    """
    k = np.arange(1, snapshots)
    return cumulative(1 / np.sin(np.pi * k / (2 * snapshots)) ** 2)


def cumulative(variances: np.ndarray) -> np.ndarray:
    """Return cumulative shares.

    Args:
        variances: Shape (n,).

    Returns:
        Shape (n,), the last one 1.

    Source: a sum.

    Example:
        >>> cumulative(np.array([3.0, 1.0])).tolist()
        [0.75, 1.0]
    """
    sums = np.cumsum(variances)
    return np.asarray(sums / sums[-1])


def fewest(shares: np.ndarray, threshold: float) -> int:
    """Return how many directions reach a share of the variance.

    Args:
        shares: Cumulative.
        threshold: The share.

    Returns:
        At least 1.

    Source: the definition.

    Example:
        >>> fewest(np.array([0.5, 0.95, 1.0]), 0.9)
        2
    """
    # The guard is for shares that reach a threshold of 1 but for rounding.
    return int(np.searchsorted(shares, threshold - 1e-12) + 1)


def _rounding(path: np.ndarray) -> float:
    return float(np.finfo(float).eps * np.abs(path).max(initial=0.0))


def dimension_work(weights: np.ndarray, **_: object) -> float:
    """Return the work of a principal component analysis: S^2 P.

    Args:
        weights: Shape (S, P).

    Returns:
        Multiplications.

    Source: counted.

    Example:
        >>> dimension_work(np.ones((5, 10)))
        250.0
    """
    return float(len(weights)) * weights.size


def draw_dimensions(result: Dimensions) -> "Figure":
    """Draw the explained variance of each block beside that of a random walk."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 4), layout="constrained")
    axes = figure.subplots()
    k = np.arange(1, result.explained.shape[1] + 1)
    named = len(result.explained) <= 10
    for number, shares in enumerate(result.explained):
        label = f"block {number}: {result.dimension[number]}" if named else None
        axes.plot(k, shares, "o-", markersize=3, label=label)
    walk = f"random walk: {result.random_walk_dimension}"
    axes.plot(k, result.random_walk_explained, "k--", label=walk)
    axes.set(xlabel="directions", ylabel="explained variance", ylim=(0, 1.03))
    axes.set_xticks(k)
    axes.legend(title="dimension", fontsize="small")
    return figure
