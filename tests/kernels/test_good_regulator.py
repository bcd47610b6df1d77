import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from aqc.errors import InputError
from aqc.kernels.good_regulator import Family, Given, Ising, analyze_regime, compare_flows


def ising(n, edges, coupling=0.5):
    return Ising(n, np.array(edges), np.full(len(edges), coupling))


def cycle(n):
    return ising(n, [(i, (i + 1) % n) for i in range(n)])


def complete(n):
    return ising(n, list(itertools.combinations(range(n), 2)))


def slow_moments(observer):
    """Mean and covariance of the edge products, state by state."""
    products, weights = [], []
    for spins in itertools.product((-1, 1), repeat=observer.n_vertices):
        row = [spins[i] * spins[j] for i, j in observer.edges]
        products.append(row)
        weights.append(np.exp(np.dot(row, observer.couplings)))
    law = np.array(weights) / sum(weights)
    means = law @ np.array(products)
    second = sum(p * np.outer(x, x) for p, x in zip(law, np.array(products), strict=True))
    return means, second - np.outer(means, means)


def random_spd(rng, n):
    basis = np.linalg.qr(rng.normal(size=(n, n)))[0]
    return (basis * rng.uniform(0.2, 3, n) ** rng.uniform(0.2, 2)) @ basis.T


@pytest.mark.parametrize(
    "tree",
    [
        ising(5, [(0, 1), (1, 2), (2, 3), (3, 4)]),
        ising(6, [(0, i) for i in range(1, 6)]),
        ising(7, [(0, 1), (0, 2), (1, 3), (1, 4), (2, 5), (5, 6)], 1.1),
    ],
    ids=["path", "star", "tree"],
)
def test_trees(tree):
    """The edge products of a tree are independent: F = sech^2(J) I."""
    found = analyze_regime(tree)
    want = np.cosh(tree.couplings[0]) ** -2 * np.eye(len(tree.edges))
    np.testing.assert_allclose(found.fisher, want, atol=1e-12)
    np.testing.assert_allclose(found.mean_parameters, np.tanh(tree.couplings), atol=1e-12)
    assert found.kappa == pytest.approx(1, abs=1e-12)
    assert found.alpha_optimal == 0
    assert found.deviation_fraction < 1e-12


@pytest.mark.parametrize(
    ("observer", "kappa", "alpha"),
    [
        (cycle(4), 1.817, 0),
        (cycle(6), 1.223, 0),
        (complete(3), 2.845, 0.4304),
        (complete(4), 9.732, 0.6006),
        (complete(5), 21.382, 0.5541),
    ],
    ids=["C4", "C6", "K3", "K4", "K5"],
)
def test_graphs_of_the_author(observer, kappa, alpha):
    found = analyze_regime(observer)
    assert found.kappa == pytest.approx(kappa, abs=6e-4)
    assert found.alpha_optimal == pytest.approx(alpha, abs=6e-5)
    means, covariance = slow_moments(observer)
    np.testing.assert_allclose(found.fisher, covariance, atol=1e-13)
    np.testing.assert_allclose(found.mean_parameters, means, atol=1e-13)


def test_triangle_has_one_uniform_mode():
    found = analyze_regime(complete(3))
    np.testing.assert_allclose(found.eigenvalues, [0.385, 0.385, 1.095], atol=5e-4)
    np.testing.assert_allclose(np.abs(found.eigenvectors[:, 2]), 3**-0.5, atol=1e-12)


TIMES = {
    "cond(g) rho(g)": lambda f, g: np.linalg.cond(g) * np.linalg.norm(g, 2),
    "cond(g)": lambda f, g: np.linalg.cond(g),
    "rho(g)": lambda f, g: np.linalg.norm(g, 2),
    "cond(g^-1 F)": lambda f, g: np.linalg.cond(np.linalg.solve(g, f)),
    "1 / min rate(g^-1 F)": lambda f, g: 1 / np.linalg.norm(np.linalg.solve(g, f), -2),
    "cond(g^-1 F) / min rate(g^-1 F)": lambda f, g: (
        np.linalg.cond(np.linalg.solve(g, f)) / np.linalg.norm(np.linalg.solve(g, f), -2)
    ),
}


def test_optima_against_numerical_minimization():
    rng, interior = np.random.default_rng(4), 0
    for number in range(200):
        fisher = random_spd(rng, int(rng.integers(2, 6)))
        found = analyze_regime(Given(fisher))
        for rival in found.rivals[: 6 if number < 20 else 1]:

            def log_time(a, time=TIMES[rival.time], f=fisher):
                return np.log(time(f, f @ f + a**2 / (1 - a) * f))

            best = minimize_scalar(
                log_time, bounds=(0, 0.999), method="bounded", options={"xatol": 1e-9}
            )
            # The minimum is flat: its place is known to the root of the rounding.
            if rival.interior:
                assert best.x == pytest.approx(rival.alpha, abs=1e-6)
            else:
                assert log_time(0.0 if rival.alpha == 0 else 0.999) <= best.fun + 1e-9
        interior += found.rivals[0].interior
        assert found.rivals[0].interior == (found.kappa > 2)
    assert 40 < interior < 199


def test_optimum_to_rounding():
    """The derivative of log T over beta vanishes at the closed form."""
    rng = np.random.default_rng(5)
    for _ in range(50):
        found = analyze_regime(Given(random_spd(rng, 4)))
        least, most, beta = found.eigenvalues[0], found.eigenvalues[-1], found.beta_optimal
        slope = 2 / (most + beta) - 1 / (least + beta)
        assert abs(slope) < 1e-12 if found.kappa > 2 else slope > 0
        assert found.alpha_optimal**2 / (1 - found.alpha_optimal) == pytest.approx(beta, abs=1e-12)


def test_inertia_is_fisher_squared():
    """Weights that follow the means have dw/dtheta = F; weights that are theta have M = I."""
    observer, h = complete(4), 1e-5
    fisher = analyze_regime(observer).fisher

    def weights(theta):
        return analyze_regime(Ising(4, observer.edges, theta)).mean_parameters

    columns = [
        (weights(observer.couplings + h * e) - weights(observer.couplings - h * e)) / (2 * h)
        for e in np.eye(6)
    ]
    jacobian = np.array(columns).T
    inertia = jacobian.T @ jacobian
    error = np.linalg.norm(inertia - fisher @ fisher) / np.linalg.norm(fisher @ fisher)
    assert error < 1e-8
    assert np.linalg.norm(np.eye(6) - fisher @ fisher) > 1


def test_fisher_is_the_hessian_of_the_log_partition():
    rng = np.random.default_rng(6)
    statistics, theta = rng.normal(size=(40, 5)), rng.normal(size=5)
    found = analyze_regime(Family(statistics, theta))
    with jax.enable_x64(True):
        hessian = jax.hessian(lambda x: jax.nn.logsumexp(jnp.asarray(statistics) @ x))(theta)
        np.testing.assert_allclose(found.fisher, hessian, rtol=1e-11, atol=1e-13)


def test_directions():
    rng = np.random.default_rng(7)
    fisher = random_spd(rng, 5)
    for beta in (0.0, 0.3, 4.0):
        found = analyze_regime(Given(fisher), beta=beta, threshold=0.3)
        for k in range(5):
            v = found.eigenvectors[:, k]
            inertia, spread = v @ fisher @ fisher @ v, v @ fisher @ v
            assert found.mass_fraction[k] == pytest.approx(inertia / (inertia + beta * spread))
        deviation = fisher @ fisher - np.trace(fisher @ fisher) / np.trace(fisher) * fisher
        np.testing.assert_allclose(
            np.sort(found.deviation_eigenvalues), np.linalg.eigvalsh(deviation), atol=1e-12
        )
        share = np.linalg.norm(deviation) / np.linalg.norm(fisher @ fisher)
        assert found.deviation_fraction == pytest.approx(share)
        assert abs(found.trace_deviation) < 1e-12
        center = np.trace(fisher @ fisher) / np.trace(fisher)
        np.testing.assert_array_equal(
            np.sign(found.deviation_eigenvalues), np.sign(found.eigenvalues - center)
        )
        c = found.threshold_eigenvalue
        assert beta == 0 or c / (c + beta) == pytest.approx(0.3)


def test_spread_is_largest_at_the_geometric_mean():
    fisher = np.diag([0.5, 1.0, 8.0])
    peak = analyze_regime(Given(fisher), beta=2.0).spread
    assert peak == pytest.approx((4 - 1) / (4 + 1))
    for beta in (0.0, 0.5, 1.9, 2.1, 50.0):
        assert analyze_regime(Given(fisher), beta=beta).spread < peak


def test_alpha_and_beta_are_one_thing():
    by_alpha = analyze_regime(complete(3), alpha=0.7)
    by_beta = analyze_regime(complete(3), beta=0.7**2 / 0.3)
    assert by_beta.alpha == pytest.approx(0.7)
    np.testing.assert_allclose(by_alpha.mass_fraction, by_beta.mass_fraction)


def test_natural_gradient_does_not_see_the_chart():
    start = Ising(3, np.array([[0, 1], [1, 2], [0, 2]]), np.array([-0.5, 0.6, 0.1]))
    target = np.array([0.8, -0.3, 0.4])
    flows = compare_flows(start, target)
    assert flows.natural_difference < 1e-8
    assert flows.plain_difference > 1e-3
    goal, _ = slow_moments(Ising(3, start.edges, target))
    first, _ = slow_moments(start)
    exact = goal + (first - goal) * np.exp(-flows.times)[:, None]
    np.testing.assert_allclose(flows.natural_theta, exact, atol=1e-9)
    np.testing.assert_allclose(flows.natural_phi, exact, atol=1e-9)
    assert np.abs(flows.plain_theta - exact).max() > 1e-2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"observer": Given(np.array([[1.0, 0.5], [0.4, 1]]))}, "must be symmetric"),
        ({"observer": Given(np.ones((2, 2)))}, "redundant parameters: .* reduce the model"),
        ({"observer": Given(-np.eye(2))}, "positive definite"),
        ({"observer": Given(np.eye(513))}, "at most 512 rows"),
        ({"observer": Given(np.full((2, 2), np.nan))}, "must be finite"),
        ({"observer": Family(np.ones((3, 2)), np.zeros(3))}, "have 2 entries"),
        ({"observer": Family(np.ones((2, 129)), np.zeros(129))}, "at most 128 parameters"),
        ({"observer": Family(np.ones((65537, 1)), np.zeros(1))}, "at most 65536 states"),
        ({"observer": ising(15, [(0, 1)])}, "must be .* 14"),
        ({"observer": ising(3, [(0, 3)])}, "has the vertex 3"),
        ({"observer": ising(3, [(0, -1)])}, "has the vertex -1"),
        ({"observer": ising(3, [(1, 1)])}, "joins a vertex to itself"),
        ({"observer": ising(3, [(0, 1), (1, 0)])}, "holds one edge twice"),
        ({"observer": complete(3), "alpha": 1.0}, "less than 1"),
        ({"observer": complete(3), "alpha": -0.1}, "at least 0"),
        ({"observer": complete(3), "beta": 1.0, "alpha": 0.5}, "give at most one of them"),
    ],
)
def test_refusals(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        analyze_regime(**arguments)


def test_flows_that_are_refused():
    with pytest.raises(InputError, match="redundant parameters"):
        compare_flows(Family(np.ones((3, 2)), np.zeros(2)), np.zeros(2))
    with pytest.raises(InputError, match="`target` must have 3 entries"):
        compare_flows(complete(3), np.zeros(2))
