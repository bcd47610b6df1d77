"""Where an optimization starts: each kind of start, and bricks found in circuits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import transpile

from aqc.ansatz import Ansatz
from aqc.circuit import Circuit, Gate
from aqc.disentangle import disentangle, nearest_product
from aqc.errors import InputError
from aqc.fit import fit
from aqc.gates import CX, evolution, exchanged, pauli
from aqc.inline import inline
from aqc.interop.bricks import find_bricks, with_layers
from aqc.interop.quimb import ground_state
from aqc.mps import MPS, log_overlap
from aqc.problem import Problem
from aqc.simulate import run_circuit
from aqc.start import (
    identities,
    random_ansatz,
    squeeze,
    start_ansatz,
)
from aqc.targets import make_target
from aqc.trotter import brick_layers
from reference import (
    fidelity,
    neel,
    random_chain,
    random_product,
    random_unitaries,
    statevector,
    trotter_circuit,
)


def ghz(num_qubits: int) -> MPS:
    inner = np.zeros((2, 2, 2))
    inner[0, 0, 0] = inner[1, 1, 1] = 1
    first, last = np.eye(2).reshape(1, 2, 2) / 2**0.5, np.eye(2).reshape(2, 2, 1)
    return MPS((first, *[inner] * (num_qubits - 2), last))


def random_bricks(num_qubits: int, layers: int, seed: int) -> Ansatz:
    ansatz = Ansatz(random_product(num_qubits, seed), layers, np.zeros((0, 4, 4)))
    return ansatz.with_blocks(random_unitaries(sum(map(len, ansatz.bonds)), 4, seed))


# --- bricks in circuits


@settings(max_examples=30)
@given(st.integers(3, 6), st.integers(1, 5), st.integers(0, 10**6))
def test_bricks_are_found_again(num_qubits, layers, seed):
    """Whatever the order in which they are written, and with gates on one qubit between."""
    ansatz = random_bricks(num_qubits, layers, seed)
    rng = np.random.default_rng(seed)
    gates = []
    for gate in ansatz.circuit().gates:
        gates.append(gate)
        if len(gate.qubits) == 2 and rng.random() < 0.5:
            gates[-1] = Gate(gate.qubits[::-1], exchanged(gate.matrix))
        one = random_unitaries(1, 2, int(rng.integers(10**6)))[0]
        site = gate.qubits[int(rng.integers(len(gate.qubits)))]
        gates += [Gate((site,), one), Gate((site,), one.conj().T)]
    found = find_bricks(Circuit(num_qubits, tuple(gates)))
    assert found.layers == layers
    np.testing.assert_allclose(found.blocks, ansatz.blocks, atol=1e-12)
    assert fidelity(statevector(found.circuit()), statevector(ansatz.circuit())) > 1 - 1e-12


def test_bonds_without_a_gate_get_the_identity():
    found = find_bricks(Circuit(4, (Gate((1, 2), CX), Gate((0, 1), CX))))
    assert found.layers == 3
    np.testing.assert_allclose(found.blocks, [np.eye(4), np.eye(4), CX, CX, np.eye(4)], atol=0)


def test_a_gate_between_distant_qubits_is_no_brick():
    with pytest.raises(InputError, match="`ansatz.start` must be a brickwork.* qubits 0 and 2"):
        find_bricks(Circuit(3, (Gate((2, 0), CX),)), "`ansatz.start`")


def test_identities_continue_a_start_and_too_many_layers_are_refused():
    ansatz = random_bricks(5, 2, seed=1)
    longer = with_layers(ansatz, 5)
    assert longer.layers == 5
    assert fidelity(statevector(longer.circuit()), statevector(ansatz.circuit())) > 1 - 1e-12
    with pytest.raises(InputError, match="set `ansatz.layers` to 2") as refused:
        with_layers(ansatz, 1)
    assert refused.value.pointer == "/ansatz/layers"


# --- starts


def start_of(**fields) -> tuple[Ansatz, MPS]:
    problem = Problem.from_dict(inline(fields))
    target = make_target(problem).mps
    return start_ansatz(problem, target, problem.ansatz.layers), target


def reached(ansatz: Ansatz, target: MPS) -> float:
    return fidelity(statevector(ansatz.circuit()), target.to_dense())


def test_an_evolution_starts_at_trotters_circuit():
    chain = random_chain(5, seed=2)
    start, _ = start_of(hamiltonian=chain, time=0.5, initial_state="neel", ansatz={"layers": 5})
    layers = brick_layers(chain, 0.5, 2, 2)
    np.testing.assert_allclose(start.blocks, np.concatenate([layer.gates for layer in layers]))


def test_random_starts_are_unitary_and_depend_on_the_seed_alone():
    one, same, other = (random_ansatz(neel(5), 3, seed).blocks for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.1
    np.testing.assert_allclose(one @ one.conj().swapaxes(1, 2), [np.eye(4)] * 6, atol=1e-14)


def test_random_blocks_follow_the_haar_measure():
    """Eigenphases of Haar matrices are uniform; those of plain QR are not."""
    blocks = random_ansatz(neel(2001), 1, 3).blocks
    traces = np.einsum("bii->b", blocks)
    # Moments of Haar U(4): <tr> = 0, <|tr|^2> = 1, <|tr|^4> = 2, each within five sigma.
    assert abs(traces.mean()) < 5 / np.sqrt(len(traces))
    assert np.mean(abs(traces) ** 2) == pytest.approx(1, abs=5 / np.sqrt(len(traces)))
    assert np.mean(abs(traces) ** 4) == pytest.approx(2, abs=5 * 4.5 / np.sqrt(len(traces)))


def test_a_random_start_keeps_the_initial_state():
    start, _ = start_of(
        hamiltonian=random_chain(4, 1),
        time=0.5,
        initial_state="neel",
        ansatz={"layers": 3, "start": {"random": 5}},
    )
    np.testing.assert_array_equal(start.state, neel(4))


def test_a_deep_trotter_circuit_is_squeezed_into_the_shallow_one():
    """With fields, and on a chain that is not its own mirror image."""
    chain = random_chain(5, seed=4)
    fine = brick_layers(chain, 0.3, 40, 2)
    gates = [Gate((j, j + 1), m) for layer in fine for j, m in bonds_of(layer)]
    found = squeeze(neel(5), gates, 3)
    expected = np.concatenate([layer.gates for layer in brick_layers(chain, 0.3, 1, 2)])
    for block, wanted in zip(found.blocks, expected, strict=True):
        assert abs(np.trace(block.conj().T @ wanted)) == pytest.approx(4, abs=1e-6)


def bonds_of(layer):
    return ((layer.first_bond + 2 * k, matrix) for k, matrix in enumerate(layer.gates))


def test_a_circuit_that_is_shallow_enough_is_its_own_start():
    start, target = start_of(
        target={"circuit": trotter_circuit(6, 2, 0.5), "tolerance": 1e-8}, ansatz={"layers": 5}
    )
    assert start.layers == 5
    assert reached(start, target) > 1 - 1e-7


def test_a_circuit_with_distant_gates_still_has_a_start():
    circuit = trotter_circuit(6, 4, 0.5)
    circuit.rzz(0.1, 0, 3)
    start, target = start_of(target={"circuit": circuit}, ansatz={"layers": 5})
    assert reached(start, target) > 0.9


def test_a_transpiled_trotter_circuit_is_squeezed_as_well():
    """Its one-qubit gates stand anywhere between the blocks."""
    circuit = trotter_circuit(6, 12, 0.5)
    transpiled = transpile(circuit, basis_gates=["u", "cx"], optimization_level=1)
    reaches = []
    for given_ in (circuit, transpiled):
        start, target = start_of(target={"circuit": given_}, ansatz={"layers": 5})
        reaches.append(reached(start, target))
    assert reaches[0] > 0.98
    assert reaches[1] == pytest.approx(reaches[0], abs=0.01)


def test_an_entangled_start_comes_first_and_then_trotter():
    prepared = trotter_circuit(6, 1, 0.7)  # two layers
    chain = random_chain(6, seed=5)
    start, target = start_of(
        hamiltonian=chain, time=0.2, initial_state=prepared, ansatz={"layers": 5}
    )
    prepared_block = evolution(pauli("XX") + pauli("YY") + 0.5 * pauli("ZZ"), 0.7)
    for block in start.blocks[:5]:
        assert abs(np.trace(block.conj().T @ prepared_block)) == pytest.approx(4, abs=1e-9)
    assert reached(start, target) > 0.8


def test_ghz_is_disentangled_where_a_gradient_vanishes():
    target = ghz(8)
    ansatz = disentangle(target, 5)
    made = run_circuit(ansatz.circuit(), angle=0.0, max_bond=16).mps
    assert log_overlap(made, target)[0] == pytest.approx(0, abs=1e-12)
    start, _ = start_of(target={"state": list(target.tensors)}, ansatz={"layers": 5})
    assert reached(start, target) > 1 - 1e-9


@settings(max_examples=30)
@given(st.integers(2, 6), st.integers(1, 4), st.integers(0, 10**6))
def test_shallow_states_are_found_nearest_a_product(num_qubits, layers, seed):
    """The nearest product is at least as near as every basis state and one-site guess."""
    target = run_circuit(random_bricks(num_qubits, layers, seed).circuit(), angle=0.0, max_bond=64)
    sites = nearest_product(target.mps)
    found = fidelity(statevector(Ansatz(sites, 1, identity(num_qubits)).circuit()), vector(target))
    assert found >= 0.999 * np.abs(vector(target)[0]) ** 2


def identity(num_qubits):
    return np.tile(np.eye(4), (num_qubits // 2, 1, 1))


def vector(made):
    return made.mps.to_dense()


def test_a_state_of_one_block_on_each_pair_is_disentangled_exactly():
    ansatz = random_bricks(6, 1, seed=6)
    target = run_circuit(ansatz.circuit(), angle=0.0, max_bond=4).mps
    assert reached(disentangle(target, 1), target) == pytest.approx(1, abs=1e-12)


def test_identities_that_are_not_near_are_turned_a_little():
    """Real gates on a real target would stay real, and two CX of each block without use."""
    model = {"model": "xxz_chain", "num_qubits": 8, "delta": 2.0, "field": [1.0, *[0.0] * 6, -1.0]}
    chain = Problem.build(model, 0.0).to_hamiltonian()
    state, _ = ground_state(chain, start=np.tile(np.eye(2)[::-1], (4, 1)))
    problem = Problem.from_dict(inline({"target": {"state": state}}))
    start = start_ansatz(problem, state, 4)
    turned, found = (
        fit(ansatz, state, max_evaluations=200).optimum.infidelity
        for ansatz in (start, identities(start.state, 4))
    )
    assert np.abs(start.blocks - np.eye(4)).max() < 0.1
    assert turned < 0.8 * found
    # What is a product state is not turned away from it.
    product = MPS.product(neel(6))
    problem = Problem.from_dict(inline({"target": {"state": product}}))
    np.testing.assert_allclose(
        start_ansatz(problem, product, 2).blocks, identities(neel(6), 2).blocks, atol=1e-12
    )
