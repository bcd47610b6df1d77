"""How jobs come into the database: one or a thousand in a transaction, queued with it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import sqlalchemy as sa

from aqc.errors import AqcError
from aqc_service import accounts, tables
from aqc_service.accounts import Asked
from aqc_service.changes import new_id, to_job
from aqc_service.database import now, reading, writing
from aqc_service.quota import Quota
from aqc_service.records import Job

DEFAULT_QUEUE = "cpu"


class IdempotencyConflict(AqcError):
    """The Idempotency-Key was used before with another body."""


class JobQueue(Protocol):
    """What the store needs of the engine that hands jobs to workers."""

    def warm_up(self) -> None:
        """Do ahead of a transaction what takes long the first time."""

    def enqueue(self, connection: sa.Connection, job_id: str, queue: str, priority: int) -> None:
        """Queue a job within a transaction of ours."""

    def cancel(self, job_ids: Sequence[str]) -> None:
        """Take jobs out of the queue that are still in it."""

    def forget(self, job_ids: Sequence[str]) -> None:
        """Delete what the engine knows of jobs."""


@dataclass(frozen=True)
class Caller:
    """For whom the store works.

    Attributes:
        owner: Only this owner's jobs are seen, and new ones are theirs; None for all jobs.
        quota: What the owner may have.
    """

    owner: str | None = None
    quota: Quota | None = None


@dataclass(frozen=True)
class NewJob:
    """A job to be.

    Attributes:
        problem: problem.json as text, checked and with all defaults.
        body_hash: Of the request's body; decides whether a key was used for the same.
        queue: Which workers may take it: cpu or gpu.
        priority: Higher runs earlier, 0 to 100.
        idempotency_key: Two calls with one key and body give one job.
        input_bytes: What it keeps besides its problem.
        id: From `new_id`, where files of the job had to be there before it.
    """

    problem: str
    num_qubits: int
    memory_bytes: int
    body_hash: str
    kind: str = "compile"
    queue: str = DEFAULT_QUEUE
    name: str | None = None
    tags: tuple[str, ...] = ()
    priority: int = 0
    wall_limit: float | None = None
    idempotency_key: str | None = None
    request_id: str | None = None
    retry_of: str | None = None
    input_bytes: int = 0
    id: str | None = None


def insert_jobs(
    connection: sa.Connection,
    queue: JobQueue,
    new: Sequence[NewJob],
    caller: Caller,
    batch_id: str | None = None,
) -> list[Job]:
    """Store jobs and queue them, as far as the owner's quota lets them run.

    Args:
        connection: In a transaction that writes.
        queue: Hands jobs to workers.
        new: The jobs.
        caller: Whose they are.
        batch_id: The batch that they belong to.

    Raises:
        QuotaExceeded: They are more than the owner may have.
    """
    room = _room(connection, new, caller)
    at = now(connection)
    rows = [
        {
            **_row(job, caller),
            "held": room is not None and place >= room,
            "created_at": at,
            "batch_id": batch_id,
            "batch_index": None if batch_id is None else place,
        }
        for place, job in enumerate(new)
    ]
    connection.execute(sa.insert(tables.job), rows)
    tags = [{"job_id": row["id"], "tag": tag} for row in rows for tag in row["tags"]]
    if tags:
        connection.execute(sa.insert(tables.job_tag), tags)
    first = {"seq": 1, "at": at, "kind": "state", "data": {"state": "queued"}}
    events = [{"job_id": row["id"], **first} for row in rows]
    connection.execute(sa.insert(tables.job_event), events)
    for row in rows:
        if not row["held"]:
            queue.enqueue(connection, row["id"], row["queue"], row["priority"])
    job = tables.job
    ids = [row["id"] for row in rows]
    found = connection.execute(sa.select(job).where(job.c.id.in_(ids)).order_by(job.c.id))
    by_id = {row.id: to_job(row) for row in found}
    return [by_id[id] for id in ids]


def release(connection: sa.Connection, queue: JobQueue, owner: str) -> int:
    """Queue as many of an owner's held jobs as may run now; return how many."""
    accounts.lock(connection, owner)
    job = tables.job
    active = accounts.measure(connection, owner).active
    waiting = connection.execute(
        sa.select(job)
        .where(job.c.owner == owner, job.c.state == "queued", job.c.held)
        .order_by(job.c.priority.desc(), job.c.id)
        .limit(_MOST_RELEASED)
    ).all()
    released = 0
    for row in waiting:
        if row.run_quota is not None and active + released >= row.run_quota:
            break
        freed = connection.execute(
            sa.update(job)
            .where(job.c.id == row.id, job.c.state == "queued", job.c.held)
            .values(held=False)
        )
        if freed.rowcount:
            queue.enqueue(connection, row.id, row.queue, row.priority)
            released += 1
    return released


_MOST_RELEASED = 100


def release_all(engine: sa.Engine, queue: JobQueue) -> int:
    """Do that for every owner who has held jobs; return how many were queued."""
    with reading(engine) as connection:
        owners = accounts.owners_held(connection)
    released = 0
    for owner in owners:
        with writing(engine) as connection:
            released += release(connection, queue, owner)
    return released


def _room(connection: sa.Connection, new: Sequence[NewJob], caller: Caller) -> int | None:
    """Return how many of the jobs may be queued now, None for all."""
    if caller.owner is None or caller.quota is None:
        return None
    asked = Asked(
        jobs=len(new),
        qubits=max(job.num_qubits for job in new),
        priority=max(job.priority for job in new),
        bytes=sum(_size(job) for job in new),
    )
    has = accounts.check(connection, caller.owner, caller.quota, asked)
    running = caller.quota.running
    return None if running is None else max(running - has.active, 0)


def _size(job: NewJob) -> int:
    return len(job.problem) + job.input_bytes


def _row(job: NewJob, caller: Caller) -> dict[str, Any]:
    return {
        **asdict(job),
        "id": job.id or new_id(),
        "tags": list(dict.fromkeys(job.tags)),
        "owner": caller.owner,
        "run_quota": caller.quota and caller.quota.running,
        "input_bytes": _size(job),
        "state": "queued",
        "attempt": 0,
        "lost": 0,
        "version": 1,
        "cpu_seconds": 0.0,
        "wall_seconds": 0.0,
        "cancel_requested": False,
    }
