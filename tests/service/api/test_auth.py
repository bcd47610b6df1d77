"""Keys over HTTP: without one nothing is told, and what is another owner's is not there."""

import random
import re
import string

import pytest

from aqc_service import keys
from aqc_service.api.auth import RateLimiter
from aqc_service.settings import ServiceSettings

PROBLEM = {
    "hamiltonian": {"model": "xxz_chain", "num_qubits": 4},
    "time": 0.5,
    "ansatz": {"layers": 3},
}
OPEN = {"health", "ready", "version"}


@pytest.fixture
def settings(tmp_path):
    return ServiceSettings(data_dir=tmp_path / "data", keys="on", quota={"qubits": 50})


@pytest.fixture
def key(store):
    def make(owner, **given):
        return {"Authorization": f"Bearer {keys.create(store.engine, owner, **given)[1]}"}

    return make


def fill(path, **given):
    """Return the path with an id for every parameter that is not given."""
    words = {"extension": "svg", "plot": "convergence", "slug": "do-merging", "name": "x", **given}
    if "table." in path:
        words["extension"] = "csv"
    return re.sub(r"\{(\w+)\}", lambda found: words.get(found[1], "0" * 32), path)


def operations(app):
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_every_route_but_three_asks_for_a_key(api, app):
    asked = 0
    for method, path, operation in operations(app):
        if operation["operationId"].startswith("kernel_") and asked > 40:
            continue  # they are all made by one function
        response = api.request(method, fill(path), json={})
        if operation["operationId"] in OPEN:
            assert response.status_code in (200, 503)
            assert "security" not in operation
            continue
        assert response.status_code == 401, (method, path, response.text)
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
        assert operation["security"] == [{"key": []}]
        asked += 1
    assert asked > 25


def test_every_route_of_anothers_job_or_batch_is_404(api, app, key, worker):
    alice, bob = key("alice"), key("bob")
    job = api.post("/v1/jobs", json=PROBLEM, headers=alice).json()["id"]
    body = {"template": PROBLEM, "axes": {"/time": [0.1]}}
    batch = api.post("/v1/batches", json=body, headers=alice).json()["id"]
    worker.start(job)
    worker.succeed(job, {"circuit.qasm": b"x", "result.json": b"{}", "figures.json": b"{}"})
    tried = 0
    for method, path, _ in operations(app):
        if "{job_id}" in path or "{batch_id}" in path:
            address = fill(path, job_id=job, batch_id=batch, name="circuit.qasm")
            response = api.request(method, address, headers=bob)
            assert response.status_code == 404, (method, path, response.text)
            assert job not in response.json()["detail"]
            tried += 1
    assert tried >= 13
    assert api.get("/v1/jobs", headers=bob).json()["jobs"] == []
    assert api.get("/v1/batches", headers=bob).json()["batches"] == []
    assert len(api.get("/v1/jobs", headers=alice).json()["jobs"]) == 2
    assert api.get(f"/v1/jobs/{job}", headers=alice).json()["state"] == "succeeded"


def test_one_idempotency_key_of_two_owners_is_two_jobs(api, key):
    ids = set()
    for owner in ("alice", "bob"):
        headers = {**key(owner), "Idempotency-Key": "k"}
        ids |= {api.post("/v1/jobs", json=PROBLEM, headers=headers).json()["id"] for _ in range(2)}
    assert len(ids) == 2


def test_strange_headers_are_401_and_nothing_breaks(api, key):
    alice = key("alice")["Authorization"]
    random.seed(5)
    letters = string.printable.replace("\n", "").replace("\r", "").replace("\x0b", "")
    letters = letters.replace("\x0c", "") + "é\xff"
    strange = ["", "Bearer", "Bearer ", "Basic YTpi", alice.replace("Bearer", "Basic"), alice[:-1]]
    strange += [alice + "x", alice.replace("_", "-", 1), "Bearer aqc__", "Bearer " + "a" * 50_000]
    strange += ["".join(random.choices(letters, k=random.randint(0, 90))) for _ in range(150)]
    strange += [
        "Bearer aqc_" + "".join(random.choices(letters, k=random.randint(0, 90)))
        for _ in range(150)
    ]
    for text in strange:
        response = api.get("/v1/jobs", headers={"Authorization": text.encode("latin-1")})
        assert response.status_code == 401, text
    assert api.get("/v1/jobs", headers={"Authorization": alice}).status_code == 200
    assert api.get("/v1/jobs", headers={"Authorization": alice.replace("B", "b", 1)}).is_success


def test_a_readers_key_only_reads(api, key):
    user, reader, metrics = (key("alice", scope=scope) for scope in keys.SCOPES)
    job = api.post("/v1/jobs", json=PROBLEM, headers=user).json()["id"]
    assert api.get(f"/v1/jobs/{job}", headers=reader).status_code == 200
    for path in ("/v1/jobs", f"/v1/jobs/{job}/cancel", "/v1/kernels/do-merging"):
        response = api.post(path, json={}, headers=reader)
        assert response.status_code == 403
        assert "reader key" in response.json()["detail"]
    assert api.get("/v1/jobs", headers=metrics).status_code == 403


def test_a_revoked_key_is_no_key(api, key, store):
    alice = key("alice")
    assert api.get("/v1/jobs", headers=alice).status_code == 200
    keys.revoke(store.engine, keys.list_keys(store.engine)[0].prefix)
    assert api.get("/v1/jobs", headers=alice).status_code == 401


def test_quotas_are_said_with_what_helps(api, key):
    alice = key("alice", quota={"queued": 3})
    large = {**PROBLEM, "hamiltonian": {"model": "xxz_chain", "num_qubits": 60}}
    response = api.post("/v1/jobs", json=large, headers=alice)
    assert response.status_code == 403
    assert response.json()["errors"][0]["pointer"] == "/hamiltonian/num_qubits"
    body = {"template": PROBLEM, "axes": {"/seed": [1, 2, 3, 4]}}
    response = api.post("/v1/batches", json=body, headers=alice)
    assert response.status_code == 429
    assert response.headers["Retry-After"]
    assert api.get("/v1/jobs", headers=alice).json()["jobs"] == []
    assert api.get("/v1/batches", headers=alice).json()["batches"] == []
    body["axes"]["/seed"].pop()
    assert api.post("/v1/batches", json=body, headers=alice).status_code == 202
    spent = key("carol", quota={"cpu_seconds_per_day": 0})
    for path in ("/v1/jobs", "/v1/kernels/do-merging"):
        response = api.post(path, json=PROBLEM, headers=spent)
        assert response.status_code == 429
        assert "CPU time" in response.json()["detail"]


def test_an_owner_who_asks_too_often_waits(api, key):
    alice = key("alice", quota={"requests_per_minute": 3})
    codes = [api.get("/v1/jobs", headers=alice).status_code for _ in range(4)]
    assert codes == [200, 200, 200, 429]
    assert api.get("/v1/jobs", headers=key("bob")).status_code == 200


def test_requests_come_back_with_time():
    now = [0.0]
    limiter = RateLimiter(lambda: now[0])
    assert [limiter.wait("a", 60) for _ in range(60)] == [0.0] * 60
    assert limiter.wait("a", 60) == pytest.approx(1.0)
    now[0] += 0.5
    assert limiter.wait("a", 60) == pytest.approx(0.5)
    now[0] += 0.5
    assert limiter.wait("a", 60) == 0.0
    now[0] += 1e6
    assert [limiter.wait("a", 60) for _ in range(61)][-1] > 0


def test_a_short_call_of_a_kernel_is_charged_to_its_owner(api, key, store):
    from aqc_service.accounts import measure
    from aqc_service.database import reading

    example = {"lora_a": [[[1, 0]], [[0, 1]]], "lora_b": [[[1], [2]], [[3], [1]]]}
    response = api.post("/v1/kernels/do-merging", json=example, headers=key("alice"))
    assert response.status_code == 200, response.text
    with reading(store.engine) as connection:
        assert measure(connection, "alice").cpu_seconds > 0
        assert measure(connection, "bob").cpu_seconds == 0


def test_the_page_trades_its_key_for_a_cookie(api, key):
    headers = key("alice")
    assert api.post("/ui/session").status_code == 401
    signed = api.post("/ui/session", headers=headers)
    assert signed.status_code == 204
    cookie = signed.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(re.split("; ", cookie))
    assert api.get("/v1/jobs").status_code == 200  # httpx keeps cookies as browsers do
    assert api.post("/v1/jobs", json=PROBLEM).status_code == 401
    elsewhere = {"Origin": "http://evil.example"}
    assert api.post("/v1/jobs", json=PROBLEM, headers=elsewhere).status_code == 401
    here = {"Origin": "http://127.0.0.1"}
    assert api.post("/v1/jobs", json=PROBLEM, headers=here).status_code == 202
    api.delete("/ui/session")
    assert api.get("/v1/jobs").status_code == 401
