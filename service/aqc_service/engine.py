"""The narrow port to DBOS, which hands jobs to workers and loses none; its types end here."""

from collections.abc import Sequence

import sqlalchemy as sa

from aqc_service.settings import ServiceSettings

QUEUES = ("cpu",)


class Engine:
    """Enqueue, cancel, forget, hand back.

    Args:
        settings: Name the database.
    """

    def __init__(self, settings: ServiceSettings):
        self._settings = settings

    def enqueue(self, connection: sa.Connection, job_id: str, queue: str, priority: int) -> None:
        """Queue a job within a transaction of ours."""

    def cancel(self, job_ids: Sequence[str]) -> None:
        """Take jobs out of the queue that are still in it."""

    def forget(self, job_ids: Sequence[str]) -> None:
        """Delete what the engine knows of jobs."""
