"""What happens to a job: as a live stream (server-sent events) or as pages."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from aqc_service.api import describe
from aqc_service.api.conditional import best_type
from aqc_service.api.context import KEYED, StoreDep, find_job
from aqc_service.api.problems import Refusal, documented
from aqc_service.api.schemas import EventPage, EventView
from aqc_service.states import TERMINAL
from aqc_service.store import Store

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], dependencies=KEYED)

STREAM = "text/event-stream"
MAX_STREAMS = 256
MAX_EVENTS = 1000
POLL_SECONDS = 0.1
LOOK_SECONDS = 2.0
KEEP_ALIVE_SECONDS = 15.0
RECONNECT_MILLISECONDS = 500
_MAX_SEQ = 2**31 - 1


class Streams:
    """Counts the open streams of this process, and ends them when the process is to stop."""

    def __init__(self) -> None:
        self.open = 0
        self.closing = False


@router.get(
    "/{job_id}/events",
    response_model=EventPage,
    responses={
        200: {
            "description": "Events after a number, oldest first: a page, or a stream that goes on.",
            "content": {
                STREAM: {
                    "schema": {"type": "string"},
                    "example": 'id: 2\nevent: state\ndata: {"seq": 2, ...}\n\n',
                }
            },
        },
        204: {"description": "A stream was asked for, but the job is finished and all is told."},
        **documented(400, 404, 406, 429, 503),
    },
)
async def job_events(
    request: Request,
    store: StoreDep,
    job_id: describe.JobId,
    after: Annotated[
        int, Query(ge=0, le=_MAX_SEQ, description="Only events after this number.")
    ] = 0,
    limit: Annotated[
        int, Query(ge=1, le=MAX_EVENTS, description="Most events on a page.")
    ] = MAX_EVENTS,
    last_event_id: Annotated[
        str,
        Header(
            description="Number of the last event received; goes before `after`.",
            pattern="^[0-9]{0,9}$",
        ),
    ] = "",
) -> Response:
    """Tell what happens to a job.

    `Accept: text/event-stream` opens a stream: each event has its number as `id`, its kind
    (state, progress, message) as `event`, and an object as `data`. The stream ends with an event
    `end` when the job is finished. After a cut, `Last-Event-ID` goes on with what is missing.

    ```sh
    curl -N -H 'Accept: text/event-stream' http://127.0.0.1:8765/v1/jobs/$JOB/events
    curl 'http://127.0.0.1:8765/v1/jobs/$JOB/events?after=0&limit=100'
    ```
    """
    job = await find_job(store, job_id)
    after = int(last_event_id) if last_event_id else after
    offered = ["application/json", STREAM]
    chosen = best_type(request.headers.get("Accept", ""), offered)
    if chosen is None:
        raise Refusal(406, f"Events are offered as {' or '.join(offered)}.")
    if chosen == STREAM:
        if job.is_terminal and after >= job.version:
            return Response(status_code=204)
        return _stream(request, store, job_id, after)
    events = await run_in_threadpool(store.events, job_id, after, limit)
    page = EventPage.model_validate(
        {
            "events": [EventView.of(event) for event in events],
            "last_seq": events[-1].seq if events else after,
            "state": job.state,
        }
    )
    response = Response(page.model_dump_json(), media_type="application/json")
    if len(events) == limit:
        path = f"/v1/jobs/{job_id}/events?after={page.last_seq}&limit={limit}"
        response.headers["Link"] = f'<{path}>; rel="next"'
    return response


def _stream(request: Request, store: Store, job_id: str, after: int) -> Response:
    streams: Streams = request.app.state.streams
    if streams.open >= MAX_STREAMS:
        raise Refusal(
            429,
            f"At most {MAX_STREAMS} streams are open at a time; try again, or read pages.",
            headers={"Retry-After": "5"},
        )
    return StreamingResponse(
        _counted(streams, _follow(store, job_id, after, streams)),
        media_type=STREAM,
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


async def _counted(streams: Streams, lines: AsyncIterator[str]) -> AsyncIterator[str]:
    streams.open += 1
    try:
        async for line in lines:
            yield line
    finally:
        streams.open -= 1


async def _follow(store: Store, job_id: str, after: int, streams: Streams) -> AsyncIterator[str]:
    """Yield a job's events as they come, until it is finished."""
    yield f"retry: {RECONNECT_MILLISECONDS}\n\n"
    spoken = looked = time.monotonic()
    while not streams.closing:
        events = await run_in_threadpool(store.events, job_id, after, MAX_EVENTS)
        for event in events:
            yield _message(EventView.of(event))
            after = event.seq
        now = time.monotonic()
        if events:
            spoken = now
        # The last event says how the job ended; of a deleted job only its absence tells.
        ended = events[-1].data["state"] if events and events[-1].kind == "state" else None
        if not events and now - looked > LOOK_SECONDS:
            looked = now
            job = await run_in_threadpool(store.get, job_id)
            if job is None or (job.is_terminal and job.version <= after):
                ended = "deleted" if job is None else job.state
        if ended == "deleted" or ended in TERMINAL:
            yield f"event: end\ndata: {json.dumps({'state': ended})}\n\n"
            return
        if now - spoken > KEEP_ALIVE_SECONDS:
            yield ": still here\n\n"
            spoken = now
        if len(events) < MAX_EVENTS:
            await asyncio.sleep(POLL_SECONDS)


def _message(event: EventView) -> str:
    return f"id: {event.seq}\nevent: {event.kind}\ndata: {event.model_dump_json()}\n\n"
