"""What a job will need, before it is accepted."""

from aqc.errors import InputError
from aqc.estimate import Estimate, estimate
from aqc.problem import Problem


def check_fits(problem: Problem, service_gb: float) -> int:
    """Return the bytes that a problem is predicted to need; refuse what is too much.

    Args:
        problem: What was submitted.
        service_gb: Gigabytes that the service allows a job.

    Raises:
        InputError: More than the problem's own limit or the service's; or a time too long.
    """
    told = estimate_within(problem, service_gb)
    try:
        told.check()
    except InputError as error:
        if problem.limits.memory_gb <= service_gb:
            raise
        raise InputError(
            f"{error} This service allows a job at most {service_gb:g} GB.", error.pointer
        ) from None
    return told.memory_bytes


def estimate_within(problem: Problem, service_gb: float) -> Estimate:
    """Return what a problem will need where the service's limit holds too.

    Args:
        problem: What was submitted.
        service_gb: Gigabytes that the service allows a job.

    Raises:
        InputError: If the time is too long to be resolved.
    """
    return estimate(problem.within_memory(service_gb))
