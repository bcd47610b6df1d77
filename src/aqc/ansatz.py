"""The brickwork circuit whose blocks are optimized: where they sit, where they start."""

from dataclasses import dataclass, replace

import numpy as np

from aqc.circuit import Circuit, Gate
from aqc.errors import InputError
from aqc.gates import preparation
from aqc.hamiltonian import Hamiltonian
from aqc.trotter import brick_layers


@dataclass(frozen=True, eq=False)
class Ansatz:
    """Layers of two-qubit blocks on a product state, even bonds first.

    Layer l holds blocks on bonds l % 2, l % 2 + 2, ...; blocks are numbered layer by layer, from
    left to right.

    Attributes:
        state: The product state that the first layer meets, shape (n, 2); for operators the Bell
            pairs of all inputs and their references, shape (n, 2, 2).
        layers: Number of brick layers L >= 1.
        blocks: Unitary matrices, shape (number of blocks, 4, 4).
        block: Name of the block type, a key of `aqc.blocks.BLOCKS`.
    """

    state: np.ndarray
    layers: int
    blocks: np.ndarray
    block: str = "su4"

    @classmethod
    def from_trotter(
        cls,
        hamiltonian: Hamiltonian,
        time: float,
        state: np.ndarray,
        *,
        layers: int,
        order: int | None,
    ) -> "Ansatz":
        """Return the ansatz that equals a shallow product formula.

        Args:
            hamiltonian: A chain.
            time: t, in units of 1/energy.
            state: One-qubit states, shape (n, 2).
            layers: Brick layers: 2k + 1 for k steps of order 2, 2k for k steps of order 1.
            order: 2 for odd `layers`, 1 for even.

        Raises:
            InputError: If `order` does not go with `layers`.

        Example:
            >>> chain = Hamiltonian.from_terms(4, [("XX", (j, j + 1), 1.0) for j in range(3)])
            >>> zeros = np.tile([1.0, 0.0], (4, 1))
            >>> Ansatz.from_trotter(chain, 0.5, zeros, layers=3, order=2).blocks.shape
            (5, 4, 4)
        """
        if order != (2 if layers % 2 else 1):
            raise InputError(
                f"`order` must be 2 for an odd and 1 for an even number of layers, but is {order} "
                f"for {layers} layers; leave it out, or change `layers` by one.",
                "/ansatz/order",
            )
        steps = layers // 2
        trotter = brick_layers(hamiltonian, time, steps, order)
        return cls(state, layers, np.concatenate([layer.gates for layer in trotter]))

    @property
    def num_qubits(self) -> int:
        """Number of qubits."""
        return len(self.state)

    @property
    def is_operator(self) -> bool:
        """Whether the circuit stands for all its inputs, and not for one state alone."""
        return self.state.ndim == 3

    @property
    def bonds(self) -> list[list[int]]:
        """Left qubit of each block, layer by layer."""
        return [list(range(layer % 2, self.num_qubits - 1, 2)) for layer in range(self.layers)]

    def with_blocks(self, blocks: np.ndarray) -> "Ansatz":
        """Return the same ansatz with other blocks."""
        return replace(self, blocks=blocks)

    def frame(self) -> dict[str, np.ndarray]:
        """Return all but the blocks as named arrays: what a checkpoint needs beside them."""
        return {
            "product": self.state,
            "layers": np.array(self.layers),
            "block": np.array(self.block),
        }

    @classmethod
    def framed(cls, frame: dict[str, np.ndarray], blocks: np.ndarray) -> "Ansatz":
        """Return the ansatz of a `frame` with its blocks."""
        return cls(frame["product"], int(frame["layers"]), blocks, str(frame["block"]))

    def deepened(self, layers: int) -> "Ansatz":
        """Return the same circuit with identity layers behind it, `layers` in all.

        Example:
            >>> start = Ansatz(np.tile([1.0, 0.0], (4, 1)), 1, np.tile(np.eye(4), (2, 1, 1)))
            >>> start.deepened(2).blocks.shape
            (3, 4, 4)
        """
        deeper = replace(self, layers=layers)
        extra = sum(map(len, deeper.bonds)) - len(self.blocks)
        identities = np.tile(np.eye(4, dtype=self.blocks.dtype), (extra, 1, 1))
        return deeper.with_blocks(np.concatenate([self.blocks, identities]))

    def on(self, state: np.ndarray) -> "Ansatz":
        """Return the same circuit written on another product state, shape (n, 2).

        The first block on each qubit takes in what turns the new state into the old one; there
        must be one on every qubit whose state changes.

        Example:
            >>> zeros, ones = np.tile([1.0, 0.0], (2, 1)), np.tile([0.0, 1.0], (2, 1))
            >>> moved = Ansatz(zeros, 1, np.eye(4)[None]).on(ones)
            >>> np.abs(moved.blocks[0]).argmax(axis=1).tolist()
            [3, 2, 1, 0]
        """
        if np.array_equal(state, self.state):
            return self
        turns = [
            preparation(a) @ preparation(b).conj().T for a, b in zip(self.state, state, strict=True)
        ]
        blocks, met = self.blocks.astype(complex), set()
        for number, bond in enumerate(j for bonds in self.bonds for j in bonds):
            left, right = (np.eye(2) if j in met else turns[j] for j in (bond, bond + 1))
            blocks[number] = blocks[number] @ np.kron(left, right)
            met |= {bond, bond + 1}
        return replace(self, state=state, blocks=blocks)

    def circuit(self) -> Circuit:
        """Return the circuit: preparation of the product state from |0...0>, then the blocks."""
        states = self.state[:0] if self.is_operator else self.state
        gates = [Gate((j,), preparation(state)) for j, state in enumerate(states)]
        positions = [j for bonds in self.bonds for j in bonds]
        blocks = zip(positions, self.blocks, strict=True)
        gates += [Gate((j, j + 1), matrix) for j, matrix in blocks]
        return Circuit(self.num_qubits, tuple(gates))
