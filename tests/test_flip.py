"""The flip cost against state vectors, its schedule, and the evidence for its escape."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aqc import overlap
from aqc.ansatz import Ansatz
from aqc.errors import DivergenceError
from aqc.evolved import evolve_within
from aqc.fit import fit
from aqc.flip import FlipCost, evaluate_flips, first_flips
from aqc.methods import METHODS
from aqc.mps import MPS
from aqc.optimize import State, minimize
from reference import (
    fidelity,
    neel,
    random_chain,
    random_product,
    random_unitaries,
    statevector,
    xxz,
)

COMPLEX = np.dtype(complex)


@pytest.fixture(autouse=True)
def double_precision():
    """As in `aqc.fit`, where the objectives run."""
    with jax.enable_x64(True):
        yield


def trotter_case(num_qubits: int, layers: int, time: float) -> tuple[Ansatz, MPS]:
    chain = random_chain(num_qubits, seed=0)
    target = evolve_within(chain, neel(num_qubits), time, tolerance=1e-8, max_bond=64).mps
    start = Ansatz.from_trotter(chain, time, neel(num_qubits), layers=layers, order=2)
    return start, target


def with_flip(ansatz: Ansatz, qubit: int) -> Ansatz:
    """Return the ansatz whose first block on a qubit meets that qubit flipped."""
    flips, blocks = first_flips(ansatz), ansatz.blocks.copy()
    number = flips.block[qubit]
    blocks[number] = blocks[number] @ flips.matrix[qubit]
    return ansatz.with_blocks(blocks)


def cost_of(ansatz: Ansatz, target: MPS, **options) -> FlipCost:
    return FlipCost(ansatz, overlap.prepare(ansatz, target, "exact", COMPLEX), COMPLEX, **options)


def dense_flips(ansatz: Ansatz, target: MPS) -> np.ndarray:
    """F_j with the flip made in the product state itself, one state vector after another."""
    found = []
    for site in range(ansatz.num_qubits):
        a, b = ansatz.state[site]
        state = ansatz.state.astype(complex)
        state[site] = [-np.conj(b), np.conj(a)]
        flipped = statevector(replace(ansatz, state=state).circuit())
        found.append(fidelity(target.to_dense(), flipped))
    return np.array(found)


def minimized(ansatz: Ansatz, target: MPS, evaluations: int, **options):
    cost = cost_of(ansatz, target, **options)
    optimum = minimize(
        cost,
        ansatz.blocks[:, None],
        15,
        METHODS["riemannian_lbfgs"](None),
        max_evaluations=evaluations,
        first_length=1 / (2 * ansatz.layers),
        schedule=cost,
    )
    return cost, optimum


@pytest.mark.parametrize(("num_qubits", "layers"), [(2, 1), (5, 2), (6, 3), (8, 4)])
def test_all_flips_from_one_gradient(num_qubits, layers):
    """On any product state, also where the last qubit meets its first block in layer 1."""
    count = sum(len(range(layer % 2, num_qubits - 1, 2)) for layer in range(layers))
    state = random_product(num_qubits, seed=1)
    ansatz = Ansatz(state, layers, random_unitaries(count, 4, seed=2))
    other = Ansatz(
        random_product(num_qubits, seed=3), 1, np.tile(np.eye(4), (num_qubits // 2, 1, 1))
    )
    target = MPS.product(other.state)
    cost = cost_of(ansatz, target)
    here = cost(ansatz.blocks[:, None], np.zeros((count, 15))).detail
    truth = dense_flips(ansatz, target)
    assert np.ptp(truth) > 0
    assert np.exp(np.asarray(here.log_flipped)) == pytest.approx(truth, rel=1e-9)


def test_cost_and_its_slope():
    """C = 1 - (1 - w) F_0 - w F_j and its derivative, leader and weight frozen."""
    ansatz, target = trotter_case(5, 3, 0.9)
    ansatz = with_flip(ansatz, 3)
    cost = cost_of(ansatz, target)
    cost.weight = 0.7
    f0 = fidelity(target.to_dense(), statevector(ansatz.circuit()))
    flipped = dense_flips(ansatz, target)
    still = np.zeros((len(ansatz.blocks), 15))
    rng = np.random.default_rng(0)
    for leader in (-1, 0, 3, 4):
        cost.leader = leader
        expected = 1 - f0 if leader < 0 else 1 - 0.3 * f0 - 0.7 * flipped[leader]
        here = cost(ansatz.blocks[:, None], still)
        assert here.value == pytest.approx(expected, abs=1e-12)
        assert here.log_fidelity == pytest.approx(np.log(f0), abs=1e-10)
        x, h = rng.normal(size=still.shape), 1e-6
        slope = (
            cost(ansatz.blocks[:, None], h * x).value - cost(ansatz.blocks[:, None], -h * x).value
        )
        assert slope / (2 * h) == pytest.approx(np.sum(here.gradient * x), rel=1e-4, abs=1e-9)


def test_schedule_of_leader_and_weight():
    """Another leads from 1.1 times the leader on; w follows the root of the cost by a tenth."""
    ansatz, target = trotter_case(5, 3, 0.5)
    cost = cost_of(ansatz, target)
    here = cost(ansatz.blocks[:, None], np.zeros((len(ansatz.blocks), 15)))
    log_f0 = here.log_fidelity

    def seen(first, second):
        flipped = log_f0 + np.log([first, second, 0.1, 0.1, 0.1])
        detail = here.detail._replace(log_flipped=flipped)
        return cost.follow(here._replace(detail=detail))

    after = seen(1.09, 0.5)
    assert cost.leader == -1
    assert cost.weight == pytest.approx(1 + 0.1 * (np.sqrt(after.value) - 1))
    assert after.value == pytest.approx(here.value)  # w is nothing to F_0 in the lead
    before = cost.weight
    seen(1.11, 0.5)
    assert cost.leader == 0
    led = cost_of(ansatz, target)
    led.leader, led.weight = 0, before
    value = led(here.point, np.zeros((len(ansatz.blocks), 15))).value
    assert cost.weight == pytest.approx(before + 0.1 * (np.sqrt(value) - before))
    seen(1.0, 1.09)
    assert cost.leader == 0
    seen(1.0, 1.11)
    assert cost.leader == 1
    seen(0.2, 0.9)
    assert cost.leader == -1


def test_escape_turns_the_leader_into_the_fidelity_exactly():
    ansatz, target = trotter_case(6, 3, 0.5)
    cost = cost_of(with_flip(ansatz, 2), target)
    start = with_flip(ansatz, 2).blocks[:, None]
    assert cost.escape(start) is None  # nothing leads yet
    cost.follow(cost(start, np.zeros((len(start), 15))))
    assert cost.leader == 2
    escaped = cost.escape(start)
    truth = fidelity(target.to_dense(), statevector(ansatz.circuit()))
    assert np.exp(escaped.log_fidelity) == pytest.approx(truth, rel=1e-12)
    assert cost.leader == -1
    assert np.asarray(escaped.point)[:, 0] == pytest.approx(ansatz.blocks, abs=1e-14)


def test_flips_are_found_where_the_fidelity_is_exactly_zero():
    """Identity blocks and bits: F_0 = 0 has no logarithm, and one flip gives F_3 = 1."""
    ansatz = Ansatz(neel(6), 3, np.tile(np.eye(4, dtype=complex), (8, 1, 1)))
    other = neel(6)
    other[3] = other[3, ::-1]
    fitted = fit(ansatz, MPS.product(other), objective="flip", max_evaluations=60)
    assert fitted.optimum.history[0][1] == 1.0
    assert fitted.optimum.infidelity < 1e-12


def test_two_flips_away_there_is_nothing_to_follow():
    ansatz = Ansatz(neel(6), 1, np.tile(np.eye(4, dtype=complex), (3, 1, 1)))
    with pytest.raises(DivergenceError, match="orthogonal to the target"):
        fit(ansatz, MPS.product(neel(6)[::-1]), objective="flip")


def test_flips_do_not_underflow():
    """n = 2001 tilted qubits: F_0 = 2^-2001, and a flip of such a qubit changes nothing."""
    n = 2001
    count = sum(len(range(layer % 2, n - 1, 2)) for layer in range(2))
    ansatz = Ansatz(neel(n), 2, np.tile(np.eye(4, dtype=complex), (count, 1, 1)))
    data = overlap.prepare(ansatz, MPS.product(np.full((n, 2), 0.5**0.5)), "exact", COMPLEX)
    here = evaluate_flips(
        jnp.asarray(ansatz.blocks[:, None]),
        jnp.zeros((count, 15)),
        jnp.asarray(ansatz.blocks),  # identities
        first_flips(ansatz),
        data,
        block="su4",
    )
    assert np.asarray(here.log_flipped) == pytest.approx(-n * np.log(2), rel=1e-12)


def test_flip_cost_reaches_the_optimum_of_the_log_density_from_trotter():
    ansatz, target = trotter_case(8, 3, 0.6)
    log_density = fit(ansatz, target, max_evaluations=250).optimum
    flip = fit(ansatz, target, objective="flip", max_evaluations=250).optimum
    assert log_density.history[0][1] > 20 * log_density.infidelity
    assert flip.infidelity == pytest.approx(log_density.infidelity, rel=1e-3)


def test_from_one_flip_the_schedule_stays_and_the_escape_arrives(monkeypatch):
    """The paper's cost settles with the flip in the lead and w at the golden ratio's 0.618."""
    n, layers = 8, 5
    target = evolve_within(xxz(n), neel(n), 0.8, tolerance=1e-8, max_bond=64).mps
    trotter = Ansatz.from_trotter(xxz(n), 0.8, neel(n), layers=layers, order=2)
    start = with_flip(trotter, 4)
    best = fit(trotter, target, max_evaluations=200).optimum.infidelity
    assert best < 1e-2

    arrived = minimized(start, target, 200)[1]
    assert arrived.infidelity == pytest.approx(best, rel=0.02)

    monkeypatch.setattr("aqc.optimize._STALL_WINDOW", 10**6)  # it may take all its evaluations
    cost, stayed = minimized(start, target, 300, escapes=False)
    assert cost.leader == 4
    assert cost.weight == pytest.approx((5**0.5 - 1) / 2, abs=0.01)
    assert stayed.infidelity > 0.99
    assert cost.escape(stayed.state.point) is None


def test_the_escape_is_made_also_when_all_evaluations_are_used():
    ansatz, target = trotter_case(6, 3, 0.5)
    optimum = minimized(with_flip(ansatz, 2), target, 12)[1]
    assert optimum.status == "max_steps_reached"
    assert optimum.evaluations == 13
    assert optimum.history[-2][1] > 0.9
    assert optimum.infidelity < 0.3


def test_resumed_equals_uninterrupted():
    """Leader and weight are part of the state, before and after the escape."""
    ansatz, target = trotter_case(6, 3, 0.5)
    start, states = with_flip(ansatz, 2), []
    whole = fit(start, target, objective="flip", max_evaluations=80, on_step=states.append)
    assert whole.optimum.infidelity < 0.1
    for number, leader in ((7, 2), (60, -1)):
        kept = State.restored(
            {name: array.copy() for name, array in states[number].arrays().items()}
        )
        assert kept.schedule["leader"] == leader
        resumed = fit(start, target, objective="flip", max_evaluations=80, resume=kept)
        assert np.array_equal(resumed.ansatz.blocks, whole.ansatz.blocks)
        assert resumed.optimum.history == whole.optimum.history


@pytest.mark.slow
def test_a_hundred_qubits_from_one_flip():
    """F_0 = e^-60 at the start: the flips are compared as logarithms, and the escape arrives."""
    n = 100
    target = evolve_within(xxz(n), neel(n), 1.0, tolerance=1e-4, max_bond=128).mps
    trotter = Ansatz.from_trotter(xxz(n), 1.0, neel(n), layers=7, order=2)
    reference = fit(trotter, target, max_evaluations=150).optimum.infidelity
    fitted = fit(with_flip(trotter, 50), target, objective="flip", max_evaluations=250).optimum
    assert fitted.history[0][1] == pytest.approx(1.0, abs=1e-9)
    assert fitted.infidelity == pytest.approx(reference, rel=0.1)
