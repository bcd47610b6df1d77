"""Jobs over HTTP: every status of submit, show, list, cancel, retry, delete."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from aqc.problem import Problem

PROBLEM = {
    "hamiltonian": {"model": "xxz_chain", "num_qubits": 4},
    "time": 0.5,
    "ansatz": {"layers": 3},
}
JSON = {"Content-Type": "application/json"}
NOBODY = "0" * 32


def refused(response, status, *fragments):
    """Check a refusal's form; return its faults."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert body["request_id"] == response.headers["X-Request-ID"]
    assert body["detail"].rstrip(")").endswith((".", "?"))
    for fragment in fragments:
        assert fragment in body["detail"]
    return body.get("errors", [])


# --- submit ---


def test_submitting_stores_the_problem_with_defaults_and_says_where_the_job_is(api, store):
    content = {**PROBLEM, "name": "first", "tags": ["a", "b", "a"], "priority": 5}
    content["limits"] = {"threads": 1, "wall_seconds": 60}
    response = api.post("/v1/jobs", json=content)
    assert response.status_code == 202
    job = response.json()
    assert response.headers["Location"] == f"/v1/jobs/{job['id']}" == job["links"]["self"]
    assert int(response.headers["Retry-After"]) >= 1
    assert (job["state"], job["attempt"], job["version"]) == ("queued", 0, 1)
    assert (job["name"], job["tags"], job["priority"]) == ("first", ["a", "b"], 5)
    assert job["wall_limit"] == 60
    expected = Problem.from_dict({**PROBLEM, "limits": {"threads": 1}})
    assert job["problem"] == expected.to_dict()
    assert job["memory_bytes"] > 1e8
    stored = store.get(job["id"])
    assert Problem.from_json(stored.problem) == expected
    assert stored.request_id == response.headers["X-Request-ID"]


def test_without_a_worker_the_job_and_readyz_say_so(api, worker):
    job = api.post("/v1/jobs", json=PROBLEM).json()
    assert job["notes"] == ["No worker is alive; the job waits until one is."]
    assert api.get("/v1/jobs").json()["jobs"][0]["notes"] == job["notes"]
    etag = api.get(job["links"]["self"]).headers["ETag"]
    refused(api.get("/v1/readyz"), 503, "No worker is alive")
    worker.lives()
    shown = api.get(job["links"]["self"], headers={"If-None-Match": etag})
    assert shown.status_code == 200
    assert shown.json()["notes"] == []
    assert api.get("/v1/readyz").json()["status"] == "ready"


@pytest.mark.parametrize(
    ("body", "fragment"),
    [
        (b"", "not JSON"),
        (b"{", "line 1, column 2"),
        (b"\xff", "UTF-8"),
        (b'{"time": NaN}', "NaN stands at line 1"),
        (b'{"time": 1, "time": 2}', '"time" is given twice'),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_not_json_is_400(api, store, body, fragment):
    refused(api.post("/v1/jobs", content=body, headers=JSON), 400, fragment)
    assert store.list() == ([], None)


@pytest.mark.parametrize(
    ("changes", "pointer", "fragment"),
    [
        ({"time": "soon"}, "/time", "`time` must be a number"),
        ({"tme": 1}, "/tme", "did you mean `time`?"),
        (
            {"nam": "x"},
            "/nam",
            'seed, name, tags, priority, device, but not "nam"; did you mean `name`?',
        ),
        ({"name": 7}, "/name", "`name` must be a string, but is 7."),
        ({"name": "a\u0000b"}, "/name", "printable"),
        ({"name": "\ud800"}, "/name", "printable"),
        ({"name": "x" * 201}, "/name", "1 to 200 characters"),
        ({"tags": "demo"}, "/tags", "must be a list"),
        ({"tags": ["a", ""]}, "/tags/1", "1 to 64 characters"),
        ({"priority": 101}, "/priority", "at most 100"),
        ({"priority": 1.0}, "/priority", "an integer"),
        ({"limits": {"wall_seconds": -1}}, "/limits/wall_seconds", "greater than 0"),
        ({"limits": {"wall_secs": 1}}, "/limits/wall_secs", "memory_gb, wall_seconds, but not"),
        ({"limits": 3}, "/limits", "an object"),
        ({"limits": {"memory_gb": 0.1}}, "/limits/memory_gb", "must cover the predicted 0."),
    ],
)
def test_a_field_at_fault_is_named_and_nothing_is_stored(api, store, changes, pointer, fragment):
    body = json.dumps({**PROBLEM, **changes})
    faults = refused(api.post("/v1/jobs", content=body, headers=JSON), 422)
    assert [fault["pointer"] for fault in faults] == [pointer]
    assert fragment in faults[0]["detail"]
    assert store.list() == ([], None)


def test_all_faults_are_told_at_once(api):
    content = {"hamiltonian": {"model": "xxz"}, "time": [], "name": 1, "tags": [2]}
    faults = refused(api.post("/v1/jobs", json=content), 422, "3 more in `errors`.")
    pointers = [fault["pointer"] for fault in faults]
    assert pointers == ["/name", "/tags/0", "/hamiltonian/num_qubits", "/time"]


def test_more_memory_than_the_service_gives_is_refused_with_the_estimate(api):
    large = {"model": "xxz_chain", "num_qubits": 20_000}
    content = {"hamiltonian": large, "time": 1, "initial_state": "neel", "ansatz": {"layers": 13}}
    content |= {"limits": {"memory_gb": 1e4}}
    (fault,) = refused(api.post("/v1/jobs", json=content), 422, "This service allows a job at")
    assert fault["pointer"] == "/limits/memory_gb"
    assert "predicted" in fault["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {},
    ],
)
def test_another_media_type_is_415(api, headers):
    refused(api.post("/v1/jobs", content=json.dumps(PROBLEM), headers=headers), 415)


def test_application_json_may_name_its_charset(api):
    headers = {"Content-Type": 'Application/JSON; charset="UTF-8"'}
    response = api.post("/v1/jobs", content=json.dumps(PROBLEM), headers=headers)
    assert response.status_code == 202


def test_a_body_over_8_mib_is_413_also_when_its_length_is_not_announced(api, store):
    body = json.dumps(PROBLEM).encode()
    exact = body + b" " * (8 * 2**20 - len(body))
    assert api.post("/v1/jobs", content=exact, headers=JSON).status_code == 202
    refused(api.post("/v1/jobs", content=exact + b" ", headers=JSON), 413, "at most 8 MiB")
    chunks = (b" " * 2**20 for _ in range(9))
    refused(api.post("/v1/jobs", content=chunks, headers=JSON), 413)
    waits = {**JSON, "Expect": "100-continue"}
    refused(api.post("/v1/jobs", content=exact + b" ", headers=waits), 413)
    assert len(store.list()[0]) == 1


# --- Idempotency-Key ---


def test_a_key_and_body_used_again_give_the_same_job(api, store):
    headers = {"Idempotency-Key": "k1"}
    first = api.post("/v1/jobs", json=PROBLEM, headers=headers)
    assert "Idempotency-Replayed" not in first.headers
    reordered = dict(reversed(PROBLEM.items()))
    again = api.post("/v1/jobs", json=reordered, headers=headers)
    assert again.status_code == 202
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    assert api.post("/v1/jobs", json=PROBLEM).json()["id"] != first.json()["id"]
    assert len(store.list()[0]) == 2


def test_a_key_used_with_another_body_is_422(api, store):
    headers = {"Idempotency-Key": "k1"}
    api.post("/v1/jobs", json=PROBLEM, headers=headers)
    other = api.post("/v1/jobs", json={**PROBLEM, "time": 0.6}, headers=headers)
    (fault,) = refused(other, 422, "used before with another body")
    assert fault["parameter"] == "Idempotency-Key"
    assert len(store.list()[0]) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "two words"])
def test_a_key_that_cannot_be_one_is_400(api, key):
    (fault,) = refused(api.post("/v1/jobs", json=PROBLEM, headers={"Idempotency-Key": key}), 400)
    assert fault["parameter"] == "Idempotency-Key"


def test_40_posts_at_once_with_30_keys_make_30_jobs(api, store):
    def post(number):
        headers = {"Idempotency-Key": f"key-{number % 30}"}
        response = api.post("/v1/jobs", json={**PROBLEM, "seed": number % 30}, headers=headers)
        return response.status_code, response.json()["id"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, range(40)))
    assert {status for status, _ in answers} == {202}
    assert len({job_id for _, job_id in answers}) == 30
    assert len(store.list(limit=200)[0]) == 30


# --- Prefer: wait ---


def test_prefer_wait_answers_200_when_the_job_is_finished(api, worker, store):
    def work():
        while not store.list()[0]:
            time.sleep(0.02)
        job = worker.start(store.list()[0][0].id)
        worker.succeed(job.id, {})

    thread = threading.Thread(target=work)
    thread.start()
    response = api.post("/v1/jobs", json=PROBLEM, headers={"Prefer": "wait=20"})
    thread.join()
    assert response.status_code == 200
    assert response.json()["state"] == "succeeded"
    assert response.headers["Preference-Applied"] == "wait=20"
    assert response.headers["Location"] == response.json()["links"]["self"]


def test_prefer_wait_answers_202_after_that_time(api):
    began = time.monotonic()
    response = api.post("/v1/jobs", json=PROBLEM, headers={"Prefer": "wait=1"})
    assert response.status_code == 202
    assert 0.9 < time.monotonic() - began < 5


# --- show and list ---


def test_show_has_an_etag_that_changes_with_the_job(api, worker, job_id):
    path = f"/v1/jobs/{job_id}"
    first = api.get(path)
    etag = first.headers["ETag"]
    same = api.get(path, headers={"If-None-Match": f'"x", W/{etag}'})
    assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", etag)
    worker.start(job_id)
    other = api.get(path, headers={"If-None-Match": etag})
    assert (other.status_code, other.json()["state"]) == (200, "running")


@pytest.mark.parametrize("job_id", [NOBODY, "nonsense", "%00", "..%2f..", "é", "A" * 32])
@pytest.mark.parametrize(
    ("method", "suffix"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/cancel"),
        ("POST", "/retry"),
        ("GET", "/events"),
        ("GET", "/result"),
        ("GET", "/artifacts"),
        ("GET", "/artifacts/circuit.qasm"),
        ("GET", "/plots/circuit.png"),
    ],
)
def test_an_unknown_job_is_404(api, method, suffix, job_id):
    refused(api.request(method, f"/v1/jobs/{job_id}{suffix}"), 404)


def test_list_pages_through_all_jobs_newest_first(api):
    made = [
        api.post("/v1/jobs", json={**PROBLEM, "tags": [f"t{i % 2}"]}).json()["id"] for i in range(7)
    ]
    seen, path = [], "/v1/jobs?limit=3&state=queued"
    while path:
        response = api.get(path)
        seen += [job["id"] for job in response.json()["jobs"]]
        assert "problem" not in response.json()["jobs"][0]
        link = response.headers.get("Link", "")
        assert bool(link) == (response.json()["next_cursor"] is not None)
        path = link.removesuffix('>; rel="next"').removeprefix("<")
    assert seen == made[::-1]
    tagged = api.get("/v1/jobs?tag=t1&kind=compile").json()["jobs"]
    assert [job["id"] for job in tagged] == made[1::2][::-1]
    assert api.get("/v1/jobs?state=running").json() == {"jobs": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("state=done", "state"),
        ("cursor=there", "cursor"),
        ("tag=%00", "tag"),
        ("stat=queued", "stat"),
    ],
)
def test_a_parameter_at_fault_is_400_and_named(api, query, parameter):
    (fault,) = refused(api.get(f"/v1/jobs?{query}"), 400)
    assert fault["parameter"] == parameter


# --- cancel, retry, delete ---


def test_cancel_may_be_repeated(api, worker, job_id):
    for _ in range(2):
        response = api.post(f"/v1/jobs/{job_id}/cancel")
        assert (response.status_code, response.json()["state"]) == (202, "cancelled")


def test_cancel_of_a_running_job_asks_it_to_stop(api, worker, job_id):
    worker.start(job_id)
    for _ in range(2):
        job = api.post(f"/v1/jobs/{job_id}/cancel").json()
        assert (job["state"], job["cancel_requested"]) == ("cancelling", True)


def test_cancel_of_a_job_that_succeeded_is_409(api, worker, job_id):
    worker.start(job_id)
    worker.succeed(job_id, {})
    refused(api.post(f"/v1/jobs/{job_id}/cancel"), 409, "it succeeded before")


def test_retry_makes_a_new_job_of_a_finished_one(api, job_id):
    refused(api.post(f"/v1/jobs/{job_id}/retry"), 409, "must be finished")
    api.post(f"/v1/jobs/{job_id}/cancel")
    response = api.post(f"/v1/jobs/{job_id}/retry")
    assert response.status_code == 202
    job = response.json()
    assert (job["retry_of"], job["state"]) == (job_id, "queued")
    assert response.headers["Location"] == f"/v1/jobs/{job['id']}" != f"/v1/jobs/{job_id}"


def test_retry_with_a_key_is_one_job(api, job_id):
    api.post(f"/v1/jobs/{job_id}/cancel")
    headers = {"Idempotency-Key": "again"}
    first, second = (api.post(f"/v1/jobs/{job_id}/retry", headers=headers) for _ in range(2))
    assert first.json()["id"] == second.json()["id"] != job_id
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    other = api.post("/v1/jobs", json=PROBLEM, headers=headers)
    refused(other, 422, "used before with another body")


def test_delete_takes_finished_jobs_only(api, job_id):
    response = api.delete(f"/v1/jobs/{job_id}")
    refused(response, 409, "must be finished")
    assert "Retry-After" in response.headers
    api.post(f"/v1/jobs/{job_id}/cancel")
    assert api.delete(f"/v1/jobs/{job_id}").status_code == 204
    refused(api.get(f"/v1/jobs/{job_id}"), 404)
