import json

import numpy as np
import pytest
from typer.testing import CliRunner

from aqc import output
from aqc.cli import app


def call(*words):
    return CliRunner().invoke(app, ["prepare", *map(str, words)])


def test_a_ground_state_beside_staircases(tmp_path):
    model = tmp_path / "chain.json"
    model.write_text('{"model": "heisenberg_chain", "num_qubits": 6}')
    out = tmp_path / "out"
    called = call(model, "--out", out, "--layers", 3, "--max-steps", 60, "--infidelity", 0.05)
    assert called.exit_code == 0, called.output
    result = output.read_result(out)
    assert result["infidelity"] <= 0.05
    energy = result["observables"]["energy"]
    assert energy["target"] == pytest.approx(-9.974, abs=1e-2)  # 4 x the spin chain's -2.4936
    compared = json.loads((out / "staircase.json").read_text())
    assert compared["infidelity"] <= result["infidelity"] or compared["layers"] == 48
    assert len(compared["infidelities"]) == compared["layers"]
    assert "times ours" in called.output
    assert call(model, "--out", out).exit_code == 2  # there is a result already


def test_tensors_and_refusals(tmp_path):
    bell = [np.eye(2).reshape(1, 2, 2), np.eye(2).reshape(2, 2, 1) / 2**0.5]
    np.savez(tmp_path / "bell.npz", *bell)
    words = (tmp_path / "bell.npz", "--out", tmp_path / "out", "--layers", 1, "--no-staircase")
    called = call(*words)
    assert called.exit_code == 0, called.output
    assert output.read_result(tmp_path / "out")["two_qubit_gates"] == 1
    assert not (tmp_path / "out" / "staircase.json").exists()
    (tmp_path / "bad.json").write_text('{"model": "no_chain", "num_qubits": 6}')
    refused = call(tmp_path / "bad.json", "--out", tmp_path / "other")
    assert refused.exit_code == 2
    assert "no_chain" in refused.output
    missing = call(tmp_path / "nothing.json", "--out", tmp_path / "other")
    assert "cannot be read" in missing.output
