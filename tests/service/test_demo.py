"""`make demo` on a small problem: all is shown, all is written, nothing is left running."""

import json
import os
import re
import shlex
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


def test_what_the_readme_sends_to_a_service_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = README.read_text().replace("\\\n", " ")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    found = [block for block in blocks if "aqc.client" in block]
    assert len(found) == 2
    commands = re.findall(r"^(?:curl|\.venv/bin/aqc job) .*", text, re.MULTILINE)
    assert len(commands) == 4
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "xxz_50.json").write_text(json.dumps(PROBLEM))
    with service(tmp_path) as url:
        for block in found:
            assert "with Client() as client" in block
            here = block.replace("Client()", f"Client({url!r})").replace('": 30', '": 8')
            exec(compile(here, "README.md", "exec"), {"__name__": "readme"})
        for line in commands:
            words = shlex.split(line.replace("http://127.0.0.1:8765", url))
            if words[0] == "curl":
                words.append("--fail-with-body")
            else:
                words[:1] = [sys.executable, "-c", "from aqc.cli import main; main()"]
            finished = subprocess.run(
                words,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                env={**os.environ, "AQC_URL": url},
                timeout=120,
            )
            assert finished.returncode == 0, (line, finished.stderr)
            assert finished.stdout.strip(), line
    *_, circuit, first, _, _, last = capsys.readouterr().out.splitlines()
    assert "('cx'" in circuit
    assert (first.split()[:2], last.split()[:2]) == (["0.0", "0.2"], ["0.5", "0.4"])
