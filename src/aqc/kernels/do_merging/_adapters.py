"""Several LoRA adapters of one layer as one stack, and their orthogonalization."""

from typing import NamedTuple

import numpy as np

from aqc.errors import InputError

_MOST_NUMBERS = 5_000_000
_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8


class Stack(NamedTuple):
    """All adapters in one.

    Attributes:
        a: The A_i above each other, (R, n) with R = sum r_i.
        b: The transposed B_i above each other, (R, m).
        owner: Number of the adapter that each row belongs to, (R,).
    """

    a: np.ndarray
    b: np.ndarray
    owner: np.ndarray

    @property
    def members(self) -> np.ndarray:
        """For each adapter a row that is 1 where the stack's rows are its own, (T, R)."""
        return np.equal.outer(np.arange(self.owner[-1] + 1), self.owner).astype(float)

    @property
    def is_own(self) -> np.ndarray:
        """Whether two rows belong to one adapter, (R, R)."""
        return np.equal.outer(self.owner, self.owner)

    def magnitudes(self) -> np.ndarray:
        """Norms of the columns of each W_i, (T, n): the root of diag(A_i^T (B_i^T B_i) A_i)."""
        gram = self.is_own * (self.b @ self.b.T)
        return np.sqrt(np.maximum(self.members @ (self.a * (gram @ self.a)), 0.0))

    def cosines(self) -> np.ndarray:
        """Frobenius cosines of the W_i, (T, T): <W_i, W_j> = sum (A_i A_j^T) (.) (B_i^T B_j)."""
        inner = self.members @ ((self.a @ self.a.T) * (self.b @ self.b.T)) @ self.members.T
        norms = np.sqrt(np.diag(inner))
        cosines: np.ndarray = inner / np.outer(norms, norms)
        return cosines


def stacked(
    lora_a: tuple[np.ndarray, ...], lora_b: tuple[np.ndarray, ...], scales: np.ndarray | None
) -> Stack:
    """Return adapters as a stack, the scales folded into B.

    Raises:
        InputError: Not as many A as B or scales, too many numbers, or an update that is zero.
    """
    if len(lora_b) != len(lora_a):
        raise InputError(
            f"`lora_b` must have as many items as `lora_a` ({len(lora_a)}), but has {len(lora_b)}.",
            "/lora_b",
        )
    numbers = sum(a.size + b.size for a, b in zip(lora_a, lora_b, strict=True))
    if numbers > _MOST_NUMBERS:
        raise InputError(
            f"The adapters must hold at most {_MOST_NUMBERS} numbers in all, but hold {numbers}."
        )
    scales = per_adapter(scales, "scales", len(lora_a))
    owner = np.repeat(np.arange(len(lora_a)), [len(a) for a in lora_a])
    scaled = [scale * b.T for scale, b in zip(scales, lora_b, strict=True)]
    stack = Stack(np.concatenate(lora_a), np.concatenate(scaled), owner)
    for i, norms in enumerate(stack.magnitudes()):
        if not norms.any():
            raise InputError(
                f"`lora_b[{i}] @ lora_a[{i}]` must not be zero: a direction of nothing cannot be "
                "merged; leave this adapter out.",
                f"/lora_a/{i}",
            )
    return stack


def per_adapter(values: np.ndarray | None, name: str, count: int) -> np.ndarray:
    """Return one number for each adapter, ones when not given.

    Raises:
        InputError: There are more or fewer.
    """
    if values is None:
        return np.ones(count)
    if len(values) != count:
        raise InputError(
            f"`{name}` must have one entry for each of the {count} adapters, but has "
            f"{len(values)}.",
            f"/{name}",
        )
    return values


def cross_loss(factor: np.ndarray, is_own: np.ndarray) -> float:
    """Return sum_{i != j} ||F_i F_j^T||_F^2 of a stacked factor, (R, n)."""
    return float(np.sum(np.where(is_own, 0.0, factor @ factor.T) ** 2))


def cross_gradient(
    factor: np.ndarray, delta: np.ndarray, is_own: np.ndarray, gamma: float
) -> np.ndarray:
    """Return the gradient of the objective by the perturbation, (R, n).

        4 sum_{j != i} (F_i F_j^T) F_j + 2 gamma dF_i   at F + dF

    Args:
        factor: F, (R, n).
        delta: dF, (R, n).
        is_own: Whether two rows belong to one adapter, (R, R).
        gamma: What a perturbation costs.
    """
    moved = factor + delta
    gradient: np.ndarray = 4 * np.where(is_own, 0.0, moved @ moved.T) @ moved + 2 * gamma * delta
    return gradient


Moved = tuple[np.ndarray, np.ndarray, np.ndarray]


def adam_step(
    factor: np.ndarray, is_own: np.ndarray, moved: Moved, step: int, gamma: float, rate: float
) -> Moved:
    """Return the perturbation and Adam's two moments after one step more.

    Args:
        factor: F, (R, n).
        is_own: Whether two rows belong to one adapter, (R, R).
        moved: The perturbation and the moments so far, each (R, n).
        step: Number of this step, from 1.
        gamma: What a perturbation costs.
        rate: Length of a step.
    """
    delta, first, second = moved
    gradient = cross_gradient(factor, delta, is_own, gamma)
    first = _BETA_1 * first + (1 - _BETA_1) * gradient
    second = _BETA_2 * second + (1 - _BETA_2) * gradient**2
    size = np.sqrt(second / (1 - _BETA_2**step)) + _EPSILON
    return delta - rate * first / (1 - _BETA_1**step) / size, first, second
