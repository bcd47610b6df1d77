"""Qiskit's circuits and OpenQASM programs as lists of matrices, and back to text."""

import functools
from pathlib import Path

from qiskit import QuantumCircuit

from aqc.ansatz import Ansatz
from aqc.circuit import Circuit, Gate
from aqc.errors import InputError
from aqc.given import GivenCircuit
from aqc.interop.aer import small_gates
from aqc.interop.bricks import find_bricks
from aqc.interop.files import check_unitary, load_circuit
from aqc.interop.fusion import from_zeros, fuse
from aqc.interop.qasm import to_qasm2
from aqc.interop.synthesis import synthesize, two_qubit_counts


def from_qiskit(circuit: QuantumCircuit) -> Circuit:
    """Return a circuit's gates as matrices on one or two qubits, fused where they follow.

    Args:
        circuit: Unitary gates with numbers for all parameters, on any qubits; larger gates are
            taken apart by their definitions.

    Raises:
        UnsupportedGateError: It measures, resets, branches or has free parameters.

    Example:
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.cx(0, 1), circuit.x(1)
        >>> [gate.qubits for gate in from_qiskit(circuit).gates]
        [(1, 0)]
    """
    check_unitary(circuit)
    # Qiskit counts qubits from the right: the last of a gate is our left one.
    gates = (Gate(tuple(qubits[::-1]), gate.to_matrix()) for gate, qubits in small_gates(circuit))
    return fuse(Circuit(circuit.num_qubits, tuple(gates)))


@functools.lru_cache(maxsize=4)
def parse(given: GivenCircuit) -> Circuit:
    """Return the gates of a circuit that a problem brings along.

    Raises:
        InputError: The program has an error, or another number of qubits than it declares.

    Example:
        >>> text = "OPENQASM 3.0; include 'stdgates.inc'; qubit[2] q; h q[0]; cx q[0], q[1];"
        >>> len(parse(GivenCircuit(text, 2)).gates)
        1
    """
    circuit = load_circuit(given.qasm)
    if circuit.num_qubits != given.num_qubits:
        raise InputError(
            f"An OpenQASM program must declare its qubits in registers of given sizes; this one "
            f"has {circuit.num_qubits} qubits, where its registers name {given.num_qubits}."
        )
    return from_qiskit(circuit)


def to_text(circuit: QuantumCircuit) -> str:
    """Return any unitary circuit as OpenQASM 2 in the gates u3 and cx, up to a global phase.

    Raises:
        UnsupportedGateError: It measures, resets, branches or has free parameters.

    Example:
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.ryy(0.3, 0, 1)
        >>> to_text(circuit).count("cx")
        2
    """
    return to_qasm2(synthesize(from_qiskit(circuit)).circuit)


def read_text(path: Path) -> str:
    """Return a circuit file as OpenQASM: QPY is translated.

    Raises:
        InputError: The file cannot be opened or the program cannot be read.
    """
    circuit = load_circuit(path)
    content = path.read_bytes()
    return to_text(circuit) if content.startswith(b"QISKIT") else content.decode()


def two_qubit_cost(given: GivenCircuit) -> tuple[int, int]:
    """Return the depth and the number of CX of a given circuit, written with the fewest."""
    gates, depth = two_qubit_counts(synthesize(from_zeros(parse(given))).circuit)
    return depth, gates


def ansatz_of(given: GivenCircuit, name: str) -> Ansatz:
    """Return the brickwork that a given circuit is.

    Args:
        given: The circuit.
        name: How a sentence names it.

    Raises:
        InputError: If it is no brickwork.
    """
    return find_bricks(parse(given), name)
