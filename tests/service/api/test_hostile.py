"""Input that means harm: too large, too deep, no numbers, bombs, paths that lead out, secrets."""

import base64
import io
import json
import subprocess
import sys
import zipfile

import httpx
import numpy as np
import pytest
from harness import Service, make_settings, wait_for

from aqc_service import keys

PROBLEM = {
    "hamiltonian": {"model": "xxz_chain", "num_qubits": 4},
    "time": 0.5,
    "ansatz": {"layers": 3},
}
ROUTES = ("/v1/jobs", "/v1/estimates", "/v1/batches", "/v1/kernels/do-merging")
JSON = {"Content-Type": "application/json"}


def npy_header(shape):
    file = io.BytesIO()
    header = {"descr": "<c16", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


def test_json_that_is_none_or_too_deep_is_400(api, store):
    wrong = [b"[" * 100_000, b'{"a":' * 50_000, b"[" * 400 + b"]" * 399]
    wrong += [b'{"time": NaN}', b'{"time": -Infinity}', b'{"template": {"time": NaN}, "axes": 1}']
    wrong += [b"\xff\xfe{", b"", b"{" + b'"a": 1, "a": 2' + b"}", b"1" * 5000]
    for route in ROUTES:
        for body in wrong:
            response = api.post(route, content=body, headers=JSON)
            assert response.status_code == 400, (route, body[:20], response.text)
    # Deep but whole: what it says is refused, not how deep it is, and nothing breaks.
    for depth in (50, 200, 900, 3000):
        nested = json.dumps(PROBLEM)[:-1] + ', "x": ' + "[" * depth + "]" * depth + "}"
        batch = '{"axes": {"/time": [1]}, "template": ' + nested + "}"
        for route, body in (("/v1/jobs", nested), ("/v1/batches", batch)):
            assert api.post(route, content=body, headers=JSON).status_code in (400, 422)
    assert store.list() == ([], None)


def test_bodies_that_are_too_large_are_413(api, store):
    for route in ROUTES:
        size = (64 if "kernels" in route else 8) * 2**20 + 1
        response = api.post(route, content=b" " * size, headers=JSON)
        assert response.status_code == 413, route
    assert store.list() == ([], None)


def state_of(*shapes):
    """An archive whose headers promise tensors that are not in it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, shape in enumerate(shapes):
            archive.writestr(f"arr_{number}.npy", npy_header(shape) + bytes(10_000))
    return {"npz": base64.b64encode(file.getvalue()).decode()}


def test_a_state_that_would_unpack_to_gigabytes_is_refused_unpacked(api, store):
    chi = 20_000
    shapes = [(1, 2, chi), *[(chi, 2, chi)] * 30, (chi, 2, 1)]
    body = {"target": {"state": state_of(*shapes)}}
    response = api.post("/v1/jobs", json=body)
    assert response.status_code == 422, response.text
    response = api.post("/v1/batches", json={"template": body, "axes": {"/seed": [1, 2]}})
    assert response.status_code == 422, response.text
    assert store.list() == ([], None)


def test_an_array_that_promises_gigabytes_is_refused(api):
    bombs = [npy_header((10**5, 10**5)), npy_header((2, 2)) + bytes(3), b"PK\x03\x04" + bytes(99)]
    for bomb in bombs:
        array = {"npy": base64.b64encode(bomb).decode()}
        body = {"lora_a": [array, array], "lora_b": [array, array]}
        response = api.post("/v1/kernels/do-merging", json=body)
        assert response.status_code == 422, response.text


NAMES = [
    "../../../aqc.db",
    "..%2F..%2F..%2Faqc.db",
    "%2e%2e/%2e%2e/aqc.db",
    "%2Fetc%2Fpasswd",
    "circuit.qasm%00",
    "circuit.qasm/",
    "..%5C..%5Caqc.db",
    "secret.txt",
    "best-7/circuit.qasm",
]


def test_no_name_of_a_file_leads_out_of_the_jobs_own(api, store, worker, job_id):
    worker.start(job_id)
    worker.succeed(job_id, {"circuit.qasm": b"mine"})
    (store.jobs_dir / job_id / "secret.txt").write_text("never told")
    for name in NAMES:
        response = api.get(f"/v1/jobs/{job_id}/artifacts/{name}")
        assert response.status_code in (404, 405), (name, response.text)
        assert b"SQLite" not in response.content
        assert b"never told" not in response.content
    for wrong in ("..", "%2e%2e", "../" + job_id, job_id + "%2F..", job_id.upper()):
        response = api.get(f"/v1/jobs/{wrong}/artifacts/circuit.qasm")
        assert response.status_code == 404
    assert api.get(f"/v1/jobs/{job_id}/artifacts/circuit.qasm").content == b"mine"


@pytest.fixture
def keyed(postgres_server, tmp_path):
    """A service on PostgreSQL that asks for keys, and whose database has a password."""
    from postgres import new_database

    url = new_database(postgres_server, f"keyed_{abs(hash(tmp_path)):x}")
    url = url.replace("aqc@", "aqc:hunter2-hunter2@")
    port = 18_000 + abs(hash(tmp_path)) % 2000
    settings = make_settings(tmp_path / "data", database_url=url, keys="on", port=port)
    service = Service(settings)
    yield service
    service.close()


def test_no_secret_is_in_the_log(keyed, tmp_path):
    good = keys.create(keyed.store.engine, "alice")[1]
    bad = good[:-3] + "xyz"
    url = f"http://127.0.0.1:{keyed.settings.port}"
    log = tmp_path / "log"
    with log.open("wb") as stream:
        command = [sys.executable, "-m", "aqc_service", "api"]
        process = subprocess.Popen(command, env=keyed.environment(), stdout=stream, stderr=stream)
        keyed.processes.append(process)
        wait_for(lambda: answers(url))
        for key in (good, bad):
            for header in (f"Bearer {key}", f"Basic {key}", key):
                headers = {"Authorization": header}
                httpx.get(f"{url}/v1/jobs?cursor={key}", headers=headers)
                httpx.post(f"{url}/v1/jobs", json={"time": key}, headers=headers)
            httpx.get(f"{url}/v1/jobs", cookies={"aqc_key": key})
            httpx.post(f"{url}/ui/session", headers={"Authorization": f"Bearer {key}"})
        with keyed.store.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE api_key RENAME TO gone")
        broken = httpx.get(f"{url}/v1/jobs", headers={"Authorization": f"Bearer {good}"})
        assert broken.status_code == 503
        process.terminate()
        process.wait(30)
    text = log.read_text()
    assert text.count("path=/v1/jobs") >= 10
    assert "owner=alice" in text
    for secret in (good[17:], bad[17:], good[20:50], "hunter2"):
        assert secret not in text
        assert secret not in broken.text


def answers(url):
    try:
        return httpx.get(f"{url}/v1/healthz").is_success
    except httpx.HTTPError:
        return False
