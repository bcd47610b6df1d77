"""The contraction engines behind one pure function: log fidelity of a circuit.

All engines take brickworks; gates on other pairs come as bricks that swap qubits, too. `prepare`
lays out ansatz and target once; `log_fidelity(blocks, data)` is plain JAX, so that every objective
and optimizer stands on it.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aqc.ansatz import Ansatz
from aqc.mps import MPS
from aqc.network import arranged
from aqc.overlap import dense, exact, truncated


class LatticeData(NamedTuple):
    """How blocks on any pairs become bricks, and what the bricks' engine needs.

    Attributes:
        numbers: The block that each brick holds, shape (bricks,); -1 for none.
        outputs: Order of each brick's rows, shape (bricks, 4).
        inputs: Order of its columns.
        bricks: From the engine.
    """

    numbers: jax.Array
    outputs: jax.Array
    inputs: jax.Array
    bricks: exact.ExactData | dense.DenseData | truncated.TruncatedData


Data = exact.ExactData | dense.DenseData | truncated.TruncatedData | LatticeData


def prepare(ansatz: Ansatz, target: MPS, method: str, dtype: np.dtype, **settings: Any) -> Data:
    """Lay out ansatz and target for the engine called "exact", "truncated" or "dense".

    The truncated one has settings of its own: `weight`, `segments`.
    """
    if ansatz.colors:
        network = ansatz.network
        bricks = prepare(ansatz.as_bricks(), target, method, dtype, **settings)
        assert not isinstance(bricks, LatticeData)
        numbers, outputs, inputs = map(
            jax.device_put, (network.numbers, network.outputs, network.inputs)
        )
        return LatticeData(numbers, outputs, inputs, bricks)
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
    if isinstance(data, LatticeData):
        gates = jnp.concatenate([blocks, jnp.eye(4, dtype=blocks.dtype)[None]])
        return measure(arranged(gates, data.numbers, data.outputs, data.inputs), data.bricks)
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
