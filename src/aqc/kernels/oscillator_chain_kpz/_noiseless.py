"""Rings without noise: an ordinary differential equation, which SciPy's DOP853 solves."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy.integrate import DOP853

from aqc.kernels.oscillator_chain_kpz._ring import Forces, Ring

# A phase is known to 1e-6, however far it has turned.
_RTOL, _ATOL = 1e-12, 1e-6


def advance(ring: Ring, state: dict[str, Any], ends: list[int]) -> Iterator[dict[str, Any]]:
    """Yield states on the way to some times, one of them at each.

    Args:
        ring: What is simulated.
        state: From `start` or an earlier state; it is not changed. `base` is where the solver's
            step around it begins, None at t = 0.
        ends: Times in units of dt, increasing, behind the state's.
    """
    shape, dt = state["phi"].shape, ring.dt
    base = state.get("base") or {"t": 0.0, "phi": state["phi"], "length": None}
    winding, slips, reached, ends = state["winding"], state["slips"], state["step"], [*ends]
    # No end is told to the solver: a step that it shortens would be another one when resumed.
    tolerances = {"rtol": _RTOL, "atol": _ATOL, "first_step": base["length"]}
    solver = DOP853(_rate(ring, shape), base["t"], base["phi"].ravel(), np.inf, **tolerances)

    def look(step: float, phi: np.ndarray) -> dict[str, Any]:
        nonlocal winding, slips, reached
        now = np.rint((np.roll(phi, -1, 0) - phi) / (2 * math.pi)).astype(np.int32)
        slips, winding, reached = slips + np.abs(now - winding).sum(0), now, step
        return {"phi": phi, "winding": now, "slips": slips, "step": step, "base": base}

    while ends:
        solver.step()
        if ends[0] * dt <= solver.t:
            inside = solver.dense_output()
            while ends and ends[0] * dt <= solver.t:
                end = ends.pop(0)
                yield look(end, inside(end * dt).reshape(shape))
        phi = solver.y.reshape(shape)
        base = {"t": solver.t, "phi": phi, "length": solver.h_abs}
        if ends and solver.t / dt > reached:
            yield look(solver.t / dt, phi)


def _rate(ring: Ring, shape: tuple[int, ...]) -> Callable[[float, np.ndarray], np.ndarray]:
    forces = Forces(ring._replace(dt=1.0), np.empty(shape))

    def rate(_: float, y: np.ndarray) -> np.ndarray:
        change = np.zeros(shape)
        forces.differences(y.reshape(shape))
        forces.push(change)
        return change.ravel()

    return rate
