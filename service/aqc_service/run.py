"""One attempt at one job: a child process watched from its task to its end."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import structlog

from aqc_service.attempts import Attempts
from aqc_service.database import StorageError
from aqc_service.nursery import Child
from aqc_service.protocol import LIBRARIES_MEMORY
from aqc_service.records import Job
from aqc_service.settings import ServiceSettings

_TICK = 0.05
_STATE_SECONDS, _USAGE_SECONDS, _REPORT_SECONDS = 0.1, 0.25, 0.25
_LEAVE_SECONDS = 0.6  # from the order to leave to SIGKILL: all is over within a second
_WARM_SECONDS = 120.0
_FINISH_FRACTION = 0.9
_MAX_PROCESSES = 16
_MEMORY_MARGIN = 1.1  # the watchdog comes after the child's own limit

log = structlog.get_logger()

Cause = Literal["cancelled", "handed_back", "time_limit", "memory_limit", "internal", "stale"]


@dataclass
class Outcome:
    """How an attempt ended.

    Attributes:
        code: Exit code of the child, minus the signal's number; None when it lives on.
        cause: Why it was stopped, None when it ended by itself.
        result: Summary of the result, if it came to one.
        stopped: Whether the child kept its work and left, as it was told.
        failure: (reason, message), if the child told one.
        cut_short: Whether it was asked for its best at 90 % of its wall time.
        best: What it said of the best circuit so far.
    """

    code: int | None = None
    cause: Cause | None = None
    message: str | None = None
    result: dict[str, Any] | None = None
    stopped: bool = False
    failure: tuple[str, str] | None = None
    cut_short: bool = False
    best: dict[str, Any] | None = None


@dataclass
class Run:
    """Watches a child: passes on its reports, and stops it when it has to stop.

    Args:
        job: At its new attempt.
        child: It has its task.
        attempts: To report to.
        settings: Limits.
        stopping: Tells whether the worker has to leave.
        directory: The attempt's directory, relative to the jobs directory.
        memory_limit: Bytes.
    """

    job: Job
    child: Child
    attempts: Attempts
    settings: ServiceSettings
    stopping: Callable[[], bool]
    directory: Path
    memory_limit: float
    outcome: Outcome = field(default_factory=Outcome)

    def __post_init__(self) -> None:
        self._began: float | None = None  # when the child took the task, and not was warming up
        self._ready_by = time.monotonic() + _WARM_SECONDS
        self._due: dict[str, float] = {}
        self._kill_at: float | None = None
        self._points: list[list[float]] = []
        self._progress = self.job.progress or {}
        self._has_news = False
        self._best: dict[str, Any] | None = None
        self.series = {row["number"]: row for row in self.job.series or ()}
        self._new_times: list[dict[str, Any]] = []
        self._cpu_before = self._cpu = 0.0
        self._peak = 0
        self._left_before = 0.0  # bytes that the jobs before it left in the child

    @property
    def wall_seconds(self) -> float:
        """Wall time used, over all attempts."""
        used = 0.0 if self._began is None else time.monotonic() - self._began
        return self.job.wall_seconds + used

    @property
    def spent(self) -> dict[str, Any]:
        """What the job has used, over all attempts."""
        return {
            "wall_seconds": self.wall_seconds,
            "cpu_seconds": self.job.cpu_seconds + self._cpu,
            "peak_bytes": max(self.job.peak_bytes, self._peak),
        }

    def __call__(self) -> Outcome:
        """Watch until the child is done, when it lives on, or has ended."""
        try:
            while self.outcome.result is None and self.child.exit_code() is None:
                message = self.child.receive(_TICK)
                if message is not None:
                    self._take(message)
                self._look()
        finally:
            if self.outcome.result is None:
                self._end()
        return self.outcome

    def _end(self) -> None:
        """End the child, and hear what it said last."""
        self.child.kill()
        self.outcome.code = self.child.wait()
        while (message := self.child.receive(_TICK)) is not None:
            self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        kind = message.pop("kind")
        if kind == "started":
            self._began = time.monotonic()
            memory, self._cpu_before, _ = self.child.usage()
            self._left_before = max(memory - LIBRARIES_MEMORY, 0.0)
        elif kind == "progress":
            self._points += message.pop("points", [])
            self._progress, self._has_news = message, True
        elif kind == "best":
            directory = self.directory / message.pop("directory")
            names = ("circuit.qasm", "circuit.qasm2", "circuit.qpy", "result.json")
            files = {name: str(directory / name) for name in names}
            self._best = self.outcome.best = {**message, "files": files}
            self._has_news = True
        elif kind == "time":
            directory = self.directory / "out" / message.pop("directory")
            self.series[message["number"]] = {**message, "directory": str(directory)}
            self._new_times.append(message)
            self._has_news = True
        elif kind == "message":
            self._try(lambda: self.attempts.tell(self.job, message["text"]))
        elif kind == "done":
            self.outcome.result = message["result"]
        elif kind == "stopped":
            self.outcome.stopped = True
        elif kind == "failed":
            self.outcome.failure = (message["reason"], message["message"])

    def _is_due(self, what: str, seconds: float) -> bool:
        now = time.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + seconds
        return True

    def _look(self) -> None:
        now = time.monotonic()
        if self._kill_at is not None and now >= self._kill_at:
            self.child.kill()
        if self._began is None and now >= self._ready_by:
            self.child.kill()
        if self.stopping():
            self._stop("handed_back", self.child.terminate)
        if self._is_due("state", _STATE_SECONDS):
            self._try(self._check_state)
        if self._is_due("usage", _USAGE_SECONDS):
            self._check_usage()
        self._check_time()
        if self._has_news and self._is_due("report", _REPORT_SECONDS):
            self._try(self.report)

    def _try(self, act: Callable[[], object]) -> None:
        """Do something with the database; while it cannot be used, the child goes on."""
        try:
            act()
        except StorageError as error:
            log.error("storage failed during a run", error=str(error))

    def _check_state(self) -> None:
        state = self.attempts.state(self.job)
        if state is None:
            self._stop("stale", self.child.kill)
        elif state == "cancelling":
            self._stop("cancelled", lambda: self.child.order("cancel"))

    def _stop(
        self,
        cause: Cause,
        how: Callable[[], None],
        seconds: float = _LEAVE_SECONDS,
        message: str | None = None,
    ) -> None:
        """Stop the child for the first cause there is; a later one can only hasten it."""
        kill_at = time.monotonic() + seconds
        if self.outcome.cause is None:
            self.outcome.cause, self.outcome.message, self._kill_at = cause, message, kill_at
            how()
        elif self._kill_at is None or kill_at < self._kill_at:
            self._kill_at = kill_at

    def _check_usage(self) -> None:
        resident, cpu, processes = self.child.usage()
        memory = resident - self._left_before
        if self._began is not None:
            self._peak = max(self._peak, resident)
            self._cpu = max(self._cpu, cpu - self._cpu_before)
        if processes > _MAX_PROCESSES:
            self._stop(
                "internal",
                self.child.kill,
                message=f"The job started {processes - 1} processes, but at most "
                f"{_MAX_PROCESSES} are allowed.",
            )
        if memory > _MEMORY_MARGIN * self.memory_limit:
            self._stop(
                "memory_limit",
                self.child.kill,
                message=f"The job used {memory / 1e9:.1f} GB, but its limit is "
                f"{self.memory_limit / 1e9:.1f} GB.",
            )

    def _check_time(self) -> None:
        limit = self.job.wall_limit or self.settings.wall_seconds
        used = self.wall_seconds
        if used >= limit:
            self._stop(
                "time_limit",
                self.child.terminate,
                self.settings.stop_seconds,
                f"The job used its {limit:g} s of wall time.",
            )
        elif used >= _FINISH_FRACTION * limit and not self.outcome.cut_short:
            self.outcome.cut_short = True
            self.child.order("finish")

    def report(self) -> None:
        """Report what was not reported yet.

        Raises:
            StorageError: If the database cannot be used; what is new then stays new.
        """
        if not self._has_news:
            return
        self.attempts.report(
            self.job,
            self._progress,
            points=self._points,
            best=self._best,
            series=[self.series[number] for number in sorted(self.series)],
            times=self._new_times,
            **self.spent,
        )
        self._points, self._new_times, self._has_news, self._best = [], [], False, None


def describe_exit(code: int) -> str:
    """Return what an exit code means, to follow "because".

    Example:
        >>> describe_exit(-9)
        'its process was killed by signal 9'
    """
    if code < 0:
        return f"its process was killed by signal {-code}"
    return f"its process ended with exit code {code}"
