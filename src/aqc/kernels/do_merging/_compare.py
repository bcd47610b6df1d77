"""DO-Merging beside other ways of merging: a score, TIES, and synthetic adapters to try."""

from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Ge, Interval

from aqc.errors import InputError
from aqc.kernels._kernel import drain
from aqc.kernels._signature import checked
from aqc.kernels.do_merging._adapters import Stack, stacked
from aqc.kernels.do_merging._merge import (
    AXES,
    LoraA,
    LoraB,
    NumSteps,
    PerAdapter,
    Rate,
    decoupled,
    orthogonalized,
)

_KEPT_BY_TIES = 0.2
_MOST_DENSE = 20_000_000


class Score(NamedTuple):
    """How well a merged update keeps each task's direction.

    Attributes:
        cosines: Mean cosine of W* x and W_i x over probes x in the row space of A_i, (T,).
        mean: Over the tasks.
        worst: Over the tasks.
    """

    cosines: np.ndarray
    mean: float
    worst: float


class Comparison(NamedTuple):
    """Scores of DO-Merging, of its two halves alone, and of two common ways of merging."""

    task_arithmetic: Score
    ties: Score
    orthogonalized: Score
    decoupled: Score
    do_merging: Score


@checked(**AXES)
def compare_merges(
    lora_a: LoraA,
    lora_b: LoraB,
    scales: PerAdapter = None,
    gamma: Annotated[float, Ge(0)] = 1.0,
    steps: NumSteps = 100,
    learning_rate: Rate = 0.01,
    probes: Annotated[int, Interval(ge=1, le=1000)] = 64,
    seed: Annotated[int, Interval(ge=0, le=2**32 - 1)] = 0,
) -> Comparison:
    """Score DO-Merging, each half of it, averaging and TIES on the directions of each task.

    The score of task i is the mean cosine of W* x and W_i x over random x in the row space of A_i;
    unlike ||W* - W_i|| it does not favor shrinking.

    Args:
        lora_a: A_i, (r_i, n) each.
        lora_b: B_i, (m, r_i) each.
        scales: alpha / r of each adapter, (T,), a factor of B_i; ones when not given.
        gamma: What a perturbation costs.
        steps: Of Adam.
        learning_rate: Of Adam, in units of the factors' root mean square.
        probes: Random inputs for each task.
        seed: Of the probes.

    Returns:
        A score for each way of merging.

    Raises:
        InputError: As for `merge_adapters`.

    Source:
        TIES: arXiv:2306.01708. The score is ours.

    Example:
        >>> a, b = np.eye(2), np.array([[3.0, 0.0], [0.0, 1.0]])
        >>> round(compare_merges((a, a), (b, 5 * b)).task_arithmetic.worst, 12)
        1.0
    """
    given = stacked(lora_a, lora_b, scales)
    numbers = len(lora_a) * len(lora_b[0]) * lora_a[0].shape[1]
    if numbers > _MOST_DENSE:
        raise InputError(
            f"A comparison forms every update: they may have {_MOST_DENSE:.0e} entries in all, "
            f"but have {numbers:.3g}."
        )
    near = drain(orthogonalized(given, False, gamma, steps, learning_rate))
    ones = np.ones(len(lora_a))
    each = updates(given)
    merged = (
        each.mean(0),
        ties(each),
        updates(near).mean(0),
        _product(decoupled(given, ones)),
        _product(decoupled(near, ones)),
    )
    return Comparison(*(score(one, given, probes, seed) for one in merged))


def updates(stack: Stack) -> np.ndarray:
    """Return each W_i, (T, m, n)."""
    own = [stack.owner == i for i in range(stack.owner[-1] + 1)]
    return np.stack([stack.b[rows].T @ stack.a[rows] for rows in own])


def ties(updates: np.ndarray) -> np.ndarray:
    """Return TIES-merging's update: trim, elect signs, mean of those that agree.

    Args:
        updates: (T, m, n).

    Source:
        arXiv:2306.01708, keeping the largest fifth of each update's entries.
    """
    flat = np.abs(updates.reshape(len(updates), -1))
    least = np.quantile(flat, 1 - _KEPT_BY_TIES, axis=1)[:, None, None]
    trimmed = np.where(np.abs(updates) >= least, updates, 0.0)
    agrees = (np.sign(trimmed) == np.sign(trimmed.sum(0))) & (trimmed != 0)
    merged: np.ndarray = (trimmed * agrees).sum(0) / np.maximum(agrees.sum(0), 1)
    return merged


def score(merged: np.ndarray, stack: Stack, probes: int, seed: int) -> Score:
    """Return how well a merged update keeps each task's direction.

    Args:
        merged: W*, (m, n).
        stack: The adapters as they were given.
        probes: Random inputs for each task.
        seed: Of the probes.
    """
    rng = np.random.default_rng(seed)
    cosines = []
    for i in range(stack.owner[-1] + 1):
        rows = stack.owner == i
        a, b = stack.a[rows], stack.b[rows]
        x = a.T @ rng.normal(size=(len(a), probes))
        got, wanted = merged @ x, b.T @ (a @ x)
        norms = np.linalg.norm(got, axis=0) * np.linalg.norm(wanted, axis=0)
        cosines.append(np.mean(np.sum(got * wanted, axis=0) / np.where(norms > 0, norms, 1.0)))
    found = np.array(cosines)
    return Score(found, float(found.mean()), float(found.min()))


def synthetic_adapters(
    tasks: int, size: int, rank: int, shared: float, spread: float, seed: int
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Return adapters that read from overlapping subspaces and differ in magnitude.

    A_i = sqrt(shared) A + sqrt(1 - shared) A_i' and B_i = exp(spread x_i) B_i', all with
    independent Gaussian entries of variance 1 / size, and x_i equally spaced from -1 to 1.

    Args:
        tasks: T.
        size: m = n.
        rank: r.
        shared: Part of the variance of A that all adapters have in common, 0 to 1.
        spread: Of the logarithms of the magnitudes.
        seed: Of the random numbers.

    Returns:
        The A_i, (r, n) each, and the B_i, (m, r) each.
    """
    rng = np.random.default_rng(seed)
    draw = rng.normal(scale=1 / np.sqrt(size), size=(2 * tasks + 1, rank, size))
    common, own, ups = draw[0], draw[1 : tasks + 1], draw[tasks + 1 :]
    lora_a = np.sqrt(shared) * common + np.sqrt(1 - shared) * own
    sizes = np.exp(spread * np.linspace(-1, 1, tasks))
    return tuple(lora_a), tuple(size * up.T for size, up in zip(sizes, ups, strict=True))


def _product(factors: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    a, b = factors
    return b @ a
