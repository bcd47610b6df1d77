"""What a worker does with one job: attempts in child processes until it has an end."""

import json
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn, TypeVar

import sqlalchemy as sa
import structlog

from aqc_service.artifacts import attempt_directory, attempts_before, collect
from aqc_service.attempts import Attempts
from aqc_service.database import StorageError
from aqc_service.files import Files
from aqc_service.nursery import Nursery
from aqc_service.protocol import LIBRARIES_MEMORY, Task
from aqc_service.records import Artifact, Job
from aqc_service.run import Outcome, Run, describe_exit
from aqc_service.settings import ServiceSettings

_LEAST_EXTRA = 256e6
_RETRY_SECONDS = 1.0
_LONGEST_PAUSE = 30.0

_Found = TypeVar("_Found")

log = structlog.get_logger()


class JobRunner:
    """Runs jobs, each in a thread of its own that the queue engine calls.

    Args:
        worker_id: Of this process.
        attempts: The jobs table.
        nursery: Children.
        settings: Limits and directories.
        on_stale: Called when another worker has taken over a job of this one.
        on_end: Called when a job has ended.
    """

    def __init__(
        self,
        worker_id: str,
        attempts: Attempts,
        nursery: Nursery,
        settings: ServiceSettings,
        on_stale: Callable[[], NoReturn],
        on_end: Callable[[Job], None],
    ):
        self._worker_id, self._attempts, self._nursery = worker_id, attempts, nursery
        self._settings, self._on_stale, self._on_end = settings, on_stale, on_end
        self._kept = Files(settings.jobs_dir, settings.artifacts_url)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._busy = 0

    def __call__(self, job_id: str) -> None:
        """Run a job to its end; returns only when the queue may forget it."""
        with structlog.contextvars.bound_contextvars(job_id=job_id):
            while self._patiently(lambda: self._attempt(job_id)):
                pass
        if self._stopping.is_set():
            # Returning would tell the queue that a job is done which is to be handed back.
            threading.Event().wait()

    def stop(self) -> None:
        """Let running jobs keep their work and end; new ones are not begun."""
        self._stopping.set()

    @property
    def is_idle(self) -> bool:
        """Whether no child works on a job."""
        return self._busy == 0

    def _patiently(self, act: Callable[[], _Found]) -> _Found:
        """Do something that needs the database, again and again while it cannot be used."""
        while True:
            try:
                return act()
            except (StorageError, sa.exc.SQLAlchemyError, OSError) as error:
                log.error("storage failed; trying again", error=str(error))
                time.sleep(_RETRY_SECONDS)

    def _attempt(self, job_id: str) -> bool:
        """Make one attempt; return whether another one has to follow here."""
        if self._stopping.is_set():
            return False
        job = self._attempts.start(job_id, self._worker_id)
        if job is None:
            return False
        with structlog.contextvars.bound_contextvars(
            attempt=job.attempt, request_id=job.request_id
        ):
            log.info("job started")
            with self._lock:
                self._busy += 1
            try:
                ended, code = self._run_to_end(job)
            finally:
                with self._lock:
                    self._busy -= 1
            log.info("attempt ended", state=ended and ended.state, code=code)
            if ended is not None and ended.is_terminal:
                self._patiently(lambda: self._on_end(ended))
        return ended is not None and ended.state == "queued" and not self._stopping.is_set()

    def _run_to_end(self, job: Job) -> tuple[Job | None, int | None]:
        """Run an attempt and settle it; return the job then, and the child's exit code."""
        spent: dict[str, Any] = {"wall_seconds": job.wall_seconds, "cpu_seconds": job.cpu_seconds}
        try:
            run = self._run(job)
        except OSError as error:
            why = f"its files could not be written: {error.strerror}"
            self._await_storage(job)
            return self._patiently(lambda: self._attempts.hand_back(job, why=why, **spent)), None
        except Exception:
            # Whatever went wrong here, a job must not stay running for ever.
            log.exception("the attempt could not be made")
            message = "The worker failed to run the job; its log says why."
            end = partial(self._attempts.finish, job, "failed", reason="internal", message=message)
            return self._patiently(lambda: end(**spent)), None
        try:
            # Before the child gets ready for another job: somebody waits for the result of this.
            return self._patiently(lambda: self._conclude(job, run)), run.outcome.code
        finally:
            self._nursery.give_back(run.child)

    def _await_storage(self, job: Job) -> None:
        """Give a full disk time, the longer the more attempts have met it."""
        self._stopping.wait(min(0.5 * 2.0**job.attempt, _LONGEST_PAUSE))

    def _run(self, job: Job) -> Run:
        limits = json.loads(job.problem).get("limits", {})
        gigabytes = min(limits.get("memory_gb", 1e9), self._settings.memory_gb)
        directory = attempt_directory(self._settings.jobs_dir, job.id, job.attempt)
        directory.mkdir(parents=True, exist_ok=True)
        child = self._nursery.take(limits.get("threads", self._settings.threads))
        try:
            child.start(self._task(job, str(directory), gigabytes * 1e9))
            run = Run(
                job,
                child,
                self._attempts,
                self._settings,
                self._stopping.is_set,
                directory.relative_to(self._settings.jobs_dir),
                gigabytes * 1e9,
            )
            run()
            return run
        except BaseException:
            child.kill()
            self._nursery.give_back(child)
            raise

    def _task(self, job: Job, directory: str, memory: float) -> Task:
        jobs_dir = self._settings.jobs_dir
        earlier = [*attempts_before(jobs_dir, job.id, job.attempt)]
        if job.retry_of is not None:
            earlier += attempts_before(jobs_dir, job.retry_of)
        return Task(
            job_id=job.id,
            attempt=job.attempt,
            run=self._settings.kinds[job.kind],
            problem=job.problem,
            directory=directory,
            earlier=tuple(map(str, earlier)),
            memory_bytes=int(max(memory - LIBRARIES_MEMORY, _LEAST_EXTRA)),
            checkpoint_seconds=self._settings.checkpoint_seconds,
        )

    def _conclude(self, job: Job, run: Run) -> Job | None:
        outcome = run.outcome
        run.report()
        spent: dict[str, Any] = run.spent
        if outcome.result is not None:
            early = outcome.result.get("status") == "interrupted"
            return self._attempts.finish(
                job,
                "succeeded",
                reason="time_limit" if early else None,
                message=_cut_short(outcome.result) if early else None,
                result=outcome.result,
                artifacts=[*self._files(job, "out"), *self._times(run)],
                **spent,
            )
        if outcome.cause == "stale":
            self._on_stale()
        if outcome.cause == "handed_back" or (outcome.cause is None and outcome.stopped):
            return self._attempts.hand_back(job, why="the process was asked to stop", **spent)
        if outcome.failure is not None and outcome.failure[0] == "storage":
            self._await_storage(job)
            return self._attempts.hand_back(job, why="its files could not be written", **spent)
        state, message = "failed", outcome.message
        reason: str | None = outcome.cause
        if outcome.cause == "cancelled":
            state, reason = "cancelled", None
        elif outcome.cause is None:
            if outcome.failure is None:
                assert outcome.code is not None
                return self._attempts.lose(job, describe_exit(outcome.code), spent=spent)
            reason, message = outcome.failure
        return self._attempts.finish(
            job,
            state,
            reason=reason,
            message=message,
            artifacts=[*self._best(job, outcome), *self._times(run)],
            **spent,
        )

    def _files(self, job: Job, name: str) -> list[Artifact]:
        jobs_dir = self._settings.jobs_dir
        directory = attempt_directory(jobs_dir, job.id, job.attempt) / name
        return self._kept.keep(collect(job.id, directory, jobs_dir))

    def _times(self, run: Run) -> list[Artifact]:
        """Return the files of the times that are done."""
        jobs_dir = self._settings.jobs_dir
        found = [
            collect(run.job.id, jobs_dir / row["directory"], jobs_dir, f"time_{number}/")
            for number, row in run.series.items()
        ]
        return self._kept.keep([artifact for files in found for artifact in files])

    def _best(self, job: Job, outcome: Outcome) -> list[Artifact]:
        """Return the files of the best circuit so far, of this attempt or an earlier one."""
        best = outcome.best or job.best
        if best is None:
            return []
        directory = (self._settings.jobs_dir / best["files"]["result.json"]).parent
        return self._kept.keep(collect(job.id, directory, self._settings.jobs_dir))


def _cut_short(result: dict[str, Any]) -> str:
    """Return what a result is that came at 90 % of the wall time."""
    if "times" in result:
        return f"What there was at 90 % of the wall time: the first {result['times']} of the times."
    return "The best circuit at 90 % of the wall time."
