"""The shelf over HTTP: its catalogue, and one address for each operation of each kernel.

All that is known here of a kernel stands in catalogue.json: no kernel is imported, none is named.
Bodies and answers pass through as bytes; what checks and computes are the pool's processes.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from aqc import kernels
from aqc.checks import nearest
from aqc.errors import InputError
from aqc_service.api import describe, kernel_docs
from aqc_service.api.conditional import conditional, preferred_wait, tag_of
from aqc_service.api.context import KEYED, RequestId, SettingsDep, StoreDep
from aqc_service.api.jobs import IdempotencyKey, accepted, finished
from aqc_service.api.problems import RETRY_SECONDS, Fault, Refusal, documented, refusal_of
from aqc_service.api.schemas import JobDetail, View
from aqc_service.api.submission import check_media_type, read_body
from aqc_service.kernel_input import submit
from aqc_service.kernel_pool import KernelPool, PoolFull, PoolGone, Reply
from aqc_service.settings import ServiceSettings

MAX_KERNEL_BODY = 64 * 2**20
_ASYNC = re.compile(r"(?:^|[,;])\s*respond-async\s*(?=$|[,;])", re.IGNORECASE)
_AGAIN = {"Retry-After": str(RETRY_SECONDS)}

Slug = Annotated[str, Path(description="The kernel's name.", examples=["do-merging"])]
Prefer = Annotated[
    str,
    Header(
        description="respond-async: make it a job however short it is; wait=N: answer when a job "
        "is finished, after N seconds (at most 30) anyway.",
        examples=["respond-async"],
    ),
]


class KernelList(View):
    """The shelf."""

    kernels: list[dict[str, Any]]
    """Of each: slug, topic, paper, notice, operations (name, summary, schema, axes, example,
    limit, resumable, figure), claims."""


class KernelAnswer(View):
    """What a kernel returned."""

    kernel: str
    operation: str
    version: str
    """Of aqc."""
    seconds: float
    """That it took to compute."""
    notice: str | None = None
    """What everyone must know who uses the kernel."""
    figure: str | None = None
    """The image asked for by `figure`, as an address of the scheme data."""
    result: Any
    """Arrays as `arrays` asks; a complex number or array is {"re": ..., "im": ...}."""


async def read_arguments(request: Request) -> list[bytes]:
    """Return the body in pieces; nobody here reads what it says.

    Raises:
        Refusal: 413 too large, 415 not application/json.
    """
    check_media_type(request)
    return await read_body(request, MAX_KERNEL_BODY)


@cache  # the catalogue stays as it is, and its routes take long to make
def make_router() -> APIRouter:
    """Return the routes of all kernels in the catalogue."""
    entries = kernels.catalogue()
    router = APIRouter(prefix="/v1/kernels", tags=["kernels"], dependencies=KEYED)
    _add_catalogue(router, entries)
    for entry in entries.values():
        for operation in entry["operations"]:
            endpoint = _endpoint(entry["slug"], operation)
            path = f"/{entry['slug']}/{operation['name']}"
            router.add_api_route(path, endpoint, **kernel_docs.route(entry, operation, _RESPONSES))
            if operation is entry["operations"][0]:
                router.add_api_route(
                    f"/{entry['slug']}", endpoint, methods=["POST"], include_in_schema=False
                )
    _add_unknown(router, entries)
    return router


_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The answer.", "model": KernelAnswer},
    202: {"model": JobDetail, **describe.ACCEPTED, "description": "Too long to wait for: a job."},
    **documented(400, 413, 415, 422, 429, 503),
}


def _add_catalogue(router: APIRouter, entries: Mapping[str, dict[str, Any]]) -> None:
    everything = json.dumps({"kernels": list(entries.values())}, ensure_ascii=False).encode()
    each = {slug: json.dumps(x, ensure_ascii=False).encode() for slug, x in entries.items()}

    @router.get(
        "",
        response_model=KernelList,
        responses={
            200: {"description": "The shelf.", "headers": {"ETag": describe.ETAG}},
            304: describe.NOT_MODIFIED,
            **documented(400),
        },
    )
    async def list_kernels(request: Request) -> Response:
        """List all kernels: paper, topic, operations with schema, example and limits, claims.

        ```sh
        curl http://127.0.0.1:8765/v1/kernels
        ```
        """
        return _known(request, everything)

    @router.get(
        "/{slug}",
        responses={
            200: {
                "description": "The kernel, as the list of all has it.",
                "content": {"application/json": {"schema": {"type": "object"}}},
                "headers": {"ETag": describe.ETAG},
            },
            304: describe.NOT_MODIFIED,
            **documented(400, 404),
        },
        response_class=Response,
    )
    async def show_kernel(request: Request, slug: Slug) -> Response:
        """Show a kernel.

        ```sh
        curl http://127.0.0.1:8765/v1/kernels/do-merging
        ```
        """
        if slug not in each:
            raise _no_kernel(slug, entries)
        return _known(request, each[slug])


def _add_unknown(router: APIRouter, entries: Mapping[str, dict[str, Any]]) -> None:
    # What is known is answered by the routes before these two.
    shown = next(iter(entries.values()))

    @router.post(
        "/{slug}",
        summary="Run a kernel's first operation",
        description="As at the operation's own address, which says what the body holds.\n\n"
        + kernel_docs.curl(shown["slug"], shown["operations"][0]["example"]),
        responses={**_RESPONSES, **documented(404)},
        response_model=None,
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"type": "object"}}},
            }
        },
    )
    async def no_kernel(slug: Slug) -> Response:
        raise _no_kernel(slug, entries)

    @router.post("/{slug}/{operation}", include_in_schema=False)
    async def no_operation(slug: str, operation: str) -> Response:
        if slug not in entries:
            raise _no_kernel(slug, entries)
        names = [x["name"] for x in entries[slug]["operations"]]
        hint = nearest(operation, names)
        raise Refusal(404, f"{slug} has the operations {', '.join(names)}{hint}")


def _endpoint(slug: str, operation: dict[str, Any]) -> Any:
    async def run_kernel(
        request: Request,
        store: StoreDep,
        settings: SettingsDep,
        request_id: RequestId,
        body: Annotated[list[bytes], Depends(read_arguments)],
        arrays: Annotated[
            Literal["list", "npy"],
            Query(description="Arrays of the answer as nested lists or as base64 of .npy."),
        ] = "list",
        figure: Annotated[
            Literal["svg", "png"] | None, Query(description="Draw the answer too.")
        ] = None,
        idempotency_key: IdempotencyKey = None,
        prefer: Prefer = "",
    ) -> Response:
        if figure is not None and not operation["figure"]:
            sentence = f"{operation['name']} draws no figure; leave `figure` out."
            raise Refusal(400, sentence, [Fault(detail=sentence, parameter="figure")])
        call = {"kernel": slug, "operation": operation["name"], "arrays": arrays}
        wants_job = _ASYNC.search(prefer) is not None
        pool: KernelPool = request.app.state.kernel_pool
        await run_in_threadpool(store.check_cpu)
        reply = await _ask(pool, {**call, "figure": figure, "check_only": wants_job}, body)
        await run_in_threadpool(store.charge, reply.cpu_seconds)
        if reply.kind == "answer":
            return Response(reply.body, media_type=JSONResponse.media_type)
        if reply.kind not in ("long", "slow"):
            raise _refusal(reply, settings)
        job, replayed = await run_in_threadpool(
            lambda: submit(
                store, call, body, idempotency_key=idempotency_key, request_id=request_id
            )
        )
        job = await finished(store, job, preferred_wait(prefer))
        response = await accepted(request, store, job, replayed, wait=0)
        if wants_job:
            response.headers["Preference-Applied"] = "respond-async"
        return response

    return run_kernel


async def _ask(pool: KernelPool, header: dict[str, Any], body: list[bytes]) -> Reply:
    try:
        return await asyncio.wrap_future(pool.submit(header, body))
    except PoolFull as error:
        raise Refusal(429, f"{error} Try again later.", headers=_AGAIN) from None
    except PoolGone as error:
        raise Refusal(503, str(error), headers=_AGAIN) from None


def _refusal(reply: Reply, settings: ServiceSettings) -> Refusal:
    """Return the answer to a call that has none."""
    as_job = "with the header `Prefer: respond-async` the call becomes a job"
    if reply.kind in ("unreadable", "refused"):
        faults = tuple((pointer, text) for pointer, text in json.loads(reply.body))
        error = InputError(faults[0][1], faults[0][0], faults)
        return refusal_of(error, 400 if reply.kind == "unreadable" else 422)
    if reply.kind == "memory":
        return Refusal(
            422,
            f"The call needs more memory than the {settings.kernel_memory_gb:g} GB of an immediate "
            f"answer; {as_job}, which may have {settings.memory_gb:g} GB.",
        )
    if reply.kind == "lost":
        return Refusal(
            503, f"The process that ran the call died. Try again, or {as_job}.", headers=_AGAIN
        )
    return Refusal(500, "Something broke inside the kernel; the service's log says what.")


def _known(request: Request, content: bytes) -> Response:
    response = Response(
        content, headers={"Cache-Control": "no-cache"}, media_type=JSONResponse.media_type
    )
    return conditional(request, response, tag_of(content))


def _no_kernel(slug: str, entries: Mapping[str, Any]) -> Refusal:
    return Refusal(404, f"There is no kernel {slug!r}{nearest(slug, entries)}")
