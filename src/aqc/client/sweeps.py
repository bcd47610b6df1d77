"""Sweeps: many problems of one template at once, and their table."""

import contextlib
import time as clock
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import quote

from aqc.client.connection import Connection
from aqc.client.content import as_template, encode
from aqc.client.records import Batch
from aqc.live import progress_display
from aqc.progress import Progress

if TYPE_CHECKING:
    from aqc.progress import Stage

_POLL_SECONDS = 0.5


class Sweeps(Connection):
    """What a client knows of batches."""

    def sweep(
        self,
        problem: Any,
        time: float | None = None,
        *,
        axes: Mapping[str, Sequence[Any]],
        mode: Literal["product", "zip"] = "product",
        name: str | None = None,
        progress: bool = True,
        **settings: Any,
    ) -> list[dict[str, Any]]:
        """Compile a problem for many values of its fields; wait, and return the table.

        `pandas.DataFrame(client.sweep(...))` is a data frame with a row for each job. Ctrl-C stops
        the waiting, not the jobs: `table` gives what there is.

        Args:
            problem: As for `submit`; what an axis sets may be missing in a dictionary.
            time: As for `submit`.
            axes: {JSON pointer into problem.json: values}, such as {"/time": [0.5, 1.0]}.
            mode: "product": every value with every other; "zip": the first with the first.
            name: A title for people.
            progress: Show a progress bar on stderr.
            **settings: As for `submit`.

        Returns:
            A dictionary for each job: the values of the axes, the job's id and state, and of the
            result status, layers, two_qubit_gates, two_qubit_depth, infidelity,
            infidelity_bound, trotter_infidelity, evaluations, seconds; None where there is none.

        Raises:
            InputError: If the sweep is refused; then none of its jobs is there.
            ServiceError: If the service does not take it.
        """
        batch = self.submit_batch(problem, time, axes=axes, mode=mode, name=name, **settings)
        return self.table(self.wait_batch(batch, progress=progress))

    def submit_batch(
        self,
        problem: Any,
        time: float | None = None,
        *,
        axes: Mapping[str, Sequence[Any]],
        mode: Literal["product", "zip"] = "product",
        name: str | None = None,
        idempotency_key: str | None = None,
        **settings: Any,
    ) -> Batch:
        """Submit a sweep and return at once; the arguments are those of `sweep`.

        Args:
            idempotency_key: Two calls with one key and sweep give one batch; made up if missing.
        """
        content = {
            "template": as_template(problem, time, axes, settings),
            "axes": {pointer: list(values) for pointer, values in axes.items()},
            "mode": mode,
            "name": name,
        }
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": idempotency_key or uuid.uuid4().hex,
        }
        return _batch(self._send("POST", "/v1/batches", content=encode(content), headers=headers))

    def batch(self, batch: Batch | str) -> Batch:
        """Return a batch as it is now."""
        return _batch(self._send("GET", f"/v1/batches/{_id(batch)}"))

    def batches(self) -> Iterator[Batch]:
        """Return batches, newest first; pages are fetched as they are needed."""
        query = {"limit": "200"}
        while True:
            page = self._send("GET", "/v1/batches", params=query).json()
            for fields in page["batches"]:
                yield Batch(fields["id"], fields)
            if page["next_cursor"] is None:
                return
            query["cursor"] = page["next_cursor"]

    def cancel_batch(self, batch: Batch | str) -> Batch:
        """Cancel all jobs of a batch that are not finished."""
        return _batch(self._send("POST", f"/v1/batches/{_id(batch)}/cancel"))

    def wait_batch(self, batch: Batch | str, *, progress: bool = True) -> Batch:
        """Return the batch when all its jobs are finished.

        Args:
            batch: The batch or its id.
            progress: Show a progress bar on stderr.
        """
        with progress_display() if progress else contextlib.nullcontext(None) as report:
            while True:
                found = self.batch(batch)
                size = found.fields["size"]
                if report is not None:
                    report(Progress(cast("Stage", "jobs"), found.done / size))
                if found.is_finished:
                    return found
                clock.sleep(_POLL_SECONDS)

    def table(self, batch: Batch | str) -> list[dict[str, Any]]:
        """Return the table of a batch as it is now, as `sweep` returns it."""
        rows: list[dict[str, Any]] = self._send(
            "GET", f"/v1/batches/{_id(batch)}/table.json"
        ).json()["rows"]
        return rows


def _batch(response: Any) -> Batch:
    fields = response.json()
    return Batch(fields["id"], fields)


def _id(batch: Batch | str) -> str:
    return quote(batch if isinstance(batch, str) else batch.id, safe="")
