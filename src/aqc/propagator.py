"""exp(-iHt) itself within a tolerance, as the matrix product operator that a circuit has to reach.

An operator U on n qubits is kept as its Choi state, what it makes of one half of n Bell pairs:

    |U> = 2^(-n/2) sum_(oi) U_oi |o>|i>,    <V|U> = tr(V^dagger U) / 2^n,

so that angles, budgets and bounds are those of states, and 1 - |<V|U>|^2 is the process infidelity.
"""

from collections.abc import Callable

import numpy as np

from aqc.evolved import (
    COARSE_TRUNCATION,
    TRUNCATION_SHARE,
    check_phases,
    converge,
    even,
)
from aqc.gates import evolution
from aqc.hamiltonian import Hamiltonian
from aqc.mps import MPS, bell_pairs, from_vector
from aqc.simulate import compress
from aqc.target import Target
from aqc.tebd import Evolution, apply_layers
from aqc.threads import one_blas_thread
from aqc.trotter import Layer, evolution_layers, splits_exactly

# Up to here a matrix is exact at any time and sooner there.
_DENSE_QUBITS = 8
_WINDOW = 6


@one_blas_thread()
def propagate_within(
    hamiltonian: Hamiltonian,
    time: float,
    *,
    tolerance: float,
    max_bond: int,
    progress: Callable[[float], None] | None = None,
) -> Target:
    """Return exp(-iHt) as a matrix product operator, within a process infidelity.

    Args:
        hamiltonian: A chain; its constant is left out.
        time: t, in units of 1/energy; any sign.
        tolerance: Largest process infidelity by truncation and Trotter error together.
        max_bond: Largest bond dimension.
        progress: Called with the fraction done.

    Raises:
        InputError: If the time is so long that phases have no correct digits left.
        TruncationError: If `max_bond` cannot keep the tolerance.

    Example:
        >>> chain = Hamiltonian.from_terms(4, [("XX", (j, j + 1), 1.0) for j in range(3)])
        >>> propagate_within(chain, 0.5, tolerance=1e-6, max_bond=16).mps.max_bond
        2
    """
    check_phases(hamiltonian, time)
    allowed = float(np.arcsin(np.sqrt(tolerance)))
    if hamiltonian.num_qubits <= _DENSE_QUBITS:
        exact = choi_state(exact_propagator(hamiltonian, time))
        kept = compress(exact, angle=0.95 * allowed, max_bond=max_bond, limit=allowed)
        return Target(kept.mps, kept.angle, 0.0, True, kept.weight, 0, "dense")

    def run(
        steps: int, angle: float, limit: float, told: Callable[[float], None] | None
    ) -> Evolution:
        layers = [_on_both_legs(x) for x in evolution_layers(hamiltonian, time / 2, steps)]
        pairs = bell_pairs(hamiltonian.num_qubits)
        return apply_layers(
            pairs, layers, angle=angle, max_bond=max_bond, limit=limit, progress=told
        )

    if splits_exactly(hamiltonian) or time == 0:
        made = run(1, 0.95 * allowed, allowed, progress)
        return Target(made.mps, made.angle, 0.0, True, made.weight, 1)
    budget = TRUNCATION_SHARE * allowed
    made, trotter, steps = converge(
        lambda steps: run(steps, budget, 0.85 * allowed, progress),
        lambda steps: run(steps, COARSE_TRUNCATION * allowed, np.inf, None),
        guess_steps(hamiltonian, time, 0.7 * (allowed - budget)),
        allowed,
    )
    return Target(made.mps, made.angle, trotter, False, made.weight, steps)


def exact_propagator(hamiltonian: Hamiltonian, time: float) -> np.ndarray:
    """Return exp(-iHt) of H without its constant as a matrix, shape (2**n, 2**n)."""
    dense = hamiltonian.to_dense() - hamiltonian.constant * np.eye(2**hamiltonian.num_qubits)
    return evolution(dense, time)


def choi_state(matrix: np.ndarray) -> MPS:
    """Return a matrix of shape (2**n, 2**n) divided by 2^(n/2) as an MPS, without truncation.

    Example:
        >>> choi_state(np.eye(8)).bond_dimensions
        (1, 1)
    """
    n = len(matrix).bit_length() - 1
    legs = matrix.reshape((2,) * (2 * n)) / np.sqrt(len(matrix))
    return from_vector(legs.transpose([leg for j in range(n) for leg in (j, n + j)]).ravel(), 4)


def guess_steps(hamiltonian: Hamiltonian, time: float, angle: float) -> int:
    """Return an even number of fourth-order steps of t / 2 whose error together is about `angle`.

    As `aqc.evolved.guess_steps`, on a window of six sites.
    """
    strength = np.linalg.norm(hamiltonian.bond_matrices(), axis=(1, 2))
    width = min(_WINDOW, hamiltonian.num_qubits)
    sums = np.convolve(strength, np.ones(width - 1), mode="valid")
    window = hamiltonian.window(int(np.argmax(sums)), width)
    span = min(abs(time), 4.0 / max(float(strength.max()) / 2, 1e-300))
    periods = abs(time) / span
    allowed = angle / np.sqrt((hamiltonian.num_qubits - 1) / (width - 1)) / periods
    exact = exact_propagator(window, span)
    for steps in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32):
        formula = np.eye(2**width, dtype=complex)
        for layer in evolution_layers(window, span, 2 * steps):
            for number, gate in enumerate(layer.gates):
                bond = (layer.first_bond or 0) + 2 * number
                formula = np.matmul(gate, formula.reshape(2**bond, 4, -1))
        error = float(np.linalg.norm(formula.reshape(exact.shape) - exact) / 2 ** (width / 2))
        if error <= allowed:
            break
    return even(periods * steps * max(1.0, error / allowed) ** 0.25)


def _on_both_legs(layer: Layer) -> Layer:
    """Return a layer that acts on the outputs, and on the inputs from the other side.

    A symmetric formula S of t / 2 reads the same from both ends, so that from the identity on
    X <- G X G for each of its gates ends at S S: half the truncations for as small a step.
    """
    gates = layer.gates.reshape(-1, 2, 2, 2, 2)  # b o1 o2 o1' o2'
    both = np.einsum("nabcd,nwzxy->naxbycwdz", gates, gates).reshape(-1, 16, 16)
    return Layer(layer.first_bond, both)
