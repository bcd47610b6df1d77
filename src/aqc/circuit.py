"""A circuit as a list of unitary matrices on qubits: what the engine hands to Qiskit.

No library is needed to read one. Matrices stay dense here; `aqc.interop.qiskit` writes them as
CX, CZ, ECR or RZZ and one-qubit gates.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Gate:
    """A one- or two-qubit unitary.

    Attributes:
        qubits: The qubit acted on, or a pair; the first is the *left* factor of the Kronecker
            product (Qiskit's matrices have it on the right).
        matrix: shape (2, 2) or (4, 4), complex, unitary.
    """

    qubits: tuple[int, ...]
    matrix: np.ndarray


@dataclass(frozen=True, eq=False)
class Circuit:
    """Gates in the order of time, all acting on |0...0>.

    Attributes:
        num_qubits: Number of qubits.
        gates: Gates in the order in which they act.
    """

    num_qubits: int
    gates: tuple[Gate, ...]

    def act_on(self, vector: np.ndarray) -> np.ndarray:
        """Return what the gates make of a state vector, qubit 0 leftmost.

        Args:
            vector: shape (2**n, ...).

        Example:
            >>> flip = Gate((1,), np.array([[0.0, 1.0], [1.0, 0.0]]))
            >>> Circuit(2, (flip,)).act_on(np.array([1.0, 0.0, 0.0, 0.0])).tolist()
            [0.0, 1.0, 0.0, 0.0]
        """
        shape = vector.shape
        for gate in self.gates:
            first, *others = gate.qubits
            if not others or others[0] == first + 1:
                vector = gate.matrix @ vector.reshape(2**first, len(gate.matrix), -1)
                continue
            legs = vector.reshape((2,) * self.num_qubits + (-1,))
            matrix = gate.matrix.reshape(2, 2, 2, 2)
            turned = np.tensordot(matrix, legs, ((2, 3), gate.qubits))
            vector = np.moveaxis(turned, (0, 1), gate.qubits)
        return vector.reshape(shape)
