"""Dynamical phase diagrams: one ring after the other over a grid of coupling and randomness."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Interval
from jaxtyping import Float

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._signature import checked
from aqc.kernels.oscillator_chain_kpz._roughening import (
    Coupling,
    Duration,
    Realizations,
    Roughening,
    Seed,
    TimeStep,
    grow_roughness_steps,
)

_EXPONENTS = {
    "noise": {"Edwards-Wilkinson": 1 / 4, "Kardar-Parisi-Zhang": 1 / 3, "random deposition": 1 / 2},
    "columnar": {
        "columnar Edwards-Wilkinson": 3 / 4,
        "columnar Kardar-Parisi-Zhang": 0.79,
        "linear growth": 1.0,
    },
}


@dataclass(frozen=True)
class Diagram:
    """A quantity for each pair, shape (deltas, strengths).

    Args:
        delta: Shape (deltas,).
        strength: Shape (strengths,).
        beta: Growth exponent between T / 10 and T.
        width: W(T).
        locked: Part of the rings that lock.
        slip_rate: Phase slips for each site and unit of time.
        g: lambda^2 D / nu^3; 0 without noise.
        verdict: "synchronized" or "desynchronized", by what was measured.
        nearest: Growth class whose exponent is nearest to beta; no more than that where they are
            near each other or the crossover is slow. "none" where the ring is desynchronized by
            slips.
    """

    delta: np.ndarray
    strength: np.ndarray
    beta: np.ndarray
    width: np.ndarray
    locked: np.ndarray
    slip_rate: np.ndarray
    g: np.ndarray
    verdict: np.ndarray
    nearest: np.ndarray


def map_synchronization_steps(
    deltas: np.ndarray,
    strengths: np.ndarray,
    randomness: str,
    size: int,
    t_final: float,
    K: float = 1.0,
    n_realizations: int = 8,
    dt: float = 0.1,
    seed: int = 0,
    state: dict[str, Any] | None = None,
) -> Steps:
    """Do what `map_synchronization` does, ring by ring.

    Yields:
        (fraction, {"cells": rows of numbers and a verdict so far, "ring": state within the next}).

    Returns:
        `Diagram`.
    """
    for name, values, bound in (
        ("deltas", np.abs(deltas), np.pi / 2),
        ("strengths", strengths, 1e3),
    ):
        if not ((values >= 0) & (values < bound)).all():
            raise InputError(
                f"`{name}` must be {'non-negative and ' * (name == 'strengths')}below {bound:.4g} "
                f"in size, but holds {values.max() if values.max() >= bound else values.min():g}.",
                f"/{name}",
            )
    state = state or {"cells": [], "ring": None}
    grid = [(float(d), float(s)) for d in deltas for s in strengths]
    is_noise = randomness == "noise"
    while (done := len(state["cells"])) < len(grid):
        delta, strength = grid[done]
        one = grow_roughness_steps(
            size=size,
            t_final=t_final,
            K=K,
            delta=delta,
            sigma=0.0 if is_noise else strength,
            D=strength if is_noise else 0.0,
            n_realizations=n_realizations,
            dt=dt,
            seed=seed + done,
            state=state["ring"],
        )
        ring = yield from _within(one, state["cells"], len(grid))
        state = {"cells": [*state["cells"], _cell(ring)], "ring": None}
        yield (done + 1) / len(grid), state
    return _diagram(deltas, strengths, randomness, state["cells"])


@checked(deltas=(1, 64), strengths=(1, 64))
def map_synchronization(
    deltas: Float[np.ndarray, "deltas"],
    strengths: Float[np.ndarray, "strengths"],
    randomness: Literal["noise", "columnar"],
    size: Annotated[int, Interval(ge=8, le=16384)],
    t_final: Duration,
    K: Coupling = 1.0,
    n_realizations: Realizations = 8,
    dt: TimeStep = 0.1,
    seed: Seed = 0,
) -> Diagram:
    """Map growth and synchronization over the coupling's phase shift and the randomness.

    Args:
        deltas: Phase shifts of the coupling, below pi / 2 in size.
        strengths: D of noise, or sigma of columnar randomness.
        randomness: In time ("noise"), or of the frequencies ("columnar").
        size: L.
        t_final: T.
        K: Coupling.
        n_realizations: Rings for each pair.
        dt: Time step, at most 0.2 / K.
        seed: Of the first ring; each further one has the next.

    Returns:
        Exponents, widths, slips and verdicts.

    Raises:
        InputError: As for `grow_roughness`.

    Source:
        arXiv:2604.06040.

    Example:
        >>> found = map_synchronization([0.0], [0.01, 20.0], "noise", 64, 20.0)
        >>> found.verdict.tolist()
        [['synchronized', 'desynchronized']]
    """
    return drain(map_synchronization_steps(**locals()))


def diagram_work(
    deltas: np.ndarray,
    strengths: np.ndarray,
    size: int,
    t_final: float,
    n_realizations: int,
    dt: float,
    **rest: Any,
) -> float:
    """Return pairs x sites x realizations x steps."""
    return float(len(deltas) * len(strengths) * size * n_realizations * t_final / dt)


def _within(one: Steps, cells: list[Any], count: int) -> Steps:
    """Yield the progress of one ring as that of all, and return its result."""
    while True:
        try:
            fraction, ring = next(one)
        except StopIteration as stop:
            return stop.value
        yield (len(cells) + fraction) / count, {"cells": cells, "ring": ring}


def _cell(ring: Roughening) -> tuple[float | str, ...]:
    return (
        ring.beta,
        float(ring.width[-1]),
        float(ring.locked.mean()),
        ring.slip_rate,
        ring.g or 0.0,
        ring.verdict,
    )


def _diagram(
    deltas: np.ndarray, strengths: np.ndarray, randomness: str, cells: list[Any]
) -> Diagram:
    shape = (len(deltas), len(strengths))
    beta, width, locked, slip_rate, g, verdict = (
        np.array([cell[k] for cell in cells]).reshape(shape) for k in range(6)
    )
    names, exponents = zip(*_EXPONENTS[randomness].items(), strict=True)
    nearest = np.array(names)[np.abs(beta[..., None] - np.array(exponents)).argmin(-1)]
    slipping = (verdict == "desynchronized") & (slip_rate > 0)
    nearest = np.where(slipping, "none", nearest)
    return Diagram(deltas, strengths, beta, width, locked, slip_rate, g, verdict, nearest)
