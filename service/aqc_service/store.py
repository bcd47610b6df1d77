"""What the API and the page know of jobs: create, read, cancel, retry, delete."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import sqlalchemy as sa

from aqc.errors import AqcError
from aqc_service import accounts, tables, tally
from aqc_service.changes import move, to_job
from aqc_service.creation import Caller, IdempotencyConflict, JobQueue, NewJob, insert_jobs
from aqc_service.database import make_data_directory, now, open_engine, reading, writing
from aqc_service.files import Files
from aqc_service.records import Artifact, Event, Job, Worker
from aqc_service.settings import ServiceSettings
from aqc_service.states import TERMINAL

MAX_PAGE = 200


class JobNotFinished(AqcError):
    """Only a finished job can be deleted."""


class Store:
    """Jobs in the database and their files.

    Args:
        engine: The database.
        jobs_dir: Where each job has a directory of its name.
        queue: Hands jobs to workers.
        grace_seconds: A worker silent for so long is not counted as alive.
        caller: Whose jobs it shows and makes; those of others are not there.
        files: Where the files of finished jobs lie; in `jobs_dir` without it.
    """

    def __init__(
        self,
        engine: sa.Engine,
        jobs_dir: Path,
        queue: JobQueue,
        grace_seconds: float = 5.0,
        caller: Caller = Caller(),  # noqa: B008 - frozen
        files: Files | None = None,
    ):
        self.engine = engine
        self.jobs_dir = jobs_dir
        self.queue = queue
        self.caller = caller
        self.files = files or Files(jobs_dir)
        self._grace = timedelta(seconds=grace_seconds)

    def of(self, caller: Caller) -> "Store":
        """Return this store as a caller sees it."""
        grace = self._grace.total_seconds()
        return Store(self.engine, self.jobs_dir, self.queue, grace, caller, self.files)

    def mine(self, owner: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
        """Return the condition that a row is the caller's."""
        return sa.true() if self.caller.owner is None else owner == self.caller.owner

    @classmethod
    def open(cls, settings: ServiceSettings) -> Self:
        """Open the store that the settings name; `aqc db upgrade` must have run before.

        Raises:
            StorageError: If the data directory cannot be written.
        """
        from aqc_service.engine import Engine

        make_data_directory(settings.data_dir)
        engine = open_engine(settings.url)
        files = Files(settings.jobs_dir, settings.artifacts_url)
        return cls(engine, settings.jobs_dir, Engine(settings), settings.grace_seconds, files=files)

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
        tags: Iterable[str] = (),
        job_id: str | None = None,
        **fields: Any,
    ) -> tuple[Job, bool]:
        """Store a job and queue it, in one transaction.

        Args:
            problem_json: problem.json, checked and with all defaults.
            tags: Words to filter by.
            job_id: From `new_id`, where files of the job had to be there before it.
            **fields: The other fields of `NewJob`.

        Returns:
            The job, and whether it was there before.

        Raises:
            IdempotencyConflict: If the key was used with another body.
            QuotaExceeded: If the owner has too much already.
            StorageError: If the database cannot be written.
        """
        new = NewJob(problem_json, tags=tuple(tags), id=job_id, **fields)
        self.queue.warm_up()  # not while the database waits for us
        try:
            with writing(self.engine) as connection:
                found = self._replayed(connection, new)
                if found is not None:
                    return found, True
                return insert_jobs(connection, self.queue, [new], self.caller)[0], False
        except sa.exc.IntegrityError:
            # Another process used the key between our look and our insert.
            with reading(self.engine) as connection:
                found = self._replayed(connection, new)
            if found is None:
                raise
            return found, True

    def _replayed(self, connection: sa.Connection, new: NewJob) -> Job | None:
        if new.idempotency_key is None:
            return None
        job = tables.job
        row = connection.execute(
            sa.select(job).where(
                sa.func.coalesce(job.c.owner, "") == (self.caller.owner or ""),
                job.c.idempotency_key == new.idempotency_key,
            )
        ).one_or_none()
        if row is None:
            return None
        if row.body_hash != new.body_hash:
            raise IdempotencyConflict(
                f"The Idempotency-Key {new.idempotency_key} was used before with another body; "
                f"use a new key."
            )
        return to_job(row)

    def check_cpu(self) -> None:
        """Refuse a caller who used up the day's CPU time.

        Raises:
            QuotaExceeded: It is used up.
        """
        owner, quota = self.caller.owner, self.caller.quota
        if owner is None or quota is None or quota.cpu_seconds_per_day is None:
            return
        with reading(self.engine) as connection:
            accounts.check_cpu(quota, accounts.measure(connection, owner))

    def charge(self, cpu_seconds: float) -> None:
        """Write CPU time that no job used to the caller's account."""
        if self.caller.owner is None:
            return
        with writing(self.engine) as connection:
            tally.charge(connection, self.caller.owner, cpu_seconds)

    def get(self, job_id: str) -> Job | None:
        """Return a job, None if there is none of this id."""
        with reading(self.engine) as connection:
            job = tables.job
            row = connection.execute(
                sa.select(job).where(job.c.id == job_id, self.mine(job.c.owner))
            ).one_or_none()
        return None if row is None else to_job(row)

    def list(
        self,
        *,
        state: str | None = None,
        kind: str | None = None,
        tag: str | None = None,
        batch_id: str | None = None,
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
        query = sa.select(job).where(self.mine(job.c.owner))
        query = query.order_by(job.c.id.desc()).limit(min(limit, MAX_PAGE) + 1)
        if batch_id is not None:
            query = query.where(job.c.batch_id == batch_id)
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
            queue=old.queue,
            wall_limit=old.wall_limit,
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
            artifact = tables.artifact
            paths = list(
                connection.scalars(sa.select(artifact.c.path).where(artifact.c.job_id == job_id))
            )
            connection.execute(sa.delete(tables.job).where(tables.job.c.id == job_id))
        self.queue.forget([job_id])
        self.files.forget(job_id, paths)
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

    def workers(self, states: Sequence[str] = ("alive",)) -> Sequence[Worker]:
        """Return the workers that give signs of life.

        Args:
            states: alive: takes jobs; draining: only ends those that it has.
        """
        worker = tables.worker
        with reading(self.engine) as connection:
            query = sa.select(worker).where(
                worker.c.state.in_(tuple(states)),
                worker.c.heartbeat_at > now(connection) - self._grace,
            )
            rows = connection.execute(query.order_by(worker.c.started_at)).all()
        return [Worker(**{**row._mapping, "queues": tuple(row.queues)}) for row in rows]

    def drain(self, worker_id: str) -> bool:
        """Let a worker end its jobs and then leave; return whether it took jobs until now."""
        worker = tables.worker
        with writing(self.engine) as connection:
            found = connection.execute(
                sa.update(worker)
                .where(worker.c.id == worker_id, worker.c.state == "alive")
                .values(state="draining")
            )
        return found.rowcount == 1
