"""Time evolution of a matrix product state by a fourth-order product formula (native evolver)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from aqc.errors import TruncationError
from aqc.hamiltonian import Hamiltonian
from aqc.mps import MPS, Sweep
from aqc.trotter import Layer, brick_layers


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
    state: np.ndarray,
    layers: list[Layer],
    angle: float,
    max_bond: int,
    progress: Callable[[float], None] | None = None,
) -> Evolution:
    """Apply layers of two-qubit gates to a product state and truncate within a budget.

    What early layers leave of the budget goes to the later ones, where entanglement is.

    Args:
        state: One-qubit states, shape (n, 2).
        layers: In the order in which they act.
        angle: How far truncation may turn the state in total, in radians.
        max_bond: Largest bond dimension.
        progress: Called with the fraction done after each layer.

    Returns:
        The evolved state; its `angle` exceeds the budget only where `max_bond` forced it to.
    """
    sweep = Sweep(MPS.product(state))
    for done, layer in enumerate(layers):
        share = max(angle - sweep.angle, 0.0) / (len(layers) - done)
        sweep.apply(layer.first_bond, layer.gates, share, max_bond)
        if progress:
            progress((done + 1) / len(layers))
    return Evolution(sweep.state, sweep.angle, sweep.weight)


def evolve(
    hamiltonian: Hamiltonian,
    state: np.ndarray,
    time: float,
    *,
    steps: int,
    angle: float,
    max_bond: int,
    order: int = 4,
    progress: Callable[[float], None] | None = None,
) -> Evolution:
    """Return exp(-iHt) applied to a product state, by `steps` product-formula steps.

    Args:
        hamiltonian: A chain.
        state: One-qubit states, shape (n, 2).
        time: t, in units of 1/energy.
        steps: Number of steps.
        angle: How far truncation may turn the state in total, in radians.
        max_bond: Largest bond dimension.
        order: Order of the product formula: 1, 2 or 4.
        progress: Called with the fraction done.

    Raises:
        TruncationError: If `max_bond` cannot hold the state within `angle`.

    Example:
        >>> chain = Hamiltonian.from_terms(3, [("XX", (0, 1), 1.0), ("Z", (2,), 0.5)])
        >>> zeros = np.tile([1.0, 0.0], (3, 1))
        >>> evolve(chain, zeros, 0.3, steps=1, angle=1e-6, max_bond=4).mps.max_bond
        2
    """
    layers = brick_layers(hamiltonian, time, steps, order)
    evolved = apply_layers(state, layers, angle, max_bond, progress)
    if evolved.angle > 1.5 * angle and evolved.mps.max_bond >= max_bond:
        raise TruncationError(
            f"`max_bond` = {max_bond} must hold the evolved state within a truncation error of "
            f"{np.sin(min(angle, 1.57)) ** 2:.1e}, but that of this evolution is bounded only by "
            f"{np.sin(min(evolved.angle, 1.57)) ** 2:.1e}; raise `max_bond`, loosen the target's "
            f"tolerance, or evolve for a shorter time."
        )
    return evolved
