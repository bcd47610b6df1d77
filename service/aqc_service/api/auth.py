"""Who asks: the key of a request, its owner, and how often it may ask."""

import time
from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlsplit

import structlog
from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from aqc_service import keys
from aqc_service.api.problems import Refusal
from aqc_service.creation import Caller
from aqc_service.keys import Key
from aqc_service.settings import ServiceSettings

COOKIE = "aqc_key"
_SAFE = ("GET", "HEAD")
_LONGEST = 200


class RateLimiter:
    """Counts requests: so many at once, and then as fast as they come back.

    Args:
        clock: Seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # owner to (left, when)

    def wait(self, owner: str, per_minute: int) -> float:
        """Count a request; return 0, or the seconds after which it may come again."""
        now = self._clock()
        left, when = self._buckets.get(owner, (float(per_minute), now))
        left = min(left + (now - when) * per_minute / 60.0, float(per_minute))
        if left < 1.0:
            self._buckets[owner] = (left, now)
            return (1.0 - left) * 60.0 / per_minute
        self._buckets[owner] = (left - 1.0, now)
        return 0.0


async def find_caller(request: Request) -> Caller:
    """Return who asks; everybody where no keys are asked for.

    Raises:
        Refusal: 401 without a valid key, 403 beyond its scope, 429 too often.
    """
    settings: ServiceSettings = request.app.state.settings
    if not settings.keys_required:
        return Caller()
    key = await find_key(request)
    if key.scope == "metrics" or (key.scope == "reader" and request.method not in _SAFE):
        raise Refusal(403, f"This key is a {key.scope} key, which this request is not for.")
    quota = settings.quota.over(dict(key.quota))
    if quota.requests_per_minute is not None:
        limiter: RateLimiter = request.app.state.limiter
        seconds = limiter.wait(key.owner, quota.requests_per_minute)
        if seconds:
            raise Refusal(
                429,
                f"At most {quota.requests_per_minute} requests in a minute are answered.",
                headers={"Retry-After": str(int(seconds) + 1)},
            )
    structlog.contextvars.bind_contextvars(owner=key.owner)
    return Caller(key.owner, quota)


async def check_scraper(request: Request) -> None:
    """Refuse who may not read the metrics, where keys are asked for.

    Raises:
        Refusal: 401 without a valid key, 403 with one for something else.
    """
    settings: ServiceSettings = request.app.state.settings
    if settings.keys_required and (await find_key(request)).scope != "metrics":
        raise Refusal(403, "The metrics tell of all owners: they need a key of scope metrics.")


async def find_key(request: Request) -> Key:
    """Return the valid key of a request, or refuse it with 401."""
    text = _text(request)
    engine = request.app.state.store.engine
    key = await run_in_threadpool(keys.find, engine, text) if text else None
    if key is None:
        detail = "is not valid (any more)" if text else "is missing"
        raise Refusal(
            401,
            f"The API key {detail}: send `Authorization: Bearer aqc_...`; "
            f"`aqc key create` makes one.",
            headers={"WWW-Authenticate": 'Bearer realm="aqc"'},
        )
    return key


def _text(request: Request) -> str:
    """Return the key that a request has, "" for none."""
    given = request.headers.get("Authorization")
    if given is not None:
        scheme, _, text = given.partition(" ")
        return text.strip()[:_LONGEST] if scheme.lower() == "bearer" else ""
    if request.method not in _SAFE and not _is_from_here(request):
        return ""  # another site's page sends the cookie along too
    return request.cookies.get(COOKIE, "")[:_LONGEST]


def _is_from_here(request: Request) -> bool:
    origin = request.headers.get("Origin", "")
    return bool(origin) and urlsplit(origin).netloc == request.headers.get("Host")


CallerDep = Annotated[Caller, Depends(find_caller)]
