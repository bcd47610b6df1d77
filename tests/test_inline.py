"""What a problem names from outside: every form ends as the same text or bytes."""

import base64
import json

import numpy as np
import pytest
import quimb.tensor as qtn
from qiskit import QuantumCircuit, qasm2

from aqc import compile_evolution, output
from aqc.errors import InputError
from aqc.given import GivenCircuit
from aqc.inline import as_problem, inline
from aqc.interop.circuits import parse
from aqc.interop.files import save_qpy
from aqc.interop.quimb import to_quimb
from aqc.mps import MPS
from aqc.problem import Problem
from reference import (
    fidelity,
    random_state,
    site_order,
    statevector,
    trotter_circuit,
    xxz,
)

BASE = {"hamiltonian": {"model": "xxz_chain", "num_qubits": 4}, "time": 0.5}


def made(content, *path):
    """Return the state of a circuit in a problem."""
    value = Problem.from_dict(content)
    for name in path:
        value = getattr(value, name)
    assert isinstance(value, GivenCircuit)
    return statevector(parse(value))


def test_circuits_are_files_objects_or_text(tmp_path):
    circuit = trotter_circuit(4, 2, 0.3)
    (tmp_path / "c.qasm").write_text(qasm2.dumps(circuit))
    save_qpy(circuit, tmp_path / "c.qpy")
    forms = [circuit, "c.qasm", "c.qpy", {"qasm": qasm2.dumps(circuit)}]
    for form in forms:
        target = inline({"target": {"circuit": form}}, tmp_path)
        state = inline({**BASE, "initial_state": {"circuit": form}}, tmp_path)
        start = inline({**BASE, "ansatz": {"start": form}}, tmp_path)
        assert start["ansatz"]["layers"] == 4
        json.dumps([target, state, start])
        for found in (
            made(target, "target", "circuit"),
            made(state, "initial_state"),
            made(start, "ansatz", "start"),
        ):
            assert fidelity(found, site_order(circuit)) > 1 - 1e-12
    assert "initial_state" in inline({**BASE, "initial_state": circuit})
    made(inline({**BASE, "initial_state": circuit}), "initial_state")


def test_states_are_files_tensors_or_quimbs(tmp_path):
    tensors = random_state(4, 3, seed=1)
    np.savez(tmp_path / "state.npz", *tensors)
    mps = MPS(tuple(tensors))
    for form in (tensors, mps, to_quimb(mps), "state.npz"):
        content = inline({"target": {"state": form}}, tmp_path)
        found = Problem.from_dict(content).target.state
        dense = MPS(tuple(found.tensors)).to_dense()
        np.testing.assert_allclose(dense, mps.to_dense(), atol=1e-14)


def test_what_is_written_already_stays():
    content = {**BASE, "ansatz": {"start": {"random": 1}}, "target": {"tolerance": 1e-3}}
    assert inline(content) == content
    problem = Problem.from_dict(content)
    fields = {name: getattr(problem, name) for name in ("target", "ansatz")}
    assert Problem.from_dict(inline({**BASE, **fields})) == problem


def test_the_result_of_a_directory_or_of_python_is_a_start(tmp_path):
    """On a device, too: its circuit acts on other qubits than the sites."""
    line = [[3, 1], [1, 0], [0, 2], [2, 4]]
    result = compile_evolution(
        xxz(5),
        0.5,
        initial_state="neel",
        ansatz={"layers": 3},
        circuit={"coupling_map": line},
        optimizer={"max_steps": 3},
    )
    assert result.layout != (0, 1, 2, 3, 4)
    output.write_result(tmp_path / "out", result, result.problem)
    five = {"hamiltonian": xxz(5), "time": 0.5}
    for form in (result, "out"):
        content = inline({**five, "ansatz": {"start": form}}, tmp_path)
        assert content["ansatz"]["layers"] == 3
        again = compile_evolution(**content, initial_state="neel", optimizer={"max_steps": 1})
        assert again.certificate.fidelity == pytest.approx(result.certificate.fidelity, abs=1e-10)


def test_as_problem_takes_all_of_these():
    circuit = trotter_circuit(4, 1, 0.3)
    problem = as_problem(xxz(4), 0.5, initial_state=circuit, ansatz={"start": circuit})
    assert problem.ansatz.layers == 2
    assert problem.initial_state == problem.ansatz.start


@pytest.mark.parametrize(
    ("fields", "pointer", "sentence"),
    [
        ({"target": {"circuit": 3}}, "/target/circuit", "must be a QuantumCircuit"),
        ({"target": {"circuit": "no.qasm"}}, "/target/circuit", "cannot be opened"),
        ({"target": {"state": "no.npz"}}, "/target/state", "cannot be read: No such file"),
        ({"target": {"state": 3}}, "/target/state", "must be a quimb MatrixProductState"),
        ({"ansatz": {"start": "no-directory"}}, "/ansatz/start", "cannot be opened"),
        (
            {"initial_state": {"circuit": "no.qpy"}},
            "/initial_state/circuit",
            "cannot be opened",
        ),
    ],
)
def test_a_refusal_says_where(fields, pointer, sentence, tmp_path):
    with pytest.raises(InputError, match=sentence) as refused:
        inline(fields, tmp_path)
    assert refused.value.pointer == pointer


def test_a_start_that_is_no_brickwork_is_refused():
    ring = QuantumCircuit(4)
    ring.cx(0, 3)
    with pytest.raises(InputError, match="`ansatz.start` must be a brickwork"):
        inline({"ansatz": {"start": ring}})
    (start,) = [inline({"ansatz": {"start": ring, "layers": 3}})["ansatz"]["start"]]
    with pytest.raises(InputError, match="`ansatz.start` must be a brickwork"):
        compile_evolution(xxz(4), 0.5, ansatz={"start": start, "layers": 3})


def test_rings_and_other_than_qubits_are_no_states():
    for state in (
        qtn.MPS_rand_state(4, 2, cyclic=True, seed=1),
        qtn.MPS_rand_state(4, 2, phys_dim=3, seed=1),
    ):
        with pytest.raises(InputError, match="must have open ends and two levels"):
            inline({"target": {"state": state}})


def test_a_directory_that_is_no_result_is_refused(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match=r"result.json cannot be read") as refused:
        inline({"ansatz": {"start": "out"}}, tmp_path)
    assert refused.value.pointer == "/ansatz/start"


def test_bytes_of_a_file_are_kept_as_they_are(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"not a zip file")
    content = inline({"target": {"state": "x.npz"}}, tmp_path)
    assert base64.b64decode(content["target"]["state"]["npz"]) == b"not a zip file"
    with pytest.raises(InputError, match="must hold what np.savez"):
        Problem.from_dict(content)
