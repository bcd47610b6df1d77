"""The commands that must start fast, and what the command line does to its process."""

import subprocess
import sys

import pytest

from command_line import call, refused


@pytest.mark.parametrize("command", ["version", "--help", "show", "models"])
def test_light_commands_load_no_heavy_library(command):
    heavy = {"jax", "qiskit", "quimb", "matplotlib", "scipy"} | (
        set() if command == "models" else {"numpy"}
    )
    code = (
        "import sys; from aqc.cli import app\n"
        f"try: app(['{command}'])\n"
        "finally: print(','.join(sys.modules), file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    modules = set(run.stderr.splitlines()[-1].split(","))
    assert "aqc.cli" in modules
    assert not heavy & modules


def test_models_prints_every_formula_and_parameter():
    from aqc.models import MODELS

    printed = call("models").stdout
    for model in MODELS.values():
        section = printed.split(f"\n{model.name}\n")[1].split("\n\n")[0]
        assert model.formula in section
        for parameter in model.parameters:
            assert f"    {parameter.name} " in section


def test_show_refuses_what_is_no_result(tmp_path):
    assert refused(call("show", tmp_path), "result.json cannot be read")
    for text in ("{", "[]", "{}"):
        (tmp_path / "result.json").write_text(text)
        assert refused(call("show", tmp_path), "result.json is not")


# --- the process ---


def test_threads_are_limited_before_numpy_is_loaded(tmp_path):
    problem = tmp_path / "problem.json"
    problem.write_text('{"limits": {"threads": 3}}')
    code = f"""
import os, sys
class Spy:
    def find_spec(self, name, *rest):
        if name == "numpy":
            print("numpy sees", os.environ.get("OMP_NUM_THREADS"))
sys.meta_path.insert(0, Spy())
from aqc.cli import app
app(["compile", {str(problem)!r}, "--out", {str(tmp_path / "out")!r}])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stdout.split("\n")[0] == "numpy sees 3"
    assert (run.returncode, "/hamiltonian" in run.stderr) == (2, True)
