"""The contraction engines behind one pure function: log fidelity of a brickwork circuit.

`prepare` lays out ansatz and target once; `log_fidelity(blocks, data)` is plain JAX, so that every
objective and optimizer stands on it.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aqc.ansatz import Ansatz
from aqc.mps import MPS
from aqc.overlap import dense, exact, truncated

Data = exact.ExactData | dense.DenseData | truncated.TruncatedData


def prepare(ansatz: Ansatz, target: MPS, method: str, dtype: np.dtype, **settings: Any) -> Data:
    """Lay out ansatz and target for the engine called "exact", "truncated" or "dense".

    The truncated one has settings of its own: `weight`, `segments`.
    """
    if method == "truncated":
        return truncated.prepare(ansatz, target, dtype, **settings)
    engine = {"exact": exact, "dense": dense}[method]
    return engine.prepare(ansatz, target, dtype)


def measure(blocks: jax.Array, data: Data) -> tuple[jax.Array, jax.Array]:
    """Return log |<target|V(blocks)|psi_0>|^2 and the weight that truncations lost, as doubles.

    Args:
        blocks: shape (number of blocks, 4, 4), of the dtype given to `prepare`.
        data: From `prepare`.
    """
    if isinstance(data, truncated.TruncatedData):
        return truncated.measure(blocks, data)
    engine = exact if isinstance(data, exact.ExactData) else dense
    return engine.log_fidelity(blocks, data), jnp.zeros(())


def log_fidelity(blocks: jax.Array, data: Data) -> jax.Array:
    """Return log |<target|V(blocks)|psi_0>|^2 as a real double.

    For operators, whose Choi states have norm 1, it is log |tr(target^dagger V) / 2^n|^2.

    Args:
        blocks: shape (number of blocks, 4, 4), of the dtype given to `prepare`.
        data: From `prepare`.
    """
    return measure(blocks, data)[0]
