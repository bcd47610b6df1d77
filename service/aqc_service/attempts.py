"""What a worker does to jobs: take, report, finish, hand back; each by compare-and-set."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from aqc_service import tables
from aqc_service.changes import change, move, to_job
from aqc_service.database import now, reading, writing
from aqc_service.records import Artifact, Job

_ACTIVE = ("running", "cancelling")


class Attempts:
    """The worker's side of the jobs table.

    Args:
        engine: The database.
        max_lost: Attempts that may be lost to a dying process before the job fails.
    """

    def __init__(self, engine: sa.Engine, max_lost: int = 3):
        self._engine = engine
        self._max_lost = max_lost

    def start(self, job_id: str, worker_id: str) -> Job | None:
        """Take a queued job.

        Returns:
            The job at its new attempt, None if it is not there to be taken.
        """
        job = tables.job
        with writing(self._engine) as connection:
            at = now(connection)
            return move(
                connection,
                job_id,
                "running",
                worker_id=worker_id,
                attempt=job.c.attempt + 1,
                started_at=sa.func.coalesce(job.c.started_at, sa.literal(at, tables.UTCDateTime())),
            )

    def state(self, job: Job) -> str | None:
        """Return the job's state, None when this attempt is no longer the current one."""
        table = tables.job
        with reading(self._engine) as connection:
            found: str | None = connection.scalar(
                sa.select(table.c.state).where(
                    table.c.id == job.id,
                    table.c.attempt == job.attempt,
                    table.c.state.in_(_ACTIVE),
                )
            )
        return found

    def report(
        self,
        job: Job,
        progress: dict[str, Any],
        *,
        wall_seconds: float,
        cpu_seconds: float,
        peak_bytes: int = 0,
        points: Iterable[Iterable[float]] = (),
        best: dict[str, Any] | None = None,
        series: Sequence[dict[str, Any]] = (),
        times: Sequence[dict[str, Any]] = (),
    ) -> bool:
        """Say how far the job is.

        Args:
            progress: {stage, fraction, evaluations, infidelity}.
            wall_seconds: Used so far, over all attempts.
            cpu_seconds: The same.
            peak_bytes: Most memory so far; 0 where nobody looked.
            points: Pairs (evaluations, infidelity) since the last report.
            best: The best circuit so far, if there is a new one.
            series: The times that are done, of a job with several.
            times: Those of them that were done since the last report.

        Returns:
            Whether this attempt is still the current one.
        """
        values: dict[str, Any] = {
            "progress": progress,
            "wall_seconds": wall_seconds,
            "cpu_seconds": cpu_seconds,
            **_peak(peak_bytes),
        }
        if best is not None:
            values["best"] = best
        data = {**progress, "points": [list(point) for point in points]}
        if times:
            values["series"] = list(series)
            data["times"] = list(times)
        return self._change(job, values, "progress", data)

    def tell(self, job: Job, text: str) -> bool:
        """Append a message for the user to the job's events."""
        return self._change(job, {}, "message", {"text": text})

    def finish(
        self,
        job: Job,
        state: str,
        *,
        reason: str | None = None,
        message: str | None = None,
        result: dict[str, Any] | None = None,
        artifacts: Iterable[Artifact] = (),
        wall_seconds: float,
        cpu_seconds: float,
        peak_bytes: int = 0,
    ) -> Job | None:
        """End a job; its files must be on disk already.

        Args:
            state: succeeded, failed or cancelled.
            reason: Why it failed, or "time_limit" for a success cut short.
            message: One sentence about the reason.
            result: Summary of the result.

        Returns:
            The job, None when this attempt is no longer the current one: then nothing changed.
        """
        with writing(self._engine) as connection:
            ended = move(
                connection,
                job.id,
                state,
                at_attempt=job.attempt,
                came_from=_ACTIVE,
                data=_present(reason=reason, message=message, result=result),
                **_present(reason=reason, message=message, result=result),
                wall_seconds=wall_seconds,
                cpu_seconds=cpu_seconds,
                **_peak(peak_bytes),
            )
            rows = [asdict(file) for file in artifacts]
            if ended is not None and rows:
                connection.execute(sa.insert(tables.artifact), rows)
        return ended

    def hand_back(
        self, job: Job, *, wall_seconds: float, cpu_seconds: float, peak_bytes: int = 0, why: str
    ) -> Job | None:
        """Queue a job again whose attempt ended early; one being cancelled is cancelled.

        Args:
            why: What happened, for the event.
        """
        spent = {"wall_seconds": wall_seconds, "cpu_seconds": cpu_seconds, **_peak(peak_bytes)}
        with writing(self._engine) as connection:
            return _release(connection, job, why, spent)

    def lose(self, job: Job, why: str, *, spent: dict[str, float] | None = None) -> Job | None:
        """Count an attempt as lost, and queue the job again unless there were too many.

        Args:
            why: What happened, to follow "because".
            spent: wall_seconds, cpu_seconds and peak_bytes, if known.

        Returns:
            The job, None when this attempt is no longer the current one: then nothing changed.
        """
        with writing(self._engine) as connection:
            counted = change(
                connection,
                job.id,
                {"lost": tables.job.c.lost + 1, **(spent or {})},
                kind="message",
                data={"text": f"Attempt {job.attempt} was lost because {why}."},
                states=_ACTIVE,
                at_attempt=job.attempt,
            )
            if counted is None:
                return None
            if counted.state == "cancelling" or counted.lost < self._max_lost:
                return _release(connection, job, why, {})
            message = f"{counted.lost} attempts were lost, the last one because {why}."
            return move(
                connection,
                job.id,
                "failed",
                at_attempt=job.attempt,
                data={"reason": "worker_lost", "message": message},
                reason="worker_lost",
                message=message,
            )

    def held_by(self, worker_ids: Iterable[str] | None = None) -> list[Job]:
        """Return the jobs in progress of these workers."""
        table = tables.job
        query = sa.select(table).where(table.c.state.in_(_ACTIVE))
        if worker_ids is not None:
            query = query.where(table.c.worker_id.in_(tuple(worker_ids)))
        with reading(self._engine) as connection:
            return [to_job(row) for row in connection.execute(query)]

    def _change(self, job: Job, values: dict[str, Any], kind: str, data: dict[str, Any]) -> bool:
        with writing(self._engine) as connection:
            changed = change(
                connection,
                job.id,
                values,
                kind=kind,
                data=data,
                states=_ACTIVE,
                at_attempt=job.attempt,
            )
        return changed is not None


def _release(connection: sa.Connection, job: Job, why: str, spent: dict[str, Any]) -> Job | None:
    queued = move(
        connection, job.id, "queued", at_attempt=job.attempt, data={"message": why}, **spent
    )
    return queued or move(
        connection,
        job.id,
        "cancelled",
        at_attempt=job.attempt,
        came_from=("cancelling",),
        **spent,
    )


def _peak(peak_bytes: int) -> dict[str, int]:
    return {"peak_bytes": peak_bytes} if peak_bytes else {}


def _present(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
