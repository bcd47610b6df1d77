"""Merging itself: orthogonalize, decouple, merge, and truncate if asked to."""

from typing import Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Ge, Gt, Interval, Len
from jaxtyping import Float

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._signature import checked
from aqc.kernels.do_merging._adapters import Stack, adam_step, cross_loss, per_adapter, stacked

# "?r" is an axis of its own for each adapter: A_i and B_i agree in it.
LoraA = Annotated[tuple[Float[np.ndarray, "?r n"], ...], Len(1, 32)]
LoraB = Annotated[tuple[Float[np.ndarray, "m ?r"], ...], Len(1, 32)]
PerAdapter = Float[np.ndarray, "adapters"] | None
NumSteps = Annotated[int, Interval(ge=0, le=2000)]
Rate = Annotated[float, Interval(gt=0, le=1)]
AXES = {"m": (1, 8192), "n": (1, 8192), "r": (1, 128), "adapters": (1, 32)}


class Merged(NamedTuple):
    """One adapter made of T.

    Attributes:
        lora_a: A*, (rank, n).
        lora_b: B*, (m, rank); the merged update is B* A*.
        magnitudes: Norms of the columns of each orthogonalized update, (T, n).
        cosines_before: Frobenius cosines between the updates as given, (T, T).
        cosines_after: The same after orthogonalization.
        cross_loss_a: sum_{i != j} ||A_i A_j^T||_F^2 before and after.
        cross_loss_b: sum_{i != j} ||B_i^T B_j||_F^2 before and after.
        perturbation_a: ||dA||_F / ||A||_F over all adapters.
        perturbation_b: ||dB||_F / ||B||_F over all adapters.
        magnitude_spread: Standard deviation over mean of ||W_i||_F as given.
        truncation_error: Relative error by `rank`; 0 when not given.
    """

    lora_a: np.ndarray
    lora_b: np.ndarray
    magnitudes: np.ndarray
    cosines_before: np.ndarray
    cosines_after: np.ndarray
    cross_loss_a: tuple[float, float]
    cross_loss_b: tuple[float, float]
    perturbation_a: float
    perturbation_b: float
    magnitude_spread: float
    truncation_error: float


def merge_adapters_steps(
    lora_a: tuple[np.ndarray, ...],
    lora_b: tuple[np.ndarray, ...],
    scales: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    coefficient: float | None = None,
    normalize: bool = False,
    renormalize: bool = False,
    gamma: float = 1.0,
    steps: int = 100,
    learning_rate: float = 0.01,
    rank: int | None = None,
    state: dict[str, Any] | None = None,
) -> Steps:
    """Do what `merge_adapters` does step by step.

    Yields:
        (fraction, {"done": steps, "a": (dA, Adam's two moments), "b": the same for B}).

    Returns:
        `Merged`.
    """
    given = stacked(lora_a, lora_b, scales)
    weights = per_adapter(weights, "weights", len(lora_a))
    if (weights <= 0).any():
        raise InputError(f"`weights` must be positive, but holds {weights.min()}.", "/weights")
    if rank is not None and rank > len(given.owner):
        raise InputError(
            f"`rank` must be at most {len(given.owner)}, the ranks of all adapters together, but "
            f"is {rank}.",
            "/rank",
        )
    near = yield from orthogonalized(given, normalize, gamma, steps, learning_rate, state)
    merged_a, merged_b = decoupled(near, weights, coefficient, renormalize)
    error = 0.0
    if rank is not None:
        merged_a, merged_b, error = _truncated(merged_a, merged_b, rank)
    norms = np.linalg.norm(given.magnitudes(), axis=1)
    return Merged(
        lora_a=merged_a,
        lora_b=merged_b,
        magnitudes=near.magnitudes(),
        cosines_before=given.cosines(),
        cosines_after=near.cosines(),
        cross_loss_a=(cross_loss(given.a, given.is_own), cross_loss(near.a, given.is_own)),
        cross_loss_b=(cross_loss(given.b, given.is_own), cross_loss(near.b, given.is_own)),
        perturbation_a=_relative(near.a, given.a),
        perturbation_b=_relative(near.b, given.b),
        magnitude_spread=float(norms.std() / norms.mean()),
        truncation_error=error,
    )


@checked(**AXES)
def merge_adapters(
    lora_a: LoraA,
    lora_b: LoraB,
    scales: PerAdapter = None,
    weights: PerAdapter = None,
    coefficient: Annotated[float, Gt(0)] | None = None,
    normalize: bool = False,
    renormalize: bool = False,
    gamma: Annotated[float, Ge(0)] = 1.0,
    steps: NumSteps = 100,
    learning_rate: Rate = 0.01,
    rank: Annotated[int, Ge(1)] | None = None,
) -> Merged:
    """Merge the LoRA adapters of one layer into one, without data.

        W* = lambda (sum_i w_i a_i) (.) (sum_i w_i D_i),   W_i = a_i (.) D_i

    after the factors were made nearly orthogonal across tasks (see the module). A column of zeros
    stays zero; one adapter alone comes back as it is.

    Args:
        lora_a: A_i, (r_i, n) each.
        lora_b: B_i, (m, r_i) each.
        scales: alpha / r of each adapter, (T,), a factor of B_i; ones when not given.
        weights: w_i > 0, (T,); ones when not given.
        coefficient: lambda; 1 / (sum_i w_i)^2 when not given: mean magnitude, mean direction.
        normalize: Measure the factors in units of their root mean square while they are perturbed,
            which gives gamma a meaning free of scale.
        renormalize: Make the columns of the merged direction unit vectors again.
        gamma: What a perturbation costs.
        steps: Of Adam; 0 leaves the factors as they are and only decouples.
        learning_rate: Of Adam, in units of the factors' root mean square.
        rank: Most of the answer, by truncated SVD; the sum of all ranks when not given.

    Returns:
        The merged factors, and what became of the adapters on the way.

    Raises:
        InputError: An update is zero, a list has not one entry for each adapter, or `rank` is
            larger than all ranks together.

    Source:
        arXiv:2505.15875. The objectives and lambda are the paper's as others tell it; Adam, its
        100 steps and their length are ours.

    Example:
        >>> a, b = np.eye(2), np.array([[3.0, 0.0], [0.0, 1.0]])
        >>> merged = merge_adapters((a, a), (b, 5 * b), steps=0)
        >>> (merged.lora_b @ merged.lora_a).round(12).tolist()
        [[9.0, 0.0], [0.0, 3.0]]
    """
    return drain(merge_adapters_steps(**locals()))


def orthogonalized(
    given: Stack,
    normalize: bool,
    gamma: float,
    steps: int,
    rate: float,
    state: dict[str, Any] | None = None,
) -> Steps:
    """Perturb both factors; yields (fraction, state) after each step and returns a stack."""
    units = {k: _rms(getattr(given, k)) if normalize else 1.0 for k in ("a", "b")}
    factors = {k: getattr(given, k) / unit for k, unit in units.items()}
    rates = {k: rate * _rms(factor) for k, factor in factors.items()}
    start: dict[str, Any] = {k: (np.zeros_like(v),) * 3 for k, v in factors.items()}
    moved, is_own = {"done": 0, **start, **(state or {})}, given.is_own
    while moved["done"] < steps:
        step = moved["done"] + 1
        following = {
            k: adam_step(factor, is_own, moved[k], step, gamma, rates[k])
            for k, factor in factors.items()
        }
        moved = {"done": step, **following}
        yield step / steps, moved
    return Stack(
        given.a + units["a"] * moved["a"][0], given.b + units["b"] * moved["b"][0], given.owner
    )


def decoupled(
    near: Stack, weights: np.ndarray, coefficient: float | None = None, renormalize: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return A* and B*: in B* A* each adapter's rows of A are scaled by lambda (sum a) / a_i."""
    magnitudes = near.magnitudes()
    inverse = np.divide(1.0, magnitudes, out=np.zeros_like(magnitudes), where=magnitudes > 0)
    directions = near.a * (weights[:, None] * inverse)[near.owner]
    if coefficient is None:
        coefficient = 1.0 / float(weights.sum()) ** 2
    length = coefficient * (weights @ magnitudes)
    if renormalize:
        norms = Stack(directions, near.b, np.zeros_like(near.owner)).magnitudes()[0]
        unit = np.divide(weights.sum(), norms, out=np.zeros_like(norms), where=norms > 0)
        length = length * unit
    return length * directions, near.b.T


def _truncated(a: np.ndarray, b: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the best factors of a rank, and the relative error; without forming B A."""
    left, left_r = np.linalg.qr(b)
    right, right_r = np.linalg.qr(a.T)
    u, s, vh = np.linalg.svd(left_r @ right_r.T, full_matrices=False)
    kept = np.sqrt(s[:rank])
    lost = float(np.linalg.norm(s[rank:]) / np.linalg.norm(s))
    return kept[:, None] * (vh[:rank] @ right.T), left @ (u[:, :rank] * kept), lost


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _relative(near: np.ndarray, given: np.ndarray) -> float:
    return float(np.linalg.norm(near - given) / np.linalg.norm(given))
