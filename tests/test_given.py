"""Circuits and states inside of a problem: what is read, and what is refused before any work."""

import base64
import contextlib
import io
import json
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aqc.errors import InputError
from aqc.given import RandomStart, read_circuit, read_start, read_state, to_json
from aqc.problem import Problem

PROGRAM = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg a[2];\nqreg b[3];\nh a[0];\n'
AT = "/target/circuit"


def packed(*tensors, **named) -> str:
    file = io.BytesIO()
    np.savez(file, *tensors, **named)
    return base64.b64encode(file.getvalue()).decode()


BELL = [np.eye(2).reshape(1, 2, 2), np.eye(2).reshape(2, 2, 1) / 2**0.5]


@pytest.mark.parametrize(
    ("program", "num_qubits"),
    [
        (PROGRAM, 5),
        ("// qreg c[7];\n" + PROGRAM, 5),
        ("/* a\n comment */ OPENQASM 3.0; qubit[2] q; qubit r;", 3),
        ("OPENQASM 3;\nqubit [ 4 ] q;\nbit[9] c;", 4),
    ],
)
def test_a_programs_registers_are_counted(program, num_qubits):
    assert read_circuit({"qasm": program}, AT).num_qubits == num_qubits


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("circuit.qasm", "files are read only by the command line and from Python"),
        ({"qpy": "x"}, '`target.circuit` must be {"qasm": text}'),
        ({"qasm": 3}, '`target.circuit` must be {"qasm": text}'),
        ({"qasm": "h q[0];"}, "must begin with `OPENQASM 2.0;`"),
        ({"qasm": "OPENQASM 3.0; const int n = 2; qubit[n] q;"}, 'a number, but gives "n"'),
        ({"qasm": "OPENQASM 2.0; qreg q[1];"}, "must have 2 to 100000 qubits, but has 1"),
        ({"qasm": "OPENQASM 2.0; qreg q[999999];"}, "but has 999999"),
        ({"qasm": "OPENQASM 2.0; qreg q[99999999999];"}, "must give the size"),
        ({"qasm": "OPENQASM 3.0;"}, "but has 0"),
    ],
)
def test_a_circuit_is_refused(value, sentence):
    with pytest.raises(InputError) as refused:
        read_circuit(value, AT)
    assert sentence in str(refused.value)
    assert refused.value.pointer.startswith(AT)


def test_a_state_is_read_and_unpacked():
    state = read_state({"npz": packed(*BELL)}, "/target/state")
    assert (state.num_qubits, state.max_bond) == (2, 2)
    for tensor, expected in zip(state.tensors, BELL, strict=True):
        np.testing.assert_array_equal(tensor, expected)
    assert read_state(to_json(state), "/target/state") == state


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("%%%", "cannot be read"),
        (base64.b64encode(b"PK no archive").decode(), "cannot be read"),
        (packed(*BELL, site=np.zeros(2)), "cannot be read"),
        (packed(np.array(["a", "b"])), "does not hold numbers"),
        (packed(BELL[0]), "must have 2 to 100000 tensors"),
        (packed(BELL[0], BELL[0]), r"here \(2, 2, ...\)"),
        (packed(BELL[0][0], BELL[1]), "site 0 has shape"),
        (packed(np.zeros((1, 3, 1)), np.zeros((1, 3, 1))), "site 0 has shape"),
        (packed(BELL[0], np.zeros((2, 2, 3))), "must end with a bond of size 1"),
    ],
)
def test_a_state_is_refused(text, sentence):
    with pytest.raises(InputError, match=sentence) as refused:
        read_state({"npz": text}, "/target/state")
    assert refused.value.pointer == "/target/state/npz"


@settings(max_examples=200)
@given(st.binary(max_size=80), st.integers(0, 10**6))
def test_damaged_archives_are_refused_in_a_sentence(noise, place):
    """Also where only a few bytes of a sound one are changed."""
    sound = base64.b64decode(packed(*BELL))
    place %= len(sound)
    damaged = sound[:place] + noise + sound[place + len(noise) :]
    for content in (noise, damaged):
        with contextlib.suppress(InputError):  # nothing else may be raised
            read_state({"npz": base64.b64encode(content).decode()}, "/target/state")


def test_an_archive_that_unpacks_to_gigabytes_is_not_unpacked():
    header = io.BytesIO()
    shape = {"descr": "<c16", "fortran_order": False, "shape": (1, 2, 10**9)}
    np.lib.format.write_array_header_1_0(header, shape)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("arr_0.npy", header.getvalue())
    with pytest.raises(InputError, match="must have 2 to 100000 tensors"):
        read_state({"npz": base64.b64encode(file.getvalue()).decode()}, "/target/state")


def test_starts_are_read():
    assert read_start(None) is None
    assert read_start({"random": 3}) == RandomStart(3)
    assert to_json(RandomStart(3)) == {"random": 3}
    assert read_start({"qasm": PROGRAM}).num_qubits == 5
    for seed in (-1, 2**32, True, 0.5, "1"):
        with pytest.raises(InputError, match="must be a seed") as refused:
            read_start({"random": seed})
        assert refused.value.pointer == "/ansatz/start/random"
    with pytest.raises(InputError, match="files are read only"):
        read_start("my-result")


# --- as fields of a problem

CHAIN = {"model": "xxz_chain", "num_qubits": 5}
CIRCUIT = {"target": {"circuit": {"qasm": PROGRAM}}}
STATE = {"target": {"state": {"npz": packed(*BELL)}}}


def test_problems_with_a_given_target_keep_all_they_say():
    for fields, num_qubits in ((CIRCUIT, 5), (STATE, 2), ({**CIRCUIT, "hamiltonian": CHAIN}, 5)):
        problem = Problem.from_dict(fields)
        assert problem.num_qubits == num_qubits
        assert problem.evolution() is None
        again = Problem.from_json(problem.to_json())
        assert again == problem
        assert again.target_key() == problem.target_key()
        json.dumps(problem.to_dict())


def test_a_target_key_says_which_state_it_is():
    base = {"hamiltonian": {**CHAIN, "delta": 1.0}, "time": 1.0}
    keys = {
        name: Problem.from_dict(fields).target_key()
        for name, fields in {
            "base": base,
            "other goal": {**base, "goal": {"infidelity": 0.1}, "ansatz": {"layers": 3}},
            "terms": {
                **base,
                "hamiltonian": {
                    "num_qubits": 5,
                    "terms": [[p, [j, j + 1], 1.0] for j in range(4) for p in ("XX", "YY", "ZZ")],
                },
            },
            "later": {**base, "time": 1.1},
            "neel": {**base, "initial_state": "neel"},
            "bits": {**base, "initial_state": [0, 1, 0, 1, 0]},
            "delta": {**base, "hamiltonian": {**CHAIN, "delta": 0.5}},
            "prepared": {**base, "initial_state": {"circuit": {"qasm": PROGRAM}}},
            "circuit": CIRCUIT,
            "state": STATE,
        }.items()
    }
    assert keys["base"] == keys["other goal"] == keys["terms"]
    assert keys["neel"] == keys["bits"]
    assert len(set(keys.values())) == 7


@pytest.mark.parametrize(
    ("fields", "pointer", "sentence"),
    [
        ({**CIRCUIT, "time": 1.0}, "/time", "must be left out where `target` is a circuit"),
        ({**STATE, "initial_state": "neel"}, "/initial_state", "must be left out"),
        (
            {**STATE, "hamiltonian": CHAIN},
            "/hamiltonian/num_qubits",
            "must have 2 qubits, as the target has, but has 5",
        ),
        (
            {"target": {**CIRCUIT["target"], **STATE["target"]}},
            "/target/state",
            "either `circuit` or `state`, but has both",
        ),
        (
            {**CIRCUIT, "ansatz": {"start": {"qasm": PROGRAM}}},
            "/ansatz/layers",
            "must be given as a number or a list with a circuit",
        ),
        (
            {**CIRCUIT, "ansatz": {"start": {"qasm": PROGRAM}, "layers": "auto"}},
            "/ansatz/layers",
            "must be given as a number or a list with a circuit",
        ),
        (
            {**STATE, "ansatz": {"start": {"qasm": PROGRAM}, "layers": 5}},
            "/ansatz/start",
            "must have 2 qubits, as the target has, but has 5",
        ),
        (
            {
                "hamiltonian": {**CHAIN, "num_qubits": 4},
                "time": 1.0,
                "initial_state": {"circuit": {"qasm": PROGRAM}},
            },
            "/initial_state",
            "must describe all 4 qubits",
        ),
        (
            {"hamiltonian": CHAIN, "time": 1.0, "initial_state": {"circuit": "prep.qasm"}},
            "/initial_state/circuit",
            "files are read only by the command line",
        ),
        ({"target": {"circuit": None}, "time": 1.0}, "/hamiltonian", "is required"),
    ],
)
def test_a_problem_with_what_does_not_go_together_is_refused(fields, pointer, sentence):
    with pytest.raises(InputError) as refused:
        Problem.from_dict(fields)
    assert refused.value.pointer == pointer
    assert sentence in str(refused.value)
