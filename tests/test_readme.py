"""Every block of the README runs as it stands, but for the size of the problem."""

import re
import shlex
from pathlib import Path

import pytest

from aqc.problem import Problem
from command_line import call

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, flags=re.DOTALL | re.MULTILINE)
ALL_PYTHON = [block for kind, block in BLOCKS if kind == "python"]
# Blocks of the client need a service; tests/service/test_demo.py runs them.
PYTHON = [block for block in ALL_PYTHON if "aqc.client" not in block]
LINES = [
    line
    for kind, block in BLOCKS
    if kind == "sh"
    for line in block.replace("\\\n", " ").splitlines()
]
AQC = [line.removeprefix(".venv/bin/aqc ") for line in LINES if line.startswith(".venv/bin/aqc ")]
# tests/service/test_demo.py gives these a service, too.
WITH_SERVICE = [line for line in AQC if line.startswith("job ")]


def test_nothing_in_the_readme_is_left_out_here() -> None:
    assert {kind for kind, _ in BLOCKS} == {"json", "python", "sh"}
    others = [line for line in LINES if not line.startswith(".venv/bin/aqc ")]
    # tests/test_house.py knows that make's targets exist; CI runs them.
    assert {line.split()[0] for line in others} == {"make", "curl"}
    assert len(ALL_PYTHON) == len(PYTHON) + 2  # as many as test_demo.py runs
    assert len(AQC) > len(WITH_SERVICE) > 0


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_python_block_of_the_readme_runs(number, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(PYTHON[number], f"README.md block {number}", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out.strip()


def test_commands_of_the_readme_run_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (problem,) = (block for kind, block in BLOCKS if kind == "json")
    assert Problem.from_json(problem).num_qubits == 50
    Path("problem.json").write_text(problem.replace('"num_qubits": 50', '"num_qubits": 6'))
    for line in AQC:
        if line not in WITH_SERVICE:
            result = call(*shlex.split(line))
            assert result.exit_code == 0, (line, result.output)
    assert (tmp_path / "my-result" / "circuit.qasm").is_file()
    assert (tmp_path / "answer.json").is_file()
    assert (tmp_path / "answer.svg").is_file()
