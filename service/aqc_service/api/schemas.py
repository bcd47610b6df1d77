"""What the API answers, as JSON Schema and as records."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from aqc_service.records import Artifact, Event, Job
from aqc_service.states import Reason, State

NO_WORKER = "No worker is alive; the job waits until one is."
HELD = "The job waits until fewer of your jobs run."


class View(BaseModel):
    """Base of the answers."""

    model_config = ConfigDict(use_attribute_docstrings=True, frozen=True)


class Progress(View):
    """Where a running job stands."""

    model_config = ConfigDict(extra="allow")

    stage: str | None = None
    """target, compile, optimize or certify; of a kernel: run."""
    fraction: float | None = None
    """Part of the stage that is done, null when unknown."""
    evaluations: int = 0
    """Evaluations of the objective so far."""
    infidelity: float | None = None
    """1 - F so far."""
    time_number: int | None = None
    """Of a series: which time is being compiled, from 1 on; null otherwise."""


class Best(View):
    """The best circuit so far."""

    infidelity: float | None
    evaluations: int | None
    time_number: int | None = None
    """Of a series: which time it is of."""


class TimeView(View):
    """A time of a series that is done."""

    number: int
    """From 1 on, for the parameter `time_number` of the result."""
    time: float
    layers: int
    two_qubit_depth: int
    infidelity: float
    infidelity_bound: float
    """Against the exact evolution, as its certificate tells it."""
    trotter_infidelity: float | None
    """Of the best product formula that is no shallower; null where the start is none of its own."""
    evaluations: int
    seconds: float
    status: str
    result: str
    """Path of its circuit, and with `format=json` of its certificate."""


class Links(View):
    """Where else to look."""

    self: str
    events: str
    result: str
    artifacts: str
    cancel: str
    retry: str
    page: str


class JobView(View):
    """A job, without its problem."""

    id: str
    kind: str
    """What kind of work: compile, series (a compile of several times) or kernel."""
    state: State
    reason: Reason | None
    """Why it failed; time_limit also for a success that stopped at its wall time."""
    message: str | None
    """A sentence about the reason."""
    notes: list[str]
    """What the caller should know now, such as that no worker is alive."""
    name: str | None
    tags: list[str]
    priority: int
    queue: str
    """cpu or gpu: which workers may run it."""
    num_qubits: int
    """0 of a kernel."""
    memory_bytes: int
    """Memory predicted before the job was accepted; 0 of a kernel, which is only limited."""
    attempt: int
    """How often it was started."""
    version: int
    """Grows by one with every change; the sequence number of its last event."""
    progress: Progress | None
    cpu_seconds: float
    wall_seconds: float
    """Used so far, over all attempts."""
    wall_limit: float | None
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    retry_of: str | None
    """The job that this one continues."""
    best: Best | None
    result: dict[str, Any] | None
    """Summary of the result, once there is one."""
    links: Links

    @classmethod
    def of(cls, job: Job, notes: Sequence[str] = ()) -> Self:
        """Return the view of a job."""
        return cls(**_fields(job, notes))


class JobDetail(JobView):
    """A job with its problem."""

    problem: dict[str, Any]
    """problem.json with all defaults filled in; of a kernel its name, the operation, how arrays are
    written, and the job that the input came with."""
    series: list[TimeView] | None
    """Of a series: the times that are done, also while later ones are being compiled."""

    @classmethod
    def of(cls, job: Job, notes: Sequence[str] = ()) -> Self:
        """Return the view of a job with its problem."""
        return cls(problem=json.loads(job.problem), series=_series(job), **_fields(job, notes))


class JobPage(View):
    """A page of jobs, newest first."""

    jobs: list[JobView]
    next_cursor: str | None
    """For the parameter `cursor` of the next page; null on the last one."""


class EventView(View):
    """Something that happened to a job."""

    seq: int = Field(ge=1)
    """1, 2, 3, ...; without gaps until a day after the job finished, when progress is thinned."""
    at: datetime
    kind: Literal["state", "progress", "message"]
    data: dict[str, Any]
    """The new state, the progress, or {"text": ...}."""

    @classmethod
    def of(cls, event: Event) -> Self:
        """Return the view of an event."""
        return cls.model_validate(
            {"seq": event.seq, "at": event.at, "kind": event.kind, "data": event.data}
        )


class EventPage(View):
    """Events of a job, oldest first."""

    events: list[EventView]
    last_seq: int
    """For the parameter `after` of the next page."""
    state: State
    """The job's state; once it is final and a page is empty, there will be no more events."""


class ArtifactView(View):
    """A file of a job."""

    name: str
    size: int
    sha256: str
    media_type: str
    href: str

    @classmethod
    def of(cls, artifact: Artifact) -> Self:
        """Return the view of an artifact."""
        return cls(
            name=artifact.name,
            size=artifact.size,
            sha256=artifact.sha256,
            media_type=artifact.media_type,
            href=f"{job_path(artifact.job_id)}/artifacts/{artifact.name}",
        )


class ArtifactList(View):
    """The files of a job; none before it is finished."""

    artifacts: list[ArtifactView]


class Estimate(View):
    """What a problem will need, told without storing anything."""

    num_qubits: int
    layers: int
    """What it is told for: the deepest of a sweep; for "auto" the most that fit."""
    bond_dimension: int
    """The target's, forecast from the middle of the chain."""
    memory_bytes: int
    memory_limit_bytes: int
    """The smaller of the problem's `limits.memory_gb` and what the service allows a job."""
    fits: bool
    """Whether the job would be accepted."""
    seconds: float
    """Wall time if all evaluations are used; an estimate, from this server's own speed."""
    warnings: list[str]


class Health(View):
    """That the process answers."""

    status: Literal["ok"] = "ok"


class Check(View):
    """How a part of the service is."""

    ok: bool
    message: str


class Readiness(View):
    """That every part of the service works."""

    status: Literal["ready"] = "ready"
    checks: dict[str, Check]


class Limits(View):
    """The most that the service takes."""

    body_bytes: int
    num_qubits: int
    memory_gb: float
    wall_seconds: float
    default_wall_seconds: float
    wait_seconds: int
    page_jobs: int
    name_characters: int
    tags: int
    tag_characters: int
    priority: int
    streams: int


def job_path(job_id: str) -> str:
    """Return the path of a job.

    Example:
        >>> job_path("0198")
        '/v1/jobs/0198'
    """
    return f"/v1/jobs/{job_id}"


def _fields(job: Job, notes: Sequence[str]) -> dict[str, Any]:
    path = job_path(job.id)
    copied = {name: getattr(job, name) for name in _COPIED}
    best = job.best and Best(**{name: job.best.get(name) for name in Best.model_fields})
    links = {
        name: f"{path}/{name}" for name in ("events", "result", "artifacts", "cancel", "retry")
    }
    return {
        **copied,
        "tags": list(job.tags),
        "notes": list(notes),
        "best": best or None,
        "links": Links(self=path, page=f"/ui/jobs/{job.id}", **links),
    }


def _series(job: Job) -> list[TimeView] | None:
    if job.kind != "series":
        return None
    path = f"{job_path(job.id)}/result?time_number="
    return [TimeView(**row, result=f"{path}{row['number']}") for row in job.series or ()]


_COPIED = set(JobView.model_fields) - {"tags", "notes", "best", "links"}
