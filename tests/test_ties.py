"""Blocks that share gates: how many, summed gradients and metrics, fits beside free ones."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from aqc import compile_evolution, overlap
from aqc.ansatz import Ansatz
from aqc.blocks import BLOCKS
from aqc.errors import InputError
from aqc.fit import fit
from aqc.hamiltonian import Hamiltonian
from aqc.metric import fubini_study
from aqc.objective import evaluate
from aqc.points import exact_matrices, nearest_point
from aqc.problem import Problem
from aqc.race import best_start
from aqc.start import random_ansatz, start_ansatz
from aqc.targets import make_target
from aqc.ties import tie
from reference import fidelity, neel, statevector


def ring(n, closed=True):
    """Couplings of two strengths by turns, fields too, and a sense of direction (XY - YX)."""
    terms = []
    for j in range(n if closed else n - 1):
        pair, c = (j, (j + 1) % n), 1 + 0.3 * (j % 2)
        terms += [("XX", pair, c), ("ZZ", pair, 0.5 * c), ("XY", pair, 0.4), ("YX", pair, -0.4)]
    terms += [("X", (j,), 0.2 + 0.1 * (j % 2)) for j in range(n)]
    return Hamiltonian.from_terms(n, terms)


def tied(n, layers, *, closed, block="su4"):
    hamiltonian = ring(n, closed)
    first = Ansatz.from_pieces(((hamiltonian, 0.4),), neel(n), layers=layers)
    return replace(first, block=block, tied=True)


def settle(ansatz, seed=0):
    """Return a point of gates somewhere, and the same circuit of free blocks."""
    rng = np.random.default_rng(seed)
    near = random_ansatz(ansatz.state, 1, seed).blocks[:1]
    gates = np.concatenate([ansatz.gates[:-1], near]) + 0.1 * rng.normal(size=ansatz.gates.shape)
    point = nearest_point(np.linalg.qr(gates)[0], ansatz.block)
    return point, replace(ansatz.with_gates(exact_matrices(point, ansatz.block)), tied=False)


def test_gates_of_a_ring_are_as_many_as_layers_and_those_of_a_chain_do_not_grow():
    for n in (6, 10, 14):
        assert len(tied(n, 4, closed=True).gates) == 4
    counts = [len(tied(n, 4, closed=False).gates) for n in (8, 12, 16, 50)]
    assert counts == [14, 20, 20, 20]
    # Five of nine: (4 + 1) // 2 blocks at either end, and one gate for all between them.
    groups = tied(18, 4, closed=False).ties.groups[:9].tolist()
    assert groups == [0, 1, 2, 2, 2, 2, 2, 3, 4]


@pytest.mark.parametrize("closed", [True, False])
def test_trotter_circuits_have_alike_blocks(closed):
    ansatz = tied(12, 5, closed=closed)
    np.testing.assert_allclose(ansatz.with_gates(ansatz.gates).blocks, ansatz.blocks, atol=1e-14)
    assert np.abs(ansatz.blocks[1] - ansatz.blocks[7]).max() > 0.1  # of two layers
    if closed:  # the pair (0, 11) lies the other way round
        assert (ansatz.ties.orders[:, 1] == 2).sum() == 2
    same = Ansatz.framed(ansatz.frame(), ansatz.blocks)
    np.testing.assert_array_equal(same.ties.groups, ansatz.ties.groups)


def test_all_moved_pairs_of_a_ring_take_one_gate_the_right_way_round():
    pairs = [(0, 1), (2, 3), (4, 5)], [(1, 2), (3, 4), (0, 5)]
    ties = tie(pairs, 6, around=True)
    gates = random_ansatz(neel(4), 1, 3).blocks
    blocks = ties.spread(gates)
    swap = np.eye(4)[[0, 2, 1, 3]]
    for block, pair, group in zip(blocks, pairs[0] + pairs[1], ties.groups, strict=True):
        wanted = gates[group] if pair != (0, 5) else swap @ gates[group] @ swap
        np.testing.assert_array_equal(block, wanted)
    np.testing.assert_array_equal(ties.gathered(blocks), gates)
    np.testing.assert_array_equal(ties.sizes, [3, 3])


@pytest.mark.parametrize(("closed", "block"), [(True, "cx2"), (False, "su4")])
def test_a_gates_gradient_is_the_sum_of_its_blocks(closed, block):
    n, layers = (6, 3) if closed else (8, 2)
    ansatz = tied(n, layers, closed=closed, block=block)
    target = make_target(Problem.build(ring(n, closed), 0.5, initial_state="neel")).mps
    options = {"objective": "log_density", "block": block, "num_qubits": n}
    point, free = settle(ansatz)
    with jax.enable_x64(True):
        data = overlap.prepare(free, target, "dense", np.dtype(complex))
        parameters = BLOCKS[block].num_parameters
        still = np.zeros((len(point), parameters))
        here = evaluate(point, still, data, ansatz.ties, **options)
        gradient = np.asarray(here.gradient)
        f = fidelity(target.to_dense(), statevector(free.circuit()))
        assert float(here.log_fidelity) == pytest.approx(np.log(f), abs=1e-10)
        assert gradient.shape == (len(point), parameters)
        rng, h = np.random.default_rng(1), 1e-6
        for _ in range(3):
            x = rng.normal(size=still.shape)
            ahead, behind = (
                float(evaluate(point, s * x, data, ansatz.ties, **options).value) for s in (h, -h)
            )
            assert (ahead - behind) / (2 * h) == pytest.approx(np.sum(gradient * x), rel=1e-4)
        if not closed:  # none is turned: every block has its gate's own coordinates
            every = point[ansatz.ties.groups]
            alone = evaluate(every, np.zeros((len(every), parameters)), data, **options).gradient
            sums = ansatz.ties.summed(np.asarray(alone))
            np.testing.assert_allclose(gradient, sums, atol=1e-13)


def test_the_metric_of_a_gate_is_the_sum_of_its_blocks(monkeypatch):
    monkeypatch.setattr("aqc.metric._ANGLE_PER_LAYER", 1e-9)
    chain = tied(12, 2, closed=False)
    point, _ = settle(chain)
    free = fubini_study(replace(chain, tied=False), point[chain.ties.groups])
    np.testing.assert_allclose(fubini_study(chain, point), chain.ties.summed(free), atol=1e-12)
    around = tied(6, 3, closed=True)
    point, _ = settle(around)
    untied = replace(around.with_gates(exact_matrices(point, "su4")), tied=False)
    each = fubini_study(untied, nearest_point(untied.blocks, "su4"))
    # A ring's blocks are alike: three times the first one's, though the last one is turned.
    first = [list(around.ties.groups).index(gate) for gate in range(3)]
    np.testing.assert_allclose(fubini_study(around, point), 3 * each[first], atol=1e-6)


def test_a_ring_of_shared_gates_gets_as_near_as_a_free_one():
    problem = Problem.build(ring(6), 0.6, initial_state="neel", ansatz={"layers": 5, "tied": True})
    target = make_target(problem).mps
    first = start_ansatz(problem, target, 5)
    found, free = (
        fit(replace(first, tied=shared), target, goal=0.0, max_evaluations=150)
        for shared in (True, False)
    )
    assert (len(found.ansatz.gates), len(free.ansatz.gates)) == (5, 15)
    start = 1 - fidelity(target.to_dense(), statevector(first.circuit()))
    truth = 1 - fidelity(target.to_dense(), statevector(found.ansatz.circuit()))
    assert found.optimum.infidelity == pytest.approx(truth, abs=1e-10)
    assert truth < start / 10
    assert truth < 2 * free.optimum.infidelity


def test_compiles_keep_their_ties():
    options = {"initial_state": "neel", "ansatz": {"layers": 2, "tied": True}}
    result = compile_evolution(ring(10, closed=False), 0.4, **options)
    blocks, ties = result.chosen.ansatz.blocks, result.chosen.ansatz.ties
    np.testing.assert_allclose(ties.spread(ties.gathered(blocks)), blocks, atol=1e-12)
    assert result.chosen.infidelity < result.chosen.start_infidelity
    assert len(blocks) == 9 > len(ties.sizes)


@pytest.mark.slow
def test_sweeps_and_unitary_mode_keep_their_ties():
    options = {"initial_state": "neel", "ansatz": {"layers": [2, 4], "tied": True}}
    result = compile_evolution(ring(16, closed=False), 0.4, **options)
    for depth in result.depths:
        blocks, ties = depth.ansatz.blocks, depth.ansatz.ties
        np.testing.assert_allclose(ties.spread(ties.gathered(blocks)), blocks, atol=1e-12)
        assert depth.infidelity < depth.start_infidelity
    unitary = compile_evolution(
        ring(4), 0.3, mode="unitary", ansatz={"layers": 3, "tied": True}, goal={"infidelity": 1e-3}
    )
    ties = unitary.chosen.ansatz.ties
    np.testing.assert_array_equal(ties.sizes, [2, 2, 2])
    blocks = unitary.chosen.ansatz.blocks
    np.testing.assert_allclose(ties.spread(ties.gathered(blocks)), blocks, atol=1e-12)


@pytest.mark.slow
def test_random_starts_are_raced_tied():
    problem = Problem.build(ring(6), 0.3, initial_state="neel", ansatz={"layers": 3, "tied": True})
    target = make_target(problem).mps
    first = start_ansatz(problem, target, 3)
    starts = [
        first.with_blocks(random_ansatz(first.state, 3, k, first.colors).blocks) for k in (0, 1)
    ]
    best, logs = best_start(starts, target, evaluations=20)
    np.testing.assert_allclose(best.ties.spread(best.gates), best.blocks, atol=1e-12)
    truth = fidelity(target.to_dense(), statevector(best.circuit()))
    assert max(logs) == pytest.approx(np.log(truth), abs=1e-9)


XXZ = {"model": "xxz_chain", "num_qubits": 8}
QASM = {"qasm": 'OPENQASM 2.0; include "qelib1.inc"; qreg q[8]; cx q[0], q[1]; cx q[6], q[7];'}
ODD = [["ZZ", [j, (j + 1) % 5], 1.0] for j in range(5)]
LADDER = [["ZZ", pair, 1.0] for pair in ([0, 1], [2, 3], [4, 5], [0, 2], [2, 4], [1, 3], [3, 5])]
# Two-site cells of an open chain with farther couplings repeat, but not around a ring.
FARTHER = [["XX", [j, j + d], 1.0] for d in (1, 2) for j in range(8 - d)]


@pytest.mark.parametrize(
    ("hamiltonian", "more", "sentence"),
    [
        (
            {"num_qubits": 8, "terms": [*ring(8).to_terms(), ["Z", [3], 0.5]]},
            {},
            r"Z on \[3\] is 0.5, and 0 on \[5\]",
        ),
        ({"num_qubits": 5, "terms": ODD}, {}, "a ring of an even number of qubits"),
        ({"num_qubits": 6, "terms": LADDER}, {}, "along an open chain or around a ring, but ZZ"),
        ({"num_qubits": 8, "terms": FARTHER}, {}, "along an open chain or around a ring, but XX"),
        (XXZ, {"initial_state": "00010001"}, "qubits 0 and 2 differ"),
        (XXZ, {"initial_state": {"circuit": QASM}}, "a product state as `initial_state`"),
        (XXZ, {"ansatz": {"tied": True, "layers": 3, "start": QASM}}, "as `ansatz.start`"),
        (XXZ, {"objective": "flip"}, '`objective` "flip" turns single qubits, which blocks that'),
    ],
)
def test_what_does_not_repeat_is_refused(hamiltonian, more, sentence):
    with pytest.raises(InputError, match=sentence):
        Problem.build(hamiltonian, 0.5, **({"ansatz": {"tied": True, "layers": 5}} | more))


def test_what_has_no_evolution_is_refused_and_what_repeats_is_not():
    with pytest.raises(InputError, match="needs a Hamiltonian and a time"):
        Problem.from_dict({"target": {"circuit": QASM}, "ansatz": {"tied": True}})
    for state in ("neel", "zeros"):
        assert Problem.build(XXZ, 0.5, initial_state=state, ansatz={"tied": True}).ansatz.tied
    assert not Problem.build({"num_qubits": 5, "terms": ODD}, 0.5, ansatz={"layers": 3}).ansatz.tied
