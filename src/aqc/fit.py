"""Fit an ansatz to a target: which engine, which precision, compiled once, then minimized.

Single precision is twice as fast and good to about 1e-6 in the infidelity, so long fits with a
coarser goal begin in it; double precision takes over where rounding stops the first.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np

from aqc import overlap
from aqc.ansatz import Ansatz
from aqc.blocks import BLOCKS
from aqc.cost import choose_engine, is_brief, work
from aqc.executables import compiled
from aqc.flip import FlipCost
from aqc.methods import METHODS, Method
from aqc.metric import fubini_study
from aqc.mps import MPS
from aqc.objective import evaluate
from aqc.optimize import Optimum, State, minimize
from aqc.points import exact_matrices, nearest_point

# Rounding error of -(log F)/n, for which each cell of the scan gives its share.
_NOISE = {"complex64": 3e-8, "complex128": 1e-15}
# Below this goal single precision cannot tell whether it is reached.
_SINGLE_GOAL = 1e-3
# Double precision multiplications that are worth a second compilation.
_SINGLE_WORK = 1.5e10
# The certificate computes the infidelity again by other sums: leave it room below the goal.
_MARGIN = 1e-3


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted ansatz.

    Attributes:
        ansatz: With the best blocks, unitary in double precision.
        optimum: How the optimizer got there.
        method: The contraction engine, "exact" or "dense".
        compile_seconds: Time spent in XLA.
        starts: log F of each start where there were several, in their order.
    """

    ansatz: Ansatz
    optimum: Optimum
    method: str
    compile_seconds: float
    starts: tuple[float, ...] = ()

    @property
    def start(self) -> int:
        """Number of the start that was taken: the best one, of equals the first."""
        return int(np.argmax(self.starts)) if self.starts else 0


def precisions(
    num_qubits: int,
    layers: int,
    chi: int,
    method: str,
    evaluations: int,
    goal: float,
    *,
    operator: bool = False,
) -> list[str]:
    """Return the dtypes to optimize in, one after another."""
    one = work(num_qubits, layers, chi, method, operator=operator)
    long_enough = one * evaluations > _SINGLE_WORK
    if long_enough and goal >= _SINGLE_GOAL:
        return ["complex64", "complex128"]
    return ["complex128"]


def fit(
    ansatz: Ansatz,
    target: MPS,
    *,
    rivals: Sequence[Ansatz] = (),
    objective: str = "log_density",
    overlap_method: str = "auto",
    optimizer: str | Method = "riemannian_lbfgs",
    max_evaluations: int = 200,
    goal: float = 0.0,
    on_step: Callable[[State], None] | None = None,
    resume: State | None = None,
) -> Fit:
    """Optimize all blocks of an ansatz at once against a target.

    Args:
        ansatz: The start.
        target: A normalized state on as many qubits; an operator where the ansatz is one.
        rivals: Other starts of the same shape; the one of highest fidelity is taken.
        objective: A key of `aqc.objective.OBJECTIVES`, or "flip".
        overlap_method: "auto", "exact" or "dense".
        optimizer: A key of `aqc.methods.METHODS`, or a method of one's own.
        max_evaluations: Most evaluations of value and gradient.
        goal: Stop at this infidelity.
        on_step: Called after every accepted step with the state to go on from.
        resume: State to go on from, as given to `on_step`.

    Returns:
        The fitted ansatz and how it was found.

    Raises:
        DivergenceError: If the starting state is orthogonal to the target.

    Example:
        >>> from aqc.evolved import evolve_within
        >>> from aqc.hamiltonian import Hamiltonian
        >>> chain = Hamiltonian.from_terms(
        ...     4, [(pair, (j, j + 1), 1.0) for j in range(3) for pair in ("XX", "ZZ")]
        ... )
        >>> zeros = np.tile([1.0, 0.0], (4, 1))
        >>> target = evolve_within(chain, zeros, 0.5, tolerance=1e-8, max_bond=4)
        >>> start = Ansatz.from_trotter(chain, 0.5, zeros, layers=3, order=2)
        >>> fit(start, target.mps).optimum.infidelity < 1e-9
        True
    """
    n, chi = ansatz.num_qubits, target.max_bond
    operator = ansatz.is_operator
    engine = choose_engine(n, ansatz.layers, chi, overlap_method, operator=operator)
    method = optimizer
    if isinstance(method, str):
        # What enters a block of an operator is mixed completely: its metric is the identity.
        method = METHODS[method](None if operator else partial(fubini_study, ansatz))
    plan = precisions(n, ansatz.layers, chi, engine, max_evaluations, goal, operator=operator)
    if resume is not None:
        plan = plan[plan.index(str(resume.point.dtype)) :]
    quick = is_brief(n, ansatz.layers, chi, engine, max_evaluations, operator=operator)
    state = resume
    seconds = 0.0
    starts: tuple[float, ...] = ()
    with jax.enable_x64(True):
        for dtype in plan:
            began = time.perf_counter()
            step = _compiled(ansatz, target, engine, objective, np.dtype(dtype), quick)
            seconds += time.perf_counter() - began
            if rivals and not starts:
                starts = _log_fidelities(step, [ansatz, *rivals], np.dtype(dtype))
                ansatz = [ansatz, *rivals][int(np.argmax(starts))]
            optimum = minimize(
                step,
                nearest_point(ansatz.blocks, ansatz.block).astype(dtype),
                BLOCKS[ansatz.block].num_parameters,
                method,
                max_evaluations=max_evaluations,
                goal=goal * (1 - _MARGIN),
                noise=_NOISE[dtype],
                first_length=_first_length(objective, n, ansatz.layers),
                schedule=step if isinstance(step, FlipCost) else None,
                state=state,
                on_step=on_step,
            )
            if optimum.status != "stalled":
                break
            state = optimum.state
    blocks = exact_matrices(optimum.state.point, ansatz.block)
    return Fit(ansatz.with_blocks(blocks), optimum, engine, seconds, starts)


def _log_fidelities(
    step: Callable[[Any, np.ndarray], Any], starts: Sequence[Ansatz], dtype: np.dtype
) -> tuple[float, ...]:
    """Return log F of each start."""
    still = np.zeros((len(starts[0].blocks), BLOCKS[starts[0].block].num_parameters))
    points = (nearest_point(a.blocks, a.block).astype(dtype) for a in starts)
    return tuple(float(step(point, still).log_fidelity) for point in points)


def _compiled(
    ansatz: Ansatz, target: MPS, engine: str, objective: str, dtype: np.dtype, quick: bool
) -> Callable[[Any, np.ndarray], Any]:
    """Return the objective's evaluation, already compiled for these shapes."""
    data = overlap.prepare(ansatz, target, engine, dtype)
    if objective == "flip":
        return FlipCost(ansatz, data, dtype, quick=quick)
    point = nearest_point(ansatz.blocks, ansatz.block).astype(dtype)
    still = np.zeros((len(point), BLOCKS[ansatz.block].num_parameters))
    options = {"objective": objective, "block": ansatz.block, "num_qubits": ansatz.num_qubits}
    run = compiled(evaluate, point, still, data, quick=quick, **options)
    return lambda where, step: run(where, step, data)


def _first_length(objective: str, num_qubits: int, layers: int) -> float:
    """Return one over the expected curvature along the gradient.

    1 - F grows as the variance of the generator, which is of order one for each block, and the
    blocks above each other pull together.
    """
    return (num_qubits if objective == "log_density" else 1.0) / (2 * layers)
