"""How many layers a problem asks for: a number, a list to sweep over, or "auto"."""

from typing import Annotated, Any, Literal

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema
from pydantic.config import JsonDict

from aqc.checks import integer, shown
from aqc.errors import InputError

MAX_LAYERS = 10_000
_MOST_DEPTHS = 64

Layers = int | Literal["auto"] | tuple[int, ...]


def _read_layers(value: Any) -> Layers:
    name, pointer = "`ansatz.layers`", "/ansatz/layers"
    if value == "auto":
        return "auto"
    if isinstance(value, list | tuple):
        if not 1 <= len(value) <= _MOST_DEPTHS:
            raise InputError(
                f"{name} must hold 1 to {_MOST_DEPTHS} depths, but holds {len(value)}.", pointer
            )
        depths = [
            integer(v, f"A depth of {name}", f"{pointer}/{index}", least=1, most=MAX_LAYERS)
            for index, v in enumerate(value)
        ]
        if len(set(depths)) < len(depths):
            raise InputError(f"{name} must hold distinct depths, but is {shown(value)}.", pointer)
        return tuple(sorted(depths))
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(
            f'{name} must be an integer, a list of integers or "auto", but is {shown(value)}.',
            pointer,
        )
    return integer(value, name, pointer, least=1, most=MAX_LAYERS)


_LAYERS_SCHEMA: JsonDict = {"type": "integer", "minimum": 1, "maximum": MAX_LAYERS}


def fitting_order(layers: Layers) -> int | None:
    """Return the order of the Trotter circuit with so many layers, None for several depths.

    Example:
        >>> fitting_order(9), fitting_order(8), fitting_order("auto")
        (2, 1, None)
    """
    return (2 if layers % 2 else 1) if isinstance(layers, int) else None


LayersInput = Annotated[
    Layers,
    PlainValidator(_read_layers),
    PlainSerializer(lambda layers: list(layers) if isinstance(layers, tuple) else layers),
    WithJsonSchema(
        {
            "anyOf": [
                _LAYERS_SCHEMA,
                {"const": "auto"},
                {
                    "type": "array",
                    "items": _LAYERS_SCHEMA,
                    "minItems": 1,
                    "maxItems": _MOST_DEPTHS,
                    "uniqueItems": True,
                },
            ]
        }
    ),
]
