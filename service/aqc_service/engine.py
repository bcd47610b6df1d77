"""The narrow port to DBOS, which hands jobs to workers and loses none; its types end here.

A job is a workflow of DBOS with the job's id and no steps: whoever takes it runs it from the
start, and our own tables decide by compare-and-set what that means.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event

from aqc_service.settings import ServiceSettings

if TYPE_CHECKING:
    from dbos import DBOSClient

_APPLICATION = "aqc"
_WORKFLOW = "run_job"
# Constant: with DBOS's own default, a hash of the code, an upgrade would strand queued jobs.
_VERSION = "1"
_POLL_SECONDS = 0.1
_HIGHEST_PRIORITY = 100
_FOR_EVER = 10**9
_client_lock = threading.Lock()


def dbos_engine(url: str) -> sa.Engine:
    """Return an engine for DBOS's own transactions; on SQLite WAL, synced at every commit."""
    if sa.make_url(url).get_backend_name() != "sqlite":
        return sa.create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=10)
    engine = sa.create_engine(url, connect_args={"timeout": 30})

    @event.listens_for(engine, "connect")
    def connect(connection: Any, record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in (
            "busy_timeout=30000",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def migrate(url: str) -> None:
    """Create or upgrade DBOS's own tables."""
    from dbos import DBOS

    DBOS.migrate(url)


class Engine:
    """Queues jobs, cancels them, hands them back, and tells which are orphans.

    DBOS takes a second to import and connects when it is first needed.

    Args:
        settings: Name the database.
    """

    def __init__(self, settings: ServiceSettings):
        self._url = settings.url
        self._slots = settings.slots

    @cached_property
    def _database(self) -> sa.Engine:
        return dbos_engine(self._url)

    @property
    def _client(self) -> "DBOSClient":
        with _client_lock:
            return self._connected

    @cached_property
    def _connected(self) -> "DBOSClient":
        from dbos import DBOSClient

        return DBOSClient(system_database_engine=self._database, application_name=_APPLICATION)

    def warm_up(self) -> None:
        """Import DBOS and connect, unless that was done before."""
        _ = self._client

    def close(self) -> None:
        """Give back all connections."""
        if "_connected" in vars(self):
            self._connected.destroy()
        if "_database" in vars(self):
            self._database.dispose()

    def enqueue(self, connection: sa.Connection, job_id: str, queue: str, priority: int) -> None:
        """Queue a job within a transaction of ours.

        Args:
            connection: To the same database, in a transaction that writes.
            priority: 0 to 100, higher runs earlier.
        """
        self._client.enqueue_in_transaction(
            connection,
            {
                "workflow_name": _WORKFLOW,
                "queue_name": queue,
                "workflow_id": job_id,
                "app_version": _VERSION,
                "priority": 1 + _HIGHEST_PRIORITY - priority,
            },
            job_id,
        )

    def cancel(self, job_ids: Sequence[str]) -> None:
        """Take jobs out of the queue that are still in it."""
        self._client.cancel_workflows(list(job_ids))

    def forget(self, job_ids: Sequence[str]) -> None:
        """Delete what DBOS knows of jobs."""
        self._client.delete_workflows(list(job_ids))

    def hand_back(self, job_ids: Sequence[str], queue: str) -> None:
        """Queue jobs again that a worker had taken; finished ones stay finished."""
        if job_ids:
            self._client.resume_workflows(list(job_ids), queue_name=queue)

    def orphans(self, alive: Iterable[str]) -> dict[str, list[str]]:
        """Return the jobs that workers hold which are not among these, by queue."""
        alive = set(alive)
        return self._held(lambda executor: executor not in alive)

    def taken(self, alive: Iterable[str]) -> dict[str, list[str]]:
        """Return the jobs that these workers hold, by queue."""
        alive = set(alive)
        return self._held(lambda executor: executor in alive)

    def held(self, worker_id: str) -> dict[str, list[str]]:
        """Return the jobs that a worker holds, by queue."""
        return self._held(lambda executor: executor == worker_id)

    def _held(self, by: Callable[[str | None], bool]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for held in self._client.list_workflows(
            status="PENDING", name=_WORKFLOW, load_input=False, load_output=False
        ):
            if by(held.executor_id) and held.queue_name is not None:
                found.setdefault(held.queue_name, []).append(held.workflow_id)
        return found

    def status(self, job_id: str) -> str | None:
        """Return DBOS's own word for where a job is, None if it knows no such job."""
        found = self._client.list_workflows(workflow_ids=[job_id], load_input=False)
        return found[0].status if found else None

    def start_worker(
        self, worker_id: str, queues: Sequence[str], run_job: Callable[[str], None]
    ) -> None:
        """Take jobs from queues in background threads until `stop_worker`.

        Args:
            worker_id: New for each process, also after a restart.
            queues: Names.
            run_job: Runs one job to its end; must not raise.
        """
        from dbos import DBOS

        DBOS(
            config={
                "name": _APPLICATION,
                "system_database_url": self._url,
                "system_database_engine": self._database,
                "application_version": _VERSION,
                "executor_id": worker_id,
                "run_migrations": False,
                "use_listen_notify": False,
                "log_level": "WARNING",
            }
        )

        @DBOS.workflow(name=_WORKFLOW)
        def run(job_id: str) -> None:
            run_job(job_id)

        DBOS.listen_queues(list(queues))
        self._register_queues(queues)
        DBOS.launch()

    def _register_queues(self, queues: Sequence[str]) -> None:
        for queue in queues:
            self._client.register_queue(
                queue, worker_concurrency=self._slots, polling_interval_sec=_POLL_SECONDS
            )

    def stop_taking(self) -> threading.Thread:
        """Take no more jobs; return a thread that ends when the running ones have ended."""
        from dbos import DBOS

        options = {"workflow_completion_timeout_sec": _FOR_EVER}
        thread = threading.Thread(target=DBOS.destroy, kwargs=options, daemon=True)
        thread.start()
        return thread

    def stop_worker(self) -> None:
        """Take no more jobs; the running ones can no longer report to DBOS."""
        from dbos import DBOS

        # A job that it claims just now finds it without threads ("Executor accessed before DBOS
        # was launched"). It is in the worker's name and so handed back with the others.
        logging.getLogger("dbos").setLevel(logging.CRITICAL)
        DBOS.destroy(workflow_completion_timeout_sec=0)
