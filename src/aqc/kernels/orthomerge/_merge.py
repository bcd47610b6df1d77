"""Merging experts by the mean of their rotations, and of what no rotation tells."""

from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Interval
from jaxtyping import Float

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._magnitude import refuse_huge
from aqc.kernels._signature import checked
from aqc.kernels.orthomerge._measures import Merged, geometry
from aqc.kernels.orthomerge._rotations import (
    Magnitude,
    Mean,
    cayley,
    inverse_cayley,
    mean_skew,
    rotation_between,
)

Variant = Literal["whole", "conflict"]
Residual = Literal["sum", "ties", "none"]
Scale = Annotated[float, Interval(ge=-100, le=100)]

_MOST_ENTRIES = 2e7
_ANTISYMMETRIC = 1e-8
_KEPT_BY_TIES = 0.2


def merge_experts_steps(
    base: np.ndarray,
    experts: np.ndarray,
    variant: Variant = "whole",
    residual: Residual = "sum",
    residual_scale: float = 0.2,
    magnitude: Magnitude = "mean",
    state: dict[str, Any] | None = None,
) -> Steps:
    """Do what `merge_experts` does, one expert after another.

    Args:
        base: W0, shape (out, in).
        experts: W_i, shape (T, out, in).
        variant: What the rotations are taken from.
        residual: How the residuals are merged.
        residual_scale: lambda.
        magnitude: Length of the mean.
        state: What an earlier run yielded.

    Yields:
        (fraction done, state).

    Returns:
        The merge.

    Source: as for `merge_experts`.

    Example:
        >>> run = merge_experts_steps(np.eye(2), np.stack([np.eye(2)] * 4))
        >>> [fraction for fraction, _ in run]
        [0.25, 0.5, 0.75, 1.0]
    """
    _refuse_size(base, experts)
    refuse_huge(base=base, experts=experts)
    if not base.any():
        raise InputError("`base` must not be all zero, but is.", "/base")
    turned = experts if variant == "whole" else conflicts(base, experts)
    state = state or {"skews": [], "flipped": []}
    for number in range(len(state["skews"]), len(experts)):
        rotation, reflected = rotation_between(base, turned[number], number)
        state = {
            "skews": [*state["skews"], inverse_cayley(rotation)],
            "flipped": [*state["flipped"], reflected],
        }
        yield (number + 1) / len(experts), state
    skews = np.stack(state["skews"])
    residuals = experts - base @ cayley(skews)
    mean = mean_skew(skews, magnitude)
    rotation = cayley(mean.skew)
    weight = base @ rotation + residual_scale * _merged_residual(residuals, residual)
    flipped = np.array(state["flipped"])
    return _result(base, experts, weight, rotation, mean, residuals, flipped)


@checked(tasks=(1, 32), out=(2, 4096), width=(2, 1024))
def merge_experts(
    base: Float[np.ndarray, "out width"],
    experts: Float[np.ndarray, "tasks out width"],
    variant: Variant = "whole",
    residual: Residual = "sum",
    residual_scale: Scale = 0.2,
    magnitude: Magnitude = "mean",
) -> Merged:
    """Return one weight merged from fine-tuned ones, by the mean of their rotations.

        R_i = argmin ||W0 R - W_i||_F,   A_i = (R_i + I)^-1 (R_i - I),   tau_i = W_i - W0 R_i
        A* = mean_i ||A_i||_F  sum_i A_i / ||sum_i A_i||_F
        W* = W0 (I - A*)^-1 (I + A*) + lambda sum_i tau_i

    A rotation from the right keeps the angles between the rows of W0, and its singular values.

    Args:
        base: W0 before fine-tuning, shape (out, in).
        experts: W_i after it, shape (T, out, in).
        variant: Whether the R_i are taken from the "whole" W_i, or only from the rows whose change
            points against the mean change ("conflict").
        residual: Whether the tau_i are added up ("sum"), merged by their majority's sign ("ties")
            or dropped ("none").
        residual_scale: lambda.
        magnitude: Whether A* is as long as the A_i in the mean, the median or the maximum.

    Returns:
        The weight, and its geometry beside task arithmetic's and the average's.

    Raises:
        InputError: The weights are too large, or some expert is half a turn away.

    Source: arXiv:2602.05943, as its authors' code does it; rotations of weights without full
    rank are completed here by the nearest to I.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> base = rng.normal(size=(6, 4))
        >>> expert = base + 0.1 * rng.normal(size=(6, 4))
        >>> merged = merge_experts(base, expert[None], residual_scale=1.0)
        >>> np.abs(merged.weight - expert).max() < 1e-12  # one expert is its own merge
        np.True_
    """
    result: Merged = drain(
        merge_experts_steps(base, experts, variant, residual, residual_scale, magnitude)
    )
    return result


@checked(tasks=(1, 32), out=(2, 4096), width=(2, 1024), blocks=(1, 1024), b=(1, 1024))
def merge_adapters(
    base: Float[np.ndarray, "out width"],
    skews: Float[np.ndarray, "tasks blocks b b"],
    magnitude: Magnitude = "mean",
) -> Merged:
    """Return one weight merged from orthogonal adapters, given by their antisymmetric matrices.

        W_i = W0 blockdiag R(A_i),   R(A) = (I - A)^-1 (I + A),   W* = W0 blockdiag R(A*)

    with A* as for `merge_experts`, norms taken over all blocks of a layer.

    Args:
        base: W0, shape (out, in).
        skews: A_i in diagonal blocks, shape (T, blocks, b, b) with blocks * b = in.
        magnitude: Whether A* is as long as the A_i in the mean, the median or the maximum.

    Returns:
        The weight, and its geometry beside task arithmetic's and the average's.

    Raises:
        InputError: A block is not antisymmetric, or the blocks do not make up a row.

    Source: arXiv:2602.05943, for adapters of orthogonal fine-tuning.

    Example:
        >>> quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
        >>> merge_adapters(np.eye(2), np.stack([[quarter], [quarter]])).weight.round(12).tolist()
        [[0.0, -1.0], [1.0, 0.0]]
    """
    tasks, blocks, b, _ = skews.shape
    _refuse_blocks(base, skews)
    rotations = np.zeros((tasks, len(base.T), len(base.T)))
    mean = mean_skew(skews, magnitude)
    merged = np.zeros(rotations.shape[1:])
    for block in range(blocks):
        place = slice(block * b, (block + 1) * b)
        rotations[:, place, place] = cayley(skews[:, block])
        merged[place, place] = cayley(mean.skew[block])
    experts = base @ rotations
    return _result(
        base, experts, base @ merged, merged, mean, np.zeros_like(experts), np.zeros(tasks, bool)
    )


def merging_work(base: np.ndarray, experts: np.ndarray, **_: Any) -> float:
    """Return the multiplications that `merge_experts` takes, roughly.

    Args:
        base: W0, shape (out, in).
        experts: W_i, shape (T, out, in).

    Returns:
        Those of two decompositions for each expert, and of the measures.

    Source: counted; a decomposition is some 20 in^3.

    Example:
        >>> merging_work(np.ones((48, 32)), np.ones((4, 48, 32)))
        6914048.0
    """
    tasks, out, width = experts.shape
    return float(40 * tasks * width**3 + 4 * tasks * out * width**2 + 12 * out**2 * width)


def adapter_work(base: np.ndarray, skews: np.ndarray, **_: Any) -> float:
    """Return the multiplications that `merge_adapters` takes, roughly.

    Args:
        base: W0, shape (out, in).
        skews: A_i, shape (T, blocks, b, b).

    Returns:
        Those of the products with W0, and of the measures.

    Source: counted.

    Example:
        >>> adapter_work(np.ones((48, 32)), np.ones((4, 1, 32, 32)))
        2064384.0
    """
    out, width = base.shape
    return float(3 * len(skews) * out * width**2 + 12 * out**2 * width + 12 * out * width**2)


def conflicts(base: np.ndarray, experts: np.ndarray) -> np.ndarray:
    """Return the experts with only those rows changed that disagree with the others.

    Args:
        base: W0, shape (out, in).
        experts: W_i, shape (T, out, in).

    Returns:
        W0 plus the rows of W_i - W0 whose cosine with the mean over experts is negative.

    Source: arXiv:2602.05943, the conflict-aware variant.

    Example:
        >>> conflicts(np.zeros((1, 2)), np.array([[[3.0, 0.0]], [[-1.0, 0.0]]])).tolist()
        [[[0.0, 0.0]], [[-1.0, 0.0]]]
    """
    changes = experts - base
    against = np.sum(changes * changes.mean(0), axis=-1, keepdims=True) < 0
    return base + changes * against


def ties(updates: np.ndarray, keep: float) -> np.ndarray:
    """Return the mean of updates entry by entry, over those of the majority's sign.

    Args:
        updates: Shape (T, ...).
        keep: Share of each one's entries that is kept, the largest.

    Returns:
        Shape (...).

    Source: TIES-Merging, arXiv:2306.01708.

    Example:
        >>> ties(np.array([[1.0, 5.0], [3.0, -4.0], [-1.0, -2.0]]), 1.0).tolist()
        [2.0, -3.0]
    """
    flat = updates.reshape(len(updates), -1)
    kept = max(1, round(keep * flat.shape[1]))
    least = -np.sort(-np.abs(flat), axis=1)[:, kept - 1 : kept]
    trimmed = np.where(np.abs(flat) >= least, flat, 0)
    agrees = (trimmed != 0) & (np.sign(trimmed) == np.sign(trimmed.sum(0)))
    mean = (trimmed * agrees).sum(0) / np.maximum(agrees.sum(0), 1)
    merged: np.ndarray = mean.reshape(updates.shape[1:])
    return merged


def _merged_residual(residuals: np.ndarray, residual: Residual) -> np.ndarray:
    if residual == "none":
        return np.zeros(residuals.shape[1:])
    total: np.ndarray = residuals.sum(0) if residual == "sum" else ties(residuals, _KEPT_BY_TIES)
    return total


def _result(
    base: np.ndarray,
    experts: np.ndarray,
    weight: np.ndarray,
    rotation: np.ndarray,
    mean: Mean,
    residuals: np.ndarray,
    flipped: np.ndarray,
) -> Merged:
    changes = np.linalg.norm(experts - base, axis=(1, 2))
    # An expert that is the base has no residual either.
    fractions = np.linalg.norm(residuals, axis=(1, 2)) / np.where(changes > 0, changes, 1)
    return Merged(
        weight,
        rotation,
        mean.angles,
        mean.angle,
        mean.correction,
        fractions,
        flipped,
        float(np.abs(rotation.T @ rotation - np.eye(len(rotation))).max()),
        geometry(base),
        geometry(weight),
        geometry(base + (experts - base).sum(0)),
        geometry(experts.mean(0)),
    )


def _refuse_size(base: np.ndarray, experts: np.ndarray) -> None:
    if experts.size > _MOST_ENTRIES:
        raise InputError(
            f"`experts` must hold at most {_MOST_ENTRIES:.0f} numbers, but holds {experts.size}; "
            f"send fewer experts or split the columns into blocks.",
            "/experts",
        )


def _refuse_blocks(base: np.ndarray, skews: np.ndarray) -> None:
    refuse_huge(base=base, skews=skews)
    tasks, blocks, b, _ = skews.shape
    out, width = base.shape
    if blocks * b != width:
        raise InputError(
            f"`skews` must have blocks that make up the {width} columns of `base`, but has "
            f"{blocks} blocks of {b}.",
            "/skews",
        )
    if tasks * out * width > _MOST_ENTRIES:
        raise InputError(
            f"`skews` must ask for at most {_MOST_ENTRIES:.0f} numbers in T experts of the size of "
            f"`base`, but asks for {tasks * out * width}; send fewer adapters.",
            "/skews",
        )
    defects = np.abs(skews + skews.swapaxes(-1, -2)).max(axis=(1, 2, 3))
    worst = int(defects.argmax())
    if defects[worst] > _ANTISYMMETRIC * max(1.0, float(np.abs(skews[worst]).max())):
        raise InputError(
            f"`skews[{worst}]` must be antisymmetric, but A + A^T has an entry of "
            f"{defects[worst]:.2g}.",
            f"/skews/{worst}",
        )
