"""A brickwork for a state of which nothing is known but its tensors: undo its entanglement.

Layer by layer, from the last to the first, each block is chosen such that its inverse brings the
qubit that lies nearer to the chain's end as close to |0> as the two-site density matrix allows.
What is left after all layers is approximated by a product state. Gates for a matrix product state
by disentangling: Ran, arXiv:1908.07958, who uses staircases of gates in place of bricks.
"""

import numpy as np

from aqc.ansatz import Ansatz
from aqc.mps import MPS, Sweep, right_canonical
from aqc.observables import bond_densities
from aqc.threads import one_blas_thread

_ROUNDS = 20
_CONVERGED = 1e-10
# A start need not be exact; what is cut here is far below what a few layers leave.
_ANGLE_PER_LAYER = 1e-3
_MAX_BOND = 64
_SWAP = np.eye(4)[[0, 2, 1, 3]]


@one_blas_thread()
def disentangle(target: MPS, layers: int) -> Ansatz:
    """Return a brickwork whose state comes near a target, found without any optimization.

    It is exact for states such as GHZ, where a gradient finds no way, and coarse for most others.

    Args:
        target: Normalized.
        layers: Brick layers.

    Returns:
        The ansatz.

    Source: after Ran, arXiv:1908.07958, Sec. II; here in layers of bricks.

    Example:
        >>> bell = MPS((np.eye(2).reshape(1, 2, 2), np.eye(2).reshape(2, 2, 1) / 2**0.5))
        >>> ansatz = disentangle(bell, 1)
        >>> round(float(np.linalg.norm(ansatz.blocks[0] @ np.kron(*ansatz.state))), 12)
        1.0
    """
    sweep = Sweep(right_canonical(target))
    taken: list[np.ndarray] = []
    for layer in reversed(range(layers)):
        bonds = range(layer % 2, target.num_qubits - 1, 2)
        if not bonds:
            continue
        densities = bond_densities(sweep.state)
        inverses = np.stack([_inverse(densities[bond], bond, target.num_qubits) for bond in bonds])
        sweep.apply(bonds[0], inverses, _ANGLE_PER_LAYER, _MAX_BOND)
        taken.append(inverses.conj().swapaxes(1, 2))
    return Ansatz(nearest_product(sweep.state), layers, np.concatenate(taken[::-1]))


def nearest_product(state: MPS) -> np.ndarray:
    """Return one-qubit states whose product has a large overlap with a state, shape (n, 2).

    Site by site the best choice for all others fixed, back and forth until nothing is gained.
    """
    sites = list(likeliest_product(state))
    before = -np.inf
    for _ in range(_ROUNDS):
        rights = [np.ones(1, dtype=complex)]
        for tensor, site in zip(reversed(state.tensors), reversed(sites), strict=True):
            grown = np.einsum("lir,i,r->l", tensor, site.conj(), rights[-1])
            rights.append(grown / max(np.linalg.norm(grown), 1e-300))
        left, log_norm = np.ones(1, dtype=complex), 0.0
        for number, tensor in enumerate(state.tensors):
            best = np.einsum("l,lir,r->i", left, tensor, rights[-2 - number])
            if np.linalg.norm(best) > 0:
                sites[number] = best / np.linalg.norm(best)
            left = np.einsum("l,lir,i->r", left, tensor, sites[number].conj())
            norm = max(float(np.linalg.norm(left)), 1e-300)
            left, log_norm = left / norm, log_norm + np.log(norm)
        if log_norm - before < _CONVERGED:
            break
        before = log_norm
    return np.array(sites)


def likeliest_product(state: MPS) -> np.ndarray:
    """Return the heaviest eigenvector of each site's density matrix, shape (n, 2)."""
    pairs = bond_densities(state).reshape(-1, 2, 2, 2, 2)  # i k i* k*
    densities = [*np.einsum("bikjk->bij", pairs), np.einsum("kikj->ij", pairs[-1])]
    return np.linalg.eigh(np.stack(densities))[1][:, :, -1]


def _inverse(density: np.ndarray, bond: int, num_qubits: int) -> np.ndarray:
    """Return a gate that takes a pair's heaviest states to |00> and |01> (right half: |10>)."""
    vectors = np.linalg.eigh(density)[1][:, ::-1]  # heaviest first
    inverse: np.ndarray = vectors.conj().T
    # The qubit left entangled is the one nearer to the middle, where both halves meet.
    return inverse if bond < (num_qubits - 1) // 2 else _SWAP @ inverse
