"""The circuit whose blocks are optimized: where they sit, where they start.

On an open chain it is a brickwork; other couplings are colored into layers.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from aqc.circuit import Circuit, Gate
from aqc.coloring import Colors, Pair, chain_pairs, color_of, layer_pairs, shares
from aqc.errors import InputError
from aqc.gates import preparation
from aqc.hamiltonian import Hamiltonian
from aqc.network import Network, lay_out
from aqc.pieces import Pieces, colored, pair_gates
from aqc.ties import Ties, tie
from aqc.trotter import brick_layers


@dataclass(frozen=True, eq=False)
class Ansatz:
    """Layers of two-qubit blocks on a product state.

    On a chain layer l holds blocks on bonds l % 2, l % 2 + 2, ...; on other lattices it holds those
    of a color (`aqc.coloring.layer_pairs`). Blocks are numbered layer by layer.

    Attributes:
        state: The product state that the first layer meets, shape (n, 2); for operators the Bell
            pairs of all inputs and their references, shape (n, 2, 2).
        layers: Number of brick layers L >= 1.
        blocks: Unitary matrices, shape (number of blocks, 4, 4).
        block: Name of the block type, a key of `aqc.blocks.BLOCKS`.
        colors: The pairs of each color; none for an open chain.
        tied: Whether the blocks of a layer share one gate, as far as `aqc.ties.tie` says.
    """

    state: np.ndarray
    layers: int
    blocks: np.ndarray
    block: str = "su4"
    colors: Colors = ()
    tied: bool = False

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
            hamiltonian: On any pairs.
            time: t, in units of 1/energy.
            state: One-qubit states, shape (n, 2).
            layers: Brick layers: 2k + 1 for k steps of order 2, 2k for k steps of order 1; with c
                colors 2k(c - 1) + 1 for k steps of order 2.
            order: 2 for odd `layers`, 1 for even; not looked at but for a chain.

        Raises:
            InputError: If `order` does not go with `layers`.

        Example:
            >>> chain = Hamiltonian.from_terms(4, [("XX", (j, j + 1), 1.0) for j in range(3)])
            >>> zeros = np.tile([1.0, 0.0], (4, 1))
            >>> Ansatz.from_trotter(chain, 0.5, zeros, layers=3, order=2).blocks.shape
            (5, 4, 4)
        """
        if not hamiltonian.is_chain:
            return cls.from_pieces(((hamiltonian, time),), state, layers=layers)
        if order != (2 if layers % 2 else 1):
            raise InputError(
                f"`order` must be 2 for an odd and 1 for an even number of layers, but is {order} "
                f"for {layers} layers; leave it out, or change `layers` by one.",
                "/ansatz/order",
            )
        steps = layers // 2
        trotter = brick_layers(hamiltonian, time, steps, order)
        return cls(state, layers, np.concatenate([layer.gates for layer in trotter]))

    @classmethod
    def from_pieces(cls, pieces: Pieces, state: np.ndarray, *, layers: int) -> "Ansatz":
        """Return the ansatz that equals a shallow product formula of a changing Hamiltonian.

        Args:
            pieces: Hamiltonians on any pairs, each for its time.
            state: One-qubit states, shape (n, 2).
            layers: 2k(c - 1) + 1 for k steps of order 2, with c colors (two of a chain).

        Example:
            >>> ring = Hamiltonian.from_terms(4, [("XX", (j, (j + 1) % 4), 1.0) for j in range(4)])
            >>> zeros = np.tile([1.0, 0.0], (4, 1))
            >>> Ansatz.from_pieces(((ring, 0.5), (ring, 0.1)), zeros, layers=3).blocks.shape
            (6, 4, 4)
        """
        colors = colored(pieces)
        count = len(colors) or 2
        empty = cls(state, layers, np.empty((0, 4, 4)), colors=colors)
        clocks = [color_of(layer, count) for layer in range(layers)]
        gates = pair_gates(pieces, empty.pairs, clocks, shares(count, layers))
        return empty.with_blocks(np.concatenate(gates))

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
        """Left qubit of each block of a brickwork, layer by layer."""
        assert not self.colors
        return [list(range(layer % 2, self.num_qubits - 1, 2)) for layer in range(self.layers)]

    @property
    def pairs(self) -> list[list[Pair]]:
        """The pair of qubits of each block, layer by layer."""
        if self.colors:
            return layer_pairs(self.colors, self.layers)
        return chain_pairs(self.num_qubits, self.layers)

    @cached_property
    def network(self) -> Network:
        """The brickwork that carries out the blocks on pairs of any distance."""
        return lay_out(self.num_qubits, self.pairs)

    @property
    def rows(self) -> int:
        """Number of layers of the brickwork that carries out the circuit."""
        return self.network.rows if self.colors else self.layers

    @cached_property
    def ties(self) -> Ties | None:
        """Which blocks share a gate; None where none do."""
        if not self.tied:
            return None
        return tie(self.pairs, self.num_qubits, around=bool(self.colors))

    @property
    def gates(self) -> np.ndarray:
        """The gates that blocks share, shape (gates, 4, 4): all blocks where none do."""
        return self.ties.gathered(self.blocks) if self.ties else self.blocks

    def with_gates(self, gates: np.ndarray) -> "Ansatz":
        """Return the same ansatz with other gates, shape (gates, 4, 4)."""
        return self.with_blocks(self.ties.spread(gates) if self.ties else gates)

    def as_bricks(self) -> "Ansatz":
        """Return the same circuit as a brickwork, with swaps in its blocks."""
        if not self.colors:
            return self
        bricks = self.network.bricks(self.blocks.astype(complex))
        return Ansatz(self.state, self.rows, bricks)

    def with_blocks(self, blocks: np.ndarray) -> "Ansatz":
        """Return the same ansatz with other blocks."""
        return replace(self, blocks=blocks)

    def frame(self) -> dict[str, np.ndarray]:
        """Return all but the blocks as named arrays: what a checkpoint needs beside them."""
        return {
            "product": self.state,
            "layers": np.array(self.layers),
            "block": np.array(self.block),
            "colors": np.array(
                [(c, *pair) for c, pairs in enumerate(self.colors) for pair in pairs], dtype=int
            ).reshape(-1, 3),
            "tied": np.array(self.tied),
        }

    @classmethod
    def framed(cls, frame: dict[str, np.ndarray], blocks: np.ndarray) -> "Ansatz":
        """Return the ansatz of a `frame` with its blocks."""
        # Frames that were kept by earlier versions have no colors, and are not tied.
        colored = frame.get("colors", np.empty((0, 3), int)).tolist()
        colors = tuple(
            tuple((a, b) for number, a, b in colored if number == c)
            for c in range(1 + max((number for number, _, _ in colored), default=-1))
        )
        layers, block = int(frame["layers"]), str(frame["block"])
        return cls(
            frame["product"], layers, blocks, block, colors, tied=bool(frame.get("tied", False))
        )

    def deepened(self, layers: int) -> "Ansatz":
        """Return the same circuit with identity layers behind it, `layers` in all.

        Example:
            >>> start = Ansatz(np.tile([1.0, 0.0], (4, 1)), 1, np.tile(np.eye(4), (2, 1, 1)))
            >>> start.deepened(2).blocks.shape
            (3, 4, 4)
        """
        deeper = replace(self, layers=layers)
        extra = sum(map(len, deeper.pairs)) - len(self.blocks)
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
        for number, pair in enumerate(pair for pairs in self.pairs for pair in pairs):
            left, right = (np.eye(2) if j in met else turns[j] for j in pair)
            blocks[number] = blocks[number] @ np.kron(left, right)
            met |= set(pair)
        return replace(self, state=state, blocks=blocks)

    def circuit(self) -> Circuit:
        """Return the circuit: preparation of the product state from |0...0>, then the blocks."""
        states = self.state[:0] if self.is_operator else self.state
        gates = [Gate((j,), preparation(state)) for j, state in enumerate(states)]
        pairs = [pair for layer in self.pairs for pair in layer]
        gates += [Gate(pair, matrix) for pair, matrix in zip(pairs, self.blocks, strict=True)]
        return Circuit(self.num_qubits, tuple(gates))
