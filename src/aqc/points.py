"""From matrices to points of a block manifold and back, in double precision, on the host."""

import functools

import numpy as np

from aqc.blocks import BLOCKS, Block, paulis
from aqc.gates import evolution, pauli

_INTERACTIONS = np.stack([pauli(name) for name in ("XX", "YY", "ZZ")])


def nearest_point(matrices: np.ndarray, block: str) -> np.ndarray:
    """Return points of a manifold that are near two-qubit gates.

    Of a group the nearest one. Else, with G = K exp(i (a XX + b YY + c ZZ)) K' and pi/4 >= a >= b
    >= |c|, the coordinates are replaced by the nearest ones that the type has. Phases are dropped.

    Args:
        matrices: shape (gates, 4, 4), unitary up to rounding.
        block: A key of `aqc.blocks.BLOCKS`.

    Returns:
        shape (gates, factors, 4, 4), complex128.

    Example:
        >>> from aqc.gates import CX
        >>> nearest_point(CX[None], "cx2").shape, nearest_point(CX[None], "u1").shape
        ((1, 3, 4, 4), (1, 1, 4, 4))
    """
    manifold = BLOCKS[block]
    if manifold.coordinates is None:
        return unitary(matrices * _support(manifold))[:, None]
    if not len(matrices):
        return np.empty((0, 3, 4, 4), dtype=complex)
    from aqc.interop.kak import cartan  # Qiskit: only where a type needs it

    left, abc, right = cartan(matrices)
    exponents = np.tensordot(manifold.coordinates(abc), _INTERACTIONS, 1)
    return np.stack([left, evolution(exponents, -1.0), right], axis=1)


def exact_matrices(point: np.ndarray, block: str) -> np.ndarray:
    """Return the gates of a point, of their type to double precision also after single.

    Args:
        point: shape (gates, factors, 4, 4), of the optimizer, in its precision.
        block: A key of `aqc.blocks.BLOCKS`.

    Returns:
        shape (gates, 4, 4), complex128.

    Example:
        >>> from aqc.gates import cx_count, evolution
        >>> gate = evolution(pauli("XX") + 0.5 * pauli("YY") + 1e-7 * pauli("ZZ"), 0.3)
        >>> cx_count(gate, 1e-12)
        3
        >>> cx_count(exact_matrices(nearest_point(gate[None], "cx2"), "cx2")[0], 1e-12)
        2
    """
    product = _product(np.asarray(point).astype(np.complex128))
    return _product(nearest_point(unitary(product), block))


def unitary(matrices: np.ndarray) -> np.ndarray:
    """Return the nearest unitaries, to double precision also after single.

    Args:
        matrices: shape (..., d, d).

    Returns:
        shape (..., d, d), complex128.

    Example:
        >>> unitary(np.eye(2, dtype=np.complex64) * 1.0000001).dtype
        dtype('complex128')
    """
    left, _, right = np.linalg.svd(matrices.astype(np.complex128))
    return left @ right


def _product(point: np.ndarray) -> np.ndarray:
    return functools.reduce(np.matmul, (point[:, k] for k in range(point.shape[1])))


def _support(group: Block) -> np.ndarray:
    """Return which entries the matrices of a group of factors can have, shape (4, 4)."""
    reach = group.frame(np.eye(4, dtype=complex)[None, None])[0]  # in Pauli products
    return np.eye(4) + abs(np.tensordot(reach, paulis(), 1)).sum(axis=0) > 1e-12
