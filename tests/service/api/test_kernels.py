"""The shelf over HTTP, answered by a real pool of processes; one pool serves all these tests."""

import base64
import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from kernel_calls import MERGE, SMALL, problem, with_pool

from aqc import kernels
from aqc.kernels import _results
from aqc_service.kernel_pool import KernelPool
from aqc_service.store import Store
from mutations import malformed

# Compiling every operation anew in another process takes minutes: `make test-slow` does.
PATHS = [
    pytest.param(slug, operation["name"], marks=[pytest.mark.slow] if number else [])
    for slug, entry in kernels.catalogue().items()
    for number, operation in enumerate(entry["operations"])
]


def entry(slug: str, name: str) -> dict[str, Any]:
    return next(x for x in kernels.catalogue()[slug]["operations"] if x["name"] == name)


@pytest.fixture
def app(app: FastAPI, shared_pool: KernelPool) -> Iterator[FastAPI]:
    yield from with_pool(app, shared_pool)


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
