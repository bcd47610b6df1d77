"""Jobs whose target is a circuit or a state: no file is read for others, and a stop is survived."""

import json

import pytest
from qiskit import qasm2
from test_compile_job import Ear, read, task

from aqc.client.content import as_content
from aqc.errors import InputError
from aqc.inline import inline
from aqc.interop.files import load_circuit
from aqc.problem import Problem
from aqc_service.api.memory import check_fits
from aqc_service.api.submission import parse_submission
from aqc_service.child import Orders, Stopped
from aqc_service.compile_job import run
from aqc_service.job_commands import _read
from reference import (
    fidelity,
    random_state,
    site_order,
    trotter_circuit,
)

DEEP = trotter_circuit(4, 8, 0.5)


def submitted(**target):
    return {"target": target, "ansatz": {"layers": 3}, "limits": {"threads": 1}}


def test_inline_circuits_and_states_are_accepted():
    state = inline({"target": {"state": random_state(4, 2, seed=1)}})["target"]["state"]
    for target in ({"circuit": {"qasm": qasm2.dumps(DEEP)}}, {"state": state}):
        accepted = parse_submission({**submitted(**target), "name": "given"})
        assert accepted.problem.num_qubits == 4
        assert check_fits(accepted.problems, 4.0) > 1e8


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        (submitted(circuit="/etc/passwd"), "/target/circuit"),
        (submitted(circuit={"file": "/etc/passwd"}), "/target/circuit"),
        (submitted(state="/etc/passwd"), "/target/state"),
        (
            {
                "hamiltonian": {"model": "xxz_chain", "num_qubits": 4},
                "time": 1.0,
                "initial_state": {"circuit": "/etc/passwd"},
            },
            "/initial_state/circuit",
        ),
        (
            {
                "hamiltonian": {"model": "xxz_chain", "num_qubits": 4},
                "time": 1.0,
                "ansatz": {"layers": 3, "start": "/etc"},
            },
            "/ansatz/start",
        ),
    ],
)
def test_files_are_not_read_for_a_submission(content, pointer):
    with pytest.raises(InputError) as refused:
        parse_submission(content)
    assert refused.value.pointer == pointer


def test_the_client_writes_files_into_what_it_submits(tmp_path):
    (tmp_path / "deep.qasm").write_text(qasm2.dumps(DEEP))
    (tmp_path / "problem.json").write_text(json.dumps(submitted(circuit="deep.qasm")))
    content = _read(str(tmp_path / "problem.json"))
    assert parse_submission(content).problem.target.circuit.qasm == qasm2.dumps(DEEP)
    assert as_content(submitted(circuit=DEEP), None, {})["target"]["circuit"].keys() == {"qasm"}
    (tmp_path / "problem.json").write_text('{"time": 1.0}')
    with pytest.raises(InputError, match="the field `hamiltonian`, or with a `target`"):
        _read(str(tmp_path / "problem.json"))


def test_a_program_that_includes_a_file_fails_in_the_job_and_shows_nothing_of_it(tmp_path):
    text = 'OPENQASM 2.0;\ninclude "/etc/passwd";\nqreg q[3];\n'
    asked = Problem.from_dict(submitted(circuit={"qasm": text}))
    with pytest.raises(InputError, match=r"may include only qelib1.inc or stdgates.inc"):
        run(task(tmp_path / "job", asked), Ear(), Orders())


def test_a_job_with_a_circuit_goes_on_after_a_stop(tmp_path):
    """Its best circuit so far is written too, although no Trotter formula tells its start."""
    asked = Problem.from_dict(
        inline(
            {
                **submitted(circuit=DEEP),
                "goal": {"infidelity": 1e-9},
                "optimizer": {"max_steps": 12},
            }
        )
    )
    whole = run(task(tmp_path / "whole", asked), Ear(), Orders())
    assert whole["trotter"] is None
    assert whole["observables"]["z"]["max_error"] < 0.2
    orders = Orders()

    def stop(kind, data):
        if kind == "best" and data["evaluations"] >= 4:
            orders.stop.set()

    directory = tmp_path / "cut"
    with pytest.raises(Stopped):
        run(task(directory, asked), Ear(stop), orders)
    (best, *_) = sorted(directory.glob("best-*"))
    compiled = load_circuit(best / "circuit.qpy")
    assert fidelity(site_order(compiled), site_order(DEEP)) > 0.8
    last = run(task(tmp_path / "last", asked, [directory]), Ear(), Orders())
    assert abs(last["infidelity"] - whole["infidelity"]) < 1e-12
    assert read(tmp_path / "last")["target"]["evolver"] == "circuit"
