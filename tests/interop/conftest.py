"""Slow and obvious references that the tests of the Qiskit door share."""

from collections.abc import Callable

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator
from scipy.stats import unitary_group

from aqc.circuit import Circuit, Gate


@pytest.fixture
def brickwork() -> Callable[..., Circuit]:
    """Return a maker of random brickworks, their pairs in either order, with one-qubit gates."""

    def make(num_qubits: int, layers: int, seed: int = 0) -> Circuit:
        rng = np.random.default_rng(seed)
        gates = []
        for layer in range(layers):
            for left in range(layer % 2, num_qubits - 1, 2):
                pair = (left, left + 1) if rng.random() < 0.5 else (left + 1, left)
                gates.append(Gate(pair, unitary_group.rvs(4, random_state=rng)))
            wire = int(rng.integers(num_qubits))
            gates.append(Gate((wire,), unitary_group.rvs(2, random_state=rng)))
        return Circuit(num_qubits, tuple(gates))

    return make


@pytest.fixture
def matrix_of() -> Callable[[Circuit | QuantumCircuit], np.ndarray]:
    """Return the dense unitary of a circuit of ours or of Qiskit, qubit 0 leftmost."""

    def dense(circuit: Circuit | QuantumCircuit) -> np.ndarray:
        n = circuit.num_qubits
        if isinstance(circuit, QuantumCircuit):
            return Operator(circuit.reverse_bits()).data
        tensor = np.eye(2**n, dtype=complex).reshape((2,) * n + (2**n,))
        for gate in circuit.gates:
            k = len(gate.qubits)
            matrix = gate.matrix.reshape((2,) * 2 * k)
            tensor = np.tensordot(matrix, tensor, (range(k, 2 * k), gate.qubits))
            tensor = np.moveaxis(tensor, range(k), gate.qubits)
        return tensor.reshape(2**n, 2**n)

    return dense


@pytest.fixture
def distance() -> Callable[[np.ndarray, np.ndarray], float]:
    """Return the Frobenius norm of a difference, the global phase set aside."""

    def between(one: np.ndarray, other: np.ndarray) -> float:
        assert one.shape == other.shape
        phase = np.exp(1j * np.angle(np.vdot(one, other)))
        return float(np.linalg.norm(phase * one - other))

    return between
