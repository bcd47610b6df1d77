"""A worker process, real children, and every way in which a job can end."""

import json
import time

import psutil
import pytest
import service_kinds
from harness import Service, make_settings, wait_for


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    settings = make_settings(tmp_path_factory.mktemp("data"), memory_gb=0.5, stop_seconds=0.5)
    service = Service(settings)
    service.start()
    yield service
    service.close()


def test_a_job_runs_to_its_end_and_its_files_are_committed(service):
    job = service.submit("count")
    done = service.reach(job.id, "succeeded", "failed")
    assert (done.state, done.attempt, done.lost) == ("succeeded", 1, 0)
    assert done.result == {"x": service_kinds.expected()}
    assert done.finished_at >= done.started_at >= done.created_at
    assert done.wall_seconds > service_kinds.STEPS * service_kinds.STEP_SECONDS / 2
    path = service.store.open_artifact(job.id, "result.json")
    assert json.loads(path.read_text()) == service_kinds.expected()


def test_events_are_numbered_without_gaps_and_carry_every_point(service):
    job = service.submit("count")
    done = service.reach(job.id, "succeeded")
    events = service.store.events(job.id)
    assert [event.seq for event in events] == list(range(1, done.version + 1))
    states = [event.data["state"] for event in events if event.kind == "state"]
    assert states == ["queued", "running", "succeeded"]
    points = [p[0] for event in events for p in event.data.get("points", ())]
    assert points == list(range(1, service_kinds.STEPS + 1))


def test_times_that_are_done_outlive_their_attempt_and_a_cancelled_job(service):
    job = service.submit("times")

    def texts():
        rows = service.job(job.id).series or ()
        paths = [service.settings.jobs_dir / row["directory"] / "circuit.qasm" for row in rows]
        return [path.read_text() for path in paths]

    wait_for(lambda: texts() == ["1 of attempt 1", "2 of attempt 1"])
    psutil.Process(service.child_of(job.id)).kill()
    wait_for(lambda: texts() == ["1 of attempt 2", "2 of attempt 2"])
    told = [e.data["times"] for e in service.store.events(job.id) if "times" in e.data]
    numbers = [row["number"] for rows in told for row in rows]
    assert numbers == [1, 2, 1, 2]
    assert all("directory" not in row for rows in told for row in rows)
    service.store.request_cancel(job.id)
    ended = service.reach(job.id, "cancelled")
    assert [row["number"] for row in ended.series] == [1, 2]
    for number in (1, 2):
        path = service.store.open_artifact(job.id, f"time_{number}/circuit.qasm")
        assert path.read_text() == f"{number} of attempt 2"


def seconds_to_cancel(service, kind):
    """Cancel a running job; return the seconds until its child was gone."""
    job = service.submit(kind)
    service.running(job.id)
    child = service.child_of(job.id)
    asked = time.monotonic()
    assert service.store.request_cancel(job.id).state == "cancelling"
    wait_for(lambda: not psutil.pid_exists(child))
    gone = time.monotonic() - asked
    cancelled = service.reach(job.id, "cancelled")
    assert cancelled.is_terminal
    assert cancelled.reason is None
    return gone


@pytest.mark.parametrize("kind", ["count", "loop"], ids=["obeys", "ignores every order"])
def test_cancel_of_a_running_job_ends_its_child_within_a_second(service, kind):
    # Of a few, one: on a busy machine any of them may have to wait for a processor.
    assert any(seconds_to_cancel(service, kind) < 1.0 for _ in range(4))


def test_a_warm_child_runs_one_job_after_the_other(service):
    jobs = [service.submit("which") for _ in range(3)]
    pids = {service.reach(job.id, "succeeded").result["pid"] for job in jobs}
    assert len(pids) == 1
    service.reach(service.submit("fail").id, "failed")
    after = service.reach(service.submit("which").id, "succeeded")
    assert after.result["pid"] not in pids


def test_cancel_of_a_queued_job_takes_it_out_of_the_queue(service):
    first = service.submit("loop")
    service.reach(first.id, "running")
    waiting = service.submit("count")
    assert service.store.request_cancel(waiting.id).state == "cancelled"
    assert service.store.request_cancel(waiting.id).state == "cancelled"
    service.store.request_cancel(first.id)
    service.reach(first.id, "cancelled")
    after = service.submit("noop")
    service.reach(after.id, "succeeded")
    assert service.job(waiting.id).attempt == 0


@pytest.mark.parametrize(
    ("kind", "given", "reason", "message"),
    [
        ("loop", {"wall_limit": 1.0}, "time_limit", "The job used its 1 s of wall time."),
        ("allocate", {}, "memory_limit", "MemoryError"),
        ("share", {}, "memory_limit", "but its limit is 0.5 GB"),
        ("fork", {}, "internal", "at most 16 are allowed"),
        ("fail", {}, "internal", "RuntimeError: the tensor is upside down"),
    ],
)
def test_a_job_that_misbehaves_is_stopped_and_the_next_one_runs(
    service, kind, given, reason, message
):
    before = set(psutil.pids())
    job = service.submit(kind, **given)
    failed = service.reach(job.id, "failed", "succeeded")
    assert (failed.state, failed.reason) == ("failed", reason)
    assert message in failed.message
    after = service.submit("noop")
    service.reach(after.id, "succeeded")
    strangers = [pid for pid in set(psutil.pids()) - before if is_left_over(pid)]
    assert strangers == []


def test_a_full_disk_costs_time_but_not_the_job(service):
    job = service.submit("fill")
    done = service.reach(job.id, "succeeded", "failed")
    assert (done.state, done.attempt, done.lost) == ("succeeded", 2, 0)


def test_a_kind_that_the_worker_does_not_know_fails_and_does_not_hang(service):
    job = service.submit("unheard-of")
    failed = service.reach(job.id, "failed", "succeeded")
    assert (failed.reason, failed.attempt) == ("internal", 1)


def is_left_over(pid):
    """Whether a process runs our child module but has no worker above it."""
    try:
        process = psutil.Process(pid)
        return "aqc_service.child" in process.cmdline() and process.ppid() == 1
    except psutil.NoSuchProcess:
        return False


def test_at_nine_tenths_of_its_wall_time_the_best_so_far_is_asked_for(service):
    job = service.submit("until_asked", wall_limit=2.0)
    done = service.reach(job.id, "succeeded", "failed")
    assert (done.state, done.reason) == ("succeeded", "time_limit")
    assert done.result == {"status": "interrupted"}
    assert 1.8 <= done.wall_seconds < 2.0 + 0.5
