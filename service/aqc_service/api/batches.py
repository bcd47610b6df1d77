"""Batches: many jobs of one template at once, as a table."""

import json
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from aqc_service import sweep_table
from aqc_service.api import describe
from aqc_service.api.batch_body import BatchBody, read_batch
from aqc_service.api.batch_views import (
    BatchPage,
    BatchTable,
    BatchView,
    batch_path,
)
from aqc_service.api.conditional import conditional, tag_of
from aqc_service.api.context import KEYED, RequestId, StoreDep, is_id, json_of
from aqc_service.api.jobs import RETRY_AFTER, IdempotencyKey
from aqc_service.api.problems import Refusal, documented
from aqc_service.api.submission import Submission
from aqc_service.batches import Batches, NewBatch
from aqc_service.changes import new_id
from aqc_service.creation import NewJob
from aqc_service.records import Batch
from aqc_service.store import MAX_PAGE, Store

router = APIRouter(prefix="/v1/batches", tags=["batches"], dependencies=KEYED)

BatchId = Annotated[
    str, Path(description="The batch's id.", examples=["0198c2f2a3b47c1d9e0f1a2b3c4d5e6f"])
]


@router.post(
    "",
    status_code=202,
    response_model=BatchView,
    responses={202: describe.ACCEPTED_BATCH, **documented(400, 413, 415, 422, 503)},
    openapi_extra=describe.BATCH_BODY,
)
async def submit_batch(
    store: StoreDep,
    request_id: RequestId,
    body: Annotated[BatchBody, Depends(read_batch)],
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Submit up to 1000 problems that differ along axes; all are stored, or none.

    ```sh
    curl -i http://127.0.0.1:8765/v1/batches -H 'Content-Type: application/json' \\
      -d '{"template": {"hamiltonian": {"model": "xxz_chain", "num_qubits": 10},
                        "time": 0.5, "ansatz": {"layers": 3}},
           "axes": {"/hamiltonian/delta": [0.0, 0.5, 1.0], "/time": [0.2, 0.4]}}'
    ```
    """
    new = _new_batch(body, idempotency_key)
    jobs = [_new_job(submission, request_id) for submission in body.submissions]
    batches = Batches(store)
    batch, replayed = await run_in_threadpool(batches.create, new, jobs)
    headers = {"Location": batch_path(batch.id), **RETRY_AFTER}
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    return json_of(await _view(batches, batch), 202, headers)


@router.get("", response_model=BatchPage, responses={200: describe.PAGE, **documented(400, 503)})
async def list_batches(
    store: StoreDep,
    limit: Annotated[int, Query(description="Most batches on a page.", ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[
        str | None,
        Query(description="`next_cursor` of the page before.", pattern="^[0-9a-f]{32}$"),
    ] = None,
) -> Response:
    """List batches, newest first.

    ```sh
    curl 'http://127.0.0.1:8765/v1/batches?limit=10'
    ```
    """
    batches = Batches(store)
    found, following = await run_in_threadpool(batches.list, limit, cursor)
    states = await run_in_threadpool(batches.states, [batch.id for batch in found])
    views = [BatchView.of(batch, states[batch.id]) for batch in found]
    response = json_of(BatchPage(batches=views, next_cursor=following))
    if following is not None:
        query = urlencode({"limit": limit, "cursor": following})
        response.headers["Link"] = f'</v1/batches?{query}>; rel="next"'
    return response


@router.get(
    "/{batch_id}",
    response_model=BatchView,
    responses={200: describe.BATCH, 304: describe.NOT_MODIFIED, **documented(400, 404, 503)},
)
async def show_batch(request: Request, store: StoreDep, batch_id: BatchId) -> Response:
    """Show a batch, and how many of its jobs are in which state.

    ```sh
    curl http://127.0.0.1:8765/v1/batches/$BATCH
    ```
    """
    batches = Batches(store)
    view = await _view(batches, await find_batch(store, batch_id))
    return _tagged(request, json_of(view))


@router.get(
    "/{batch_id}/table.{extension}",
    response_class=Response,
    responses={
        200: {
            "description": "The table.",
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/BatchTable"}},
                "text/csv": {"schema": {"type": "string"}},
            },
            "headers": {"ETag": describe.ETAG},
        },
        304: describe.NOT_MODIFIED,
        **documented(400, 404, 503),
    },
)
async def batch_table(
    request: Request, store: StoreDep, batch_id: BatchId, extension: Literal["csv", "json"]
) -> Response:
    """Return one row for each job: the values of the axes, its state, and what came of it.

    ```sh
    curl -o sweep.csv http://127.0.0.1:8765/v1/batches/$BATCH/table.csv
    curl http://127.0.0.1:8765/v1/batches/$BATCH/table.json
    ```
    """
    batch = await find_batch(store, batch_id)
    axes = json.loads(batch.axes)
    jobs = await run_in_threadpool(Batches(store).jobs, batch.id)
    names = sweep_table.column_names(list(axes))
    rows = sweep_table.rows(axes, batch.mode, jobs)
    if extension == "json":
        return _tagged(request, json_of(BatchTable(axes=names, rows=rows)))
    headers = {"Content-Disposition": f'attachment; filename="sweep-{batch.id[-8:]}.csv"'}
    text = sweep_table.to_csv(names, rows)
    return _tagged(request, Response(text, headers=headers, media_type="text/csv"))


@router.post(
    "/{batch_id}/cancel",
    status_code=202,
    response_model=BatchView,
    responses={202: describe.ACCEPTED_BATCH, **documented(400, 404, 503)},
)
async def cancel_batch(store: StoreDep, batch_id: BatchId) -> Response:
    """Cancel all jobs of a batch that are not finished. Doing it again changes nothing.

    ```sh
    curl -X POST http://127.0.0.1:8765/v1/batches/$BATCH/cancel
    ```
    """
    batch = await find_batch(store, batch_id)
    batches = Batches(store)
    await run_in_threadpool(batches.cancel, batch.id)
    return json_of(await _view(batches, batch), 202, RETRY_AFTER)


@router.delete(
    "/{batch_id}",
    status_code=204,
    responses={204: {"description": "Deleted."}, **documented(400, 404, 409, 503)},
)
async def delete_batch(store: StoreDep, batch_id: BatchId) -> Response:
    """Delete a batch whose jobs are all finished, and its jobs with their files.

    ```sh
    curl -i -X DELETE http://127.0.0.1:8765/v1/batches/$BATCH
    ```
    """
    batch = await find_batch(store, batch_id)
    await run_in_threadpool(Batches(store).delete, batch.id)
    return Response(status_code=204)


async def find_batch(store: Store, batch_id: str) -> Batch:
    """Return a batch, or refuse the request with 404."""
    batch = await run_in_threadpool(Batches(store).get, batch_id) if is_id(batch_id) else None
    if batch is None:
        raise Refusal(404, "There is no batch of this id; it may have been deleted.")
    return batch


def _new_batch(body: BatchBody, idempotency_key: str | None) -> NewBatch:
    return NewBatch(
        id=new_id(),
        name=body.name,
        mode=body.mode,
        template=json.dumps(body.template),
        axes=json.dumps(body.axes),
        size=len(body.submissions),
        body_hash=body.body_hash,
        idempotency_key=idempotency_key,
    )


def _new_job(submission: Submission, request_id: str) -> NewJob:
    return NewJob(
        submission.to_json(),
        kind=submission.kind,
        num_qubits=submission.problem.num_qubits,
        memory_bytes=0,
        body_hash=submission.body_hash,
        name=submission.name,
        tags=submission.tags,
        priority=submission.priority,
        queue=submission.device,
        wall_limit=submission.wall_seconds,
        request_id=request_id,
    )


async def _view(batches: Batches, batch: Batch) -> BatchView:
    states = await run_in_threadpool(batches.states, [batch.id])
    return BatchView.of(batch, states[batch.id])


def _tagged(request: Request, response: Response) -> Response:
    response.headers["Cache-Control"] = "no-cache"
    return conditional(request, response, tag_of(bytes(response.body)))
