"""Two-qubit unitaries as CX, CZ, ECR, iSWAP or RZZ gates between one-qubit unitaries, exactly.

Qiskit's two-qubit decomposers first move a block to the nearest special gate, which costs up to
1e-4 in the operator norm even for ordinary Trotter blocks. Here Qiskit only finds the Cartan
coordinates, without that step, and the class of a block is read off them.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from qiskit.circuit.library import CXGate, CZGate, ECRGate, iSwapGate
from qiskit.synthesis import TwoQubitBasisDecomposer, TwoQubitWeylDecomposition

from aqc.errors import InputError
from aqc.gates import PAULI

# A Cartan coordinate this small is rounding: dropping it costs its square in infidelity.
COORDINATE_TOLERANCE = 1e-12
UNITARY_TOLERANCE = 1e-9

Pair = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Decomposition:
    """A two-qubit unitary as (l_k x r_k) G_k ... G_2 (l_1 x r_1) G_1 (l_0 x r_0), up to a phase.

    Attributes:
        locals: The pairs (l_0, r_0), ..., (l_k, r_k), one-qubit unitaries of shape (2, 2).
        parameters: For each of the k entangling gates its parameters: () but for RZZ,
            (theta,) for RZZ(theta). CX and ECR have the right qubit first.
    """

    locals: tuple[Pair, ...]
    parameters: tuple[tuple[float, ...], ...]


def decompose(unitaries: np.ndarray, basis: str) -> list[Decomposition]:
    """Return every block with the fewest uses (0 to 3) of an entangling gate.

    U = (K1_l x K1_r) exp(i (a XX + b YY + c ZZ)) (K2_l x K2_r) with pi/4 >= a >= b >= |c|.
    CX, CZ and ECR are used 0 times if a = b = c = 0, once if (a, b, c) = (pi/4, 0, 0), twice if
    c = 0, else 3 times; iSWAP likewise, once if (a, b, c) = (pi/4, pi/4, 0); RZZ once for each
    coordinate that is not zero, by 0 < theta <= pi/2.

    Args:
        unitaries: shape (N, 4, 4), acting on kron(left qubit, right qubit).
        basis: "cx", "cz", "ecr", "iswap" or "rzz".

    Returns:
        N decompositions, equal to the blocks to about 1e-13 up to a phase.

    Raises:
        InputError: The basis is unknown or a matrix is not unitary.

    Source: Zhang, Vala, Sastry, Whaley, quant-ph/0209120 (the Weyl chamber); Shende, Bullock,
    Markov, quant-ph/0308045 (the counts).

    Example:
        >>> from aqc.gates import evolution, pauli
        >>> (block,) = decompose(evolution(pauli("ZZ"), 0.2)[None], "rzz")
        >>> [[round(angle, 12) for angle in angles] for angles in block.parameters]
        [[0.4]]
    """
    if basis not in BASES:
        raise InputError(
            f"`basis` must be one of {', '.join(BASES)}, but is {basis!r}.", "/circuit/basis"
        )
    return [BASES[basis](_weyl(unitary)) for unitary in nearest_unitary(unitaries)]


def nearest_unitary(matrices: np.ndarray) -> np.ndarray:
    """Return the unitary factors of polar decompositions: rounding in a product is removed.

    Args:
        matrices: shape (..., d, d), unitary to 1e-9.

    Returns:
        shape (..., d, d), unitary to the last digits.

    Raises:
        InputError: A matrix is further from unitary, or not finite.

    Example:
        >>> nearest_unitary(np.eye(2) * (1 + 1e-12))[0, 0].item()
        1.0
    """
    if not np.isfinite(matrices).all():
        raise InputError("Gate matrices must be finite, but one holds NaN or infinity.")
    left, stretch, right = np.linalg.svd(matrices)
    worst = abs(stretch - 1).max(initial=0.0)
    if worst > UNITARY_TOLERANCE:
        raise InputError(
            f"Gate matrices must be unitary to {UNITARY_TOLERANCE:g}, but one has a singular "
            f"value that differs from 1 by {worst:.1e}."
        )
    return left @ right


def cartan(unitaries: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return K, (a, b, c) and K' with U = K exp(i (a XX + b YY + c ZZ)) K', up to phases.

    K and K' are products of one-qubit gates, and pi/4 >= a >= b >= |c|.

    Args:
        unitaries: shape (N, 4, 4).

    Returns:
        shapes (N, 4, 4), (N, 3) and (N, 4, 4).

    Raises:
        InputError: A matrix is not unitary.

    Example:
        >>> from aqc.gates import CX
        >>> (np.round(cartan(CX[None])[1] / np.pi, 12) + 0.0).tolist()
        [[0.25, 0.0, 0.0]]
    """
    found = [_weyl(unitary) for unitary in nearest_unitary(unitaries)]
    left = np.array([np.kron(weyl.K1l, weyl.K1r) for weyl in found])
    right = np.array([np.kron(weyl.K2l, weyl.K2r) for weyl in found])
    return left, np.array([[weyl.a, weyl.b, weyl.c] for weyl in found]), right


def _weyl(unitary: np.ndarray) -> TwoQubitWeylDecomposition:
    # Any fidelity but None would replace the block by a special gate near to it.
    return TwoQubitWeylDecomposition(unitary, fidelity=None)


@functools.cache
def _decomposers(basis: str) -> tuple[Callable[[TwoQubitWeylDecomposition], list], ...]:
    """Return how to make a unitary from 0, 1, 2 and 3 uses of a fixed gate."""
    gate = {"cx": CXGate, "cz": CZGate, "ecr": ECRGate, "iswap": iSwapGate}[basis]()
    qiskit = TwoQubitBasisDecomposer(gate)
    return (
        qiskit.decomp0,
        qiskit.decomp1,
        qiskit.decomp2_supercontrolled,
        qiskit.decomp3_supercontrolled,
    )


def _fixed_uses(weyl: TwoQubitWeylDecomposition, once: tuple[float, float]) -> int:
    if abs(weyl.c) > COORDINATE_TOLERANCE:
        return 3
    if max(abs(weyl.a), abs(weyl.b)) <= COORDINATE_TOLERANCE:
        return 0
    apart = max(abs(weyl.a - once[0]), abs(weyl.b - once[1]))
    return 1 if apart <= COORDINATE_TOLERANCE else 2


def _by_fixed_gate(basis: str, weyl: TwoQubitWeylDecomposition) -> Decomposition:
    quarter = np.pi / 4
    uses = _fixed_uses(weyl, (quarter, quarter if basis == "iswap" else 0.0))
    # Qiskit lists the factor of its first qubit, our right one, before that of its second.
    factors = _decomposers(basis)[uses](weyl)
    pairs = tuple(zip(factors[1::2], factors[0::2], strict=True))
    return Decomposition(pairs, ((),) * uses)


def _frames() -> dict[str, np.ndarray]:
    """Return V with V Z V^dagger = P for every Pauli matrix P."""
    hadamard = (PAULI["X"] + PAULI["Z"]) / np.sqrt(2)
    return {"X": hadamard, "Y": np.diag([1, 1j]) @ hadamard, "Z": np.eye(2, dtype=complex)}


_FRAMES = _frames()


def _by_rzz(weyl: TwoQubitWeylDecomposition) -> Decomposition:
    """Use exp(i x PP) = (V x V) RZZ(-2x) (V^dagger x V^dagger) for P = X, Y and Z.

    An X on either side of one qubit turns RZZ(-2x) into RZZ(2x), so that every angle lies in
    [0, pi/2], which is all that hardware with a native RZZ offers.
    """
    left, right = weyl.K2l, weyl.K2r
    pairs: list[Pair] = []
    parameters: list[tuple[float, ...]] = []
    for letter, coordinate in zip("XYZ", (weyl.a, weyl.b, weyl.c), strict=True):
        if abs(coordinate) <= COORDINATE_TOLERANCE:
            continue
        frame = _FRAMES[letter]
        left_frame = frame @ PAULI["X"] if coordinate > 0 else frame
        pairs.append((left_frame.conj().T @ left, frame.conj().T @ right))
        parameters.append((2 * abs(coordinate),))
        left, right = left_frame, frame
    pairs.append((weyl.K1l @ left, weyl.K1r @ right))
    return Decomposition(tuple(pairs), tuple(parameters))


BASES: dict[str, Callable[[TwoQubitWeylDecomposition], Decomposition]] = {
    "cx": functools.partial(_by_fixed_gate, "cx"),
    "cz": functools.partial(_by_fixed_gate, "cz"),
    "ecr": functools.partial(_by_fixed_gate, "ecr"),
    "iswap": functools.partial(_by_fixed_gate, "iswap"),
    "rzz": _by_rzz,
}
