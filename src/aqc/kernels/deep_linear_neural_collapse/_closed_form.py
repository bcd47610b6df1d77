"""The global minimum in closed form: squared error, no bias, any class sizes."""

from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Interval, Len
from scipy.optimize import brentq

from aqc.errors import InputError
from aqc.kernels._signature import checked

Counts = Annotated[tuple[Annotated[int, Interval(ge=1, le=1_000_000)], ...], Len(2, 100)]
Depth = Annotated[int, Interval(ge=1, le=10)]
Decay = Annotated[float, Interval(ge=1e-12, le=1e6)]
Decays = Annotated[tuple[Decay, ...], Len(1, 10)]


class Minimum(NamedTuple):
    """The global minimum of a regularized deep linear network over free features.

    Args:
        alive: Whether class k is represented at all, shape (K,).
        singular_values: s_{j,k} of layer j along class k, 0 where it is not, shape (M, K).
        classifier_gram: W_M W_M^T, shape (K, K).
        product_gram: (W_M ... W_1)(W_M ... W_1)^T, shape (K, K).
        feature_norms: |h_k| of the features of class k, all equal to their mean, shape (K,).
        critical_size: Class size below which a class of its own vanishes.
        strengths: c_k, which decides, shape (K,).
        loss: At the minimum.
    """

    alive: np.ndarray
    singular_values: np.ndarray
    classifier_gram: np.ndarray
    product_gram: np.ndarray
    feature_norms: np.ndarray
    critical_size: float
    strengths: np.ndarray
    loss: float


@checked()
def find_minimum(
    class_counts: Counts,
    depth: Depth = 2,
    width: Annotated[int, Interval(ge=1, le=100_000)] = 64,
    weight_decay: Decays = (5e-4,),
    feature_decay: Decay = 5e-4,
) -> Minimum:
    """Return the global minimum of a deep linear network with free features, in closed form.

        min over H, W_1..W_M of  ||W_M ... W_1 H - Y||_F^2 / (2 N)
                                 + sum_j lw_j ||W_j||_F^2 / 2 + lh ||H||_F^2 / 2

    With lw the geometric mean of the lw_j, c_k = (M N lw / n_k) (N lh)^(1/M) and
    x_k = s_k^2 / (N lh)^(1/M), class k lives if c_k <= (M-1)^((M-1)/M) / M; then x_k is the
    largest root of M x^(M-1) / (x^M + 1)^2 = c_k. Otherwise its features and weights vanish
    (minority collapse). Features of a class agree, those of different classes are orthogonal.

    Args:
        class_counts: n_k, samples of each class.
        depth: M, number of weight matrices.
        width: d, of features and hidden layers; below K only the d largest classes can live.
        weight_decay: lw_j of the M layers, or one for all.
        feature_decay: lh.

    Returns:
        Weights and features up to a rotation, and the loss.

    Raises:
        InputError: The decays do not fit the depth, or classes of one size compete for the width.

    Source: arXiv:2301.00437, its theorem for imbalanced data without bias; aliveness is compared
    with the loss at x = 0, unequal decays and d < K are derived here.

    Example:
        >>> find_minimum((60, 30, 20, 5), 2, 64, (1.2e-2,), 1.2e-2).alive.tolist()
        [True, True, True, False]
    """
    counts = np.array(class_counts, float)
    decays = np.array(decays_of(weight_decay, depth))
    total, mean = counts.sum(), float(np.exp(np.log(decays).mean()))
    scale = (total * feature_decay) ** (1 / depth)
    strengths = depth * total * mean * scale / counts
    limit = 1.0 if depth == 1 else (depth - 1) ** ((depth - 1) / depth) / depth
    alive = (strengths <= limit) & _fits(counts, strengths <= limit, width)
    roots = np.array(
        [_largest_root(c, depth) if a else 0.0 for c, a in zip(strengths, alive, strict=True)]
    )
    power = roots**depth
    squares = scale * roots * mean / decays[:, None]
    norms = np.sqrt(power / (total * feature_decay)) / (power + 1)
    loss = np.sum(counts / (2 * total) * (1 / (power + 1) + strengths * roots))
    return Minimum(
        alive,
        np.sqrt(squares),
        np.diag(squares[-1]),
        np.diag(power * total * feature_decay),
        norms,
        float(depth * total * mean * scale / limit),
        strengths,
        float(loss),
    )


def decays_of(weight_decay: tuple[float, ...], depth: int) -> tuple[float, ...]:
    """Return the decay of each layer.

    Args:
        weight_decay: One for all, or one for each.
        depth: M.

    Returns:
        M numbers.

    Raises:
        InputError: There are neither one nor M.

    Source: our own convention.

    Example:
        >>> decays_of((0.1,), 3)
        (0.1, 0.1, 0.1)
    """
    if len(weight_decay) not in (1, depth):
        raise InputError(
            f"`weight_decay` must have one entry or one for each of the {depth} layers, but has "
            f"{len(weight_decay)}.",
            "/weight_decay",
        )
    return weight_decay * depth if len(weight_decay) == 1 else weight_decay


def _fits(counts: np.ndarray, lives: np.ndarray, width: int) -> np.ndarray:
    """Return which classes find room: the largest ones."""
    if lives.sum() <= width:
        return np.ones(len(counts), bool)
    order = np.argsort(-np.where(lives, counts, 0), kind="stable")
    last, next_one = counts[order[width - 1]], counts[order[width]]
    if last == next_one:
        raise InputError(
            f"`width` must leave room for all classes of one size, but {width} directions end "
            f"between classes of {last:.0f} samples: which of them live is not determined.",
            "/width",
        )
    room = np.zeros(len(counts), bool)
    room[order[:width]] = True
    return room


def _largest_root(c: float, depth: int) -> float:
    """Return the largest x with M x^(M-1) / (x^M + 1)^2 = c, above the maximum's place."""
    if depth == 1:
        return 1 / np.sqrt(c) - 1
    # Logarithms: x^M neither overflows nor loses the small c.
    lowest = np.log((depth - 1) / (depth + 1)) / depth

    def excess(y: float) -> float:
        return float(np.log(depth) + (depth - 1) * y - 2 * np.logaddexp(0, depth * y) - np.log(c))

    # For large x the left side is at most M x^-(M+1).
    highest = max(lowest, (np.log(depth) - np.log(c)) / (depth + 1)) + 1
    return float(np.exp(brentq(excess, lowest, highest, xtol=1e-14, rtol=1e-14)))
