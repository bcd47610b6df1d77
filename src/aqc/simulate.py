"""Circuits and given tensors as matrix product states, truncated within a bound on the angle."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from aqc.circuit import Circuit, Gate
from aqc.gates import exchanged
from aqc.mps import MPS, Sweep, right_canonical
from aqc.tebd import Evolution, refuse_beyond
from aqc.threads import one_blas_thread

_Any = TypeVar("_Any")
_ZERO = np.array([1.0, 0.0])
_SWAP = np.eye(4, dtype=complex)[[0, 2, 1, 3]]


@one_blas_thread()
def run_circuit(
    circuit: Circuit,
    *,
    angle: float,
    max_bond: int,
    limit: float = np.inf,
    progress: Callable[[float], None] | None = None,
) -> Evolution:
    """Return what a circuit makes of |0...0>, as a matrix product state.

    Args:
        circuit: Gates on one or two qubits; those on distant qubits are carried out by swaps.
        angle: How far truncation may turn the state in total, in radians.
        max_bond: Largest bond dimension; where it forces more truncation, `angle` is exceeded.
        limit: The angle at which to give up.
        progress: Called with the fraction done after each sweep.

    Raises:
        TruncationError: As soon as truncation exceeds `limit`.

    Example:
        >>> from aqc.gates import CX
        >>> hadamard = np.array([[1, 1], [1, -1]]) / 2**0.5
        >>> ghz = Circuit(3, (Gate((0,), hadamard), Gate((0, 1), CX), Gate((0, 2), CX)))
        >>> run_circuit(ghz, angle=0.0, max_bond=8).mps.to_dense().real.round(3).tolist()
        [0.707, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.707]
    """
    states, gates = on_bonds(circuit)
    plan = sweeps(circuit.num_qubits, gates)
    return _run(Sweep(MPS.product(states)), plan, angle, max_bond, limit, progress)


@one_blas_thread()
def act_on(
    circuit: Circuit,
    state: MPS,
    *,
    angle: float,
    max_bond: int,
    limit: float = np.inf,
    progress: Callable[[float], None] | None = None,
) -> Evolution:
    """Return what a circuit makes of a state or an operator, the circuit on its outputs.

    Args:
        circuit: Gates on one or two qubits; those on distant qubits are carried out by swaps.
        state: Of any gauge and norm.
        angle: How far truncation may turn the state in total, in radians.
        max_bond: Largest bond dimension; where it forces more truncation, `angle` is exceeded.
        limit: The angle at which to give up.
        progress: Called with the fraction done after each sweep.

    Raises:
        TruncationError: As soon as truncation exceeds `limit`.
    """
    turns, gates = on_bonds(circuit, np.tile(np.eye(2), (circuit.num_qubits, 1, 1)))
    sweep = Sweep(right_canonical(state))
    sweep.rotate(turns)
    return _run(sweep, sweeps(circuit.num_qubits, gates), angle, max_bond, limit, progress)


def _run(
    sweep: Sweep,
    plan: list[dict[int, np.ndarray]],
    angle: float,
    max_bond: int,
    limit: float,
    progress: Callable[[float], None] | None,
) -> Evolution:
    for done, by_bond in enumerate(plan):
        share = max(angle - sweep.angle, 0.0) / (len(plan) - done)
        sweep.apply_along(by_bond, share, max_bond)
        refuse_beyond(limit, sweep.angle, sweep.state.max_bond, max_bond, done / len(plan))
        if progress:
            progress((done + 1) / len(plan))
    return Evolution(sweep.state, sweep.angle, sweep.weight)


@one_blas_thread()
def compress(state: MPS, *, angle: float, max_bond: int, limit: float = np.inf) -> Evolution:
    """Return a state with the fewest Schmidt vectors that stay within an angle.

    Args:
        state: Of any gauge and norm.
        angle: How far truncation may turn the state, in radians.
        max_bond: Largest bond dimension; where it forces more truncation, `angle` is exceeded.
        limit: The angle at which to give up.

    Raises:
        TruncationError: If truncation exceeds `limit`.
    """
    sweep = Sweep(right_canonical(state))
    still = np.eye(4, dtype=complex)
    sweep.apply_along(dict.fromkeys(range(state.num_qubits - 1), still), angle, max_bond)
    refuse_beyond(limit, sweep.angle, sweep.state.max_bond, max_bond, 1.0)
    return Evolution(sweep.state, sweep.angle, sweep.weight)


def on_bonds(
    circuit: Circuit, states: np.ndarray | None = None
) -> tuple[np.ndarray, list[tuple[int, np.ndarray]]]:
    """Return the circuit as a product state and gates on neighbors.

    Args:
        circuit: Gates on one or two qubits.
        states: What it acts on, shape (n, 2), or operators, shape (n, 2, 2); |0...0> if left out.

    Returns:
        Such states, with the one-qubit gates in front taken in, and pairs (bond, gate of shape
        (4, 4)) in their order; no two successive gates on a bond, one-qubit gates are multiplied
        into their neighbors.
    """
    if states is None:
        states = np.tile(_ZERO, (circuit.num_qubits, 1))
    states = states.astype(complex)
    gates: list[tuple[int, np.ndarray]] = []
    last: dict[int, int] = {}  # the gate in `gates` that acted on a qubit last
    for gate in circuit.gates:
        for qubits, matrix in between_neighbors(gate):
            if len(qubits) == 1:
                (site,) = qubits
                if site not in last:
                    states[site] = matrix @ states[site]
                    continue
                bond, before = gates[last[site]]
                factors = (matrix, np.eye(2)) if site == bond else (np.eye(2), matrix)
                gates[last[site]] = bond, np.kron(*factors) @ before
                continue
            (bond, right) = qubits
            previous = last.get(bond)
            if previous is not None and previous == last.get(right):
                gates[previous] = bond, matrix @ gates[previous][1]
                continue
            last[bond] = last[right] = len(gates)
            gates.append((bond, matrix))
    return states, gates


def sweeps(num_qubits: int, gates: list[tuple[int, _Any]]) -> list[dict[int, _Any]]:
    """Return which gates each sweep takes along: right, left, right, ... until none is left.

    A gate waits until all earlier gates on its two qubits are done. A staircase is one sweep.

    Args:
        num_qubits: Number of qubits.
        gates: Pairs (bond, gate) in their order; a gate may be anything that stands for one.
    """
    waiting: list[list[int]] = [[] for _ in range(num_qubits)]  # gates of a qubit, last one first
    for number in reversed(range(len(gates))):
        for qubit in (gates[number][0], gates[number][0] + 1):
            waiting[qubit].append(number)
    plan: list[dict[int, _Any]] = []
    left = len(gates)
    while left:
        taken: dict[int, _Any] = {}
        bonds = range(num_qubits - 1)
        for bond in bonds if len(plan) % 2 == 0 else reversed(bonds):
            if waiting[bond] and waiting[bond + 1] and waiting[bond][-1] == waiting[bond + 1][-1]:
                taken[bond] = gates[waiting[bond].pop()][1]
                waiting[bond + 1].pop()
        left -= len(taken)
        plan.append(taken)
    return plan


def between_neighbors(gate: Gate) -> list[tuple[tuple[int, ...], np.ndarray]]:
    """Return a gate as gates on one qubit or on (j, j + 1), with swaps there and back."""
    if len(gate.qubits) == 1:
        return [(gate.qubits, gate.matrix)]
    (a, b), matrix = gate.qubits, gate.matrix
    if a > b:
        a, b, matrix = b, a, exchanged(matrix)
    there = [((j, j + 1), _SWAP) for j in range(a, b - 1)]
    return [*there, ((b - 1, b), matrix), *reversed(there)]
