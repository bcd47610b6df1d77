"""The signature is the schema: a function's annotations say what its arguments may be.

Arrays are annotated with jaxtyping (`Float[np.ndarray, "m n"]`), bounds with annotated-types
(`Annotated[int, Interval(ge=1, le=100)]`), choices with Literal, alternatives with `|` between
dataclasses that carry a field `kind: Literal["..."]`.
"""

import functools
import inspect
import math
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, Union, cast, get_args, get_origin
from typing import get_type_hints as hints

import annotated_types
import jaxtyping

from aqc.checks import shown
from aqc.errors import InputError
from aqc.kernels._arrays import KINDS, Array
from aqc.kernels._types import (
    Axes,
    Choice,
    Complex,
    Flag,
    Integer,
    Items,
    Nothing,
    OneOf,
    Place,
    Real,
    Record,
    Schema,
    Text,
    Type,
    check_names,
)

_INTERVALS = tuple(getattr(annotated_types, name) for name in ("Interval", "Ge", "Gt", "Le", "Lt"))
_LENGTHS = (annotated_types.Len, annotated_types.MinLen, annotated_types.MaxLen)

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Signature:
    """What a function takes.

    Args:
        types: Type of each argument, in the order of the function's.
        defaults: Values of those that need not be given.
        axes: Least and most entries by axis name.
    """

    types: Mapping[str, Type]
    defaults: Mapping[str, Any]
    axes: Mapping[str, tuple[int, int]]

    def check(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments as the function takes them, defaults filled in.

        Args:
            arguments: Python values or their JSON forms, by name.

        Raises:
            InputError: With one sentence for each argument at fault.
        """
        if not isinstance(arguments, Mapping):
            raise InputError(f"The input must be a JSON object, but is {shown(arguments)}.")
        check_names(arguments, tuple(self.types), set(self.types) - set(self.defaults), None)
        axes = Axes(self.axes)
        checked: dict[str, Any] = {}
        faults: list[tuple[str, str]] = []
        for name, kind in self.types.items():
            if name not in arguments:
                # A default is the author's, and may be what no caller can write (None).
                checked[name] = self.defaults[name]
                continue
            try:
                checked[name] = kind.check(arguments[name], Place(name, (name,), axes))
            except InputError as error:
                faults += error.errors
        if faults:
            raise InputError("\n".join(text for _, text in faults), faults[0][0], tuple(faults))
        return checked

    def schema(self) -> Schema:
        """Return the JSON Schema of the arguments as one object."""
        properties = {name: kind.schema() for name, kind in self.types.items()}
        for name, default in self.defaults.items():
            if default is None or isinstance(default, bool | int | float | str):
                properties[name] |= {"default": default}
        return {
            "type": "object",
            "properties": properties,
            "required": [name for name in self.types if name not in self.defaults],
            "additionalProperties": False,
        }


def checked(
    **axes: tuple[int, int],
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Check a kernel function's arguments by its signature, whoever calls it.

    Args:
        axes: For each axis name the least and the most entries (when not given: at least one).

    Returns:
        A decorator; the function keeps its name, docstring and signature, and gains the attribute
        `signature`.

    Example:
        >>> import numpy as np
        >>> from jaxtyping import Float
        >>> @checked(n=(2, 100))
        ... def trace(matrix: Float[np.ndarray, "n n"]) -> float:
        ...     return float(np.trace(matrix))
        >>> trace([[1, 2], [3, 4]])
        5.0
        >>> trace([[1]])
        Traceback (most recent call last):
        ...
        aqc.errors.InputError: `matrix` must have at least 2 entries along axis 0 (n), but has 1.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature = read_signature(function, axes)
        bind = inspect.signature(function).bind

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            given = kwargs if not args else bind(*args, **kwargs).arguments
            return cast(Callable[..., R], function)(**signature.check(given))

        call.signature = signature  # type: ignore[attr-defined]
        return call

    return decorate


def read_signature(function: Callable[..., Any], axes: Mapping[str, tuple[int, int]]) -> Signature:
    """Return what a function takes, read from its annotations.

    Args:
        function: Every parameter annotated, none variadic.
        axes: Least and most entries by axis name.

    Raises:
        TypeError: An annotation is missing or of a kind that has no JSON form, or a parameter is
            variadic.
    """
    annotations = hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters
    read, defaults = {}, {}
    for name, parameter in parameters.items():
        if name not in annotations:
            raise TypeError(f"{function.__name__}: the parameter {name} needs an annotation.")
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"{function.__name__}: the parameter {name} must have one value.")
        read[name] = type_of(annotations[name])
        if parameter.default is not inspect.Parameter.empty:
            defaults[name] = parameter.default
    return Signature(read, defaults, axes)


def type_of(annotation: Any) -> Type:
    """Return the checker that an annotation stands for.

    Args:
        annotation: As in a signature.

    Raises:
        TypeError: It has no JSON form.
    """
    bounds: tuple[Any, ...] = ()
    if get_origin(annotation) is Annotated:
        annotation, *rest = get_args(annotation)
        bounds = tuple(rest)
    origin, arguments = get_origin(annotation), get_args(annotation)
    _check_bounds(annotation, bounds)
    if isinstance(annotation, type) and issubclass(annotation, jaxtyping.AbstractArray):
        return _array(annotation)
    if origin is Literal:
        return Choice(arguments)
    if origin in (Union, types.UnionType):
        options = tuple(type_of(x) for x in arguments)
        if sum(not isinstance(x, Record | Nothing) for x in options) > 1:
            raise TypeError(f"{annotation}: alternatives must be dataclasses with a field `kind`.")
        return OneOf(options)
    if origin in (tuple, list, Sequence):
        if origin is tuple and arguments[1:] != (...,):
            if len(set(arguments)) != 1:
                raise TypeError(f"{annotation} must hold items of one type.")
            return Items(type_of(arguments[0]), len(arguments), len(arguments))
        return Items(type_of(arguments[0]), **_lengths(bounds))
    if is_dataclass(annotation) and isinstance(annotation, type):
        known = hints(annotation, include_extras=True)
        return Record(annotation, {f.name: type_of(known[f.name]) for f in fields(annotation)})
    return _scalar(annotation, bounds)


def _scalar(annotation: Any, bounds: tuple[Any, ...]) -> Type:
    if annotation is bool:
        return Flag()
    if annotation is int:
        given = _bounds(bounds)
        least = given.get("ge", given["gt"] + 1 if "gt" in given else None)
        most = given.get("le", given["lt"] - 1 if "lt" in given else None)
        return Integer(
            None if least is None else math.ceil(least), None if most is None else math.floor(most)
        )
    if annotation is float:
        return Real(**{name: _plain(bound) for name, bound in _bounds(bounds).items()})
    if annotation is complex:
        return Complex()
    if annotation is str:
        return Text(**_lengths(bounds))
    if annotation is types.NoneType:
        return Nothing()
    raise TypeError(f"{annotation} has no JSON form.")


def _array(annotation: type[jaxtyping.AbstractArray]) -> Array:
    kind = annotation.__name__.split("[")[0].lower()
    if kind not in KINDS:
        raise TypeError(f"{annotation.__name__} must be one of Float, Complex, Int and Bool.")
    shape = tuple(int(x) if x.isdigit() else x for x in annotation.dim_str.split())
    for x in shape:
        if isinstance(x, str) and not x.removeprefix("?").isidentifier():
            raise TypeError(f'The axis "{x}" must be a name or a length.')
    return Array(kind, shape)


def _check_bounds(annotation: Any, metadata: tuple[Any, ...]) -> None:
    """Refuse a bound that nobody would check."""
    known: tuple[type, ...] = ()
    if annotation in (int, float):
        known = _INTERVALS
    elif annotation is str or get_origin(annotation) in (tuple, list, Sequence):
        known = _LENGTHS
    for item in metadata:
        if not isinstance(item, known):
            raise TypeError(f"{annotation} cannot be bounded by {item}.")


def _bounds(metadata: tuple[Any, ...]) -> dict[str, Any]:
    given = {}
    for item in metadata:
        for name in ("ge", "gt", "le", "lt"):
            bound = getattr(item, name, None)
            if bound is not None:
                given[name] = bound
    return given


def _plain(bound: float) -> float:
    """Return 1 for 1.0: equal annotations may be one object, and whose is chance."""
    return int(bound) if abs(bound) < 1e6 and int(bound) == bound else float(bound)


def _lengths(metadata: tuple[Any, ...]) -> dict[str, int]:
    given = {}
    for item in metadata:
        if isinstance(item, annotated_types.Len | annotated_types.MinLen):
            given["least"] = item.min_length
        if isinstance(item, annotated_types.Len | annotated_types.MaxLen) and item.max_length:
            given["most"] = item.max_length
    return given
