"""From a list of matrices to a Qiskit circuit of one-qubit gates and one two-qubit gate."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Barrier
from qiskit.transpiler import CouplingMap

from aqc.circuit import Circuit
from aqc.errors import InputError
from aqc.interop.fusion import fuse
from aqc.interop.kak import decompose, nearest_unitary
from aqc.interop.routing import place

# A one-qubit gate this close to a multiple of the identity is rounding and is not written.
IDENTITY_TOLERANCE = 1e-13
_ROUNDING = 1e-15
_IDENTITY = np.eye(2)

Step = tuple[tuple[int, ...], np.ndarray | tuple[float, ...]]


@dataclass(frozen=True, eq=False)
class Emitted:
    """A circuit ready to be written, and where it left the sites of the chain.

    Attributes:
        circuit: Gates `u` and the two-qubit gate of the basis.
        layout: For each site of the chain the physical qubit that holds it at the end of the
            circuit; None when no coupling map was given and site i is qubit i.
    """

    circuit: QuantumCircuit
    layout: tuple[int, ...] | None


def synthesize(
    circuit: Circuit,
    basis: str = "cx",
    coupling_map: CouplingMap | Iterable[Sequence[int]] | None = None,
    seed: int = 0,
    *,
    swaps: bool = True,
    errors: Sequence[float] | None = None,
) -> Emitted:
    """Write a circuit in one-qubit gates and the fewest two-qubit gates of a basis, exactly.

    Blocks that follow each other on the same pair become one block, every block takes 0 to 3
    uses of the basis gate, and all one-qubit gates between two of them become one `u`.

    Args:
        circuit: Gates on one or two qubits.
        basis: "cx", "cz", "ecr", "iswap" or "rzz".
        coupling_map: Pairs of physical qubits that the two-qubit gate may act on, in that order;
            with None any pair may be used.
        seed: Seed of the search for a place on the coupling map.
        swaps: Whether qubits may be moved; they then end elsewhere than they begin.
        errors: Error of the two-qubit gate on each pair of the coupling map.

    Returns:
        The circuit, equal to the product of the matrices up to a global phase, and its layout.

    Raises:
        InputError: The basis is unknown, a matrix is not unitary, or the coupling map is too
            small or not connected.

    Example:
        >>> from aqc.circuit import Gate
        >>> from aqc.gates import CX
        >>> emitted = synthesize(Circuit(2, (Gate((0, 1), CX), Gate((1, 0), CX))))
        >>> two_qubit_counts(emitted.circuit)
        (2, 2)
    """
    if circuit.num_qubits < 1:
        raise InputError(f"A circuit must have at least 1 qubit, but has {circuit.num_qubits}.")
    fused, layout = fuse(circuit), None
    if coupling_map is not None:
        placed = place(fused, coupling_map, seed, swaps=swaps, errors=errors)
        fused, layout = fuse(placed.circuit), placed.layout
    return Emitted(_write(fused, basis), layout)


def two_qubit_counts(circuit: QuantumCircuit) -> tuple[int, int]:
    """Return the number of two-qubit gates and the depth in two-qubit gates alone.

    Args:
        circuit: Any circuit; what does not act on exactly two qubits is passed over.

    Returns:
        (two_qubit_gates, two_qubit_depth).

    Example:
        >>> circuit = QuantumCircuit(3)
        >>> _ = circuit.cx(0, 1), circuit.h(1), circuit.cx(1, 2), circuit.cx(0, 1)
        >>> two_qubit_counts(circuit)
        (3, 3)
    """
    depth = dict.fromkeys(circuit.qubits, 0)
    count = 0
    for instruction in circuit.data:
        if len(instruction.qubits) != 2 or isinstance(instruction.operation, Barrier):
            continue
        a, b = instruction.qubits
        depth[a] = depth[b] = max(depth[a], depth[b]) + 1
        count += 1
    return count, max(depth.values(), default=0)


def euler_angles(unitaries: np.ndarray) -> np.ndarray:
    """Return the angles of one-qubit gates, whatever their global phases.

    u(theta, phi, lambda) = [[cos(theta/2), -exp(i lambda) sin(theta/2)],
    [exp(i phi) sin(theta/2), exp(i (phi + lambda)) cos(theta/2)]].

    Args:
        unitaries: shape (N, 2, 2).

    Returns:
        theta in [0, pi], phi and lambda in [-pi, pi]; shape (N, 3), radian.

    Example:
        >>> euler_angles(np.array([[[0, 1], [1, 0]]])).round(12).tolist()
        [[3.14159265359, 0.0, 3.14159265359]]
    """
    (a, b), (c, d) = np.moveaxis(unitaries, 0, -1).astype(complex)
    sine, cosine = abs(c), abs(a)
    diagonal, flip = sine < _ROUNDING, cosine < _ROUNDING
    theta = np.select([diagonal, flip], [0.0, np.pi], 2 * np.arctan2(sine, cosine))
    # Only entries that are not small have a phase to be trusted. When cos or sin vanishes, only
    # the difference or the sum of phi and lambda has a meaning, and phi is free.
    phi = np.where(diagonal | flip, 0.0, np.angle(c * a.conj()))
    total = np.where(cosine > sine, np.angle(d * a.conj()) - phi, np.angle(-b * c.conj()) + phi)
    return np.stack([theta, phi, np.angle(np.exp(1j * total))], axis=-1)


def _steps(circuit: Circuit, basis: str) -> list[Step]:
    """Decompose the blocks and gather all one-qubit gates between two of them.

    Each step is ((qubit,), matrix) or (Qiskit's pair of qubits, parameters of the basis gate).
    """
    blocks = [gate.matrix for gate in circuit.gates if len(gate.qubits) == 2]
    decompositions = iter(decompose(np.array(blocks, dtype=complex).reshape(-1, 4, 4), basis))
    pending: dict[int, np.ndarray] = {}
    steps: list[Step] = []
    for gate in circuit.gates:
        if len(gate.qubits) == 1:
            (qubit,) = gate.qubits
            pending[qubit] = gate.matrix @ pending.get(qubit, _IDENTITY)
            continue
        left, right = gate.qubits
        block = next(decompositions)
        on_left, on_right = block.locals[0]
        pending[left] = on_left @ pending.get(left, _IDENTITY)
        pending[right] = on_right @ pending.get(right, _IDENTITY)
        for parameters, after in zip(block.parameters, block.locals[1:], strict=True):
            # Qiskit counts qubits from the right: its first qubit is our right one.
            steps += [((left,), pending[left]), ((right,), pending[right])]
            steps.append(((right, left), parameters))
            pending[left], pending[right] = after
    return steps + [((qubit,), pending[qubit]) for qubit in sorted(pending)]


def _write(circuit: Circuit, basis: str) -> QuantumCircuit:
    steps = _steps(circuit, basis)
    matrices = [matrix for qubits, matrix in steps if len(qubits) == 1]
    unitaries = nearest_unitary(np.array(matrices, dtype=complex).reshape(-1, 2, 2))
    # Entries are compared, because |tr U| is quadratic in the distance and blind below 1e-8.
    aligned = unitaries * np.exp(-1j * np.angle(unitaries[:, :1, :1]))
    idle = abs(aligned - _IDENTITY).max(axis=(1, 2)) < IDENTITY_TOLERANCE
    one_qubit = iter(zip(euler_angles(unitaries).tolist(), idle.tolist(), strict=True))
    written = QuantumCircuit(circuit.num_qubits)
    entangle = getattr(written, basis)
    for qubits, parameters in steps:
        if len(qubits) == 2:
            entangle(*parameters, *qubits)
            continue
        angles, is_identity = next(one_qubit)
        if not is_identity:
            written.u(*angles, *qubits)
    return written
