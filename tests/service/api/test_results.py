"""The result in every format, before it exists, and when only a part of it does; files; plots."""

import base64
import hashlib
import json

import pytest

from aqc import figures

FIGURES = {
    "circuit": {"num_qubits": 4, "layers": [[[0, 1.0], [2, 0.5]], [[1, 0.2]]]},
    "convergence": {"history": [[1, 0.12], [2, 0.008]], "trotter_infidelity": 0.1, "goal": 0.01},
    "sweep": {"depths": [[3, 0.05, 0.4], [5, 0.008, 0.2]], "goal": 0.01},
}
FILES = {
    "circuit.qasm": b"OPENQASM 3.0;\n",
    "circuit.qasm2": b"OPENQASM 2.0;\n",
    "circuit.qpy": b"QISKIT\x00\xff",
    "result.json": b'{"infidelity": 0.008}',
    "figures.json": json.dumps(FIGURES).encode(),
}
TYPES = {
    "qasm3": ("circuit.qasm", "text/x-openqasm3; charset=utf-8"),
    "qasm2": ("circuit.qasm2", "text/x-openqasm2; charset=utf-8"),
    "qpy": ("circuit.qpy", "application/x-qpy"),
    "json": ("result.json", "application/json"),
}


@pytest.fixture
def done(worker, job_id):
    """A job that succeeded."""
    worker.start(job_id)
    worker.succeed(job_id, FILES)
    return job_id


@pytest.mark.parametrize("name", TYPES)
def test_every_format_by_parameter_and_by_accept(api, done, name):
    file, media_type = TYPES[name]
    by_parameter = api.get(f"/v1/jobs/{done}/result?format={name}")
    by_accept = api.get(
        f"/v1/jobs/{done}/result", headers={"Accept": f"image/png, {media_type.split(';')[0]}"}
    )
    for response in (by_parameter, by_accept):
        assert response.status_code == 200
        assert response.content == FILES[file]
        assert response.headers["Content-Type"] == media_type
        assert response.headers["Aqc-Result"] == "final"
        sha256 = base64.b64encode(hashlib.sha256(response.content).digest()).decode()
        assert response.headers["Repr-Digest"] == f"sha-256=:{sha256}:"
        assert file in response.headers["Content-Disposition"]


@pytest.mark.parametrize(
    ("accept", "file"),
    [
        ("*/*", "circuit.qasm"),
        ("text/*", "circuit.qasm"),
        ("text/plain", "circuit.qasm"),
        ("text/html, application/json;q=0.9, */*;q=0.1", "result.json"),
        ("application/*;q=0.5, text/x-openqasm2", "circuit.qasm2"),
        ("text/x-openqasm3;q=0, application/json;q=0.1", "result.json"),
    ],
)
def test_accept_is_weighed(api, done, accept, file):
    response = api.get(f"/v1/jobs/{done}/result", headers={"Accept": accept})
    assert response.content == FILES[file]


def test_nothing_acceptable_is_406(api, done):
    response = api.get(f"/v1/jobs/{done}/result", headers={"Accept": "image/png"})
    assert response.status_code == 406
    assert "text/x-openqasm3" in response.json()["detail"]


def test_a_format_that_is_none_is_400(api, done):
    response = api.get(f"/v1/jobs/{done}/result?format=pdf")
    assert response.status_code == 400
    assert response.json()["errors"][0]["parameter"] == "format"


def test_if_none_match_is_304_without_a_body(api, done):
    path = f"/v1/jobs/{done}/result"
    etag = api.get(path).headers["ETag"]
    same = api.get(path, headers={"If-None-Match": etag})
    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", etag)
    assert api.get(f"{path}?format=json", headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize("path", ["result", "result?best_so_far=true", "plots/circuit.svg"])
def test_before_it_exists_a_result_is_409_with_retry_after(api, worker, job_id, path):
    for _ in ("queued", "running"):
        response = api.get(f"/v1/jobs/{job_id}/{path}")
        assert response.status_code == 409
        assert int(response.headers["Retry-After"]) >= 1
        if response.json()["detail"].startswith("The job is queued"):
            worker.start(job_id)
    assert "The job is running" in response.json()["detail"]


def test_the_best_so_far_of_a_running_job_is_labelled(api, worker, job_id):
    worker.start(job_id)
    worker.keep_best(job_id, {"circuit.qasm": b"so far"})
    plain = api.get(f"/v1/jobs/{job_id}/result")
    assert plain.status_code == 409
    assert "?best_so_far=true" in plain.json()["detail"]
    best = api.get(f"/v1/jobs/{job_id}/result?best_so_far=true")
    assert (best.status_code, best.content) == (200, b"so far")
    assert best.headers["Aqc-Result"] == "best-so-far"
    assert api.get(f"/v1/jobs/{job_id}").json()["best"] == {
        "infidelity": 0.25,
        "evaluations": 7,
        "time_number": None,
    }


def test_a_cancelled_job_serves_its_best_so_far(api, worker, job_id):
    worker.start(job_id)
    worker.keep_best(job_id, {"circuit.qasm": b"so far"})
    worker.move(job_id, "cancelling")
    worker.move(job_id, "cancelled")
    response = api.get(f"/v1/jobs/{job_id}/result")
    assert (response.status_code, response.content) == (200, b"so far")
    assert response.headers["Aqc-Result"] == "best-so-far"


def test_a_job_cancelled_or_failed_without_a_circuit_will_have_none(api, worker, job_id):
    api.post(f"/v1/jobs/{job_id}/cancel")
    response = api.get(f"/v1/jobs/{job_id}/result")
    assert response.status_code == 409
    assert "was cancelled before it had a circuit.qasm" in response.json()["detail"]
    assert "Retry-After" not in response.headers


def test_a_failed_job_offers_its_best_so_far_when_asked(api, worker, job_id):
    worker.start(job_id)
    worker.keep_best(job_id, {"circuit.qasm": b"so far"})
    worker.move(job_id, "failed", reason="time_limit")
    response = api.get(f"/v1/jobs/{job_id}/result")
    assert response.status_code == 409
    assert "?best_so_far=true" in response.json()["detail"]
    assert api.get(f"/v1/jobs/{job_id}/result?best_so_far=true").content == b"so far"


@pytest.mark.parametrize("plot", ["convergence.svg", "convergence.png", "circuit.svg", "sweep.svg"])
def test_plots(api, done, plot):
    response = api.get(f"/v1/jobs/{done}/plots/{plot}")
    name, format = plot.split(".")
    drawn = figures.render(figures.FIGURES[name](**FIGURES[name]), format)
    assert (response.status_code, response.content) == (200, drawn)
    expected = {"svg": "image/svg+xml", "png": "image/png"}[format]
    assert response.headers["Content-Type"] == expected
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    again = api.get(
        f"/v1/jobs/{done}/plots/{plot}", headers={"If-None-Match": response.headers["ETag"]}
    )
    assert again.status_code == 304


def test_a_plot_that_the_job_does_not_have_is_404(api, worker, job_id):
    worker.start(job_id)
    worker.succeed(job_id, {"figures.json": json.dumps({"circuit": FIGURES["circuit"]}).encode()})
    response = api.get(f"/v1/jobs/{job_id}/plots/sweep.svg")
    assert response.status_code == 404
    assert "The job has no sweep.svg." in response.json()["detail"]


def test_a_cancelled_job_has_no_plots(api, worker, job_id):
    worker.start(job_id)
    worker.keep_best(job_id, {"circuit.qasm": b"so far"})
    worker.move(job_id, "cancelling")
    worker.move(job_id, "cancelled")
    response = api.get(f"/v1/jobs/{job_id}/plots/circuit.svg")
    assert response.status_code == 409
    assert "was cancelled before it had a circuit.svg" in response.json()["detail"]


@pytest.mark.parametrize("plot", ["convergence.pdf", "loss.svg"])
def test_another_plot_is_refused(api, done, plot):
    assert api.get(f"/v1/jobs/{done}/plots/{plot}").status_code == 400


def test_artifacts_are_listed_and_served(api, done):
    listed = api.get(f"/v1/jobs/{done}/artifacts").json()["artifacts"]
    assert {artifact["name"]: artifact["size"] for artifact in listed} == {
        name: len(content) for name, content in FILES.items()
    }
    for artifact in listed:
        response = api.get(artifact["href"])
        assert response.content == FILES[artifact["name"]]
        assert hashlib.sha256(response.content).hexdigest() == artifact["sha256"]
        assert response.headers["Content-Disposition"].startswith("attachment")
    for name in ("nothing", "..%2f..%2faqc.db", "%2e%2e", "%00"):
        assert api.get(f"/v1/jobs/{done}/artifacts/{name}").status_code == 404


def test_artifacts_of_an_unfinished_job_are_none(api, job_id):
    assert api.get(f"/v1/jobs/{job_id}/artifacts").json() == {"artifacts": []}


def test_a_file_that_is_gone_is_404(api, store, done):
    (store.jobs_dir / done / "circuit.qasm").unlink()
    response = api.get(f"/v1/jobs/{done}/result")
    assert response.status_code == 404
    assert "gone" in response.json()["detail"]
