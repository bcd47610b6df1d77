import numpy as np
import pytest
from qiskit import QuantumCircuit, qasm2, qasm3

from aqc.circuit import Circuit, Gate
from aqc.errors import InputError, UnsupportedGateError
from aqc.interop.qasm import from_qasm, to_qasm2, to_qasm3
from aqc.interop.synthesis import synthesize, two_qubit_counts

BASES = ["cx", "cz", "ecr", "iswap", "rzz"]


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("strict", [False, True])
def test_qasm2_loads_bare_and_keeps_every_digit(basis, strict, brickwork, matrix_of, distance):
    circuit = synthesize(brickwork(4, 4), basis).circuit
    loaded = qasm2.loads(to_qasm2(circuit), strict=strict)
    assert set(loaded.count_ops()) == {"u3", basis}
    assert two_qubit_counts(loaded) == two_qubit_counts(circuit)
    assert distance(matrix_of(loaded), matrix_of(circuit)) < 1e-13


@pytest.mark.parametrize("basis", BASES)
def test_qasm3_loads_bare_and_keeps_every_digit(basis, brickwork, matrix_of, distance):
    circuit = synthesize(brickwork(4, 4), basis).circuit
    loaded = qasm3.loads(to_qasm3(circuit))
    assert set(loaded.count_ops()) == {"u", basis}
    assert two_qubit_counts(loaded) == two_qubit_counts(circuit)
    assert distance(matrix_of(loaded), matrix_of(circuit)) < 1e-13


@pytest.mark.parametrize("write", [to_qasm2, to_qasm3])
@pytest.mark.parametrize("basis", BASES)
def test_reading_back_gives_the_very_gates(write, basis, brickwork):
    circuit = synthesize(brickwork(4, 3), basis).circuit
    loaded = from_qasm(write(circuit))
    assert [step.params for step in loaded.data] == [step.params for step in circuit.data]


@pytest.mark.parametrize("angle", [1e-5, -1e-17, np.pi / 3 + 1e-12, 2.0, 1e22, 0.1 + 0.2])
@pytest.mark.parametrize("write", [to_qasm2, to_qasm3])
def test_any_double_is_written_exactly(angle, write):
    circuit = QuantumCircuit(1)
    circuit.u(angle, 0.0, -angle, 0)
    text = write(circuit)
    assert from_qasm(text).data[0].params == [angle, 0.0, -angle]
    if write is to_qasm2:
        qasm2.loads(text, strict=True)


def test_exact_cx_class_survives_the_text(matrix_of, distance):
    block = np.diag([1, 1, 1, -1])
    circuit = synthesize(Circuit(3, (Gate((0, 2), block), Gate((2, 1), block))), "ecr").circuit
    assert two_qubit_counts(from_qasm(to_qasm3(circuit))) == (2, 2)
    assert distance(matrix_of(from_qasm(to_qasm2(circuit))), matrix_of(circuit)) < 1e-13


def test_qasm2_of_other_programs_is_read():
    circuit = QuantumCircuit(3)
    circuit.u(0.1, 0.2, 0.3, 0)
    circuit.rzz(0.4, 0, 1)
    circuit.ecr(1, 2)
    circuit.sxdg(2)
    circuit.ccx(0, 1, 2)
    assert from_qasm(qasm2.dumps(circuit)) == circuit


def test_version_is_found_after_comments():
    assert from_qasm("// a;\n OPENQASM 2.0; // c\nqreg q[2];").num_qubits == 2
    assert from_qasm("/* a;\n */ OPENQASM 3; qubit[2] q;").num_qubits == 2


def test_instruction_that_is_not_written_is_refused():
    circuit = QuantumCircuit(2)
    circuit.swap(0, 1)
    with pytest.raises(UnsupportedGateError, match="holds `swap`; transpile it"):
        to_qasm2(circuit)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("qubit q;", "must begin with `OPENQASM 2.0;`"),
        ("OPENQASM 4.0; qubit q;", "must begin with"),
        ("OPENQASM 2.0; qreg q[1]; foo q[0];", "2 program cannot be read: .*'foo' is not defined"),
        ("OPENQASM 3.0; qubit q; foo q;", "3 program cannot be read: .*'foo' is not defined"),
        ("OPENQASM 3.0; qubit q; U(0.1 q;", "3 program cannot be read: line 1:29"),
        ("OPENQASM 3.0; qubit q; U(1/0, 0, 0) q;", "division"),
        ('OPENQASM 2.0; include "/etc/passwd"; qreg q[1];', "may include only qelib1.inc"),
    ],
)
def test_bad_programs_are_refused(text, sentence):
    with pytest.raises(InputError, match=sentence):
        from_qasm(text)
