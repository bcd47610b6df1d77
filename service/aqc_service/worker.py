"""A worker process: takes jobs from queues and runs each in a child process."""

import os
import signal
import threading
import time
from typing import NoReturn

import structlog

from aqc_service import schema
from aqc_service.attempts import Attempts
from aqc_service.changes import new_id
from aqc_service.creation import release
from aqc_service.database import make_data_directory, open_engine, writing
from aqc_service.engine import Engine
from aqc_service.heartbeat import Heartbeat
from aqc_service.job_runner import JobRunner
from aqc_service.nursery import Nursery
from aqc_service.reaper import Reaper
from aqc_service.records import Job
from aqc_service.settings import ServiceSettings

FENCED = 3
_LEAVE_SECONDS = 2.0
_TICK = 0.2

log = structlog.get_logger()


class Worker:
    """One worker process.

    Args:
        settings: Of the service.

    Raises:
        StorageError: If the data directory or the database cannot be used.
    """

    def __init__(self, settings: ServiceSettings):
        make_data_directory(settings.data_dir)
        self.id = new_id()
        self._queues = (settings.device,)
        self._settings = settings
        self._database = open_engine(settings.url)
        schema.check(self._database)
        self._engine = Engine(settings)
        attempts = Attempts(self._database, settings.max_lost)
        modules = {run.partition(":")[0] for run in settings.kinds.values()}
        self._nursery = Nursery(settings.slots, settings.threads, sorted(modules))
        self._runner = JobRunner(
            self.id, attempts, self._nursery, settings, self._fenced, self._after_end
        )
        self._reaper = Reaper(self._database, self._engine, attempts, settings)
        self._leave = threading.Event()
        self._drain = threading.Event()

    def run(self) -> NoReturn:
        """Work until SIGTERM or SIGINT; then hand back what is not finished.

        A worker that is drained first ends the jobs that it has.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: self._leave.set())
        heartbeat = Heartbeat(
            self._database,
            self.id,
            self._queues,
            self._settings.slots,
            self._settings.heartbeat_seconds,
            on_each=self._reaper,
            on_dead=self._fenced,
            on_draining=self._drain.set,
        )
        self._reaper()
        self._engine.start_worker(self.id, self._queues, self._runner)
        log.info("worker ready", worker_id=self.id, queues=self._queues)
        while not self._leave.wait(_TICK) and not self._drain.is_set():
            pass
        if self._drain.is_set():
            log.info("worker takes no more jobs", worker_id=self.id)
            running = self._engine.stop_taking()
            while running.is_alive() and not self._leave.wait(_TICK):
                pass
        self._stop(heartbeat)
        os._exit(0)

    def _stop(self, heartbeat: Heartbeat) -> None:
        # The children write their checkpoints while DBOS lets go.
        self._runner.stop()
        self._engine.stop_worker()
        until = time.monotonic() + _LEAVE_SECONDS
        while not self._runner.is_idle and time.monotonic() < until:
            time.sleep(0.01)
        for queue, job_ids in self._engine.held(self.id).items():
            self._engine.hand_back(job_ids, queue)
        heartbeat.stop()
        self._nursery.kill_all()
        log.info("worker stopped", worker_id=self.id)

    def _after_end(self, job: Job) -> None:
        """Queue what waited for this job of the same owner to end; the reaper would, but later."""
        if job.run_quota is not None and job.owner is not None:
            with writing(self._database) as connection:
                release(connection, self._engine, job.owner)

    def _fenced(self) -> NoReturn:
        """End at once: others believe that this worker is dead and run its jobs."""
        self._nursery.kill_all()
        os._exit(FENCED)
