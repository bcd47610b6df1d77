import numpy as np
import pytest

from aqc.lbfgs import LBFGS, cubic_minimum, wolfe_search


def test_direction_of_a_quadratic_becomes_newtons():
    """With as many exact pairs as dimensions L-BFGS knows the inverse Hessian."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(4, 4))
    hessian = root @ root.T + np.eye(4)
    vectors = np.linalg.eigh(hessian)[1].T  # conjugate directions
    method = LBFGS(memory=4)
    for step in vectors:
        method.update(step, hessian @ step)
    gradient = rng.normal(size=4)
    assert np.allclose(method.along(gradient), -np.linalg.solve(hessian, gradient))


def test_first_direction_is_steepest_descent_and_memory_is_bounded():
    method = LBFGS(memory=2)
    assert np.array_equal(method.along(np.array([1.0, -2.0])), [-1.0, 2.0])
    for k in range(1, 5):
        method.update(np.array([k, 0.0]), np.array([1.0, 0.0]))
    assert [step[0] for step in method.steps] == [3, 4]


def test_negative_curvature_is_not_taken_in():
    method = LBFGS()
    method.update(np.array([1.0, 0.0]), np.array([-1.0, 0.0]))
    assert method.steps == []


def test_cubic_minimum_is_exact_for_a_cubic():
    def f(x):
        return x**3 - 2 * x**2 + 0.3 * x

    def slope(x):
        return 3 * x**2 - 4 * x + 0.3

    found = cubic_minimum(0.2, f(0.2), slope(0.2), 2.0, f(2.0), slope(2.0))
    assert slope(found) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 30.0])
def test_wolfe_conditions_hold_at_the_last_probe(first):
    def f(x):
        return -x / (x**2 + 2)

    def slope(x):
        return (x**2 - 2) / (x**2 + 2) ** 2

    probed = []

    def probe(x):
        probed.append(x)
        return f(x), slope(x)

    assert wolfe_search(probe, f(0), slope(0), first=first)
    assert f(probed[-1]) <= f(0) + 1e-4 * probed[-1] * slope(0)
    assert abs(slope(probed[-1])) <= 0.9 * abs(slope(0))


def test_search_survives_infinite_values():
    def probe(x):
        return (np.inf, np.nan) if x > 0.5 else ((x - 0.3) ** 2, 2 * (x - 0.3))

    assert wolfe_search(probe, 0.09, -0.6, first=4.0)


def test_search_says_when_there_is_no_descent():
    assert not wolfe_search(lambda x: (1.0 + x, 1.0), 0.0, -1.0, max_probes=6)
