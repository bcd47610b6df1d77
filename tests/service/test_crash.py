"""kill -9 and SIGTERM of every process in mid-run: the job ends by itself, as if nothing was."""

import contextlib
import os
import signal
import sqlite3
import time

import psutil
import pytest
import service_kinds
from harness import process_of, wait_for


def assert_ended_as_if_nothing_was(service, job_id):
    done = service.reach(job_id, "succeeded", "failed")
    assert (done.state, done.message) == ("succeeded", None)
    assert done.result == {"x": service_kinds.expected()}
    ends = [e for e in service.store.events(job_id) if e.data.get("state") == "succeeded"]
    assert len(ends) == 1
    assert len(service.store.artifacts(job_id)) == 1
    return done


def left_over(service):
    """Return the children of this service whose worker is gone."""
    directory = str(service.settings.jobs_dir)
    found = []
    for process in psutil.process_iter(["cmdline", "ppid", "cwd"]):
        is_child = "aqc_service.child" in (process.info["cmdline"] or ())
        is_ours = (process.info["cwd"] or "").startswith(directory)
        if is_child and is_ours and process.info["ppid"] == 1:
            found.append(process.pid)
    return found


def test_kill_of_the_child(service):
    service.start()
    job = service.submit()
    for attempt in (1, 2):
        service.running(job.id, attempt)
        os.kill(service.child_of(job.id), signal.SIGKILL)
    done = assert_ended_as_if_nothing_was(service, job.id)
    assert (done.attempt, done.lost) == (3, 2)
    texts = [e.data["text"] for e in service.store.events(job.id) if e.kind == "message"]
    assert texts[0] == "Attempt 1 was lost because its process was killed by signal 9."


def test_a_job_that_is_lost_too_often_fails(service):
    service.start()
    job = service.submit("loop")
    for attempt in (1, 2, 3):
        service.running(job.id, attempt)
        os.kill(service.child_of(job.id), signal.SIGKILL)
    failed = service.reach(job.id, "failed")
    assert (failed.reason, failed.lost) == ("worker_lost", 3)
    assert failed.message.startswith("3 attempts were lost, the last one because its process")


def test_kill_of_the_worker_gives_its_job_to_another(service):
    first = service.start()
    job = service.submit()
    service.running(job.id)
    second = service.start()
    child = service.child_of(job.id)
    first.kill()
    first.wait()
    wait_for(lambda: not psutil.pid_exists(child), 2.0)
    done = assert_ended_as_if_nothing_was(service, job.id)
    assert (done.attempt, done.lost) == (2, 1)
    assert left_over(service) == []
    assert second.poll() is None


def test_sigterm_hands_the_job_back(service):
    first = service.start()
    job = service.submit()
    service.running(job.id)
    first.terminate()
    queued = service.reach(job.id, "queued")
    assert first.wait(15) == 0
    assert (queued.attempt, queued.lost) == (1, 0)
    assert service.store.workers() == []
    service.start()
    done = assert_ended_as_if_nothing_was(service, job.id)
    assert (done.attempt, done.lost) == (2, 0)


@pytest.mark.slow
def test_sigterm_hands_the_job_back_within_a_second(service):
    job = service.submit()
    seconds = []
    for _ in range(4):  # one of them undisturbed by what else the machine does
        worker = service.start()
        service.reach(job.id, "running")
        wait_for(lambda: service.job(job.id).progress)
        asked = time.monotonic()
        worker.terminate()
        service.reach(job.id, "queued", "succeeded")
        assert worker.wait(15) == 0
        seconds.append(time.monotonic() - asked)
    assert min(seconds) < 1.0, seconds


def freeze(service, pid):
    """Stop a process, but not in a transaction: on SQLite nobody could take its lock from it."""
    database = service.settings.data_dir / "aqc.db"
    while True:
        os.kill(pid, signal.SIGSTOP)
        with contextlib.closing(sqlite3.connect(database, timeout=0.2)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError:
                os.kill(pid, signal.SIGCONT)
                time.sleep(0.05)


def test_a_frozen_worker_is_replaced_and_ends_when_it_wakes(service):
    frozen = service.start()
    job = service.submit("count")
    service.running(job.id)
    child = service.child_of(job.id)
    freeze(service, frozen.pid)
    service.start()
    done = assert_ended_as_if_nothing_was(service, job.id)
    assert done.attempt == 2
    os.kill(frozen.pid, signal.SIGCONT)
    assert frozen.wait(10) == 3
    wait_for(lambda: not psutil.pid_exists(child), 2.0)
    assert service.job(job.id) == done


def test_a_job_being_cancelled_when_its_worker_dies_is_cancelled(service):
    first = service.start()
    job = service.submit("loop")
    service.running(job.id)
    freeze(service, first.pid)
    assert service.store.request_cancel(job.id).state == "cancelling"
    first.kill()
    service.start()
    assert service.reach(job.id, "cancelled", "failed", "succeeded").state == "cancelled"


@pytest.mark.parametrize("whom", ["worker", "supervisor"])
def test_kill_under_the_supervisor(service, whom):
    supervisor = service.start("serve")
    job = service.submit()
    service.running(job.id)
    worker = psutil.Process(service.child_of(job.id)).ppid()
    if whom == "worker":
        os.kill(worker, signal.SIGKILL)
    else:
        supervisor.kill()
        supervisor.wait()
        wait_for(lambda: not psutil.pid_exists(worker), 5.0)
        service.start("serve")
    assert_ended_as_if_nothing_was(service, job.id)
    assert left_over(service) == []


def test_nothing_is_left_of_a_job_that_forks_when_its_worker_is_killed(service):
    supervisor = service.start("serve")
    job = service.submit("fork")
    wait_for(lambda: len(forks_of(service, job)) > 3)
    worker = wait_for(lambda: process_of(supervisor, "worker"))
    os.kill(worker, signal.SIGKILL)
    service.store.request_cancel(job.id)
    service.reach(job.id, "cancelled", "failed")
    wait_for(lambda: not forks_of(service, job), 10.0)


def forks_of(service, job):
    directory = str(service.settings.jobs_dir / job.id)
    found = psutil.process_iter(["cwd", "pid"])
    return [one.info["pid"] for one in found if (one.info["cwd"] or "").startswith(directory)]
