"""One loop that minimizes over all blocks at once, by any of the methods of `aqc.methods`."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from aqc.errors import DivergenceError
from aqc.lbfgs import wolfe_search
from aqc.methods import Method
from aqc.objective import Evaluation

Status = Literal["goal_reached", "stalled", "hopeless", "max_steps_reached", "interrupted"]

# Coordinates are angles: a longer move is outside of what a local model can know.
_LONGEST_MOVE = 1.0
# Stalled: less than this relative gain over so many evaluations.
_STALL_GAIN, _STALL_WINDOW = 1e-4, 50
# Nothing is said about where a fit will end from so far; and so early only if it will surely miss.
_FAR, _EARLY, _SURELY = 0.9, 64, 1.2


class Schedule(Protocol):
    """Changes an objective between steps; its state is a dictionary of arrays."""

    def follow(self, evaluation: Evaluation) -> Evaluation:
        """Change the objective after a step; return the evaluation as it now is."""

    def escape(self, point: np.ndarray) -> Evaluation | None:
        """Return another point to go on from where the objective stalls, or None."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the state, for a checkpoint."""

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take the state from a checkpoint."""


@dataclass(frozen=True, eq=False)
class State:
    """Everything that the loop needs to go on; `arrays` and `restored` make it a checkpoint.

    Attributes:
        point: Point of the block manifold; its dtype is the precision worked in.
        value: The objective there.
        gradient: Its derivative in local coordinates, shape (blocks, parameters).
        log_fidelity: log F there.
        evaluations: Evaluations so far.
        since: Evaluations made when this precision began.
        history: (evaluations so far, infidelity), one entry per accepted step.
        values: The objective after each of these steps.
        method: The method's own state.
        schedule: The state of the objective's schedule, if it has one.
    """

    point: np.ndarray
    value: float
    gradient: np.ndarray
    log_fidelity: float
    evaluations: int
    since: int
    history: tuple[tuple[int, float], ...]
    values: tuple[float, ...]
    method: dict[str, np.ndarray]
    schedule: dict[str, np.ndarray] = field(default_factory=dict)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the state as named arrays."""
        kept = {"method": self.method, "schedule": self.schedule}
        parts = {f"{part}_{k}": v for part, arrays in kept.items() for k, v in arrays.items()}
        numbers = [self.value, self.log_fidelity, float(self.evaluations), float(self.since)]
        return {
            "point": self.point,
            "gradient": self.gradient,
            "numbers": np.array(numbers),
            "history": np.array(self.history, dtype=float).reshape(-1, 2),
            "values": np.array(self.values),
        } | parts

    @classmethod
    def restored(cls, arrays: dict[str, np.ndarray]) -> "State":
        """Return the state that gave these arrays."""
        value, log_fidelity, evaluations, since = arrays["numbers"].tolist()

        def part(name: str) -> dict[str, np.ndarray]:
            return {k.removeprefix(name): v for k, v in arrays.items() if k.startswith(name)}

        return cls(
            point=arrays["point"],
            value=value,
            gradient=arrays["gradient"],
            log_fidelity=log_fidelity,
            evaluations=int(evaluations),
            since=int(since),
            history=tuple((int(count), value) for count, value in arrays["history"].tolist()),
            values=tuple(arrays["values"].tolist()),
            method=part("method_"),
            schedule=part("schedule_"),
        )


@dataclass(frozen=True, eq=False)
class Optimum:
    """Where an optimization ended.

    Attributes:
        state: The best state seen.
        status: Why it ended.
        evaluations: Evaluations of value and gradient.
        history: (evaluations so far, infidelity), one entry per accepted step.
    """

    state: State
    status: Status
    evaluations: int
    history: tuple[tuple[int, float], ...]

    @property
    def infidelity(self) -> float:
        """1 - F of the best point."""
        return _infidelity(self.state.log_fidelity)


def minimize(
    evaluate: Callable[[Any, np.ndarray], Evaluation],
    start: np.ndarray,
    num_parameters: int,
    method: Method,
    *,
    max_evaluations: int,
    goal: float = 0.0,
    noise: float = 0.0,
    first_length: float = 1.0,
    schedule: Schedule | None = None,
    state: State | None = None,
    on_step: Callable[[State], None] | None = None,
    give_up: int | None = None,
) -> Optimum:
    """Minimize an objective over all blocks at once.

    Args:
        evaluate: Maps (point, step) to the evaluation at the point reached by the step.
        start: First point, one leading axis over blocks; its dtype is the precision.
        num_parameters: Local coordinates per block.
        method: Chooses the directions.
        max_evaluations: Most evaluations, those of line searches included; a way on that the
            schedule knows when they are used costs one more.
        goal: Stop when the infidelity is at most this.
        noise: Rounding error of the objective's value.
        first_length: Multiple of the gradient to try first, one over the expected curvature.
        schedule: Changes the objective between steps, and knows ways on where it stalls.
        state: Go on from here instead of from `start`; a state of another precision is
            evaluated again.
        on_step: Called after every accepted step with the state to go on from.
        give_up: From so many evaluations on end when the goal is out of reach, see `falls_short`.

    Returns:
        The best point seen, also after Ctrl-C (status "interrupted").

    Raises:
        DivergenceError: If the objective is not finite at the start (orthogonal states).
    """
    shape = (len(start), num_parameters)
    if state is not None:
        method.restore(state.method)
        if schedule:
            schedule.restore(state.schedule)
    best: State | None = None
    status: Status = "max_steps_reached"
    try:
        if state is None or state.point.dtype != start.dtype:
            state = _enter(evaluate, start, shape, state, schedule)
        best = state
        while True:
            if _infidelity(state.log_fidelity) <= goal:
                status = "goal_reached"
                break
            moved = None
            spent = state.evaluations >= max_evaluations
            if not spent and not _is_stalled(state):
                length = first_length if len(state.history) == 1 else 1.0
                moved = _advance(
                    evaluate, state, method, shape, max_evaluations, noise, length, schedule
                )
            if moved is None and schedule:
                moved = _escape(state, schedule)
            if moved is None:
                status = "max_steps_reached" if spent else "stalled"
                break
            state = moved
            best = max(best, state, key=lambda s: s.log_fidelity)
            if on_step:
                on_step(state)
            # Steps of a fixed length may well gain more and more.
            telling = give_up is not None and method.line_search and state.evaluations >= give_up
            if telling and falls_short(state.history, goal, max_evaluations):
                status = "hopeless"
                break
    except KeyboardInterrupt:
        if best is None or state is None:
            raise
        status = "interrupted"
    return Optimum(best, status, state.evaluations, state.history)


def falls_short(history: Sequence[tuple[int, float]], goal: float, most: int) -> bool:
    """Return whether an infidelity will not come down to a goal.

    Far along, fits were seen to gain less with every doubling of their evaluations e than with
    the one before. So what the last doubling gained bounds what all that are left can gain,

        I(most) >= I(e) (I(e) / I(e / 2))^log2(most / e).

    Before 64 evaluations this was seen to be wrong by up to a fifth, and room is left for it.

    Args:
        history: (evaluations, infidelity) of every step.
        goal: The infidelity wanted.
        most: Evaluations that may be used.

    Example:
        >>> falls_short([(40, 0.10), (80, 0.09)], 0.01, 200)
        True
        >>> falls_short([(40, 0.10), (80, 0.02)], 0.01, 200)
        False
    """
    count, last = history[-1]
    if last > _FAR or count >= most:
        return False
    half = min((value for when, value in history if when <= count / 2), default=math.inf)
    gain = math.log(half / last) if 0 < last < half else 0.0
    bound = last * math.exp(-gain * math.log2(most / count))
    return bound > goal * (_SURELY if count < _EARLY else 1.0)


def _enter(
    evaluate: Callable[[Any, np.ndarray], Evaluation],
    start: np.ndarray,
    shape: tuple[int, int],
    before: State | None,
    schedule: Schedule | None,
) -> State:
    """Evaluate the first point, or the last one of another precision again."""
    point = start if before is None else before.point.astype(start.dtype)
    method = {} if before is None else before.method
    count = 1 if before is None else before.evaluations + 1
    evaluation = evaluate(point, np.zeros(shape))
    if schedule and before is None:
        evaluation = schedule.follow(evaluation)
    state = _state(evaluation, count, count, before, method, schedule)
    if not np.isfinite(state.value):
        raise DivergenceError(
            "The objective must be finite at the start, but the starting circuit's state is "
            "orthogonal to the target; choose another start or more layers."
        )
    return state


def _advance(
    evaluate: Callable[[Any, np.ndarray], Evaluation],
    state: State,
    method: Method,
    shape: tuple[int, int],
    max_evaluations: int,
    noise: float,
    length: float,
    schedule: Schedule | None,
) -> State | None:
    """Return the state after one accepted step, or None when no step lowers the objective."""
    gradient = state.gradient.ravel()
    direction = method.direction(gradient, state.point, len(state.history) - 1)
    slope = float(direction @ gradient)
    longest = float(np.abs(direction).max())
    if longest == 0.0 or (method.line_search and slope >= 0):
        return None
    if not method.line_search:
        length = 1.0
    length = min(length, _LONGEST_MOVE / longest)
    probes: list[tuple[float, Evaluation]] = []

    def probe(length: float) -> tuple[float, float]:
        evaluation = evaluate(state.point, (length * direction).reshape(shape))
        probes.append((length, evaluation))
        return float(evaluation.value), float(np.ravel(evaluation.gradient) @ direction)

    if method.line_search:
        budget = min(12, max_evaluations - state.evaluations)
        wolfe_search(probe, state.value, slope, first=length, noise=noise, max_probes=budget)
    else:
        probe(length)
    length, best = min(probes, key=lambda p: _finite(float(p[1].value)))
    if method.line_search and _finite(float(best.value)) >= state.value:
        return None
    method.update(length * direction, np.ravel(best.gradient) - gradient)
    count = state.evaluations + len(probes)
    if schedule:
        best = schedule.follow(best)
    return _state(best, count, state.since, state, method.arrays(), schedule)


def _escape(state: State, schedule: Schedule) -> State | None:
    """Return the state at the point that a schedule offers, if it offers one."""
    evaluation = schedule.escape(state.point)
    if evaluation is None:
        return None
    count = state.evaluations + 1
    return _state(evaluation, count, count, state, state.method, schedule)


def _state(
    evaluation: Evaluation,
    evaluations: int,
    since: int,
    before: State | None,
    method: dict[str, np.ndarray],
    schedule: Schedule | None,
) -> State:
    value, log_fidelity = float(evaluation.value), float(evaluation.log_fidelity)
    history, values = (before.history, before.values) if before else ((), ())
    return State(
        np.asarray(evaluation.point),
        value,
        np.asarray(evaluation.gradient),
        log_fidelity,
        evaluations,
        since,
        (*history, (evaluations, _infidelity(log_fidelity))),
        (*values, value),
        method,
        schedule.arrays() if schedule else {},
    )


def _infidelity(log_fidelity: float) -> float:
    return float(-np.expm1(log_fidelity))


def _finite(value: float) -> float:
    return value if np.isfinite(value) else np.inf


def _is_stalled(state: State) -> bool:
    """Return whether the last evaluations gained less than a small fraction."""
    count, infidelity = state.history[-1]
    if infidelity <= 1e-15:
        return True  # nothing left but rounding
    # The objective tells more than the infidelity, which is 1 in all digits far from the target.
    past = [
        value
        for (when, _), value in zip(state.history, state.values, strict=True)
        if state.since <= when <= count - _STALL_WINDOW
    ]
    return bool(past) and past[-1] - state.value < _STALL_GAIN * past[-1]
