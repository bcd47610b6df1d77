"""What the API answers of batches, as JSON Schema and as records."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, Self

from aqc_service.api.schemas import View
from aqc_service.records import Batch
from aqc_service.states import TERMINAL


class BatchLinks(View):
    """Where else to look."""

    self: str
    table: str
    csv: str
    cancel: str
    page: str


class BatchView(View):
    """Jobs that were made of one template."""

    id: str
    name: str | None
    mode: Literal["product", "zip"]
    size: int
    """Number of jobs."""
    states: dict[str, int]
    """How many of the jobs are in which state; deleted ones are in none."""
    finished: bool
    """Whether all its jobs are."""
    axes: dict[str, list[Any]]
    """Values by their JSON pointer into the template."""
    created_at: datetime
    links: BatchLinks

    @classmethod
    def of(cls, batch: Batch, states: Mapping[str, int]) -> Self:
        """Return the view of a batch."""
        path = batch_path(batch.id)
        return cls.model_validate(
            {
                "id": batch.id,
                "name": batch.name,
                "mode": batch.mode,
                "size": batch.size,
                "states": dict(states),
                "finished": all(state in TERMINAL for state in states),
                "axes": json.loads(batch.axes),
                "created_at": batch.created_at,
                "links": {
                    "self": path,
                    "table": f"{path}/table.json",
                    "csv": f"{path}/table.csv",
                    "cancel": f"{path}/cancel",
                    "page": f"/ui/batches/{batch.id}",
                },
            }
        )


class BatchPage(View):
    """A page of batches, newest first."""

    batches: list[BatchView]
    next_cursor: str | None
    """For the parameter `cursor` of the next page; null on the last one."""


class BatchTable(View):
    """A batch as a table."""

    axes: list[str]
    """Names of the columns that hold the values of the axes."""
    rows: list[dict[str, Any]]
    """One for each job, in the order of the batch: the values, and what came of it."""


def batch_path(batch_id: str) -> str:
    """Return the path of a batch.

    Example:
        >>> batch_path("0198")
        '/v1/batches/0198'
    """
    return f"/v1/batches/{batch_id}"
