import itertools

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector
from qiskit.transpiler import CouplingMap

from aqc.circuit import Circuit, Gate
from aqc.errors import InputError
from aqc.gates import CX
from aqc.interop.routing import chain_circuit, place
from aqc.interop.synthesis import synthesize, two_qubit_counts

MAPS = {
    "heavy hex": CouplingMap.from_heavy_hex(3),
    "star": CouplingMap([(0, leaf) for leaf in range(1, 8)]),
    "tree": CouplingMap([(0, 1), (0, 2), (0, 3), (1, 4), (2, 5), (3, 6), (6, 7), (5, 8)]),
    "backward line": CouplingMap([(q + 1, q) for q in range(8)]),
}


def pairs_of(circuit: QuantumCircuit) -> set[tuple[int, ...]]:
    index = {qubit: number for number, qubit in enumerate(circuit.qubits)}
    return {
        tuple(index[qubit] for qubit in step.qubits)
        for step in circuit.data
        if len(step.qubits) == 2
    }


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("basis", ["cx", "ecr", "rzz"])
def test_placed_circuit_is_the_same_state_on_allowed_pairs(
    name, basis, brickwork, matrix_of, distance
):
    circuit = brickwork(6, 4, seed=3)
    emitted = synthesize(circuit, basis, MAPS[name], seed=1)
    assert emitted.circuit.num_qubits == MAPS[name].size()
    assert pairs_of(emitted.circuit) <= {tuple(edge) for edge in MAPS[name].get_edges()}
    chain = chain_circuit(emitted.circuit, emitted.layout)
    state = Statevector(chain.reverse_bits()).data.reshape(2**6, -1)
    # Qubits that only helped a swap are back in |0>.
    assert distance(state[:, 0], matrix_of(circuit)[:, 0]) < 1e-12


def test_a_swap_costs_at_most_three_cx(brickwork):
    circuit = brickwork(6, 4, seed=3)
    free, _ = two_qubit_counts(synthesize(circuit).circuit)
    swaps = len(place(circuit, MAPS["star"]).circuit.gates) - len(circuit.gates)
    routed, _ = two_qubit_counts(synthesize(circuit, "cx", MAPS["star"]).circuit)
    assert swaps > 0
    assert free < routed <= free + 3 * swaps


@pytest.mark.parametrize("num_qubits", [20, 50])
def test_line_is_embedded_in_heavy_hex_without_swaps(num_qubits, brickwork):
    circuit = brickwork(num_qubits, 3)
    emitted = synthesize(circuit, "cx", CouplingMap.from_heavy_hex(7))
    assert two_qubit_counts(emitted.circuit) == two_qubit_counts(synthesize(circuit).circuit)
    assert len(set(emitted.layout)) == num_qubits


def test_site_i_stays_qubit_i_where_the_map_allows_it(brickwork):
    edges = [(q, q + 1) for q in range(9)]
    assert synthesize(brickwork(6, 3), "cz", edges).layout == tuple(range(6))


def test_same_seed_same_place(brickwork):
    circuit = brickwork(6, 3)
    one, other = (synthesize(circuit, "cx", MAPS["star"], seed=5) for _ in range(2))
    assert one.layout == other.layout
    assert one.circuit == other.circuit


def test_chain_circuit_keeps_helpers_last_and_drops_idle_qubits(matrix_of, distance):
    # Sites 0 and 1 start on qubits 4 and 2; site 1 moves to qubit 1 through a swap.
    circuit = QuantumCircuit(6)
    circuit.ry(0.3, 4)
    circuit.cx(4, 2)
    circuit.swap(2, 1)
    circuit.rx(0.7, 1)
    chain = chain_circuit(circuit, (4, 1))
    expected = QuantumCircuit(3)
    expected.ry(0.3, 0)
    expected.cx(0, 2)
    expected.swap(2, 1)
    expected.rx(0.7, 1)
    assert chain.num_qubits == 3
    assert distance(matrix_of(chain), matrix_of(expected)) < 1e-14


def test_chain_circuit_keeps_a_site_without_gates():
    circuit = QuantumCircuit(4)
    circuit.x(3)
    assert chain_circuit(circuit, (3, 0)).num_qubits == 2


@pytest.mark.parametrize("layout", [(0, 0), (0, 4)])
def test_layout_that_is_no_placement_is_refused(layout):
    with pytest.raises(InputError, match=r"distinct qubits in 0..3"):
        chain_circuit(QuantumCircuit(4), layout)


@pytest.mark.parametrize(
    ("edges", "sentence"),
    [
        ([(0, 1), (1, 2)], "at least 4 qubits, but has 3"),
        ([(0, 1), (2, 3), (3, 4)], "connected, but falls into 2 parts"),
        ([(0, 1), (1, 2, 3)], r"pairs of distinct qubits, but holds \(1, 2, 3\)"),
        ([[0, 1], 7], "but holds 7"),
        ([[0, 1], "12"], "but holds '12'"),
        ([[0, 1], [1, 2.0]], r"but holds \[1, 2.0\]"),
        ([[0, 1], [1, 1]], r"but holds \[1, 1\]"),
        ([(0, 1), (1, -2)], "without gaps, but run from -2 to 1"),
        ([(0, 1), (1, 10**12)], "without gaps, but run from 0 to 1000000000000"),
        ([], "at least 4 qubits, but has 0"),
    ],
)
def test_map_that_cannot_hold_the_circuit_is_refused(edges, sentence):
    circuit = Circuit(4, tuple(Gate((q, q + 1), np.eye(4)) for q in range(3)))
    with pytest.raises(InputError, match=sentence) as refusal:
        place(circuit, edges)
    assert refusal.value.pointer == "/circuit/coupling_map"


def quiet_chain(n, edges, errors, seed=0):
    """Return the worst and the total error on the pairs that a chain of gates is put on."""
    gates = tuple(Gate((j, j + 1), CX) for j in range(n - 1))
    placed = place(Circuit(n, gates), edges, seed, errors=errors)
    by_pair = {frozenset(pair): error for pair, error in zip(edges, errors, strict=True)}
    used = [by_pair[frozenset(gate.qubits)] for gate in placed.circuit.gates]
    assert len(used) == n - 1
    return max(used), sum(used)


def test_a_ring_is_cut_at_its_worst_pair():
    edges = [(j, (j + 1) % 8) for j in range(8)]
    for worst in range(8):
        errors = [0.5 if j == worst else 0.01 for j in range(8)]
        assert quiet_chain(8, edges, errors)[0] == 0.01


def test_no_chain_of_a_grid_has_a_better_worst_pair():
    rng = np.random.default_rng(4)
    edges = [(i, i + 1) for i in range(12) if i % 4 < 3] + [(i, i + 4) for i in range(8)]
    errors = rng.uniform(0.001, 0.1, len(edges)).tolist()
    cost = dict(zip(map(frozenset, edges), errors, strict=True))
    paths = [[q] for q in range(12)]
    for _ in range(5):
        paths = [
            [*path, q]
            for path in paths
            for q in range(12)
            if q not in path and frozenset((path[-1], q)) in cost
        ]
    best = min(max(cost[frozenset(pair)] for pair in itertools.pairwise(path)) for path in paths)
    assert quiet_chain(6, edges, errors)[0] == pytest.approx(best)


def test_a_heavy_hex_device_with_errors():
    edges = sorted({tuple(sorted(e)) for e in CouplingMap.from_heavy_hex(5).get_edges()})
    rng = np.random.default_rng(1)
    errors = rng.uniform(0.001, 0.02, len(edges)).tolist()
    worst, total = quiet_chain(25, edges, errors)
    assert total < 24 * np.mean(errors)
    assert worst < max(errors)
