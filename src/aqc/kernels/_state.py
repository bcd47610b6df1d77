"""The state of a step-by-step run as named arrays, which a file holds without pickle."""

import json
from typing import Any

import numpy as np

from aqc.errors import InputError


def pack(state: Any) -> dict[str, np.ndarray]:
    """Return the arrays of a state by number, and its structure as JSON text.

    Args:
        state: Dicts with string keys, lists, tuples, numbers, strings, None and arrays, nested.

    Raises:
        TypeError: It holds something else.

    Example:
        >>> sorted(pack({"done": 3, "x": np.ones(2), "rng": (1, None)}))
        ['0', 'structure']
    """
    arrays: dict[str, np.ndarray] = {}
    structure = json.dumps(_pack(state, arrays))
    return {"structure": np.array(structure), **arrays}


def unpack(arrays: dict[str, np.ndarray]) -> Any:
    """Return the state that `pack` gave these arrays of.

    Raises:
        InputError: They are not from `pack`.

    Example:
        >>> unpack(pack({"done": 3, "rng": (1, None)}))
        {'done': 3, 'rng': (1, None)}
    """
    try:
        return _unpack(json.loads(str(arrays["structure"])), arrays)
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(f"The state must be one that a run yielded, but: {error!r}.") from error


def _pack(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    # Only plain tuples: what a class of them means would be lost.
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) is complex:
        return {"complex": [value.real, value.imag]}
    if type(value) in (list, tuple):
        return {type(value).__name__: [_pack(item, arrays) for item in value]}
    if type(value) is dict and all(type(key) is str for key in value):
        return {"dict": {key: _pack(item, arrays) for key, item in value.items()}}
    if hasattr(value, "__array__") and (array := np.asarray(value)).dtype.kind in "biufcSU":
        name = str(len(arrays))
        arrays[name] = array
        return {"array": name}
    raise TypeError(f"A state cannot hold a {type(value).__name__}.")


def _unpack(packed: Any, arrays: dict[str, np.ndarray]) -> Any:
    if not isinstance(packed, dict):
        return packed
    ((kind, content),) = packed.items()
    if kind == "array":
        return arrays[content]
    if kind == "complex":
        return complex(*content)
    if kind == "dict":
        return {key: _unpack(item, arrays) for key, item in content.items()}
    items = [_unpack(item, arrays) for item in content]
    return tuple(items) if kind == "tuple" else items
