"""Several starts at once: one batched contraction evaluates them all, the best goes on.

All points are moved by the same rule without a line search, so that they stay in step: one
executable, made by `vmap`, gives all values and gradients in each evaluation.
"""

from collections.abc import Sequence
from functools import partial

import jax
import numpy as np

from aqc import overlap
from aqc.ansatz import Ansatz
from aqc.blocks import BLOCKS
from aqc.cost import choose_engine
from aqc.executables import compiled
from aqc.mps import MPS
from aqc.objective import Evaluation, evaluate
from aqc.points import exact_matrices, nearest_point
from aqc.threads import one_blas_thread
from aqc.ties import Ties

EVALUATIONS = 100
"""Evaluations of each start before all but one are dropped."""

# Radians. Ten times less is still far from the target after so many evaluations, ten times more
# jumps over it.
_RATE = 0.03


@partial(jax.jit, static_argnames=("block", "num_qubits"))
def evaluate_all(
    points: jax.Array,
    steps: jax.Array,
    data: overlap.Data,
    ties: Ties | None,
    *,
    block: str,
    num_qubits: int,
) -> Evaluation:
    """Do what `evaluate` does for the log density, with a leading axis that counts the starts."""
    one = partial(evaluate, objective="log_density", block=block, num_qubits=num_qubits)
    return jax.vmap(one, in_axes=(0, 0, None, None))(points, steps, data, ties)


def best_start(
    starts: Sequence[Ansatz],
    target: MPS,
    *,
    overlap_method: str = "auto",
    evaluations: int = EVALUATIONS,
) -> tuple[Ansatz, np.ndarray]:
    """Move several starts towards a target by Adam and return the one that got closest.

    Args:
        starts: Ansatzes of one shape.
        target: The state to reach.
        overlap_method: As for `aqc.fit.fit`.
        evaluations: Evaluations of each of them.

    Returns:
        The ansatz of highest fidelity where it was last, and log F of all, shape (starts,).

    Example:
        >>> from aqc.start import random_ansatz
        >>> zeros = np.tile([1.0, 0.0], (4, 1))
        >>> starts = [random_ansatz(zeros, 2, seed) for seed in range(3)]
        >>> best, logs = best_start(starts, MPS.product(zeros), evaluations=5)
        >>> logs.shape, best.layers
        ((3,), 2)
    """
    import optax  # 0.3 s to import: only where there are several starts

    first = starts[0]
    n, chi = first.num_qubits, target.max_bond
    engine = choose_engine(n, first.rows, chi, overlap_method, operator=first.is_operator)
    with jax.enable_x64(True), one_blas_thread():
        data = overlap.prepare(first, target, engine, np.dtype(complex))
        points = np.stack([nearest_point(start.gates, start.block) for start in starts])
        steps = np.zeros((*points.shape[:2], BLOCKS[first.block].num_parameters))
        run = compiled(
            evaluate_all, points, steps, data, first.ties, block=first.block, num_qubits=n
        )
        adam = optax.adam(_RATE)
        update, state = jax.jit(adam.update), adam.init(steps)
        here = run(points, steps, data, first.ties)
        for _ in range(evaluations - 1):
            moves, state = update(here.gradient, state)
            here = run(here.point, moves, data, first.ties)
    logs = np.asarray(here.log_fidelity)
    best = int(np.argmax(logs))
    return first.with_gates(exact_matrices(here.point[best], first.block)), logs
