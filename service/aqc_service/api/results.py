"""What a job made: its circuit, its plots, its files."""

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from aqc.output import FIGURES
from aqc.times import MOST_TIMES
from aqc_service.api import describe, plots
from aqc_service.api.conditional import best_type, conditional, digest
from aqc_service.api.context import KEYED, StoreDep, find_job
from aqc_service.api.problems import RETRY_SECONDS, Refusal, documented
from aqc_service.api.schemas import ArtifactList, ArtifactView
from aqc_service.records import Artifact, Job
from aqc_service.store import Store

router = APIRouter(prefix="/v1/jobs", tags=["results"], dependencies=KEYED)

Format = Literal["qasm3", "qasm2", "qpy", "json"]

# Format to (file, media type); nobody has registered one for OpenQASM or QPY.
_FORMATS: dict[str, tuple[str, str]] = {
    "qasm3": ("circuit.qasm", "text/x-openqasm3"),
    "qasm2": ("circuit.qasm2", "text/x-openqasm2"),
    "qpy": ("circuit.qpy", "application/x-qpy"),
    "json": ("result.json", "application/json"),
}
_TYPES = {media_type: name for name, (_, media_type) in _FORMATS.items()} | {"text/plain": "qasm3"}
# Kinds of jobs that have no circuit.
_TYPES_OF_KIND = {"kernel": {"application/json": "json"}}
_IMAGES = {"svg": "image/svg+xml", "png": "image/png"}

# What a browser may do with a file that it shows by itself: nothing but style it.
_HARMLESS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}

TimeNumber = Annotated[
    int | None, Query(description="Which of several times, from 1 on.", ge=1, le=MOST_TIMES)
]

_HEADERS = {
    "ETag": describe.ETAG,
    "Repr-Digest": describe.header("sha-256 of the content (RFC 9530)."),
    "Aqc-Result": describe.header("final or best-so-far.", type="string"),
}


@dataclass(frozen=True)
class _File:
    content: bytes
    sha256: str
    final: bool


@router.get(
    "/{job_id}/result",
    response_class=Response,
    responses={
        200: {
            "description": "The circuit on |0...0>, or all that is known of the result.",
            "content": {
                "text/x-openqasm3": {"schema": {"type": "string"}},
                "text/x-openqasm2": {"schema": {"type": "string"}},
                "application/x-qpy": {"schema": {"type": "string", "format": "binary"}},
                "application/json": {"schema": {"type": "object"}},
                "text/plain": {"schema": {"type": "string"}},
            },
            "headers": _HEADERS,
        },
        304: describe.NOT_MODIFIED,
        **documented(400, 404, 406, 409, 503),
    },
)
async def job_result(
    request: Request,
    store: StoreDep,
    job_id: describe.JobId,
    format: Annotated[
        Format | None, Query(description="Goes before the header Accept; default qasm3.")
    ] = None,
    best_so_far: Annotated[
        bool, Query(description="Be content with the best circuit so far of an unfinished job.")
    ] = False,
    time_number: TimeNumber = None,
) -> Response:
    """Return the circuit as OpenQASM 3 or 2 or QPY, or everything about it as JSON.

    A cancelled job has its best circuit so far; the header Aqc-Result says so. The result of a
    kernel's job is JSON. A job with several times has a result for each time that is done, also
    while it goes on with later ones; without `time_number` it is that of the last.

    ```sh
    curl http://127.0.0.1:8765/v1/jobs/$JOB/result
    curl 'http://127.0.0.1:8765/v1/jobs/$JOB/result?time_number=1'
    curl -o circuit.qpy 'http://127.0.0.1:8765/v1/jobs/$JOB/result?format=qpy'
    curl -H 'Accept: application/json' http://127.0.0.1:8765/v1/jobs/$JOB/result
    ```
    """
    job = await find_job(store, job_id)
    media_type, chosen = _negotiated(request, format, _TYPES_OF_KIND.get(job.kind, _TYPES))
    name = _FORMATS[chosen][0]
    find = _result_file if time_number is None else partial(_file_of_time, number=time_number)
    file = await run_in_threadpool(lambda: find(store, job, name, best_so_far=best_so_far))
    named = name if time_number is None else f"{time_number}-{name}"
    return _respond(request, file, media_type, {"Content-Disposition": _named(job, named)})


@router.get(
    "/{job_id}/plots/{plot}.{extension}",
    response_class=Response,
    responses={
        200: {
            "description": "The image.",
            "content": {
                "image/svg+xml": {"schema": {"type": "string"}},
                "image/png": {"schema": {"type": "string", "format": "binary"}},
            },
            "headers": _HEADERS,
        },
        304: describe.NOT_MODIFIED,
        **documented(400, 404, 409, 503),
    },
)
async def job_plot(
    request: Request,
    store: StoreDep,
    job_id: describe.JobId,
    plot: Literal["convergence", "circuit", "sweep"],
    extension: Literal["svg", "png"],
    time_number: TimeNumber = None,
) -> Response:
    """Return a plot of a finished job; `sweep` if it fitted several depths.

    Of several times, each that is done has its plots.

    ```sh
    curl -o convergence.svg http://127.0.0.1:8765/v1/jobs/$JOB/plots/convergence.svg
    ```
    """
    job = await find_job(store, job_id)
    find = _figures if time_number is None else partial(_file_of_time, number=time_number)
    drawn_from = await run_in_threadpool(lambda: find(store, job, FIGURES))
    content = None
    if drawn_from is not None:
        content = await plots.draw(drawn_from.content, plot, extension)
    if content is None:
        raise _no_result(job, f"{plot}.{extension}", offered=False)
    image = _File(content, hashlib.sha256(content).hexdigest(), final=True)
    return _respond(request, image, _IMAGES[extension], dict(_HARMLESS))


@router.get(
    "/{job_id}/artifacts",
    response_model=ArtifactList,
    responses={200: {"description": "The files."}, **documented(400, 404, 503)},
)
async def job_artifacts(store: StoreDep, job_id: describe.JobId) -> ArtifactList:
    """List the files of a job; there are none before it is finished.

    ```sh
    curl http://127.0.0.1:8765/v1/jobs/$JOB/artifacts
    ```
    """
    await find_job(store, job_id)
    found = await run_in_threadpool(store.artifacts, job_id)
    return ArtifactList(artifacts=[ArtifactView.of(artifact) for artifact in found])


@router.get(
    "/{job_id}/artifacts/{name:path}",
    response_class=Response,
    responses={
        200: {
            "description": "The file.",
            "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
            "headers": _HEADERS,
        },
        304: describe.NOT_MODIFIED,
        **documented(400, 404, 503),
    },
)
async def job_artifact(
    request: Request, store: StoreDep, job_id: describe.JobId, name: str
) -> Response:
    """Return a file of a finished job.

    ```sh
    curl -O http://127.0.0.1:8765/v1/jobs/$JOB/artifacts/circuit.qasm
    ```
    """
    await find_job(store, job_id)
    artifact = await run_in_threadpool(_artifact, store, job_id, name)
    if artifact is None:
        raise Refusal(404, "The job has no file of this name; its artifacts list those it has.")
    file = await run_in_threadpool(_final, store, artifact)
    file_name = artifact.name.replace("/", "-")
    headers = {**_HARMLESS, "Content-Disposition": f'attachment; filename="{file_name}"'}
    return _respond(request, file, artifact.media_type, headers)


def _negotiated(request: Request, format: Format | None, types: dict[str, str]) -> tuple[str, str]:
    """Return the media type and the format."""
    if format is not None:
        return _FORMATS[format][1], format
    media_type = best_type(request.headers.get("Accept", ""), list(types))
    if media_type is None:
        raise Refusal(406, f"A result is offered as {', '.join(types)}; or choose by ?format=.")
    return media_type, types[media_type]


def _result_file(store: Store, job: Job, name: str, *, best_so_far: bool) -> _File:
    """Return a file of the result, or of the best circuit so far where that will do."""
    artifact = _artifact(store, job.id, name)
    if job.state == "succeeded" and artifact is not None:
        return _final(store, artifact)
    # What a job that ended early came to lies where its worker wrote it, or among its artifacts.
    best = (job.best or {}).get("files", {}).get(name)
    if best is not None and artifact is not None:
        best = artifact.path
    if best is not None and (best_so_far or job.state == "cancelled"):
        content = _read(store, best)
        return _File(content, hashlib.sha256(content).hexdigest(), final=False)
    raise _no_result(job, name, offered=best is not None)


def _file_of_time(
    store: Store, job: Job, name: str, *, number: int, best_so_far: bool = False
) -> _File:
    """Return a file of one of several times, or of its best circuit so far."""
    count = len(json.loads(job.problem).get("times", ())) if job.kind == "series" else 1
    if not number <= count:
        raise Refusal(404, f"The job has no time number {number}; its times are 1 to {count}.")
    row = next((row for row in job.series or () if row["number"] == number), None)
    if row is not None:
        artifact = _artifact(store, job.id, f"time_{number}/{name}")
        content = _read(store, artifact.path if artifact else f"{row['directory']}/{name}")
        final = row["status"] != "interrupted"
        return _File(content, hashlib.sha256(content).hexdigest(), final=final)
    if job.kind != "series" or (job.best or {}).get("time_number") == number:
        return _result_file(store, job, name, best_so_far=best_so_far)
    raise _no_result(job, f"{name} of time number {number}", offered=False)


def _figures(store: Store, job: Job, name: str) -> _File | None:
    """Return what the plots of a finished job are drawn from."""
    artifact = _artifact(store, job.id, name) if job.state == "succeeded" else None
    return None if artifact is None else _final(store, artifact)


def _no_result(job: Job, name: str, *, offered: bool) -> Refusal:
    if job.state == "succeeded":
        return Refusal(404, f"The job has no {name}.")
    if not job.is_terminal:
        remedy = "; the best circuit so far: ?best_so_far=true" if offered else ""
        return Refusal(
            409,
            f"The job is {job.state} and has no {name} yet{remedy}.",
            headers={"Retry-After": str(RETRY_SECONDS)},
        )
    if offered:
        return Refusal(409, "The job failed; its best circuit so far: ?best_so_far=true.")
    ended = "was cancelled" if job.state == "cancelled" else "failed"
    return Refusal(409, f"The job {ended} before it had a {name}, so there will be none.")


def _artifact(store: Store, job_id: str, name: str) -> Artifact | None:
    return next((found for found in store.artifacts(job_id) if found.name == name), None)


def _final(store: Store, artifact: Artifact) -> _File:
    return _File(_read(store, artifact.path), artifact.sha256, final=True)


def _read(store: Store, path: str) -> bytes:
    try:
        return store.files.read(path)
    except FileNotFoundError:
        raise Refusal(404, "The file is gone: the job was deleted meanwhile.") from None


def _named(job: Job, file: str) -> str:
    return f'inline; filename="{job.id[-8:]}-{file}"'


def _respond(request: Request, file: _File, media_type: str, headers: dict[str, Any]) -> Response:
    headers |= {
        **digest(file.sha256),
        "Aqc-Result": "final" if file.final else "best-so-far",
        "Cache-Control": "no-cache",
        "Vary": "Accept",
    }
    return conditional(
        request, Response(file.content, headers=headers, media_type=media_type), file.sha256[:32]
    )
