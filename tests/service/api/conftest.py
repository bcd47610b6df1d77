"""An application on a SQLite file, without DBOS and without workers unless a test acts as one."""

import asyncio
import hashlib
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
import structlog
import uvicorn

from aqc_service import schema, tables
from aqc_service.api.app import create_app
from aqc_service.api.server import Server
from aqc_service.changes import move
from aqc_service.database import now, open_engine, writing
from aqc_service.kernel_pool import KernelPool
from aqc_service.records import Artifact, Job
from aqc_service.settings import ServiceSettings
from aqc_service.store import Store

PROBLEM = {
    "hamiltonian": {"model": "xxz_chain", "num_qubits": 4},
    "time": 0.5,
    "ansatz": {"layers": 3},
}


class Queue:
    """Takes jobs and gives them to nobody."""

    def warm_up(self) -> None:
        pass

    def enqueue(self, connection: sa.Connection, job_id: str, queue: str, priority: int) -> None:
        pass

    def cancel(self, job_ids: Sequence[str]) -> None:
        pass

    def forget(self, job_ids: Sequence[str]) -> None:
        pass

    def schema_current(self) -> bool:
        return True


class Worker:
    """Does to jobs what a worker would, at once."""

    def __init__(self, store: Store):
        self.store = store

    def lives(self) -> None:
        """Give a sign of life."""
        with writing(self.store.engine) as connection:
            at = now(connection)
            connection.execute(
                sa.insert(tables.worker).values(
                    id="w",
                    host="here",
                    pid=1,
                    pid_started=0.0,
                    queues=["cpu"],
                    slots=1,
                    started_at=at,
                    heartbeat_at=at + timedelta(hours=1),
                    state="alive",
                )
            )

    def move(self, job_id: str, state: str, **values: object) -> Job:
        with writing(self.store.engine) as connection:
            job = move(connection, job_id, state, **values)
        assert job is not None
        return job

    def start(self, job_id: str) -> Job:
        return self.move(job_id, "running")

    def keep_best(self, job_id: str, files: dict[str, bytes]) -> None:
        """Write circuits as they are so far."""
        paths = {name: self._write(job_id, f"best-7/{name}", text) for name, text in files.items()}
        best = {"infidelity": 0.25, "evaluations": 7, "files": paths}
        with writing(self.store.engine) as connection:
            job = tables.job
            connection.execute(sa.update(job).where(job.c.id == job_id).values(best=best))

    def succeed(
        self, job_id: str, files: dict[str, bytes], result: dict[str, Any] | None = None
    ) -> Job:
        rows = [
            Artifact(
                job_id,
                name,
                len(text),
                hashlib.sha256(text).hexdigest(),
                "text/plain",
                self._write(job_id, name, text),
            )
            for name, text in files.items()
        ]
        with writing(self.store.engine) as connection:
            for row in rows:
                connection.execute(sa.insert(tables.artifact).values(**row.__dict__))
        return self.move(job_id, "succeeded", result=result or {"infidelity": 0.008})

    def _write(self, job_id: str, name: str, text: bytes) -> str:
        path = self.store.jobs_dir / job_id / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
        return str(path.relative_to(self.store.jobs_dir))


class AppTransport(httpx.BaseTransport):
    """Calls an application in an event loop of its own: httpx brings only an asynchronous one."""

    def __init__(self, app: Any):
        self._inner = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        content = request.read()
        copied = httpx.Request(
            request.method, request.url, headers=request.headers, content=content
        )
        future = asyncio.run_coroutine_threadsafe(self._call(copied), self._loop)
        return future.result(timeout=60)

    async def _call(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        content = await response.aread()
        return httpx.Response(response.status_code, headers=response.headers, content=content)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@pytest.fixture(autouse=True)
def _quiet_logs() -> Iterator[None]:
    """Lines without the values of all variables, which take long to write."""
    structlog.configure(
        processors=[structlog.processors.KeyValueRenderer()],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def shared_pool() -> Iterator[KernelPool]:
    """One process that answers all calls of kernels of a module's tests."""
    pool = KernelPool(1, 1, 4_000_000_000, 60.0)
    yield pool
    pool.close()


@pytest.fixture
def settings(tmp_path: Path) -> ServiceSettings:
    return ServiceSettings(data_dir=tmp_path / "data", memory_gb=8)


@pytest.fixture
def store(settings: ServiceSettings) -> Iterator[Store]:
    settings.jobs_dir.mkdir(parents=True)
    engine = open_engine(settings.url)
    tables.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE aqc_version (version_num TEXT)"))
        connection.execute(sa.text(f"INSERT INTO aqc_version VALUES ('{schema.HEAD}')"))
    store = Store(engine, settings.jobs_dir, Queue(), settings.grace_seconds)
    yield store
    store.close()


@pytest.fixture
def worker(store: Store) -> Worker:
    return Worker(store)


@pytest.fixture
def app(store: Store, settings: ServiceSettings) -> Iterator[Any]:
    app = create_app(store, settings)
    yield app
    app.state.kernel_pool.close()


@pytest.fixture
def transport(app: Any) -> Iterator[httpx.BaseTransport]:
    transport = AppTransport(app)
    yield transport
    transport.stop()


@pytest.fixture
def api(transport: httpx.BaseTransport) -> Iterator[httpx.Client]:
    with httpx.Client(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def url(app: Any) -> Iterator[str]:
    """A real server."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2)
    server = Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    app.state.streams.closing = True
    server.should_exit = True
    thread.join(10)
    listener.close()
    assert not thread.is_alive()


@pytest.fixture
def job_id(api: httpx.Client) -> str:
    response = api.post("/v1/jobs", json=PROBLEM)
    assert response.status_code == 202, response.text
    return response.json()["id"]
