"""The connection to a service: requests that may be sent again, streams that go on, refusals."""

import json
import time as clock
from collections.abc import Iterator
from typing import Any, Self

import httpx

from aqc.client.records import Event, ServiceError
from aqc.errors import InputError

DEFAULT_URL = "http://127.0.0.1:8765"

_BUSY = (429, 503)
_READ_SECONDS = 45.0  # of a stream, which says something at least every 15
_PATIENCE_SECONDS = 60.0
_LONGEST_PAUSE = 5.0


class Connection:
    """Sends requests to a service.

    Args:
        base_url: Where it listens.
        key: API key, where the service asks for one.
        timeout: Seconds to wait for an answer.
        transport: For tests: how requests are sent.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        key: str | None = None,
        timeout: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ):
        self.base_url = base_url.rstrip("/")
        self._timeout = timeout
        self._http = httpx.Client(
            base_url=self.base_url,
            timeout=timeout,
            transport=transport,
            headers={} if key is None else {"Authorization": f"Bearer {key}"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def _follow(self, path: str, after: int) -> Iterator[Event]:
        """Yield the events of a stream, each once, through as many connections as it takes."""
        last, heard, pause = after, clock.monotonic(), 0.1
        while True:
            try:
                for event in self._stream(path, last):
                    heard, pause = clock.monotonic(), 0.1
                    if event is None:
                        return
                    if event.seq > last:
                        last = event.seq
                        yield event
            except (httpx.TransportError, ServiceError) as error:
                refused = isinstance(error, ServiceError) and error.status not in _BUSY
                if refused or clock.monotonic() - heard > _PATIENCE_SECONDS:
                    raise _unreachable(self.base_url, error) from error
            clock.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _stream(self, path: str, last: int) -> Iterator[Event | None]:
        """Yield the events of one connection, and None at the end of all."""
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(last)}
        timeout = httpx.Timeout(self._timeout, read=_READ_SECONDS)
        with self._http.stream("GET", path, headers=headers, timeout=timeout) as response:
            if response.status_code == 204:
                yield None
                return
            if response.is_error:
                response.read()
            _check(response)
            fields: dict[str, str] = {}
            for line in response.iter_lines():
                name, _, value = line.partition(": ")
                fields[name] = value
                if line:
                    continue
                if fields.get("event") == "end":
                    yield None
                elif "data" in fields:
                    yield Event(
                        int(fields["id"]), fields["event"], json.loads(fields["data"])["data"]
                    )
                fields = {}

    def _send(
        self, method: str, path: str, *, repeat: bool = True, **request: Any
    ) -> httpx.Response:
        """Send a request, up to three times when it may be repeated and nothing came back."""
        pauses = [0.2, 1.0] if repeat else []
        while True:
            try:
                response = self._http.request(method, path, **request)
            except httpx.TransportError as error:
                if not pauses:
                    raise _unreachable(self.base_url, error) from error
            else:
                if response.status_code not in _BUSY or not pauses:
                    return _check(response)
            clock.sleep(pauses.pop(0))


def _check(response: httpx.Response) -> httpx.Response:
    """Return the response, or raise what it says is wrong."""
    if not response.is_error:
        return response
    try:
        problem = response.json()
        detail = str(problem["detail"])
    except (ValueError, LookupError, TypeError):
        raise ServiceError(
            f"{response.request.url} answered {response.status_code}, but not as aqc does.",
            response.status_code,
        ) from None
    faults = tuple((f.get("pointer", ""), f["detail"]) for f in problem.get("errors", ()))
    if faults and response.status_code in (400, 422):
        raise InputError("\n".join(text for _, text in faults), faults[0][0], faults)
    raise ServiceError(detail, response.status_code)


def _unreachable(url: str, error: Exception) -> ServiceError:
    if isinstance(error, ServiceError):
        return error
    return ServiceError(f"No service answers at {url} ({error}); `aqc serve` starts one.")
