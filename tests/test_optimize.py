"""The loop, on an objective whose answer is known: rotations on a plane of angles."""

import jax
import numpy as np
import optax
import pytest

from aqc.errors import DivergenceError
from aqc.methods import METHODS, OptaxMethod
from aqc.objective import Evaluation
from aqc.optimize import State, falls_short, minimize

GOAL = np.array([[0.3, -0.2, 0.5], [1.0, 0.1, -0.7]])


def bowl(point, step):
    """Infidelity 1 - exp(-|x - goal|^2 - quartic), minimized as its log."""
    moved = point + step
    d = moved - GOAL
    weights = np.array([1.0, 10.0, 0.3])
    value = float(np.sum(weights * d**2) + np.sum(d**4))
    return Evaluation(moved, value, 2 * weights * d + 4 * d**3, -value)


START = np.zeros((2, 3))


@pytest.fixture(autouse=True)
def double_precision():
    """As in `aqc.fit`, where the loop runs."""
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("name", METHODS)
def test_every_method_finds_the_minimum(name):
    evaluations = 3000 if name == "optax_adam" else 60
    optimum = minimize(bowl, START, 3, METHODS[name](None), max_evaluations=evaluations)
    assert optimum.infidelity < 1e-6
    assert np.abs(optimum.state.point - GOAL).max() < 2e-3
    assert optimum.evaluations <= evaluations


def test_a_metric_equal_to_the_hessian_gives_newton_steps():
    """The quadratic part of the bowl is solved at once, its quartic part in a few steps more."""
    hessian = np.stack([np.diag([2.0, 20.0, 0.6])] * 2)
    method = METHODS["riemannian_lbfgs"](lambda point: hessian)
    plain = minimize(bowl, START, 3, METHODS["riemannian_lbfgs"](None), max_evaluations=9)
    scaled = minimize(bowl, START, 3, method, max_evaluations=9)
    assert scaled.infidelity < 0.01 * plain.infidelity


def test_any_optax_transformation_is_a_method():
    method = OptaxMethod(optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.02)))
    optimum = minimize(bowl, START, 3, method, max_evaluations=400)
    assert optimum.infidelity < 1e-4


def test_history_counts_evaluations_and_falls():
    optimum = minimize(bowl, START, 3, METHODS["riemannian_lbfgs"](None), max_evaluations=30)
    counts, infidelities = zip(*optimum.history, strict=True)
    assert counts[0] == 1
    assert counts == tuple(sorted(set(counts)))
    assert list(infidelities) == sorted(infidelities, reverse=True)


def test_statuses():
    def run(**options):
        settings = {"max_evaluations": 500} | options
        return minimize(bowl, START, 3, METHODS["riemannian_lbfgs"](None), **settings)

    reached = run(goal=0.1)
    assert reached.status == "goal_reached"
    assert reached.infidelity <= 0.1
    assert run(max_evaluations=3).status == "max_steps_reached"
    assert run().status == "stalled"


def test_a_goal_out_of_reach_is_given_up_early():
    """Above a floor the objective falls more and more slowly, and never to a goal below."""
    far, weights = np.linspace(0.5, 1, 120), np.geomspace(1, 1e-5, 120)

    def floored(point, step):
        d = (point + step).ravel() - far
        value = 0.02 + 0.01 * float(np.sum(weights * d**4))
        gradient = (0.04 * weights * d**3).reshape(-1, 3)
        return Evaluation(point + step, value, gradient, -value)

    def run(**options):
        method = METHODS["riemannian_lbfgs"](None)
        settings = {"max_evaluations": 400} | options
        return minimize(floored, np.zeros((40, 3)), 3, method, **settings)

    hopeless = run(goal=0.015, give_up=64)
    assert hopeless.status == "hopeless"
    assert 64 <= hopeless.evaluations < run(goal=0.015).evaluations
    # A goal that a fit reaches is reached after the same steps.
    reached, patient = (run(goal=0.0204, give_up=give_up) for give_up in (64, None))
    assert reached.status == patient.status == "goal_reached"
    assert reached.history == patient.history


def test_what_follows_is_told_from_the_last_doubling():
    power = [(count, count**-0.5) for count in range(1, 101)]
    assert not falls_short(power, 0.0501, 400)  # 400^-0.5 = 0.05
    assert falls_short(power, 0.0499, 400)
    assert not falls_short(power[:40], 0.0499, 400)  # early on it has to miss by more
    assert falls_short(power[:40], 0.0499 / 1.2, 400)


def test_interrupting_keeps_the_best_so_far():
    def stop(state):
        if state.evaluations >= 8:
            raise KeyboardInterrupt

    optimum = minimize(
        bowl, START, 3, METHODS["riemannian_lbfgs"](None), max_evaluations=500, on_step=stop
    )
    assert optimum.status == "interrupted"
    assert 0 < optimum.infidelity < optimum.history[0][1]
    assert -np.expm1(-bowl(optimum.state.point, 0.0).value) == pytest.approx(optimum.infidelity)


def test_adam_reports_its_best_point_not_its_last():
    method = OptaxMethod(optax.sgd(0.19))  # overshoots along the steep direction
    optimum = minimize(bowl, START, 3, method, max_evaluations=20)
    assert optimum.infidelity == min(value for _, value in optimum.history)


@pytest.mark.parametrize("name", METHODS)
def test_resumed_equals_uninterrupted(name):
    states = []
    whole = minimize(bowl, START, 3, METHODS[name](None), max_evaluations=25, on_step=states.append)
    kept = State.restored({k: v.copy() for k, v in states[5].arrays().items()})
    resumed = minimize(bowl, START, 3, METHODS[name](None), max_evaluations=25, state=kept)
    assert np.array_equal(resumed.state.point, whole.state.point)
    assert resumed.history == whole.history
    assert resumed.status == whole.status


def test_a_start_without_a_value_is_an_error():
    def nowhere(point, step):
        return Evaluation(point, np.inf, np.full(point.shape, np.nan), -np.inf)

    with pytest.raises(DivergenceError, match="must be finite at the start"):
        minimize(nowhere, START, 3, METHODS["riemannian_lbfgs"](None), max_evaluations=5)
