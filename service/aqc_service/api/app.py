"""The application: routes, errors, OpenAPI; made once per process."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from aqc.versions import versions
from aqc_service import page
from aqc_service.api import (
    auth,
    batches,
    describe,
    events,
    jobs,
    kernels,
    problems,
    results,
    service,
    session,
)
from aqc_service.api.batch_views import BatchTable
from aqc_service.api.context import RequestContext
from aqc_service.kernel_pool import KernelPool
from aqc_service.settings import ServiceSettings
from aqc_service.store import Store

_DESCRIPTION = """Compile quantum dynamics: POST a spin Hamiltonian and a time, receive a short
certified circuit. Errors are problem details (RFC 9457); `errors` names every field at fault.
The examples are for curl; `$JOB` is the `id` of a job, `$BATCH` that of a batch."""


def create_app(store: Store, settings: ServiceSettings) -> FastAPI:
    """Return the application.

    Args:
        store: Where jobs are kept.
        settings: Limits.
    """
    app = FastAPI(
        title="aqc",
        version=versions()["aqc"],
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.store = store
    app.state.settings = settings
    app.state.streams = events.Streams()
    app.state.limiter = auth.RateLimiter()
    app.state.kernel_pool = KernelPool(
        settings.kernel_processes,
        settings.threads,
        int(settings.kernel_memory_gb * 1e9),
        settings.kernel_seconds,
    )
    modules = (jobs, batches, events, results, service, session, page)
    routers = [*(module.router for module in modules), service.metrics_router]
    app.state.routers = [*routers, kernels.make_router()]
    for router in app.state.routers:
        app.include_router(router)
    problems.install(app)
    app.add_middleware(RequestContext)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """Return OpenAPI with the schemas that the routes name but FastAPI does not know."""
    if app.openapi_schema is None:
        found = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            openapi_version="3.1.0",
        )
        body, parts = describe.submission_schema()
        schemas = found.setdefault("components", {}).setdefault("schemas", {})
        schemas |= parts | {"Submission": body} | problems.schemas()
        table = BatchTable.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas["BatchTable"] = table
        _drop_unused_422(found)
        if app.state.settings.keys_required:
            found["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            for operation in _operations(found):
                if "401" in operation["responses"]:
                    operation["security"] = [{"key": []}]
        app.openapi_schema = found
    return app.openapi_schema


def _operations(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for operations in found["paths"].values():
        yield from operations.values()


def _drop_unused_422(found: dict[str, Any]) -> None:
    """Take out FastAPI's own 422: parameters at fault are 400 here."""
    for operation in _operations(found):
        content = operation["responses"].get("422", {}).get("content", {})
        if "HTTPValidationError" in str(content.get("application/json", "")):
            del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        found["components"]["schemas"].pop(name, None)
