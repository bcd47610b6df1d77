"""What owners have, held against their quota in the transaction that stores a job."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from aqc_service import tables, tally
from aqc_service.database import now
from aqc_service.quota import Quota, QuotaExceeded
from aqc_service.states import TERMINAL

_DAY = timedelta(days=1)


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
