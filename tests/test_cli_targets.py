"""The script with circuits and states as input, and with a target made once."""

import json

import numpy as np
import pytest
from qiskit import QuantumCircuit, qasm2

from aqc.interop.files import load_circuit
from command_line import call, refused
from reference import (
    fidelity,
    random_state,
    site_order,
    trotter_circuit,
)

CHAIN = {"model": "xxz_chain", "num_qubits": 4, "delta": 0.5}


def write(path, content):
    path.write_text(json.dumps(content))
    return path


def read(directory):
    return json.loads((directory / "result.json").read_text())


def test_a_circuit_file_is_a_problem(tmp_path):
    deep = trotter_circuit(4, 10, 0.3)
    (tmp_path / "deep.qasm").write_text(qasm2.dumps(deep))
    out = tmp_path / "out"
    done = call("compile", tmp_path / "deep.qasm", "--out", out)
    assert done.exit_code == 0, done.stderr
    assert "<Z> within" in done.stdout
    assert "Trotter" not in done.stdout
    truth = site_order(deep)
    compiled = site_order(load_circuit(out / "circuit.qpy"))
    assert 1 - fidelity(compiled, truth) <= read(out)["certificate"]["infidelity_bound"] <= 0.011
    # The problem that was written stands for itself, wherever the file is.
    (tmp_path / "deep.qasm").unlink()
    again = call("certify", out / "circuit.qasm", out / "problem.json", "--json")
    assert json.loads(again.stdout)["infidelity"] == pytest.approx(read(out)["infidelity"])
    assert call("show", out).exit_code == 0


def test_files_lie_beside_the_problem_that_names_them(tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    folder = tmp_path / "inputs"
    folder.mkdir()
    np.savez(folder / "state.npz", *random_state(4, 2, seed=1))
    (folder / "start.qasm").write_text(qasm2.dumps(trotter_circuit(4, 1, 0.3)))
    fields = {"target": {"state": "state.npz"}, "ansatz": {"start": "start.qasm"}}
    problem = write(folder / "problem.json", fields)
    done = call("compile", problem, "--out", tmp_path / "out", "--quiet")
    assert done.exit_code == 0, done.stderr
    result = read(tmp_path / "out")
    assert result["layers"] == 2
    assert result["target"]["evolver"] == "state"
    assert result["trotter"] is None


def test_a_target_is_made_once_for_many_ansaetze(tmp_path):
    fields = {"hamiltonian": CHAIN, "time": 0.5, "initial_state": "neel"}
    problem = write(tmp_path / "problem.json", fields)
    made = call("target", problem, "--out", tmp_path / "target.npz")
    assert made.exit_code == 0, made.stderr
    assert "4 qubits, bond dimension" in made.stdout
    for layers in (2, 3):
        asked = write(tmp_path / f"{layers}.json", {**fields, "ansatz": {"layers": layers}})
        out = tmp_path / f"out-{layers}"
        done = call("compile", asked, "--target", tmp_path / "target.npz", "--out", out, "--quiet")
        assert done.exit_code == 0, done.stderr
        assert read(out)["layers"] == layers
    other = write(tmp_path / "other.json", {**fields, "time": 0.6})
    done = call("compile", other, "--target", tmp_path / "target.npz", "--out", tmp_path / "x")
    assert done.exit_code == 2
    assert "was made for others" in done.stderr
    assert not (tmp_path / "x").exists()


def test_what_cannot_be_read_is_refused_with_its_place(tmp_path):
    out = tmp_path / "out"
    for name, content, fragment in (
        ("a.qasm", "OPENQASM 2.0; qreg q[3]; cz q[0];", "cannot be read"),
        ("b.qasm", qasm2.dumps(measured()), "`measure`"),
        ("c.npz", "nothing", "/target/state/npz: `target.state` must hold what np.savez"),
        ("d.json", '{"target": {"circuit": "gone.qasm"}}', "/target/circuit: The circuit"),
    ):
        (tmp_path / name).write_text(content)
        assert refused(call("compile", tmp_path / name, "--out", out), fragment)
        assert refused(call("target", tmp_path / name, "--out", tmp_path / "t.npz"), fragment)
    problem = write(tmp_path / "problem.json", {"hamiltonian": CHAIN, "time": 0.5})
    nowhere = tmp_path / "no" / "t.npz"
    assert refused(call("target", problem, "--out", nowhere), "must name a file in a directory")


def measured():
    circuit = QuantumCircuit(2, 1)
    circuit.measure(0, 0)
    return circuit


def test_a_given_target_is_estimated_without_being_made(tmp_path):
    """What a circuit makes is taken to be as entangled as a state may be; a state is known."""
    (tmp_path / "deep.qasm").write_text(qasm2.dumps(trotter_circuit(6, 10, 0.3)))
    np.savez(tmp_path / "state.npz", *random_state(6, 2, seed=1))
    bonds = {}
    for name in ("deep.qasm", "state.npz"):
        told = call("estimate", tmp_path / name, "--json")
        assert told.exit_code == 0, told.stderr
        bonds[name] = json.loads(told.stdout)["bond_dimension"]
    assert bonds == {"deep.qasm": 8, "state.npz": 2}
