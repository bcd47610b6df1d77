"""The reaper queues again what a worker took and never began, but not what it is about to begin."""

import os
import socket
import time
from datetime import timedelta

import psutil
import pytest
import sqlalchemy as sa

from aqc_service import tables
from aqc_service.attempts import Attempts
from aqc_service.database import now, writing
from aqc_service.reaper import Reaper

WORKER = "a" * 32


@pytest.fixture
def reaper(any_service):
    store = any_service.store
    settings = any_service.settings.model_copy(update={"grace_seconds": 0.5})
    with writing(store.engine) as connection:
        at = now(connection)
        values = {"id": WORKER, "host": socket.gethostname(), "pid": os.getpid(), "state": "alive"}
        values |= {"pid_started": psutil.Process().create_time(), "queues": ["cpu"], "slots": 1}
        times = {"started_at": at, "heartbeat_at": at + timedelta(hours=1)}
        connection.execute(sa.insert(tables.worker).values(**values, **times))
    return Reaper(store.engine, store.queue, Attempts(store.engine), settings)


def take(any_service, job_id):
    """Do what DBOS does when a worker takes a job."""
    engine = any_service.store.engine
    table = sa.table("workflow_status", schema=None if "sqlite" in str(engine.url) else "dbos")
    statement = f"UPDATE {table.fullname} SET status = 'PENDING', executor_id = :w "
    with writing(engine) as connection:
        done = connection.execute(
            sa.text(statement + "WHERE workflow_uuid = :j"), {"w": WORKER, "j": job_id}
        )
    assert done.rowcount == 1


def test_a_job_that_was_taken_and_never_begun_is_queued_again(any_service, reaper):
    lost, begun = any_service.submit(), any_service.submit()
    queue = any_service.store.queue
    for job in (lost, begun):
        take(any_service, job.id)
    reaper()
    assert (queue.status(lost.id), queue.status(begun.id)) == ("PENDING", "PENDING")
    Attempts(any_service.store.engine).start(begun.id, WORKER)
    time.sleep(0.6)
    reaper()
    assert (queue.status(lost.id), queue.status(begun.id)) == ("ENQUEUED", "PENDING")
    assert any_service.job(lost.id).state == "queued"
    assert any_service.job(begun.id).state == "running"
