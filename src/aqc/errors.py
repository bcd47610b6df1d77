"""What aqc raises, and what a caller may do about each.

A message says what must hold, what was seen, and what to do:
"`theta` must have shape (24,), but has shape (23,)."
"""


class AqcError(Exception):
    """Base of every error that aqc raises on purpose."""


class InputError(AqcError, ValueError):
    """The caller's input cannot be used; nothing was computed or written.

    Args:
        message: One sentence: what must hold, what was seen, what to do.
        pointer: JSON pointer to the field at fault (RFC 6901), "" when it is the whole input.
        errors: Pairs (pointer, sentence) of all that is wrong; one when not given.
    """

    def __init__(self, message: str, pointer: str = "", errors: tuple[tuple[str, str], ...] = ()):
        super().__init__(message)
        self.pointer = pointer
        self.errors = errors or ((pointer, message),)


class UnsupportedGateError(InputError):
    """A circuit holds an instruction that aqc cannot read."""


class TruncationError(AqcError):
    """The asked accuracy needs a larger bond dimension than allowed."""


class DivergenceError(AqcError):
    """A computation produced a value that is not finite."""
