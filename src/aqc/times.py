"""Several times in one problem.json: read, written, and what they will need together."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from aqc.checks import shown
from aqc.errors import InputError
from aqc.estimate import Estimate, estimate, starting_seconds
from aqc.problem import Problem

MOST_TIMES = 256
# Of more times so many are estimated, and the seconds of those between are interpolated: a forecast
# takes a tenth of a second.
_MOST_ESTIMATED = 4


def read_problems(content: Mapping[str, Any]) -> tuple[Problem, ...]:
    """Return one problem for each of the `times` of a problem.json, or the one of its `time`.

    Args:
        content: Fields of a problem; what they name is written into them (`aqc.inline`).

    Raises:
        InputError: If the times or the problem are refused.

    Example:
        >>> model = {"model": "xxz_chain", "num_qubits": 6}
        >>> [p.time for p in read_problems({"hamiltonian": model, "times": [0.5, 1]})]
        [0.5, 1.0]
        >>> [p.time for p in read_problems({"hamiltonian": model, "time": 0.5})]
        [0.5]
    """
    if "times" not in content:
        return (Problem.from_dict(content),)
    if "time" in content:
        raise InputError("A problem must have either `time` or `times`, but has both.", "/times")
    rest = {name: value for name, value in content.items() if name != "times"}
    times = checked_times(content["times"])
    return at_times(Problem.from_dict({**rest, "time": times[0]}), times)


def at_times(problem: Problem, times: Sequence[float]) -> tuple[Problem, ...]:
    """Return a problem at other times than its own.

    Args:
        problem: Anything that takes a `time`.
        times: From `checked_times`.

    Raises:
        InputError: If the problem does not go with several times.
    """
    check_series([problem])
    # Nothing in a problem depends on how long its time is, so it need not be checked again.
    return tuple(problem.model_copy(update={"time": time}) for time in times)


def check_series(problems: Sequence[Problem]) -> None:
    """Refuse problems that cannot go on from one another.

    Raises:
        InputError: They have a schedule.
    """
    if any(problem.schedule for problem in problems):
        raise InputError("`schedule` must go with one `time`, but there are several.", "/schedule")


def checked_times(times: Any) -> list[float]:
    """Return times that rise in size and have one sign.

    Raises:
        InputError: They do not.
    """
    numbers = isinstance(times, list | tuple | np.ndarray) and all(
        isinstance(t, int | float) and not isinstance(t, bool) and abs(t) <= sys.float_info.max
        for t in times
    )
    if not numbers or not 1 <= len(times) <= MOST_TIMES:
        raise InputError(
            f"`times` must be a list of 1 to {MOST_TIMES} numbers, but is {shown(times)}.",
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


def to_dict(problems: Sequence[Problem]) -> dict[str, Any]:
    """Return problems that differ in their times alone as the problem.json that asks for them.

    Example:
        >>> model = {"model": "xxz_chain", "num_qubits": 6}
        >>> asked = read_problems({"hamiltonian": model, "times": [0.5, 1.0]})
        >>> read_problems(to_dict(asked)) == asked
        True
    """
    fields = problems[0].to_dict()
    del fields["time"]
    return {**fields, "times": [problem.time for problem in problems]}


def to_json(problems: Sequence[Problem]) -> str:
    """Return the same as JSON text."""
    return json.dumps(to_dict(problems))


def estimate_times(problems: Sequence[Problem]) -> Estimate:
    """Return what problems at several times will need, one after another in one process.

    The memory is that of the most demanding time, with the target of the time before beside it;
    the seconds are those of all times, each target evolved from time 0 (which is more than is
    done).

    Raises:
        InputError: If a time is too long to be resolved.

    Example:
        >>> model = {"model": "xxz_chain", "num_qubits": 20}
        >>> asked = read_problems({"hamiltonian": model, "times": [0.5, 1.0]})
        >>> both, last = estimate_times(asked), estimate(asked[1])
        >>> both.seconds > last.seconds, both.memory_bytes > last.memory_bytes
        (True, True)
    """
    if len(problems) == 1:
        return estimate(problems[0])
    count = len(problems)
    places = sorted({round(x) for x in np.linspace(0, count - 1, min(count, _MOST_ESTIMATED))})
    told = [estimate(problems[place]) for place in places]
    seconds = np.interp(range(count), places, [one.seconds for one in told]).sum()
    seconds -= (count - 1) * starting_seconds()
    most = max(told, key=lambda one: one.memory_bytes)
    bond = max(one.bond_dimension for one in told)
    # The legs of each tensor: two bonds, and that of a qubit, or of one and its reference.
    earlier = 16 * math.prod((bond, bond, 4 if problems[0].mode == "unitary" else 2))
    return replace(
        most,
        bond_dimension=bond,
        memory_bytes=most.memory_bytes + earlier * problems[0].num_qubits,
        seconds=round(float(seconds), 1),
    )
