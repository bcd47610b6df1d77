"""Signs of life of a worker, and what happens when others declared it dead."""

import os
import socket
import threading
from collections.abc import Callable, Sequence

import psutil
import sqlalchemy as sa
import structlog

from aqc_service import tables
from aqc_service.database import StorageError, now, writing

log = structlog.get_logger()


class Heartbeat:
    """Keeps a worker's row fresh from a thread of its own.

    Args:
        engine: The database.
        worker_id: New for each process.
        queues: That it serves.
        slots: Jobs that it runs at a time.
        seconds: Between two signs.
        on_each: Called after each sign.
        on_dead: Called when the row says that this worker is dead.
        on_draining: Called when it says that it shall take no more jobs.
    """

    def __init__(
        self,
        engine: sa.Engine,
        worker_id: str,
        queues: Sequence[str],
        slots: int,
        seconds: float,
        *,
        on_each: Callable[[], None],
        on_dead: Callable[[], None],
        on_draining: Callable[[], None],
    ):
        self._engine, self._id, self._seconds = engine, worker_id, seconds
        self._on_each, self._on_dead, self._on_draining = on_each, on_dead, on_draining
        self._end = threading.Event()
        self._register(queues, slots)
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._thread.start()

    def _register(self, queues: Sequence[str], slots: int) -> None:
        with writing(self._engine) as connection:
            at = now(connection)
            connection.execute(
                sa.insert(tables.worker).values(
                    id=self._id,
                    host=socket.gethostname(),
                    pid=os.getpid(),
                    pid_started=psutil.Process().create_time(),
                    queues=list(queues),
                    slots=slots,
                    started_at=at,
                    heartbeat_at=at,
                    state="alive",
                )
            )

    def _beat(self) -> None:
        while not self._end.wait(self._seconds):
            try:
                state = self._sign()
                if state is None:
                    log.error("this worker was declared dead; it ends", worker_id=self._id)
                    self._on_dead()
                elif state == "draining":
                    self._on_draining()
                self._on_each()
            except (StorageError, sa.exc.SQLAlchemyError) as error:
                log.error("no sign of life could be written", error=str(error))

    def _sign(self) -> str | None:
        """Give a sign of life; return what the worker is to do, None when it is dead."""
        worker = tables.worker
        with writing(self._engine) as connection:
            state: str | None = connection.scalar(
                sa.update(worker)
                .where(worker.c.id == self._id, worker.c.state != "dead")
                .values(heartbeat_at=now(connection))
                .returning(worker.c.state)
            )
        return state

    def stop(self) -> None:
        """End the thread and remove the row."""
        self._end.set()
        self._thread.join()
        with writing(self._engine) as connection:
            connection.execute(sa.delete(tables.worker).where(tables.worker.c.id == self._id))
