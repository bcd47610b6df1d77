import pytest
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import Parameter
from qiskit.quantum_info import Statevector

from aqc.errors import InputError, UnsupportedGateError
from aqc.interop.files import check_unitary, load_circuit, save_qpy
from aqc.interop.qasm import to_qasm2, to_qasm3
from aqc.interop.synthesis import synthesize


@pytest.mark.parametrize("basis", ["cx", "cz", "ecr", "rzz"])
def test_qpy_keeps_the_circuit(basis, brickwork, tmp_path):
    circuit = synthesize(brickwork(4, 3), basis).circuit
    save_qpy(circuit, tmp_path / "circuit")
    assert load_circuit(tmp_path / "circuit") == circuit
    assert load_circuit(str(tmp_path / "circuit")) == circuit


@pytest.mark.parametrize("write", [to_qasm2, to_qasm3])
def test_text_is_read_from_a_file_or_a_string(write, brickwork, tmp_path):
    circuit = synthesize(brickwork(3, 2)).circuit
    path = tmp_path / "circuit.qasm"
    path.write_text(write(circuit))
    for source in (path, str(path), write(circuit)):
        assert Statevector(load_circuit(source)).equiv(Statevector(circuit))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("OPENQASM 3.0; qubit q; bit c; c = measure q;", "instruction 0 is `measure`; `remove_"),
        ("OPENQASM 3.0; qubit q; U(1, 2, 3) q; reset q;", "instruction 1 is `reset`"),
        (
            "OPENQASM 3.0; qubit[2] q; bit c; if (c) { U(1, 2, 3) q[0]; }",
            "instruction 0 is `if_else`",
        ),
        ("OPENQASM 3.0; input float a; qubit q; U(a, 0, 0) q;", "instruction 0, `u`, holds a, 0"),
        ("OPENQASM 2.0; opaque box a; qreg q[1]; box q[0];", "instruction 0, `box`, has none"),
        ("OPENQASM 2.0; qreg q[1]; creg c[1]; measure q[0] -> c[0];", "is `measure`"),
    ],
)
def test_what_is_not_a_unitary_is_refused(text, sentence):
    with pytest.raises(UnsupportedGateError, match=sentence):
        load_circuit(text)


def test_unbound_parameter_in_a_definition_is_refused():
    inner = QuantumCircuit(1, name="inner")
    inner.rx(Parameter("a"), 0)
    outer = QuantumCircuit(1)
    outer.append(inner.to_gate(), [0])
    with pytest.raises(UnsupportedGateError, match="`inner`, holds a"):
        check_unitary(outer)


def test_barriers_and_custom_gates_are_accepted():
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.barrier()
    bell = QuantumCircuit(2, name="bell")
    bell.cx(0, 1)
    circuit.append(bell.to_gate(), [1, 2])
    circuit.unitary([[0, 1], [1, 0]], 0)
    check_unitary(circuit)


def test_files_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be opened: No such file"):
        load_circuit(tmp_path / "missing.qasm")
    (tmp_path / "noise").write_bytes(b"\xff\x00\xfe")
    with pytest.raises(InputError, match="neither text nor QPY"):
        load_circuit(tmp_path / "noise")
    (tmp_path / "cut.qpy").write_bytes(b"QISKIT\x0d")
    with pytest.raises(InputError, match=r"QPY file .* cannot be read"):
        load_circuit(tmp_path / "cut.qpy")
    with (tmp_path / "two.qpy").open("wb") as file:
        qpy.dump([QuantumCircuit(1), QuantumCircuit(2)], file)
    with pytest.raises(InputError, match=r"one circuit, but .* holds 2"):
        load_circuit(tmp_path / "two.qpy")
