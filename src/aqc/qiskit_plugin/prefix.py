"""The longest prefix of a circuit that prepares a product state and evolves it.

Every qubit starts in |0>. An operation belongs to the prefix when all that came before it on its
qubits does, and it is

    a gate on one qubit without free parameters,
    a TimeEvolvedState on qubits that nothing touched,
    a PauliEvolutionGate whose terms lie along a line of qubits, or
    a two-qubit Pauli rotation (RXX, RYY, RZZ, RZX, XX+YY, XX-YY, a PauliEvolutionGate on a pair).

Anything else closes its qubits: nothing after it is in the prefix. So the prefix can be replaced
by any circuit that prepares the same state, whatever follows.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Qubit
from qiskit.circuit.library import (
    PauliEvolutionGate,
    RXXGate,
    RYYGate,
    RZXGate,
    RZZGate,
    XXMinusYYGate,
    XXPlusYYGate,
)
from qiskit.dagcircuit import DAGCircuit, DAGOpNode
from qiskit.exceptions import QiskitError

from aqc.errors import AqcError
from aqc.qiskit_plugin.evolved_state import TimeEvolvedState

# The class itself: a subclass may have another definition.
_ROTATIONS = frozenset({RXXGate, RYYGate, RZXGate, RZZGate, XXMinusYYGate, XXPlusYYGate})

Kind = Literal["product", "rotations", "evolution", "state"]


@dataclass(eq=False)
class Part:
    """Qubits that the prefix entangles with each other and with no others.

    Attributes:
        qubits: In the order of the first gate that joined them.
        nodes: What acts on them, in order, up to the last gate that entangles.
        kind: "evolution" is one Hamiltonian's, "rotations" gates on pairs, "state" a
            TimeEvolvedState.
        rest: One-qubit gates after that; they stay where they are.
    """

    qubits: list[Qubit]
    nodes: list[DAGOpNode] = field(default_factory=list)
    kind: Kind = "product"
    rest: list[DAGOpNode] = field(default_factory=list)

    def circuit(self, qubits: list[Qubit] | None = None) -> QuantumCircuit:
        """Return the part as a circuit of its own, with its qubits in an order."""
        order = self.qubits if qubits is None else qubits
        index = {qubit: number for number, qubit in enumerate(order)}
        circuit = QuantumCircuit(len(order))
        for node in self.nodes:
            circuit.append(node.op, [index[qubit] for qubit in node.qargs])
        return circuit


@dataclass(frozen=True)
class Refusal:
    """An evolution that is not in the prefix, and why."""

    operation: str
    qubits: tuple[int, ...]
    reason: str


@dataclass(frozen=True)
class Prefix:
    """What can be compiled, and which evolutions cannot be."""

    parts: tuple[Part, ...]
    refusals: tuple[Refusal, ...]


def find_prefix(dag: DAGCircuit, on_line: Callable[[Any], object]) -> Prefix:
    """Return the longest prefix that prepares a product state and evolves it.

    Args:
        dag: A circuit whose qubits start in |0>.
        on_line: Called with a PauliEvolutionGate; raises AqcError where it does not lie along
            a line of qubits.
    """
    return _Search(dag, on_line).run()


class _Search:
    def __init__(self, dag: DAGCircuit, on_line: Callable[[Any], object]) -> None:
        self.dag = dag
        self.on_line = on_line
        self.part = {qubit: Part([qubit]) for qubit in dag.qubits}
        self.closed: dict[Qubit, str] = {}
        self.refusals: list[Refusal] = []

    def run(self) -> Prefix:
        for node in self.dag.topological_op_nodes():
            reason = self._take(node)
            if reason is None:
                continue
            if isinstance(node.op, PauliEvolutionGate | TimeEvolvedState):
                qubits = self._indices(node)
                self.refusals.append(Refusal(node.name, qubits, reason))
            where = ", ".join(map(str, self._indices(node)))
            for qubit in node.qargs:
                self.closed.setdefault(qubit, f"`{node.name}` on the qubits {where}")
        parts = dict.fromkeys(self.part.values())
        return Prefix(tuple(p for p in parts if p.kind != "product"), tuple(self.refusals))

    def _indices(self, node: DAGOpNode) -> tuple[int, ...]:
        return tuple(self.dag.find_bit(qubit).index for qubit in node.qargs)

    def _take(self, node: DAGOpNode) -> str | None:
        """Add an operation to the prefix, or say why it does not belong there."""
        before = [self.closed[qubit] for qubit in node.qargs if qubit in self.closed]
        if before:
            return f"{before[0]} comes before it"
        if not _is_fixed_gate(node):
            return "it is no gate with numbers for all parameters"
        if len(node.qargs) == 1:
            self.part[node.qargs[0]].rest.append(node)
            return None
        parts = list(dict.fromkeys(self.part[qubit] for qubit in node.qargs))
        if type(node.op) is PauliEvolutionGate:
            try:
                self.on_line(node.op)
            except AqcError as error:
                return str(error)
        if _is_rotation(node.op):
            if any(part.kind in ("evolution", "state") for part in parts):
                return "another evolution comes before it"
            self._join(node, parts, "rotations")
            return None
        if type(node.op) is TimeEvolvedState:
            if any(part.nodes or part.rest for part in parts):
                return "its qubits must be in |0>, but a gate comes before it"
            self._join(node, parts, "state")
            return None
        if type(node.op) is not PauliEvolutionGate:
            return "it is no evolution"
        if any(part.kind != "product" for part in parts) and not _continues(node, parts):
            return "another evolution comes before it"
        self._join(node, parts, "evolution")
        return None

    def _join(self, node: DAGOpNode, parts: list[Part], kind: Kind) -> None:
        """Make one part of all that a gate entangles; what acted before belongs to it."""
        joined = Part([], kind=kind)
        for part in parts:
            joined.qubits += part.qubits
            joined.nodes += part.nodes + part.rest
        if all(part.kind == "product" for part in parts):
            joined.qubits = list(node.qargs)
        joined.nodes.append(node)
        for qubit in joined.qubits:
            self.part[qubit] = joined


def _is_fixed_gate(node: DAGOpNode) -> bool:
    if not isinstance(node.op, Gate) or node.cargs or node.op.is_parameterized():
        return False
    return len(node.qargs) > 1 or _has_matrix(node.op)


def _has_matrix(gate: Gate) -> bool:
    """Whether it is known what a gate on one qubit does, and that it is unitary."""
    from aqc.interop.circuits import matrix_of

    try:
        matrix = matrix_of(gate)
    except (QiskitError, AqcError):
        return False
    return bool(np.allclose(matrix @ matrix.conj().T, np.eye(2), rtol=0, atol=1e-9))


def _is_rotation(operation: Gate) -> bool:
    if type(operation) is PauliEvolutionGate:
        return operation.num_qubits == 2
    return operation.base_class in _ROTATIONS


def _continues(node: DAGOpNode, parts: list[Part]) -> bool:
    """Whether a gate is more of the same evolution: of the same operator on the same qubits."""
    (part, *others) = parts
    if others or part.kind != "evolution" or part.rest:
        return False
    last = part.nodes[-1]
    return last.qargs == node.qargs and last.op.operator == node.op.operator
