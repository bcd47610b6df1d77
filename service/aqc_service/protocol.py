"""What a worker and its child say to each other: JSON lines on pipes, signals and exit codes."""

import json
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Any, Literal

Order = Literal["finish", "cancel"]
"""On the child's stdin: stop optimizing and certify, or write the best so far and end."""


LIBRARIES_MEMORY = 600e6
"""What the libraries of a child occupy, in bytes; part of every prediction."""


class Exit(IntEnum):
    """Exit codes of a child."""

    DONE = 0
    BAD_INPUT = 65
    INTERNAL = 70
    STORAGE = 74
    CHECKPOINTED = 75
    MEMORY = 137


@dataclass(frozen=True)
class Task:
    """What a child is to do; a line on its stdin.

    Attributes:
        run: "module:function" of the kind of job.
        problem: problem.json as text.
        directory: The attempt's own directory.
        earlier: Directories of earlier attempts, newest first.
        memory_bytes: Most that it may allocate beyond what it has.
        checkpoint_seconds: Seconds between two checkpoints.
    """

    job_id: str
    attempt: int
    run: str
    problem: str
    directory: str
    earlier: tuple[str, ...]
    memory_bytes: int
    checkpoint_seconds: float

    def to_line(self) -> bytes:
        """Return the task as a line of JSON."""
        return to_line(asdict(self))

    @classmethod
    def from_line(cls, line: bytes) -> "Task":
        """Return the task that gave this line."""
        values = json.loads(line)
        return cls(**{**values, "earlier": tuple(values["earlier"])})


def to_line(message: dict[str, Any]) -> bytes:
    """Return a message as a line of JSON.

    Example:
        >>> to_line({"kind": "ready"})
        b'{"kind": "ready"}\\n'
    """
    return json.dumps(message).encode() + b"\n"
