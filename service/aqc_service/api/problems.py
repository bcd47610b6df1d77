"""Errors as RFC 9457 problem details, whoever raises them."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException

from aqc.checks import shown
from aqc.errors import InputError
from aqc_service.creation import IdempotencyConflict
from aqc_service.database import StorageError
from aqc_service.quota import QuotaExceeded
from aqc_service.store import JobNotFinished

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 2

_log = structlog.get_logger("aqc.api")


class Fault(BaseModel):
    """One thing that is wrong, and where."""

    detail: str = Field(description="One sentence: what must hold, what was seen, what to do.")
    pointer: str | None = Field(default=None, description="JSON pointer into the body (RFC 6901).")
    parameter: str | None = Field(
        default=None, description="Name of the query parameter or header."
    )


class ProblemDetails(BaseModel):
    """An error, as RFC 9457 writes it."""

    type: str = Field(description="Always about:blank: the status says what kind it is.")
    title: str = Field(description="The status in words.")
    status: int
    detail: str = Field(description="What is wrong and what to do.")
    instance: str = Field(description="Path that was asked for.")
    request_id: str = Field(description="To find the request in the service's log.")
    errors: list[Fault] | None = Field(
        default=None, description="Every fault, when fields are at fault."
    )


class Refusal(Exception):
    """An answer that is an error.

    Args:
        status: HTTP status.
        detail: What is wrong and what to do.
        faults: What is wrong with which field.
        headers: Further headers.
        members: Further members of the problem details.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        faults: Sequence[Fault] = (),
        *,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ):
        super().__init__(detail)
        self.status, self.detail, self.faults = status, detail, tuple(faults)
        self.headers, self.members = dict(headers or {}), dict(members or {})


def refusal_of(error: InputError, status: int = 422) -> Refusal:
    """Return the answer to an input that the engine refuses.

    Example:
        >>> refusal_of(InputError("`time` must be finite, but is NaN.", "/time")).faults[0].pointer
        '/time'
    """
    faults = [Fault(detail=text, pointer=pointer) for pointer, text in error.errors]
    return Refusal(status, _first(faults), faults)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of error statuses, for a route's `responses`.

    Those of keys and quotas are among them.
    """
    return open_to_all(*sorted({*statuses, *_OF_KEYS}))


def open_to_all(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the same for a route that needs no key."""
    return {
        status: {
            "description": _MEANINGS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
            **({"headers": {"Retry-After": _RETRY_AFTER}} if status in _TRY_AGAIN else {}),
        }
        for status in statuses
    }


def install(app: FastAPI) -> None:
    """Make every error of an application problem details."""
    app.add_exception_handler(Refusal, _on_refusal)
    app.add_exception_handler(InputError, _on_input_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(IdempotencyConflict, _on_conflict)
    app.add_exception_handler(JobNotFinished, _on_not_finished)
    app.add_exception_handler(QuotaExceeded, _on_quota)
    app.add_exception_handler(StorageError, _on_storage_error)
    app.add_exception_handler(SQLAlchemyError, _on_storage_error)


_OF_KEYS = (401, 403, 429)
_MEANINGS = {
    400: "The request cannot be read: not JSON, or a parameter out of its range.",
    401: "Where the service asks for keys: there is none in the request, or it is not valid.",
    403: "The key is not for this, or its quota does not allow so much.",
    404: "There is no such job, batch, file or kernel.",
    406: "None of the accepted media types is offered.",
    409: "Not in the job's present state.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    422: "The body is JSON but cannot be used; `errors` names every field at fault.",
    429: "Too many requests, jobs, streams or calls of kernels; or the day's time is used up.",
    503: "The service cannot do its work now: its database, storage or workers are missing.",
}
_TRY_AGAIN = {409, 429, 503}
_RETRY_AFTER = {"description": "Seconds to wait.", "schema": {"type": "integer"}}


async def _on_refusal(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refusal)
    content = {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "detail": error.detail,
        "instance": request.url.path,
        "request_id": request.scope.get("state", {}).get("request_id", ""),
        **error.members,
    }
    if error.faults:
        content["errors"] = [fault.model_dump(exclude_none=True) for fault in error.faults]
    return JSONResponse(content, error.status, headers=error.headers, media_type=MEDIA_TYPE)


async def _on_input_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, InputError)
    return await _on_refusal(request, refusal_of(error))


async def _on_validation_error(request: Request, error: Exception) -> JSONResponse:
    """FastAPI validates parameters only, never bodies: those are read by the engine."""
    assert isinstance(error, RequestValidationError)
    faults = []
    for item in error.errors():
        place, name = item["loc"][0], str(item["loc"][-1])
        name = name.title() if place == "header" else name
        sentence = f"`{name}` cannot be {shown(item['input'])}: {_lowered(item['msg'])}."
        faults.append(Fault(detail=sentence, parameter=name))
    return await _on_refusal(request, Refusal(400, _first(faults), faults))


async def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    detail = str(error.detail)
    if error.status_code == 404:
        detail = f"There is nothing at {request.url.path}; /openapi.json lists what there is."
    elif error.status_code == 405:
        headers["Allow"] = ", ".join(sorted(_methods(request)))
        detail = f"{request.url.path} takes {headers['Allow']}, but not {request.method}."
    return await _on_refusal(request, Refusal(error.status_code, detail, headers=headers))


async def _on_conflict(request: Request, error: Exception) -> JSONResponse:
    fault = Fault(detail=str(error), parameter="Idempotency-Key")
    return await _on_refusal(request, Refusal(422, str(error), [fault]))


async def _on_not_finished(request: Request, error: Exception) -> JSONResponse:
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return await _on_refusal(request, Refusal(409, str(error), headers=headers))


async def _on_quota(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, QuotaExceeded)
    faults = [] if error.pointer is None else [Fault(detail=str(error), pointer=error.pointer)]
    if error.retry_after is None:
        return await _on_refusal(request, Refusal(403, str(error), faults))
    headers = {"Retry-After": str(error.retry_after)}
    return await _on_refusal(request, Refusal(429, str(error), faults, headers=headers))


async def _on_storage_error(request: Request, error: Exception) -> JSONResponse:
    _log.error("storage", error=str(error))
    detail = str(error) if isinstance(error, StorageError) else "The database does not answer."
    headers = {"Retry-After": str(RETRY_SECONDS)}
    return await _on_refusal(
        request, Refusal(503, f"{detail} Nothing was stored by this request.", headers=headers)
    )


async def broken(request: Request, error: Exception) -> JSONResponse:
    """Return the answer to what nobody expected; what happened stays in the log."""
    _log.error("unexpected", exc_info=error)
    return await _on_refusal(
        request, Refusal(500, "Something broke inside the service; its log has the request id.")
    )


def _methods(request: Request) -> set[str]:
    """Every method that the path takes; the router itself knows only its first match."""
    app = request.app
    routes = [*app.router.routes, *(r for router in app.state.routers for r in router.routes)]
    return {
        method
        for route in routes
        if (pattern := getattr(route, "path_regex", None)) and pattern.match(request.url.path)
        for method in getattr(route, "methods", None) or ()
    }


def _first(faults: Iterable[Fault]) -> str:
    first, *rest = [fault.detail for fault in faults]
    return first + (f" ({len(rest)} more in `errors`.)" if rest else "")


def _lowered(message: str) -> str:
    return message[:1].lower() + message[1:].rstrip(".")


def schemas() -> dict[str, Any]:
    """Return the schemas of problem details, for OpenAPI's components."""
    schema = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), "ProblemDetails": schema}
