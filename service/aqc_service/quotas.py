"""How much an owner may have at a time: checked in the transaction that stores a job."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field

from aqc.errors import AqcError
from aqc_service import tables, tally
from aqc_service.database import now
from aqc_service.states import TERMINAL

_DAY = timedelta(days=1)

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


@dataclass(frozen=True)
class Asked:
    """What a submission asks for: jobs, their qubits at most, highest priority, and bytes."""

    jobs: int
    qubits: int
    priority: int
    bytes: int


@dataclass(frozen=True)
class Usage:
    """What an owner has now: jobs by state, bytes, and CPU seconds of the last day."""

    queued: int
    active: int
    bytes: int
    cpu_seconds: float


def check(connection: sa.Connection, owner: str, quota: Quota, asked: Asked) -> Usage:
    """Return what an owner has, unless that with what is asked for is more than the quota.

    Other transactions that ask for the same owner wait until this one ends.

    Raises:
        QuotaExceeded: It is more.
    """
    check_alone(quota, asked)
    lock(connection, owner)
    has = measure(connection, owner)
    if quota.queued is not None and has.queued + asked.jobs > quota.queued:
        raise QuotaExceeded(
            f"At most {quota.queued} of your jobs may wait at a time; {has.queued} do, and "
            f"{asked.jobs} more were submitted. Try again when some have run.",
            retry_after=30,
        )
    check_cpu(quota, has)
    if quota.bytes is not None and has.bytes + asked.bytes > quota.bytes:
        raise QuotaExceeded(
            f"Your jobs may keep at most {quota.bytes} bytes and have {has.bytes}, so that "
            f"{asked.bytes} more are too many; delete some."
        )
    return has


def check_alone(quota: Quota, asked: Asked) -> None:
    """Check what needs no look at what the owner has."""
    if quota.qubits is not None and asked.qubits > quota.qubits:
        raise QuotaExceeded(
            f"Your jobs may have at most {quota.qubits} qubits, but this one has {asked.qubits}.",
            "/hamiltonian/num_qubits",
        )
    if asked.priority > quota.priority:
        raise QuotaExceeded(
            f"`priority` may be at most {quota.priority} with your key, but is {asked.priority}.",
            "/priority",
        )


def check_cpu(quota: Quota, has: Usage) -> None:
    """Refuse more work for an owner who used up the day's CPU time."""
    if quota.cpu_seconds_per_day is not None and has.cpu_seconds >= quota.cpu_seconds_per_day:
        raise QuotaExceeded(
            f"Your jobs may use {quota.cpu_seconds_per_day:g} s of CPU time in 24 hours and have "
            f"used {has.cpu_seconds:.0f} s; try again later.",
            retry_after=600,
        )


def lock(connection: sa.Connection, owner: str) -> None:
    """Be the only transaction that counts this owner's jobs; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        number = int.from_bytes(hashlib.sha256(owner.encode()).digest()[:8], signed=True)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))


def measure(connection: sa.Connection, owner: str) -> Usage:
    """Return what an owner has now."""
    job = tables.job
    mine = job.c.owner == owner
    counted = connection.execute(
        sa.select(
            _count(job.c.state == "queued"),
            _count(job.c.state.not_in(tuple(TERMINAL)) & ~job.c.held),
            sa.func.coalesce(sa.func.sum(job.c.input_bytes), 0),
            sa.func.coalesce(
                sa.func.sum(
                    sa.case((job.c.state.not_in(tuple(TERMINAL)), job.c.cpu_seconds), else_=0.0)
                ),
                0.0,
            ),
        ).where(mine)
    ).one()
    artifact = tables.artifact
    files = connection.scalar(
        sa.select(sa.func.coalesce(sa.func.sum(artifact.c.size), 0)).join(job).where(mine)
    )
    spent = tally.cpu_seconds_since(connection, owner, _yesterday(connection))
    return Usage(counted[0], counted[1], int(counted[2]) + int(files or 0), counted[3] + spent)


def _yesterday(connection: sa.Connection) -> datetime:
    return now(connection) - _DAY


def _count(condition: Any) -> Any:
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)


def owners_held(connection: sa.Connection) -> Sequence[str]:
    """Return the owners who have jobs that wait for their own others to end."""
    job = tables.job
    found = sa.select(job.c.owner).where(job.c.state == "queued", job.c.held).distinct()
    return [owner for owner in connection.scalars(found) if owner is not None]
