"""Qiskit's circuits and OpenQASM programs as lists of matrices, and back to text."""

import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Instruction
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import Operator

from aqc.ansatz import Ansatz
from aqc.circuit import Circuit, Gate
from aqc.errors import InputError
from aqc.given import GivenCircuit
from aqc.interop.bricks import find_bricks
from aqc.interop.files import check_unitary, load_circuit
from aqc.interop.fusion import from_zeros, fuse
from aqc.interop.kak import nearest_unitary
from aqc.interop.qasm import number
from aqc.interop.qiskit import evolution_matrix
from aqc.interop.synthesis import euler_angles, synthesize, two_qubit_counts


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
    return fuse(as_gates(circuit))


def as_gates(circuit: QuantumCircuit) -> Circuit:
    """Return a circuit's gates as matrices, one by one; `from_qiskit` says which are taken.

    Example:
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.cx(0, 1), circuit.x(1)
        >>> len(as_gates(circuit).gates)
        2
    """
    return Circuit(circuit.num_qubits, tuple(_matrices(circuit)))


@functools.lru_cache(maxsize=4)
def parse(given: GivenCircuit) -> Circuit:
    """Return the gates of a circuit that a problem brings along.

    Raises:
        InputError: The program has an error, or another number of qubits than it declares.

    Example:
        >>> text = "OPENQASM 3.0; include 'stdgates.inc'; qubit[2] q; h q[0]; cx q[0], q[1];"
        >>> [gate.qubits for gate in parse(GivenCircuit(text, 2)).gates]
        [(0,), (1, 0)]
    """
    circuit = load_circuit(given.qasm)
    if circuit.num_qubits != given.num_qubits:
        raise InputError(
            f"An OpenQASM program must declare its qubits in registers of given sizes; this one "
            f"has {circuit.num_qubits} qubits, where its registers name {given.num_qubits}."
        )
    return from_qiskit(circuit)


def to_text(circuit: QuantumCircuit) -> str:
    """Return any unitary circuit as OpenQASM 2, up to a global phase.

    Gates on the same pair become one gate, with a definition of its own: where one-qubit gates
    belong is part of what a circuit says (a Trotter circuit's blocks are near the identity).

    Raises:
        UnsupportedGateError: It measures, resets, branches or has free parameters.

    Example:
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.ryy(0.3, 0, 1)
        >>> to_text(circuit).count("cx")
        2
    """
    gates = from_qiskit(circuit).gates
    names: dict[bytes, str] = {}
    blocks, body = [], []
    for gate in gates:
        if len(gate.qubits) == 1:
            theta, phi, lam = euler_angles(nearest_unitary(gate.matrix[None]))[0]
            body.append(f"u3({number(theta)},{number(phi)},{number(lam)}) q[{gate.qubits[0]}];")
            continue
        key = gate.matrix.tobytes()
        if key not in names:
            names[key] = f"block{len(names)}"
            blocks.append(gate.matrix)
        body.append(f"{names[key]} q[{gate.qubits[0]}],q[{gate.qubits[1]}];")
    head = ["OPENQASM 2.0;", 'include "qelib1.inc";', *_definitions(blocks)]
    return "\n".join([*head, f"qreg q[{circuit.num_qubits}];", *body]) + "\n"


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


def _matrices(circuit: QuantumCircuit) -> Iterator[Gate]:
    """Yield the gates on one or two qubits that a circuit consists of."""
    for step in circuit.data:
        operation = step.operation
        qubits = tuple(circuit.find_bit(qubit).index for qubit in step.qubits)
        if operation.name == "barrier":
            continue
        if len(qubits) <= 2:
            # Qiskit counts qubits from the right: the last of a gate is our left one.
            yield Gate(qubits[::-1], matrix_of(operation))
            continue
        check_unitary(operation.definition)
        for gate in _matrices(operation.definition):
            yield Gate(tuple(qubits[number] for number in gate.qubits), gate.matrix)


def matrix_of(operation: Instruction) -> np.ndarray:
    """Return the matrix of a gate on one or two qubits, in Qiskit's order.

    Raises:
        QiskitError: It is not unitary, or nothing says what it does.
    """
    if type(operation) is PauliEvolutionGate:
        return evolution_matrix(operation)
    exact = hasattr(operation, "__array__")
    matrix = operation.to_matrix() if exact else Operator(operation).data
    return np.asarray(matrix, dtype=complex)


def _definitions(blocks: list[np.ndarray]) -> list[str]:
    """Return gate definitions in u3 and cx; the first argument is the left qubit."""
    if not blocks:
        return []
    pairs = tuple(Gate((2 * k, 2 * k + 1), matrix) for k, matrix in enumerate(blocks))
    written = synthesize(Circuit(2 * len(blocks), pairs)).circuit
    bodies: list[list[str]] = [[] for _ in blocks]
    for step in written.data:
        qubits = [written.find_bit(qubit).index for qubit in step.qubits]
        angles = ",".join(number(angle) for angle in step.operation.params)
        name = f"u3({angles})" if angles else "cx"
        bodies[qubits[0] // 2].append(f"{name} {','.join('ab'[q % 2] for q in qubits)};")
    return [f"gate block{k} a,b {{ {' '.join(body)} }}" for k, body in enumerate(bodies)]
