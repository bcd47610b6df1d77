"""What a job will need, before it is accepted."""

import math
from collections.abc import Sequence

from aqc.errors import InputError
from aqc.estimate import Estimate
from aqc.problem import Problem
from aqc.times import estimate_times

_COMPLEX_BYTES = 16


def check_fits(problems: Sequence[Problem], service_gb: float) -> int:
    """Return the bytes that a job is predicted to need; refuse what is too much.

    Args:
        problems: What was submitted, one for each time.
        service_gb: Gigabytes that the service allows a job.

    Raises:
        InputError: More than the problem's own limit or the service's; or a time too long.
    """
    problem = problems[-1]
    check_unpacked(problem, service_gb)
    # Memory grows with the time; the time before the last leaves its target beside it.
    told = estimate_within(problems[-2:], service_gb)
    try:
        told.check()
    except InputError as error:
        if problem.limits.memory_gb <= service_gb:
            raise
        raise InputError(
            f"{error} This service allows a job at most {service_gb:g} GB.", error.pointer
        ) from None
    return told.memory_bytes


def check_unpacked(problem: Problem, service_gb: float) -> None:
    """Refuse a state that could not even be unpacked, however little it is as an archive.

    Raises:
        InputError: Its tensors are larger than the memory of the job.
    """
    state = problem.target.state
    if state is None:
        return
    size = sum(_COMPLEX_BYTES * math.prod(shape) for shape in state.shapes)
    limit = min(service_gb, problem.limits.memory_gb)
    if size > 1e9 * limit:
        raise InputError(
            f"`target.state` must fit into the {limit:g} GB of the job, but its tensors have "
            f"{size / 1e9:.3g} GB.",
            "/target/state/npz",
        )


def estimate_within(problems: Sequence[Problem], service_gb: float) -> Estimate:
    """Return what a job will need where the service's limit holds too.

    Args:
        problems: What was submitted, one for each time.
        service_gb: Gigabytes that the service allows a job.

    Raises:
        InputError: If the time is too long to be resolved.
    """
    return estimate_times([problem.within_memory(service_gb) for problem in problems])
