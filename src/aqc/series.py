"""Several times in one job: targets evolve from one another, fits start at the one before.

The target of each time is the one before, evolved further, so that all targets together cost one
long evolution; their errors add up, and each gets its share of the angle that the tolerance allows.
A fit starts at its own start, at the circuit found for the time before, as a longer schedule or
followed by product-formula layers, or where the circuits of the last two times lead, whichever has
the highest fidelity. With `ansatz.layers` "auto" the search for the fewest layers begins at those
that were needed before.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from aqc.checkpoint import Checkpoints
from aqc.compile import compile_problem
from aqc.inline import as_problem
from aqc.lattice import evolve_state
from aqc.problem import Problem
from aqc.progress import Progress, Report
from aqc.reached import Reached
from aqc.result import CompileResult
from aqc.target import Target
from aqc.targets import make_target
from aqc.times import at_times, check_series, checked_times

if TYPE_CHECKING:
    from aqc.hamiltonian import Hamiltonian


def compile_times(
    hamiltonian: "Hamiltonian | dict[str, Any]",
    times: Sequence[float],
    *,
    progress: Report | None = None,
    on_result: Callable[[CompileResult], None] | None = None,
    **settings: Any,
) -> tuple[CompileResult, ...]:
    """Return shallow circuits that prepare exp(-iHt)|psi_0> for several times t.

    Args:
        hamiltonian: A chain or lattice, as for `compile_evolution`.
        times: Rising times of one sign, in units of 1/energy.
        progress: Called with a `Progress` as each compile goes on.
        on_result: Called with each result as soon as it is there.
        **settings: The other fields of problem.json, for all times.

    Returns:
        One result for each time; after Ctrl-C the last one is that of the time it came in.

    Raises:
        InputError: If the problem or the times are refused.
        TruncationError: If a target cannot keep its tolerance.

    Example:
        >>> model = {"model": "xxz_chain", "num_qubits": 6, "delta": 0.5}
        >>> one, two = compile_times(
        ...     model, [0.3, 0.4], initial_state="neel", ansatz={"layers": 3}
        ... )
        >>> one.problem.time, two.problem.time, two.certificate.infidelity < 0.01
        (0.3, 0.4, True)
    """
    found = checked_times(times)
    problems = at_times(as_problem(hamiltonian, found[0], **settings), found)
    return compile_series(problems, progress=progress, on_result=on_result)


def compile_series(
    problems: Sequence[Problem],
    *,
    progress: Report | None = None,
    on_result: Callable[[CompileResult], None] | None = None,
) -> tuple[CompileResult, ...]:
    """Compile problems that differ in nothing but their rising times, one after another.

    Args:
        problems: From `aqc.times.read_problems`.
        progress: Called with a `Progress` as each compile goes on.
        on_result: Called with each result as soon as it is there.

    Returns:
        One result for each time; fewer after Ctrl-C.
    """
    results: list[CompileResult] = []
    for result, _ in compile_each(problems, progress=progress):
        results.append(result)
        if on_result:
            on_result(result)
    return tuple(results)


def compile_each(
    problems: Sequence[Problem],
    *,
    progress: Report | None = None,
    keep: Callable[[int], Checkpoints] | None = None,
    before: Reached | None = None,
) -> Iterator[tuple[CompileResult, Reached]]:
    """Compile problems that differ in nothing but their rising times, each when it is asked for.

    Args:
        problems: All of them, also those that are done.
        progress: Called with a `Progress` as each compile goes on.
        keep: Returns where the work of a time is kept, by its number from 1 on.
        before: How far an earlier process came.

    Yields:
        Each result, and how far the series has come with it; nothing more after Ctrl-C.
    """
    check_series(problems)
    for number, problem in enumerate(problems, 1):
        if before and number <= before.count:
            continue
        spent = before.evaluations if before else 0
        result = compile_problem(
            problem,
            progress=progress and _numbered(progress, problems, number, spent),
            checkpoint=keep and keep(number),
            target=partial(_target, problem, before, problems[-1].time),
            warm=before.starts(problem) if before else None,
            least=before.ansatz.layers if before else 1,
            expected=before.expected(problem) if before else None,
        )
        before = Reached.by(number, result, before)
        yield result, before
        if result.status == "interrupted":
            return


def _numbered(report: Report, problems: Sequence[Problem], number: int, spent: int) -> Report:
    """Return a report that says which time it is, and counts evaluations from the first one on."""
    time, count = problems[number - 1].time, len(problems)

    def told(event: Progress) -> None:
        total = spent + event.evaluations
        report(replace(event, evaluations=total, time=time, time_number=number, time_count=count))

    return told


def _target(
    problem: Problem,
    before: Reached | None,
    last: float | None,
    progress: Callable[[float], None],
) -> Target:
    """Return the target of a time, evolved from the one before it; an operator from the start."""
    if problem.mode == "unitary":
        return make_target(problem, progress)
    evolution = problem.evolution()
    assert evolution is not None
    assert last is not None
    hamiltonian, time = evolution
    settings = problem.target
    allowed = np.arcsin(np.sqrt(settings.tolerance))
    share = float(np.sin(allowed * (abs(time / last) if last else 1.0)) ** 2)
    if before is None:
        tighter = settings.model_copy(update={"tolerance": share})
        return make_target(problem.model_copy(update={"target": tighter}), progress)
    earlier = before.target
    left = allowed * abs(time / last) - earlier.truncation_angle - earlier.trotter_angle
    made = evolve_state(
        hamiltonian,
        earlier.mps,
        time - before.time,
        tolerance=float(np.sin(left) ** 2),
        max_bond=settings.max_bond,
        evolver=settings.evolver,
        progress=progress,
    )
    return replace(earlier.followed_by(made), key=problem.target_key())
