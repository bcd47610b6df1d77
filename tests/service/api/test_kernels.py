"""The shelf over HTTP, answered by a real pool of processes; one pool serves all these tests."""

import base64
import concurrent.futures
import io
import json
import re
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest

from aqc import kernels
from aqc.kernels import _results
from aqc_service.kernel_pool import KernelPool
from aqc_service.settings import ServiceSettings
from aqc_service.store import Store
from mutations import malformed

# Compiling every operation anew in another process takes minutes: `make test-slow` does.
PATHS = [
    pytest.param(slug, operation["name"], marks=[pytest.mark.slow] if number else [])
    for slug, entry in kernels.catalogue().items()
    for number, operation in enumerate(entry["operations"])
]
SMALL = {
    "lora_a": [[[1.0, 0.0], [0.0, 1.0]]] * 2,
    "lora_b": [[[3.0, 0.0], [0.0, 1.0]], [[15.0, 0.0], [0.0, 5.0]]],
    "steps": 0,
}
MERGE = "/v1/kernels/do-merging/merge-adapters"


def entry(slug: str, name: str) -> dict[str, Any]:
    return next(x for x in kernels.catalogue()[slug]["operations"] if x["name"] == name)


@pytest.fixture(scope="module")
def shared_pool() -> Iterator[KernelPool]:
    pool = KernelPool(1, 1, 2_000_000_000, 60.0)
    yield pool
    pool.close()


@pytest.fixture
def app(app: Any, shared_pool: KernelPool) -> Any:
    app.state.kernel_pool.close()
    app.state.kernel_pool = shared_pool
    yield app
    app.state.kernel_pool = KernelPool(1, 1, 1, 1.0)  # the shared one goes on


OwnPool = Callable[..., KernelPool]


@pytest.fixture
def own_pool(app: Any) -> Iterator[OwnPool]:
    """Gives the application another pool, which ends with the test."""
    pools = []

    def make(**given: Any) -> KernelPool:
        options = {"size": 1, "threads": 1, "memory_bytes": 2_000_000_000, "seconds": 60.0}
        app.state.kernel_pool = KernelPool(**{**options, **given})  # type: ignore[arg-type]
        pools.append(app.state.kernel_pool)
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    return found


# --- the catalogue


def test_the_catalogue_is_the_shelf(api: httpx.Client) -> None:
    response = api.get("/v1/kernels")
    assert [x["slug"] for x in response.json()["kernels"]] == list(kernels.slugs())
    again = api.get("/v1/kernels", headers={"If-None-Match": response.headers["ETag"]})
    assert again.status_code == 304
    one = api.get("/v1/kernels/do-merging").json()
    assert one == kernels.catalogue()["do-merging"]
    assert one["paper"]["link"] == "https://arxiv.org/abs/2505.15875"


@pytest.mark.parametrize(
    ("method", "path", "sentence"),
    [
        ("GET", "/v1/kernels/do-mergin", "There is no kernel 'do-mergin'; did you mean `do-merg"),
        ("POST", "/v1/kernels/do-mergin", "There is no kernel 'do-mergin'"),
        ("POST", "/v1/kernels/nothing/at-all", "There is no kernel 'nothing'."),
        ("POST", "/v1/kernels/do-merging/merge", "do-merging has the operations merge-adapters, "),
    ],
)
def test_what_is_not_on_the_shelf(api: httpx.Client, method: str, path: str, sentence: str) -> None:
    assert sentence in problem(api.request(method, path, json={}), 404)["detail"]


def test_other_methods_are_refused(api: httpx.Client) -> None:
    assert api.put(MERGE).headers["Allow"] == "POST"


def test_the_process_imports_no_kernel_and_no_jax(tmp_path: Path) -> None:
    code = """
import asyncio, httpx, sys
from aqc_service import tables
from aqc_service.api.server import create_app
from aqc_service.database import open_engine
from aqc_service.settings import ServiceSettings
from aqc_service.store import Store
settings = ServiceSettings(data_dir=sys.argv[1])
settings.jobs_dir.mkdir(parents=True)
engine = open_engine(settings.url)
tables.metadata.create_all(engine)
app = create_app(Store(engine, settings.jobs_dir, None, 1.0), settings)
async def call():
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as api:
        slug = "do-merging"
        example = (await api.get(f"/v1/kernels/{slug}")).json()["operations"][0]["example"]
        return (await api.post(f"/v1/kernels/{slug}", json=example)).status_code
status = asyncio.run(call())
app.state.kernel_pool.close()
print(status, *sys.modules)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    status, *modules = done.stdout.splitlines()[-1].split()
    assert status == "200"
    assert not [name for name in modules if name.startswith("aqc.kernels.")]
    assert {"jax", "scipy", "matplotlib"}.isdisjoint(modules)


# --- calls


@pytest.mark.parametrize(("slug", "name"), PATHS)
def test_the_endpoint_is_the_function(api: httpx.Client, slug: str, name: str) -> None:
    """And its curl command works as it is."""
    operation = api.get("/openapi.json").json()["paths"][f"/v1/kernels/{slug}/{name}"]["post"]
    (command,) = re.findall(r"```sh\n(curl .*?)```", operation["description"], re.DOTALL)
    _, url, _, header, _, body = shlex.split(command.replace("\\\n", " "))
    content = operation["requestBody"]["content"]["application/json"]
    assert json.loads(body) == content["example"] == entry(slug, name)["example"]
    response = api.post(
        url.removeprefix("http://127.0.0.1:8765"),
        content=body,
        headers=dict([header.split(": ")]),
    )
    assert response.status_code == 200, response.text
    answer = response.json()
    assert (answer["kernel"], answer["operation"]) == (slug, name)
    kernel = kernels.load(slug)
    expected = _results.to_json(kernel.operation(name).run(content["example"]))
    assert_close(answer["result"], expected)


def assert_close(found: Any, expected: Any) -> None:
    """Another process may use other numbers of threads: rounding may differ, and no more."""
    if isinstance(expected, dict):
        assert set(found) == set(expected)
        for key in expected:
            assert_close(found[key], expected[key])
    elif isinstance(expected, list) and not all(isinstance(x, float) for x in expected):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_close(one, other)
    elif isinstance(expected, float | list):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
    else:
        assert found == expected


def test_the_command_of_the_readme_works(api: httpx.Client) -> None:
    readme = (Path(__file__).parents[3] / "README.md").read_text("utf-8")
    (command,) = re.findall(r"^curl \S+/v1/kernels.*?^```", readme, re.MULTILINE | re.DOTALL)
    _, url, _, _, _, body = shlex.split(command.removesuffix("```").replace("\\\n", " "))
    path = url.removeprefix("http://127.0.0.1:8765")
    assert api.post(path, json=json.loads(body)).status_code == 200


def test_the_first_operation_answers_to_the_name_alone(api: httpx.Client) -> None:
    result = api.post("/v1/kernels/do-merging", json=SMALL).json()["result"]
    merged = np.array(result["lora_b"]) @ np.array(result["lora_a"])
    np.testing.assert_allclose(merged, [[9.0, 0.0], [0.0, 3.0]], atol=1e-12)


def test_arrays_as_npy_both_ways(api: httpx.Client) -> None:
    sent = {name: [_results.to_json(np.array(x), "npy") for x in SMALL[name]] for name in SMALL
            if name != "steps"}  # fmt: skip
    answer = api.post(f"{MERGE}?arrays=npy", json={**sent, "steps": 0}).json()
    lora_a = np.load(io.BytesIO(base64.b64decode(answer["result"]["lora_a"]["npy"])))
    expected = api.post(MERGE, json=SMALL).json()["result"]["lora_a"]
    np.testing.assert_array_equal(lora_a, expected)


@pytest.mark.parametrize(("form", "magic"), [("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_a_figure_of_the_answer(api: httpx.Client, form: str, magic: bytes) -> None:
    address = api.post(f"{MERGE}?figure={form}", json=SMALL).json()["figure"]
    head, _, data = address.partition(",")
    assert head.startswith("data:image/")
    assert base64.b64decode(data).startswith(magic)


@pytest.mark.parametrize(
    ("body", "status", "pointer", "sentence"),
    [
        (b"{", 400, "", "The input is not JSON"),
        (b'{"steps": NaN}', 400, "", "Numbers must be finite, but NaN stands at line 1, column 11"),
        (b"[]", 422, "", "The input must be a JSON object, but is []."),
        (b"{}", 422, "/lora_a", "`lora_a` is required."),
        (json.dumps({**SMALL, "step": 1}).encode(), 422, "/step", "did you mean `steps`?"),
        (json.dumps({**SMALL, "steps": 1e9}).encode(), 422, "/steps", "`steps` must be an integer"),
        (
            json.dumps({**SMALL, "lora_b": SMALL["lora_b"][:1]}).encode(),
            422,
            "/lora_b",
            "`lora_b` must have as many items as `lora_a` (2), but has 1.",
        ),
        (
            json.dumps({**SMALL, "lora_a": [[[1, 2], [3]], [[1, 2]]]}).encode(),
            422,
            "/lora_a/0/1",
            "`lora_a[0]` must not be ragged",
        ),
    ],
)
def test_refusals_are_those_of_python(
    api: httpx.Client, body: bytes, status: int, pointer: str, sentence: str
) -> None:
    response = api.post(MERGE, content=body, headers={"Content-Type": "application/json"})
    found = problem(response, status)
    assert found["errors"][0]["pointer"] == pointer
    assert sentence in found["errors"][0]["detail"]


def test_other_media_types_and_parameters_are_refused(api: httpx.Client) -> None:
    problem(api.post(MERGE, content=b"x", headers={"Content-Type": "text/plain"}), 415)
    problem(api.post(f"{MERGE}?arrays=xml", json=SMALL), 400)
    problem(api.post(f"{MERGE}?array=npy", json=SMALL), 400)


def test_too_large_a_body_is_refused(api: httpx.Client) -> None:
    body = b" " * (64 * 2**20 + 1)
    headers = {"Content-Type": "application/json"}
    found = problem(api.post(MERGE, content=body, headers=headers), 413)
    assert found["detail"] == "The body must have at most 64 MiB."


def test_malformed_bodies_never_break_it(api: httpx.Client) -> None:
    """Here the way of one kernel's sentences; test_every_kernel.py tries each kernel's."""
    for body in malformed(entry("do-merging", "merge-adapters")["example"], 200):
        # JSON as careless clients write it: with NaN, and with lone surrogates.
        response = api.post(
            MERGE,
            content=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        assert response.status_code in (200, 202, 400, 422), (body, response.text)


# --- the pool


def test_a_call_that_dies_is_told_and_the_next_one_is_answered(
    own_pool: OwnPool, api: httpx.Client
) -> None:
    pool = own_pool()
    assert api.post(MERGE, json=SMALL).status_code == 200
    (process,) = pool._processes
    psutil.Process(process.pid).suspend()
    with concurrent.futures.ThreadPoolExecutor(1) as caller:
        call = caller.submit(api.post, MERGE, json=SMALL)
        time.sleep(0.2)
        psutil.Process(process.pid).kill()
        response = call.result()
    found = problem(response, 503)
    assert "died" in found["detail"]
    assert response.headers["Retry-After"] == "2"
    assert api.post(MERGE, json=SMALL).status_code == 200


def test_a_process_that_died_idle_is_replaced_unnoticed(
    own_pool: OwnPool, api: httpx.Client
) -> None:
    pool = own_pool()
    assert api.post(MERGE, json=SMALL).status_code == 200
    (process,) = pool._processes
    process.end()
    assert api.post(MERGE, json=SMALL).status_code == 200


def test_too_many_callers_are_asked_to_come_again(own_pool: OwnPool, api: httpx.Client) -> None:
    pool = own_pool()
    assert api.post(MERGE, json=SMALL).status_code == 200
    (process,) = pool._processes
    psutil.Process(process.pid).suspend()
    with concurrent.futures.ThreadPoolExecutor(5) as callers:
        calls = [callers.submit(api.post, MERGE, json=SMALL) for _ in range(5)]
        while pool._present < 5:
            time.sleep(0.01)
        response = api.post(MERGE, json=SMALL)
        psutil.Process(process.pid).resume()
        assert [call.result().status_code for call in calls] == [200] * 5
    assert "5 calls of kernels run or wait already" in problem(response, 429)["detail"]
    assert response.headers["Retry-After"] == "2"


def test_a_pool_that_is_gone(own_pool: OwnPool, api: httpx.Client) -> None:
    own_pool().close()
    assert problem(api.post(MERGE, json=SMALL), 503)["detail"] == "The service is stopping."


def test_a_process_that_cannot_be_started(
    own_pool: OwnPool, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_pool()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    found = problem(api.post(MERGE, json=SMALL), 503)
    assert "No process for kernels could be started" in found["detail"]


def test_a_call_that_takes_too_long_becomes_a_job(own_pool: OwnPool, api: httpx.Client) -> None:
    own_pool(seconds=0.3)
    assert api.post(MERGE, json=SMALL).status_code in (200, 202)  # the kernel's first call is slow
    big = {"lora_a": [np.ones((8, 200)).tolist()] * 8, "lora_b": [np.ones((200, 8)).tolist()] * 8}
    response = api.post(MERGE, json={**big, "steps": 2000})
    assert response.status_code == 202
    assert response.json()["kind"] == "kernel"


def test_processes_end_with_the_pool_and_with_the_api(tmp_path: Path) -> None:
    code = """
import os, signal
from aqc_service.kernel_pool import KernelPool
pool = KernelPool(1, 1, 10**9, 60.0)
header = {"kernel": "x", "operation": "x", "arrays": "list", "figure": None, "check_only": False}
assert pool.submit(header, [b"{}"]).result().kind == "refused"
(process,) = pool._processes
print(process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    pid = int(done.stdout.split()[-1])
    until = time.monotonic() + 20
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_the_api_answers_others_while_large_bodies_pass(url: str) -> None:
    """Some 20 MB of arguments, as numbers in text: reading them takes a process seconds."""
    row = ",".join(["1.25"] * 2000)
    matrix = "[" + ",".join([f"[{row}]"] * 64) + "]"
    tall = "[" + ",".join(["[" + ",".join(["1.25"] * 64) + "]"] * 2000) + "]"
    body = f'{{"lora_a": [{",".join([matrix] * 16)}], "lora_b": [{",".join([tall] * 16)}]}}'
    headers = {"Content-Type": "application/json"}
    waits: list[float] = []
    done = threading.Event()

    def look() -> None:
        with httpx.Client(base_url=url) as client:
            while not done.is_set():
                began = time.monotonic()
                assert client.get("/v1/healthz").status_code == 200
                waits.append(time.monotonic() - began)

    looker = threading.Thread(target=look)
    looker.start()
    began = time.monotonic()
    response = httpx.post(f"{url}{MERGE}", content=body, headers=headers, timeout=60)
    took = time.monotonic() - began
    done.set()
    looker.join()
    assert response.status_code == 202, response.text
    # Were the body read by the loop, one of them would have waited for nearly all of it.
    assert len(waits) > 5
    assert max(waits) < 0.5 * took


# --- jobs


def test_long_calls_become_jobs(api: httpx.Client, store: Store) -> None:
    response = api.post(MERGE, json=SMALL, headers={"Prefer": "respond-async"})
    assert response.status_code == 202
    assert response.headers["Preference-Applied"] == "respond-async"
    job = response.json()
    assert response.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert (job["kind"], job["name"]) == ("kernel", "do-merging/merge-adapters")
    assert job["problem"] == {
        "kernel": "do-merging",
        "operation": "merge-adapters",
        "arrays": "list",
        "input": job["id"],
    }
    assert json.loads((store.jobs_dir / job["id"] / "input.json").read_bytes()) == SMALL
    assert api.get("/v1/jobs?kind=kernel").json()["jobs"][0]["id"] == job["id"]
    assert api.post(f"/v1/jobs/{job['id']}/cancel").status_code == 202
    assert api.delete(f"/v1/jobs/{job['id']}").status_code == 204
    assert not (store.jobs_dir / job["id"]).exists()


def test_what_would_be_refused_becomes_no_job(api: httpx.Client, store: Store) -> None:
    response = api.post(MERGE, json={}, headers={"Prefer": "respond-async"})
    problem(response, 422)
    assert list(store.jobs_dir.iterdir()) == []


def test_one_key_gives_one_job_and_one_input(api: httpx.Client, store: Store) -> None:
    headers = {"Prefer": "respond-async", "Idempotency-Key": "k1"}
    first = api.post(MERGE, json=SMALL, headers=headers)
    second = api.post(MERGE, json=SMALL, headers=headers)
    assert second.json()["id"] == first.json()["id"]
    assert second.headers["Idempotency-Replayed"] == "true"
    other = api.post(MERGE, json={**SMALL, "steps": 1}, headers=headers)
    assert "used before with another body" in problem(other, 422)["detail"]
    assert [path.name for path in store.jobs_dir.iterdir()] == [first.json()["id"]]


def test_settings_reach_the_pool(store: Store, tmp_path: Path) -> None:
    from aqc_service.api.app import create_app

    app = create_app(store, ServiceSettings(data_dir=tmp_path, kernel_processes=3, threads=1))
    assert app.state.kernel_pool._most == 15
    app.state.kernel_pool.close()
