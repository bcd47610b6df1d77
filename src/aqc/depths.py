"""Fits at one depth or at several: a sweep over depths, or a search for the fewest layers.

Each depth starts at its own start (Trotter's circuit, if nothing else is asked for) or at the best
shallower fit with identity layers added, whichever has the higher fidelity. So the infidelity does
not rise with the depth, and the search may climb by two layers (Trotter's formula has second order
at odd numbers) and then look at the one number between the last depth that failed and the first
that did not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aqc.ansatz import Ansatz
from aqc.blocks import BLOCKS
from aqc.checkpoint import Checkpoints
from aqc.estimate import colors_of, deepest_layers
from aqc.fit import fit
from aqc.given import RandomStart
from aqc.layer_counts import Layers
from aqc.methods import method_named
from aqc.mps import MPS
from aqc.optimize import Optimum, State
from aqc.problem import Problem
from aqc.progress import Progress, Report
from aqc.race import best_start
from aqc.start import random_starts

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
            time, or "repeated" for the middle of a shorter chain's.
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

    def following() -> int | None:
        if survival and layers == "auto":
            totals = {depth.layers: depth.total_fidelity for depth in done}
            return next_on_device(totals, deepest, fewest, period)
        return next_depth(layers, _reached(done, problem), deepest, fewest, step)

    while (depth := following()) is not None:
        try:
            others = warm(depth) if warm else ()
            # The search for the fewest layers need not know how far a depth falls short.
            give_up = layers == "auto" and survival is None and depth < deepest
            made = _fit_one(problem, target, start, others, depth, done, report, kept, give_up)
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
    done: list[Depth],
    report: Report,
    kept: Checkpoints | None,
    give_up: bool,
) -> Depth:
    several = not isinstance(problem.ansatz.layers, int)
    before = sum(depth.optimum.evaluations for depth in done)
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
    shallower = [depth for depth in done if depth.layers < layers]
    names = ["own", *(name for name, _ in others)]
    rivals = [ansatz.on(first.state) for _, ansatz in others]
    if shallower:
        best = min(shallower, key=lambda depth: depth.infidelity)
        names.append("shallower")
        rivals.append(best.ansatz.deepened(layers).on(first.state))
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
        memory_limit=problem.limits.memory_gb * 1e9,
        on_step=on_step,
        resume=resumed,
        give_up=give_up,
    )
    logs = fitted.starts
    return Depth(
        fitted.ansatz,
        fitted.optimum,
        fitted.compile_seconds,
        names[fitted.start],
        float(-np.expm1(logs[0])) if logs else fitted.optimum.history[0][1],
    )


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
