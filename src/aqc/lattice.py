"""Time evolution with couplings of any pairs: product formulas on colored pairs, and the target.

Up to 14 qubits the state is evolved as a vector, without any formula. Beyond, a fourth-order
formula acts on a matrix product state, gates of distant sites between swaps.
"""

from collections.abc import Callable

import numpy as np

from aqc.circuit import Circuit, Gate
from aqc.coloring import chain_pairs, color
from aqc.cost import MAX_DENSE_QUBITS
from aqc.evolved import (
    COARSE_TRUNCATION,
    TRUNCATION_SHARE,
    check_phases,
    converge,
    even,
    evolve_within,
)
from aqc.gates import evolution
from aqc.hamiltonian import Hamiltonian
from aqc.mps import MPS, as_mps, from_vector
from aqc.pieces import Pieces, colored, pair_gates
from aqc.simulate import act_on, compress
from aqc.target import Target
from aqc.tebd import Evolution
from aqc.threads import one_blas_thread
from aqc.trotter import Layer, brick_layers, schedule

_WINDOW = 8


def evolve_state(
    hamiltonian: Hamiltonian,
    state: np.ndarray | MPS,
    time: float,
    *,
    tolerance: float,
    max_bond: int,
    evolver: str = "native",
    progress: Callable[[float], None] | None = None,
) -> Target:
    """Return exp(-iHt) of a state as an MPS, within an infidelity, whatever is coupled.

    Args:
        hamiltonian: On any pairs.
        state: One-qubit states, shape (n, 2), or an MPS.
        time: t, in units of 1/energy; any sign.
        tolerance: Largest infidelity by truncation and Trotter error together.
        max_bond: Largest bond dimension.
        evolver: "native" or "quimb"; of open chains alone.
        progress: Called with the fraction done.

    Raises:
        InputError: If the time is so long that phases have no correct digits left.
        TruncationError: If `max_bond` cannot keep the tolerance.

    Example:
        >>> ring = Hamiltonian.from_terms(4, [("XX", (j, (j + 1) % 4), 1.0) for j in range(4)])
        >>> target = evolve_state(
        ...     ring, np.tile([1.0, 0.0], (4, 1)), 0.5, tolerance=1e-6, max_bond=16
        ... )
        >>> target.evolver, target.trotter_exact
        ('vector', True)
    """
    if hamiltonian.is_chain:
        return evolve_within(
            hamiltonian,
            state,
            time,
            tolerance=tolerance,
            max_bond=max_bond,
            evolver=evolver,
            progress=progress,
        )
    check_phases(hamiltonian, time)
    allowed = float(np.arcsin(np.sqrt(tolerance)))
    if hamiltonian.num_qubits <= MAX_DENSE_QUBITS:
        vector = from_vector(_evolved_vector(hamiltonian, as_mps(state).to_dense(), time))
        kept = compress(vector, angle=0.95 * allowed, max_bond=max_bond, limit=allowed)
        return Target(kept.mps, kept.angle, 0.0, True, kept.weight, 0, "vector")
    return _by_formula(hamiltonian, as_mps(state), time, allowed, max_bond, progress)


@one_blas_thread()
def _by_formula(
    hamiltonian: Hamiltonian,
    state: MPS,
    time: float,
    allowed: float,
    max_bond: int,
    progress: Callable[[float], None] | None,
) -> Target:
    def run(
        steps: int, angle: float, limit: float, told: Callable[[float], None] | None
    ) -> Evolution:
        circuit = formula(hamiltonian, time, steps, 4)
        return act_on(circuit, state, angle=angle, max_bond=max_bond, limit=limit, progress=told)

    made, trotter, steps = converge(
        lambda steps: run(steps, TRUNCATION_SHARE * allowed, 0.85 * allowed, progress),
        lambda steps: run(steps, COARSE_TRUNCATION * allowed, np.inf, None),
        guess_steps(hamiltonian, time, 0.7 * (1 - TRUNCATION_SHARE) * allowed),
        allowed,
    )
    return Target(made.mps, made.angle, trotter, False, made.weight, steps)


def formula(
    hamiltonian: Hamiltonian, time: float, steps: int, order: int, *, fused: bool = True
) -> Circuit:
    """Return a product formula as a circuit, pairs color by color.

    Args:
        hamiltonian: On any pairs.
        time: t, in units of 1/energy.
        steps: Number of steps.
        order: 1, 2 or 4.
        fused: Whether one-site terms are fused into the gates; else they are gates of their own,
            between couplings that all have to commute.

    Example:
        >>> ring = Hamiltonian.from_terms(4, [("ZZ", (j, (j + 1) % 4), 1.0) for j in range(4)])
        >>> len(formula(ring, 1.0, steps=1, order=2).gates)
        6
    """
    if hamiltonian.is_chain and fused:
        return _of_bricks(brick_layers(hamiltonian, time, steps, order), hamiltonian.num_qubits)
    if fused:
        return formula_of_pieces(((hamiltonian, time),), steps, order)
    n = hamiltonian.num_qubits
    bare = Hamiltonian(n, tuple(term for term in hamiltonian.terms if len(term.qubits) == 2))
    turns = [((j,), field) for j, field in enumerate(hamiltonian.field_matrices())]
    matrix = dict(zip(bare.pairs, bare.pair_matrices(), strict=True))
    couplings = [(pair, matrix[pair]) for pairs in color(bare.pairs) for pair in pairs]
    gates: list[Gate] = []
    for number, fraction in schedule(2, steps, order):
        for where, part in couplings if number else turns:
            gates.append(Gate(where, evolution(part, fraction * time)))
    return Circuit(n, tuple(gates))


def formula_of_pieces(pieces: Pieces, steps: int, order: int) -> Circuit:
    """Return a product formula of a Hamiltonian that changes in time.

    Args:
        pieces: Hamiltonians, each for its time.
        steps: Number of steps into which the whole time is cut.
        order: 1, 2 or 4; reached where H is smooth on the scale of a step.
    """
    n = pieces[0][0].num_qubits
    colors = colored(pieces) or tuple(tuple(pairs) for pairs in chain_pairs(n, 2))
    plan = schedule(len(colors), steps, order)
    layers = [list(colors[group]) for group, _ in plan]
    made = pair_gates(pieces, layers, [group for group, _ in plan], [f for _, f in plan])
    gates = [
        Gate(pair, gate)
        for layer, matrices in zip(layers, made, strict=True)
        for pair, gate in zip(layer, matrices, strict=True)
    ]
    return Circuit(n, tuple(gates))


def evolve_pieces(
    pieces: Pieces,
    state: np.ndarray | MPS,
    *,
    tolerance: float,
    max_bond: int,
    evolver: str = "native",
    progress: Callable[[float], None] | None = None,
) -> Target:
    """Return what pieces make of a state one after another; each gets its time's share of angle.

    Args:
        pieces: Hamiltonians, each for its time.
        state: One-qubit states, shape (n, 2), or an MPS.
        tolerance: Largest infidelity by truncation and Trotter error together.
        max_bond: Largest bond dimension.
        evolver: "native" or "quimb"; of open chains alone.
        progress: Called with the fraction done.

    Raises:
        InputError: If a time is so long that phases have no correct digits left.
        TruncationError: If `max_bond` cannot keep the tolerance.
    """
    allowed = float(np.arcsin(np.sqrt(tolerance)))
    total = sum(abs(time) for _, time in pieces)
    made: Target | None = None
    done = 0.0
    for hamiltonian, time in pieces:
        share = abs(time) / total if total else 1 / len(pieces)
        begun = done

        def told(fraction: float, begun: float = begun, share: float = share) -> None:
            if progress:
                progress(begun + share * fraction)

        later = evolve_state(
            hamiltonian,
            state if made is None else made.mps,
            time,
            tolerance=max(float(np.sin(allowed * share) ** 2), 1e-16),
            max_bond=max_bond,
            evolver=evolver,
            progress=told,
        )
        made = later if made is None else made.followed_by(later)
        done += share
    assert made is not None
    return made


def _of_bricks(layers: list[Layer], num_qubits: int) -> Circuit:
    gates = [
        Gate((bond, bond + 1), gate)
        for layer in layers
        for bond, gate in zip(
            range(layer.first_bond or 0, num_qubits - 1, 2), layer.gates, strict=True
        )
    ]
    return Circuit(num_qubits, tuple(gates))


def couplings_commute(hamiltonian: Hamiltonian) -> bool:
    """Return whether the two-site terms all commute, as those of Ising couplings do.

    Example:
        >>> couplings_commute(Hamiltonian.from_terms(3, [("ZZ", (0, 1), 1), ("XX", (1, 2), 1)]))
        False
    """
    letters: dict[int, set[str]] = {}
    for term in hamiltonian.terms:
        if len(term.qubits) == 2:
            for letter, qubit in zip(term.pauli, term.qubits, strict=True):
                letters.setdefault(qubit, set()).add(letter)
    return all(len(found) == 1 for found in letters.values())


def _evolved_vector(hamiltonian: Hamiltonian, vector: np.ndarray, time: float) -> np.ndarray:
    """Return exp(-iHt) of a vector, to rounding; H without its constant."""
    from scipy.sparse.linalg import expm_multiply

    free = Hamiltonian(hamiltonian.num_qubits, hamiltonian.terms).to_sparse()
    evolved: np.ndarray = expm_multiply(-1j * time * free, vector, traceA=0.0)
    return evolved


def guess_steps(hamiltonian: Hamiltonian, time: float, angle: float) -> int:
    """Return an even number of fourth-order steps whose error together is about `angle`.

    The error is measured on eight sites in the middle, on the worst of a few states, and scaled.
    """
    n = hamiltonian.num_qubits
    window = hamiltonian.window((n - _WINDOW) // 2, _WINDOW)
    if not window.pairs:
        return 2
    strength = max(float(np.abs(np.linalg.eigvalsh(window.pair_matrices())).max()), 1e-300)
    span = min(abs(time), 2.0 / strength)
    periods = abs(time) / span if span else 0.0
    allowed = angle / np.sqrt(len(hamiltonian.pairs) / len(window.pairs)) / max(periods, 1.0)
    start = np.random.default_rng(0).normal(size=2**_WINDOW)
    start = start / np.linalg.norm(start)
    exact = _evolved_vector(window, start, span)
    error, steps = 0.0, 1
    for steps in (1, 2, 3, 4, 6, 8, 12, 16, 24):
        made = formula(window, span, steps, 4).act_on(start)
        error = float(np.linalg.norm(made - exact))
        if error <= allowed:
            break
    return even(max(periods, 1.0) * steps * max(1.0, error / allowed) ** 0.25)
