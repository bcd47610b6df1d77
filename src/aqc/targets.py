"""The state that a problem asks for: evolved, made by a circuit, or given by its tensors."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from aqc.errors import InputError
from aqc.given import GivenCircuit, GivenState, check_shapes
from aqc.lattice import evolve_pieces
from aqc.mps import MPS, log_overlap
from aqc.problem import Problem
from aqc.propagator import propagate_within
from aqc.settings import TargetSettings
from aqc.simulate import compress, run_circuit
from aqc.target import Target

# Of the angle allowed to the target of an entangled start: what making the start may take.
_PREPARATION_SHARE = 0.1
# Rounding of whoever computed a state, and truncation that was not followed by a division.
_NORM_TOLERANCE = 1e-3


def make_target(problem: Problem, progress: Callable[[float], None] | None = None) -> Target:
    """Return the state that a problem asks for, within its tolerance.

    Args:
        problem: What problem.json holds.
        progress: Called with the fraction done.

    Returns:
        A target that can be saved, and used by every problem that asks for the same state.

    Raises:
        InputError: If a circuit cannot be read, or a state is not normalized.
        TruncationError: If `target.max_bond` cannot keep `target.tolerance`.

    Example:
        >>> problem = Problem.build({"model": "xxz_chain", "num_qubits": 6}, 0.5)
        >>> make_target(problem).infidelity_bound <= 1e-4
        True
    """
    given = problem.target.given
    if isinstance(given, GivenCircuit):
        target = _of_circuit(given, problem, progress)
    elif isinstance(given, GivenState):
        target = _of_state(given, problem)
    else:
        target = _evolved(problem, progress)
    return replace(target, key=problem.target_key())


def check_target(target: Target, problem: Problem) -> None:
    """Refuse a target that was made for another problem, or too coarsely for this one.

    Raises:
        InputError: It does not belong to the problem.
    """
    if target.key != problem.target_key():
        raise InputError(
            "The saved target must be of the problem's own Hamiltonian, time and initial state (or "
            "circuit, or state), but was made for others; make it again.",
            "/target",
        )
    tolerance = problem.target.tolerance
    if target.infidelity_bound > tolerance:
        raise InputError(
            f"The saved target must be within `target.tolerance` = {tolerance:.3g}, but is "
            f"only known to be within {target.infidelity_bound:.3g}; make it again, or state a "
            f"larger tolerance.",
            "/target/tolerance",
        )


def prepare(circuit: GivenCircuit, settings: TargetSettings) -> tuple[MPS, float]:
    """Return the state that a circuit prepares for an evolution, and a bound on its angle's error.

    It takes at most a tenth of the angle that the target's tolerance allows.

    Raises:
        InputError: If the circuit cannot be read.
        TruncationError: If it cannot be that exact.
    """
    from aqc.interop.circuits import parse

    share = _PREPARATION_SHARE * _angle(settings.tolerance)
    made = run_circuit(parse(circuit), angle=share / 2, max_bond=settings.max_bond, limit=share)
    return made.mps, made.angle


def read_tensors(tensors: list[np.ndarray]) -> MPS:
    """Return a normalized state from tensors, and refuse what is no state.

    Args:
        tensors: One per qubit, shape (left bond, 2, right bond); the outermost bonds have size 1.

    Raises:
        InputError: If shapes do not fit, an entry is not finite, or the norm is not 1.

    Example:
        >>> read_tensors([np.full((1, 2, 1), 0.5**0.5)] * 3).num_qubits
        3
    """
    check_shapes(tuple(tensor.shape for tensor in tensors), "`target.state`", "/target/state")
    if not all(np.isfinite(tensor).all() for tensor in tensors):
        raise InputError("`target.state` must hold finite numbers only.", "/target/state")
    state = MPS(tuple(np.asarray(tensor, dtype=complex) for tensor in tensors))
    norm = float(np.exp(min(log_overlap(state, state)[0] / 2, 700.0)))
    if not abs(norm - 1) <= _NORM_TOLERANCE:
        raise InputError(
            f"`target.state` must have norm 1 (within {_NORM_TOLERANCE:g}), but has norm "
            f"{norm:.6g}{'; divide a tensor by it' if norm > 0 else ', and so is no state'}.",
            "/target/state",
        )
    return state


def _angle(tolerance: float) -> float:
    return float(np.arcsin(np.sqrt(tolerance)))


def _of_circuit(
    given: GivenCircuit, problem: Problem, progress: Callable[[float], None] | None
) -> Target:
    from aqc.interop.circuits import parse

    settings = problem.target
    allowed = _angle(settings.tolerance)
    made = run_circuit(
        parse(given),
        angle=0.95 * allowed,
        max_bond=settings.max_bond,
        limit=allowed,
        progress=progress,
    )
    return Target(made.mps, made.angle, 0.0, True, made.weight, 0, "circuit")


def _of_state(given: GivenState, problem: Problem) -> Target:
    settings = problem.target
    allowed = _angle(settings.tolerance)
    state = read_tensors(given.tensors)
    kept = compress(state, angle=0.95 * allowed, max_bond=settings.max_bond, limit=allowed)
    return Target(kept.mps, kept.angle, 0.0, True, kept.weight, 0, "state")


def _evolved(problem: Problem, progress: Callable[[float], None] | None) -> Target:
    evolution = problem.evolution()
    assert evolution is not None
    settings = problem.target
    if problem.mode == "unitary":
        return propagate_within(
            *evolution,
            tolerance=settings.tolerance,
            max_bond=settings.max_bond,
            progress=progress,
        )
    start: np.ndarray | MPS
    tolerance, lost = settings.tolerance, 0.0
    if isinstance(problem.initial_state, GivenCircuit):
        start, lost = prepare(problem.initial_state, settings)
        tolerance = float(np.sin((1 - _PREPARATION_SHARE) * _angle(tolerance)) ** 2)
    else:
        start = problem.product_state()
    target = evolve_pieces(
        problem.pieces(),
        start,
        tolerance=tolerance,
        max_bond=settings.max_bond,
        evolver=settings.evolver,
        progress=progress,
    )
    return replace(target, truncation_angle=target.truncation_angle + lost)
