"""The search: NSGA-II over programs, their constants fitted anew in every generation."""

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Interval, Len

from aqc.kernels._kernel import Steps, drain
from aqc.kernels._signature import checked
from aqc.kernels.autonumerics_zero.baselines import Baseline, classical
from aqc.kernels.autonumerics_zero.cma import evolve_constants
from aqc.kernels.autonumerics_zero.fitting import fit_constants, largest_error
from aqc.kernels.autonumerics_zero.programs import (
    CONSTANTS,
    OPERATIONS,
    Name,
    Program,
    cost,
    expression,
    mutate,
)
from aqc.kernels.autonumerics_zero.targets import COMPLEX, FUNCTIONS, Named, Table, nodes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PARENTS, _CHILDREN = 60, 240
_LEAST = 2  # operations; cheaper programs do not count as cheaper
_FRESH = 10_000
_POLISH_NODES, _POLISH_ROUNDS = 65, 40  # of the last fit


@dataclass(frozen=True)
class Found:
    """A program of the front.

    Args:
        ops: Operations that depend on x.
        error: Largest error at the 65 nodes of the last fit.
        validation_error: Largest error at 10000 other points (a table: at all its points).
        program: Rows (operation, register, register); operations + - * / are 0 to 3, register 0
            is x, 1 to 6 the constants, 7 and on the results.
        constants: Shape (6,).
        expression: The same in writing.
    """

    ops: int
    error: float
    validation_error: float
    program: np.ndarray
    constants: np.ndarray
    expression: str


@dataclass(frozen=True)
class Front:
    """Programs that no other one beats in both operations and error.

    Args:
        front: By operations.
        baselines: Polynomials, rational functions and Padé's (not of tables).
        evaluations: Programs that were fitted.
        generations: Of the search.
    """

    front: tuple[Found, ...]
    baselines: tuple[Baseline, ...]
    evaluations: int
    generations: int


@checked()
def search_programs(
    target: Named | Table,
    max_ops: Annotated[int, Interval(ge=2, le=12)] = 7,
    generations: Annotated[int, Interval(ge=1, le=2000)] = 100,
    operations: Annotated[tuple[Name, ...], Len(1, 4)] = OPERATIONS,
    error: Literal["relative", "absolute"] = "relative",
    selection: Literal["nsga2", "random"] = "nsga2",
    constants: Literal["fitted", "cma", "drawn"] = "fitted",
    n_points: Annotated[int, Interval(ge=8, le=128)] = 33,
    seed: Annotated[int, Interval(ge=0)] = 0,
) -> Front:
    """Search short arithmetic programs that approximate a function.

    E = max_i |f(x_i) / y_i - 1| against the number of operations that depend on x.

    Args:
        target: A named function on an interval, or a table.
        max_ops: Most instructions of a program.
        generations: Of 240 children each.
        operations: That programs may use.
        error: Relative, or absolute.
        selection: NSGA-II, or random parents, as a control.
        constants: Fitted by Levenberg-Marquardt, or by CMA-ES as in the paper, in 10 times the
            time; or left as they are drawn, as a control.
        n_points: Nodes of the fit.
        seed: Of the random numbers.

    Returns:
        The front, and classical approximations to compare with.

    Raises:
        InputError: The interval is empty, the table unusable, or the error undefined.

    Source: arXiv 2312.08472. Ours: one population of 60 instead of many workers, six constants,
    Levenberg-Marquardt with Lawson's weights instead of CMA-ES, unless asked for.

    Example:
        >>> found = search_programs(Named("exp2", 0.0, 1.0), max_ops=3, generations=3)
        >>> bool(found.front[-1].validation_error < 0.05)
        True
    """
    found: Front = drain(
        search_programs_steps(
            target, max_ops, generations, operations, error, selection, constants, n_points, seed
        )
    )
    return found


def search_programs_steps(
    target: Named | Table,
    max_ops: int,
    generations: int,
    operations: tuple[str, ...],
    error: str,
    selection: str,
    constants: str,
    n_points: int,
    seed: int,
    state: Any = None,
) -> Steps:
    """Search programs, reporting after every generation.

    Args:
        target: As for `search_programs`, and so all others.
        max_ops: Most instructions.
        generations: How many.
        operations: Allowed ones.
        error: Relative or absolute.
        selection: NSGA-II or random.
        constants: Fitted, evolved by CMA-ES, or drawn.
        n_points: Nodes.
        seed: Of the random numbers.
        state: What an earlier run yielded.

    Yields:
        (fraction, the population).

    Returns:
        Front.

    Raises:
        InputError: As for `search_programs`.
    """
    x, y, scale = nodes(target, n_points, error)
    codes = tuple(OPERATIONS.index(name) for name in dict.fromkeys(operations))
    if state is None:
        first: Program = ((codes[0], 0, 1),)
        state = {
            "generation": 0,
            "programs": [first],
            "constants": np.zeros((1, CONSTANTS)),
            "errors": largest_error([first], np.zeros((1, CONSTANTS)), x, y, scale),
        }
    while state["generation"] < generations:
        number = state["generation"]
        rng, draws = random.Random(f"{seed} {number}"), np.random.default_rng([seed, number])
        parents = [_as_program(p) for p in state["programs"]]
        owners = [rng.randrange(len(parents)) for _ in range(_CHILDREN)]
        children = [mutate(parents[i], codes, max_ops, rng) for i in owners]
        start = state["constants"][owners] + 0.1 * draws.normal(size=(_CHILDREN, CONSTANTS))
        # Half of the children begin anew.
        start[1::2] = 3 * draws.normal(size=start[1::2].shape)
        if constants == "fitted":
            start, worst = fit_constants(children, start, x, y, scale)
        elif constants == "cma":
            start, worst = evolve_constants(children, start, x, y, scale, [seed, number])
        else:
            worst = largest_error(children, start, x, y, scale)
        everyone = parents + children
        values = np.concatenate([state["constants"], start])
        errors = np.concatenate([state["errors"], worst])
        kept = _select(everyone, errors, selection, rng)
        state = {
            "generation": number + 1,
            "programs": [everyone[i] for i in kept],
            "constants": values[kept],
            "errors": errors[kept],
        }
        yield (number + 1) / generations, state
    return _report(state, target, error, generations, constants == "fitted")


def search_work(
    generations: int, max_ops: int, n_points: int, constants: str, **_: object
) -> float:
    """Return generations x operations x nodes, times 10 for CMA-ES."""
    slower = 10 if constants == "cma" else 1
    return float(slower * generations * (max_ops + 2) * (n_points + 10))


def draw(found: Front) -> "Figure":
    """Return a figure of the front and of what it is compared with."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 4.0), layout="constrained")
    axes = figure.add_subplot()
    rows: list[tuple[str, Any, str]] = [("programs", found.front, "o-")]
    for kind, form, mark in (
        ("polynomial", "horner", "s--"),
        ("rational", "continued fraction", "^:"),
        ("rational", "horner", "v:"),
        ("pade", "continued fraction", "x:"),
    ):
        items = [one for one in found.baselines if (one.kind, one.form) == (kind, form)]
        rows.append((f"{kind}, {form}" if kind == "rational" else kind, items, mark))
    for label, items, mark in rows:
        axes.semilogy(
            [x.ops for x in items], [x.validation_error for x in items], mark, label=label
        )
    axes.set(xlabel="operations", ylabel="largest error")
    axes.legend(fontsize="small")
    return figure


def _as_program(rows: Any) -> Program:
    return tuple((int(code), int(a), int(b)) for code, a, b in rows)


def _select(
    programs: list[Program], errors: np.ndarray, selection: str, rng: random.Random
) -> list[int]:
    """Return the numbers of the survivors; programs alike in cost and error count as one.

    They are mostly the same function in other writings, and would fill the population.
    """
    costs = np.array([cost(program) for program in programs])
    seen, distinct = set(), []
    for i in np.argsort(errors, kind="stable").tolist():
        key = (costs[i], f"{errors[i]:.1e}")
        if np.isfinite(errors[i]) and key not in seen:
            seen.add(key)
            distinct.append(i)
    if not distinct:
        return list(range(min(len(programs), _PARENTS)))
    if selection == "random":
        rng.shuffle(distinct)
        return distinct[:_PARENTS]
    logs = np.log(np.maximum(errors[distinct], 1e-300))
    order = _nsga2_order(np.maximum(costs[distinct], _LEAST), logs)
    return [distinct[i] for i in order[:_PARENTS]]


def _nsga2_order(costs: np.ndarray, logs: np.ndarray) -> list[int]:
    """Return all by non-dominated front, within a front the loneliest first."""
    better = (costs[:, None] <= costs) & (logs[:, None] <= logs)
    beats = better & ((costs[:, None] < costs) | (logs[:, None] < logs))
    left, order = np.ones(len(costs), bool), []
    while left.any():
        front = np.flatnonzero(left & ~beats[left].any(0))
        crowding = np.zeros(len(front))
        for values in (costs[front].astype(float), logs[front]):
            place = np.argsort(values, kind="stable")
            spread = values[place[-1]] - values[place[0]] or 1.0
            crowding[place[[0, -1]]] = np.inf
            crowding[place[1:-1]] += (values[place[2:]] - values[place[:-2]]) / spread
        order += front[np.argsort(-crowding, kind="stable")].tolist()
        left[front] = False
    return order


def _report(state: Any, target: Named | Table, error: str, generations: int, fit: bool) -> Front:
    if isinstance(target, Named):
        x = np.linspace(target.low, target.high, _FRESH)
        y = FUNCTIONS[target.function](x)
    else:
        x, y = target.x, target.y
    check_at = (x, y, np.abs(y) if error == "relative" else np.ones_like(y))
    fit_at = nodes(target, _POLISH_NODES, error)
    programs = [_as_program(p) for p in state["programs"]]
    constants, worst = state["constants"], largest_error(programs, state["constants"], *check_at)
    if fit:
        # Once more, with more nodes and rounds than the search can afford.
        polished, _ = fit_constants(programs, constants, *fit_at, rounds=_POLISH_ROUNDS)
        again = largest_error(programs, polished, *check_at)
        constants = np.where((again < worst)[:, None], polished, constants)
        worst = np.minimum(again, worst)
    errors = largest_error(programs, constants, *fit_at)
    # By what was validated: a pole between two nodes must not win.
    front, least = [], np.inf
    for i in sorted(range(len(programs)), key=lambda i: (cost(programs[i]), worst[i])):
        if worst[i] < least:
            least = float(worst[i])
            front.append(
                Found(
                    ops=cost(programs[i]),
                    error=float(errors[i]),
                    validation_error=least,
                    program=np.array(programs[i]),
                    constants=constants[i],
                    expression=expression(programs[i], constants[i]),
                )
            )
    function = COMPLEX[target.function] if isinstance(target, Named) else None
    baselines = classical(fit_at, check_at, function)
    return Front(tuple(front), baselines, generations * _CHILDREN, generations)
