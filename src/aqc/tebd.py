"""Time evolution of a matrix product state by a fourth-order product formula (native evolver)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from aqc.errors import TruncationError
from aqc.hamiltonian import Hamiltonian
from aqc.mps import MPS, Sweep, as_mps
from aqc.trotter import Layer, evolution_layers


@dataclass(frozen=True, eq=False)
class Evolution:
    """A state after layers of gates, with what truncation took.

    Attributes:
        mps: The state, normalized.
        angle: Bound, in radians, on the angle to the state without truncation.
        weight: Sum of all squared weights cut off.
    """

    mps: MPS
    angle: float
    weight: float


def apply_layers(
    state: np.ndarray | MPS,
    layers: list[Layer],
    *,
    angle: float,
    max_bond: int,
    limit: float = np.inf,
    progress: Callable[[float], None] | None = None,
) -> Evolution:
    """Apply layers of two-qubit gates to a state and truncate within a budget.

    What early layers leave of the budget goes to the later ones, where entanglement is.

    Args:
        state: One-qubit states, shape (n, 2), or an MPS with its center on site 0.
        layers: In the order in which they act.
        angle: How far truncation may turn the state in total, in radians.
        max_bond: Largest bond dimension; where it forces more truncation, `angle` is exceeded.
        limit: The angle at which to give up.
        progress: Called with the fraction done after each layer.

    Raises:
        TruncationError: As soon as truncation exceeds `limit`.
    """
    sweep = Sweep(as_mps(state))
    for done, layer in enumerate(layers):
        if layer.first_bond is None:
            sweep.rotate(layer.gates)
            continue
        share = max(angle - sweep.angle, 0.0) / (len(layers) - done)
        sweep.apply(layer.first_bond, layer.gates, share, max_bond)
        refuse_beyond(limit, sweep.angle, sweep.state.max_bond, max_bond, done / len(layers))
        if progress:
            progress((done + 1) / len(layers))
    return Evolution(sweep.state, sweep.angle, sweep.weight)


def refuse_beyond(limit: float, angle: float, chi: int, max_bond: int, fraction: float) -> None:
    """Raise TruncationError if truncation has turned the state by more than `limit` radians."""
    if angle <= limit:
        return
    allowed, lost = (float(np.sin(min(a, np.pi / 2)) ** 2) for a in (limit, angle))
    if chi < max_bond:
        raise TruncationError(
            f"`target.tolerance` must leave room for the rounding of double precision, which "
            f"costs up to {lost:.1e} of the {allowed:.1e} after {100 * fraction:.0f} % of the "
            f"evolution; raise `target.tolerance`."
        )
    raise TruncationError(
        f"A bond dimension of {max_bond} must hold the state within an infidelity of "
        f"{allowed:.1e}, but after {100 * fraction:.0f} % of the evolution the bound on what "
        f"truncation took is already {lost:.1e}; raise `target.max_bond`, raise "
        f"`target.tolerance`, or evolve for a shorter time."
    )


def evolve(
    hamiltonian: Hamiltonian,
    state: np.ndarray | MPS,
    time: float,
    *,
    steps: int,
    angle: float,
    max_bond: int,
    limit: float = np.inf,
    progress: Callable[[float], None] | None = None,
) -> Evolution:
    """Return exp(-iHt) applied to a state, by `steps` steps of a fourth-order formula.

    Args:
        hamiltonian: A chain.
        state: One-qubit states, shape (n, 2), or an MPS with its center on site 0.
        time: t, in units of 1/energy.
        steps: Number of steps.
        angle: How far truncation may turn the state in total, in radians.
        max_bond: Largest bond dimension; where it forces more truncation, `angle` is exceeded.
        limit: The angle at which to give up.
        progress: Called with the fraction done.

    Raises:
        TruncationError: As soon as truncation exceeds `limit`.

    Example:
        >>> chain = Hamiltonian.from_terms(3, [("XX", (0, 1), 1.0), ("Z", (2,), 0.5)])
        >>> zeros = np.tile([1.0, 0.0], (3, 1))
        >>> evolve(chain, zeros, 0.3, steps=1, angle=1e-6, max_bond=4).mps.max_bond
        2
    """
    layers = evolution_layers(hamiltonian, time, steps)
    return apply_layers(
        state, layers, angle=angle, max_bond=max_bond, limit=limit, progress=progress
    )
