"""What belongs to the prefix, what does not, and why."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.converters import circuit_to_dag
from qiskit.quantum_info import SparsePauliOp

from aqc.qiskit_plugin.evolved_state import TimeEvolvedState
from aqc.qiskit_plugin.prefix import find_prefix
from aqc.qiskit_plugin.states import hamiltonian_on_line, line_of


def chain(n, time=0.3):
    terms = [("XX", [j, j + 1], 1.0) for j in range(n - 1)] + [("Z", [0], 0.5)]
    return PauliEvolutionGate(SparsePauliOp.from_sparse_list(terms, n), time)


def prefix_of(circuit):
    dag = circuit_to_dag(circuit)
    return find_prefix(dag, hamiltonian_on_line), dag


def shape(circuit):
    """(kind, qubits, names of what it takes, number of gates that stay) of every part."""
    prefix, dag = prefix_of(circuit)
    return [
        (
            part.kind,
            [dag.find_bit(qubit).index for qubit in part.qubits],
            sorted(node.name for node in part.nodes),
            len(part.rest),
        )
        for part in prefix.parts
    ]


def test_the_preparation_and_the_evolution_but_not_what_follows():
    circuit = QuantumCircuit(5)
    circuit.x([0, 2]), circuit.h(4), circuit.x(4)
    circuit.append(chain(3), [2, 0, 1])
    circuit.h(0), circuit.cx(1, 3), circuit.h(1)
    names = ["PauliEvolution", "x", "x"]
    assert shape(circuit) == [("evolution", [2, 0, 1], names, 1)]


def test_more_of_the_same_evolution_is_one_evolution():
    circuit = QuantumCircuit(3)
    for _ in range(4):
        circuit.append(chain(3), [2, 1, 0])
    assert shape(circuit) == [("evolution", [2, 1, 0], ["PauliEvolution"] * 4, 0)]


@pytest.mark.parametrize(
    "second", [(chain(3), [0, 1, 2]), (chain(2), [0, 1]), (chain(4), [2, 1, 0, 3])]
)
def test_another_evolution_is_left(second):
    circuit = QuantumCircuit(4)
    circuit.append(chain(3), [2, 1, 0])
    circuit.append(*second)
    prefix, _ = prefix_of(circuit)
    assert [len(part.nodes) for part in prefix.parts] == [1]
    assert [refusal.reason for refusal in prefix.refusals] == ["another evolution comes before it"]


def test_a_gate_between_two_evolutions_ends_the_prefix():
    circuit = QuantumCircuit(3)
    circuit.append(chain(3), range(3))
    circuit.h(1)
    circuit.append(chain(3), range(3))
    assert shape(circuit) == [("evolution", [0, 1, 2], ["PauliEvolution"], 1)]


def test_evolutions_on_different_qubits_are_parts_of_their_own():
    circuit = QuantumCircuit(6)
    circuit.append(chain(3), [0, 2, 4])
    circuit.append(chain(3), [5, 3, 1])
    circuit.cx(0, 5)
    assert [qubits for _, qubits, _, _ in shape(circuit)] == [[0, 2, 4], [5, 3, 1]]


def test_rotations_join_and_stop_at_other_gates():
    circuit = QuantumCircuit(5)
    circuit.rxx(0.3, 0, 1), circuit.ryy(0.3, 3, 2), circuit.ry(0.1, 1), circuit.rzz(0.1, 1, 2)
    circuit.cz(3, 4), circuit.rxx(0.3, 0, 1), circuit.rxx(0.2, 2, 3)
    names = ["rxx", "rxx", "ry", "ryy", "rzz"]
    assert shape(circuit) == [("rotations", [0, 1, 3, 2], names, 0)]


def evolved(circuit, qubits=(0, 1, 2)):
    circuit.append(chain(len(qubits)), qubits)
    return circuit


def with_parameter(circuit):
    gate = PauliEvolutionGate(SparsePauliOp(["IXX", "XXI"]), Parameter("t"))
    circuit.append(gate, [0, 1, 2])
    return circuit


def opaque(circuit):
    circuit.append(Gate("mystery", 1, []), [1])
    return evolved(circuit)


class Projector(Gate):
    """Says that it is a gate, and is none."""

    def __init__(self):
        super().__init__("projector", 1, [])

    def to_matrix(self):
        return np.diag([1.0, 0.0])


def projected(circuit):
    circuit.append(Projector(), [2])
    return evolved(circuit)


def disguised(circuit):
    circuit.append(Gate("rxx", 2, [0.3]), [0, 1])
    return evolved(circuit)


def conditional(circuit):
    circuit.measure(3, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(0)
    return evolved(circuit)


def of_terms(*terms):
    def build(circuit):
        gate = PauliEvolutionGate(SparsePauliOp.from_sparse_list(terms, 4), 0.3)
        circuit.append(gate, range(4))
        return circuit

    return build


def then(*steps):
    def build(circuit):
        for name, *arguments in steps:
            getattr(circuit, name)(*arguments)
        return evolved(circuit)

    return build


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (then(("cx", 0, 1)), "`cx` on the qubits 0, 1 comes before it"),
        (then(("cx", 2, 3)), "`cx` on the qubits 2, 3 comes before it"),
        (then(("cx", 3, 4), ("swap", 4, 1)), "`swap` on the qubits 4, 1 comes before it"),
        (then(("reset", 1)), "`reset` on the qubits 1 comes before it"),
        (then(("measure", 2, 0)), "`measure` on the qubits 2 comes before it"),
        (then(("barrier",)), "`barrier` on the qubits 0, 1, 2, 3, 4 comes before it"),
        (then(("delay", 10, 0)), "`delay` on the qubits 0 comes before it"),
        (then(("initialize", [0, 1], [1])), "`initialize` on the qubits 1 comes before it"),
        (then(("rx", Parameter("a"), 1)), "`rx` on the qubits 1 comes before it"),
        (then(("rxx", 0.3, 1, 2)), "another evolution comes before it"),
        (with_parameter, "no gate with numbers for all parameters"),
        (opaque, "`mystery` on the qubits 1 comes before it"),
        (projected, "`projector` on the qubits 2 comes before it"),
        (disguised, "`rxx` on the qubits 0, 1 comes before it"),
        (conditional, "`if_else` on the qubits 0 comes before it"),
        (of_terms(("XX", [0, 1], 1.0), ("XX", [1, 2], 1.0), ("ZZ", [0, 2], 1.0)), "form a ring"),
        (of_terms(*[("XX", [0, j], 1.0) for j in (1, 2, 3)]), "coupled to 3 others"),
        (of_terms(("XXX", [0, 1, 2], 1.0)), "a term acts on 3 qubits"),
    ],
)
def test_what_cannot_be_proved_is_refused(build, reason):
    prefix, _ = prefix_of(build(QuantumCircuit(5, 1)))
    assert [part for part in prefix.parts if part.kind == "evolution"] == []
    (refusal,) = prefix.refusals
    assert refusal.operation == "PauliEvolution"
    assert reason in refusal.reason


def test_what_is_not_an_evolution_is_no_prefix_at_all():
    circuit = QuantumCircuit(3)
    circuit.h(0), circuit.cx(0, 1), circuit.cx(1, 2)
    prefix, _ = prefix_of(circuit)
    assert prefix.parts == prefix.refusals == ()


def test_a_time_evolved_state_needs_untouched_qubits():
    state = TimeEvolvedState({"model": "xxz_chain", "num_qubits": 3}, 0.3)
    fresh, touched = QuantumCircuit(4), QuantumCircuit(4)
    fresh.x(3), fresh.append(state, [2, 0, 1]), fresh.rxx(0.3, 1, 3)
    touched.x(1), touched.append(state, [2, 0, 1])
    assert shape(fresh) == [("state", [2, 0, 1], ["TimeEvolvedState"], 0)]
    assert shape(touched) == []
    assert "must be in |0>" in prefix_of(touched)[0].refusals[0].reason


def test_a_controlled_evolution_is_none():
    circuit = QuantumCircuit(4)
    circuit.h(3)
    circuit.append(chain(3).control(1, annotated=True), [3, 0, 1, 2])
    assert shape(circuit) == []


def test_items_along_a_line():
    assert line_of([3, 1, 2], []) == [3, 1, 2]
    assert line_of("abcd", [("d", "b"), ("b", "d"), ("c", "a")]) == ["a", "c", "b", "d"]
    assert line_of([0, 1, 2, 3], [(0, 1), (0, 2), (0, 3)]) is None
    assert line_of([0, 1, 2, 3], [(1, 2), (2, 3), (3, 1)]) is None
