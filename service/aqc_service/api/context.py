"""What every request has: an id, a line in the log, and the store."""

import re
import time
import uuid
from typing import Annotated, Any

import structlog
from fastapi import Depends, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aqc_service.api.auth import CallerDep, find_caller
from aqc_service.api.problems import Fault, Refusal, broken
from aqc_service.api.schemas import View
from aqc_service.records import Job
from aqc_service.settings import ServiceSettings
from aqc_service.store import Store

_log = structlog.get_logger("aqc.api")
_ID = re.compile(r"[0-9a-f]{32}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestContext:
    """Gives each request an id (the caller's X-Request-ID when sensible) and a line in the log."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("X-Request-ID", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        began, status = time.perf_counter(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, send_with_id)
            except Exception as error:
                if status:
                    raise  # too late for another answer
                response = await broken(Request(scope), error)
                await response(scope, receive, send_with_id)
            finally:
                milliseconds = round(1e3 * (time.perf_counter() - began), 1)
                _log.info(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    milliseconds=milliseconds,
                )


def request_id(request: Request) -> str:
    """Return the id of a request."""
    return request.scope["state"]["request_id"]


def _store(request: Request, caller: CallerDep) -> Store:
    store: Store = request.app.state.store
    return store.of(caller)


def _settings(request: Request) -> ServiceSettings:
    return request.app.state.settings


# As the caller sees it: the jobs of others are not there.
StoreDep = Annotated[Store, Depends(_store)]
SettingsDep = Annotated[ServiceSettings, Depends(_settings)]
RequestId = Annotated[str, Depends(request_id)]


async def known_parameters(request: Request) -> None:
    """Refuse query parameters that a route does not have: a misspelled one would do nothing."""
    known = {param.alias for param in _dependant(request).query_params}
    faults = [
        Fault(
            detail=f"`{name}` is no parameter of this address; it has "
            f"{', '.join(sorted(known)) or 'none'}.",
            parameter=name,
        )
        for name in request.query_params
        if name not in known
    ]
    if faults:
        raise Refusal(400, faults[0].detail, faults)


# What all routes have that need a key.
KEYED = [Depends(find_caller), Depends(known_parameters)]


def json_of(view: View, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a view as the answer."""
    return Response(view.model_dump_json(), status, headers, media_type="application/json")


def _dependant(request: Request) -> Any:
    return request.scope["route"].dependant


def is_id(text: str) -> bool:
    """Whether a text can be the id of a job or a batch.

    Example:
        >>> is_id("0198"), is_id(32 * "a")
        (False, True)
    """
    return _ID.fullmatch(text) is not None


async def find_job(store: Store, job_id: str) -> Job:
    """Return a job, or refuse the request with 404."""
    job = await run_in_threadpool(store.get, job_id) if is_id(job_id) else None
    if job is None:
        raise Refusal(404, "There is no job of this id; it may have been deleted.")
    return job
