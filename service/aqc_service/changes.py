"""The one way in which a job changes: compare, set, count the version up, tell what happened."""

import secrets
import time
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from aqc_service import tables, tally
from aqc_service.database import now
from aqc_service.records import Job
from aqc_service.states import TERMINAL, predecessors


def new_id() -> str:
    """Return 32 hexadecimal digits that sort by time (the layout of UUID version 7).

    Example:
        >>> len(new_id()), new_id()[12]
        (32, '7')
    """
    milliseconds = time.time_ns() // 1_000_000
    head = (milliseconds << 16) | 0x7000 | secrets.randbits(12)
    return f"{head:016x}{(0b10 << 62) | secrets.randbits(62):016x}"


def to_job(row: Any) -> Job:
    """Return the record of a row of the table job."""
    values = dict(row._mapping)
    return Job(**{**values, "tags": tuple(values["tags"])})


def change(
    connection: sa.Connection,
    job_id: str,
    values: dict[str, Any],
    *,
    kind: str,
    data: dict[str, Any],
    states: Iterable[str],
    at_attempt: int | None = None,
) -> Job | None:
    """Change a job, if it still is what the caller thinks it is.

    Args:
        connection: In a transaction that writes.
        values: Columns to set.
        kind: Kind of the event to append.
        data: What the event says.
        states: The job must be in one of these.
        at_attempt: The job must be at this attempt; None for any.

    Returns:
        The job after the change, None when it was something else by now.
    """
    job = tables.job
    matches = [job.c.id == job_id, job.c.state.in_(tuple(states))]
    if at_attempt is not None:
        matches.append(job.c.attempt == at_attempt)
    changed = connection.execute(
        sa.update(job).where(*matches).values(**values, version=job.c.version + 1).returning(*job.c)
    ).one_or_none()
    if changed is None:
        return None
    if kind == "state":
        data = {**data, "attempt": changed.attempt}
    append_event(connection, job_id, changed.version, kind, data)
    return to_job(changed)


def move(
    connection: sa.Connection,
    job_id: str,
    state: str,
    *,
    at_attempt: int | None = None,
    came_from: Iterable[str] | None = None,
    data: dict[str, Any] | None = None,
    **values: Any,
) -> Job | None:
    """Bring a job into another state, if it is in one that may come before.

    Args:
        connection: In a transaction that writes.
        state: The state to bring it into.
        at_attempt: The job must be at this attempt; None for any.
        came_from: Fewer states than those that may come before.
        data: What the event says besides the state.
        **values: Other columns to set.
    """
    if state in TERMINAL:
        values["finished_at"] = now(connection)
    moved = change(
        connection,
        job_id,
        {"state": state, **values},
        kind="state",
        data={"state": state, **(data or {})},
        states=predecessors(state) if came_from is None else came_from,
        at_attempt=at_attempt,
    )
    if moved is not None and state in TERMINAL:
        tally.count_end(connection, moved)
    return moved


def append_event(
    connection: sa.Connection, job_id: str, seq: int, kind: str, data: dict[str, Any]
) -> None:
    """Append an event; its number is the job's version, so that none is missing or twice."""
    connection.execute(
        sa.insert(tables.job_event).values(
            job_id=job_id, seq=seq, at=now(connection), kind=kind, data=data
        )
    )
