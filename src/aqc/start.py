"""Where the optimization starts: the ansatz of a problem."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from aqc.ansatz import Ansatz
from aqc.block_choice import chosen_block
from aqc.circuit import Gate
from aqc.coloring import Colors, chain_pairs, layer_pairs
from aqc.continued import followed, generator, product_formula
from aqc.disentangle import disentangle, nearest_product
from aqc.gates import evolution, exchanged, nearest_factors, pauli
from aqc.given import GivenCircuit, RandomStart
from aqc.hamiltonian import Hamiltonian
from aqc.layer_counts import fitting_order
from aqc.mps import MPS, log_overlap
from aqc.pieces import colored, support
from aqc.problem import Problem
from aqc.ramp import best_ramp
from aqc.simulate import on_bonds, run_circuit

# -(log F)/n below which a disentangled start is near its optimum. Coarser ones were measured to
# end no better than identities on the nearest product state, and mostly worse.
_NEAR = 1e-3
# Angle of identities that are not near. Ground state of the XXZ chain (Delta = 2.5, 50 sites), six
# layers, 1000 evaluations: 0.9954 in place of 0.987 without; random turns ended at 0.992.
_TURN = 0.02
# Candidates are compared, not certified.
_ANGLE, _MAX_BOND = 1e-2, 64


def start_ansatz(problem: Problem, target: MPS, layers: int) -> Ansatz:
    """Return the ansatz at which a problem's optimization starts, of the block type asked for.

    A start that the problem gives; else Trotter's circuit for an evolution of a product state;
    else the candidate of highest fidelity among those that the target allows.

    Args:
        problem: What problem.json holds.
        target: The state to reach.
        layers: Brick layers.

    Raises:
        InputError: If a given start is no brickwork or has too many layers.

    Example:
        >>> from aqc.targets import make_target
        >>> settings = {"ansatz": {"layers": 3, "start": {"random": 1}}}
        >>> problem = Problem.build({"model": "xxz_chain", "num_qubits": 6}, 0.5, **settings)
        >>> start_ansatz(problem, make_target(problem).mps, 3).blocks.shape
        (8, 4, 4)
    """
    hamiltonian = support(problem.pieces()) if problem.time is not None else None
    block = chosen_block(problem.ansatz.block, hamiltonian, problem.circuit.basis)
    return replace(_start(problem, target, layers), block=block, tied=problem.ansatz.tied)


def starts_at_formula(problem: Problem) -> bool:
    """Return whether a problem's own start is a product formula of its evolution."""
    evolves = problem.evolution() is not None and _circuit_before(problem) is None
    return evolves and problem.ansatz.start is None


def _start(problem: Problem, target: MPS, layers: int) -> Ansatz:
    settings = problem.ansatz
    if isinstance(settings.start, GivenCircuit):
        from aqc.interop.bricks import with_layers
        from aqc.interop.circuits import ansatz_of

        name = "`ansatz.start`"
        return with_layers(ansatz_of(settings.start, name), layers, name)
    begun = _circuit_before(problem)
    dynamics = problem.evolution()
    if dynamics is not None and starts_at_formula(problem):
        if problem.schedule:
            states = problem.product_state()
            return Ansatz.from_pieces(problem.pieces(), states, layers=layers)
        return Ansatz.from_trotter(
            *dynamics,
            problem.product_state(),
            layers=layers,
            order=fitting_order(layers),
        )
    if isinstance(settings.start, RandomStart):
        sites = problem.product_state() if dynamics and not begun else nearest_product(target)
        return random_ansatz(sites, layers, settings.start.random, colored(problem.pieces()))
    candidates = [_stirred(identities(nearest_product(target), layers), target)]
    if begun is not None:
        candidates += _continued(begun, dynamics, layers)
    apart = disentangle(target, layers)
    if -_log_fidelity(apart, target) / problem.num_qubits < _NEAR:
        candidates.append(apart)
    elif begun is None and dynamics is None and problem.hamiltonian is not None:
        # A state that comes with a Hamiltonian may well be its ground state.
        hamiltonian = problem.to_hamiltonian()
        if hamiltonian.is_chain:
            candidates.append(best_ramp(hamiltonian, layers, lambda a: _log_fidelity(a, target)))
    return max(candidates, key=lambda ansatz: _log_fidelity(ansatz, target))


def identities(sites: np.ndarray, layers: int) -> Ansatz:
    """Return an ansatz whose blocks do nothing to a product state, shape (n, 2)."""
    return Ansatz(sites, layers, np.tile(np.eye(4, dtype=complex), (_count(sites, layers), 1, 1)))


def _stirred(ansatz: Ansatz, target: MPS) -> Ansatz:
    """Return an ansatz of identities, all turned a little unless they are near the target.

    Real gates have a real gradient where the target is real: they would stay so, and with them only
    two CX of each block were of use. The turn conserves the magnetization.
    """
    if -_log_fidelity(ansatz, target) / ansatz.num_qubits < _NEAR:
        return ansatz
    turn = evolution(pauli("XX") + pauli("YY") + pauli("ZZ") / 2, _TURN)
    return ansatz.with_blocks(turn @ ansatz.blocks)


def random_starts(first: Ansatz, given: RandomStart) -> list[Ansatz]:
    """Return as many random starts as were asked for, the first of which was drawn before."""
    seeds = [(given.random, number) for number in range(1, given.starts)]
    more = [random_ansatz(first.state, first.layers, seed, first.colors).blocks for seed in seeds]
    return [first, *map(first.with_blocks, more)]


def random_ansatz(
    sites: np.ndarray, layers: int, seed: int | tuple[int, ...], colors: Colors = ()
) -> Ansatz:
    """Return an ansatz with blocks from the Haar measure, on a product state of shape (n, 2).

    Source: Mezzadri, arXiv:math-ph/0609050, Sec. 5: QR with the phases of R's diagonal removed.
    """
    generator = np.random.default_rng(seed)
    pairs = layer_pairs(colors, layers) if colors else chain_pairs(len(sites), layers)
    shape = (sum(map(len, pairs)), 4, 4)
    q, r = np.linalg.qr(generator.normal(size=shape) + 1j * generator.normal(size=shape))
    phases = np.einsum("bii->bi", r)
    blocks = q * (phases / np.abs(phases))[:, None, :]
    return Ansatz(sites, layers, blocks, colors=colors)


def squeeze(states: np.ndarray, gates: Iterable[Gate], layers: int) -> Ansatz:
    """Return a shallow Trotter circuit of the sum of a deep circuit's generators.

    Each gate on bond b is exp(-i K). With all K of a bond added up, the brickwork is one of

        exp(-i sum_b K_b) ~ (S_1 or S_2)^steps,

    which is the shallow Trotter circuit where the deep one is a fine Trotter circuit itself.

    Args:
        states: The product state it acts on, shape (n, 2).
        gates: Gates on pairs; those of qubits that are not neighbors are passed over.
        layers: Brick layers.
    """
    bonds = np.zeros((len(states) - 1, 4, 4), dtype=complex)
    for gate in gates:
        a, b = gate.qubits
        if abs(a - b) == 1:
            matrix = gate.matrix if a < b else exchanged(gate.matrix)
            bonds[min(a, b)] += generator(matrix)
    return product_formula(states, bonds, layers)


def _circuit_before(problem: Problem) -> GivenCircuit | None:
    """The circuit that makes the target, or the state that is evolved to it."""
    for given in (problem.target.circuit, problem.initial_state):
        if isinstance(given, GivenCircuit):
            return given
    return None


def _continued(
    given: GivenCircuit, dynamics: tuple[Hamiltonian, float] | None, layers: int
) -> list[Ansatz]:
    """Starts from a circuit, and an evolution after it: as it is where it fits, and squeezed."""
    from aqc.interop.bricks import find_bricks, with_layers
    from aqc.interop.circuits import parse

    circuit = parse(given)
    states, _ = on_bonds(circuit)
    gates = [gate for gate in circuit.gates if len(gate.qubits) == 2]
    found = []
    if all(abs(a - b) == 1 for a, b in (gate.qubits for gate in gates)):
        bricks = find_bricks(circuit)
        if dynamics is None and bricks.layers <= layers:
            return [with_layers(bricks, layers)]
        if dynamics is not None and bricks.layers < layers:
            found.append(followed(bricks, *dynamics, layers))
    if dynamics is not None:
        hamiltonian, time = dynamics
        fine = evolution(hamiltonian.bond_matrices(), time)
        gates += [Gate((j, j + 1), matrix) for j, matrix in enumerate(fine)]
    plain = squeeze(states, gates, layers)
    return [*found, plain, _squeeze_apart(states, gates, layers), identities(states, layers)]


def _squeeze_apart(states: np.ndarray, gates: list[Gate], layers: int) -> Ansatz:
    """Return what `squeeze` does after one-qubit gates were moved out of all blocks to the end.

    A compiler leaves them anywhere between the blocks, so that no block is near the identity.
    """
    frames = [np.eye(2, dtype=complex) for _ in states]
    bare = []
    for gate in gates:
        a, b = gate.qubits
        turned = gate.matrix @ np.kron(frames[a], frames[b])
        frames[a], frames[b] = nearest_factors(turned)
        bare.append(Gate((a, b), np.kron(frames[a], frames[b]).conj().T @ turned))
    squeezed = squeeze(states, bare, layers)
    blocks, sites = squeezed.blocks.copy(), states.copy()
    done: set[int] = set()
    positions = [bond for bonds in squeezed.bonds for bond in bonds]
    for number in reversed(range(len(blocks))):
        pair = (positions[number], positions[number] + 1)
        left, right = (np.eye(2) if q in done else frames[q] for q in pair)
        blocks[number] = np.kron(left, right) @ blocks[number]
        done.update(pair)
    for site in set(range(len(sites))) - done:  # no block meets it
        sites[site] = frames[site] @ sites[site]
    return Ansatz(sites, layers, blocks)


def _count(sites: np.ndarray, layers: int) -> int:
    """Number of blocks."""
    bonds = len(sites) - 1
    return sum((bonds + 1 - layer % 2) // 2 for layer in range(layers))


def _log_fidelity(ansatz: Ansatz, target: MPS) -> float:
    made = run_circuit(ansatz.circuit(), angle=_ANGLE, max_bond=_MAX_BOND)
    return 2 * float(log_overlap(target, made.mps)[0])
