"""A trained network on its own."""

from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Interval
from jaxtyping import Float

from aqc.errors import InputError
from aqc.kernels._signature import checked
from aqc.kernels.generalized_teacher_forcing._network import (
    Network,
    check_network,
    lyapunov_exponent,
    run_alone,
)


class FreeRun(NamedTuple):
    """Where a network goes.

    Attributes:
        states: After each step, (steps, N), in the network's (standardized) units.
        lyapunov: Largest exponent along them, per step.
    """

    states: np.ndarray
    lyapunov: float


@checked(n=(1, 16), h=(1, 512))
def run_freely(
    network: Network,
    start: Float[np.ndarray, "n"],
    steps: Annotated[int, Interval(ge=1, le=20_000)] = 1000,
) -> FreeRun:
    """Run a network without forcing.

        z_{t+1} = A z_t + W1 [relu(W2 z_t + h2) - relu(W2 z_t)] + h1

    Args:
        network: As `train_forced` returns it.
        start: z_0, (N,), standardized as the training series was.
        steps: How many.

    Returns:
        The states and the largest Lyapunov exponent.

    Raises:
        InputError: Weights or start are huge, or the run leaves every range.

    Source:
        arXiv:2306.04406.

    Example:
        >>> from aqc.kernels.generalized_teacher_forcing import Network
        >>> one, none = np.ones(1), np.zeros((1, 1))
        >>> halving = Network(one / 2, none, none, 0 * one, 0 * one)
        >>> run_freely(halving, one, steps=3).states.ravel().tolist()
        [0.5, 0.25, 0.125]
    """
    check_network(network)
    if np.abs(start).max() > 1e6:
        raise InputError(
            f"`start` must be at most 1e6 in size, but reaches {np.abs(start).max():g}.", "/start"
        )
    states = run_alone(network, start, steps)
    if not (np.abs(states) < 1e100).all():  # NaN included
        raise InputError(
            f"`network` must stay bounded on its own, but leaves every range within {steps} steps.",
            "/network",
        )
    return FreeRun(states, lyapunov_exponent(network, states))
