"""Fits at one depth or at several: a sweep over depths, or a search for the fewest layers.

Each depth of a sweep starts at its own start (Trotter's circuit, if nothing else is asked for) or
at the best shallower fit with identity layers added, whichever has the higher fidelity, so that the
infidelity does not rise with the depth. The search for the fewest layers starts where a product
formula or the schedule of a shallower fit leads, which takes fewer evaluations; it may climb by two
layers (Trotter's formula has second order at odd numbers) and then look at the one number between
the last depth that failed and the first that did not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aqc.ansatz import Ansatz
from aqc.blocks import BLOCKS
from aqc.checkpoint import Checkpoints
from aqc.continued import resampled, whole_steps
from aqc.estimate import colors_of, deepest_layers, evaluation_memory
from aqc.fit import fit
from aqc.given import RandomStart
from aqc.layer_counts import Layers
from aqc.methods import method_named
from aqc.misses import fewest_layers
from aqc.mps import MPS
from aqc.optimize import Optimum, State
from aqc.problem import Problem
from aqc.progress import Progress, Report
from aqc.race import best_start
from aqc.start import random_starts, starts_at_formula

# Evaluations after which a fit may turn out hopeless: where it is expected to, where it began as a
# product formula of all its layers, and elsewhere: identities behind a fit, and small steps, come
# into use slowly.
_TELLING_DOUBTFUL, _TELLING, _TELLING_LATE = 10, 20, 64

Start = Callable[[int], Ansatz]
Named = tuple[str, Ansatz]
Warm = Callable[[int], Sequence[Named]]


@dataclass(frozen=True, eq=False)
class Depth:
    """The fit at one depth.

    Attributes:
        ansatz: With the best blocks.
        optimum: How the optimizer got there.
        compile_seconds: Time spent in XLA, by this process.
        start: "own", "shallower" for the best shallower fit, "earlier" for that of an earlier
            time, "followed" for that followed by a product formula, or "repeated" for the middle of
            a shorter chain's.
        start_infidelity: 1 - F of its own start, before any optimization.
        noise_fidelity: What a device's noise leaves of it, where the goal names a device.
    """

    ansatz: Ansatz
    optimum: Optimum
    compile_seconds: float
    start: str
    start_infidelity: float
    noise_fidelity: float | None = None

    @property
    def layers(self) -> int:
        """Number of brick layers."""
        return self.ansatz.layers

    @property
    def infidelity(self) -> float:
        """1 - F as the optimizer left it."""
        return self.optimum.infidelity

    @property
    def total_fidelity(self) -> float:
        """F times what the noise leaves of it."""
        noise = 1.0 if self.noise_fidelity is None else self.noise_fidelity
        return (1 - self.infidelity) * noise

    def to_dict(self) -> dict[str, Any]:
        """Return the depth's entry of `sweep` in result.json."""
        return {
            "layers": self.layers,
            "infidelity": self.infidelity,
            "start_infidelity": self.start_infidelity,
            "start": self.start,
            "evaluations": self.optimum.evaluations,
            "status": self.optimum.status,
            **({} if self.noise_fidelity is None else self._on_device()),
        }

    def _on_device(self) -> dict[str, float | None]:
        return {"noise_fidelity": self.noise_fidelity, "total_fidelity": self.total_fidelity}


def fit_depths(
    problem: Problem,
    target: MPS,
    start: Start,
    report: Report,
    kept: Checkpoints | None = None,
    survival: Callable[[Ansatz], float] | None = None,
    warm: Warm | None = None,
    least: int = 1,
    expected: Callable[[int], float] | None = None,
) -> tuple[Depth, ...]:
    """Fit at every depth that the problem asks for, with the same target.

    Args:
        problem: What problem.json holds. A list of depths is fitted beyond the goal, as far as
            `optimizer.max_steps` evaluations for each depth go; else a fit ends at the goal.
        target: The state to reach.
        start: Returns the own start of a number of layers.
        report: Called with a `Progress` after every step.
        kept: Where work is kept, and where it goes on from.
        survival: Returns what a device's noise leaves of a circuit, where the goal names a device:
            then "auto" goes on as long as the state on the device gets better.
        warm: Returns more starts of a number of layers, with names.
        least: Where the search for the fewest layers begins.
        expected: Returns the infidelity that a number of layers is expected to reach.

    Returns:
        The depths that were fitted, in ascending order.
    """
    layers = problem.ansatz.layers
    deepest = deepest_layers(problem, target.max_bond) if layers == "auto" else 0

    def judged(depth: Depth) -> Depth:
        return replace(depth, noise_fidelity=survival(depth.ansatz)) if survival else depth

    done = [judged(depth) for depth in _restored(kept, start)]
    # Trotter's formula of second order has a multiple of this number of layers, and one more.
    period = 2 * max(len(colors_of(problem)) - 1, 1)
    fewest = max(1, least, len(colors_of(problem)))
    step = 1 if least > 1 else period  # the number wanted is near one that is known
    # The search for the fewest layers need not know how far a depth falls short.
    searching = layers == "auto" and survival is None
    formulas = starts_at_formula(problem)
    telling = _TELLING if formulas else _TELLING_LATE
    goal = problem.goal.infidelity
    if expected and searching:  # on a device fewer layers may be better than the goal
        fewest = fewest_layers(expected, goal, fewest)

    def following() -> int | None:
        if survival and layers == "auto":
            totals = {depth.layers: depth.total_fidelity for depth in done}
            return next_on_device(totals, deepest, fewest, period)
        return next_depth(layers, _reached(done, problem), deepest, fewest, step)

    while (depth := following()) is not None:
        try:
            others = list(warm(depth)) if warm else []
            shallower = _deepened(done, depth, searching and formulas)
            if shallower is not None:
                others.append(("shallower", shallower))
            doubtful = formulas and expected is not None and expected(depth) > goal
            give_up = None
            if searching and depth < deepest:
                give_up = _TELLING_DOUBTFUL if doubtful else telling
            before = sum(fitted.optimum.evaluations for fitted in done)
            made = _fit_one(problem, target, start, others, depth, before, report, kept, give_up)
            done.append(judged(made))
        except KeyboardInterrupt:  # while this depth is prepared; those before it are worth keeping
            if not done:
                raise
            done[-1] = replace(done[-1], optimum=replace(done[-1].optimum, status="interrupted"))
        if done[-1].optimum.status == "interrupted":
            break
        if kept and not isinstance(layers, int):
            kept.save("sweep", _arrays(done))
    return tuple(sorted(done, key=lambda depth: depth.layers))


def chosen(depths: tuple[Depth, ...], goal: float) -> Depth:
    """Return the shallowest depth that reaches the goal, or else the best one.

    Args:
        depths: In ascending order; with noise fidelities the best product is taken.
        goal: The infidelity asked for.
    """
    if depths[0].noise_fidelity is not None:
        return max(depths, key=lambda depth: depth.total_fidelity)
    reached = [depth for depth in depths if depth.infidelity <= goal]
    return reached[0] if reached else min(depths, key=lambda depth: depth.infidelity)


def next_depth(
    layers: Layers, reached: dict[int, bool], deepest: int, least: int = 1, step: int = 2
) -> int | None:
    """Return the number of layers to fit next, or None at the end.

    Args:
        layers: What the problem asks for.
        reached: Of the depths that were fitted, whether they reach the goal.
        deepest: Most layers for "auto".
        least: Fewest layers for "auto".
        step: How many more it tries next.

    Example:
        >>> next_depth("auto", {1: False, 3: False}, 9), next_depth("auto", {3: False, 5: True}, 9)
        (5, 4)
        >>> next_depth((3, 5), {3: True}, 0), next_depth(7, {7: False}, 0)
        (5, None)
    """
    if layers != "auto":
        wanted = (layers,) if isinstance(layers, int) else layers
        return next((depth for depth in wanted if depth not in reached), None)
    enough = min((depth for depth, good in reached.items() if good), default=None)
    if enough is not None:
        return enough - 1 if enough > least and enough - 1 not in reached else None
    if not reached:
        return min(least, deepest)
    # On lattices the first step goes to the first formula of second order.
    tried = max(reached)
    return min(tried + step - (tried - 1) % step, deepest) if tried < deepest else None


def next_on_device(
    totals: dict[int, float], deepest: int, least: int = 1, period: int = 2
) -> int | None:
    """Return the number of layers to fit next, or None when the best one is known.

    Depths of Trotter's second order (odd ones on a chain) are tried until two in a row are worse
    than the best one, then its two neighbors.

    Args:
        totals: The fidelity on the device at each depth that was fitted.
        deepest: Most layers.
        least: Fewest layers.
        period: How many layers a step of second order adds.

    Example:
        >>> next_on_device({1: 0.5, 3: 0.8}, 9), next_on_device({1: 0.5, 3: 0.8, 5: 0.7, 7: 0.6}, 9)
        (5, 2)
        >>> next_on_device({1: 0.5, 2: 0.6, 3: 0.8, 4: 0.7, 5: 0.7, 7: 0.6}, 9) is None
        True
    """
    if not totals:
        return least
    best = max(totals, key=lambda depth: totals[depth])
    whole = max((depth for depth in totals if (depth - 1) % period == 0), default=1)
    if whole < best + 2 * period and whole + period <= deepest:
        return whole + period
    near = (best - 1, best + 1)
    return next(
        (depth for depth in near if least <= depth <= deepest and depth not in totals), None
    )


def _reached(done: list[Depth], problem: Problem) -> dict[int, bool]:
    return {depth.layers: depth.infidelity <= problem.goal.infidelity for depth in done}


def _fit_one(
    problem: Problem,
    target: MPS,
    start: Start,
    others: Sequence[Named],
    layers: int,
    before: int,
    report: Report,
    kept: Checkpoints | None,
    give_up: int | None,
) -> Depth:
    """Fit at one depth from the best start, after so many evaluations `before` at other depths."""
    several = not isinstance(problem.ansatz.layers, int)
    most = problem.optimizer.max_steps
    shown = layers if several else None
    told = 0

    def on_step(state: State) -> None:
        nonlocal told
        if kept:
            kept.save_in_time("state", lambda: {**state.arrays(), **first.frame()})
        # The first call also tells where it began: at the start, or where it was resumed.
        for count, infidelity in state.history[told:]:
            report(Progress("optimize", count / most, before + count, infidelity, shown))
        told = len(state.history)

    first, resumed = start(layers), _state(kept, layers)
    given = problem.ansatz.start
    if isinstance(given, RandomStart) and given.starts > 1 and resumed is None:
        report(Progress("compile", None, before, layers=shown))
        first, _ = best_start(random_starts(first, given), target, overlap_method=problem.overlap)
    names = ["own", *(name for name, _ in others)]
    rivals = [ansatz.on(first.state) for _, ansatz in others]
    if kept:
        kept.begin({"blocks": first.blocks, **first.frame()})
    report(Progress("compile", None, before, layers=shown))
    fitted = fit(
        first,
        target,
        rivals=rivals,
        objective=problem.objective,
        overlap_method=problem.overlap,
        optimizer=method_named(problem.optimizer.name, most, BLOCKS[first.block].num_parameters),
        max_evaluations=most,
        goal=0.0 if _goes_on(problem) else problem.goal.infidelity,
        accuracy=problem.goal.infidelity,
        memory_limit=evaluation_memory(problem, layers, target.max_bond),
        on_step=on_step,
        resume=resumed,
        give_up=[_TELLING_LATE if name == "followed" else give_up for name in names]
        if give_up
        else (),
    )
    logs = fitted.starts
    return Depth(
        fitted.ansatz,
        fitted.optimum,
        fitted.compile_seconds,
        names[fitted.start],
        float(-np.expm1(logs[0])) if logs else fitted.optimum.history[0][1],
    )


def _deepened(done: Sequence[Depth], layers: int, resample: bool) -> Ansatz | None:
    """Return the best shallower fit, made deeper; None where there is none to start from.

    Args:
        done: The fits so far.
        layers: Brick layers.
        resample: Whether to go on from its schedule, see `resampled`, not to add identities. Only
            fits that have whole steps of second order fewer do for this: others end up far off.
    """
    shallower = [depth for depth in done if depth.layers < layers]
    if resample:
        shallower = [d for d in shallower if (layers - d.layers) % whole_steps(d.ansatz) == 0]
    if not shallower:
        return None
    best = min(shallower, key=lambda depth: depth.infidelity).ansatz
    return resampled(best, layers) if resample else best.deepened(layers)


def _goes_on(problem: Problem) -> bool:
    """Whether every depth is fitted as far as it goes."""
    return isinstance(problem.ansatz.layers, tuple) or problem.goal.device is not None


def _state(kept: Checkpoints | None, layers: int) -> State | None:
    """Return the state kept of this depth, if the last one is."""
    arrays = kept.load("state") if kept else None
    return State.restored(arrays) if arrays and int(arrays["layers"]) == layers else None


def _arrays(done: list[Depth]) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {"depths": np.array([depth.layers for depth in done])}
    for depth in done:
        optimum = depth.optimum
        parts = {
            "blocks": depth.ansatz.blocks,
            "started": np.array(depth.start_infidelity),
            "words": np.array([depth.start, optimum.status]),
            "history": np.array(optimum.history, dtype=float),
            "evaluations": np.array(optimum.evaluations),
        }
        state = replace(optimum.state, method={}, schedule={}).arrays()
        parts |= {f"state_{name}": array for name, array in state.items()}
        arrays |= {f"{depth.layers}_{name}": array for name, array in parts.items()}
    return arrays


def _restored(kept: Checkpoints | None, start: Start) -> list[Depth]:
    arrays = kept.load("sweep") if kept else None
    if arrays is None:
        return []
    done = []
    for layers in arrays["depths"].tolist():
        prefix = f"{layers}_"
        part = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
        state = {k.removeprefix("state_"): v for k, v in part.items() if k.startswith("state_")}
        begun, status = part["words"].tolist()
        history = tuple((int(count), value) for count, value in part["history"].tolist())
        optimum = Optimum(State.restored(state), status, int(part["evaluations"]), history)
        ansatz = start(layers).with_blocks(part["blocks"])
        done.append(Depth(ansatz, optimum, 0.0, begun, float(part["started"])))
    return done
