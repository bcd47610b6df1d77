"""The client: submit a problem, wait with a progress bar, fetch the circuit."""

import base64
import contextlib
import hashlib
import io
import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import httpx

from aqc.client.content import as_content, encode
from aqc.client.records import Event, Format, Job, ServiceError
from aqc.client.sweeps import Sweeps
from aqc.live import progress_display
from aqc.progress import Progress

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from aqc.progress import Stage


class Client(Sweeps):
    """Speaks to a service.

    Args:
        base_url: Where it listens.
        key: API key, where the service asks for one.
        timeout: Seconds to wait for an answer.
        transport: For tests: how requests are sent.

    Example:
        >>> with Client("http://127.0.0.1:8765") as client:
        ...     client.base_url
        'http://127.0.0.1:8765'
    """

    def submit(
        self,
        problem: Any,
        time: float | None = None,
        *,
        times: Sequence[float] | None = None,
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
            times: Several times in place of `time`, each compiled from the one before.
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
        content = as_content(problem, time, settings, times)
        content |= {"name": name} if name is not None else {}
        content |= {"tags": list(tags)} if tags else {}
        content |= {"priority": priority} if priority else {}
        if wall_seconds is not None:
            content["limits"] = {**content.get("limits", {}), "wall_seconds": wall_seconds}
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": idempotency_key or uuid.uuid4().hex,
        }
        return _job(self._send("POST", "/v1/jobs", content=encode(content), headers=headers))

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
        with progress_display() if progress else contextlib.nullcontext(None) as report:
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
        yield from self._follow(f"/v1/jobs/{_id(job)}/events", after)

    def result(
        self, job: Job | str, *, best_so_far: bool = False, time_number: int | None = None
    ) -> "QuantumCircuit":
        """Return the circuit of a job.

        Args:
            job: The job or its id.
            best_so_far: Be content with the best circuit so far of an unfinished job.
            time_number: Which of several times, from 1 on; the last without it. Those that are
                done have a circuit while later ones are being compiled.

        Raises:
            ServiceError: If there is none (yet).
        """
        from qiskit import qpy

        content = self.download(job, "qpy", best_so_far=best_so_far, time_number=time_number)
        return cast("QuantumCircuit", qpy.load(io.BytesIO(content))[0])

    def result_json(
        self, job: Job | str, *, best_so_far: bool = False, time_number: int | None = None
    ) -> dict[str, Any]:
        """Return all that is known of a job's result: the content of result.json."""
        text = self.download(job, "json", best_so_far=best_so_far, time_number=time_number)
        return cast(dict[str, Any], json.loads(text))

    def download(
        self,
        job: Job | str,
        format: Format,
        *,
        best_so_far: bool = False,
        time_number: int | None = None,
    ) -> bytes:
        """Return a job's result in a format, checked against the digest that came with it."""
        query = {"format": format, "best_so_far": str(best_so_far).lower()}
        if time_number is not None:
            query["time_number"] = str(time_number)
        response = self._send("GET", f"/v1/jobs/{_id(job)}/result", params=query)
        digest = base64.b64encode(hashlib.sha256(response.content).digest()).decode()
        if response.headers.get("Repr-Digest") != f"sha-256=:{digest}:":
            raise ServiceError("The result was damaged on its way; fetch it again.")
        return response.content


def _progress(event: Event) -> Progress:
    data = event.data
    stage = cast("Stage", data.get("stage") or data.get("state") or "message")
    which = {name: data.get(name) for name in ("time", "time_number", "time_count")}
    evaluations = data.get("evaluations") or 0
    return Progress(stage, data.get("fraction"), evaluations, data.get("infidelity"), **which)


def _job(response: httpx.Response) -> Job:
    fields = response.json()
    return Job(fields["id"], fields["state"], fields)


def _id(job: Job | str) -> str:
    return quote(job if isinstance(job, str) else job.id, safe="")
