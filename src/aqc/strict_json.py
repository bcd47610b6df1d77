"""Reading JSON text by the letter: no NaN, no repeated names, and errors that say where."""

import json
import re
from typing import Any

from aqc.checks import shown
from aqc.errors import InputError

# A string is matched whole, so that what follows it is outside of strings.
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|(-?Infinity|NaN)', re.DOTALL)


def parse_json(text: str | bytes) -> Any:
    """Return the value that JSON text holds.

    Args:
        text: JSON; bytes are read as UTF-8, with or without a byte-order mark.

    Returns:
        Dicts, lists, strings, numbers, bools and None.

    Raises:
        InputError: It is not JSON (the message gives line and column), holds NaN or Infinity, or
            names a field twice.

    Example:
        >>> parse_json('{"time": 1.0}')
        {'time': 1.0}
    """
    if isinstance(text, bytes):
        text = _decode(text)
    text = text.removeprefix("\ufeff")
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant(text))
    except json.JSONDecodeError as error:
        raise InputError(
            f"The input is not JSON: {_reason(error.msg)} at line {error.lineno}, "
            f"column {error.colno}."
        ) from None
    except RecursionError:
        raise InputError("The input is nested too deeply.") from None
    except InputError:
        raise
    except ValueError:
        # Python's own limit on the length of integers is the one other way for loads to fail.
        raise InputError("The input holds an integer of thousands of digits.") from None


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InputError(f"The input must be UTF-8, but byte {error.start} is not.") from None


def _reason(message: str) -> str:
    message = message.removesuffix(" at").removesuffix(" starting")
    return message[:1].lower() + message[1:]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name in fields:
            raise InputError(f"Each field must be given once, but {shown(name)} is given twice.")
        fields[name] = value
    return fields


def _refuse_constant(text: str) -> Any:
    def refuse(name: str) -> Any:
        start = next(m.start() for m in _TOKENS.finditer(text) if m.group(1))
        line, column = text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)
        raise InputError(
            f"Numbers must be finite, but {name} stands at line {line}, column {column}."
        )

    return refuse
