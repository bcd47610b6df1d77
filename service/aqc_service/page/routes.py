"""The routes of the page: jobs, kernels, the API's operations, and their static files."""

import hashlib
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from aqc import kernels
from aqc.versions import versions
from aqc_service.page import fields, presets

# Nothing but our own files: no inline script or style, no other origin, in no frame.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # A changed page is seen at once; unchanged files cost a 304.
    "Cache-Control": "no-cache",
}

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

router = APIRouter(include_in_schema=False)

_templates = Environment(
    loader=PackageLoader("aqc_service.page"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

# Read once: a request can name nothing but these.
_STATIC = {
    entry.name: entry.read_bytes()
    for entry in (files("aqc_service.page") / "static").iterdir()
    if PurePosixPath(entry.name).suffix in MEDIA_TYPES
}


@router.get("/")
def home() -> HTMLResponse:
    """The form for a new job, and the list of jobs."""
    return _page(
        "home",
        "aqc",
        presets=presets.PRESETS,
        models=fields.model_forms(),
        terms=fields.terms_field(),
        main_fields=fields.main_fields(),
        more_fields=fields.more_fields(),
    )


@router.get("/ui/jobs/{job_id}")
def job(job_id: str) -> HTMLResponse:
    """One job; whether it exists, the page asks the API."""
    return _page("job", "Job · aqc", job_id=job_id)


@router.get("/ui/signin")
def signin() -> HTMLResponse:
    """Where the page asks for a key."""
    return _page("signin", "Key · aqc")


@router.get("/ui/batches")
def sweeps() -> HTMLResponse:
    """The list of sweeps."""
    return _page("batches", "Sweeps · aqc")


@router.get("/ui/batches/{batch_id}")
def sweep(batch_id: str) -> HTMLResponse:
    """One sweep; whether it exists, the page asks the API."""
    return _page("batch", "Sweep · aqc", batch_id=batch_id)


@router.get("/ui/kernels")
def shelf() -> HTMLResponse:
    """The shelf: every kernel, with its paper."""
    entries = list(kernels.catalogue().values())
    topics = sorted({entry["topic"] for entry in entries})
    return _page("kernels", "Kernels · aqc", kernels=entries, topics=topics)


@router.get("/ui/kernels/{slug}")
def kernel(slug: str) -> HTMLResponse:
    """One kernel: its paper, its claims, and a form to run it."""
    entry = kernels.catalogue().get(slug)
    if entry is None:
        raise HTTPException(404, f"There is no kernel {slug!r}.")
    return _page("kernel", f"{slug} · aqc", kernel=entry)


@router.get("/docs")
def docs() -> HTMLResponse:
    """The operations of the API, read from its OpenAPI description."""
    return _page("docs", "API · aqc")


@router.get("/ui/static/{name}")
def static(name: str, request: Request) -> Response:
    """A script, the stylesheet or the icon."""
    content = _STATIC.get(name)
    if content is None:
        raise HTTPException(404, f"There is no file {name!r}.")
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**HEADERS, "ETag": etag}
    if request.headers.get("If-None-Match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=MEDIA_TYPES[PurePosixPath(name).suffix], headers=headers)


def _page(view: str, title: str, **content: Any) -> HTMLResponse:
    template = _templates.get_template("page.html")
    html = template.render(view=view, title=title, version=versions()["aqc"], **content)
    return HTMLResponse(html, headers=HEADERS)
