"""A job with several times: refused as in Python, one job, each time served when it is there."""

import json

import pytest
import sqlalchemy as sa

from aqc.client import Client
from aqc.errors import InputError
from aqc.times import read_problems
from aqc_service import tables
from aqc_service.api.batch_body import parse_batch
from aqc_service.attempts import Attempts
from aqc_service.database import writing
from aqc_service.job_commands import app as jobs

SERIES = {
    "hamiltonian": {"model": "xxz_chain", "num_qubits": 4},
    "times": [0.2, 0.4, 0.6],
    "ansatz": {"layers": 3},
}
ROW = {
    "layers": 3,
    "two_qubit_depth": 7,
    "infidelity": 0.004,
    "infidelity_bound": 0.005,
    "trotter_infidelity": 0.02,
    "evaluations": 12,
    "seconds": 0.5,
    "status": "goal_reached",
}


@pytest.fixture
def series_id(api):
    response = api.post("/v1/jobs", json=SERIES)
    assert response.status_code == 202, response.text
    return response.json()["id"]


def ended(store, worker, job_id, number):
    """Let a worker write the files of a time and say that it is done."""
    job = store.get(job_id)
    directory = f"{job_id}/attempt-1/out/time_{number}"
    for name in ("circuit.qasm", "circuit.qpy", "result.json"):
        content = {"number": number} if name.endswith("json") else name
        worker._write(job_id, f"attempt-1/out/time_{number}/{name}", json.dumps(content).encode())
    row = {**ROW, "number": number, "time": SERIES["times"][number - 1], "directory": directory}
    progress = {"stage": "target", "fraction": 0.5, "evaluations": 12 * number, "infidelity": None}
    progress |= {"time_number": number + 1, "time_count": 3}
    rows = [*(job.series or ()), row]
    spent = {"wall_seconds": 1.0, "cpu_seconds": 1.0}
    Attempts(store.engine).report(job, progress, series=rows, times=[row], **spent)


@pytest.mark.parametrize(
    "changes",
    [
        {"time": 0.5},
        {"times": []},
        {"times": [0.1, 0.1]},
        {"times": [0.2, 0.1]},
        {"times": [-0.1, 0.2]},
        {"times": [0.0, 0.2]},
        {"times": [0.1, "x"]},
        {"times": None},
        {"times": 0.5},
        {"times": [0.1, 10**400]},
        {"times": [0.001 * k for k in range(1, 258)]},
        {"schedule": [{"hamiltonian": SERIES["hamiltonian"], "time": 0.1}]},
        {"mode": "unitary", "initial_state": "neel"},
        {"target": {"circuit": {"qasm": "OPENQASM 2.0; qreg q[4];"}}},
    ],
)
def test_what_python_refuses_is_refused_with_the_same_sentences(api, changes):
    content = {**SERIES, **changes}
    with pytest.raises(InputError) as error:
        read_problems(content)
    response = api.post("/v1/jobs", content=json.dumps(content), headers=JSON)
    assert response.status_code == 422
    found = [(fault["pointer"], fault["detail"]) for fault in response.json()["errors"]]
    assert found == list(error.value.errors)
    assert api.get("/v1/jobs").json()["jobs"] == []


JSON = {"Content-Type": "application/json"}


def test_a_series_is_one_job(api, store, series_id):
    job = api.get(f"/v1/jobs/{series_id}").json()
    assert (job["kind"], job["num_qubits"], job["series"]) == ("series", 4, [])
    assert job["problem"]["times"] == SERIES["times"]
    assert "time" not in job["problem"]
    assert [one.time for one in read_problems(job["problem"])] == SERIES["times"]
    assert [one["id"] for one in api.get("/v1/jobs?kind=series").json()["jobs"]] == [series_id]
    assert api.get("/v1/jobs?kind=compile").json()["jobs"] == []
    assert store.get(series_id).kind == "series"
    # A list with one time is a series too.
    one = api.post("/v1/jobs", json={**SERIES, "times": [0.3]}).json()
    assert (one["kind"], one["problem"]["times"]) == ("series", [0.3])


def test_an_estimate_counts_every_time_and_a_job_must_fit(api):
    told = api.post("/v1/estimates", json=SERIES).json()
    single = {**{k: v for k, v in SERIES.items() if k != "times"}, "time": 0.6}
    alone = api.post("/v1/estimates", json=single).json()
    assert told["seconds"] > alone["seconds"]
    assert told["memory_bytes"] > alone["memory_bytes"]
    assert told["fits"]
    small = {**SERIES, "limits": {"memory_gb": 0.1}}
    refused = api.post("/v1/jobs", json=small).json()
    assert "`limits.memory_gb` must cover the predicted" in refused["detail"]


def test_times_that_are_done_are_served_while_later_ones_run(api, store, worker, series_id):
    path = f"/v1/jobs/{series_id}/result"
    assert api.get(f"{path}?time_number=1").status_code == 409
    worker.start(series_id)
    ended(store, worker, series_id, 1)
    job = api.get(f"/v1/jobs/{series_id}").json()
    (row,) = job["series"]
    assert row == {**ROW, "number": 1, "time": 0.2, "result": f"{path}?time_number=1"}
    assert (job["state"], job["progress"]["time_number"]) == ("running", 2)
    first = api.get(row["result"])
    assert (first.text, first.headers["Aqc-Result"]) == ('"circuit.qasm"', "final")
    assert "1-circuit.qasm" in first.headers["Content-Disposition"]
    assert api.get(f"{row['result']}&format=json").json() == {"number": 1}
    later = api.get(f"{path}?time_number=2")
    assert later.status_code == 409
    assert "is running and has no circuit.qasm of time number 2 yet" in later.json()["detail"]
    assert api.get(path).status_code == 409
    (event,) = [e for e in store.events(series_id) if e.kind == "progress"]
    assert [one["number"] for one in event.data["times"]] == [1]


def test_the_best_so_far_is_of_the_time_at_work(api, store, worker, series_id):
    worker.start(series_id)
    ended(store, worker, series_id, 1)
    worker.keep_best(series_id, {"circuit.qasm": b"best"})
    with writing(store.engine) as connection:
        job = tables.job
        best = {**store.get(series_id).best, "time_number": 2}
        connection.execute(sa.update(job).where(job.c.id == series_id).values(best=best))
    path = f"/v1/jobs/{series_id}/result?best_so_far=true"
    for query in ("", "&time_number=2"):
        response = api.get(path + query)
        assert (response.text, response.headers["Aqc-Result"]) == ("best", "best-so-far")
    assert api.get(f"{path}&time_number=1").headers["Aqc-Result"] == "final"
    assert api.get(f"{path}&time_number=3").status_code == 409
    assert api.get(f"/v1/jobs/{series_id}").json()["best"]["time_number"] == 2


def test_a_finished_series_has_files_for_each_time(api, store, worker, series_id):
    worker.start(series_id)
    ended(store, worker, series_id, 1)
    files = {"circuit.qasm": b"last", "time_1/circuit.qasm": b"first"}
    worker.succeed(series_id, files)
    assert api.get(f"/v1/jobs/{series_id}/result").text == "last"
    assert api.get(f"/v1/jobs/{series_id}/result?time_number=1").text == "first"
    found = api.get(f"/v1/jobs/{series_id}/artifacts").json()["artifacts"]
    assert [one["name"] for one in found] == sorted(files)
    downloaded = api.get(found[1]["href"])
    assert downloaded.text == "first"
    assert 'filename="time_1-circuit.qasm"' in downloaded.headers["Content-Disposition"]


def test_a_time_that_the_job_does_not_have_is_404(api, series_id, job_id):
    beyond = api.get(f"/v1/jobs/{series_id}/result?time_number=4")
    assert beyond.status_code == 404
    assert "its times are 1 to 3" in beyond.json()["detail"]
    assert api.get(f"/v1/jobs/{job_id}/result?time_number=2").status_code == 404
    assert api.get(f"/v1/jobs/{series_id}/result?time_number=0").status_code == 400


def test_a_sweep_may_be_of_series(api):
    template = {name: value for name, value in SERIES.items() if name != "hamiltonian"}
    template["hamiltonian"] = {"num_qubits": 4, "model": "xxz_chain"}
    body = {"template": template, "axes": {"/hamiltonian/delta": [0.0, 1.0]}}
    assert [one.kind for one in parse_batch(body).submissions] == ["series", "series"]
    batch = api.post("/v1/batches", json=body)
    assert batch.status_code == 202
    made = api.get("/v1/jobs?kind=series").json()["jobs"]
    assert len(made) == 2


def test_the_client_submits_and_fetches_a_series(transport, store, worker):
    with Client("http://127.0.0.1", transport=transport) as client:
        job = client.submit(SERIES["hamiltonian"], times=[0.2, 0.4, 0.6], ansatz={"layers": 3})
        assert job.fields["problem"]["times"] == [0.2, 0.4, 0.6]
        same = client.submit(SERIES)
        assert same.fields["problem"] == job.fields["problem"]
        with pytest.raises(InputError, match="either `time` or `times`"):
            client.submit(SERIES["hamiltonian"], 0.1, times=[0.2])
        with pytest.raises(InputError, match="must grow from one to the next"):
            client.submit({**SERIES, "times": [0.2, 0.1]})
        worker.start(job.id)
        ended(store, worker, job.id, 1)
        assert client.result_json(job, time_number=1) == {"number": 1}
        assert client.download(job, "qasm3", time_number=1) == b'"circuit.qasm"'


def test_the_commands_show_a_row_for_each_time(url, store, worker, tmp_path):
    from typer.testing import CliRunner

    def run(*words):
        ended = CliRunner().invoke(jobs, list(words), env={"AQC_URL": url})
        assert ended.exit_code == 0, ended.output
        return ended.stdout

    problem = tmp_path / "series.json"
    problem.write_text(json.dumps(SERIES))
    job_id = run("submit", str(problem)).strip()
    worker.start(job_id)
    for number in (1, 2):
        ended(store, worker, job_id, number)
    shown = run("show", job_id)
    assert "2 of 3 done" in shown
    assert [line.split()[:2] for line in shown.splitlines()[-2:]] == [["0.2", "3"], ["0.4", "3"]]
    assert run("result", job_id, "--time-number", "2") == '"circuit.qasm"'
