"""Several times in one job: targets evolve from one another, fits start at the one before.

The target of each time is the one before, evolved further, so that all targets together cost one
long evolution; their errors add up, and each gets its share of the angle that the tolerance allows.
A fit starts at its own start, at the circuit found for the time before, stretched or followed by
product-formula layers, or where the circuits of the last two times lead, whichever has the highest
fidelity. With `ansatz.layers` "auto" the search for the fewest layers begins at those that were
needed before.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aqc.ansatz import Ansatz
from aqc.checks import shown
from aqc.compile import compile_problem
from aqc.errors import InputError
from aqc.inline import as_problem, inline
from aqc.lattice import evolve_state
from aqc.problem import Problem
from aqc.progress import Report
from aqc.result import CompileResult
from aqc.start import continued_in_time, extrapolated
from aqc.target import Target
from aqc.targets import make_target

if TYPE_CHECKING:
    from aqc.hamiltonian import Hamiltonian

_MOST_TIMES = 256


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
    problems = [as_problem(hamiltonian, time, **settings) for time in _checked(times)]
    return compile_series(problems, progress=progress, on_result=on_result)


def problems_of(content: Mapping[str, Any], directory: Path = Path()) -> list[Problem]:
    """Return one problem for each of the `times` of a problem.json.

    Args:
        content: Fields of a problem, with `times` in place of `time`.
        directory: What the names of files are relative to.

    Raises:
        InputError: If the times or a problem are refused.

    Example:
        >>> model = {"model": "xxz_chain", "num_qubits": 6}
        >>> [p.time for p in problems_of({"hamiltonian": model, "times": [0.5, 1]})]
        [0.5, 1.0]
    """
    if "time" in content:
        raise InputError("A problem must have either `time` or `times`, but has both.", "/times")
    rest = {name: value for name, value in content.items() if name != "times"}
    times = _checked(content["times"])
    made = [Problem.from_dict(inline({**rest, "time": time}, directory)) for time in times]
    _check_schedule(made)
    return made


def compile_series(
    problems: Sequence[Problem],
    *,
    progress: Report | None = None,
    on_result: Callable[[CompileResult], None] | None = None,
) -> tuple[CompileResult, ...]:
    """Compile problems that differ in nothing but their rising times, one after another.

    Args:
        problems: From `problems_of`.
        progress: Called with a `Progress` as each compile goes on.
        on_result: Called with each result as soon as it is there.

    Returns:
        One result for each time; fewer after Ctrl-C.
    """
    _check_schedule(problems)
    results: list[CompileResult] = []
    last = problems[-1].time
    for problem in problems:
        before = results[-1] if results else None
        target = _target(problem, before.target if before else None, before, last)
        results.append(
            compile_problem(
                problem,
                progress=progress,
                target=target,
                warm=_warm(problem, results[-2:]),
                least=before.chosen.layers if before else 1,
            )
        )
        if on_result:
            on_result(results[-1])
        if results[-1].status == "interrupted":
            break
    return tuple(results)


def _check_schedule(problems: Sequence[Problem]) -> None:
    if any(problem.schedule for problem in problems):
        raise InputError("`schedule` must go with one `time`, but there are several.", "/schedule")


def _warm(
    problem: Problem, before: Sequence[CompileResult]
) -> Callable[[int], list[tuple[str, Ansatz]]] | None:
    """Return the starts of a number of layers that the last one or two times offer."""
    if not before:
        return None
    times, ansatze = [result.problem.time for result in before], [r.chosen.ansatz for r in before]
    evolution = problem.evolution()
    assert evolution is not None

    def starts(layers: int) -> list[tuple[str, Ansatz]]:
        assert times[-1] is not None
        found = continued_in_time(ansatze[-1], times[-1], *evolution, layers)
        if len(times) > 1 and found:
            assert times[0] is not None
            ratio = (evolution[1] - times[1]) / (times[1] - times[0])
            found.append(extrapolated(*ansatze, ratio).deepened(layers))
        return [("earlier", start) for start in found]

    return starts


def _target(
    problem: Problem, earlier: Target | None, before: CompileResult | None, last: float | None
) -> Target:
    """Return the target of a time, evolved from the one before it; an operator from the start."""
    if problem.mode == "unitary":
        return make_target(problem)
    evolution = problem.evolution()
    assert evolution is not None
    assert last is not None
    hamiltonian, time = evolution
    settings = problem.target
    begun = 0.0 if before is None else before.problem.time
    assert begun is not None
    allowed = np.arcsin(np.sqrt(settings.tolerance))
    share = float(np.sin(allowed * (abs(time / last) if last else 1.0)) ** 2)
    if earlier is None:
        tighter = settings.model_copy(update={"tolerance": share})
        return make_target(problem.model_copy(update={"target": tighter}))
    left = allowed * abs(time / last) - earlier.truncation_angle - earlier.trotter_angle
    made = evolve_state(
        hamiltonian,
        earlier.mps,
        time - begun,
        tolerance=float(np.sin(left) ** 2),
        max_bond=settings.max_bond,
        evolver=settings.evolver,
    )
    return replace(earlier.followed_by(made), key=problem.target_key())


def _checked(times: Any) -> list[float]:
    """Return times that rise in size and have one sign."""
    numbers = isinstance(times, list | tuple | np.ndarray) and all(
        isinstance(t, int | float) and not isinstance(t, bool) and np.isfinite(t) for t in times
    )
    if not numbers or not 1 <= len(times) <= _MOST_TIMES:
        raise InputError(
            f"`times` must be a list of 1 to {_MOST_TIMES} numbers, but is {shown(times)}.",
            "/times",
        )
    found = [float(time) for time in times]
    sizes = np.abs(found)
    if np.any(sizes == 0) or np.any(np.diff(sizes) <= 0) or abs(sum(np.sign(found))) < len(found):
        raise InputError(
            f"`times` must grow from one to the next and have one sign, none of them 0, but are "
            f"{shown(times)}.",
            "/times",
        )
    return found
