"""Matrix product states with open ends: the record, overlaps in the log domain, layers of gates.

Tensors have legs (vL, i, vR): left bond, physical index, right bond. Site 0 is leftmost.
"""

from dataclasses import dataclass

import numpy as np

# Below this relative weight an eigenvalue of a reduced density matrix is rounding error.
_ROUNDOFF_WEIGHT = 1e-15


@dataclass(frozen=True, eq=False)
class MPS:
    """A matrix product state.

    Attributes:
        tensors: One complex array per site, shape (vL, d, vR); the outermost bonds have size 1.
            d is 2 for a state and 4 for an operator, where i = 2 * output + input.
    """

    tensors: tuple[np.ndarray, ...]

    @classmethod
    def product(cls, states: np.ndarray) -> "MPS":
        """Return the product state of one-qubit states, shape (n, 2), or operators, (n, 2, 2)."""
        return cls(tuple(np.asarray(state, dtype=complex).reshape(1, -1, 1) for state in states))

    @property
    def num_qubits(self) -> int:
        """Number of sites."""
        return len(self.tensors)

    @property
    def bond_dimensions(self) -> tuple[int, ...]:
        """Size of each of the n - 1 inner bonds."""
        return tuple(tensor.shape[2] for tensor in self.tensors[:-1])

    @property
    def max_bond(self) -> int:
        """Largest bond dimension chi."""
        return max(self.bond_dimensions, default=1)

    def to_dense(self) -> np.ndarray:
        """Return the vector, shape (d**n,); site 0 is the leftmost Kronecker factor."""
        vector = np.ones((1, 1), dtype=complex)  # i vR
        for tensor in self.tensors:
            vector = np.tensordot(vector, tensor, 1).reshape(-1, tensor.shape[2])
        return vector[:, 0]


def from_vector(vector: np.ndarray, size: int = 2) -> MPS:
    """Return a state vector as an MPS, without truncation.

    Args:
        vector: shape (size**n,), site 0 leftmost.
        size: Levels of a site.

    Example:
        >>> from_vector(np.array([1.0, 0, 0, 0, 0, 0, 0, 1.0])).bond_dimensions
        (2, 2)
    """
    tensors = []
    rest = vector.reshape(1, -1)
    while rest.shape[1] > size:
        left, schmidt, right = np.linalg.svd(rest.reshape(size * len(rest), -1), False)
        rank = max(1, int(np.sum(schmidt > 1e-15 * schmidt[0])))
        tensors.append(left[:, :rank].reshape(-1, size, rank))
        rest = schmidt[:rank, None] * right[:rank]
    return MPS((*tensors, rest.reshape(-1, size, 1)))


def bell_pairs(num_qubits: int) -> np.ndarray:
    """Return the identity's Choi state site by site, shape (n, 2, 2): output, input."""
    return np.tile(np.eye(2) / np.sqrt(2), (num_qubits, 1, 1))


def as_matrix(state: MPS) -> np.ndarray:
    """Return an operator as a matrix, outputs in rows, of norm 1 as it is; a state as one column.

    Returns:
        shape (2**n, 2**n) or (2**n, 1); site 0 is the leftmost Kronecker factor.

    Example:
        >>> as_matrix(MPS.product(bell_pairs(2))).real.round(12).diagonal().tolist()
        [0.5, 0.5, 0.5, 0.5]
    """
    n = state.num_qubits
    legs = state.to_dense().reshape((2, state.tensors[0].shape[1] // 2) * n)
    return legs.transpose([*range(0, 2 * n, 2), *range(1, 2 * n, 2)]).reshape(2**n, -1)


def log_overlap(bra: MPS, ket: MPS) -> tuple[float, complex]:
    """Return (log |<bra|ket>|, phase of <bra|ket>), which never underflows.

    Args:
        bra: The state that is conjugated.
        ket: A state on as many qubits.

    Returns:
        The logarithm of the modulus (-inf for orthogonal states) and a complex number of modulus
        1 (0 for orthogonal states).

    Example:
        >>> plus = MPS.product(np.full((3, 2), 0.5**0.5))
        >>> zeros = MPS.product(np.tile([1.0, 0.0], (3, 1)))
        >>> round(float(log_overlap(zeros, plus)[0] / np.log(2)), 12)
        -1.5
    """
    boundary = np.ones((1, 1), dtype=complex)  # vL* vL
    log_modulus = 0.0
    for left, right in zip(bra.tensors, ket.tensors, strict=True):
        boundary = np.tensordot(boundary, right, 1)  # vL* i vR
        boundary = np.tensordot(left.conj(), boundary, ((0, 1), (0, 1)))  # vR* vR
        size = np.linalg.norm(boundary)
        if size == 0.0:
            return -np.inf, 0.0
        boundary = boundary / size
        log_modulus += np.log(size)
    amplitude = complex(boundary[0, 0])
    return log_modulus + np.log(abs(amplitude)), amplitude / abs(amplitude)


def normalized(state: MPS) -> MPS:
    """Return the state divided by its norm."""
    log_norm = log_overlap(state, state)[0] / 2
    scale = np.exp(-log_norm / state.num_qubits)  # spread evenly, so that no tensor overflows
    return MPS(tuple(tensor * scale for tensor in state.tensors))


def right_canonical(state: MPS) -> MPS:
    """Return the same state, normalized, with its orthogonality center on site 0.

    Example:
        >>> state = right_canonical(MPS((np.ones((1, 2, 3)), np.ones((3, 2, 1)))))
        >>> [tensor.shape for tensor in state.tensors]
        [(1, 2, 2), (2, 2, 1)]
    """
    tensors = []
    carried = np.ones((1, 1), dtype=complex)
    for tensor in reversed(state.tensors):
        grown = np.tensordot(tensor, carried, 1)
        q, r = np.linalg.qr(grown.reshape(grown.shape[0], -1).T)
        tensors.append(np.ascontiguousarray(q.T).reshape(-1, *grown.shape[1:]))
        carried = r.T / np.linalg.norm(r)
    tensors[-1] = np.tensordot(carried, tensors[-1], 1)
    return MPS(tuple(reversed(tensors)))


def as_mps(state: np.ndarray | MPS) -> MPS:
    """Return a product given site by site, as `MPS.product` takes it, or an MPS as it is."""
    return state if isinstance(state, MPS) else MPS.product(state)


class Sweep:
    """A normalized MPS in mixed canonical form that takes one layer of gates after another.

    The orthogonality center runs through the whole chain in each layer, so every truncation is an
    orthogonal projection whose lost weight is known exactly, and the losses of one layer are
    orthogonal to each other: sin^2(angle) = sum of the weights lost in the layer.

    On operators a gate acts on the outputs alone, or, with shape (16, 16), on whole sites.

    Args:
        state: A product state, or any state with its center on site 0 (right-canonical).

        record: Whether to keep the density matrices that the gates of the last layer met.

    Attributes:
        densities: Bond to two-site density matrix before its gate, shape (4, 4), if recorded.
        angle: Sum over layers of arcsin(sqrt(lost weight)), in radians: a bound on the angle
            between this state and the one without any truncation.
        weight: Sum of all lost weights.
    """

    def __init__(self, state: MPS, record: bool = False):
        self.tensors = list(state.tensors)
        self.densities: dict[int, np.ndarray] = {}
        self._record = record
        self.angle = 0.0
        self.weight = 0.0
        self._center_is_left = True

    @property
    def state(self) -> MPS:
        """The state now."""
        return MPS(tuple(self.tensors))

    def apply(self, first_bond: int, gates: np.ndarray, angle: float, max_bond: int) -> None:
        """Apply gates on bonds first_bond, first_bond + 2, ... and truncate.

        Args:
            first_bond: 0 for even bonds, 1 for odd ones.
            gates: One per bond, shape (bonds, 4, 4); for operators (bonds, 16, 16) too.
            angle: How far, in radians, this layer's truncation may turn the state; more is lost
                only where `max_bond` forces it.
            max_bond: Largest bond dimension kept.
        """
        by_bond = {first_bond + 2 * k: gate for k, gate in enumerate(gates)}
        self.apply_along(by_bond, angle, max_bond)

    def apply_along(self, by_bond: dict[int, np.ndarray], angle: float, max_bond: int) -> None:
        """Apply at most one gate on each bond, one after another in the direction of the sweep.

        What a later gate's truncation takes is orthogonal to what an earlier one's took, also
        where both act on the same site: the earlier projection lies behind the sweep.

        Args:
            by_bond: Bond to gate, shape (4, 4); for operators (16, 16) too.
            angle: How far, in radians, truncation may turn the state.
            max_bond: Largest bond dimension kept.
        """
        num_sites = len(self.tensors)
        budget = np.sin(min(angle, np.pi / 2)) ** 2
        lost = 0.0
        left_to_do = len(by_bond)
        bonds = range(num_sites - 1)
        for bond in bonds if self._center_is_left else reversed(bonds):
            if bond in by_bond:
                share = (budget - lost) / left_to_do
                lost += self._split(bond, by_bond[bond], max(share, 0.0), max_bond)
                left_to_do -= 1
            else:
                self._move_center(bond)
        self._renormalize()
        self._center_is_left = not self._center_is_left
        self.weight += lost
        self.angle += float(np.arcsin(min(1.0, np.sqrt(lost))))

    def rotate(self, gates: np.ndarray) -> None:
        """Apply one-qubit gates, shape (n, 2, 2), which keep the canonical form."""
        for site, gate in enumerate(gates):
            tensor = self.tensors[site]
            legs = tensor.reshape(len(tensor), 2, -1)  # vL output (input vR)
            self.tensors[site] = np.matmul(gate, legs).reshape(tensor.shape)

    def _split(self, bond: int, gate: np.ndarray, weight: float, max_bond: int) -> float:
        """Apply one gate, keep the heaviest Schmidt vectors, and return the weight lost."""
        left, right = self.tensors[bond], self.tensors[bond + 1]
        chi_l, size, chi_r = left.shape[0], left.shape[1], right.shape[2]
        pair = np.tensordot(left, right, 1).reshape(chi_l, size**2, chi_r)  # vL (i j) vR
        if self._record:
            density = np.tensordot(pair, pair.conj(), ((0, 2), (0, 2)))
            self.densities[bond] = density / np.trace(density)
        pair = np.matmul(_on_sites(gate, size), pair).reshape(size * chi_l, size * chi_r)
        if not self._center_is_left:
            pair = pair.T
        # The eigenvectors of the reduced density matrix are orthonormal to rounding error whatever
        # the size of their weights, so what follows is a projection; an SVD would cost more.
        weights, basis = np.linalg.eigh(pair @ pair.conj().T)
        total = weights.sum()
        tail = np.cumsum(np.clip(weights, 0.0, None))  # lightest first
        drop = int(np.searchsorted(tail, max(weight, _ROUNDOFF_WEIGHT) * total, side="right"))
        keep = min(max(1, len(weights) - drop), max_bond)
        basis = basis[:, len(weights) - keep :]
        center = basis.conj().T @ pair
        if self._center_is_left:
            self.tensors[bond] = basis.reshape(chi_l, size, keep)
            self.tensors[bond + 1] = center.reshape(keep, size, chi_r)
        else:
            self.tensors[bond] = np.ascontiguousarray(center.T).reshape(chi_l, size, keep)
            self.tensors[bond + 1] = np.ascontiguousarray(basis.T).reshape(keep, size, chi_r)
        if keep == len(weights):
            return 0.0
        return float(tail[len(weights) - keep - 1]) + _ROUNDOFF_WEIGHT

    def _move_center(self, bond: int) -> None:
        """Move the center across a bond without a gate."""
        left, right = self.tensors[bond], self.tensors[bond + 1]
        if self._center_is_left:
            q, r = np.linalg.qr(left.reshape(-1, left.shape[2]))
            self.tensors[bond] = q.reshape(*left.shape[:2], -1)
            self.tensors[bond + 1] = np.tensordot(r, right, 1)
        else:
            q, r = np.linalg.qr(right.reshape(right.shape[0], -1).T)
            self.tensors[bond + 1] = np.ascontiguousarray(q.T).reshape(-1, *right.shape[1:])
            self.tensors[bond] = np.tensordot(left, r.T, 1)

    def _renormalize(self) -> None:
        center = -1 if self._center_is_left else 0
        self.tensors[center] = self.tensors[center] / np.linalg.norm(self.tensors[center])


def _on_sites(gate: np.ndarray, size: int) -> np.ndarray:
    """Return a two-qubit gate as a matrix on two sites of this size."""
    if len(gate) == size**2:
        return gate
    legs = np.einsum("abcd,xz,yw->axbyczdw", gate.reshape(2, 2, 2, 2), np.eye(2), np.eye(2))
    return legs.reshape(16, 16)
