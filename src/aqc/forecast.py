"""How much a chain will entangle, told from a few of its sites before anything is computed.

The middle 16 sites (8 for an operator) are evolved as a state vector by a coarse product formula;
the singular values at their center say how many a matrix product state has to keep. Beyond what so
few sites can hold the number is extrapolated in time, halfway between an exponential and a power
law.
"""

from dataclasses import dataclass

import numpy as np

from aqc import lattice, propagator
from aqc.cost import MAX_DENSE_QUBITS
from aqc.evolved import TRUNCATION_SHARE, check_phases, guess_steps
from aqc.hamiltonian import Hamiltonian
from aqc.mps import MPS, as_matrix
from aqc.threads import one_blas_thread

# Of the target's product formula, layers that two steps share counted once.
LAYERS_PER_STEP = 12

_WIDTH = 16
# A coarse step changes the entanglement little: its error is smooth.
_PHASE_PER_STEP = 0.3
# By then so few sites are entangled as much as they can be.
_LONGEST_PHASE = 20.0
_SAMPLES = 8
# Beyond any machine; a larger power would overflow.
_MOST_BORDERS = 10.0
# Of the number that the window can hold: beyond, its ends are felt.
_HELD = 0.4
# The certificate drops so much of the target's angle, shared by all gates of some ten layers, and
# no less than this weight; the circuit has more singular values above it than the target by so much
# (measured: 18 for 15, 66 for 63, 133 for 118).
_SIMULATION_SHARE, _DEPTH, _CHOP, _EXCESS = 0.02, 10, 1e-16, 1.2


@dataclass(frozen=True)
class Forecast:
    """What a compile will meet.

    Attributes:
        bond: Bond dimension of the target, at most the one allowed.
        circuit_bond: Bond dimension of the compiled circuit in the certificate's simulation.
        steps: Fourth-order steps of the target's product formula.
    """

    bond: int
    circuit_bond: int
    steps: int


@one_blas_thread()
def forecast(
    hamiltonian: Hamiltonian, state: np.ndarray, time: float, tolerance: float, max_bond: int
) -> Forecast:
    """Return the bond dimensions that a problem will roughly need.

    Args:
        hamiltonian: A chain.
        state: One-qubit states, shape (n, 2), or for an operator Bell pairs, shape (n, 2, 2).
        time: t, in units of 1/energy.
        tolerance: Largest infidelity of the target.
        max_bond: Largest bond dimension of the target.

    Raises:
        InputError: If the time is too long to be resolved.

    Example:
        >>> chain = Hamiltonian.from_terms(20, [("XX", (j, j + 1), 1.0) for j in range(19)])
        >>> forecast(chain, np.tile([1.0, 0.0], (20, 1)), 0.3, 1e-4, 256).bond <= 4
        True
    """
    check_phases(hamiltonian, time)
    operator = state.ndim == 3
    n, width = len(state), min(_WIDTH // 2 if operator else _WIDTH, len(state))
    first = (n - width) // 2
    window, start = hamiltonian.window(first, width), state[first : first + width]
    allowed = float(np.arcsin(np.sqrt(tolerance)))
    left = 0.7 * (1 - TRUNCATION_SHARE) * allowed * np.sqrt((width - 1) / (n - 1))
    steps = 1
    if not hamiltonian.is_chain:
        on_vector = n <= MAX_DENSE_QUBITS
        steps = 0 if on_vector or not time else lattice.guess_steps(hamiltonian, time, left)
    elif time and operator:
        steps = propagator.guess_steps(window, time, left)
    elif time:
        steps = guess_steps(window, start, time, left)
    # Of what truncation may cost, the share of one layer and one bond.
    weight = 2 * (TRUNCATION_SHARE * allowed / (LAYERS_PER_STEP * steps + 1)) ** 2 / (n - 1)
    spectra = _spectra(window, start, abs(time))
    size = 4 if operator else 2
    most = size ** (width // 2) if width < n else np.inf
    largest = float(size) ** min(n // 2, 30)
    target = [(when, _kept(values, weight)) for when, values in spectra]
    # Couplings that lead around the window entangle as those within it: a ring has two borders.
    ratio = _crossings(hamiltonian, n // 2) / max(_crossings(window, width // 2), 1)
    power = min(ratio, _MOST_BORDERS)
    chop = max(_CHOP, (0.5 * _SIMULATION_SHARE * allowed / (_DEPTH * n / 2)) ** 2)
    circuit = [(when, _kept(values, chop)) for when, values in spectra]
    return Forecast(
        int(min(_extrapolated(target, abs(time), most) ** power, max_bond, largest)),
        int(min(np.ceil(_EXCESS * _extrapolated(circuit, abs(time), most) ** power), largest)),
        steps,
    )


def _spectra(window: Hamiltonian, start: np.ndarray, time: float) -> list[tuple[float, np.ndarray]]:
    """Return squared singular values at the center, at several times up to the last."""
    bonds = window.bond_matrices() if window.is_chain else window.pair_matrices()
    strongest = max(float(np.abs(np.linalg.eigvalsh(bonds)).max()), 1e-300)
    time = min(time, _LONGEST_PHASE / strongest)
    steps = max(1, int(np.ceil(time * strongest / _PHASE_PER_STEP)))
    every = -(-steps // _SAMPLES)
    step = lattice.formula(window, time / steps, 1, 2)
    vector = as_matrix(MPS.product(start))
    half = len(start) // 2
    references = (2**half, 2 ** (len(start) - half)) if start.ndim == 3 else (1, 1)
    found = []
    for done in range(1, steps + 1):
        vector = step.act_on(vector)
        if done % every == 0 or done == steps:
            legs = vector.reshape(2**half, -1, *references).swapaxes(1, 2)
            halves = legs.reshape(len(legs) * references[0], -1)
            values = np.linalg.svd(halves, compute_uv=False) ** 2
            found.append((time * done / steps, values))
    return found


def _crossings(hamiltonian: Hamiltonian, cut: int) -> int:
    """Return how many couplings cross a cut; of a chain one."""
    if hamiltonian.is_chain:
        return 1
    return sum(a < cut <= b for a, b in hamiltonian.pairs)


def _kept(values: np.ndarray, weight: float) -> int:
    """Return how many of descending weights are kept when so much may be dropped."""
    tails = np.cumsum(values[::-1])
    return max(1, len(values) - int(np.searchsorted(tails, weight, side="right")))


def _extrapolated(samples: list[tuple[float, int]], time: float, most: float) -> float:
    """Return the number at the last time, beyond what a window can hold if need be."""
    highest = max(count for _, count in samples)
    trusted = [(when, count) for when, count in samples if count <= _HELD * most]
    if len(trusted) == len(samples) or len(trusted) < 2 or trusted[-1][1] <= trusted[0][1]:
        return float(highest)
    (early, few), (late, many) = trusted[len(trusted) // 2 - 1], trusted[-1]
    growth = np.log(many / few)
    exponential = growth * (time - late) / (late - early)
    power = growth * np.log(time / late) / np.log(late / early)
    return max(float(highest), float(many * np.exp(min((exponential + power) / 2, 50.0))))
