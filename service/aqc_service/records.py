"""What the store hands out: plain, frozen records of jobs, events, artifacts and workers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aqc_service.states import TERMINAL


@dataclass(frozen=True)
class Job:
    """One job.

    Attributes:
        id: Sorts by time of creation.
        state: queued, running, cancelling, succeeded, failed or cancelled.
        reason: Why it failed, or "time_limit" for a success that stopped at its wall time.
        message: One sentence about the reason.
        problem: problem.json as text, all defaults filled in.
        attempt: How often it was started.
        lost: Attempts that ended because a process died.
        version: Grows by one with every change; also the number of events.
        progress: Newest {stage, fraction, evaluations, infidelity, infidelity_best}.
        wall_seconds: Wall time used so far, over all attempts.
        memory_bytes: Memory predicted.
        result: Summary of the result once there is one.
        best: {infidelity, evaluations, files: {name: path under the jobs directory}} of the best
            circuit so far, or None; of a series also time_number, which time it is of.
        series: Of a series the times that are done, as series.json has them, each with its number
            and its directory under the jobs directory.
    """

    id: str
    kind: str
    queue: str
    state: str
    reason: str | None
    message: str | None
    name: str | None
    tags: tuple[str, ...]
    priority: int
    owner: str | None
    problem: str
    body_hash: str
    num_qubits: int
    attempt: int
    lost: int
    version: int
    progress: dict[str, Any] | None
    cpu_seconds: float
    wall_seconds: float
    wall_limit: float | None
    memory_bytes: int
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    worker_id: str | None
    result: dict[str, Any] | None
    best: dict[str, Any] | None
    series: list[dict[str, Any]] | None
    retry_of: str | None
    idempotency_key: str | None
    request_id: str | None
    batch_id: str | None
    batch_index: int | None
    held: bool
    run_quota: int | None
    input_bytes: int
    peak_bytes: int

    @property
    def is_terminal(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in TERMINAL


@dataclass(frozen=True)
class Event:
    """Something that happened to a job.

    Attributes:
        seq: 1, 2, 3, ... within a job; without gaps until its progress is thinned, a day after
            it finished.
        kind: "state", "progress" or "message".
    """

    job_id: str
    seq: int
    at: datetime
    kind: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Artifact:
    """A file of a finished job; `path` is relative to the jobs directory."""

    job_id: str
    name: str
    size: int
    sha256: str
    media_type: str
    path: str


@dataclass(frozen=True)
class Batch:
    """Jobs that were made of one template.

    Attributes:
        mode: "product" or "zip".
        template: What all jobs have in common, as JSON text.
        axes: {JSON pointer: values}, as JSON text.
        size: Number of jobs that it was made of.
    """

    id: str
    name: str | None
    owner: str | None
    mode: str
    template: str
    axes: str
    size: int
    created_at: datetime
    body_hash: str
    idempotency_key: str | None


@dataclass(frozen=True)
class Worker:
    """A worker process, by its own report."""

    id: str
    host: str
    pid: int
    pid_started: float
    queues: tuple[str, ...]
    slots: int
    started_at: datetime
    heartbeat_at: datetime
    state: str
