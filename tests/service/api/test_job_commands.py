"""The commands `aqc job ...` against a real server."""

import json
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aqc_service.api import commands
from aqc_service.job_commands import app as jobs

PROBLEM = {
    "hamiltonian": {"model": "xxz_chain", "num_qubits": 4},
    "time": 0.5,
    "name": "from the file",
}
RESULT = {
    "infidelity": 0.008,
    "two_qubit_gates": 9,
    "two_qubit_depth": 6,
    "trotter": {"infidelity": 0.1, "two_qubit_depth": 7},
}


@pytest.fixture
def run(url):
    """Run a command against the server."""

    def call(*arguments, code=0, input=None):
        result = CliRunner().invoke(jobs, list(arguments), env={"AQC_URL": url}, input=input)
        assert result.exit_code == code, result.output
        return result

    return call


@pytest.fixture
def problem(tmp_path):
    path = tmp_path / "problem.json"
    path.write_text(json.dumps(PROBLEM))
    return str(path)


def test_submit_show_list_cancel(run, problem, store):
    submitted = run("submit", problem, "--tag", "a", "--tag", "b", "--priority", "3")
    job_id = submitted.stdout.strip()
    assert "No worker is alive" in submitted.stderr
    job = store.get(job_id)
    assert (job.name, job.tags, job.priority) == ("from the file", ("a", "b"), 3)
    assert "queued" in run("show", job_id).stdout
    assert json.loads(run("show", job_id, "--json").stdout)["id"] == job_id
    assert job_id in run("list", "--tag", "a").stdout
    assert run("list", "--state", "running").stdout == ""
    assert json.loads(run("list", "--json").stdout)[0]["id"] == job_id
    assert run("cancel", job_id).stdout == "cancelled\n"
    assert '"state": "cancelled"' in run("watch", job_id, code=1).stdout


def test_standard_input_and_options_go_before_the_file(run, store):
    job_id = run("submit", "-", "--name", "n", input=json.dumps(PROBLEM)).stdout.strip()
    assert store.get(job_id).name == "n"


def test_watch_and_result(run, problem, worker, tmp_path):
    job_id = run("submit", problem).stdout.strip()
    assert "is queued and has no circuit.qasm yet" in run("result", job_id, code=1).stderr
    worker.start(job_id)
    worker.succeed(job_id, {"circuit.qasm": b"OPENQASM 3.0;", "circuit.qpy": b"Q"}, RESULT)
    assert "depth 6" in run("watch", job_id).stderr
    assert run("result", job_id).stdout == "OPENQASM 3.0;"
    out = tmp_path / "circuit.qpy"
    assert "1 bytes" in run("result", job_id, "-f", "qpy", "-o", str(out)).stderr
    assert out.read_bytes() == b"Q"


def test_a_kernels_job_is_shown_by_what_it_runs(run, store, worker):
    call = {"kernel": "do-merging", "operation": "merge", "arrays": "list", "input": "0"}
    given = {"num_qubits": 0, "memory_bytes": 0, "body_hash": "-", "name": "do-merging/merge"}
    job, _ = store.create(json.dumps(call), kind="kernel", **given)
    assert "kernel" in run("list").stdout
    worker.start(job.id)
    result = {"kernel": "do-merging", "operation": "merge", "version": "0", "seconds": 0.1}
    worker.succeed(job.id, {"result.json": b'{"result": 1}'}, result)
    shown = run("show", job.id).stdout
    assert "do-merging, merge" in shown
    assert "qubits" not in shown
    assert json.loads(run("result", job.id).stdout) == {"result": 1}
    assert "has no circuit.qpy" in run("result", job.id, "-f", "qpy", "-o", "/x", code=1).stderr


def test_what_the_service_refuses_is_told_line_by_line(run, tmp_path, problem):
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps({**PROBLEM, "time": "x", "seed": -1}))
    refused = run("submit", str(bad), code=2)
    assert f"{bad}: /time: `time` must be a number" in refused.stderr
    assert f"{bad}: /seed: " in refused.stderr
    assert "cannot be read" in run("submit", str(tmp_path / "none.json"), code=2).stderr
    assert "no job of this id" in run("show", "0" * 32, code=1).stderr
    unreachable = run("show", "0" * 32, "--url", "http://127.0.0.1:9", code=1)
    assert "`aqc serve` starts one" in unreachable.stderr


def test_the_script_finds_the_commands_by_their_entry_points():
    pyproject = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    registered = pyproject["project"]["entry-points"]["aqc.commands"]
    assert registered["job"].split()[0] == "aqc_service.api.commands:job"
    assert registered["api"].split()[0] == "aqc_service.api.commands:api"
    assert commands.job is jobs
    assert callable(commands.api)
