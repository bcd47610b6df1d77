"""Couplings of any pairs: formulas, targets, overlaps and metric against dense matrices."""

import jax
import numpy as np
import pytest

from aqc import lattice, overlap
from aqc.ansatz import Ansatz
from aqc.circuit import Circuit, Gate
from aqc.gates import evolution
from aqc.hamiltonian import Hamiltonian
from aqc.lattice import couplings_commute, evolve_state, formula
from aqc.lattice_baseline import best_formula
from aqc.metric import fubini_study
from aqc.models import MODELS
from aqc.mps import MPS, from_vector
from aqc.pauli_strings import energy

RING = MODELS["xxz_ring"].build(6, field=[0.3, 0, 0, -0.2, 0, 0.1])
LADDER = MODELS["heisenberg_ladder"].build(8, j_rung=0.7)


def product(n, seed=0):
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(n, 2)) + 1j * rng.normal(size=(n, 2))
    return states / np.linalg.norm(states, axis=1, keepdims=True)


def truth(hamiltonian, states, time):
    return evolution(hamiltonian.to_dense(), time) @ MPS.product(states).to_dense()


def infidelity(a, b):
    return 1 - abs(np.vdot(a, b)) ** 2


@pytest.mark.parametrize("hamiltonian", [RING, LADDER, MODELS["hubbard_chain"].build(6)])
def test_the_pairs_add_up_to_the_hamiltonian(hamiltonian):
    n = hamiltonian.num_qubits
    total = hamiltonian.constant * np.eye(2**n, dtype=complex)
    for pair, matrix in zip(hamiltonian.pairs, hamiltonian.pair_matrices(), strict=True):
        total += Circuit(n, (Gate(pair, matrix),)).act_on(np.eye(2**n, dtype=complex))
    np.testing.assert_allclose(total, hamiltonian.to_dense(), atol=1e-12)


@pytest.mark.parametrize(("order", "least"), [(1, 0.8), (2, 1.8), (4, 3.7)])
def test_a_formula_has_its_order(order, least):
    states, exact = product(8), truth(LADDER, product(8), 0.5)
    errors = []
    for steps in (4, 8):
        made = formula(LADDER, 0.5, steps, order).act_on(MPS.product(states).to_dense())
        phase = np.vdot(made, exact)
        errors.append(np.linalg.norm(made * phase / abs(phase) - exact))
    assert errors[0] > 1e-8
    assert np.log2(errors[0] / errors[1]) > least


def test_fields_apart_are_the_same_evolution():
    ising = MODELS["ising_square"].build(6, rows=2, g=0.7, h=0.2)
    assert couplings_commute(ising)
    states = product(6)
    made = formula(ising, 0.4, 6, 4, fused=False).act_on(MPS.product(states).to_dense())
    assert infidelity(made, truth(ising, states, 0.4)) < 1e-9
    assert not couplings_commute(LADDER)


def test_a_vector_is_evolved_to_its_tolerance():
    states = product(6)
    target = evolve_state(RING, states, 1.3, tolerance=1e-2, max_bond=64)
    assert target.trotter_exact
    lost = infidelity(target.mps.to_dense(), truth(RING, states, 1.3))
    assert 1e-12 < lost <= target.infidelity_bound <= 1e-2
    later = evolve_state(RING, target.mps, 0.4, tolerance=1e-10, max_bond=64)
    onward = evolution(RING.to_dense(), 0.4) @ target.mps.to_dense()
    assert infidelity(later.mps.to_dense(), onward) <= 1e-10


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6])
def test_a_formula_keeps_its_tolerance(monkeypatch, tolerance):
    monkeypatch.setattr(lattice, "MAX_DENSE_QUBITS", 5)
    ladder = MODELS["heisenberg_ladder"].build(10, j_leg=0.9)
    states = product(10)
    target = evolve_state(ladder, states, 0.6, tolerance=tolerance, max_bond=64)
    assert target.steps > 0
    assert not target.trotter_exact
    lost = infidelity(target.mps.to_dense(), truth(ladder, states, 0.6))
    assert lost <= target.infidelity_bound <= tolerance


def random_ansatz(hamiltonian, layers, seed):
    start = Ansatz.from_trotter(
        hamiltonian, 0.4, product(hamiltonian.num_qubits), layers=layers, order=None
    )
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=start.blocks.shape) + 1j * rng.normal(size=start.blocks.shape)
    return start.with_blocks(start.blocks @ evolution(noise + noise.conj().swapaxes(1, 2), 0.05))


@pytest.mark.parametrize(
    "method",
    [
        "dense",
        pytest.param("exact", marks=pytest.mark.slow),
        pytest.param("truncated", marks=pytest.mark.slow),
    ],
)
def test_every_engine_measures_blocks_on_any_pairs(method):
    ansatz = random_ansatz(RING, 3, seed=4)
    exact = truth(RING, ansatz.state, 0.4)
    made = ansatz.circuit().act_on(np.eye(64)[0])
    expected = np.log(1 - infidelity(made, exact))
    assert expected < -1e-3
    with jax.enable_x64(True):
        settings = {"weight": 1e-12} if method == "truncated" else {}
        data = overlap.prepare(ansatz, from_vector(exact), method, np.dtype(complex), **settings)
        value, slope = jax.jit(jax.value_and_grad(overlap.log_fidelity))(ansatz.blocks, data)
        assert float(value) == pytest.approx(expected, abs=1e-6)
        rng = np.random.default_rng(1)
        step = rng.normal(size=ansatz.blocks.shape) + 1j * rng.normal(size=ansatz.blocks.shape)
        up, down = (
            float(jax.jit(overlap.log_fidelity)(ansatz.blocks + sign * 1e-5 * step, data))
            for sign in (1, -1)
        )
    assert np.sum(np.asarray(slope) * step).real == pytest.approx((up - down) / 2e-5, rel=1e-3)


def test_the_metric_of_blocks_on_any_pairs(monkeypatch):
    monkeypatch.setattr("aqc.metric._ANGLE_PER_LAYER", 1e-7)
    ansatz = random_ansatz(RING, 3, seed=5)
    metric = fubini_study(ansatz, ansatz.blocks[:, None])
    pairs = [pair for layer in ansatz.pairs for pair in layer]
    gates = ansatz.circuit().gates
    for number in (0, 2, len(pairs) - 1):
        before = Circuit(6, gates[: 6 + number]).act_on(np.eye(64)[0])
        legs = np.moveaxis(before.reshape((2,) * 6), pairs[number], (0, 1)).reshape(4, -1)
        rho = legs @ legs.conj().T
        z = np.diag([1.0, 1, -1, -1])  # ZI, number 11 of the fifteen
        variance = 1 - np.trace(rho @ z).real ** 2
        assert metric[number, 11, 11] == pytest.approx(variance, abs=1e-9)


def test_the_energy_of_any_terms():
    states = product(6, seed=2)
    vector = MPS.product(states).to_dense()
    expected = np.vdot(vector, RING.to_dense() @ vector).real
    assert energy(MPS.product(states), RING) == pytest.approx(expected, abs=1e-12)
    assert energy(vector, RING) == pytest.approx(expected, abs=1e-12)


def test_the_baseline_is_the_best_formula_of_its_depth():
    states = product(8)
    exact = truth(LADDER, states, 0.5)
    best = best_formula(((LADDER, 0.5),), states, from_vector(exact), depth=20)
    circuit = formula(LADDER, 0.5, best.steps, best.order)
    made = circuit.act_on(MPS.product(states).to_dense())
    assert best.infidelity == pytest.approx(infidelity(made, exact), rel=1e-3)
    assert 20 <= best.two_qubit_depth <= 27
    assert best.two_qubit_gates == 3 * len(circuit.gates) - 2 * 4  # the first color: 1 CX each


def test_a_chain_in_other_words_is_the_same():
    chain = MODELS["xxz_chain"].build(6)
    folded = Hamiltonian.from_terms(
        6, [(t.pauli, [q * 5 % 6 for q in t.qubits], t.coefficient) for t in chain.terms]
    )  # 0 5 4 3 2 1
    assert not folded.is_chain
    assert chain.is_chain
    assert folded.pairs[-1] == (0, 5)


def test_a_frame_keeps_the_pairs():
    ansatz = random_ansatz(RING, 5, seed=8)
    again = Ansatz.framed(ansatz.frame(), ansatz.blocks)
    assert again.colors == ansatz.colors
    assert again.pairs == ansatz.pairs
    deeper = again.deepened(7)
    zeros = np.eye(64)[0]
    np.testing.assert_allclose(
        deeper.circuit().act_on(zeros), ansatz.circuit().act_on(zeros), atol=1e-14
    )
    moved = deeper.on(product(6, seed=9))
    expected = Circuit(6, tuple(deeper.circuit().gates)).act_on(zeros)
    np.testing.assert_allclose(moved.circuit().act_on(zeros), expected, atol=1e-12)
    older = {name: array for name, array in ansatz.frame().items() if name != "colors"}
    assert Ansatz.framed(older, ansatz.blocks).colors == ()
