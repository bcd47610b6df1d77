"""The evolved state within a tolerance: how many steps, how much truncation, and what was spent.

The tolerance is an infidelity; errors add as angles, angle = arcsin(sqrt(infidelity)). Truncation
gets most of the angle, because few fourth-order steps are cheap and bond dimension is not.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np

from aqc import tebd
from aqc.disentangle import likeliest_product
from aqc.errors import InputError
from aqc.gates import evolution
from aqc.hamiltonian import Hamiltonian
from aqc.mps import MPS, log_overlap, right_canonical
from aqc.target import Target
from aqc.threads import one_blas_thread
from aqc.trotter import Layer, evolution_layers, optimized_schedule, splits_exactly

TRUNCATION_SHARE, COARSE_TRUNCATION = 0.7, 1.5
# The state with steps of 2 dt is 16 times farther from the truth than the one with dt, so their
# distance is 15 times the error; 10 leaves room for the next order.
_RICHARDSON = 10.0
_WINDOW = 8
# A thousand periods are far beyond what a bond dimension can follow, unless all terms commute.
_LARGEST_PHASE = 1e4


class Evolver(Protocol):
    """What `aqc.tebd.evolve` and `aqc.interop.quimb.evolve` have in common."""

    def __call__(
        self,
        hamiltonian: Hamiltonian,
        state: np.ndarray | MPS,
        time: float,
        *,
        steps: int,
        angle: float,
        max_bond: int,
        limit: float,
        progress: Callable[[float], None] | None = None,
    ) -> tebd.Evolution: ...


@one_blas_thread()
def evolve_within(
    hamiltonian: Hamiltonian,
    state: np.ndarray | MPS,
    time: float,
    *,
    tolerance: float,
    max_bond: int,
    evolver: str = "native",
    progress: Callable[[float], None] | None = None,
) -> Target:
    """Return exp(-iHt) of a state as an MPS, within an infidelity.

    Args:
        hamiltonian: A chain.
        state: One-qubit states, shape (n, 2), or an MPS.
        time: t, in units of 1/energy; any sign.
        tolerance: Largest infidelity by truncation and Trotter error together.
        max_bond: Largest bond dimension.
        evolver: "native" or "quimb".
        progress: Called with the fraction done.

    Raises:
        InputError: If the time is so long that phases have no correct digits left.
        TruncationError: If `max_bond` cannot keep the tolerance.

    Example:
        >>> chain = Hamiltonian.from_terms(4, [("XX", (j, j + 1), 1.0) for j in range(3)])
        >>> target = evolve_within(
        ...     chain, np.tile([1.0, 0.0], (4, 1)), 0.5, tolerance=1e-6, max_bond=16
        ... )
        >>> target.infidelity_bound <= 1e-6
        True
    """
    check_phases(hamiltonian, time)
    run = _evolver(evolver)
    sites = state if isinstance(state, np.ndarray) else likeliest_product(state)
    if isinstance(state, MPS):
        state = right_canonical(state)
    allowed = float(np.arcsin(np.sqrt(tolerance)))
    if splits_exactly(hamiltonian) or time == 0:
        evolved = run(
            hamiltonian,
            state,
            time,
            steps=1,
            angle=0.95 * allowed,
            max_bond=max_bond,
            limit=allowed,
            progress=progress,
        )
        return Target(evolved.mps, evolved.angle, 0.0, True, evolved.weight, 1, evolver)

    def fine(steps: int) -> tebd.Evolution:
        return run(
            hamiltonian,
            state,
            time,
            steps=steps,
            angle=TRUNCATION_SHARE * allowed,
            max_bond=max_bond,
            limit=0.85 * allowed,
            progress=progress,
        )

    def coarse(steps: int) -> tebd.Evolution:
        return tebd.apply_layers(
            state,
            evolution_layers(hamiltonian, time, steps),
            angle=COARSE_TRUNCATION * allowed,
            max_bond=max_bond,
        )

    steps = guess_steps(hamiltonian, sites, time, 0.7 * (1 - TRUNCATION_SHARE) * allowed)
    evolved, trotter, steps = converge(fine, coarse, steps, allowed)
    return Target(evolved.mps, evolved.angle, trotter, False, evolved.weight, steps, evolver)


def converge(
    fine: Callable[[int], tebd.Evolution],
    coarse: Callable[[int], tebd.Evolution],
    steps: int,
    allowed: float,
) -> tuple[tebd.Evolution, float, int]:
    """Return an evolution of enough fourth-order steps, its product formula's error, and the steps.

    Args:
        fine: Evolves by a number of steps, within `TRUNCATION_SHARE` of the angle allowed.
        coarse: The same for half as many; its truncation is divided by 10 with the rest, so it
            may be cruder.
        steps: To begin with, even.
        allowed: The angle that truncation and the product formula may take together.
    """
    while True:
        with ThreadPoolExecutor(1) as beside:  # LAPACK lets both run at once
            rough = beside.submit(coarse, steps // 2)
            evolved = fine(steps)
        trotter = angle_between(evolved.mps, rough.result().mps) / _RICHARDSON
        if evolved.angle + trotter <= allowed:
            return evolved, trotter, steps
        excess = trotter / (0.8 * (1 - TRUNCATION_SHARE) * allowed)
        steps = even(max(steps * excess**0.25, steps + 2))


def check_phases(hamiltonian: Hamiltonian, time: float) -> None:
    """Refuse a time that cannot be resolved in double precision.

    Raises:
        InputError: If time and couplings are too large.
    """
    largest = max((abs(term.coefficient) for term in hamiltonian.terms), default=0.0)
    phase = largest * abs(time)
    if not phase <= _LARGEST_PHASE:
        raise InputError(
            f"`time` times the largest coefficient must be at most {_LARGEST_PHASE:.0e}, but is "
            f"{phase:.1e}; evolve for a shorter time.",
            "/time",
        )


def angle_between(a: MPS, b: MPS) -> float:
    """Return arccos |<a|b>| of normalized states, accurate for small angles down to ~1e-8."""
    log_fidelity = min(0.0, 2 * log_overlap(a, b)[0])
    return float(np.arcsin(np.sqrt(-np.expm1(log_fidelity))))


def guess_steps(hamiltonian: Hamiltonian, state: np.ndarray, time: float, angle: float) -> int:
    """Return an even number of fourth-order steps whose error is about `angle`.

    The error is measured exactly on the window of eight sites with the strongest couplings, and
    scaled: it grows with the root of the number of bonds, and at most linearly with time.
    """
    bonds = hamiltonian.bond_matrices()
    width = min(_WINDOW, len(state))
    strength = np.linalg.norm(bonds, axis=(1, 2))
    sums = np.convolve(strength, np.ones(width - 1), mode="valid")
    first = int(np.argmax(sums))
    window = bonds[first : first + width - 1]
    vector = MPS.product(state[first : first + width]).to_dense()
    span = min(abs(time), 4.0 / max(float(strength.max()) / 2, 1e-300))
    periods = abs(time) / span
    allowed = angle / np.sqrt(len(bonds) / len(window)) / periods
    exact = evolution(_dense(window), span) @ vector
    for steps in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32):
        approximate = _apply_dense(vector, window, span, steps)
        error = float(np.linalg.norm(approximate - exact))
        if error <= allowed:
            break
    # The last steps tried may still be too few: go on by the fourth order.
    return even(periods * steps * max(1.0, error / allowed) ** 0.25)


def _apply_dense(vector: np.ndarray, bonds: np.ndarray, time: float, steps: int) -> np.ndarray:
    for layer in _window_layers(bonds, time, steps):
        for number, gate in enumerate(layer.gates):
            bond = (layer.first_bond or 0) + 2 * number
            vector = np.matmul(gate, vector.reshape(2**bond, 4, -1)).ravel()
    return vector


def _window_layers(bonds: np.ndarray, time: float, steps: int) -> list[Layer]:
    return [
        Layer(parity, evolution(bonds[parity::2], fraction * time))
        for parity, fraction in optimized_schedule(steps)
    ]


def _dense(bonds: np.ndarray) -> np.ndarray:
    width = len(bonds) + 1
    total = np.zeros((2**width, 2**width), dtype=complex)
    for bond, matrix in enumerate(bonds):
        rest = np.eye(2 ** (width - bond - 2))
        total += np.kron(np.kron(np.eye(2**bond), matrix), rest)
    return total


def even(steps: float) -> int:
    """Return the next even number of steps."""
    return 2 * max(1, int(np.ceil(steps / 2)))


def _evolver(name: str) -> Evolver:
    if name == "native":
        return tebd.evolve
    from aqc.interop import quimb  # over a second to import

    return quimb.evolve
