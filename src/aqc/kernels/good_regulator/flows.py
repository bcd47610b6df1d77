"""Learning by the natural and the plain gradient, each in two charts."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, Interval, Le
from jaxtyping import Float
from scipy.integrate import solve_ivp
from scipy.special import softmax

from aqc.errors import DivergenceError, InputError
from aqc.kernels._signature import checked
from aqc.kernels.good_regulator.observers import (
    Family,
    Ising,
    check_positive,
    moments,
    statistics_of,
)


@dataclass(frozen=True)
class Flows:
    """Learning from one distribution to another, in two charts of the same family.

    Args:
        times: Shape (n,).
        natural_theta: Mean parameters under the natural gradient in theta, shape (n, m).
        natural_phi: The same in phi = sinh(theta).
        plain_theta: Under the plain gradient in theta.
        plain_phi: The same in phi.
        natural_difference: Largest difference of any state's probability between the charts.
        plain_difference: The same for the plain gradient.
    """

    times: np.ndarray
    natural_theta: np.ndarray
    natural_phi: np.ndarray
    plain_theta: np.ndarray
    plain_phi: np.ndarray
    natural_difference: float
    plain_difference: float


@checked()
def compare_flows(
    observer: Ising | Family,
    target: Float[np.ndarray, " parameters"],
    time: Annotated[float, Gt(0), Le(20)] = 4.0,
    n_times: Annotated[int, Interval(ge=2, le=1000)] = 41,
) -> Flows:
    """Learn a target by the natural and by the plain gradient, each in two charts.

    theta' = -F^-1 grad KL(p* || p), under which E[T] = m* + (m_0 - m*) e^-t, and theta' = -grad KL.

    Args:
        observer: Where learning starts.
        target: Natural parameters of the distribution to learn.
        time: Length of the flow.
        n_times: Points of the paths, both ends included.

    Returns:
        Paths of the mean parameters, and how much the charts disagree.

    Raises:
        InputError: The target has another number of parameters, or some are redundant.
        DivergenceError: A flow cannot be followed to its end.

    Source: arXiv 2603.09067 with Amari's uniqueness theorem: of these two gradients only the
    natural one does not depend on the chart. The second chart, phi = sinh(theta), is our choice.

    Example:
        >>> start = Family([[1.0], [-1.0]], [0.2])
        >>> flows = compare_flows(start, [1.0], time=1.0)
        >>> flows.natural_difference < 1e-8 < flows.plain_difference
        True
    """
    statistics, theta = statistics_of(observer)
    if len(target) != len(theta):
        raise InputError(
            f"`target` must have {len(theta)} entries, as the observer has parameters, but has "
            f"{len(target)}.",
            "/target",
        )
    check_positive(np.linalg.eigvalsh(moments(statistics, theta)[0]))
    goal = softmax(statistics @ target) @ statistics
    times = np.linspace(0, time, n_times)

    def follow(natural: bool, curved: bool) -> np.ndarray:
        def velocity(_: float, x: np.ndarray) -> np.ndarray:
            point = np.arcsinh(x) if curved else x
            jacobian = 1 / np.sqrt(1 + x**2) if curved else np.ones_like(x)
            fisher, means = moments(statistics, point)
            slope = jacobian * (means - goal)
            if not natural:
                return -slope
            step: np.ndarray = np.linalg.solve(jacobian[:, None] * fisher * jacobian, slope)
            return -step

        start = np.sinh(theta) if curved else theta
        found = solve_ivp(
            velocity, (0, time), start, "DOP853", t_eval=times, rtol=1e-11, atol=1e-12
        )
        if not found.success:
            raise DivergenceError(f"The flow cannot be followed: {found.message}")
        path = np.arcsinh(found.y.T) if curved else found.y.T
        law: np.ndarray = softmax(path @ statistics.T, axis=1)
        return law

    laws = {(n, c): follow(n, c) for n in (True, False) for c in (False, True)}
    return Flows(
        times=times,
        natural_theta=laws[True, False] @ statistics,
        natural_phi=laws[True, True] @ statistics,
        plain_theta=laws[False, False] @ statistics,
        plain_phi=laws[False, True] @ statistics,
        natural_difference=float(np.abs(laws[True, False] - laws[True, True]).max()),
        plain_difference=float(np.abs(laws[False, False] - laws[False, True]).max()),
    )


def flow_work(observer: Ising | Family, target: np.ndarray, time: float, n_times: int) -> float:
    """Return states x parameters squared x evaluations.

    The plain gradient's rates are at most max |T|^2, and an explicit method needs some steps for
    each unit of rate x time.
    """
    if isinstance(observer, Ising):
        states, parameters = 2**observer.n_vertices, len(observer.edges)
        rate = float(parameters)
    else:
        states, parameters = observer.statistics.shape
        rate = float((observer.statistics**2).sum(1).max())
    return states * parameters**2 * (100 + 10 * rate * time)
