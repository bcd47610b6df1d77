"""Small matrices: Paulis, exponentials, product states, and how many CX a two-qubit gate needs.

Two-qubit matrices act on kron(left qubit, right qubit): row index 2 * s_left + s_right.
"""

import functools

import numpy as np

PAULI = {
    "I": np.eye(2, dtype=complex),
    "X": np.array([[0, 1], [1, 0]], dtype=complex),
    "Y": np.array([[0, -1j], [1j, 0]], dtype=complex),
    "Z": np.array([[1, 0], [0, -1]], dtype=complex),
}


def pauli(letters: str) -> np.ndarray:
    """Return the Kronecker product of Pauli matrices, first letter leftmost.

    Args:
        letters: For example "XZ" for X on the left and Z on the right qubit.

    Returns:
        Complex matrix, shape (2**k, 2**k) for k letters.

    Example:
        >>> pauli("ZZ").diagonal().real.tolist()
        [1.0, -1.0, -1.0, 1.0]
    """
    return functools.reduce(
        np.kron, (PAULI[letter] for letter in letters), np.eye(1, dtype=complex)
    )


def evolution(hamiltonian: np.ndarray, time: float) -> np.ndarray:
    """Return exp(-i H t) of Hermitian matrices.

    Args:
        hamiltonian: shape (..., d, d), Hermitian.
        time: t, in units of 1/energy.

    Returns:
        Unitary matrices, shape (..., d, d).

    Example:
        >>> evolution(pauli("Z"), np.pi).diagonal().real.round(12).tolist()
        [-1.0, -1.0]
    """
    energies, vectors = np.linalg.eigh(hamiltonian)
    phases = np.exp(-1j * time * energies)
    return (vectors * phases[..., None, :]) @ vectors.conj().swapaxes(-1, -2)


def bloch_state(theta: float, phi: float) -> np.ndarray:
    """Return cos(theta/2)|0> + exp(i phi) sin(theta/2)|1>.

    Example:
        >>> bloch_state(0.0, 0.0).real.tolist()
        [1.0, 0.0]
    """
    return np.array([np.cos(theta / 2), np.exp(1j * phi) * np.sin(theta / 2)])


def exchanged(matrix: np.ndarray) -> np.ndarray:
    """Return a two-qubit matrix with its qubits in the other order.

    Example:
        >>> np.array_equal(exchanged(pauli("XZ")), pauli("ZX"))
        True
    """
    return matrix.reshape(2, 2, 2, 2).transpose(1, 0, 3, 2).reshape(4, 4)


def preparation(state: np.ndarray) -> np.ndarray:
    """Return a unitary whose first column is `state`, so that it maps |0> to it.

    Args:
        state: shape (2,), unit norm.

    Returns:
        shape (2, 2).
    """
    a, b = state
    return np.array([[a, -np.conj(b)], [b, np.conj(a)]])


def shortest_preparation(state: np.ndarray) -> np.ndarray:
    """Return a two-qubit unitary that maps |00> to `state` and needs one CX (none if a product).

    With the Schmidt decomposition state = sum_k s_k |u_k>|v_k>, the unitary is
    (U x V) CX (R x I), R|0> = s_0|0> + s_1|1>, where U and V hold u_k and v_k as columns.

    Args:
        state: shape (4,), unit norm, index 2 * s_left + s_right.

    Returns:
        shape (4, 4).
    """
    left, schmidt, right = np.linalg.svd(state.reshape(2, 2))
    schmidt = schmidt / np.linalg.norm(schmidt)
    rotation = np.array([[schmidt[0], -schmidt[1]], [schmidt[1], schmidt[0]]])
    entangle = CX if schmidt[1] > 1e-12 else np.eye(4)
    return np.kron(left, right.T) @ entangle @ np.kron(rotation, np.eye(2))


CX = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]], dtype=complex)

_MAGIC = np.array([[1, 0, 0, 1j], [0, 1j, 1, 0], [0, 1j, -1, 0], [1, 0, 0, -1j]]) / np.sqrt(2)


def cx_count(unitary: np.ndarray, tolerance: float = 1e-9) -> int:
    """Return the fewest CX, 0 to 3, that make a two-qubit unitary exactly.

    With U in SU(4) and m = (M^dagger U M)^T (M^dagger U M) in the magic basis M: 0 CX when
    m = +-1, 1 when tr m = 0 and m^2 = -1, 2 when tr m is real, else 3.

    Args:
        unitary: shape (4, 4).
        tolerance: How far from exact the conditions may be.

    Source: Shende, Bullock, Markov, quant-ph/0308045, Proposition III.

    Example:
        >>> cx_count(CX), cx_count(evolution(pauli("XX") + pauli("YY"), 0.3))
        (1, 2)
    """
    special = unitary / complex(np.linalg.det(unitary)) ** 0.25
    rotated = _MAGIC.conj().T @ special @ _MAGIC
    invariant = rotated.T @ rotated
    trace = np.trace(invariant)
    # The fourth root of det is fixed up to i, which turns `invariant` into its negative or not.
    if abs(invariant - np.sign(trace.real) * np.eye(4)).max() < tolerance:
        return 0
    if abs(trace) < tolerance and abs(invariant @ invariant + np.eye(4)).max() < tolerance:
        return 1
    return 2 if abs(trace.imag) < tolerance else 3


def product_factors(unitary: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return 2x2 unitaries A, B with U = A x B, or None if U is no product.

    Example:
        >>> a, b = product_factors(pauli("XZ"))
        >>> np.allclose(np.kron(a, b), pauli("XZ")), product_factors(CX) is None
        (True, True)
    """
    operator = unitary.reshape(2, 2, 2, 2).transpose(0, 2, 1, 3).reshape(4, 4)
    left, schmidt, right = np.linalg.svd(operator)
    if schmidt[1] > 1e-12:
        return None
    scale = np.sqrt(2)
    return left[:, 0].reshape(2, 2) * scale, right[0].reshape(2, 2) * (schmidt[0] / scale)


def nearest_factors(unitary: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return 2x2 unitaries A, B whose product A x B is near U: the heaviest Schmidt pair's.

    Example:
        >>> a, b = nearest_factors(np.exp(0.3j) * pauli("XZ"))
        >>> round(float(abs(np.trace(np.kron(a, b).conj().T @ pauli("XZ")))), 12)
        4.0
    """
    operator = unitary.reshape(2, 2, 2, 2).transpose(0, 2, 1, 3).reshape(4, 4)
    left, _, right = np.linalg.svd(operator)
    a, _, b = np.linalg.svd(np.stack([left[:, 0].reshape(2, 2), right[0].reshape(2, 2)]))
    factors: np.ndarray = a @ b
    return factors[0], factors[1]


def entangling_strength(unitaries: np.ndarray) -> np.ndarray:
    """Return how strongly two-qubit unitaries entangle: 0 for products, 2/3 for CX, 1 for SWAP.

    It is 4/3 (1 - sum_k p_k^2), p_k the squared operator-Schmidt coefficients, which sum to 1.

    Args:
        unitaries: shape (..., 4, 4).

    Returns:
        shape (...).

    Example:
        >>> round(float(entangling_strength(CX)), 12)
        0.666666666667
    """
    legs = unitaries.reshape(*unitaries.shape[:-2], 2, 2, 2, 2)  # left out, right out, left in, ...
    operator = np.moveaxis(legs, -2, -3).reshape(*unitaries.shape[:-2], 4, 4)
    weights = np.linalg.svd(operator, compute_uv=False) ** 2 / 4
    return np.clip(4 / 3 * (1 - np.sum(weights**2, axis=-1)), 0.0, 1.0)
