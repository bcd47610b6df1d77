"""Thermalization by a swap with one of two baths, chosen by a control in superposition."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex

from aqc.errors import InputError
from aqc.kernels._signature import checked

_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Thermalized:
    """The system and its control after the swap.

    Args:
        blocks: <i| state |j> of the control, shape (2, 2, d, d).
        probability_plus: Of finding the control in |+>.
        probability_minus: Of finding the control in |->.
        rho_plus: State of the system then, shape (d, d).
        rho_minus: The same for |->; None where that never happens.
        distance_plus: Trace distance of rho_plus to the mixture of the baths' states.
        distance_minus: The same for rho_minus.
    """

    blocks: np.ndarray
    probability_plus: float
    probability_minus: float
    rho_plus: np.ndarray
    rho_minus: np.ndarray | None
    distance_plus: float
    distance_minus: float | None


@checked(d=(1, 64))
def thermalize_controlled(
    rho: Complex[np.ndarray, "d d"],
    tau1: Complex[np.ndarray, "d d"],
    tau2: Complex[np.ndarray, "d d"] | None = None,
) -> Thermalized:
    """Swap a system with bath 1 or 2, as a control in |+> says, and measure the control.

    The system's state with the control is [[tau1, X], [X^dag, tau2]] / 2 with X = tau1 rho tau2
    for two baths, and X = tau1 for one that both branches share: only then is the outcome thermal.

    Args:
        rho: State of the system, (d, d).
        tau1: State of bath 1.
        tau2: State of bath 2; bath 1 serves both branches when not given.

    Returns:
        The joint state, and what each outcome of the control leaves.

    Raises:
        InputError: A matrix is no density matrix.

    Source:
        arXiv:2307.02593; the block's formula is derived here.

    Example:
        >>> cold, rho = np.diag([0.9, 0.1]), np.diag([0.0, 1.0])
        >>> round(thermalize_controlled(rho, cold, cold).probability_plus, 3)
        0.505
    """
    for name, state in (("rho", rho), ("tau1", tau1), ("tau2", tau2)):
        if state is not None:
            _check_state(name, state)
    other = tau1 if tau2 is None else tau2
    cross = tau1 if tau2 is None else tau1 @ rho @ tau2
    blocks = np.array([[tau1, cross], [cross.conj().T, other]]) / 2
    mixture = (tau1 + other) / 2
    plus, minus = ((mixture + sign * (cross + cross.conj().T) / 2) / 2 for sign in (1, -1))
    # Re tr(tau1 rho tau2) >= -1/8: plus always happens.
    chance_plus, rho_plus, distance_plus = _outcome(plus, mixture)
    if np.trace(minus).real > _TOLERANCE:
        chance_minus, rho_minus, distance_minus = _outcome(minus, mixture)
        return Thermalized(
            blocks, chance_plus, chance_minus, rho_plus, rho_minus, distance_plus, distance_minus
        )
    return Thermalized(blocks, chance_plus, 0.0, rho_plus, None, distance_plus, None)


def _outcome(state: np.ndarray, mixture: np.ndarray) -> tuple[float, np.ndarray, float]:
    """Return the probability, the state, and its trace distance to the mixture."""
    chance = float(np.trace(state).real)
    distance = np.abs(np.linalg.eigvalsh(state / chance - mixture)).sum() / 2
    return chance, state / chance, float(distance)


def _check_state(name: str, state: np.ndarray) -> None:
    def refuse(must: str, seen: str) -> InputError:
        return InputError(f"`{name}` must {must}, but {seen}.", f"/{name}")

    skew = float(np.abs(state - state.conj().T).max())
    if skew > _TOLERANCE:
        raise refuse("be Hermitian", f"differs from its adjoint by {skew:.3g}")
    trace = float(np.trace(state).real)
    if abs(trace - 1) > _TOLERANCE:
        raise refuse("have trace 1", f"its trace is {trace:.12g}")
    least = float(np.linalg.eigvalsh(state)[0])
    if least < -_TOLERANCE:
        raise refuse("be positive semidefinite", f"has the eigenvalue {least:.3g}")
