"""Results as JSON: dataclasses and named tuples become objects, arrays take one of two forms."""

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from aqc.kernels import _arrays


def to_json(value: Any, form: _arrays.Form = "list") -> Any:
    """Return a result, or an example's arguments, as JSON values.

    A complex scalar is {"re": x, "im": y}, a complex array one object of two nested lists; a value
    that is not finite is null.

    Args:
        value: Dataclasses, named tuples, mappings, sequences, arrays and scalars, nested.
        form: How arrays are written: "list" or "npy".

    Raises:
        TypeError: It holds something else.

    Example:
        >>> to_json({"sigma": np.eye(2), "gain": 1j, "error": math.inf})
        {'sigma': [[1.0, 0.0], [0.0, 1.0]], 'gain': {'re': 0.0, 'im': 1.0}, 'error': None}
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): to_json(item, form) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name), form) for f in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return to_json(value._asdict(), form)
    if isinstance(value, list | tuple):
        return [to_json(item, form) for item in value]
    if isinstance(value, np.generic):
        return to_json(value.item(), form)
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, complex):
        return {"re": to_json(value.real), "im": to_json(value.imag)}
    if hasattr(value, "__array__"):
        array = np.asarray(value)
        return _arrays.to_json(array, form) if array.ndim else to_json(array.item(), form)
    raise TypeError(f"{type(value).__name__} has no JSON form.")


def arrays(value: Any, name: str = "result") -> dict[str, np.ndarray]:
    """Return all arrays of a result by their path, for a file .npz.

    Args:
        value: As for `to_json`.
        name: Of the value itself.

    Example:
        >>> list(arrays({"modes": [np.eye(2), np.ones(3)], "error": 0.1}))
        ['modes.0', 'modes.1']
    """
    parts: dict[str, Any] = {}
    if isinstance(value, Mapping):
        parts = {str(key): item for key, item in value.items()}
    elif is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: getattr(value, f.name) for f in fields(value)}
    elif isinstance(value, tuple) and hasattr(value, "_asdict"):
        parts = value._asdict()
    elif isinstance(value, list | tuple):
        parts = {str(i): item for i, item in enumerate(value)}
    elif hasattr(value, "__array__") and np.ndim(value):
        return {name: np.asarray(value)}
    prefix = "" if name == "result" else f"{name}."
    found: dict[str, np.ndarray] = {}
    for key, item in parts.items():
        found |= arrays(item, f"{prefix}{key}")
    return found
