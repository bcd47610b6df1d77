"""What the API and the page know of jobs: create, read, cancel, retry, delete."""

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, Self

import sqlalchemy as sa

from aqc.errors import AqcError
from aqc_service import tables
from aqc_service.changes import append_event, move, new_id, to_job
from aqc_service.database import make_data_directory, now, open_engine, reading, writing
from aqc_service.records import Artifact, Event, Job, Worker
from aqc_service.settings import ServiceSettings
from aqc_service.states import TERMINAL

QUEUE = "cpu"
MAX_PAGE = 200


class IdempotencyConflict(AqcError):
    """The Idempotency-Key was used before with another body."""


class JobNotFinished(AqcError):
    """Only a finished job can be deleted."""


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


class Store:
    """Jobs in the database and their files.

    Args:
        engine: The database.
        jobs_dir: Where each job has a directory of its name.
        queue: Hands jobs to workers.
        grace_seconds: A worker silent for so long is not counted as alive.
    """

    def __init__(
        self, engine: sa.Engine, jobs_dir: Path, queue: JobQueue, grace_seconds: float = 5.0
    ):
        self.engine = engine
        self.jobs_dir = jobs_dir
        self.queue = queue
        self._grace = timedelta(seconds=grace_seconds)

    @classmethod
    def open(cls, settings: ServiceSettings) -> Self:
        """Open the store that the settings name; `aqc db upgrade` must have run before.

        Raises:
            StorageError: If the data directory cannot be written.
        """
        from aqc_service.engine import Engine

        make_data_directory(settings.data_dir)
        engine = open_engine(settings.url)
        return cls(engine, settings.jobs_dir, Engine(settings), settings.grace_seconds)

    def close(self) -> None:
        """Give back all connections."""
        close = getattr(self.queue, "close", None)
        if close is not None:
            close()
        self.engine.dispose()

    def create(
        self,
        problem_json: str,
        *,
        num_qubits: int,
        memory_bytes: int,
        body_hash: str,
        kind: str = "compile",
        name: str | None = None,
        tags: Iterable[str] = (),
        priority: int = 0,
        wall_limit: float | None = None,
        owner: str | None = None,
        idempotency_key: str | None = None,
        request_id: str | None = None,
        retry_of: str | None = None,
        job_id: str | None = None,
    ) -> tuple[Job, bool]:
        """Store a job and queue it, in one transaction.

        Args:
            problem_json: problem.json, checked and with all defaults.
            body_hash: Of the request's body; decides whether a key was used for the same.
            priority: Higher runs earlier, 0 to 100.
            idempotency_key: Two calls with one key and body give one job.
            job_id: From `new_id`, where files of the job had to be there before it.

        Returns:
            The job, and whether it was there before.

        Raises:
            IdempotencyConflict: If the key was used with another body.
            StorageError: If the database cannot be written.
        """
        tags = tuple(dict.fromkeys(tags))
        values = {
            "id": job_id or new_id(),
            "kind": kind,
            "queue": QUEUE,
            "state": "queued",
            "name": name,
            "tags": list(tags),
            "priority": priority,
            "owner": owner,
            "problem": problem_json,
            "body_hash": body_hash,
            "num_qubits": num_qubits,
            "attempt": 0,
            "lost": 0,
            "version": 1,
            "cpu_seconds": 0.0,
            "wall_seconds": 0.0,
            "wall_limit": wall_limit,
            "memory_bytes": memory_bytes,
            "cancel_requested": False,
            "retry_of": retry_of,
            "idempotency_key": idempotency_key,
            "request_id": request_id,
        }
        try:
            return self._insert(values, tags)
        except sa.exc.IntegrityError:
            # Another process used the key between our look and our insert.
            with reading(self.engine) as connection:
                found = self._replayed(connection, values)
            if found is None:
                raise
            return found, True

    def _insert(self, values: dict[str, Any], tags: tuple[str, ...]) -> tuple[Job, bool]:
        self.queue.warm_up()  # not while the database waits for us
        with writing(self.engine) as connection:
            found = self._replayed(connection, values)
            if found is not None:
                return found, True
            job_id = values["id"]
            row = connection.execute(
                sa.insert(tables.job)
                .values(created_at=now(connection), **values)
                .returning(*tables.job.c)
            ).one()
            if tags:
                connection.execute(
                    sa.insert(tables.job_tag), [{"job_id": job_id, "tag": tag} for tag in tags]
                )
            append_event(connection, job_id, 1, "state", {"state": "queued"})
            self.queue.enqueue(connection, job_id, values["queue"], values["priority"])
            return to_job(row), False

    def _replayed(self, connection: sa.Connection, values: dict[str, Any]) -> Job | None:
        key = values["idempotency_key"]
        if key is None:
            return None
        job = tables.job
        row = connection.execute(
            sa.select(job).where(
                sa.func.coalesce(job.c.owner, "") == (values["owner"] or ""),
                job.c.idempotency_key == key,
            )
        ).one_or_none()
        if row is None:
            return None
        if row.body_hash != values["body_hash"]:
            raise IdempotencyConflict(
                f"The Idempotency-Key {key} was used before with another body; use a new key."
            )
        return to_job(row)

    def get(self, job_id: str) -> Job | None:
        """Return a job, None if there is none of this id."""
        with reading(self.engine) as connection:
            row = connection.execute(
                sa.select(tables.job).where(tables.job.c.id == job_id)
            ).one_or_none()
        return None if row is None else to_job(row)

    def list(
        self,
        *,
        state: str | None = None,
        kind: str | None = None,
        tag: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[Sequence[Job], str | None]:
        """Return jobs, newest first.

        Args:
            limit: Most jobs, 1 to 200.
            cursor: What the call for the page before returned.

        Returns:
            Jobs, and the cursor of the next page or None.
        """
        job = tables.job
        query = sa.select(job).order_by(job.c.id.desc()).limit(min(limit, MAX_PAGE) + 1)
        if state is not None:
            query = query.where(job.c.state == state)
        if kind is not None:
            query = query.where(job.c.kind == kind)
        if tag is not None:
            query = query.join(tables.job_tag).where(tables.job_tag.c.tag == tag)
        if cursor is not None:
            query = query.where(job.c.id < cursor)
        with reading(self.engine) as connection:
            jobs = [to_job(row) for row in connection.execute(query)]
        page = jobs[: min(limit, MAX_PAGE)]
        return page, page[-1].id if len(jobs) > len(page) else None

    def events(self, job_id: str, after: int = 0, limit: int = 1000) -> Sequence[Event]:
        """Return a job's events after a number, oldest first."""
        event = tables.job_event
        query = (
            sa.select(event)
            .where(event.c.job_id == job_id, event.c.seq > after)
            .order_by(event.c.seq)
            .limit(limit)
        )
        with reading(self.engine) as connection:
            return [Event(**row._mapping) for row in connection.execute(query)]

    def request_cancel(self, job_id: str) -> Job | None:
        """Cancel a queued job, ask a running one to stop; a finished one stays as it is.

        Returns:
            The job, None if there is none of this id.
        """
        with writing(self.engine) as connection:
            job = move(
                connection,
                job_id,
                "cancelled",
                came_from=("queued",),
                cancel_requested=True,
                finished_at=now(connection),
            )
            if job is None:
                job = move(
                    connection,
                    job_id,
                    "cancelling",
                    came_from=("running",),
                    cancel_requested=True,
                )
        if job is None:
            return self.get(job_id)
        if job.state == "cancelled":
            self.queue.cancel([job_id])
        return job

    def retry(
        self, job_id: str, *, idempotency_key: str | None = None, request_id: str | None = None
    ) -> tuple[Job, bool] | None:
        """Queue a finished job again as a new one that goes on from the old one's checkpoint.

        Returns:
            The new job, and whether it was there before; None if there is no old one.

        Raises:
            JobNotFinished: If the old one is not finished.
            IdempotencyConflict: If the key was used for something else.
            StorageError: If the database cannot be written.
        """
        old = self.get(job_id)
        if old is None:
            return None
        if not old.is_terminal:
            raise JobNotFinished(f"The job must be finished to be retried, but is {old.state}.")
        return self.create(
            old.problem,
            num_qubits=old.num_qubits,
            memory_bytes=old.memory_bytes,
            body_hash=hashlib.sha256(f"retry {job_id}".encode()).hexdigest(),
            kind=old.kind,
            name=old.name,
            tags=old.tags,
            priority=old.priority,
            wall_limit=old.wall_limit,
            owner=old.owner,
            idempotency_key=idempotency_key,
            request_id=request_id,
            retry_of=job_id,
        )

    def delete(self, job_id: str) -> bool:
        """Delete a finished job with everything of it.

        Returns:
            Whether there was one.

        Raises:
            JobNotFinished: If it is not finished.
        """
        with writing(self.engine) as connection:
            state = connection.scalar(
                sa.select(tables.job.c.state).where(tables.job.c.id == job_id)
            )
            if state is None:
                return False
            if state not in TERMINAL:
                raise JobNotFinished(f"The job must be finished to be deleted, but is {state}.")
            connection.execute(sa.delete(tables.job).where(tables.job.c.id == job_id))
        self.queue.forget([job_id])
        shutil.rmtree(self.jobs_dir / job_id, ignore_errors=True)
        return True

    def artifacts(self, job_id: str) -> Sequence[Artifact]:
        """Return the files of a job, by name."""
        artifact = tables.artifact
        query = sa.select(artifact).where(artifact.c.job_id == job_id).order_by(artifact.c.name)
        with reading(self.engine) as connection:
            return [Artifact(**row._mapping) for row in connection.execute(query)]

    def open_artifact(self, job_id: str, name: str) -> Path | None:
        """Return where a file of a job lies, None if it has no such file."""
        found = {artifact.name: artifact.path for artifact in self.artifacts(job_id)}
        return self.jobs_dir / found[name] if name in found else None

    def workers(self) -> Sequence[Worker]:
        """Return the workers that are alive."""
        worker = tables.worker
        with reading(self.engine) as connection:
            query = sa.select(worker).where(
                worker.c.state != "dead", worker.c.heartbeat_at > now(connection) - self._grace
            )
            rows = connection.execute(query.order_by(worker.c.started_at)).all()
        return [Worker(**{**row._mapping, "queues": tuple(row.queues)}) for row in rows]
