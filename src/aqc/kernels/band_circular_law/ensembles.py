"""Band matrices X_ij = b_ij xi_ij with a doubly stochastic profile b_ij^2."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge
from jaxtyping import Complex, Float

from aqc.errors import InputError

MOST_ROWS = 1500
_SUM_ERROR = 1e-8
_SINKHORN_ROUNDS = 20_000


@dataclass(frozen=True)
class CyclicBand:
    """Equal variances on `width` cyclic diagonals about the main one."""

    width: Annotated[int, Ge(1)]
    kind: Literal["cyclic_band"] = "cyclic_band"


@dataclass(frozen=True)
class BlockTridiagonal:
    """Equal variances on three cyclic block diagonals of blocks of size `block`."""

    block: Annotated[int, Ge(1)]
    kind: Literal["block_tridiagonal"] = "block_tridiagonal"


@dataclass(frozen=True)
class Permutations:
    """The mean of `count` random permutation matrices without common entries: no geometry."""

    count: Annotated[int, Ge(1)]
    kind: Literal["permutations"] = "permutations"


@dataclass(frozen=True)
class Variances:
    """The caller's own profile.

    Args:
        variances: b_ij^2, not negative, all rows and columns of sum 1.
        balance: Scale rows and columns to sum 1 first (Sinkhorn).
    """

    variances: Float[np.ndarray, "n n"]
    balance: bool = False
    kind: Literal["variances"] = "variances"


@dataclass(frozen=True)
class Entries:
    """The caller's own xi_ij, of mean 0 and variance 1.

    Args:
        values: Shape (n, n).
    """

    values: Complex[np.ndarray, "n n"]
    kind: Literal["entries"] = "entries"


Profile = CyclicBand | BlockTridiagonal | Permutations | Variances
Law = Literal["complex_gaussian", "real_gaussian", "rademacher", "uniform"]


def profile_matrix(profile: Profile, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return b_ij^2, shape (n, n).

    Raises:
        InputError: The profile is not doubly stochastic, or does not fit n.
    """
    if isinstance(profile, Variances):
        return _own(profile, n)
    rows = np.arange(n)
    variances = np.zeros((n, n))
    if isinstance(profile, CyclicBand):
        width = _at_most(profile.width, n, "width")
        for offset in range(-((width - 1) // 2), width // 2 + 1):
            variances[rows, (rows + offset) % n] += 1 / width
    elif isinstance(profile, Permutations):
        # Disjoint, since they are shifts of one another between two shuffles.
        left, right = rng.permutation(n), rng.permutation(n)
        for shift in rng.choice(n, _at_most(profile.count, n, "count"), replace=False):
            variances[left, right[(rows + shift) % n]] = 1 / profile.count
    else:
        if n % profile.block or n < 3 * profile.block:
            raise InputError(
                f"`profile.block` must divide n = {n} into 3 blocks or more, but is "
                f"{profile.block}.",
                "/profile/block",
            )
        blocks = rows // profile.block
        distance = (blocks[:, None] - blocks) % (n // profile.block)
        near = (distance <= 1) | (distance == n // profile.block - 1)
        variances[near] = 1 / (3 * profile.block)
    return variances


def draw_matrix(
    variances: np.ndarray, entries: Law | Entries, rng: np.random.Generator
) -> np.ndarray:
    """Return one matrix X of a profile.

    Raises:
        InputError: The caller's entries have another size.
    """
    n = len(variances)
    if isinstance(entries, Entries):
        if len(entries.values) != n:
            raise InputError(
                f"`entries.values` must have {n} rows, as the profile has, but has "
                f"{len(entries.values)}.",
                "/entries/values",
            )
        xi = entries.values
    elif entries == "complex_gaussian":
        xi = (rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n))) / np.sqrt(2)
    elif entries == "real_gaussian":
        xi = rng.normal(size=(n, n))
    elif entries == "rademacher":
        xi = rng.choice([-1.0, 1.0], (n, n))
    else:
        xi = rng.uniform(-np.sqrt(3), np.sqrt(3), (n, n))
    return np.sqrt(variances) * xi


def bandwidth(variances: np.ndarray) -> float:
    """Return B = 1 / max b_ij^2."""
    return float(1 / variances.max())


def _own(profile: Variances, n: int) -> np.ndarray:
    variances = profile.variances
    if len(variances) != n:
        raise InputError(
            f"`profile.variances` must have n = {n} rows, but has {len(variances)}.",
            "/profile/variances",
        )
    if variances.min() < 0:
        i, j = np.unravel_index(variances.argmin(), variances.shape)
        raise InputError(
            f"`profile.variances` must not be negative, but holds {variances.min():g} at index "
            f"[{i}, {j}].",
            "/profile/variances",
        )
    rounds = _SINKHORN_ROUNDS if profile.balance else 0
    for _ in range(rounds):
        with np.errstate(divide="ignore", invalid="ignore"):
            variances = variances / variances.sum(1, keepdims=True)
            variances = variances / variances.sum(0)
        if np.abs(variances.sum(1) - 1).max() < 1e-12:
            break
    for axis, name in ((1, "row"), (0, "column")):
        sums = variances.sum(axis)
        # A row without any entry gives NaN when balanced.
        wrong = np.flatnonzero(~(np.abs(sums - 1) <= _SUM_ERROR))
        if wrong.size:
            remedy = "it cannot be balanced" if profile.balance else "pass balance = true"
            raise InputError(
                f"`profile.variances` must be doubly stochastic, but {name} {wrong[0]} sums to "
                f"{sums[wrong[0]]:.6g}; {remedy}.",
                "/profile/variances",
            )
    return variances


def _at_most(count: int, n: int, field: str) -> int:
    if count > n:
        raise InputError(
            f"`profile.{field}` must be at most n = {n}, but is {count}.", f"/profile/{field}"
        )
    return count
