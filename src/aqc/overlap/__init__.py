"""The contraction engines behind one pure function: log fidelity of a brickwork circuit.

`prepare` lays out ansatz and target once; `log_fidelity(blocks, data)` is plain JAX, so that every
objective and optimizer stands on it.
"""

import jax
import numpy as np

from aqc.ansatz import Ansatz
from aqc.errors import InputError
from aqc.mps import MPS
from aqc.overlap import dense, exact

Data = exact.ExactData | dense.DenseData


def choose(num_qubits: int, layers: int, chi: int, method: str = "auto") -> str:
    """Return "exact" or "dense", for "auto" the one with less work.

    Args:
        num_qubits: Number of qubits.
        layers: Brick layers.
        chi: The target's bond dimension.
        method: "auto", "exact" or "dense".

    Raises:
        InputError: If "dense" is asked for more qubits than a state vector serves.
    """
    if method == "dense" and num_qubits > dense.MAX_QUBITS:
        raise InputError(
            f'`overlap` = "dense" must have at most {dense.MAX_QUBITS} qubits, but has '
            f'{num_qubits}; use "exact".',
            "/overlap",
        )
    if method != "auto":
        return method
    if num_qubits > dense.MAX_QUBITS:
        return "exact"
    cheaper = dense.work(num_qubits, layers) < exact.work(num_qubits, layers, chi)
    return "dense" if cheaper else "exact"


def prepare(ansatz: Ansatz, target: MPS, method: str, dtype: np.dtype) -> Data:
    """Lay out ansatz and target for the engine called "exact" or "dense"."""
    engine = {"exact": exact, "dense": dense}[method]
    return engine.prepare(ansatz, target, dtype)


def log_fidelity(blocks: jax.Array, data: Data) -> jax.Array:
    """Return log |<target|V(blocks)|psi_0>|^2 as a real double.

    Args:
        blocks: shape (number of blocks, 4, 4), of the dtype given to `prepare`.
        data: From `prepare`.
    """
    engine = exact if isinstance(data, exact.ExactData) else dense
    return engine.log_fidelity(blocks, data)


def memory(num_qubits: int, layers: int, chi: int, method: str, itemsize: int = 16) -> int:
    """Return the predicted bytes of one value and gradient."""
    if method == "dense":
        return dense.memory(num_qubits, layers, itemsize)
    return exact.memory(num_qubits, layers, chi, itemsize)
