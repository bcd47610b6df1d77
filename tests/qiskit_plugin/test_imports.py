"""What a plugin that nobody asked for costs, in processes of their own."""

import os
import subprocess
import sys
import tomllib
from importlib import import_module, metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAME = "PauliEvolution.aqctensor"


def run(code: str) -> str:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_registered():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, _, name = project["entry-points"]["qiskit.synthesis"][NAME].partition(":")
    assert name == "AQCTensorEvolution"
    assert hasattr(import_module(module), name)
    installed = metadata.entry_points(group="qiskit.synthesis", name=NAME)
    assert [entry.value for entry in installed] == [f"{module}:{name}"]


def test_importing_qiskit_imports_nothing_of_ours():
    code = "import qiskit, sys; print(any(m.split('.')[0] == 'aqc' for m in sys.modules))"
    assert run(code).strip() == "False"


def test_a_transpile_that_does_not_name_it_loads_next_to_nothing():
    """All plugins of a group are loaded: ours are small modules, without any library."""
    code = """
import sys
from qiskit import QuantumCircuit, transpile
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import SparsePauliOp

circuit = QuantumCircuit(3)
circuit.append(PauliEvolutionGate(SparsePauliOp(["XXI", "IZZ"]), 0.1), range(3))
transpile(circuit, basis_gates=["u", "cx"], optimization_level=2)
print(sorted(m for m in sys.modules if m.split(".")[0] in ("aqc", "jax", "jaxlib", "quimb")))
"""
    ours = ["aqc", "aqc.qiskit_plugin"]
    ours += [f"aqc.qiskit_plugin.{name}" for name in ("evolution", "evolved_state", "init")]
    assert run(code).strip() == str(ours)


def test_declining_imports_no_engine():
    code = """
import sys
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import SparsePauliOp
from aqc.qiskit_plugin.evolution import AQCTensorEvolution

for labels in (["XXX"], ["XXI", "IXX", "XIX"]):
    assert AQCTensorEvolution().run(PauliEvolutionGate(SparsePauliOp(labels), 0.1)) is None
print(sorted({"jax", "quimb", "optax", "qiskit_aer", "aqc.compile"} & set(sys.modules)))
"""
    assert run(code).strip() == "[]"
