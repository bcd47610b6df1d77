"""Takes the jobs of dead workers away from them and queues them again."""

import contextlib
import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import filelock
import psutil
import sqlalchemy as sa
import structlog

from aqc_service import tables
from aqc_service.attempts import Attempts
from aqc_service.creation import release_all
from aqc_service.database import now, reading, writing
from aqc_service.engine import Engine
from aqc_service.files import Files
from aqc_service.retention import sweep
from aqc_service.settings import ServiceSettings
from aqc_service.store import Store

_LOCK = 0x617165
_START_SLACK = 1.0
_SWEEP_SECONDS = 3600.0

log = structlog.get_logger()


class Reaper:
    """Looks after dead workers; of all processes that have one, one at a time is at work.

    Args:
        database: Ours.
        engine: The queue.
        attempts: The jobs table.
        settings: When a worker is dead and a job is old, and where the lock lies.
    """

    def __init__(
        self, database: sa.Engine, engine: Engine, attempts: Attempts, settings: ServiceSettings
    ):
        self._database, self._engine, self._attempts = database, engine, attempts
        self._lock = filelock.FileLock(settings.data_dir / "reaper.lock", blocking=False)
        self._grace = timedelta(seconds=settings.grace_seconds)
        self._keep_days = settings.keep_days
        files = Files(settings.jobs_dir, settings.artifacts_url)
        self._store = Store(
            database, settings.jobs_dir, engine, settings.grace_seconds, files=files
        )
        self._sweep_at = 0.0
        self._unstarted: dict[str, float] = {}  # job to when that was first seen

    def __call__(self) -> None:
        """Declare silent workers dead and queue their jobs again."""
        with self._alone() as alone:
            if not alone:
                return
            self._declare_dead()
            alive = self._alive()
            for job in self._attempts.held_by():
                if job.worker_id not in alive:
                    moved = self._attempts.lose(job, "its worker died")
                    log.warning(
                        "job taken from a dead worker",
                        job_id=job.id,
                        worker_id=job.worker_id,
                        state=moved and moved.state,
                    )
            for queue, job_ids in self._engine.orphans(alive).items():
                self._engine.hand_back(job_ids, queue)
            self._return_unstarted(alive)
            release_all(self._database, self._engine)
            if time.monotonic() >= self._sweep_at:
                sweep(self._store, self._keep_days)
                self._sweep_at = time.monotonic() + _SWEEP_SECONDS

    def _return_unstarted(self, alive: set[str]) -> None:
        """Queue jobs again that a worker took and never began.

        That happens when the connection breaks after the database has noted who took a job, and
        before the worker hears of it.
        """
        taken = {id: queue for queue, ids in self._engine.taken(alive).items() for id in ids}
        job = tables.job
        with reading(self._database) as connection:
            waiting = sa.select(job.c.id).where(job.c.id.in_(list(taken)), job.c.state == "queued")
            unstarted = set(connection.scalars(waiting))
        at = time.monotonic()
        self._unstarted = {id: self._unstarted.get(id, at) for id in unstarted}
        for job_id, since in self._unstarted.items():
            if at - since > self._grace.total_seconds():
                log.warning("job taken by a worker but never begun", job_id=job_id)
                self._engine.hand_back([job_id], taken[job_id])

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        if self._database.dialect.name != "postgresql":
            try:
                with self._lock:
                    yield True
            except filelock.Timeout:
                yield False
            return
        with self._database.begin() as connection:
            lock = sa.select(sa.func.pg_try_advisory_xact_lock(_LOCK))
            yield bool(connection.scalar(lock))

    def _declare_dead(self) -> None:
        worker = tables.worker
        with reading(self._database) as connection:
            oldest = now(connection) - self._grace
            rows = connection.execute(sa.select(worker).where(worker.c.state != "dead")).all()
        dead = [row.id for row in rows if row.heartbeat_at < oldest or _is_gone(row)]
        if not dead:
            return
        with writing(self._database) as connection:
            connection.execute(sa.update(worker).where(worker.c.id.in_(dead)).values(state="dead"))
        log.warning("workers declared dead", worker_ids=dead)

    def _alive(self) -> set[str]:
        worker = tables.worker
        with reading(self._database) as connection:
            query = sa.select(worker.c.id).where(worker.c.state != "dead")
            return set(connection.scalars(query))


def _is_gone(row: Any) -> bool:
    """Whether a worker of this host has ended, which needs no grace to be known."""
    if row.host != socket.gethostname():
        return False
    try:
        process = psutil.Process(row.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return True
        return abs(process.create_time() - row.pid_started) > _START_SLACK
    except psutil.NoSuchProcess:
        return True
