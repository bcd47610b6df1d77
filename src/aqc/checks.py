"""Checks of single values, and the pieces of the sentences that refuse them."""

import difflib
import json
import math
import numbers
import reprlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from aqc.errors import InputError


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlist, self.maxtuple, self.maxdict = 3, 4, 4, 4
        self.maxstring = self.maxother = 60

    def repr_int(self, x: int, level: int) -> str:
        # Python refuses to write integers beyond 4300 digits, and nobody would read them.
        if x.bit_length() > 128:
            return f"an integer of {x.bit_length()} bits"
        return repr(x)


_SHORT = _Short()


def printable(text: str) -> str:
    r"""Return `text` with lone surrogates escaped, so that it can be written as UTF-8.

    Example:
        >>> printable("a\ud800")
        'a\\ud800'
    """
    return text.encode("utf-8", "backslashreplace").decode()


def shown(value: Any) -> str:
    """Return a value as a refusal shows it: short, scalars as in JSON.

    Example:
        >>> shown(True), shown("neal"), shown([0, 1, 2, 3, 4, 5])
        ('true', '"neal"', '[0, 1, 2, 3, ...]')
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        short = value if len(value) <= 60 else value[:57] + "..."
        return printable(json.dumps(short, ensure_ascii=False))
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return printable(_SHORT.repr(value))


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean `x`?" when a known name is close to `name`, else ".".

    Example:
        >>> nearest("tolerence", ["tolerance", "evolver"])
        '; did you mean `tolerance`?'
    """
    names = list(known)
    close = difflib.get_close_matches(name[:60], names, n=1)
    close = close or [other for other in names if name and other.startswith(name)]
    return f"; did you mean `{close[0]}`?" if close else "."


def pointer_to(*keys: Any) -> str:
    """Return the JSON pointer (RFC 6901) of a path of keys and indices.

    Example:
        >>> pointer_to("hamiltonian", "terms", 3)
        '/hamiltonian/terms/3'
    """
    return "".join("/" + printable(str(k)).replace("~", "~0").replace("/", "~1") for k in keys)


def real_number(value: Any, what: str, pointer: str = "") -> float:
    """Return a finite real number as a float, or refuse it.

    Args:
        value: Anything; a complex number is accepted when its imaginary part is zero.
        what: How the sentence names it, for example "The coefficient of term 3".
        pointer: JSON pointer of the value.

    Returns:
        The number.

    Raises:
        InputError: It is no number, a bool, complex, infinite or NaN.

    Example:
        >>> real_number(2 + 0j, "`time`", "/time")
        2.0
    """
    if isinstance(value, float) and math.isfinite(value):
        return float(value)  # most values are, and the checks below are slow
    if isinstance(value, numbers.Complex) and not isinstance(value, numbers.Real):
        if value.imag != 0:
            raise InputError(f"{what} must be real, but is {shown(value)}.", pointer)
        value = value.real
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise InputError(f"{what} must be a number, but is {shown(value)}.", pointer)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InputError(f"{what} must be finite, but is {shown(value)}.", pointer)
    return number


def integer(value: Any, what: str, pointer: str = "", *, least: int, most: int) -> int:
    """Return an integer within [least, most] as an int, or refuse it.

    Args:
        value: Anything; NumPy integers are accepted, bools and floats are not.
        what: How the sentence names it.
        pointer: JSON pointer of the value.
        least: Smallest value accepted.
        most: Largest value accepted.

    Returns:
        The integer.

    Raises:
        InputError: It is no integer, or outside the interval.

    Example:
        >>> integer(50, "`num_qubits`", "/num_qubits", least=2, most=100)
        50
    """
    if type(value) is not int and (
        isinstance(value, bool) or not isinstance(value, numbers.Integral)
    ):
        raise InputError(f"{what} must be an integer, but is {shown(value)}.", pointer)
    number = int(value)
    if number < least:
        raise InputError(f"{what} must be at least {least}, but is {shown(number)}.", pointer)
    if number > most:
        raise InputError(f"{what} must be at most {most}, but is {shown(number)}.", pointer)
    return number
