"""Workers are listed, drained, and get only the jobs of their device."""

import pytest
import service_kinds
from harness import Service, make_settings, wait_for
from typer.testing import CliRunner

from aqc_service import worker_commands


@pytest.fixture
def aqc(service, monkeypatch):
    for name, value in service.environment().items():
        if name.startswith("AQC_"):
            monkeypatch.setenv(name, value)
    return lambda *words: CliRunner().invoke(worker_commands.app, list(words))


def test_a_drained_worker_ends_its_job_takes_no_other_and_leaves(service, aqc):
    first = service.start()
    running = service.submit()
    service.running(running.id)
    (worker,) = service.store.workers()
    line = aqc("list").output
    assert line.startswith(f"{worker.id}  {worker.host}:{first.pid}  cpu  alive  1 of 1 jobs")
    assert aqc("drain", worker.id[-8:]).output.endswith("takes no more jobs.\n")
    assert service.store.workers() == []
    assert "draining" in aqc("list").output
    waiting = service.submit()
    done = service.reach(running.id, "succeeded", "failed")
    assert (done.state, done.attempt, done.lost) == ("succeeded", 1, 0)
    assert done.result == {"x": service_kinds.expected()}
    assert first.wait(30) == 0
    assert service.job(waiting.id).state == "queued"
    assert "must be one" in str(aqc("drain", worker.id).exception)
    service.start()
    assert service.reach(waiting.id, "succeeded").attempt == 1


def test_sigterm_hands_back_also_what_a_drained_worker_runs(service, aqc):
    first = service.start()
    job = service.submit("loop")
    service.running(job.id)
    aqc("drain", service.store.workers()[0].id)
    wait_for(lambda: "draining" in aqc("list").output)
    first.terminate()
    assert service.reach(job.id, "queued").lost == 0
    assert first.wait(30) == 0


def test_a_job_for_the_gpu_waits_for_a_worker_that_has_one(tmp_path):
    """What such a worker then computes on is not tested: no GPU is here."""
    service = Service(make_settings(tmp_path / "data"))
    try:
        service.start()
        job = service.submit("noop", queue="gpu")
        other = service.submit("noop")
        service.reach(other.id, "succeeded")
        assert service.job(job.id).state == "queued"
        service.variables["AQC_DEVICE"] = "gpu"
        service.start()
        done = service.reach(job.id, "succeeded")
        by_id = {worker.id: worker.queues for worker in service.store.workers()}
        assert by_id[done.worker_id] == ("gpu",)
        assert sorted(by_id.values()) == [("cpu",), ("gpu",)]
    finally:
        service.close()
