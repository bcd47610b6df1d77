"""OpenAPI is complete, its examples work as they are, and the process is light."""

import json
import os
import re
import shlex
import subprocess
import sys

import pytest

from aqc.problem import Problem
from aqc_service.api.app import create_app
from aqc_service.settings import ServiceSettings

HEAVY = {"dbos", "jax", "matplotlib", "qiskit", "quimb", "alembic"}
DOCUMENT = create_app(None, ServiceSettings()).openapi()  # type: ignore[arg-type]
OPERATIONS = {
    operation["operationId"]: (method, path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}


def run_python(code: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": ":".join(filter(None, sys.path))},
    )
    return finished.stdout.strip()


def test_the_process_imports_neither_jax_nor_qiskit():
    code = """
import sys
from pathlib import Path
import aqc_service.api.commands, aqc_service.api.server
from aqc.problem import Problem
from aqc.estimate import check_memory, estimate
problem = Problem.build({"model": "xxz_chain", "num_qubits": 20}, 1.0)
check_memory(problem), estimate(problem)
print(*{name.split(".")[0] for name in sys.modules})
"""
    loaded = set(run_python(code).split())
    assert "fastapi" in loaded
    assert HEAVY.isdisjoint(loaded)


def test_drawing_a_plot_imports_neither_jax_nor_qiskit():
    code = "import sys, aqc.figures; print(*{name.split('.')[0] for name in sys.modules})"
    assert (HEAVY - {"matplotlib"}).isdisjoint(run_python(code).split())


def test_the_application_is_there_in_a_second_and_a_half():
    # Processor time, so that a busy machine does not fail the test.
    code = """
import time
from aqc_service.api.server import create_app
from aqc_service.settings import ServiceSettings
create_app(None, ServiceSettings())
print(time.process_time())
"""
    assert any(float(run_python(code)) < 1.5 for _ in range(3))


def test_the_body_is_the_problem_and_the_services_own_fields():
    schemas = DOCUMENT["components"]["schemas"]
    own = {"times", "name", "tags", "priority", "device"}
    assert set(schemas["Submission"]["properties"]) == set(Problem.model_fields) | own
    assert "wall_seconds" in schemas["LimitSettings"]["properties"]
    assert "wall_seconds" not in json.dumps(Problem.model_json_schema())


def test_every_reference_leads_somewhere():
    names = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(DOCUMENT)))
    assert names <= set(DOCUMENT["components"]["schemas"])
    assert "HTTPValidationError" not in json.dumps(DOCUMENT)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_operation_says_how_it_fails_and_shows_curl(name):
    _, _, operation = OPERATIONS[name]
    for status, response in operation["responses"].items():
        if int(status) >= 400:
            assert set(response["content"]) == {"application/problem+json"}
    assert "```sh\ncurl" in operation["description"]


def arguments(command, job_id, batch_id):
    """What a shell would give curl."""
    ids = command.replace("$JOB", job_id).replace("$BATCH", batch_id)
    return shlex.split(ids.replace("\\\n", " "))


# Those of the kernels run in test_kernels.py, where one pool of processes serves them all.
@pytest.mark.parametrize("name", [x for x in sorted(OPERATIONS) if not x.startswith("kernel_")])
def test_the_curl_commands_work_as_they_are(name, api, worker):
    """A curl of our own reads them: -i -N -X -H -d -o -O and the address."""
    worker.lives()
    job_id = api.post("/v1/jobs", json={**DOCUMENT_EXAMPLE, "name": "x"}).json()["id"]
    if name in ("job_result", "job_plot", "job_artifacts", "job_artifact"):
        worker.start(job_id)
        files = dict.fromkeys(("circuit.qasm", "circuit.qpy", "result.json"), b"{}")
        curve = {"history": [[1, 0.1]], "trotter_infidelity": 0.2, "goal": 0.01}
        files["figures.json"] = json.dumps({"convergence": curve}).encode()
        worker.succeed(job_id, files)
    if name in ("retry_job", "delete_job", "job_events"):
        api.post(f"/v1/jobs/{job_id}/cancel")
    if name == "show_job":
        api.post(f"/v1/jobs/{job_id}/cancel")
    sweep = {"template": DOCUMENT_EXAMPLE, "axes": {"/time": [0.1, 0.2]}}
    batch_id = api.post("/v1/batches", json=sweep).json()["id"]
    if name == "delete_batch":
        api.post(f"/v1/batches/{batch_id}/cancel")
    method, _, operation = OPERATIONS[name]
    (block,) = re.findall(r"```sh\n(.*?)```", operation["description"], re.DOTALL)
    for command in re.split(r"\n(?=curl)", block.strip()):
        words = iter(arguments(command, job_id, batch_id)[1:])
        given: dict = {"method": "GET", "headers": {}, "content": None}
        for word in words:
            if word == "-X":
                given["method"] = next(words)
            elif word == "-H":
                key, value = next(words).split(": ", 1)
                given["headers"][key] = value
            elif word == "-d":
                given["method"], given["content"] = "POST", next(words)
            elif word == "-o":
                next(words)
            elif word not in ("-i", "-N", "-O"):
                given["url"] = word.removeprefix("http://127.0.0.1:8765")
        assert given["method"].lower() == method
        response = api.request(**given)
        assert response.is_success, response.text


DOCUMENT_EXAMPLE = next(iter(OPERATIONS["submit_job"][2]["requestBody"]["content"].values()))[
    "examples"
]["terms"]["value"]


def test_the_examples_of_the_body_are_accepted(api):
    content = OPERATIONS["submit_job"][2]["requestBody"]["content"]["application/json"]
    for example in content["examples"].values():
        assert api.post("/v1/jobs", json=example["value"]).status_code == 202
