"""What is old goes: finished jobs after their time, and files that belong to no job."""

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


def sweep(store: Store, keep_days: float) -> int:
    """Delete finished jobs older than this with their files, dead workers, and orphaned files.

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
    _forget_dead_workers(store, keep_days)
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


def _forget_dead_workers(store: Store, keep_days: float) -> None:
    worker = tables.worker
    with writing(store.engine) as connection:
        oldest = now(connection) - timedelta(days=keep_days)
        connection.execute(
            sa.delete(worker).where(worker.c.state == "dead", worker.c.heartbeat_at < oldest)
        )


def _remove_orphans(store: Store) -> None:
    for directory in store.jobs_dir.iterdir():
        is_old = time.time() - directory.stat().st_mtime > _ORPHAN_SECONDS
        if is_old and store.get(directory.name) is None:
            shutil.rmtree(directory, ignore_errors=True)
