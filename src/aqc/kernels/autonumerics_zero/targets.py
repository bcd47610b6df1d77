"""What is approximated: a function by name on an interval, or a table."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from scipy.special import erf

from aqc.errors import InputError

COMPLEX = {
    "exp2": lambda z: np.exp(z * np.log(2)),
    "exp": np.exp,
    "cos": np.cos,
    "erf": erf,
    "log1p": lambda z: np.log(1 + z),
}
FUNCTIONS = {"exp2": np.exp2, "exp": np.exp, "cos": np.cos, "erf": erf, "log1p": np.log1p}
Function = Literal["exp2", "exp", "cos", "erf", "log1p"]


@dataclass(frozen=True)
class Named:
    """A function by name, on an interval."""

    function: Function
    low: float
    high: float
    kind: Literal["named"] = "named"


@dataclass(frozen=True)
class Table:
    """A function by its values, 8 to 4096 of them.

    Args:
        x: Arguments, strictly increasing.
        y: Values.
    """

    x: Float[np.ndarray, " points"]
    y: Float[np.ndarray, " points"]
    kind: Literal["table"] = "table"


def nodes(
    target: Named | Table, count: int, error: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Chebyshev nodes, the target there, and what errors are divided by.

    Raises:
        InputError: The target cannot be used.
    """
    if isinstance(target, Named):
        if target.low >= target.high:
            raise InputError(
                f"`target.low` must be less than `target.high`, but they are {target.low:g} and "
                f"{target.high:g}.",
                "/target/low",
            )
        if target.function == "log1p" and target.low <= -1:
            raise InputError(
                f"`target.low` must be greater than -1 for log1p, but is {target.low:g}.",
                "/target/low",
            )
        middle, half = (target.low + target.high) / 2, (target.high - target.low) / 2
        x = middle - half * np.cos(np.pi * np.arange(count) / (count - 1))
        y = FUNCTIONS[target.function](x)
        zero = _has_zero(target)
    else:
        _check_table(target)
        x, y, zero = target.x, target.y, bool(np.any(target.y == 0))
        if len(x) > count:
            share = (1 - np.cos(np.pi * np.arange(count) / (count - 1))) / 2
            chosen = np.unique(np.rint(share * (len(x) - 1)).astype(int))
            x, y = x[chosen], y[chosen]
    if error == "relative" and zero:
        raise InputError(
            "`error` must be absolute for this target: the relative error is undefined where the "
            "target is 0.",
            "/error",
        )
    return x, y, np.abs(y) if error == "relative" else np.ones_like(y)


def _has_zero(target: Named) -> bool:
    if target.function in ("exp", "exp2"):
        return False
    x = np.linspace(target.low, target.high, 4001)
    y = FUNCTIONS[target.function](x)
    return bool(np.any(y == 0) or np.any(np.sign(y[1:]) != np.sign(y[:-1])))


def _check_table(target: Table) -> None:
    if not 8 <= len(target.x) <= 4096:
        raise InputError(
            f"`target.x` must have 8 to 4096 entries, but has {len(target.x)}.", "/target/x"
        )
    if np.any(np.diff(target.x) <= 0):
        raise InputError("`target.x` must increase strictly, but does not.", "/target/x")
