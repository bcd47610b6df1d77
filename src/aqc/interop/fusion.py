"""Rewriting a list of gates before it meets Qiskit: fewer blocks, other orders of their qubits."""

import numpy as np

from aqc.circuit import Circuit, Gate
from aqc.errors import InputError
from aqc.gates import exchanged, preparation, product_factors, shortest_preparation

_ZERO = np.array([1.0, 0.0])


def fuse(circuit: Circuit) -> Circuit:
    """Multiply gates into the two-qubit gate before them where it acts on the same qubits.

    Args:
        circuit: Gates on one or two qubits.

    Returns:
        The same unitary; no two successive two-qubit gates share both qubits, and one-qubit
        gates are left only before the first two-qubit gate of their qubit.

    Raises:
        InputError: A matrix does not have the shape that its qubits ask for.

    Example:
        >>> gates = (Gate((0, 1), np.eye(4)), Gate((1,), np.eye(2)), Gate((1, 0), np.eye(4)))
        >>> len(fuse(Circuit(2, gates)).gates)
        1
    """
    gates: list[Gate] = []
    last: dict[int, int] = {}  # the gate in `gates` that acted on a qubit last
    for gate in circuit.gates:
        _check(gate, circuit.num_qubits)
        previous = {last.get(qubit) for qubit in gate.qubits}
        (index, *others) = previous
        if index is None or others or len(gate.qubits) > len(gates[index].qubits):
            last.update(dict.fromkeys(gate.qubits, len(gates)))
            gates.append(gate)
        else:
            pair = gates[index].qubits
            gates[index] = Gate(pair, embed(gate, pair) @ gates[index].matrix)
    return Circuit(circuit.num_qubits, tuple(gates))


def from_zeros(circuit: Circuit) -> Circuit:
    """Return a circuit that makes the same state of |0...0> with fewer two-qubit gates.

    Two-qubit gates that are products are taken apart, gates on the same pair are fused, and a
    gate that meets two qubits in |00> only has to map that to the right state: 1 CX.

    Args:
        circuit: Gates on one or two qubits, acting on |0...0>.

    Example:
        >>> from aqc.gates import cx_count
        >>> swap = np.eye(4)[[0, 2, 1, 3]]
        >>> (gate,) = from_zeros(Circuit(2, (Gate((0, 1), swap),))).gates
        >>> cx_count(gate.matrix)
        0
    """
    parts = [part for gate in circuit.gates for part in _parts(gate)]
    gates: list[Gate] = []
    states = dict.fromkeys(range(circuit.num_qubits), _ZERO)  # of qubits not yet entangled
    for gate in fuse(Circuit(circuit.num_qubits, tuple(parts))).gates:
        fresh = [states.pop(qubit, None) for qubit in gate.qubits]
        if len(gate.qubits) == 1 and fresh[0] is not None:
            states[gate.qubits[0]] = gate.matrix @ fresh[0]
            continue
        left, right = fresh if len(fresh) == 2 else (None, None)
        if left is not None and right is not None:
            pair = gate.matrix @ np.kron(left, right)
            gates.append(Gate(gate.qubits, shortest_preparation(pair)))
            continue
        known = zip(gate.qubits, fresh, strict=True)
        gates += [Gate((qubit,), preparation(state)) for qubit, state in known if state is not None]
        gates.append(gate)
    gates += [Gate((qubit,), preparation(state)) for qubit, state in states.items()]
    return Circuit(circuit.num_qubits, tuple(gates))


def _parts(gate: Gate) -> list[Gate]:
    factors = product_factors(gate.matrix) if len(gate.qubits) == 2 else None
    if factors is None:
        return [gate]
    return [Gate((qubit,), factor) for qubit, factor in zip(gate.qubits, factors, strict=True)]


def embed(gate: Gate, qubits: tuple[int, ...]) -> np.ndarray:
    """Return the matrix of a gate on one or two qubits that include its own, in their order.

    Args:
        gate: On one or both of `qubits`.
        qubits: One qubit or a pair, the first on the left of the Kronecker product.

    Returns:
        shape (2**k, 2**k) for k qubits.

    Example:
        >>> embed(Gate((3,), np.diag([1, -1])), (2, 3)).diagonal().tolist()
        [1.0, -1.0, 1.0, -1.0]
    """
    if gate.qubits == qubits:
        return gate.matrix
    if len(gate.qubits) == 2:
        return exchanged(gate.matrix)
    left_first = gate.qubits[0] == qubits[0]
    factors = (gate.matrix, np.eye(2)) if left_first else (np.eye(2), gate.matrix)
    return np.kron(*factors)


def _check(gate: Gate, num_qubits: int) -> None:
    size = 2 ** len(gate.qubits)
    if len(gate.qubits) not in (1, 2) or gate.matrix.shape != (size, size):
        raise InputError(
            "A gate must have a (2, 2) matrix on one qubit or a (4, 4) matrix on two, but has "
            f"shape {gate.matrix.shape} on the qubits {gate.qubits}."
        )
    if len(set(gate.qubits)) < len(gate.qubits) or not set(gate.qubits) <= set(range(num_qubits)):
        raise InputError(
            f"The qubits of a gate must be distinct and in 0..{num_qubits - 1}, but are "
            f"{gate.qubits}."
        )
