"""`make demo` on a small problem: all is shown, all is written, nothing is left running."""

import json
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from aqc_service.demo import service

README = Path(__file__).parents[2] / "README.md"
PROBLEM = {
    "hamiltonian": {"model": "xxz_chain", "num_qubits": 6, "delta": 0.5},
    "time": 0.5,
    "initial_state": "neel",
    "ansatz": {"layers": 3},
}


def run_demo(directory: Path, problem: str) -> "subprocess.CompletedProcess[str]":
    (directory / "small.json").write_text(problem)
    return subprocess.run(
        [sys.executable, "-m", "aqc_service.demo", "small.json"],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_demo_shows_and_writes_everything(tmp_path: Path) -> None:
    finished = run_demo(tmp_path, json.dumps(PROBLEM))
    assert finished.returncode == 0, finished.stderr
    for words in (
        "OPENQASM 3.0;",
        "best Trotter",
        "from the exact evolution",
        "/ui/jobs/",
        "more lines",
    ):
        assert words in finished.stdout
    files = re.findall(r"^    (aqc-out/\S+/result/\S+)$", finished.stdout, re.MULTILINE)
    assert len(files) == 6
    assert all((tmp_path / file).stat().st_size > 0 for file in files)
    running = [p for p in psutil.process_iter(["cmdline"]) if str(tmp_path) in str(p.info)]
    assert running == []


def test_demo_refuses_what_the_service_refuses(tmp_path: Path) -> None:
    finished = run_demo(tmp_path, json.dumps({**PROBLEM, "time": "soon"}))
    assert finished.returncode == 1
    assert "`time` must be a number" in finished.stderr
    assert "Traceback" not in finished.stderr


def test_the_client_of_the_readme_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    found = [block for block in blocks if "aqc.client" in block]
    assert len(found) == 2
    with service(tmp_path) as url:
        for block in found:
            assert "with Client() as client" in block
            here = block.replace("Client()", f"Client({url!r})").replace('": 30', '": 8')
            exec(compile(here, "README.md", "exec"), {"__name__": "readme"})
    *_, circuit, first, _, _, last = capsys.readouterr().out.splitlines()
    assert "('cx'" in circuit
    assert (first.split()[:2], last.split()[:2]) == (["0.0", "0.2"], ["0.5", "0.4"])
