"""The brickwork in a circuit: which block on which bond in which layer."""

import numpy as np

from aqc.ansatz import Ansatz
from aqc.circuit import Circuit
from aqc.errors import InputError
from aqc.interop.fusion import embed, fuse


def find_bricks(circuit: Circuit, name: str = "The circuit") -> Ansatz:
    """Return a circuit on |0...0> as a brickwork of as few layers as its order of gates allows.

    One-qubit gates in front make the product state, all others are multiplied into the blocks. A
    bond without a gate gets the identity.

    Args:
        circuit: Gates on one qubit or on two neighbors.
        name: How a sentence names it.

    Returns:
        An ansatz that makes the same state, up to a global phase.

    Raises:
        InputError: If a gate acts on qubits that are not neighbors.

    Example:
        >>> from aqc.circuit import Gate
        >>> from aqc.gates import CX
        >>> circuit = Circuit(3, (Gate((0, 1), CX), Gate((2, 1), CX), Gate((0, 1), CX)))
        >>> find_bricks(circuit).layers
        3
    """
    states = np.tile(np.array([1.0, 0.0], dtype=complex), (circuit.num_qubits, 1))
    free = [0] * circuit.num_qubits  # first layer in which a qubit has no gate yet
    blocks: dict[tuple[int, int], np.ndarray] = {}  # (layer, bond) to matrix
    for gate in fuse(circuit).gates:
        if len(gate.qubits) == 1:
            (site,) = gate.qubits
            states[site] = gate.matrix @ states[site]
            continue
        left, right = sorted(gate.qubits)
        if right - left != 1:
            raise InputError(
                f"{name} must be a brickwork, with gates on neighbors j and j + 1, but has one on "
                f"the qubits {left} and {right}."
            )
        layer = max(free[left], free[right])
        layer += (layer + left) % 2  # even bonds in even layers
        blocks[layer, left] = embed(gate, (left, right))
        free[left] = free[right] = layer + 1
    layers = max([1, *free])
    empty = Ansatz(states, layers, np.zeros((0, 4, 4), dtype=complex))
    identity = np.eye(4, dtype=complex)
    matrices = [
        blocks.get((layer, bond), identity)
        for layer, bonds in enumerate(empty.bonds)
        for bond in bonds
    ]
    return empty.with_blocks(np.array(matrices).reshape(-1, 4, 4))


def with_layers(ansatz: Ansatz, layers: int, name: str = "The circuit") -> Ansatz:
    """Return an ansatz continued by layers of identities.

    Args:
        ansatz: What comes first.
        layers: Layers in the end.
        name: How a sentence names the ansatz.

    Raises:
        InputError: If it has more layers than that.
    """
    if ansatz.layers > layers:
        raise InputError(
            f"{name} must have at most `ansatz.layers` = {layers} brick layers, but has "
            f"{ansatz.layers}; set `ansatz.layers` to {ansatz.layers}.",
            "/ansatz/layers",
        )
    return ansatz.deepened(layers)
