"""What the client hands out, and what it raises."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from aqc.errors import AqcError

Format = Literal["qasm3", "qasm2", "qpy", "json"]

_FINAL = ("succeeded", "failed", "cancelled")


class ServiceError(AqcError):
    """The service answered with an error, or not at all.

    Args:
        message: What it said.
        status: HTTP status, None when there was no answer.
    """

    def __init__(self, message: str, status: int | None = None):
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Job:
    """A job as the service described it at some moment.

    Attributes:
        id: Its name in every address.
        state: queued, running, cancelling, succeeded, failed or cancelled.
        fields: All that the service said.
    """

    id: str
    state: str
    fields: Mapping[str, Any]

    @property
    def is_finished(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in _FINAL


@dataclass(frozen=True)
class Event:
    """Something that happened to a job.

    Attributes:
        seq: 1, 2, 3, ...; without gaps until a day after the job finished.
        kind: "state", "progress" or "message".
        data: What happened.
    """

    seq: int
    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Batch:
    """A batch as the service described it at some moment.

    Attributes:
        id: Its name in every address.
        fields: All that the service said.
    """

    id: str
    fields: Mapping[str, Any]

    @property
    def is_finished(self) -> bool:
        """Whether nothing will change any more."""
        return bool(self.fields["finished"])

    @property
    def done(self) -> int:
        """How many of its jobs are finished; deleted ones count."""
        open_jobs = {k: v for k, v in self.fields["states"].items() if k not in _FINAL}
        return int(self.fields["size"]) - sum(open_jobs.values())
