"""What an owner may have, and the refusal of more."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from aqc.errors import AqcError

Count = Annotated[int, Field(ge=0)]


class Quota(BaseModel):
    """The most that an owner may have; null is no limit.

    Example:
        >>> Quota(qubits=40).over({"qubits": 60}).qubits
        60
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    queued: Count | None = 2000
    """Jobs that wait."""
    running: Annotated[int, Field(ge=1)] | None = None
    """Jobs that run at a time; further ones wait until one of them ends."""
    qubits: Count | None = None
    """Qubits of one job."""
    cpu_seconds_per_day: Annotated[float, Field(ge=0)] | None = None
    """CPU time in the last 24 hours, kernels included."""
    bytes: Count | None = None
    """Bytes of what was submitted and of the files of all jobs that are kept."""
    priority: Annotated[int, Field(ge=0, le=100)] = 100
    """Highest priority of a job."""
    requests_per_minute: Annotated[int, Field(ge=1)] | None = 600
    """Requests in a minute, counted by each API process for itself."""

    def over(self, changes: dict[str, Any]) -> "Quota":
        """Return this quota with some fields changed."""
        return Quota(**{**self.model_dump(), **changes})


class QuotaExceeded(AqcError):
    """An owner wants more than the quota allows.

    Args:
        message: What the quota is, and what helps.
        pointer: JSON pointer of the field at fault, None where none is.
        retry_after: Seconds after which it may be different, None where waiting does not help.
    """

    def __init__(self, message: str, pointer: str | None = None, retry_after: int | None = None):
        super().__init__(message)
        self.pointer, self.retry_after = pointer, retry_after
