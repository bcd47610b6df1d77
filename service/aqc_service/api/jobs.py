"""Jobs: submit, look, list, cancel, retry, delete."""

import asyncio
import time
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from aqc.errors import InputError
from aqc_service.api import describe
from aqc_service.api.conditional import conditional, preferred_wait
from aqc_service.api.context import (
    KEYED,
    RequestId,
    SettingsDep,
    StoreDep,
    find_job,
    json_of,
)
from aqc_service.api.memory import check_fits
from aqc_service.api.problems import Fault, Refusal, documented
from aqc_service.api.schemas import HELD, NO_WORKER, JobDetail, JobPage, JobView, job_path
from aqc_service.api.submission import Submission, check_tag, read_submission
from aqc_service.records import Job
from aqc_service.states import State
from aqc_service.store import MAX_PAGE, Store

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], dependencies=KEYED)

POLL_SECONDS = 0.1
RETRY_AFTER = {"Retry-After": "1"}

IdempotencyKey = Annotated[
    str | None,
    Header(
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Makes the request safe to repeat: one key and body give one job.",
        examples=["8a6c2b9e"],
    ),
]
Prefer = Annotated[
    str,
    Header(
        description="wait=N: answer when the job is finished, after N seconds (at most 30) anyway.",
        examples=["wait=1"],
    ),
]


@router.post(
    "",
    status_code=202,
    response_model=JobDetail,
    responses={
        200: describe.FINISHED,
        202: describe.ACCEPTED,
        **documented(400, 413, 415, 422, 503),
    },
    openapi_extra=describe.BODY,
)
async def submit_job(
    request: Request,
    store: StoreDep,
    settings: SettingsDep,
    request_id: RequestId,
    submission: Annotated[Submission, Depends(read_submission)],
    idempotency_key: IdempotencyKey = None,
    prefer: Prefer = "",
) -> Response:
    """Submit a problem; the answer is the job, which then runs on its own.

    With `times` in place of `time` it compiles one time after another, each from the one before.

    ```sh
    curl -i http://127.0.0.1:8765/v1/jobs -H 'Content-Type: application/json' \\
      -d '{"hamiltonian": {"model": "xxz_chain", "num_qubits": 10, "delta": 0.5}, "time": 0.5,
           "initial_state": "neel", "ansatz": {"layers": 5}, "name": "first"}'
    ```
    """
    memory = await run_in_threadpool(check_fits, submission.problems, settings.memory_gb)
    job, replayed = await run_in_threadpool(
        lambda: store.create(
            submission.to_json(),
            kind=submission.kind,
            num_qubits=submission.problem.num_qubits,
            memory_bytes=memory,
            name=submission.name,
            tags=submission.tags,
            priority=submission.priority,
            queue=submission.device,
            wall_limit=submission.wall_seconds,
            idempotency_key=idempotency_key,
            body_hash=submission.body_hash,
            request_id=request_id,
        )
    )
    return await accepted(request, store, job, replayed, wait=preferred_wait(prefer))


@router.get("", response_model=JobPage, responses={200: describe.PAGE, **documented(400, 503)})
async def list_jobs(
    store: StoreDep,
    state: Annotated[State | None, Query(description="Only jobs in this state.")] = None,
    kind: Annotated[
        str | None, Query(description="Only jobs of this kind.", pattern="^[a-z_]{1,32}$")
    ] = None,
    tag: Annotated[
        str | None, Query(description="Only jobs with this tag.", min_length=1, max_length=64)
    ] = None,
    limit: Annotated[int, Query(description="Most jobs on a page.", ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[
        str | None,
        Query(description="`next_cursor` of the page before.", pattern="^[0-9a-f]{32}$"),
    ] = None,
) -> Response:
    """List jobs, newest first.

    ```sh
    curl 'http://127.0.0.1:8765/v1/jobs?state=succeeded&limit=10'
    ```
    """
    if tag is not None:
        try:
            check_tag(tag, "")
        except InputError as error:
            raise Refusal(400, str(error), [Fault(detail=str(error), parameter="tag")]) from None
    filters = {"state": state, "kind": kind, "tag": tag}
    jobs, following = await run_in_threadpool(
        lambda: store.list(**filters, limit=limit, cursor=cursor)
    )
    unserved = await _unserved(store, jobs)
    page = JobPage(
        jobs=[JobView.of(job, _notes(job, unserved)) for job in jobs],
        next_cursor=following,
    )
    response = json_of(page)
    if following is not None:
        chosen = {name: value for name, value in filters.items() if value is not None}
        query = urlencode({**chosen, "limit": limit, "cursor": following})
        response.headers["Link"] = f'</v1/jobs?{query}>; rel="next"'
    return response


@router.get(
    "/{job_id}",
    response_model=JobDetail,
    responses={
        200: describe.JOB,
        304: describe.NOT_MODIFIED,
        **documented(400, 404, 503),
    },
)
async def show_job(
    request: Request, store: StoreDep, job_id: describe.JobId, prefer: Prefer = ""
) -> Response:
    """Show a job. With `Prefer: wait=N` the answer comes when it is finished.

    ```sh
    curl -H 'Prefer: wait=10' http://127.0.0.1:8765/v1/jobs/$JOB
    ```
    """
    job = await find_job(store, job_id)
    wait = preferred_wait(prefer)
    job = await finished(store, job, wait)
    notes = _notes(job, await _unserved(store, [job]))
    response = json_of(JobDetail.of(job, notes))
    response.headers["Cache-Control"] = "no-cache"
    _applied(response, wait)
    return conditional(request, response, f"{job.version}{'w' * len(notes)}{'h' * job.held}")


@router.post(
    "/{job_id}/cancel",
    status_code=202,
    response_model=JobView,
    responses={202: describe.ACCEPTED, **documented(400, 404, 409, 503)},
)
async def cancel_job(store: StoreDep, job_id: describe.JobId) -> Response:
    """Cancel a job; the best circuit so far is kept. Doing it again changes nothing.

    ```sh
    curl -X POST http://127.0.0.1:8765/v1/jobs/$JOB/cancel
    ```
    """
    await find_job(store, job_id)
    job = await run_in_threadpool(store.request_cancel, job_id)
    if job is None:
        raise _deleted()
    if job.state in ("succeeded", "failed"):
        raise Refusal(409, f"The job cannot be cancelled: it {job.state} before.")
    return json_of(JobView.of(job), 202, RETRY_AFTER)


@router.post(
    "/{job_id}/retry",
    status_code=202,
    response_model=JobDetail,
    responses={202: describe.ACCEPTED, **documented(400, 404, 409, 422, 503)},
)
async def retry_job(
    request: Request,
    store: StoreDep,
    request_id: RequestId,
    job_id: describe.JobId,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Submit a finished job again, as a new job that goes on from the last checkpoint.

    ```sh
    curl -i -X POST http://127.0.0.1:8765/v1/jobs/$JOB/retry
    ```
    """
    await find_job(store, job_id)
    made = await run_in_threadpool(
        lambda: store.retry(job_id, idempotency_key=idempotency_key, request_id=request_id)
    )
    if made is None:
        raise _deleted()
    return await accepted(request, store, *made, wait=0)


@router.delete(
    "/{job_id}",
    status_code=204,
    responses={204: {"description": "Deleted."}, **documented(400, 404, 409, 503)},
)
async def delete_job(store: StoreDep, job_id: describe.JobId) -> Response:
    """Delete a finished job with its files and events.

    ```sh
    curl -i -X DELETE http://127.0.0.1:8765/v1/jobs/$JOB
    ```
    """
    await find_job(store, job_id)
    if not await run_in_threadpool(store.delete, job_id):
        raise _deleted()
    return Response(status_code=204)


async def finished(store: Store, job: Job, seconds: int) -> Job:
    """Return the job when it is finished, or as it is after some seconds."""
    deadline = time.monotonic() + seconds
    while not job.is_terminal and time.monotonic() < deadline:
        await asyncio.sleep(POLL_SECONDS)
        found = await run_in_threadpool(store.get, job.id)
        if found is None:
            raise _deleted()
        job = found
    return job


async def accepted(
    request: Request, store: Store, job: Job, replayed: bool, *, wait: int
) -> Response:
    """Return the answer to a new job: 202, or 200 when it finished within `wait` seconds."""
    job = await finished(store, job, wait)
    notes = _notes(job, await _unserved(store, [job]))
    headers = {"Location": job_path(job.id)}
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    if job.is_terminal and wait:
        response = json_of(JobDetail.of(job, notes), 200, headers)
    else:
        response = json_of(JobDetail.of(job, notes), 202, headers | RETRY_AFTER)
    _applied(response, wait)
    return response


async def _unserved(store: Store, jobs: Sequence[Job]) -> set[str]:
    """Return the queues in which jobs wait while no worker serves them."""
    waiting = {job.queue for job in jobs if job.state == "queued"}
    if not waiting:
        return set()
    return waiting - {
        queue for one in await run_in_threadpool(store.workers) for queue in one.queues
    }


def _notes(job: Job, unserved: set[str]) -> list[str]:
    """Return what the callers of a waiting job should know."""
    if job.state != "queued":
        return []
    return [NO_WORKER] * (job.queue in unserved) + [HELD] * job.held


def _applied(response: Response, wait: int) -> None:
    if wait:
        response.headers["Preference-Applied"] = f"wait={wait}"


def _deleted() -> Refusal:
    return Refusal(404, "The job was deleted meanwhile.")
