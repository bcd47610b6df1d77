"""Words of a text as token numbers, and back."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Len
from jaxtyping import Int

from aqc.errors import InputError
from aqc.kernels.fibonacci_hierarchy.tiling import MOST_WORDS

_MOST_BYTES = 4_000_000
_WORD = re.compile(rb"[A-Za-z\x80-\xff]+[ \n\r\t]*|[^A-Za-z\x80-\xff][ \n\r\t]*")


@dataclass(frozen=True)
class Text:
    """A text, at most 4 MB as UTF-8."""

    text: Annotated[str, Len(1, _MOST_BYTES)]
    kind: Literal["text"] = "text"


@dataclass(frozen=True)
class Bytes:
    """Any bytes, at most 4 MB.

    Args:
        base64: The bytes in base64.
    """

    base64: Annotated[str, Len(1, _MOST_BYTES * 4 // 3 + 4)]
    kind: Literal["bytes"] = "bytes"


@dataclass(frozen=True)
class Tokens:
    """Token numbers of the caller's own, at most 1e6.

    Args:
        tokens: Not negative.
    """

    tokens: Int[np.ndarray, " words"]
    kind: Literal["tokens"] = "tokens"


Source = Text | Bytes | Tokens


@dataclass(frozen=True)
class Words:
    """A source as numbers 0, ..., len(vocabulary) - 1.

    Args:
        ids: Shape (words,).
        vocabulary: Words in lower case as latin-1 text, or the caller's tokens, by number.
        upper: Bytes of the source that were upper case; empty for tokens.
    """

    ids: np.ndarray
    vocabulary: tuple[str, ...] | np.ndarray
    upper: np.ndarray


def split(source: Source) -> Words:
    """Return the words of a source.

    Raises:
        InputError: It is empty, too long or negative, or not base64.
    """
    if isinstance(source, Tokens):
        return _number(source.tokens)
    data = _bytes_of(source)
    if not 0 < len(data) <= _MOST_BYTES:
        raise InputError(
            f"`source` must have 1 to {_MOST_BYTES} bytes, but has {len(data)}.", "/source"
        )
    raw, lower = np.frombuffer(data, np.uint8), data.lower()
    # Whitespace before the first word belongs to no word: it is one of its own.
    words = _WORD.findall(lower)
    numbers: dict[bytes, int] = {}
    ids = np.array([numbers.setdefault(word, len(numbers)) for word in words])
    _check_length(len(ids))
    upper = np.flatnonzero(raw != np.frombuffer(lower, np.uint8))
    return Words(ids, tuple(word.decode("latin-1") for word in numbers), upper)


def join(words: Words) -> bytes | np.ndarray:
    """Return the bytes of a text, or the caller's tokens."""
    if isinstance(words.vocabulary, np.ndarray):
        return words.vocabulary[words.ids]
    lower = "".join(words.vocabulary[i] for i in words.ids).encode("latin-1")
    data = np.frombuffer(lower, np.uint8).copy()
    data[words.upper] -= 32
    return data.tobytes()


def _number(tokens: np.ndarray) -> Words:
    _check_length(len(tokens))
    if tokens.min() < 0:
        raise InputError(
            f"`source.tokens` must not be negative, but holds {tokens.min()}.", "/source/tokens"
        )
    vocabulary, ids = np.unique(tokens, return_inverse=True)
    return Words(ids, vocabulary, np.empty(0, int))


def _bytes_of(source: Text | Bytes) -> bytes:
    try:
        if isinstance(source, Text):
            return source.text.encode()
        return base64.b64decode(source.base64, validate=True)
    except (UnicodeEncodeError, binascii.Error, ValueError) as error:
        field = source.kind if isinstance(source, Text) else "base64"
        raise InputError(
            f"`source.{field}` must be {'Unicode text' if field == 'text' else 'base64'}, but "
            f"cannot be read: {error}.",
            f"/source/{field}",
        ) from None


def _check_length(words: int) -> None:
    if words > MOST_WORDS:
        raise InputError(
            f"`source` must have at most {MOST_WORDS} words, but has {words}.", "/source"
        )
