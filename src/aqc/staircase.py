"""Staircases of two-qubit gates for a matrix product state: the generic method, as a baseline.

A state of bond dimension 2 is made exactly by gates on bonds 0, 1, ..., n - 2, one after another.
Undoing the nearest such state leaves a state with less entanglement, of which the same is done
again: layer by layer the circuit V_1 V_2 ... V_K |0...0> comes closer.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from aqc.circuit import Circuit, Gate
from aqc.mps import MPS, Sweep, log_overlap, right_canonical
from aqc.simulate import compress
from aqc.threads import one_blas_thread

# Of the state that is being undone; the fidelity told is that of the layers so far, to about this.
_ANGLE_PER_LAYER = 1e-4
_MAX_BOND = 128


@dataclass(frozen=True, eq=False)
class Staircases:
    """Layers of staircases, and how close they come.

    Attributes:
        num_qubits: Number of qubits.
        layers: V_1, V_2, ...: for each the gates on bonds 0, 1, ..., shape (n - 1, 4, 4).
        infidelities: 1 - F with 1, 2, ... layers.
    """

    num_qubits: int
    layers: tuple[np.ndarray, ...]
    infidelities: tuple[float, ...]

    def circuit(self) -> Circuit:
        """Return the circuit on |0...0>: the last layer acts first."""
        gates = [
            Gate((bond, bond + 1), matrix)
            for layer in reversed(self.layers)
            for bond, matrix in enumerate(layer)
        ]
        return Circuit(self.num_qubits, tuple(gates))


def staircases(target: MPS, *, infidelity: float, most: int = 64) -> Staircases:
    """Return as many staircases as bring |0...0> within an infidelity of a state.

    Args:
        target: Normalized, on two qubits or more.
        infidelity: Where to stop.
        most: Most layers.

    Source: Ran, arXiv:1908.07958, Sec. II.

    Example:
        >>> from aqc.gates import CX
        >>> ghz = MPS((np.eye(2).reshape(1, 2, 2), np.eye(2).reshape(2, 2, 1) / 2**0.5))
        >>> found = staircases(ghz, infidelity=1e-9)
        >>> len(found.layers), found.infidelities[0] < 1e-12
        (1, True)
    """
    found: list[np.ndarray] = []
    infidelities: list[float] = []
    for layer, left in _layers(target):
        found.append(layer)
        infidelities.append(left)
        if left <= infidelity or len(found) == most:
            break
    return Staircases(target.num_qubits, tuple(found), tuple(infidelities))


def _layers(target: MPS) -> Iterator[tuple[np.ndarray, float]]:
    """Yield layers without end, each with the infidelity of all so far."""
    state = right_canonical(target)
    zeros = MPS.product(np.tile([1.0, 0.0], (target.num_qubits, 1)))
    while True:
        gates = _exact(compress(state, angle=0.0, max_bond=2).mps)
        state = _undone(state, gates)
        yield gates, float(-np.expm1(min(0.0, 2 * log_overlap(zeros, state)[0])))


@one_blas_thread()
def _undone(state: MPS, gates: np.ndarray) -> MPS:
    """Return what the inverse of a staircase makes of a state, with its center on site 0."""
    sweep = Sweep(state)
    sweep.apply_along({}, 0.0, _MAX_BOND)  # the center goes to the right end
    inverses = {bond: gate.conj().T for bond, gate in enumerate(gates)}
    sweep.apply_along(inverses, _ANGLE_PER_LAYER, _MAX_BOND)
    return sweep.state


def _exact(state: MPS) -> np.ndarray:
    """Return the staircase of a state of bond dimension 2.

    With right-canonical tensors B the gate of bond j maps |a>|0> to sum_ib B[a, i, b] |i>|b>, for
    the bond's state a that the gate before left on qubit j.
    """
    tensors = list(right_canonical(state).tensors)
    last = np.tensordot(tensors[-2], tensors[-1], 1)
    gates = []
    for tensor in [*tensors[:-2], last.reshape(last.shape[0], 2, 2)]:
        columns = np.zeros((4, tensor.shape[0]), dtype=complex)
        padded = np.zeros((tensor.shape[0], 2, 2), dtype=complex)
        padded[:, :, : tensor.shape[2]] = tensor
        columns[:] = padded.reshape(tensor.shape[0], 4).T
        gates.append(_completed(columns))
    return np.stack(gates)


def _completed(columns: np.ndarray) -> np.ndarray:
    """Return a unitary whose columns |00> and |10> are given (one or two of them)."""
    count = columns.shape[1]
    left, _, right = np.linalg.svd(columns)
    isometry = left[:, :count] @ right  # free of rounding
    rest = left[:, count:]
    order = [0, 2, 1, 3]  # |00>, |10>, then what never enters
    unitary = np.empty((4, 4), dtype=complex)
    unitary[:, order] = np.concatenate([isometry, rest], axis=1)
    return unitary
