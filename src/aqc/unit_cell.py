"""Long chains with a unit cell: a short chain is fitted first, and its middle repeated.

Away from its ends a chain whose couplings and product state repeat after two sites needs the same
gates in every cell. The middle is cut out until a short chain is left; that chain's ends are the
long one's. Its fit begins at Trotter's circuit, which repeats exactly, and every gate follows the
gradient of its own surroundings, so gates far from the ends stay alike, matrix by matrix: also what
is free in the one-qubit gates between two blocks is the same in every cell, and copies of the
middle cell fit together. The fit of the long chain goes on from there and relaxes what is left.
"""

from collections.abc import Sequence

import numpy as np

from aqc.ansatz import Ansatz
from aqc.estimate import evaluation_memory
from aqc.fit import fit
from aqc.given import GivenCircuit
from aqc.hamiltonian import Hamiltonian
from aqc.initial_state import BlochState, InitialState
from aqc.problem import Problem
from aqc.start import start_ansatz
from aqc.targets import make_target

# Sites of the short chain: what reaches its middle cell from both ends, and some more.
_SITES_PER_LAYER, _MORE_SITES = 2, 24
# Times as many sites make it worth a fit of its own.
_LONG = 5
# Of the infidelity density asked for: the ends do better than the middle.
_STRICTER = 0.7


def repeated_starts(problem: Problem, layers: int) -> list[tuple[str, Ansatz]]:
    """Return a start made of a short chain's fit, none where nothing repeats.

    Args:
        problem: What problem.json holds.
        layers: Brick layers.
    """
    shorter = shorten(problem, layers)
    if shorter is None:
        return []
    target = make_target(shorter).mps
    found = fit(
        start_ansatz(shorter, target, layers),
        target,
        objective=problem.objective,
        overlap_method=problem.overlap,
        max_evaluations=problem.optimizer.max_steps,
        goal=shorter.goal.infidelity,
        memory_limit=evaluation_memory(shorter, layers, target.max_bond),
    )
    return [("repeated", lengthen(found.ansatz, problem.num_qubits))]


def shorten(problem: Problem, layers: int) -> Problem | None:
    """Return the problem with the middle of its chain cut out, None where that does not repeat.

    Args:
        problem: What problem.json holds.
        layers: Brick layers; the deeper the circuit, the longer what is left.

    Example:
        >>> model = {"model": "xxz_chain", "num_qubits": 501}
        >>> shorten(Problem.build(model, 1.0, initial_state="neel"), 9).num_qubits
        43
    """
    n = problem.num_qubits
    width = _SITES_PER_LAYER * layers + _MORE_SITES
    width += (n - width) % 2
    given = isinstance(problem.initial_state, GivenCircuit) or problem.ansatz.start is not None
    evolved = problem.time is not None and not problem.schedule and problem.mode == "state"
    if given or not evolved or n < _LONG * width:
        return None
    hamiltonian, sites = problem.to_hamiltonian(), problem.product_state()
    if problem.schedule or not hamiltonian.is_chain:
        return None
    first, last = _middle(width), n - width + _middle(width)
    if not hamiltonian.is_chain or not _repeats(sites[first - 1 : last + 1]):
        return None
    if not _repeats(hamiltonian.bond_matrices()[first - 1 : last + 1]):
        return None
    goal = -np.expm1(_STRICTER * width / n * np.log1p(-problem.goal.infidelity))
    target = {"tolerance": problem.target.tolerance * width / n}
    return problem.model_copy(
        update={
            "hamiltonian": _without(hamiltonian, first, last),
            "initial_state": _cut(problem.initial_state, first, last),
            "goal": problem.goal.model_copy(update={"infidelity": float(goal)}),
            "target": problem.target.model_copy(update=target),
            "observables": (),
        }
    )


def lengthen(ansatz: Ansatz, num_qubits: int) -> Ansatz:
    """Return the circuit on more qubits, the two layers' cell at its middle repeated.

    Args:
        ansatz: On fewer qubits, as many odd or even.
        num_qubits: How many.

    Example:
        >>> short = Ansatz(np.tile([1.0, 0.0], (5, 1)), 2, np.tile(np.eye(4), (4, 1, 1)))
        >>> lengthen(short, 9).blocks.shape
        (8, 4, 4)
    """
    first, more = _middle(ansatz.num_qubits), num_qubits - ansatz.num_qubits

    def origin(site: int) -> int:
        if site < first + more:
            return min(site, first + (site - first) % 2)
        return site - more

    numbers = iter(range(len(ansatz.blocks)))
    place = {
        (layer, bond): next(numbers) for layer, bonds in enumerate(ansatz.bonds) for bond in bonds
    }
    sites = ansatz.state[[origin(site) for site in range(num_qubits)]]
    longer = Ansatz(sites, ansatz.layers, ansatz.blocks, ansatz.block)
    chosen = [
        place[layer, origin(bond)] for layer, bonds in enumerate(longer.bonds) for bond in bonds
    ]
    return longer.with_blocks(ansatz.blocks[chosen])


def _middle(width: int) -> int:
    """Return the first site of the cell in the middle, an even one."""
    return width // 4 * 2


def _repeats(parts: np.ndarray) -> bool:
    """Whether what follows after two steps is the same."""
    return bool(np.allclose(parts[2:], parts[:-2], rtol=0, atol=1e-12))


def _without(hamiltonian: Hamiltonian, first: int, last: int) -> Hamiltonian:
    """Return the chain without the sites from `first` up to before `last`."""
    removed = last - first
    terms: list[Sequence[object]] = [["", [], hamiltonian.constant]]
    for term in hamiltonian.terms:
        if term.qubits[-1] <= first and term.qubits[0] < first:
            # The bond over the cut is that to the first of the sites that go.
            terms.append([term.pauli, list(term.qubits), term.coefficient])
        elif term.qubits[0] >= last:
            qubits = [qubit - removed for qubit in term.qubits]
            terms.append([term.pauli, qubits, term.coefficient])
    return Hamiltonian.from_terms(hamiltonian.num_qubits - removed, terms)


def _cut(state: InitialState, first: int, last: int) -> InitialState:
    """Return the initial state without some sites."""
    if isinstance(state, BlochState):
        return BlochState(state.bloch[:first] + state.bloch[last:])
    if isinstance(state, str) and set(state) <= {"0", "1"}:
        bits = state[::-1]
        return (bits[:first] + bits[last:])[::-1]
    if isinstance(state, tuple):
        return state[:first] + state[last:]
    assert isinstance(state, str)
    return state
