"""Batches over HTTP: a template and axes in, one row for each job out; all or nothing."""

import csv
import io
import json

from aqc_service.api.batch_body import MAX_JOBS

TEMPLATE = {
    "hamiltonian": {"model": "xxz_chain", "num_qubits": 4},
    "time": 0.5,
    "ansatz": {"layers": 3},
    "tags": ["sweep"],
}
AXES = {"/hamiltonian/delta": [0.0, 0.5, 1.0], "/time": [0.2, 0.4]}


def post(api, body=None, **changes):
    content = {"template": TEMPLATE, "axes": AXES, **(body or {}), **changes}
    return api.post("/v1/batches", json=content)


def rows_of(api, batch):
    return api.get(batch["links"]["table"]).json()["rows"]


def test_every_value_with_every_other_is_a_job(api, store):
    response = post(api, name="Δ and t")
    assert response.status_code == 202
    batch = response.json()
    assert response.headers["Location"] == batch["links"]["self"]
    assert (batch["size"], batch["states"], batch["finished"]) == (6, {"queued": 6}, False)
    assert batch["axes"] == AXES
    pairs = [(row["delta"], row["time"]) for row in rows_of(api, batch)]
    assert pairs == [(d, t) for d in (0.0, 0.5, 1.0) for t in (0.2, 0.4)]
    for row in rows_of(api, batch):
        problem = json.loads(store.get(row["job"]).problem)
        assert problem["hamiltonian"]["delta"] == row["delta"]
        assert problem["time"] == row["time"]
    assert len(api.get("/v1/jobs", params={"tag": "sweep"}).json()["jobs"]) == 6
    assert [e.data for e in store.events(rows_of(api, batch)[0]["job"])] == [{"state": "queued"}]


def test_zip_takes_the_first_with_the_first(api):
    axes = {"/time": [0.1, 0.2], "/optimizer/max_steps": [5, 6]}
    batch = post(api, axes=axes, mode="zip").json()
    found = [(row["time"], row["max_steps"]) for row in rows_of(api, batch)]
    assert found == [(0.1, 5), (0.2, 6)]


def test_an_axis_may_lead_into_a_list(api):
    chain = {"model": "xxz_chain", "num_qubits": 4, "field": [0, 0, 0, 0]}
    body = {"template": {"hamiltonian": chain, "time": 1}, "axes": {"/hamiltonian/field/2": [1, 2]}}
    batch = post(api, body).json()
    jobs = [api.get(f"/v1/jobs/{row['job']}").json() for row in rows_of(api, batch)]
    assert [job["problem"]["hamiltonian"]["field"][2] for job in jobs] == [1, 2]


def test_the_table_has_what_came_of_the_jobs(api, worker):
    batch = post(api, axes={"/time": [0.1, 0.2]}).json()
    first = rows_of(api, batch)[0]["job"]
    worker.start(first)
    certificate = {"infidelity_bound": 0.02}
    result = {"infidelity": 0.01, "certificate": certificate, "trotter": {"infidelity": 0.1}}
    worker.succeed(first, {}, {**result, "two_qubit_depth": 9, "status": "goal_reached"})
    done, waiting = rows_of(api, batch)
    assert (done["infidelity"], done["infidelity_bound"], done["trotter_infidelity"]) == (
        0.01,
        0.02,
        0.1,
    )
    assert (done["state"], done["two_qubit_depth"], done["status"]) == (
        "succeeded",
        9,
        "goal_reached",
    )
    assert (waiting["state"], waiting["infidelity"]) == ("queued", None)
    response = api.get(batch["links"]["csv"])
    assert response.headers["Content-Type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(response.text)))
    assert [(line["time"], line["infidelity"]) for line in lines] == [("0.1", "0.01"), ("0.2", "")]
    again = api.get(batch["links"]["csv"], headers={"If-None-Match": response.headers["ETag"]})
    assert again.status_code == 304


def test_what_a_spreadsheet_would_run_is_text(api):
    batch = post(api, axes={"/name": ['=HYPERLINK("x")', "fine"]}).json()
    lines = list(csv.DictReader(io.StringIO(api.get(batch["links"]["csv"]).text)))
    assert [line["name"] for line in lines] == ['\'=HYPERLINK("x")', "fine"]


def test_cancel_and_delete(api, worker, store):
    batch = post(api).json()
    first, *others = [row["job"] for row in rows_of(api, batch)]
    worker.start(first)
    assert api.delete(batch["links"]["self"]).status_code == 409
    for _ in range(2):
        response = api.post(batch["links"]["cancel"])
        assert response.status_code == 202
        assert response.json()["states"] == {"cancelled": 5, "cancelling": 1}
    events = [e.data.get("state") for e in store.events(others[0])]
    assert events == ["queued", "cancelled"]
    worker.move(first, "cancelled")
    assert api.get(batch["links"]["self"]).json()["finished"]
    assert api.delete(batch["links"]["self"]).status_code == 204
    assert api.get(batch["links"]["self"]).status_code == 404
    assert store.get(first) is None


def test_lists_go_page_by_page(api):
    ids = [post(api, axes={"/time": [0.1]}).json()["id"] for _ in range(5)][::-1]
    page = api.get("/v1/batches", params={"limit": 3})
    rest = api.get(page.headers["Link"].split(">")[0].removeprefix("<"))
    found = [batch["id"] for answer in (page, rest) for batch in answer.json()["batches"]]
    assert found == ids
    assert rest.json()["next_cursor"] is None


def test_one_key_is_one_batch(api, store):
    headers = {"Idempotency-Key": "k"}
    body = {"template": TEMPLATE, "axes": {"/time": [0.1, 0.2]}}
    first, again = (api.post("/v1/batches", json=body, headers=headers) for _ in range(2))
    assert first.json()["id"] == again.json()["id"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(store.list()[0]) == 2
    other = api.post("/v1/batches", json={**body, "mode": "zip"}, headers=headers)
    assert other.status_code == 422
    assert "used before with another body" in other.json()["detail"]


REFUSED = [
    ({"template": 3}, "/template", "must be a submission"),
    ({"axes": {}}, "/axes", "an object of 1 to 8 axes"),
    ({"axes": {"time": [1]}}, "/axes/time", "named by a JSON pointer"),
    ({"axes": {"/time": 1}}, "/axes/~1time", "must be a list of values"),
    ({"axes": {"/time": []}}, "/axes/~1time", "must be a list of values"),
    ({"axes": {"/time": [0.1, "x"]}}, "/axes/~1time/1", "number"),
    ({"axes": {"/tim": [1]}}, "/axes/~1tim/0", "did you mean `time`"),
    ({"axes": {"/hamiltonian/delta/3": [1]}}, "/axes/~1hamiltonian~1delta~13", "delta"),
    ({"axes": {"/tags/1": ["x"]}}, "/axes/~1tags~11", "must lead to a field"),
    ({"template": {**TEMPLATE, "seed": "x"}}, "/template/seed", "seed"),
    ({"mode": "outer"}, "/mode", "product or zip"),
    ({"axes": {"/time": [1, 2], "/seed": [1]}, "mode": "zip"}, "/axes", "one length"),
    ({"axes": {"/time": [0.1] * 101, "/seed": [1] * 10}}, "/axes", "at most 1000 jobs, but has"),
    ({"jobs": 3}, "/jobs", "A batch has the fields"),
    ({"template": {**TEMPLATE, "limits": {"memory_gb": 0.001}}}, "/template/limits", "memory_gb"),
]


def test_what_is_wrong_is_refused_where_it_is_and_nothing_is_stored(api, store):
    for changes, pointer, sentence in REFUSED:
        response = post(api, changes)
        assert response.status_code == 422, response.text
        fault = response.json()["errors"][0]
        assert fault["pointer"].startswith(pointer), (changes, fault)
        assert sentence in fault["detail"], (changes, fault)
    assert store.list() == ([], None)
    assert api.get("/v1/batches").json()["batches"] == []


def test_jobs_that_hold_too_much_together_are_refused(api):
    template = {**TEMPLATE, "hamiltonian": {"num_qubits": 4, "terms": [["X" * 200_000, [0], 1.0]]}}
    response = post(api, template=template, axes={"/seed": list(range(500))})
    assert response.status_code == 422
    assert "at most 64 MiB together" in response.json()["detail"]


def test_a_thousand_jobs_come_in_one_transaction(api, store):
    axes = {"/seed": list(range(MAX_JOBS))}
    response = post(api, axes=axes)
    assert response.status_code == 202, response.text
    assert response.json()["states"] == {"queued": MAX_JOBS}
    with store.engine.connect() as connection:
        (found,) = connection.exec_driver_sql("SELECT count(DISTINCT created_at) FROM job").one()
    assert found == 1
