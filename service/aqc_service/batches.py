"""Batches: jobs made of one template, stored, counted and cancelled together."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from aqc_service import tables, tally
from aqc_service.changes import change
from aqc_service.creation import IdempotencyConflict, NewJob, insert_jobs
from aqc_service.database import now, reading, writing
from aqc_service.records import Batch, Job
from aqc_service.states import TERMINAL
from aqc_service.store import MAX_PAGE, JobNotFinished, Store

_COLUMNS = ("id", "batch_index", "state", "reason", "progress", "wall_seconds", "result")


@dataclass(frozen=True)
class NewBatch:
    """A batch to be; its fields as those of `Batch`."""

    id: str
    name: str | None
    mode: str
    template: str
    axes: str
    size: int
    body_hash: str
    idempotency_key: str | None


class Batches:
    """The batches of a store, as its caller sees them.

    Args:
        store: Where their jobs are kept.
    """

    def __init__(self, store: Store):
        self._store = store

    def create(self, batch: NewBatch, jobs: Sequence[NewJob]) -> tuple[Batch, bool]:
        """Store a batch with all its jobs and queue them, in one transaction.

        Args:
            batch: What they have in common.
            jobs: In the order of the batch.

        Returns:
            The batch, and whether it was there before.

        Raises:
            IdempotencyConflict: If the key was used with another body.
            QuotaExceeded: If the owner has too much already; nothing is stored then.
            StorageError: If the database cannot be written.
        """
        store = self._store
        store.queue.warm_up()
        try:
            with writing(store.engine) as connection:
                found = self._replayed(connection, batch)
                if found is not None:
                    return found, True
                row = {**asdict(batch), "owner": store.caller.owner, "created_at": now(connection)}
                connection.execute(sa.insert(tables.batch).values(row))
                insert_jobs(connection, store.queue, jobs, store.caller, batch.id)
                return Batch(**row), False
        except sa.exc.IntegrityError:
            with reading(store.engine) as connection:
                found = self._replayed(connection, batch)
            if found is None:
                raise
            return found, True

    def _replayed(self, connection: sa.Connection, batch: NewBatch) -> Batch | None:
        if batch.idempotency_key is None:
            return None
        table = tables.batch
        row = connection.execute(
            sa.select(table).where(
                sa.func.coalesce(table.c.owner, "") == (self._store.caller.owner or ""),
                table.c.idempotency_key == batch.idempotency_key,
            )
        ).one_or_none()
        if row is not None and row.body_hash != batch.body_hash:
            raise IdempotencyConflict(
                f"The Idempotency-Key {batch.idempotency_key} was used before with another body; "
                f"use a new key."
            )
        return None if row is None else Batch(**row._mapping)

    def get(self, batch_id: str) -> Batch | None:
        """Return a batch, None if there is none of this id."""
        table = tables.batch
        query = sa.select(table).where(table.c.id == batch_id, self._store.mine(table.c.owner))
        with reading(self._store.engine) as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else Batch(**row._mapping)

    def list(
        self, limit: int = 50, cursor: str | None = None
    ) -> tuple[Sequence[Batch], str | None]:
        """Return batches, newest first, and the cursor of the next page or None."""
        table, limit = tables.batch, min(limit, MAX_PAGE)
        query = sa.select(table).where(self._store.mine(table.c.owner))
        if cursor is not None:
            query = query.where(table.c.id < cursor)
        with reading(self._store.engine) as connection:
            rows = connection.execute(query.order_by(table.c.id.desc()).limit(limit + 1)).all()
        page = [Batch(**row._mapping) for row in rows[:limit]]
        return page, page[-1].id if len(rows) > limit else None

    def states(self, batch_ids: Sequence[str]) -> dict[str, dict[str, int]]:
        """Return how many jobs of each batch are in which state; deleted ones are in none."""
        job = tables.job
        query = (
            sa.select(job.c.batch_id, job.c.state, sa.func.count())
            .where(job.c.batch_id.in_(tuple(batch_ids)))
            .group_by(job.c.batch_id, job.c.state)
        )
        found: dict[str, dict[str, int]] = {batch_id: {} for batch_id in batch_ids}
        with reading(self._store.engine) as connection:
            for batch_id, state, count in connection.execute(query):
                found[batch_id][state] = count
        return found

    def jobs(self, batch_id: str) -> Sequence[dict[str, Any]]:
        """Return what a table of a batch shows of its jobs, in the batch's order."""
        job = tables.job
        query = (
            sa.select(*(job.c[name] for name in _COLUMNS))
            .where(job.c.batch_id == batch_id)
            .order_by(job.c.batch_index)
        )
        with reading(self._store.engine) as connection:
            return [dict(row._mapping) for row in connection.execute(query)]

    def cancel(self, batch_id: str) -> None:
        """Cancel the jobs that wait, ask the running ones to stop."""
        with writing(self._store.engine) as connection:
            # All rows before the first counter, in one order: so none waits in a circle.
            ids = self._locked(connection, batch_id)
            values = {"cancel_requested": True}
            ended = []
            for job_id in ids:
                at = {"finished_at": now(connection)}
                done = _turn(connection, job_id, "queued", "cancelled", values | at)
                if done is not None:
                    ended.append(done)
                else:
                    _turn(connection, job_id, "running", "cancelling", values)
            for job in ended:
                tally.count_end(connection, job)
        queued = [job.id for job in ended if not job.held]
        if queued:
            self._store.queue.cancel(queued)

    def _locked(self, connection: sa.Connection, batch_id: str) -> Sequence[str]:
        job = tables.job
        query = sa.select(job.c.id).where(
            job.c.batch_id == batch_id, job.c.state.in_(("queued", "running"))
        )
        return list(connection.scalars(query.order_by(job.c.id).with_for_update()))

    def delete(self, batch_id: str) -> None:
        """Delete a batch whose jobs are all finished, and the jobs with everything of them.

        Raises:
            JobNotFinished: If one is not.
        """
        job, engine = tables.job, self._store.engine
        with writing(engine) as connection:
            rows = connection.execute(
                sa.select(job.c.id, job.c.state).where(job.c.batch_id == batch_id)
            ).all()
            waiting = [row.id for row in rows if row.state not in TERMINAL]
            if waiting:
                raise JobNotFinished(
                    f"All jobs of a batch must be finished for it to be deleted, but "
                    f"{len(waiting)} are not."
                )
            artifact = tables.artifact
            files = connection.execute(
                sa.select(artifact.c.job_id, artifact.c.path)
                .join(job)
                .where(job.c.batch_id == batch_id)
            ).all()
            connection.execute(sa.delete(job).where(job.c.batch_id == batch_id))
            connection.execute(sa.delete(tables.batch).where(tables.batch.c.id == batch_id))
        ids = [row.id for row in rows]
        if ids:
            self._store.queue.forget(ids)
        for job_id in ids:
            self._store.files.forget(job_id, [row.path for row in files if row.job_id == job_id])


def _turn(
    connection: sa.Connection, job_id: str, before: str, after: str, values: dict[str, Any]
) -> Job | None:
    """Bring a job from one state into another without counting it yet."""
    return change(
        connection,
        job_id,
        {"state": after, **values},
        kind="state",
        data={"state": after},
        states=(before,),
    )
