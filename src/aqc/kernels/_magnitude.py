"""Refusal of numbers whose squares and fourth powers would overflow."""

import numpy as np

from aqc.errors import InputError

_MOST = 1e60


def refuse_huge(**arrays: np.ndarray | None) -> None:
    """Refuse arrays that hold numbers above 1e60 in size.

    Args:
        arrays: By the name of the argument; None is let through.

    Raises:
        InputError: One of them does.

    Example:
        >>> refuse_huge(signals=np.array([1.0, -1e61]))
        Traceback (most recent call last):
        ...
        aqc.errors.InputError: `signals` must hold numbers of size at most 1e+60, but holds -1e+61.
    """
    for name, array in arrays.items():
        if array is None or np.abs(array).max(initial=0.0) <= _MOST:
            continue
        largest = array.ravel()[np.abs(array).argmax()]
        raise InputError(
            f"`{name}` must hold numbers of size at most {_MOST:g}, but holds {largest:g}.",
            f"/{name}",
        )
