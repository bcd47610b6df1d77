"""Gates on any pairs as a brickwork of gates on neighbors: the swaps are multiplied into them.

The qubits stand on a line and are exchanged as they are needed. Row after row, on the even and the
odd bonds in turn, a pair that waits and stands side by side meets its gate, and neighbors change
places until the pairs of the layer stand side by side. At the end all stand where they began.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aqc.coloring import Pair

_EXCHANGED = np.array([0, 2, 1, 3])


@dataclass(frozen=True, eq=False)
class Network:
    """The bricks of a brickwork, row by row, from left to right.

    Attributes:
        rows: Number of rows, even bonds first.
        numbers: The gate that each brick holds, in the order of the pairs; -1 for none.
        outputs: Order of the brick's rows, shape (bricks, 4): exchanged or not.
        inputs: Order of its columns.
    """

    rows: int
    numbers: np.ndarray
    outputs: np.ndarray
    inputs: np.ndarray

    def bricks(self, gates: np.ndarray) -> np.ndarray:
        """Return the matrices of all bricks, swaps included.

        Args:
            gates: shape (gates, 4, 4).

        Returns:
            shape (bricks, 4, 4).
        """
        known = np.concatenate([gates, np.eye(4, dtype=gates.dtype)[None]])
        bricks: np.ndarray = arranged(known, self.numbers, self.outputs, self.inputs)
        return bricks


def arranged(gates: Any, numbers: Any, outputs: Any, inputs: Any) -> Any:
    """Return the bricks of a network from gates and the identity behind them, of NumPy or JAX."""
    return gates[numbers[:, None, None], outputs[:, :, None], inputs[:, None, :]]


def lay_out(num_qubits: int, layers: Sequence[Sequence[Pair]]) -> Network:
    """Return a brickwork that carries out a gate on each pair, layer by layer.

    Args:
        num_qubits: Number of qubits.
        layers: Pairs of distinct qubits, the smaller one first; no qubit twice in a layer.

    Example:
        >>> lay_out(4, [[(0, 1), (2, 3)], [(1, 2)]]).rows
        2
        >>> lay_out(4, [[(0, 3)]]).rows
        3
    """
    plan = _Plan(num_qubits)
    number = 0
    for pairs in layers:
        plan.carry_out({pair: number + k for k, pair in enumerate(pairs)})
        number += len(pairs)
    plan.bring_home()
    return plan.network()


class _Plan:
    """The qubits on the line, and the rows so far."""

    def __init__(self, num_qubits: int):
        self._order = list(range(num_qubits))
        self._rows: list[list[tuple[int, bool, bool]]] = []

    def carry_out(self, waiting: dict[Pair, int]) -> None:
        """Add rows until every pair has met its gate."""
        wanted, left = self._wanted(waiting), dict(waiting)
        while left:
            self._add_row(wanted, left)

    def bring_home(self) -> None:
        """Add rows until every qubit stands where it began."""
        home = {qubit: qubit for qubit in self._order}
        while self._order != sorted(self._order):
            self._add_row(home, {})

    def _add_row(self, wanted: dict[int, int], left: dict[Pair, int]) -> None:
        """Add a row of gates that wait and of exchanges: odd-even transposition sort."""
        row = []
        for bond in range(len(self._rows) % 2, len(self._order) - 1, 2):
            a, b = self._order[bond : bond + 2]
            number = left.pop((min(a, b), max(a, b)), -1)
            turned = number >= 0 and a > b  # the gate's first qubit stands on the right
            exchange = wanted[a] > wanted[b]
            if exchange:
                self._order[bond : bond + 2] = b, a
            row.append((number, exchange != turned, turned))
        self._rows.append(row)

    def _wanted(self, waiting: dict[Pair, int]) -> dict[int, int]:
        """Return by qubit where it has to go: pairs side by side around their middles."""
        place = {qubit: position for position, qubit in enumerate(self._order)}
        middles = {q: ((place[a] + place[b]) / 2, a) for a, b in waiting for q in (a, b)}
        order = sorted(self._order, key=lambda q: (*middles.get(q, (place[q], q)), place[q]))
        return {qubit: position for position, qubit in enumerate(order)}

    def network(self) -> Network:
        """Return the rows as arrays."""
        bricks = [brick for row in self._rows for brick in row]
        orders = np.stack([np.arange(4), _EXCHANGED])
        return Network(
            len(self._rows),
            np.array([number for number, _, _ in bricks], dtype=np.int32),
            orders[[int(out) for _, out, _ in bricks]].astype(np.int32),
            orders[[int(into) for _, _, into in bricks]].astype(np.int32),
        )
