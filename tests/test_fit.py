import numpy as np
import pytest

from aqc.ansatz import Ansatz
from aqc.evolved import evolve_within
from aqc.fit import fit, precisions
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
