"""The port to the queue engine on SQLite and PostgreSQL: nothing lost, nothing twice."""

import os
import subprocess
import sys
import time
from collections import Counter

import pytest
from harness import wait_for

from aqc_service.database import writing
from aqc_service.engine import Engine

CLIENT = """
import sys, time
from aqc_service.settings import ServiceSettings
from aqc_service.store import Store
store = Store.open(ServiceSettings())
store.queue.warm_up()
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[1])):
    began = time.perf_counter()
    store.create("{}", num_qubits=1, memory_bytes=1, body_hash="-", kind="noop")
    print(time.perf_counter() - began)
"""

# Takes jobs and ends them on the spot, without children: only the queue is at work.
TAKER = """
import os, sys
from aqc_service.attempts import Attempts
from aqc_service.database import open_engine
from aqc_service.engine import Engine
from aqc_service.settings import ServiceSettings
settings, name, act = ServiceSettings(), sys.argv[1], sys.argv[2]
attempts = Attempts(open_engine(settings.url))
def run(job_id):
    if act == "hold":
        os.write(1, f"{job_id}\\n".encode())
        __import__("threading").Event().wait()
    job = attempts.start(job_id, name)
    if job is not None:
        os.write(1, f"{job_id}\\n".encode())
        attempts.finish(job, "succeeded", wall_seconds=0.0, cpu_seconds=0.0)
engine = Engine(settings)
engine.start_worker(name, ["cpu"], run)
os.write(1, b"ready\\n")
sys.stdin.readline()
engine.stop_worker()
os._exit(0)
"""


def start(service, code, *arguments):
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=service.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    service.processes.append(process)
    return process


def go(process):
    process.stdin.write("\n")
    process.stdin.flush()


def enqueue_at_once(service, clients, jobs):
    """Create jobs from several processes at once; return the seconds that each took, sorted."""
    processes = [start(service, CLIENT, jobs // clients) for _ in range(clients)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        go(process)
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    return sorted(float(line) for output in outputs for line in output.split())


@pytest.mark.parametrize(
    ("any_database", "clients", "jobs"),
    [
        ("sqlite", 2, 100),
        pytest.param("sqlite", 4, 1000, marks=pytest.mark.slow),
        pytest.param("postgresql", 4, 1000, marks=pytest.mark.slow),
    ],
    indirect=["any_database"],
)
def test_jobs_from_many_processes_run_once_each(any_service, clients, jobs, record_property):
    any_service.settings = any_service.settings.model_copy(update={"slots": 50})
    seconds = enqueue_at_once(any_service, clients, jobs)
    assert len(seconds) == jobs
    began = time.perf_counter()
    takers = [start(any_service, TAKER, f"taker-{k}", "finish") for k in range(2)]
    store = any_service.store
    wait_for(lambda: len(store.list(state="queued", limit=1)[0]) == 0)
    wait_for(lambda: len(store.list(state="running", limit=1)[0]) == 0)
    drained = time.perf_counter() - began
    for taker in takers:
        go(taker)
    lines = [line for taker in takers for line in taker.communicate(timeout=30)[0].split()]
    taken = Counter(line for line in lines if line != "ready")
    assert len(taken) == jobs
    assert set(taken.values()) == {1}
    figures = {"p50": seconds[jobs // 2], "p99": seconds[int(0.99 * jobs)], "drain": drained}
    record_property("seconds", figures)


def test_a_transaction_that_fails_leaves_nothing_in_the_queue(any_service):
    engine = Engine(any_service.settings)

    def fail():
        with writing(any_service.store.engine) as connection:
            engine.enqueue(connection, "a" * 32, "cpu", 0)
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fail()
    assert engine.status("a" * 32) is None
    engine.close()


def test_a_dead_workers_job_is_an_orphan_until_it_is_handed_back(any_service):
    job = any_service.submit("noop")
    holder = start(any_service, TAKER, "holder", "hold")
    assert {holder.stdout.readline(), holder.stdout.readline()} == {"ready\n", f"{job.id}\n"}
    engine = any_service.store.queue
    assert engine.orphans({"holder"}) == {}
    assert engine.held("holder") == {"cpu": [job.id]}
    holder.kill()
    holder.wait()
    assert engine.orphans({"another"}) == {"cpu": [job.id]}
    engine.hand_back([job.id], "cpu")
    assert engine.orphans(set()) == {}
    start(any_service, TAKER, "taker", "finish")
    assert any_service.reach(job.id, "succeeded").worker_id == "taker"
    wait_for(lambda: engine.status(job.id) == "SUCCESS")
    engine.hand_back([job.id], "cpu")  # finished: stays so
    assert engine.status(job.id) == "SUCCESS"


def test_what_is_urgent_runs_first_and_what_is_cancelled_does_not(any_service):
    low, cancelled, high = (any_service.submit("noop", priority=p) for p in (0, 100, 50))
    any_service.store.request_cancel(cancelled.id)
    taker = start(any_service, TAKER, "taker", "finish")
    any_service.reach(low.id, "succeeded")
    go(taker)
    lines = taker.communicate(timeout=30)[0].split()
    assert [line for line in lines if line != "ready"] == [high.id, low.id]


def test_processes_that_migrate_at_once_agree(any_settings):
    code = (
        "from aqc_service import schema; from aqc_service.settings import ServiceSettings; "
        "schema.upgrade(ServiceSettings())"
    )
    variables = {
        "AQC_DATA_DIR": str(any_settings.data_dir),
        **({"AQC_DATABASE_URL": any_settings.url} if any_settings.database_url else {}),
    }
    processes = [
        subprocess.Popen([sys.executable, "-c", code], env={**os.environ, **variables})
        for _ in range(2)
    ]
    assert [process.wait(60) for process in processes] == [0, 0]
