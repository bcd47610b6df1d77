"""A kernel's job: its result is the function's, however often it was stopped on the way."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness import Service, make_settings, wait_for

from aqc import kernels
from aqc_service.kernel_input import submit
from aqc_service.records import Job

CALL = {"kernel": "do-merging", "operation": "merge-adapters", "arrays": "list"}


def arguments(size: int, steps: int) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {
        "lora_a": rng.normal(size=(8, 8, size)).round(3).tolist(),
        "lora_b": rng.normal(size=(8, size, 8)).round(3).tolist(),
        "steps": steps,
    }


# Takes some seconds, in 1000 steps.
LONG = arguments(300, 1000)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    kinds = {"kernel": "aqc_service.kernel_job:run"}
    service = Service(make_settings(tmp_path / "data", kinds=kinds))
    yield service
    service.close()


def post(service: Service, body: dict[str, Any], **call: str) -> Job:
    job, _ = submit(service.store, CALL | call, [json.dumps(body).encode()])
    return job


def result(service: Service, job_id: str) -> dict[str, Any]:
    path = service.store.open_artifact(job_id, "result.json")
    assert path is not None
    found: dict[str, Any] = json.loads(path.read_text())
    return found["result"]


def expected(body: dict[str, Any]) -> Any:
    return kernels.load("do-merging").operation().run(body)


def test_the_result_is_the_function_s(service: Service) -> None:
    body = arguments(20, 30)
    service.start()
    job = post(service, body)
    ended = service.reach(job.id, "succeeded", "failed")
    assert ended.state == "succeeded", ended.message
    assert ended.result is not None
    assert ended.result["kernel"] == "do-merging"
    merged = expected(body)
    np.testing.assert_allclose(result(service, job.id)["lora_a"], merged.lora_a, atol=1e-10)
    names = [artifact.name for artifact in service.store.artifacts(job.id)]
    assert names == ["arrays.npz", "figure.png", "figure.svg", "result.json"]
    path = service.store.open_artifact(job.id, "arrays.npz")
    assert path is not None
    with np.load(path, allow_pickle=False) as arrays:
        np.testing.assert_allclose(arrays["cosines_after"], merged.cosines_after, atol=1e-10)
    told = [event.data for event in service.store.events(job.id) if event.kind == "progress"]
    assert told[-1]["stage"] == "run"
    assert 0 < told[-1]["fraction"] <= 1


def test_after_kill_9_it_goes_on_from_its_checkpoint(service: Service) -> None:
    service.start()
    job = post(service, LONG)
    wait_for(lambda: (service.job(job.id).progress or {}).get("fraction", 0.0) > 0.2)
    os.kill(service.child_of(job.id), signal.SIGKILL)
    ended = service.reach(job.id, "succeeded", "failed")
    assert (ended.state, ended.attempt, ended.lost) == ("succeeded", 2, 1), ended.message
    begun = {"state": "running", "attempt": 2}
    events = service.store.events(job.id)
    second = next(i for i, event in enumerate(events) if event.data == begun)
    fractions = [event.data["fraction"] for event in events[second:] if event.kind == "progress"]
    assert fractions[0] > 0.05  # not from the beginning
    np.testing.assert_allclose(result(service, job.id)["lora_a"], expected(LONG).lora_a, atol=1e-9)


def test_cancelled_and_run_again_it_goes_on(service: Service) -> None:
    service.start()
    job = post(service, LONG)
    service.running(job.id)
    service.store.request_cancel(job.id)
    assert service.reach(job.id, "cancelled", "succeeded").state == "cancelled"
    made = service.store.retry(job.id)
    assert made is not None
    again, _ = made
    ended = service.reach(again.id, "succeeded", "failed")
    assert ended.state == "succeeded", ended.message
    np.testing.assert_allclose(
        result(service, again.id)["lora_a"], expected(LONG).lora_a, atol=1e-9
    )


def test_what_cannot_be_run_says_why(service: Service) -> None:
    gone = post(service, arguments(3, 1))
    (service.settings.jobs_dir / gone.id / "input.json").unlink()
    refused = post(service, {**arguments(3, 1), "rank": 1000})
    service.start()
    ended = [service.reach(job.id, "failed", "succeeded") for job in (gone, refused)]
    assert [job.reason for job in ended] == ["invalid_input"] * 2
    assert ended[0].message == "The input is gone: the job that it came with was deleted."
    assert "`rank` must be at most 64" in (ended[1].message or "")
