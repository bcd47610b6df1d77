"""Fit an ansatz to a target: which engine, which precision, compiled once, then minimized.

Single precision is twice as fast and good to about 1e-6 in the infidelity, so long fits with a
coarser goal begin in it; double precision takes over where rounding stops the first.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import numpy as np

from aqc import overlap
from aqc.ansatz import Ansatz
from aqc.block_choice import has_sectors
from aqc.blocks import BLOCKS
from aqc.cost import (
    choose_engine,
    is_brief,
    laid_out_layers,
    largest_bond,
    memory,
    padded_bond,
    work,
)
from aqc.errors import DivergenceError, TruncationError
from aqc.executables import compiled
from aqc.flip import FlipCost
from aqc.methods import METHODS, Method
from aqc.metric import fubini_study
from aqc.mps import MPS
from aqc.objective import Evaluation, evaluate
from aqc.optimize import Optimum, State, minimize
from aqc.overlap.bonds import Segments, choose_segments, enlarged, work_of
from aqc.points import exact_matrices, nearest_point
from aqc.threads import one_blas_thread

# Rounding error of -(log F)/n, for which each cell of the scan gives its share.
_NOISE = {"complex64": 3e-8, "complex128": 1e-15}
# Below this goal single precision cannot tell whether it is reached.
_SINGLE_GOAL = 1e-3
# Double precision multiplications that are worth a second compilation.
_SINGLE_WORK = 1.5e10
# The certificate computes the infidelity again by other sums: leave it room below the goal.
_MARGIN = 1e-3
# What the truncated overlap may lose, as a share of the infidelity that matters, and its error in
# units of that loss. Measured: log F errs by 0.03 to 0.2 of the weight lost.
_LOST, _TRUNCATED_MARGIN = 0.5, 0.05
# Rounding of single precision looks like so much lost weight in each gate.
_SINGLE_LOST = 1e-7
# Of the target's bond dimension: beyond, truncation is not what is wrong.
_LARGEST_BOND = 3


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted ansatz.

    Attributes:
        ansatz: With the best blocks, unitary in double precision.
        optimum: How the optimizer got there.
        method: The contraction engine, "exact", "truncated" or "dense".
        compile_seconds: Time spent in XLA.
        lost: The weight that truncations lost in the last evaluation.
        starts: log F of each start where there were several, in their order.
    """

    ansatz: Ansatz
    optimum: Optimum
    method: str
    compile_seconds: float
    lost: float = 0.0
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
    sectors: bool = False,
) -> list[str]:
    """Return the dtypes to optimize in, one after another."""
    if method == "truncated":
        single = _LOST * goal > _SINGLE_LOST * layers * num_qubits
        return ["complex64", "complex128"] if single else ["complex128"]
    one = work(num_qubits, layers, chi, method, operator=operator, sectors=sectors)
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
    accuracy: float | None = None,
    memory_limit: float = 8e9,
    on_step: Callable[[State], None] | None = None,
    resume: State | None = None,
    give_up: Sequence[int] = (),
) -> Fit:
    """Optimize all blocks of an ansatz at once against a target.

    Args:
        ansatz: The start.
        target: A normalized state on as many qubits; an operator where the ansatz is one.
        rivals: Other starts of the same shape; the one of highest fidelity is taken.
        objective: A key of `aqc.objective.OBJECTIVES`, or "flip".
        overlap_method: "auto", "exact", "truncated" or "dense".
        optimizer: A key of `aqc.methods.METHODS`, or a method of one's own.
        max_evaluations: Most evaluations of value and gradient.
        goal: Stop at this infidelity.
        accuracy: The infidelity that matters, of which truncations may lose a share; None takes
            the goal, at least 1e-8.
        memory_limit: Bytes that one evaluation may take: so far the truncated overlap raises its
            bond dimensions; where "auto" took it and that is not enough, the exact one takes over
            if it fits.
        on_step: Called after every accepted step with the state to go on from.
        resume: State to go on from, as given to `on_step`.
        give_up: For each start, its own and the rivals', from how many evaluations on to end, with
            status "hopeless", as soon as the goal is out of reach; empty: never.

    Returns:
        The fitted ansatz and how it was found.

    Raises:
        DivergenceError: If the starting state is orthogonal to the target, and none that has one
            qubit flipped is nearer.
        TruncationError: If the truncated overlap loses too much at any bond dimension allowed.

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
    shape = ansatz.num_qubits, ansatz.rows, target.max_bond
    engine = choose_engine(
        *shape,
        overlap_method,
        operator=ansatz.is_operator,
        sectors=has_sectors(ansatz.block, ansatz.state),
    )
    run = partial(
        _fit_by,
        ansatz=ansatz,
        target=target,
        rivals=[replace(rival, block=ansatz.block, tied=ansatz.tied) for rival in rivals],
        objective=objective,
        method=optimizer,
        max_evaluations=max_evaluations,
        goal=goal,
        accuracy=max(accuracy or goal, 1e-8),
        memory_limit=memory_limit,
        on_step=on_step,
        resume=resume,
        give_up=give_up,
    )
    try:
        return run(engine)
    except TruncationError:
        if overlap_method != "auto" or memory(*shape, "exact") > memory_limit:
            raise
        return run("exact")


def _fit_by(
    engine: str,
    *,
    ansatz: Ansatz,
    target: MPS,
    rivals: Sequence[Ansatz],
    objective: str,
    method: str | Method,
    max_evaluations: int,
    goal: float,
    accuracy: float,
    memory_limit: float,
    on_step: Callable[[State], None] | None,
    resume: State | None,
    give_up: Sequence[int],
) -> Fit:
    """Do what `fit` does, with one contraction engine."""
    n, chi, operator = ansatz.num_qubits, target.max_bond, ansatz.is_operator
    if isinstance(method, str):
        method = METHODS[method](_metric(ansatz))
    kind = {"operator": operator, "sectors": has_sectors(ansatz.block, ansatz.state)}
    plan = precisions(n, ansatz.rows, chi, engine, max_evaluations, accuracy, **kind)
    if resume is not None and (last := str(resume.point.dtype)) in plan:
        plan = plan[plan.index(last) :]
    quick = is_brief(n, ansatz.rows, chi, engine, max_evaluations, **kind)
    state = resume
    seconds = 0.0
    starts: tuple[float, ...] = ()
    first = 0
    bonds = None
    if engine == "truncated":
        most = largest_bond(n, ansatz.rows, memory_limit)
        bonds = Bonds([ansatz, *rivals], target, _LOST * accuracy, most)
    with jax.enable_x64(True), one_blas_thread():
        while plan:
            dtype = plan[0]
            began = time.perf_counter()
            step = _compiled(ansatz, target, engine, objective, np.dtype(dtype), quick, bonds)
            seconds += time.perf_counter() - began
            if rivals and not starts:
                starts = _log_fidelities(step, [ansatz, *rivals], np.dtype(dtype))
                first = int(np.argmax(starts))
                ansatz = [ansatz, *rivals][first]
            begun = nearest_point(ansatz.gates, ansatz.block) if state is None else state.point
            if bonds and not bonds.suffice(step, begun.astype(dtype)):
                continue
            try:
                optimum = minimize(
                    step,
                    nearest_point(ansatz.gates, ansatz.block).astype(dtype),
                    BLOCKS[ansatz.block].num_parameters,
                    method,
                    max_evaluations=max_evaluations,
                    goal=goal * (1 - (_TRUNCATED_MARGIN if bonds else _MARGIN)),
                    noise=_NOISE[dtype],
                    first_length=_first_length(objective, n, ansatz.layers),
                    schedule=step if isinstance(step, FlipCost) else None,
                    state=state,
                    on_step=on_step,
                    give_up=give_up[first] if give_up else None,
                )
            except DivergenceError:
                near = _flipped(ansatz, target, engine, np.dtype(dtype), quick, bonds)
                if near is None or state is not None:
                    raise
                ansatz = near
                continue
            state = optimum.state
            if bonds and not bonds.suffice(step, state.point):
                continue
            if optimum.status != "stalled":
                break
            plan = plan[1:]
    gates = exact_matrices(optimum.state.point, ansatz.block)
    lost = bonds.lost if bonds else 0.0
    return Fit(ansatz.with_gates(gates), optimum, engine, seconds, lost, starts)


def _log_fidelities(
    step: Callable[[Any, np.ndarray], Any], starts: Sequence[Ansatz], dtype: np.dtype
) -> tuple[float, ...]:
    """Return log F of each start."""
    points = [nearest_point(a.gates, a.block).astype(dtype) for a in starts]
    still = np.zeros((len(points[0]), BLOCKS[starts[0].block].num_parameters))
    return tuple(float(step(point, still).log_fidelity) for point in points)


def _flipped(
    ansatz: Ansatz,
    target: MPS,
    engine: str,
    dtype: np.dtype,
    quick: bool,
    bonds: "Bonds | None",
) -> Ansatz | None:
    """Return a start that is not orthogonal to the target, one flip of a qubit away, if any is."""
    if ansatz.is_operator or ansatz.block == "u1" or ansatz.ties:
        return None
    cost = _compiled(ansatz, target, engine, "flip", dtype, quick, bonds)
    assert isinstance(cost, FlipCost)
    point = cost.neighbor(nearest_point(ansatz.gates, ansatz.block).astype(dtype))
    return None if point is None else ansatz.with_blocks(exact_matrices(point, ansatz.block))


def _compiled(
    ansatz: Ansatz,
    target: MPS,
    engine: str,
    objective: str,
    dtype: np.dtype,
    quick: bool,
    bonds: "Bonds | None",
) -> Callable[[Any, np.ndarray], Any]:
    """Return the objective's evaluation, already compiled for these shapes."""
    settings = {"segments": bonds.segments} if bonds else {}
    if objective == "flip":
        # A flip leaves the sector.
        data = overlap.prepare(replace(ansatz, block="su4"), target, engine, dtype, **settings)
        return FlipCost(ansatz, data, dtype, quick=quick)
    full = _filled(ansatz, engine)
    data = overlap.prepare(full, target, engine, dtype, **settings)
    point = nearest_point(full.gates, full.block).astype(dtype)
    still = np.zeros((len(point), BLOCKS[ansatz.block].num_parameters))
    options = {"objective": objective, "block": ansatz.block, "num_qubits": ansatz.num_qubits}
    ties = ansatz.ties
    run = compiled(evaluate, point, still, data, ties, quick=quick, **options)
    count = len(ansatz.gates)
    if count == len(point):
        return lambda where, step: run(where, step, data, ties)

    def own(where: Any, step: np.ndarray) -> Evaluation:
        there = np.concatenate([where, point[count:]])
        found = run(there, np.concatenate([step, still[count:]]), data, ties)
        moved, slope = np.asarray(found.point)[:count], np.asarray(found.gradient)[:count]
        return found._replace(point=moved, gradient=slope)

    return own


def _filled(ansatz: Ansatz, engine: str) -> Ansatz:
    """Return the circuit with as many layers of identities behind it as the engine lays out anyway.

    So two numbers of layers share a compilation.
    """
    if BLOCKS[ansatz.block].coordinates is not None or ansatz.colors or ansatz.ties:
        return ansatz
    return ansatz.deepened(laid_out_layers(ansatz.layers, engine))


def _metric(ansatz: Ansatz) -> Callable[[np.ndarray], np.ndarray] | None:
    """Return the metric of the gates at a point, None for the identity."""
    if not ansatz.is_operator:
        return partial(fubini_study, ansatz)
    # What enters a block of an operator is mixed completely: its metric is the identity.
    ties, eye = ansatz.ties, np.eye(BLOCKS[ansatz.block].num_parameters)
    return (lambda _: ties.sizes[:, None, None] * eye) if ties else None


class Bonds:
    """The bond dimensions of the truncated overlap, raised until they lose little enough.

    Attributes:
        segments: Pairs of layers and bond dimension of each segment.
        lost: The weight that was lost where it was looked at last.
    """

    def __init__(self, starts: Sequence[Ansatz], target: MPS, weight: float, most: int):
        most = max(most, 2)
        self._most = min(_LARGEST_BOND * padded_bond(target.max_bond), most)
        # The start that entangles least is mostly the one that is taken: product formulas of too
        # large steps entangle more than what they approximate.
        chosen = (choose_segments(start.as_bricks(), target, weight, most) for start in starts)
        self.segments: Segments = min(chosen, key=work_of)
        self.lost = 0.0
        self._weight = weight
        parameters = BLOCKS[starts[0].block].num_parameters
        self._still = np.zeros((len(starts[0].gates), parameters))

    def suffice(self, step: Callable[[Any, np.ndarray], Any], point: np.ndarray) -> bool:
        """Return whether little enough is lost at a point; if not, raise the bond dimensions.

        Raises:
            TruncationError: If they are as large as they may become.
        """
        self.lost = float(step(point, self._still).lost)
        if self.lost <= self._weight:
            return True
        largest = self.segments[-1][1]
        if largest >= self._most:
            raise TruncationError(
                f"The truncated overlap must lose at most a weight of {self._weight:.1e}, but "
                f"loses {self.lost:.1e} at bond dimension {largest}, the largest that its memory "
                f'was estimated for; raise `goal.infidelity`, or set `overlap` to "exact".'
            )
        self.segments = enlarged(self.segments, self._most)
        return False


def _first_length(objective: str, num_qubits: int, layers: int) -> float:
    """Return one over the expected curvature along the gradient.

    1 - F grows as the variance of the generator, which is of order one for each block, and the
    blocks above each other pull together.
    """
    return (num_qubits if objective == "log_density" else 1.0) / (2 * layers)
