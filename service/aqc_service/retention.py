"""What is old goes: finished jobs after their time, their many events, files of no job."""

import shutil
import time
from datetime import timedelta

import sqlalchemy as sa

from aqc_service import tables
from aqc_service.database import now, reading, writing
from aqc_service.states import TERMINAL
from aqc_service.store import Store

_BATCH = 500
# A directory younger than this may belong to a job whose row is not committed yet.
_ORPHAN_SECONDS = 3600.0
_THIN_AFTER = timedelta(days=1)
_MOST_EVENTS = 200
_ALL = 2**31 - 1


def sweep(store: Store, keep_days: float) -> int:
    """Delete finished jobs older than this with their files, dead workers, and orphaned files.

    The progress of jobs that finished a day ago is thinned.

    Returns:
        Number of jobs deleted.
    """
    deleted = 0
    while True:
        old = _finished_before(store, keep_days)
        for job_id in old:
            deleted += store.delete(job_id)
        if len(old) < _BATCH:
            break
    for job_id in _talkative(store):
        _thin(store, job_id)
    _forget_dead_workers(store, keep_days)
    _forget_empty_batches(store, keep_days)
    _remove_orphans(store)
    return deleted


def _finished_before(store: Store, keep_days: float) -> list[str]:
    job = tables.job
    with reading(store.engine) as connection:
        oldest = now(connection) - timedelta(days=keep_days)
        query = sa.select(job.c.id).where(
            job.c.state.in_(tuple(TERMINAL)), job.c.finished_at < oldest
        )
        return list(connection.scalars(query.limit(_BATCH)))


def _talkative(store: Store) -> list[str]:
    """Return jobs finished long enough ago that have too many events."""
    job, event = tables.job, tables.job_event
    with reading(store.engine) as connection:
        query = (
            sa.select(job.c.id)
            .join(event)
            .where(job.c.finished_at < now(connection) - _THIN_AFTER, job.c.version > _MOST_EVENTS)
            .group_by(job.c.id)
            .having(sa.func.count() > _MOST_EVENTS)
        )
        return list(connection.scalars(query))


def _thin(store: Store, job_id: str) -> None:
    """Leave every so many'th progress event of a job, with the points of those before it."""
    event = tables.job_event
    told = [one for one in store.events(job_id, limit=_ALL) if one.kind == "progress"]
    stride = -(-2 * len(told) // _MOST_EVENTS)  # half of what may stay, the rest is not progress
    with writing(store.engine) as connection:
        for first in range(0, len(told), stride):
            *dropped, kept = told[first : first + stride]
            if not dropped:
                continue
            points = [point for one in (*dropped, kept) for point in one.data.get("points", ())]
            connection.execute(
                sa.update(event)
                .where(event.c.job_id == job_id, event.c.seq == kept.seq)
                .values(data={**kept.data, "points": points})
            )
            connection.execute(
                sa.delete(event).where(
                    event.c.job_id == job_id,
                    event.c.seq.between(dropped[0].seq, dropped[-1].seq),
                    event.c.kind == "progress",
                )
            )


def _forget_dead_workers(store: Store, keep_days: float) -> None:
    worker = tables.worker
    with writing(store.engine) as connection:
        oldest = now(connection) - timedelta(days=keep_days)
        connection.execute(
            sa.delete(worker).where(worker.c.state == "dead", worker.c.heartbeat_at < oldest)
        )


def _forget_empty_batches(store: Store, keep_days: float) -> None:
    batch, job = tables.batch, tables.job
    with writing(store.engine) as connection:
        oldest = now(connection) - timedelta(days=keep_days)
        has_jobs = sa.exists().where(job.c.batch_id == batch.c.id)
        connection.execute(sa.delete(batch).where(batch.c.created_at < oldest, ~has_jobs))


def _remove_orphans(store: Store) -> None:
    for directory in store.jobs_dir.iterdir():
        is_old = time.time() - directory.stat().st_mtime > _ORPHAN_SECONDS
        if is_old and store.get(directory.name) is None:
            shutil.rmtree(directory, ignore_errors=True)
