"""Circuits of Qiskit as matrices and as text, against Qiskit's own operators and state vectors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit, qasm2, qasm3
from qiskit.circuit import Parameter
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import Operator, SparsePauliOp

from aqc.errors import InputError, UnsupportedGateError
from aqc.given import read_circuit
from aqc.interop.circuits import from_qiskit, parse, read_text, to_text, two_qubit_cost
from aqc.interop.files import save_qpy
from reference import statevector


def same_state(circuit, vector):
    expected = Operator(circuit.reverse_bits()).data[:, 0]
    return abs(np.vdot(expected, vector)) == pytest.approx(1, abs=1e-12)


@settings(max_examples=30)
@given(st.integers(2, 5), st.integers(0, 5), st.integers(0, 10**6))
def test_matrices_and_text_make_the_same_state(num_qubits, depth, seed):
    circuit = random_circuit(num_qubits, depth, max_operands=4, seed=seed)
    assert same_state(circuit, statevector(from_qiskit(circuit)))
    given_ = read_circuit({"qasm": to_text(circuit)}, "/target/circuit")
    assert given_.num_qubits == num_qubits
    assert same_state(circuit, statevector(parse(given_)))


def test_qiskits_own_programs_are_read():
    circuit = random_circuit(4, 4, max_operands=2, seed=5)
    for text in (qasm2.dumps(circuit), qasm3.dumps(circuit)):
        given_ = read_circuit({"qasm": text}, "/target/circuit")
        assert same_state(circuit, statevector(parse(given_)))


def test_an_evolution_gate_and_a_gate_without_a_matrix_are_read():
    inner = QuantumCircuit(2, name="inner")
    inner.cx(0, 1)
    inner.rx(0.3, 1)
    circuit = QuantumCircuit(3)
    circuit.append(PauliEvolutionGate(SparsePauliOp(["XXI", "IZZ"]), 0.4), [2, 0, 1])
    circuit.append(inner.to_gate(), [2, 1])
    circuit.barrier()
    assert same_state(circuit.decompose(reps=2), statevector(from_qiskit(circuit)))


def test_text_keeps_the_blocks_of_a_trotter_circuit():
    """And writes equal blocks once."""
    circuit = QuantumCircuit(4)
    for _ in range(5):
        for j in (0, 2, 1):
            circuit.rxx(0.02, j, j + 1)
            circuit.rz(0.03, j)
    text = to_text(circuit)
    assert text.count("gate block") == 1
    blocks = [gate.matrix for gate in parse(read_circuit({"qasm": text}, "")).gates]
    assert len(blocks) == 15
    for block in blocks:
        centered = block * np.exp(-1j * np.angle(np.trace(block)))
        assert np.abs(centered - np.eye(4)).max() < 0.05


def test_files_are_read_as_text(tmp_path):
    circuit = random_circuit(3, 3, max_operands=2, seed=7)
    save_qpy(circuit, tmp_path / "c.qpy")
    (tmp_path / "c.qasm").write_text(qasm3.dumps(circuit))
    for name in ("c.qpy", "c.qasm"):
        text = read_text(tmp_path / name)
        assert same_state(circuit, statevector(parse(read_circuit({"qasm": text}, ""))))


def test_cost_is_that_of_the_fewest_gates():
    circuit = QuantumCircuit(3)
    circuit.swap(0, 1)  # of |00>: nothing
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.cx(1, 2)
    circuit.cx(1, 2)
    given_ = read_circuit({"qasm": qasm2.dumps(circuit)}, "")
    assert two_qubit_cost(given_) == (2, 2)


def test_refusals(tmp_path):
    measured = QuantumCircuit(2, 2)
    measured.measure(0, 0)
    with pytest.raises(UnsupportedGateError, match="`measure`; `remove_final_measurements`"):
        to_text(measured)
    free = QuantumCircuit(2)
    free.rx(Parameter("theta"), 0)
    with pytest.raises(UnsupportedGateError, match="`assign_parameters` first"):
        to_text(free)
    inner = QuantumCircuit(3, name="inner")
    inner.reset(0)
    outer = QuantumCircuit(3)
    outer.append(inner.to_instruction(), [0, 1, 2])
    with pytest.raises(UnsupportedGateError, match="unitary gates"):
        to_text(outer)
    with pytest.raises(InputError, match="cannot be opened"):
        read_text(tmp_path / "missing.qasm")
    hidden = read_circuit(
        {"qasm": "OPENQASM 3.0; include 'stdgates.inc'; qubit[2] q; let r = q; x $3;"}, ""
    )
    with pytest.raises(InputError, match=r"OpenQASM|registers"):
        parse(hidden)
