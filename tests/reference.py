"""Slow and obvious references that the tests compare with, written apart from the engine."""

import functools
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg

from aqc.circuit import Circuit
from aqc.hamiltonian import Hamiltonian
from aqc.mps import MPS

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

LETTERS = "XYZ"


def random_chain(num_qubits: int, seed: int, fields: bool = True) -> Hamiltonian:
    """Return a chain with every kind of coupling, and fields."""
    rng = np.random.default_rng(seed)
    terms = [
        (a + b, (j, j + 1), rng.normal() / 2)
        for j in range(num_qubits - 1)
        for a in LETTERS
        for b in LETTERS
    ]
    if fields:
        terms += [(a, (j,), rng.normal() / 2) for j in range(num_qubits) for a in LETTERS]
    return Hamiltonian.from_terms(num_qubits, terms)


def xxz(num_qubits: int, delta: float = 0.5) -> Hamiltonian:
    """Return sum XX + YY + delta ZZ."""
    pairs = (("XX", 1.0), ("YY", 1.0), ("ZZ", delta))
    return Hamiltonian.from_terms(
        num_qubits, [(p, (j, j + 1), c) for j in range(num_qubits - 1) for p, c in pairs]
    )


def neel(num_qubits: int) -> np.ndarray:
    """Return 0101..., shape (n, 2)."""
    return np.eye(2, dtype=complex)[np.arange(num_qubits) % 2]


def random_product(num_qubits: int, seed: int) -> np.ndarray:
    """Return random one-qubit states, shape (n, 2)."""
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(num_qubits, 2)) + 1j * rng.normal(size=(num_qubits, 2))
    return states / np.linalg.norm(states, axis=1, keepdims=True)


def random_unitaries(count: int, size: int, seed: int) -> np.ndarray:
    """Return random unitaries, shape (count, size, size)."""
    rng = np.random.default_rng(seed)
    shape = (count, size, size)
    return np.linalg.qr(rng.normal(size=shape) + 1j * rng.normal(size=shape))[0]


def kron(vectors: np.ndarray) -> np.ndarray:
    """Return the Kronecker product of rows, the first leftmost."""
    return functools.reduce(np.kron, vectors)


def apply_gate(matrix: np.ndarray, qubits: tuple[int, ...], vector: np.ndarray) -> np.ndarray:
    """Return a gate on any qubits applied to a state vector, qubit 0 leftmost."""
    n = round(np.log2(len(vector)))
    state = np.moveaxis(vector.reshape((2,) * n), qubits, range(len(qubits)))
    shape = state.shape
    state = (matrix @ state.reshape(len(matrix), -1)).reshape(shape)
    return np.moveaxis(state, range(len(qubits)), qubits).ravel()


def statevector(circuit: Circuit) -> np.ndarray:
    """Return what a circuit makes of |0...0>."""
    vector = np.zeros(2**circuit.num_qubits, dtype=complex)
    vector[0] = 1.0
    for gate in circuit.gates:
        vector = apply_gate(gate.matrix, gate.qubits, vector)
    return vector


def evolved(hamiltonian: Hamiltonian, state: np.ndarray, time: float) -> np.ndarray:
    """Return exp(-iHt) applied to a product state, by the dense exponential."""
    return scipy.linalg.expm(-1j * time * hamiltonian.to_dense()) @ kron(state)


def fidelity(a: np.ndarray, b: np.ndarray) -> float:
    """Return |<a|b>|^2."""
    return float(abs(np.vdot(a, b)) ** 2)


def site_order(circuit: "QuantumCircuit") -> np.ndarray:
    """Return the state that a Qiskit circuit makes, qubit 0 leftmost."""
    from qiskit.quantum_info import Statevector

    return Statevector(circuit.reverse_bits()).data


def trotter_circuit(num_qubits: int, steps: int, time: float) -> "QuantumCircuit":
    """Return a first-order Trotter circuit of xxz on a Neel state, as others would write it."""
    from qiskit import QuantumCircuit

    circuit = QuantumCircuit(num_qubits)
    circuit.x(range(1, num_qubits, 2))
    for _ in range(steps):
        for first in (0, 1):
            for j in range(first, num_qubits - 1, 2):
                circuit.rxx(2 * time / steps, j, j + 1)
                circuit.ryy(2 * time / steps, j, j + 1)
                circuit.rzz(time / steps, j, j + 1)
    return circuit


def random_state(num_qubits: int, chi: int, seed: int) -> list[np.ndarray]:
    """Return tensors of a normalized state in no particular gauge."""
    rng = np.random.default_rng(seed)
    bonds = [1, *rng.integers(1, chi + 1, num_qubits - 1), 1]
    shapes = [(bonds[j], 2, bonds[j + 1]) for j in range(num_qubits)]
    tensors = [rng.normal(size=shape) + 1j * rng.normal(size=shape) for shape in shapes]
    tensors[0] = tensors[0] / np.linalg.norm(MPS(tuple(tensors)).to_dense())
    return tensors
