"""The metrics: what Prometheus' own parser reads, counted over all that ever was."""

import datetime as dt
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from aqc_service import keys

MONITORING = Path(__file__).parents[3] / "docker/monitoring"
# Those with labels have no value before there is something to count.
LABELLED = {
    "aqc_jobs",
    "aqc_queue_depth",
    "aqc_queue_oldest_seconds",
    "aqc_jobs_ended_total",
    "aqc_workers",
    "aqc_worker_slots",
}
PROBLEM = {"hamiltonian": {"model": "xxz_chain", "num_qubits": 4}, "time": 0.5}


def read(api, **given):
    response = api.get("/metrics", **given)
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = list(text_string_to_metric_families(response.text))
    assert all(family.documentation for family in families)
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_an_empty_service_has_metrics_too(api):
    found = read(api)
    assert found["aqc_evaluations_total",] == 0
    assert found["aqc_job_wait_seconds_count",] == 0
    assert found["aqc_job_wait_seconds_bucket", "+Inf"] == 0


def test_jobs_are_counted_also_when_they_are_gone(api, worker, store):
    ids = [api.post("/v1/jobs", json=PROBLEM).json()["id"] for _ in range(4)]
    done, failed, running, waiting = ids
    worker.lives()
    for job in (done, failed, running):
        worker.move(job, "running", started_at=dt.datetime.now(dt.UTC))
    values = {"cpu_seconds": 2.0, "wall_seconds": 3.0, "peak_bytes": 700_000_000}
    worker.move(done, "succeeded", progress={"evaluations": 42}, **values)
    worker.move(failed, "failed", reason="time_limit", **values)
    api.delete(f"/v1/jobs/{done}")
    found = read(api)
    assert found["aqc_jobs_ended_total", "", "succeeded"] == 1
    assert found["aqc_jobs_ended_total", "failed", "time_limit"] == 1
    assert found["aqc_jobs", "cpu", "running"] == 1
    assert found["aqc_queue_depth", "cpu", "false"] == 1
    assert 0 <= found["aqc_queue_oldest_seconds", "cpu", "false"] < 600
    assert found["aqc_evaluations_total",] == 42
    assert found["aqc_cpu_seconds_total",] == 4
    assert found["aqc_workers", "alive", "cpu"] == found["aqc_worker_slots", "cpu"] == 1
    # Of jobs that never started there is a wait, but no run.
    assert found["aqc_job_run_seconds_count",] == 2
    assert found["aqc_job_run_seconds_sum",] == 6
    assert found["aqc_job_run_seconds_bucket", "1"] == 0
    assert found["aqc_job_run_seconds_bucket", "5"] == 2
    assert found["aqc_job_memory_bytes_bucket", "5e+08"] == 0
    assert found["aqc_job_memory_bytes_bucket", "1e+09"] == 2
    assert found["aqc_job_wait_seconds_count",] == 2
    api.post(f"/v1/jobs/{waiting}/cancel")
    assert read(api)["aqc_job_wait_seconds_count",] == 3


def test_dashboard_and_alerts_ask_for_metrics_that_there_are(api):
    there = {name for name, *_ in read(api)} | LABELLED
    for file in ("dashboard.json", "alerts.yaml"):
        text = (MONITORING / file).read_text()
        yaml.safe_load(text)  # JSON is YAML too
        asked = set(re.findall(r"aqc_\w+", text))
        assert len(asked) >= 4
        assert asked <= there


@pytest.mark.parametrize("scope", keys.SCOPES)
def test_where_keys_are_asked_for_they_need_their_own(api, app, store, scope):
    settings = app.state.settings.model_copy(update={"keys": "on"})
    app.state.settings = settings
    assert api.get("/metrics").status_code == 401
    headers = {"Authorization": f"Bearer {keys.create(store.engine, 'a', scope=scope)[1]}"}
    assert api.get("/metrics", headers=headers).status_code == (200 if scope == "metrics" else 403)
