"""Arrays as arguments and as JSON: nested lists, a complex pair of them, or base64 of .npy."""

import base64
import io
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from aqc.checks import shown
from aqc.errors import InputError
from aqc.kernels._types import Place, Schema

Form = Literal["list", "npy"]
_DTYPES = {"float": np.float64, "complex": np.complex128, "int": np.int64, "bool": np.bool_}
_HOLDS = {
    "float": "numbers",
    "complex": "numbers, real or complex",
    "int": "integers",
    "bool": "true or false",
}
_DEEPEST = 40
# What NumPy raises at a header that is none.
_UNREADABLE = (
    ValueError,  # binascii's error among them
    EOFError,
    OSError,
    SyntaxError,
    TypeError,
    OverflowError,
    RecursionError,
    tokenize.TokenError,
)
_ONE = {"float": "a number", "complex": "a number", "int": "an integer", "bool": "true or false"}
# NumPy's kinds that each type is made from without loss.
KINDS = {"float": "iuf", "complex": "iufc", "int": "iu", "bool": "b"}


@dataclass(frozen=True)
class Array:
    """A finite array, handed to the kernel as a NumPy array in double precision.

    Args:
        kind: float, complex, int or bool.
        shape: For each axis its name or its length; a name that begins with "?" is bound anew for
            each item of a list.
    """

    kind: str
    shape: tuple[str | int, ...]

    def check(self, value: Any, place: Place) -> np.ndarray:
        """Return the array, its numbers and its shape checked."""
        array = self._cast(self._read(value, place), place)
        if self.kind in ("float", "complex") and not np.isfinite(array).all():
            index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            where = f" at index {list(index)}" if index else ""
            raise place.refuse("be finite", f"holds {array[index]}{where}")
        self._check_shape(array, place)
        return array

    def _cast(self, array: np.ndarray, place: Place) -> np.ndarray:
        if self.kind == "int" and array.dtype.kind == "u" and array.size:
            largest = int(array.max())
            if largest >= 2**63:
                raise place.refuse("hold integers below 2^63", f"holds {largest}")
        with np.errstate(over="ignore"):  # what becomes infinite is refused as such
            return array.astype(_DTYPES[self.kind], copy=False)

    def _read(self, value: Any, place: Place) -> np.ndarray:
        if isinstance(value, Mapping):
            if set(value) == {"npy"}:
                value = _from_npy(value["npy"], place)
            elif self.kind == "complex" and set(value) == {"re", "im"}:
                parts = Array("float", self.shape)
                real = parts._read(value["re"], place.item("re"))
                imag = parts._read(value["im"], place.item("im"))
                if real.shape != imag.shape:
                    raise place.refuse(
                        'have parts "re" and "im" of one shape',
                        f"they have the shapes {real.shape} and {imag.shape}",
                    )
                # Not real + 1j * imag, which makes a NaN of an infinity.
                value = np.empty(real.shape, complex)
                value.real, value.imag = real, imag
            else:
                forms = 'a nested list, {"npy": base64}' + (
                    ' or {"re": nested list, "im": nested list}' * (self.kind == "complex")
                )
                raise place.refuse(f"be {forms}", f"has the keys {shown(list(value))}")
        if isinstance(value, np.ndarray):
            array = np.asarray(value)  # no subclass: masks and matrices are not understood
        else:
            array = _from_lists(value, place, self.kind)
        if array.dtype.kind not in KINDS[self.kind] and array.size:
            raise place.refuse(f"hold {_HOLDS[self.kind]}", f"holds {array.dtype.name} values")
        return array

    def _check_shape(self, array: np.ndarray, place: Place) -> None:
        if array.ndim != len(self.shape):
            raise place.refuse(
                f"have {_axes(len(self.shape))} ({self._written()})",
                f"has {_axes(array.ndim)}" + (f": shape {array.shape}" if array.ndim else ""),
            )
        for axis, (want, length) in enumerate(zip(self.shape, array.shape, strict=True)):
            if isinstance(want, int):
                if length != want:
                    raise place.refuse(f"have {_entries(want)} along axis {axis}", f"has {length}")
                continue
            self._check_axis(want, axis, length, place)

    def _check_axis(self, want: str, axis: int, length: int, place: Place) -> None:
        name, axes = want.removeprefix("?"), place.axes
        least, most = axes.limits.get(name, (1, 2**31))
        if not least <= length <= most:
            bound = f"at least {least}" if length < least else f"at most {most}"
            raise place.refuse(f"have {bound} entries along axis {axis} ({name})", f"has {length}")
        # Of the items of two lists those of one number belong together.
        number = next((key for key in reversed(place.keys) if isinstance(key, int)), None)
        key = f"{name}[{number}]" if want.startswith("?") else name
        bound_length, owner = axes.lengths.setdefault(key, (length, place.name))
        if length != bound_length:
            raise place.refuse(
                f"have {_entries(bound_length)} along axis {axis} ({name}), as `{owner}` has",
                f"has {length}",
            )

    def _written(self) -> str:
        return ", ".join(str(x).removeprefix("?") for x in self.shape) or "a single number"

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        names = {"float": "number", "complex": "number", "int": "integer", "bool": "boolean"}
        lists: Schema = {"type": names[self.kind]}
        for want in reversed(self.shape):
            fixed = {"minItems": want, "maxItems": want} if isinstance(want, int) else {}
            lists = {"type": "array", "items": lists, **fixed}
        forms = [lists, _one_object("npy", {"type": "string", "contentEncoding": "base64"})]
        if self.kind == "complex":
            forms.insert(1, _one_object("re", lists, "im", lists))
        return {"anyOf": forms, "description": f"{self.kind} array ({self._written()})"}


def to_json(array: Any, form: Form) -> Any:
    """Return an array as JSON.

    Args:
        array: Numbers or flags, any shape.
        form: "list" for nested lists (a complex array is one object of two), "npy" for base64
            of a .npy file.

    Example:
        >>> to_json(np.array([1, 2j]), "list")
        {'re': [1.0, 0.0], 'im': [0.0, 2.0]}
    """
    array = np.asarray(array)
    if form == "npy" and array.ndim:
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        return {"npy": base64.b64encode(buffer.getvalue()).decode()}
    if array.dtype.kind == "c":
        return {"re": _lists(array.real), "im": _lists(array.imag)}
    return _lists(array)


def _lists(array: np.ndarray) -> Any:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        # JSON has no NaN and no infinity.
        return np.where(np.isfinite(array), array.astype(object), np.array(None)).tolist()
    return array.tolist()


def _from_npy(text: Any, place: Place) -> np.ndarray:
    if not isinstance(text, str):
        raise place.item("npy").refuse("be a base64 string", f"is {shown(text)}")
    try:
        data = base64.b64decode(text, validate=True)
        # The header tells the size: an array that the data cannot hold is refused unallocated.
        _check_npy_size(data)
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except _UNREADABLE as error:
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise place.item("npy").refuse(
            "be base64 of a .npy file without pickled objects", f"it cannot be read: {reason}"
        ) from None
    if not isinstance(array, np.ndarray):
        raise place.item("npy").refuse("be base64 of a .npy file", "it is an archive")
    return array


def _check_npy_size(data: bytes) -> None:
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"version {version} is not 1.0 or 2.0")
    shape, _, dtype = read(stream)
    size = dtype.itemsize
    for length in shape:
        size *= length
    if size != len(data) - stream.tell():
        raise ValueError(f"its header says {size} bytes, {len(data) - stream.tell()} follow")


def _from_lists(value: Any, place: Place, kind: str) -> np.ndarray:
    if isinstance(value, str | bytes) or value is None:
        raise place.refuse(f"hold {_HOLDS[kind]}", f"is {shown(value)}")
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError, TypeError):
        array = np.empty((), object)
    # NumPy would make 1 of a true among numbers.
    if array.dtype.kind in "biufc" and (array.dtype.kind == "b" or not _holds_flag(value)):
        return array
    _find_fault(value, place, kind, f"`{place.name}`")
    raise place.refuse(f"be a nested list that holds {_HOLDS[kind]}", f"is {shown(value)}")


def _holds_flag(value: Any) -> bool:
    if not isinstance(value, list | tuple):
        return False
    kinds = set(map(type, value))
    if list in kinds or tuple in kinds:
        return any(map(_holds_flag, value))
    return bool in kinds


def _find_fault(value: Any, place: Place, kind: str, name: str) -> tuple[int, ...]:
    """Return the shape of nested lists, or refuse what makes them no array."""
    if len(place.keys) > _DEEPEST:
        raise InputError(f"{name} is nested too deeply.", place.pointer)
    if not isinstance(value, Sequence) or isinstance(value, str):
        if isinstance(value, bool) or not isinstance(
            value, np.ndarray | np.generic | int | float | complex
        ):
            raise InputError(f"{name} must be {_ONE[kind]}, but is {shown(value)}.", place.pointer)
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise InputError(f"{name} must fit into 64 bits, but is {shown(value)}.", place.pointer)
        return np.shape(value)
    shapes = [
        _find_fault(item, place.item(i), kind, f"`{place.item(i).name}`")
        for i, item in enumerate(value)
    ]
    for i, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise InputError(
                f"{name} must not be ragged, but item 0 has shape {shapes[0]} and item {i} has "
                f"shape {shape}.",
                place.item(i).pointer,
            )
    return (len(shapes), *(shapes[0] if shapes else ()))


def _axes(count: int) -> str:
    return f"{count} axis" if count == 1 else f"{count} axes"


def _entries(count: int) -> str:
    return f"{count} entry" if count == 1 else f"{count} entries"


def _one_object(*pairs: Any) -> Schema:
    properties = dict(zip(pairs[::2], pairs[1::2], strict=True))
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
