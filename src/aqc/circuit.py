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
