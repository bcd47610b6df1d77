"""A client of the service: submit a problem, wait with a progress bar, fetch the circuit.

It needs httpx (the extra `client`) and imports no numerical library before it has to.
"""

import base64
import contextlib
import hashlib
import io
import json
import time as clock
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, cast
from urllib.parse import quote

import httpx

from aqc.console import bar
from aqc.errors import AqcError, InputError
from aqc.live import in_notebook, live
from aqc.progress import Progress, Report

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from aqc.progress import Stage

DEFAULT_URL = "http://127.0.0.1:8765"
Format = Literal["qasm3", "qasm2", "qpy", "json"]

_FINAL = ("succeeded", "failed", "cancelled")
_BUSY = (429, 503)
_READ_SECONDS = 45.0  # of a stream, which says something at least every 15
_PATIENCE_SECONDS = 60.0
_LONGEST_PAUSE = 5.0


class ServiceError(AqcError):
    """The service answered with an error, or not at all.

    Args:
        message: What it said.
        status: HTTP status, None when there was no answer.
    """

    def __init__(self, message: str, status: int | None = None):
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Job:
    """A job as the service described it at some moment.

    Attributes:
        id: Its name in every address.
        state: queued, running, cancelling, succeeded, failed or cancelled.
        fields: All that the service said.
    """

    id: str
    state: str
    fields: Mapping[str, Any]

    @property
    def is_finished(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in _FINAL


@dataclass(frozen=True)
class Event:
    """Something that happened to a job.

    Attributes:
        seq: 1, 2, 3, ...; without gaps until a day after the job finished.
        kind: "state", "progress" or "message".
        data: What happened.
    """

    seq: int
    kind: str
    data: Mapping[str, Any]


class Client:
    """Speaks to a service.

    Args:
        base_url: Where it listens.
        timeout: Seconds to wait for an answer.
        transport: For tests: how requests are sent.

    Example:
        >>> with Client("http://127.0.0.1:8765") as client:
        ...     client.base_url
        'http://127.0.0.1:8765'
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        timeout: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ):
        self.base_url = base_url.rstrip("/")
        self._timeout = timeout
        self._http = httpx.Client(base_url=self.base_url, timeout=timeout, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def submit(
        self,
        problem: Any,
        time: float | None = None,
        *,
        name: str | None = None,
        tags: Iterable[str] = (),
        priority: int = 0,
        wall_seconds: float | None = None,
        idempotency_key: str | None = None,
        **settings: Any,
    ) -> Job:
        """Submit a problem; sent again without harm when the connection breaks.

        Args:
            problem: A `Problem`, what problem.json holds, or a Hamiltonian in any form that
                `compile_evolution` takes, such as SparsePauliOp.
            time: t, with a Hamiltonian; left out for a PauliEvolutionGate.
            name: A title for people.
            tags: Words to filter by.
            priority: Higher runs first, 0 to 100.
            wall_seconds: Wall time that the job may take.
            idempotency_key: Two calls with one key and problem give one job; made up if missing.
            **settings: The other fields of problem.json, with a Hamiltonian.

        Returns:
            The job, which runs on its own from now on.

        Raises:
            InputError: If the problem is refused; `errors` names every field at fault.
            ServiceError: If the service does not take it.
        """
        content = _content(problem, time, settings)
        content |= {"name": name} if name is not None else {}
        content |= {"tags": list(tags)} if tags else {}
        content |= {"priority": priority} if priority else {}
        if wall_seconds is not None:
            content["limits"] = {**content.get("limits", {}), "wall_seconds": wall_seconds}
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": idempotency_key or uuid.uuid4().hex,
        }
        body = json.dumps(content, default=_plain).encode()
        return _job(self._send("POST", "/v1/jobs", content=body, headers=headers))

    def job(self, job: Job | str) -> Job:
        """Return a job as it is now."""
        return _job(self._send("GET", f"/v1/jobs/{_id(job)}"))

    def jobs(self, *, state: str | None = None, tag: str | None = None) -> Iterator[Job]:
        """Return jobs, newest first; pages are fetched as they are needed.

        Args:
            state: Only jobs in this state.
            tag: Only jobs with this tag.
        """
        given = {"state": state, "tag": tag, "limit": "200"}
        query = {key: value for key, value in given.items() if value is not None}
        while True:
            page = self._send("GET", "/v1/jobs", params=query).json()
            for fields in page["jobs"]:
                yield Job(fields["id"], fields["state"], fields)
            if page["next_cursor"] is None:
                return
            query["cursor"] = page["next_cursor"]

    def cancel(self, job: Job | str) -> Job:
        """Cancel a job; its best circuit so far is kept."""
        return _job(self._send("POST", f"/v1/jobs/{_id(job)}/cancel"))

    def retry(self, job: Job | str, *, idempotency_key: str | None = None) -> Job:
        """Submit a finished job again; the new one goes on from its last checkpoint.

        Args:
            job: The job or its id.
            idempotency_key: Two calls with one key give one job; made up if missing.
        """
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        return _job(self._send("POST", f"/v1/jobs/{_id(job)}/retry", headers=headers))

    def delete(self, job: Job | str) -> None:
        """Delete a finished job with its files."""
        self._send("DELETE", f"/v1/jobs/{_id(job)}", repeat=False)

    def wait(self, job: Job | str, *, progress: bool = True) -> Job:
        """Return the job when it is finished; Ctrl-C stops the waiting, not the job.

        Args:
            job: The job or its id.
            progress: Show a progress bar, on stderr or in a notebook.
        """
        with _display() if progress else contextlib.nullcontext(None) as report:
            for event in self.events(job):
                if report is not None:
                    report(_progress(event))
        return self.job(job)

    def events(self, job: Job | str, after: int = 0) -> Iterator[Event]:
        """Return what happens to a job until it is finished, each event exactly once.

        A connection that breaks is opened again, and the stream goes on where it was.

        Args:
            job: The job or its id.
            after: Only events after this number.

        Raises:
            ServiceError: If there is no such job, or no connection for a minute.
        """
        path = f"/v1/jobs/{_id(job)}/events"
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

    def result(self, job: Job | str, *, best_so_far: bool = False) -> "QuantumCircuit":
        """Return the circuit of a job.

        Args:
            job: The job or its id.
            best_so_far: Be content with the best circuit so far of an unfinished job.

        Raises:
            ServiceError: If there is none (yet).
        """
        from qiskit import qpy

        content = self.download(job, "qpy", best_so_far=best_so_far)
        return cast("QuantumCircuit", qpy.load(io.BytesIO(content))[0])

    def result_json(self, job: Job | str, *, best_so_far: bool = False) -> dict[str, Any]:
        """Return all that is known of a job's result: the content of result.json."""
        return cast(dict[str, Any], json.loads(self.download(job, "json", best_so_far=best_so_far)))

    def download(self, job: Job | str, format: Format, *, best_so_far: bool = False) -> bytes:
        """Return a job's result in a format, checked against the digest that came with it."""
        query = {"format": format, "best_so_far": str(best_so_far).lower()}
        response = self._send("GET", f"/v1/jobs/{_id(job)}/result", params=query)
        digest = base64.b64encode(hashlib.sha256(response.content).digest()).decode()
        if response.headers.get("Repr-Digest") != f"sha-256=:{digest}:":
            raise ServiceError("The result was damaged on its way; fetch it again.")
        return response.content

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


def _content(problem: Any, time: float | None, settings: dict[str, Any]) -> dict[str, Any]:
    """Return what problem.json holds for the arguments of `submit`."""
    from aqc.inline import as_problem, inline
    from aqc.problem import Problem

    if isinstance(problem, Mapping) and ("hamiltonian" in problem or "target" in problem):
        return inline({**problem, **({} if time is None else {"time": time}), **settings})

    if not isinstance(problem, Problem):
        return as_problem(problem, time, **settings).to_dict()
    if time is not None or settings:
        raise InputError("A Problem says all itself: give no time and no settings beside it.")
    return problem.to_dict()


def _plain(value: Any) -> Any:
    """Return an array or scalar of NumPy as JSON has it."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise InputError(f"A problem must hold what JSON can, but holds {value!r}.")


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


def _display() -> contextlib.AbstractContextManager[Report]:
    return contextlib.nullcontext(live()) if in_notebook() else bar()


def _progress(event: Event) -> Progress:
    data = event.data
    stage = cast("Stage", data.get("stage") or data.get("state") or "message")
    return Progress(
        stage, data.get("fraction"), data.get("evaluations") or 0, data.get("infidelity")
    )


def _job(response: httpx.Response) -> Job:
    fields = response.json()
    return Job(fields["id"], fields["state"], fields)


def _id(job: Job | str) -> str:
    return quote(job if isinstance(job, str) else job.id, safe="")
