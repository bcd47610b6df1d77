"""The contraction engines behind one pure function: log fidelity of a brickwork circuit.

`prepare` lays out ansatz and target once; `log_fidelity(blocks, data)` is plain JAX, so that every
objective and optimizer stands on it.
"""

import jax
import numpy as np

from aqc.ansatz import Ansatz
from aqc.mps import MPS
from aqc.overlap import dense, exact

Data = exact.ExactData | dense.DenseData


def prepare(ansatz: Ansatz, target: MPS, method: str, dtype: np.dtype) -> Data:
    """Lay out ansatz and target for the engine called "exact" or "dense"."""
    engine = {"exact": exact, "dense": dense}[method]
    return engine.prepare(ansatz, target, dtype)


def log_fidelity(blocks: jax.Array, data: Data) -> jax.Array:
    """Return log |<target|V(blocks)|psi_0>|^2 as a real double.

    For operators, whose Choi states have norm 1, it is log |tr(target^dagger V) / 2^n|^2.

    Args:
        blocks: shape (number of blocks, 4, 4), of the dtype given to `prepare`.
        data: From `prepare`.
    """
    engine = exact if isinstance(data, exact.ExactData) else dense
    return engine.log_fidelity(blocks, data)
