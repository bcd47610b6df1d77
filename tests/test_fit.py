from dataclasses import replace

import jax
import numpy as np
import pytest

from aqc import executables, overlap
from aqc.ansatz import Ansatz
from aqc.errors import DivergenceError
from aqc.evolved import evolve_within
from aqc.fit import fit, precisions
from aqc.flip import FlipCost, first_flips
from aqc.gates import evolution
from aqc.mps import MPS
from aqc.optimize import State
from reference import fidelity, neel, random_chain, statevector, xxz


def problem(n, time=0.6, layers=3):
    chain = random_chain(n, seed=0)
    target = evolve_within(chain, neel(n), time, tolerance=1e-8, max_bond=32)
    ansatz = Ansatz.from_trotter(chain, time, neel(n), layers=layers, order=2)
    return ansatz, target.mps


@pytest.mark.parametrize("objective", ["log_density", "infidelity"])
@pytest.mark.parametrize("method", ["exact", "dense"])
def test_fit_improves_on_trotter_and_reports_the_truth(objective, method):
    ansatz, target = problem(7)
    start = 1 - fidelity(target.to_dense(), statevector(ansatz.circuit()))
    fitted = fit(ansatz, target, objective=objective, overlap_method=method, max_evaluations=120)
    truth = 1 - fidelity(target.to_dense(), statevector(fitted.ansatz.circuit()))
    assert start > 1e-3
    assert truth < start / 20
    assert fitted.optimum.infidelity == pytest.approx(truth, abs=1e-12)
    assert fitted.method == method


def test_goal_ends_the_fit():
    ansatz, target = problem(6)
    fitted = fit(ansatz, target, goal=1e-3)
    assert fitted.optimum.status == "goal_reached"
    assert fitted.optimum.infidelity <= 1e-3


@pytest.mark.parametrize(("engine", "few", "more"), [("exact", 4, 5), ("dense", 3, 4)])
@pytest.mark.parametrize("block", ["su4", "u1"])
def test_two_numbers_of_layers_share_a_compilation(engine, few, more, block):
    """The engine works with the larger one anyway; what is added stays the identity."""
    ansatz, target = problem(8, layers=5)
    ansatz = replace(ansatz, block=block)
    settings = {"overlap_method": engine, "max_evaluations": 9}
    first = fit(replace(ansatz, layers=few).with_blocks(cut(ansatz, few)), target, **settings)
    known = len(executables._kept)
    second = fit(replace(ansatz, layers=more).with_blocks(cut(ansatz, more)), target, **settings)
    assert len(executables._kept) == known
    for fitted, layers in ((first, few), (second, more)):
        assert fitted.ansatz.layers == layers
        assert len(fitted.ansatz.blocks) == len(cut(ansatz, layers))
        truth = 1 - fidelity(target.to_dense(), statevector(fitted.ansatz.circuit()))
        assert fitted.optimum.infidelity == pytest.approx(truth, abs=1e-12)
    assert second.optimum.infidelity < first.optimum.infidelity


def cut(ansatz, layers):
    """The blocks of the first layers."""
    return ansatz.blocks[: sum(map(len, ansatz.pairs[:layers]))]


def test_precisions_follow_goal_and_size():
    assert precisions(10, 3, 16, "exact", 200, 0.01) == ["complex128"]
    assert precisions(50, 9, 48, "exact", 200, 0.01) == ["complex64", "complex128"]
    assert precisions(50, 9, 48, "exact", 200, 1e-5) == ["complex128"]


def test_double_precision_takes_over_where_single_stalls(monkeypatch):
    monkeypatch.setattr("aqc.fit._SINGLE_WORK", 0.0)
    monkeypatch.setattr("aqc.fit._SINGLE_GOAL", 0.0)
    ansatz, target = problem(6, time=0.2, layers=5)
    states: list[State] = []
    fitted = fit(ansatz, target, max_evaluations=400, on_step=states.append)
    kinds = [str(state.point.dtype) for state in states]
    assert kinds[0] == "complex64"
    assert kinds[-1] == "complex128"
    assert fitted.optimum.infidelity < 1e-8  # out of reach of single precision
    gram = fitted.ansatz.blocks.conj().swapaxes(1, 2) @ fitted.ansatz.blocks
    assert np.abs(gram - np.eye(4)).max() < 1e-14

    kept = State.restored(states[kinds.index("complex64") + 3].arrays())
    resumed = fit(ansatz, target, max_evaluations=400, resume=kept)
    assert np.array_equal(resumed.ansatz.blocks, fitted.ansatz.blocks)


def test_symmetric_problem_of_the_paper():
    """16 sites of S1: what a long fit reached when the engine was designed, 7.4e-4."""
    target = evolve_within(xxz(16), neel(16), 1.0, tolerance=1e-6, max_bond=128)
    ansatz = Ansatz.from_trotter(xxz(16), 1.0, neel(16), layers=9, order=2)
    fitted = fit(ansatz, target.mps, max_evaluations=60)
    assert fitted.optimum.history[0][1] == pytest.approx(0.0328, rel=0.01)
    assert fitted.optimum.infidelity < 1.3e-3


def test_a_start_orthogonal_to_the_target_is_left_by_a_flip():
    """log F has no gradient where F is zero; the paper's flips know a way on."""
    identities = np.tile(np.eye(4), (8, 1, 1))
    target = MPS.product(neel(6))
    state = neel(6)
    state[2] = state[2][::-1]
    away = Ansatz(state, 3, identities)  # one qubit turned over: F = 0, exactly
    fitted = fit(away, target, goal=1e-9)
    truth = fidelity(target.to_dense(), statevector(fitted.ansatz.circuit()))
    assert 1 - truth < 1e-9
    with pytest.raises(DivergenceError, match="orthogonal to the target"):
        fit(replace(away, block="u1"), target)  # these blocks cannot turn a qubit over


def test_no_flip_leads_where_the_log_density_stalls():
    """F_j / F_0 is the sum of squares of two of its slopes over 4: no slope, no flip to follow.

    The first block on a qubit can turn it by X and Y in the basis of its own state |0>, and
    Y|0> = i X|0>: both slopes are those of the amplitude that the flip has.
    """
    ansatz, target = problem(5, time=0.9)
    with jax.enable_x64(True):
        data = overlap.prepare(ansatz, target, "exact", np.dtype(complex))
        cost = FlipCost(ansatz, data, np.dtype(complex))
        here = cost(ansatz.blocks[:, None], np.zeros((len(ansatz.blocks), 15))).detail
        log_fidelity = jax.jit(overlap.log_fidelity)

        def slope(block: int, generator: np.ndarray) -> float:
            values = []
            for angle in (-1e-5, 1e-5):
                blocks = ansatz.blocks.astype(complex)
                blocks[block] = blocks[block] @ evolution(generator, angle)
                values.append(float(log_fidelity(blocks, data)))
            return (values[1] - values[0]) / 2e-5

        squares = []
        for qubit, (block, x) in enumerate(zip(*first_flips(ansatz), strict=True)):
            own = 2 * np.outer(ansatz.state[qubit], ansatz.state[qubit].conj()) - np.eye(2)
            z = np.kron(own, np.eye(2)) if qubit % 2 == 0 else np.kron(np.eye(2), own)
            if qubit == 4:  # met first by the block on its left, in the second layer
                z = np.kron(np.eye(2), own)
            squares.append((slope(block, x) ** 2 + slope(block, 1j * x @ z) ** 2) / 4)
    ratios = np.exp(np.asarray(here.log_flipped) - float(here.log_fidelity))
    assert ratios.max() > 1e-3
    assert squares == pytest.approx(ratios, rel=1e-6, abs=1e-9)
