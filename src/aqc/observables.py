"""What one would measure: energy, <Z_j> and <Z_j Z_j+1>, from the density matrices of all bonds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aqc.gates import pauli
from aqc.hamiltonian import Hamiltonian
from aqc.mps import MPS, right_canonical

_Z_LEFT, _Z_RIGHT, _ZZ = (pauli(letters).diagonal().real for letters in ("ZI", "IZ", "ZZ"))


def bond_densities(state: MPS) -> np.ndarray:
    """Return the density matrix of every pair of neighbors.

    Args:
        state: On two qubits or more, in any gauge and of any norm but zero.

    Returns:
        shape (n - 1, 4, 4), trace 1; index 2 * s_left + s_right.

    Example:
        >>> bell = MPS((np.eye(2).reshape(1, 2, 2), np.eye(2).reshape(2, 2, 1)))
        >>> bond_densities(bell)[0].real.round(12).tolist()[0]
        [0.5, 0.0, 0.0, 0.5]
    """
    lefts = [np.ones((1, 1), dtype=complex)]  # vL* vL
    for tensor in state.tensors[:-2]:
        grown = np.tensordot(lefts[-1], tensor, 1)  # vL* i vR
        lefts.append(_scaled(np.tensordot(tensor.conj(), grown, ((0, 1), (0, 1)))))
    right = np.ones((1, 1), dtype=complex)  # vR vR*
    after = _open_right(state.tensors[-1], right)
    densities = []
    for left, tensor in zip(reversed(lefts), state.tensors[-2::-1], strict=True):
        before = _open_left(tensor, left)
        density = np.tensordot(before, after, ((3, 1), (0, 2)))  # i* i k k*
        density = density.transpose(1, 2, 0, 3).reshape(4, 4)
        densities.append(density / np.trace(density))
        right = _scaled(np.einsum("akbk->ab", after))
        after = _open_right(tensor, right)
    return np.stack(densities[::-1])


def bond_densities_dense(vector: np.ndarray) -> np.ndarray:
    """Return the density matrix of every pair of neighbors, of a state vector.

    Args:
        vector: shape (2**n,), qubit 0 leftmost.

    Returns:
        shape (n - 1, 4, 4), trace 1.
    """
    num_qubits = len(vector).bit_length() - 1
    densities = []
    for bond in range(num_qubits - 1):
        pairs = vector.reshape(2**bond, 4, -1).transpose(1, 0, 2).reshape(4, -1)
        density = pairs @ pairs.conj().T
        densities.append(density / np.trace(density))
    return np.stack(densities)


def entanglement_entropies(state: MPS) -> np.ndarray:
    """Return the entanglement entropy across each bond, in bits.

    S_j = -sum_k s_k^2 log2 s_k^2 with the Schmidt values s_k between the sites j and j + 1.

    Args:
        state: Of any gauge and norm.

    Returns:
        shape (n - 1,), from 0 for a product to log2(chi).

    Example:
        >>> bell = MPS((np.eye(2).reshape(1, 2, 2), np.eye(2).reshape(2, 2, 1)))
        >>> entanglement_entropies(bell).round(12).tolist()
        [1.0]
    """
    entropies = []
    carried = np.ones((1, 1), dtype=complex)
    for tensor in right_canonical(state).tensors[:-1]:
        grown = np.tensordot(carried, tensor, 1).reshape(-1, tensor.shape[2])  # (vL i) vR
        _, schmidt, right = np.linalg.svd(grown, full_matrices=False)
        weights = schmidt[schmidt > 0] ** 2
        entropies.append(max(0.0, -float(weights @ np.log2(weights))))
        carried = schmidt[:, None] * right
    return np.array(entropies)


@dataclass(frozen=True, eq=False)
class Observables:
    """Expectation values of a state.

    Attributes:
        energy: <H>, or None where no Hamiltonian is known.
        z: <Z_j>, shape (n,).
        zz: <Z_j Z_j+1>, shape (n - 1,).
    """

    energy: float | None
    z: np.ndarray
    zz: np.ndarray

    @classmethod
    def of(cls, densities: np.ndarray, hamiltonian: Hamiltonian | None) -> "Observables":
        """Return the expectation values in a state with given bond density matrices.

        Args:
            densities: From `bond_densities`.
            hamiltonian: H, if known.

        Example:
            >>> up = bond_densities(MPS.product(np.tile([1.0, 0.0], (3, 1))))
            >>> chain = Hamiltonian.from_terms(3, [("ZZ", (0, 1), 2.0), ("Z", (2,), 0.5)])
            >>> Observables.of(up, chain).energy
            2.5
        """
        energy = None
        if hamiltonian is not None:
            bonds = hamiltonian.bond_matrices()
            energy = float(np.einsum("bij,bji->", densities, bonds).real) + hamiltonian.constant
        weights = np.einsum("bii->bi", densities).real
        z = np.append(weights @ _Z_LEFT, weights[-1] @ _Z_RIGHT)
        return cls(energy, z, weights @ _ZZ)


def compare(circuit: Observables, target: Observables) -> dict[str, Any]:
    """Return what result.json says of the observables: both values, and their differences.

    Returns:
        For z and zz the lists of both states, of circuit - target, and the largest difference;
        for the energy the numbers, or None.
    """
    energy = None
    if circuit.energy is not None and target.energy is not None:
        energy = difference(circuit.energy, target.energy)
    return {
        "energy": energy,
        "z": _lists(circuit.z, target.z),
        "zz": _lists(circuit.zz, target.zz),
    }


def difference(circuit: float, target: float) -> dict[str, float]:
    """Return what result.json says of one observable.

    Example:
        >>> difference(0.5, 0.25)
        {'circuit': 0.5, 'target': 0.25, 'error': 0.25}
    """
    return {"circuit": circuit, "target": target, "error": circuit - target}


def _lists(circuit: np.ndarray, target: np.ndarray) -> dict[str, float | Sequence[float]]:
    error = circuit - target
    return {
        "max_error": float(np.abs(error).max()),
        "error": error.tolist(),
        "circuit": circuit.tolist(),
        "target": target.tolist(),
    }


def _open_left(tensor: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Return legs i*, vR*, i, vR of a site with all that lies left of it contracted."""
    chi_l, _, chi_r = tensor.shape
    grown = (left @ tensor.reshape(chi_l, -1)).reshape(chi_l, -1)  # vL* (i vR)
    opened = tensor.conj().reshape(chi_l, -1).T @ grown
    return opened.reshape(2, chi_r, 2, chi_r)


def _open_right(tensor: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return legs vL, i, vL*, i* of a site with all that lies right of it contracted."""
    chi_l, _, chi_r = tensor.shape
    grown = (tensor.reshape(-1, chi_r) @ right).reshape(-1, right.shape[1])  # (vL i) vR*
    opened = grown @ tensor.conj().reshape(-1, chi_r).T
    return opened.reshape(chi_l, 2, chi_l, 2)


def _scaled(environment: np.ndarray) -> np.ndarray:
    """Return an environment divided by its trace, so that nothing under- or overflows."""
    return environment / np.trace(environment)
