"""What the arguments of a call are as the JSON that the service takes."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aqc.errors import InputError


def encode(content: Any) -> bytes:
    """Return JSON; arrays and numbers of NumPy are as good as Python's.

    Raises:
        InputError: If the content is none that JSON can hold.
    """
    return json.dumps(content, default=_plain).encode()


def as_content(
    problem: Any,
    time: float | None,
    settings: dict[str, Any],
    times: Sequence[float] | None = None,
) -> dict[str, Any]:
    """Return what problem.json holds for the arguments of `submit`."""
    from aqc.inline import as_problem, inline
    from aqc.problem import Problem
    from aqc.times import at_times, checked_times, to_dict

    if times is not None:
        if time is not None:
            raise InputError("A problem must have either `time` or `times`, but has both.")
        found = checked_times(times)
        content = as_content(problem, found[0], settings)
        return to_dict(at_times(Problem.from_dict(content), found))
    if isinstance(problem, Mapping) and ("hamiltonian" in problem or "target" in problem):
        return inline({**problem, **({} if time is None else {"time": time}), **settings})

    if not isinstance(problem, Problem):
        return as_problem(problem, time, **settings).to_dict()
    if time is not None or settings:
        raise InputError("A Problem says all itself: give no time and no settings beside it.")
    return problem.to_dict()


def as_template(
    problem: Any, time: float | None, axes: Mapping[str, Sequence[Any]], settings: dict[str, Any]
) -> dict[str, Any]:
    """Return the template of a sweep; what an axis sets may be missing in it."""
    if isinstance(problem, Mapping):
        is_problem = "hamiltonian" in problem or "target" in problem
        return as_content(problem if is_problem else {"hamiltonian": problem}, time, settings)
    # A Problem and a gate have a time of their own.
    if time is None and "/time" in axes and getattr(problem, "time", None) is None:
        time = axes["/time"][0]
    return as_content(problem, time, settings)


def _plain(value: Any) -> Any:
    """Return an array or scalar of NumPy as JSON has it."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise InputError(f"A problem must hold what JSON can, but holds {value!r}.")
