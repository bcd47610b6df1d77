"""What a job will need, before it is accepted."""

from aqc.errors import InputError
from aqc.estimate import check_memory, forecast_memory
from aqc.evolved import check_phases
from aqc.problem import Problem


def check_fits(problem: Problem, service_gb: float) -> int:
    """Return the bytes that a problem is predicted to need; refuse what is too much.

    Args:
        problem: What was submitted.
        service_gb: Gigabytes that the service allows a job.

    Raises:
        InputError: More than the problem's own limit or the service's; or a time too long.
    """
    evolution = problem.evolution()
    if evolution is not None:
        check_phases(*evolution)
    if problem.limits.memory_gb <= service_gb:
        return check_memory(problem)
    limits = problem.limits.model_copy(update={"memory_gb": service_gb})
    try:
        return check_memory(problem.model_copy(update={"limits": limits}))
    except InputError as error:
        raise InputError(
            f"{error} This service allows a job at most {service_gb:g} GB.", error.pointer
        ) from None


def estimate(problem: Problem, service_gb: float) -> tuple[int, int, int]:
    """Return bond dimension, bytes predicted, and bytes allowed.

    Args:
        problem: What was submitted.
        service_gb: Gigabytes that the service allows a job.
    """
    predicted, bond = forecast_memory(problem)
    return bond, predicted, int(min(problem.limits.memory_gb, service_gb) * 1e9)
