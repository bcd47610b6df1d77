"""Trotter steps behind a compiled circuit: certified at the later time, beside Trotter alone."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from aqc.cli import app
from aqc.compile import compile_evolution
from aqc.errors import InputError
from aqc.extend import extend
from aqc.gates import evolution
from aqc.interop.circuits import as_gates
from aqc.mps import MPS
from aqc.problem import Problem

MODEL = {"model": "xxz_chain", "num_qubits": 6, "delta": 0.5, "field": [0.2, 0, 0, 0, 0, -0.3]}


@pytest.fixture(scope="module")
def compiled():
    return compile_evolution(
        MODEL, 1.0, initial_state="neel", ansatz={"layers": 5}, goal={"infidelity": 1e-4}
    )


def test_steps_behind_a_circuit_are_certified(compiled):
    later = extend(compiled.problem, compiled.circuit, 3, 0.1)
    hamiltonian, time = later.problem.evolution()
    assert time == pytest.approx(1.3)
    start = MPS.product(compiled.problem.product_state()).to_dense()
    exact = evolution(hamiltonian.to_dense(), time) @ start
    made = as_gates(later.circuit).act_on(np.eye(64)[0])
    true = 1 - abs(np.vdot(exact, made)) ** 2
    assert true <= later.certificate.infidelity_bound
    assert later.certificate.infidelity == pytest.approx(true, rel=0.1)
    # The first half step merges with the last layer of blocks: 6 layers of 3 CX more.
    assert later.two_qubit_depth == compiled.two_qubit_depth + 18
    assert later.trotter.two_qubit_depth >= later.two_qubit_depth
    assert later.certificate.infidelity < later.trotter.infidelity / 5


def test_the_command(compiled, tmp_path):
    from aqc import output

    output.write_result(tmp_path / "first", compiled, compiled.problem, draw=False)
    words = ["extend", tmp_path / "first", "--out", tmp_path / "later", "--step-time", "0.2"]
    called = CliRunner().invoke(app, [*map(str, words), "--steps", "2"])
    assert called.exit_code == 0, called.output
    assert "Trotter alone" in called.output
    content = json.loads((tmp_path / "later" / "extended.json").read_text())
    assert content["time"] == pytest.approx(1.4)
    assert content["infidelity"] < content["trotter"]["infidelity"]
    missing = CliRunner().invoke(app, ["extend", str(tmp_path), *map(str, words[2:])])
    assert missing.exit_code == 2


def test_what_cannot_be_extended(compiled):
    with pytest.raises(InputError, match="number of steps must be at least 1"):
        extend(compiled.problem, compiled.circuit, 0, 0.1)
    operator = Problem.build(MODEL, 0.1, mode="unitary")
    with pytest.raises(InputError, match='compiled with `mode` "state"'):
        extend(operator, compiled.circuit, 1, 0.1)
