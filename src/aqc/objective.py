"""What is minimized: a function of log F, with its gradient on the manifold of blocks."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from aqc import overlap
from aqc.blocks import BLOCKS
from aqc.ties import Ties

OBJECTIVES: dict[str, Callable[[jax.Array, int], jax.Array]] = {
    # O(1) at any length, and its gradient grad F / F does not vanish with F.
    "log_density": lambda log_fidelity, num_qubits: -log_fidelity / num_qubits,
    "infidelity": lambda log_fidelity, num_qubits: -jnp.expm1(log_fidelity),
}


class Evaluation(NamedTuple):
    """One evaluation of the objective.

    Attributes:
        point: Point of the manifold where it was made.
        value: The objective.
        gradient: Its derivative in the local coordinates, shape (blocks, parameters).
        log_fidelity: log F.
        detail: What else an objective with a schedule wants to see again.
        lost: The weight that the contraction's truncations lost.
    """

    point: Any
    value: Any
    gradient: Any
    log_fidelity: Any
    detail: Any = None
    lost: Any = 0.0


@partial(jax.jit, static_argnames=("objective", "block", "num_qubits"))
def evaluate(
    point: jax.Array,
    step: jax.Array,
    data: overlap.Data,
    ties: Ties | None = None,
    *,
    objective: str,
    block: str,
    num_qubits: int,
) -> Evaluation:
    """Move from a point along a step, and return value and gradient there.

    Args:
        point: Point of the block manifold.
        step: Local coordinates of the move, shape (blocks, parameters), real.
        data: From `overlap.prepare`.
        ties: Which blocks share a gate: then point, step and gradient are those of the gates, and
            the gradient of a gate is the sum of those of its blocks.
        objective: A key of `OBJECTIVES`.
        block: A key of `aqc.blocks.BLOCKS`.
        num_qubits: Number of qubits.
    """
    manifold = BLOCKS[block]
    moved = manifold.retract(point, step)

    def value(x: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        gates = manifold.linearize(moved, x)
        log_fidelity, lost = overlap.measure(ties.spread(gates) if ties else gates, data)
        return OBJECTIVES[objective](log_fidelity, num_qubits), (log_fidelity, lost)

    (result, (log_fidelity, lost)), gradient = jax.value_and_grad(value, has_aux=True)(
        jnp.zeros(step.shape, jnp.float64)
    )
    return Evaluation(moved, result, gradient, log_fidelity, lost=lost)
