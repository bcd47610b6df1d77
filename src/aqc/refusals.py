"""What pydantic finds wrong with a settings object, told in sentences of our own."""

import functools
import json
from collections.abc import Callable, Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from aqc.checks import nearest, pointer_to, shown
from aqc.errors import InputError

# What must hold, by pydantic's type of error; the braces are filled from its context.
_MUST = {
    "int_type": "an integer",
    "float_type": "a number",
    "finite_number": "finite",
    "string_unicode": "valid Unicode",
    "greater_than": "greater than {gt:g}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
    "model_type": "an object",
}


def refusal(error: ValidationError, settings: type[BaseModel]) -> InputError:
    """Return the refusal that says all that is wrong, one sentence for each field.

    Args:
        error: What pydantic raised.
        settings: The class that it raised it for.

    Returns:
        The error to raise; `message` holds a line for each fault, `errors` their pairs
        (pointer, sentence), and `pointer` is the first one's.
    """
    faults = tuple(_faults(error, settings))
    return InputError("\n".join(text for _, text in faults), faults[0][0], faults)


def refuses_in_sentences(validate: Callable[..., None]) -> Callable[..., None]:
    """Make a settings class raise `InputError` where pydantic would raise its own error.

    Args:
        validate: The class's __init__.

    Returns:
        The same, with sentences.
    """

    # wraps also copies pydantic's mark of its own __init__: settings inside of a problem are then
    # validated by pydantic itself, and their faults arrive with full paths.
    @functools.wraps(validate)
    def init(self: BaseModel, /, **fields: Any) -> None:
        try:
            validate(self, **fields)
        except ValidationError as error:
            raise refusal(error, type(self)) from None

    return init


def unknown_field(owner: str, name: str, known: list[str]) -> str:
    """Return the sentence about a field that is none.

    Args:
        owner: What has the fields, as the sentence begins.
        name: What was given.
        known: The fields that there are.

    Example:
        >>> unknown_field("The input", "tme", ["time", "seed"])
        'The input has the fields time, seed, but not "tme"; did you mean `time`?'
    """
    return f"{owner} has the fields {', '.join(known)}, but not {shown(name)}{nearest(name, known)}"


def _faults(error: ValidationError, settings: type[BaseModel]) -> Iterator[tuple[str, str]]:
    for item in error.errors(include_url=False):
        raised = item.get("ctx", {}).get("error")
        if item["type"] == "default_factory_not_called":
            continue  # the default needs another field, whose own fault is listed
        if isinstance(raised, InputError):
            for pointer, sentence in raised.errors:
                yield pointer or pointer_to(*item["loc"]), sentence
        else:
            yield pointer_to(*item["loc"]), _sentence(dict(item), settings)


def _sentence(item: dict[str, Any], settings: type[BaseModel]) -> str:
    path = [str(name) for name in item["loc"]]
    name = f"`{'.'.join(path)}`" if path else "The input"
    if item["type"] == "missing":
        examples = _fields(settings, path[:-1])[path[-1]].examples or []
        hint = [f", such as {json.dumps(example)}" for example in examples[:1]]
        return f"{name} is required{''.join(hint)}."
    if item["type"] == "extra_forbidden":
        owner = f"`{'.'.join(path[:-1])}`" if path[:-1] else "The input"
        return unknown_field(owner, path[-1], list(_fields(settings, path[:-1])))
    if item["type"] not in _MUST:
        return f"{name} cannot be {shown(item['input'])}."
    must = _MUST[item["type"]].format(**item.get("ctx", {})).replace("'", '"')
    return f"{name} must be {must}, but is {shown(item['input'])}."


def _fields(settings: type[BaseModel], path: list[str]) -> dict[str, FieldInfo]:
    for name in path:
        annotation = settings.model_fields[name].annotation
        parts = get_args(annotation) or (annotation,)  # of a group that may be null
        (settings,) = (p for p in parts if isinstance(p, type) and issubclass(p, BaseModel))
    return settings.model_fields
