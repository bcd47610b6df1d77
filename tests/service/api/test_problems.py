"""Every error is problem details, whoever raises it; request ids; headers of all answers."""

import os
import pwd

import pytest
import sqlalchemy as sa

from aqc_service.store import Store

PROBLEM = {"hamiltonian": {"model": "xxz_chain", "num_qubits": 4}, "time": 0.5}


def details(response, status):
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert body["title"]
    assert body["request_id"] == response.headers["X-Request-ID"]
    return body["detail"]


@pytest.mark.parametrize("path", ["/v2/jobs", "/v1/jobs/", "/v1/nothing", "/docs/nothing", "/%00"])
def test_an_unknown_address_is_404(api, path):
    assert "There is nothing at" in details(api.get(path), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/jobs", "GET, POST"),
        ("PATCH", "/v1/jobs/0", "DELETE, GET"),
        ("GET", "/v1/jobs/0/cancel", "POST"),
        ("POST", "/v1/healthz", "GET"),
    ],
)
def test_another_method_is_405_and_names_those_allowed(api, method, path, allowed):
    response = api.request(method, path)
    assert allowed in details(response, 405)
    assert response.headers["Allow"] == allowed


def test_an_unknown_parameter_is_400_everywhere(api):
    for path in ("/v1/healthz", "/v1/readyz", "/v1/version", "/v1/limits", "/v1/jobs"):
        assert "`x` is no parameter" in details(api.get(f"{path}?x=1"), 400)


def test_a_request_id_is_kept_when_sensible(api):
    for given, kept in (("abc-1", True), ("two words", False), ("x" * 65, False)):
        found = api.get("/v1/healthz", headers={"X-Request-ID": given}).headers["X-Request-ID"]
        assert (found == given) == kept
    assert api.get("/v1/healthz").headers["X-Content-Type-Options"] == "nosniff"


def test_an_unexpected_error_is_500_with_an_id_and_without_secrets(api, store, monkeypatch):
    def broken(*arguments, **settings):
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr(Store, "list", broken)
    response = api.get("/v1/jobs")
    assert "log" in details(response, 500)
    assert "swordfish" not in response.text


def test_a_database_that_does_not_answer_is_503(api, store, job_id):
    with store.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE job RENAME TO gone"))
    for method, path in (("GET", "/v1/jobs"), ("GET", f"/v1/jobs/{job_id}"), ("POST", "/v1/jobs")):
        response = api.request(method, path, json=PROBLEM if method == "POST" else None)
        assert "no such table: job" in details(response, 503)
        assert int(response.headers["Retry-After"]) >= 1


@pytest.fixture
def unwritable(settings):
    """Make the data directory read-only; root, who may write everywhere, becomes somebody else."""
    user = os.geteuid()
    settings.data_dir.chmod(0o500)
    if user == 0:
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
    yield
    os.seteuid(user)
    settings.data_dir.chmod(0o700)


def test_an_unwritable_data_directory_is_said_by_readyz(api, unwritable):
    response = api.get("/v1/readyz")
    assert "cannot be written: Permission denied" in details(response, 503)
    assert response.json()["checks"]["storage"]["ok"] is False


def test_readyz_names_each_part(api, worker):
    checks = api.get("/v1/readyz").json()["checks"]
    assert [name for name, part in checks.items() if not part["ok"]] == ["workers"]
    worker.lives()
    ready = api.get("/v1/readyz")
    assert ready.status_code == 200
    assert {"database", "storage", "workers"} <= set(ready.json()["checks"])


def test_health_version_and_limits(api, settings):
    assert api.get("/v1/healthz").json() == {"status": "ok"}
    assert "qiskit" in api.get("/v1/version").json()
    limits = api.get("/v1/limits").json()
    assert limits["body_bytes"] == 8 * 2**20
    assert limits["memory_gb"] == settings.memory_gb
    assert limits["num_qubits"] >= 1000


def test_estimates_store_nothing(api, store):
    response = api.post("/v1/estimates", json={**PROBLEM, "name": "x"})
    assert response.status_code == 200
    estimate = response.json()
    assert estimate["fits"] is True
    assert (estimate["num_qubits"], estimate["layers"]) == (4, 9)
    assert estimate["seconds"] > 0
    assert 0 < estimate["memory_bytes"] < estimate["memory_limit_bytes"] == 8e9
    assert store.list() == ([], None)


def test_an_estimate_says_what_does_not_fit_and_what_is_too_coarse(api):
    small = {**PROBLEM, "limits": {"memory_gb": 0.1}}
    assert api.post("/v1/estimates", json=small).json()["fits"] is False
    hard = {"hamiltonian": {"model": "xxz_chain", "num_qubits": 12}, "time": 3.0}
    hard |= {"initial_state": "neel", "target": {"max_bond": 4}}
    (warning,) = api.post("/v1/estimates", json=hard).json()["warnings"]
    assert "`target.max_bond` (4)" in warning
    auto = {**PROBLEM, "ansatz": {"layers": "auto"}}
    told = api.post("/v1/estimates", json=auto).json()
    assert told["fits"] is True
    assert f"{told['layers']} layers, the most that fit" in told["warnings"][0]


def test_an_estimate_of_no_problem_is_422(api):
    response = api.post("/v1/estimates", json={**PROBLEM, "time": "x"})
    assert "`time` must be a number" in details(response, 422)
    assert response.json()["errors"][0]["pointer"] == "/time"
