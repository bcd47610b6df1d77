"""ETag and If-None-Match, Accept, Prefer: what a request says about the answer it wants."""

import base64
import hashlib
import re

from fastapi import Request, Response

MAX_WAIT = 30

_TAGS = re.compile(r'(?:W/)?("[^"]*")')
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,9})\"?\s*(?=$|[,;])", re.IGNORECASE)


def conditional(request: Request, response: Response, etag: str) -> Response:
    """Return the response with its ETag, or 304 without a body when the caller has it.

    Args:
        request: Its If-None-Match decides.
        response: The full response.
        etag: The tag, without quotes.
    """
    given = ", ".join(request.headers.getlist("If-None-Match"))
    if given.strip() == "*" or f'"{etag}"' in _TAGS.findall(given):
        kept = ("content-location", "cache-control", "link", "vary")
        headers = {name: value for name, value in response.headers.items() if name in kept}
        response = Response(status_code=304, headers=headers)
    response.headers["ETag"] = f'"{etag}"'
    return response


def digest(sha256: str) -> dict[str, str]:
    """Return the header that lets a caller check what it received (RFC 9530).

    Example:
        >>> digest("00" * 32)["Repr-Digest"][:14]
        'sha-256=:AAAAA'
    """
    return {"Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"}


def tag_of(content: bytes) -> str:
    """Return the ETag of a content, without quotes."""
    return hashlib.sha256(content).hexdigest()[:32]


def preferred_wait(prefer: str) -> int:
    """Return the seconds of `Prefer: wait=N` (RFC 7240), at most 30, 0 without it.

    Example:
        >>> preferred_wait("respond-async, wait=100")
        30
    """
    found = _WAIT.search(prefer)
    return min(int(found[1]), MAX_WAIT) if found else 0


def best_type(accept: str, offered: list[str]) -> str | None:
    """Return the media type offered that the caller likes best, None when it accepts none.

    Args:
        accept: The header Accept; empty accepts all.
        offered: Media types, the default first.

    Example:
        >>> best_type("text/html;q=0.9, application/json, */*;q=0.1", ["a/b", "application/json"])
        'application/json'
        >>> best_type("*/*", ["a/b", "application/json"])
        'a/b'
    """
    ranges = [_media_range(part) for part in accept.split(",") if part.strip()] or [("*/*", 1.0)]
    rated = [(_quality(media_type, ranges), media_type) for media_type in offered]
    quality, media_type = max(rated, key=lambda item: item[0])
    return media_type if quality > 0 else None


def _media_range(text: str) -> tuple[str, float]:
    media_type, *parameters = (part.strip().lower() for part in text.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q" and re.fullmatch(r"[01](\.\d{0,3})?", value.strip()):
            return media_type, float(value)
    return media_type, 1.0


def _quality(media_type: str, ranges: list[tuple[str, float]]) -> float:
    """The most specific range that matches decides."""
    kind = media_type.split("/")[0]
    for pattern in (media_type, f"{kind}/*", "*/*"):
        found = [quality for accepted, quality in ranges if accepted == pattern]
        if found:
            return max(found)
    return 0.0
