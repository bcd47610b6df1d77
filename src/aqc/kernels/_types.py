"""What an argument of a kernel may be: checked in sentences, and told as JSON Schema.

One checker serves Python, the command line and HTTP, so that each sentence exists once. It takes
Python values and the JSON forms of the same values alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Protocol

from aqc.checks import integer, nearest, pointer_to, printable, real_number, shown
from aqc.errors import InputError

Schema = dict[str, Any]


@dataclass
class Axes:
    """Lengths of the named axes, bound by the first argument that has them.

    Args:
        limits: Least and most entries by axis name.
        lengths: Length and the argument that set it, by axis name.
    """

    limits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    lengths: dict[str, tuple[int, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where a value stands: how a sentence names it, its JSON pointer, and the axes bound so far.

    Args:
        name: For example `points` or `factors[3]`.
        keys: Path of keys and indices from the request's root.
        axes: Shared by all arguments of one call.
    """

    name: str
    keys: tuple[str | int, ...]
    axes: Axes

    @property
    def pointer(self) -> str:
        """JSON pointer of the value."""
        return pointer_to(*self.keys)

    def item(self, key: str | int) -> "Place":
        """Return the place of an item of this value."""
        name = f"{self.name}[{key}]" if isinstance(key, int) else f"{self.name}.{key}"
        return Place(name, (*self.keys, key), self.axes)

    def refuse(self, must: str, seen: str) -> InputError:
        """Return the refusal "`name` must ..., but ... ."."""
        return InputError(f"`{self.name}` must {must}, but {seen}.", self.pointer)


class Type(Protocol):
    """What a value may be."""

    def check(self, value: Any, place: Place) -> Any:
        """Return the value as the kernel takes it, or raise `InputError`."""

    def schema(self) -> Schema:
        """Return the JSON Schema of the value."""


@dataclass(frozen=True)
class Integer:
    """An integer within [least, most]."""

    least: int | None = None
    most: int | None = None

    def check(self, value: Any, place: Place) -> int:
        """Return the integer."""
        # 64 bits: what an array index or a seed can hold.
        least = -(2**63) if self.least is None else self.least
        most = 2**63 - 1 if self.most is None else self.most
        return integer(value, f"`{place.name}`", place.pointer, least=least, most=most)

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {"type": "integer"} | _present(minimum=self.least, maximum=self.most)


@dataclass(frozen=True)
class Real:
    """A finite real number, with bounds that it may reach (`ge`, `le`) or not (`gt`, `lt`)."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None

    def check(self, value: Any, place: Place) -> float:
        """Return the number as a float."""
        number = real_number(value, f"`{place.name}`", place.pointer)
        for holds, must in (
            (self.ge is None or number >= self.ge, f"be at least {self.ge}"),
            (self.gt is None or number > self.gt, f"be greater than {self.gt}"),
            (self.le is None or number <= self.le, f"be at most {self.le}"),
            (self.lt is None or number < self.lt, f"be less than {self.lt}"),
        ):
            if not holds:
                raise place.refuse(must, f"is {number}")
        return number

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        bounds = _present(
            minimum=self.ge, exclusiveMinimum=self.gt, maximum=self.le, exclusiveMaximum=self.lt
        )
        return {"type": "number"} | bounds


@dataclass(frozen=True)
class Complex:
    """A finite complex number; in JSON a number or {"re": x, "im": y}."""

    def check(self, value: Any, place: Place) -> complex:
        """Return the number as a complex."""
        if isinstance(value, Mapping):
            if set(value) != {"re", "im"}:
                raise place.refuse(
                    'be a number or have the keys "re" and "im"', f"has {shown(list(value))}"
                )
            real = real_number(value["re"], f"`{place.name}.re`", place.item("re").pointer)
            imag = real_number(value["im"], f"`{place.name}.im`", place.item("im").pointer)
            return complex(real, imag)
        if isinstance(value, complex):
            parts = (value.real, value.imag)
            return complex(*(real_number(x, f"`{place.name}`", place.pointer) for x in parts))
        return complex(real_number(value, f"`{place.name}`", place.pointer))

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        parts: Schema = {"re": {"type": "number"}, "im": {"type": "number"}}
        pair = {"type": "object", "properties": parts, "required": ["re", "im"]}
        return {"anyOf": [{"type": "number"}, pair | {"additionalProperties": False}]}


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def check(self, value: Any, place: Place) -> bool:
        """Return the flag."""
        if not isinstance(value, bool):
            raise place.refuse("be true or false", f"is {shown(value)}")
        return value

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {"type": "boolean"}


@dataclass(frozen=True)
class Text:
    """A string of bounded length."""

    least: int = 0
    most: int = 1_000_000

    def check(self, value: Any, place: Place) -> str:
        """Return the string."""
        if not isinstance(value, str):
            raise place.refuse("be a string", f"is {shown(value)}")
        if not self.least <= len(value) <= self.most:
            must = f"have {self.least} to {self.most} characters"
            raise place.refuse(must, f"has {len(value)}")
        if printable(value) != value:
            raise place.refuse("be valid Unicode", f"is {shown(value)}")
        return value

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {"type": "string", "minLength": self.least, "maxLength": self.most}


@dataclass(frozen=True)
class Choice:
    """One of a few values."""

    values: tuple[Any, ...]

    def check(self, value: Any, place: Place) -> Any:
        """Return the value."""
        # `1 == True`: the types must agree too.
        if not any(type(value) is type(known) and value == known for known in self.values):
            known = ", ".join(shown(x) for x in self.values)
            names = [x for x in self.values if isinstance(x, str)]
            hint = nearest(value, names) if isinstance(value, str) else "."
            raise InputError(
                f"`{place.name}` must be one of {known}, but is {shown(value)}{hint}",
                place.pointer,
            )
        return value

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {"enum": list(self.values)}


@dataclass(frozen=True)
class Nothing:
    """Null."""

    def check(self, value: Any, place: Place) -> None:
        """Return None."""
        if value is not None:
            raise place.refuse("be null", f"is {shown(value)}")

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {"type": "null"}


@dataclass(frozen=True)
class Items:
    """A list of values of one type, handed to the kernel as a tuple."""

    item: Type
    least: int = 0
    most: int = 100_000

    def check(self, value: Any, place: Place) -> tuple[Any, ...]:
        """Return the items."""
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Sequence):
            # An array is a list of its rows.
            if not (hasattr(value, "ndim") and value.ndim > 0):
                raise place.refuse("be a list", f"is {shown(value)}")
            value = list(value)
        if not self.least <= len(value) <= self.most:
            raise place.refuse(f"have {self.least} to {self.most} items", f"has {len(value)}")
        return tuple(self.item.check(x, place.item(i)) for i, x in enumerate(value))

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        bounds = {"minItems": self.least, "maxItems": self.most}
        return {"type": "array", "items": self.item.schema(), **bounds}


@dataclass(frozen=True)
class Record:
    """An object with named fields, handed to the kernel as a frozen dataclass.

    Args:
        build: The dataclass.
        types: Type of each field.
    """

    build: type
    types: Mapping[str, Type]

    def check(self, value: Any, place: Place) -> Any:
        """Return the dataclass, its fields checked."""
        if isinstance(value, self.build):
            value = {name: getattr(value, name) for name in self.types}
        if not isinstance(value, Mapping):
            raise place.refuse("be an object", f"is {shown(value)}")
        check_names(value, tuple(self.types), self.required(), place)
        checked = {
            name: self.types[name].check(given, place.item(name)) for name, given in value.items()
        }
        return self.build(**checked)

    def required(self) -> set[str]:
        """Names of the fields without a default."""
        return {f.name for f in fields(self.build) if _default(f) is MISSING}

    def tag(self) -> Any:
        """The value of the field `kind` that marks this record among alternatives, or None."""
        kind = self.types.get("kind")
        return kind.values[0] if isinstance(kind, Choice) else None

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        properties = {name: kind.schema() for name, kind in self.types.items()}
        for f in fields(self.build):
            default = _default(f)
            if default is None or isinstance(default, bool | int | float | str):
                properties[f.name] |= {"default": default}
        return {
            "type": "object",
            "title": self.build.__name__,
            "properties": properties,
            "required": sorted(self.required()),
            "additionalProperties": False,
        }


@dataclass(frozen=True)
class OneOf:
    """One of several alternatives: null or not, or dataclasses told apart by `kind` or their keys.

    Args:
        options: The alternatives.
    """

    options: tuple[Type, ...]

    def check(self, value: Any, place: Place) -> Any:
        """Return the value as the alternative that it is meant as takes it."""
        if value is None and any(isinstance(x, Nothing) for x in self.options):
            return None
        records = [x for x in self.options if isinstance(x, Record)]
        others = [x for x in self.options if not isinstance(x, Record | Nothing)]
        if not others or any(isinstance(value, record.build) for record in records):
            return self._meant(records, value, place).check(value, place)
        if isinstance(value, Mapping) and records:
            return self._meant(records, value, place).check(value, place)
        return others[0].check(value, place)

    def _meant(self, records: list[Record], value: Any, place: Place) -> Type:
        for record in records:
            if isinstance(value, record.build):
                return record
        if len(records) == 1:
            return records[0]
        if not isinstance(value, Mapping):
            raise place.refuse("be an object", f"is {shown(value)}")
        if "kind" in value:
            tags = Choice(tuple(record.tag() for record in records))
            tag = tags.check(value["kind"], place.item("kind"))
            return next(record for record in records if record.tag() == tag)
        fitting = [r for r in records if r.required() - {"kind"} <= set(value) <= set(r.types)]
        if len(fitting) != 1:
            kinds = ", ".join(shown(record.tag()) for record in records)
            raise InputError(
                f"`{place.name}` needs the field `kind`, one of {kinds}: its other fields "
                f"({', '.join(map(shown, value)) or 'none'}) do not decide.",
                place.pointer,
            )
        return fitting[0]

    def schema(self) -> Schema:
        """Return the JSON Schema."""
        return {"anyOf": [option.schema() for option in self.options]}


def check_names(
    given: Mapping[Any, Any], known: tuple[str, ...], required: set[str], place: Place | None
) -> None:
    """Refuse unknown and missing fields.

    Args:
        given: The fields of an object or a call.
        known: All names that it may have.
        required: Those that it must have.
        place: Of the object; None for a call's arguments themselves.

    Raises:
        InputError: With one sentence for each name at fault.
    """
    owner, keys = (f"`{place.name}`", place.keys) if place else ("The input", ())
    faults = [
        (
            pointer_to(*keys, name),
            f"{owner} has the fields {', '.join(known)}, but not {shown(name)}"
            f"{nearest(name, known) if isinstance(name, str) else '.'}",
        )
        for name in given
        if name not in known
    ]
    prefix = f"{place.name}." if place else ""
    faults += [
        (pointer_to(*keys, name), f"`{prefix}{name}` is required.")
        for name in known
        if name in required and name not in given
    ]
    if faults:
        raise InputError("\n".join(text for _, text in faults), faults[0][0], tuple(faults))


def _default(f: Any) -> Any:
    return f.default_factory if f.default_factory is not MISSING else f.default


def _present(**bounds: float | None) -> Schema:
    return {name: bound for name, bound in bounds.items() if bound is not None}
