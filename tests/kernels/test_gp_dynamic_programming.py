import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import lognorm, multivariate_normal, norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from aqc.errors import InputError
from aqc.kernels._kernel import drain
from aqc.kernels.gp_dynamic_programming import (
    Model,
    Pairs,
    Priors,
    Series,
    compare_policies,
    compare_policies_steps,
    fit_rivals,
    plan_harvest,
    simulate_stock,
)
from aqc.kernels.gp_dynamic_programming.gp import Draws, Process, sample_steps
from aqc.kernels.gp_dynamic_programming.models import growth
from aqc.kernels.gp_dynamic_programming.planning import (
    best_policy,
    model_transitions,
    process_transitions,
)

TRUTH = Model("allen", (2.0, 8.0, 5.0), 0.05)
GRID = np.linspace(0, 15, 50)


def series(start, seed):
    return Series(simulate_stock(TRUTH, start, 40, seed=seed))


def surviving_series(start, count):
    """The first seeds whose stock does not die out by itself."""
    found = (series(start, seed) for seed in range(10 * count))
    return [s for s in found if s.stock[-1] > 5][:count]


def value_iteration(transitions, grid, discount):
    """Sweep over all harvests, one stock at a time."""
    value = np.zeros(len(grid))
    while True:
        future = (1 - discount) * transitions @ value
        new = np.array(
            [max(grid[i] - grid[j] + future[j] for j in range(i + 1)) for i in range(len(grid))]
        )
        if np.abs(new - value).max() < 1e-9:
            return new
        value = new


def test_policy_of_the_true_model():
    """The escapements that the authors publish for their figure 3."""
    policy = best_policy(model_transitions(TRUTH, GRID), GRID, 0.01)
    want = [0, 0, 0, 0, 4.90, 6.12] + [6.73] * 7
    np.testing.assert_allclose(policy.escapement[::4], want, atol=0.006)
    np.testing.assert_allclose(policy.harvest + policy.escapement, policy.stock)


@pytest.mark.parametrize("discount", [0.05, 0.3])
def test_policy_iteration_against_value_iteration(discount):
    rng = np.random.default_rng(0)
    grid = np.linspace(0, 4, 20)
    for transitions in (
        rng.dirichlet(np.full(20, 0.2), 20),
        model_transitions(Model("ricker", (1.2, 2.0), 0.3), grid),
    ):
        policy = best_policy(transitions, grid, discount)
        exact = value_iteration(transitions, grid, discount)
        np.testing.assert_allclose(policy.value, exact, atol=1e-6)
        future = (1 - discount) * transitions @ exact
        kept = np.searchsorted(grid, policy.escapement - 1e-9)
        np.testing.assert_allclose(policy.harvest + future[kept], exact, atol=1e-6)


@pytest.mark.parametrize("discount", [0.03, 0.15])
def test_golden_rule(discount):
    """Without noise the best escapement has f'(S) = 1 / (1 - delta)."""
    r, capacity = 0.9, 8.0
    grid = np.linspace(0, 12, 200)
    policy = best_policy(
        model_transitions(Model("ricker", (r, capacity), 0.02), grid), grid, discount
    )

    def slope(s):
        return np.exp(r * (1 - s / capacity)) * (1 - r * s / capacity) - 1 / (1 - discount)

    golden = brentq(slope, 0.1, 8)
    assert policy.escapement[-1] == pytest.approx(golden, abs=grid[1])
    assert (policy.escapement[grid > golden + grid[1]] == policy.escapement[-1]).all()


def test_rows_are_lognormal_laws():
    row = model_transitions(TRUTH, GRID)[25]
    density = lognorm(0.05, scale=growth("allen", TRUTH.parameters, GRID[25])).pdf(GRID)
    np.testing.assert_allclose(row, density / density.sum(), atol=1e-12)


def test_rows_of_the_process_are_means_of_normal_laws():
    x, y = np.array([2.0, 5.0, 7.0]), np.array([3.0, 6.0, 6.5])
    process = Process(x, y, closed=True)
    draws = Draws(np.array([1.5, 3.0]), np.array([0.3, 0.6]), 0.5)
    matrix, mean, deviation = process_transitions(process, draws, GRID, 1.0, True, True)
    want, means = 0, []
    for length, noise in zip(draws.length, draws.noise, strict=True):
        center, variance = process.predict(length, noise, GRID[20:21])
        density = norm(center, np.sqrt(variance + noise**2)).pdf(GRID)
        want = want + density / density.sum() / 2
        means.append(center[0])
    np.testing.assert_allclose(matrix[20], want, atol=1e-12)
    np.testing.assert_allclose(matrix.sum(1), 1)
    assert mean[20] == pytest.approx(np.mean(means))
    assert deviation[20] > np.std(means)
    assert matrix[0, 0] == 1


@pytest.mark.parametrize("closed", [True, False])
def test_process_against_scikit_learn(closed):
    rng = np.random.default_rng(1)
    x, y = rng.uniform(1, 9, (2, 12))
    length, noise, points = 1.7, 0.4, np.linspace(0, 12, 30)
    process = Process(x, y, closed)
    alpha = np.full(12, noise**2) + 1e-9
    if closed:
        x, y, alpha = np.append(x, 0), np.append(y, 0), np.append(alpha, 1e-9)
    other = GaussianProcessRegressor(RBF(length, "fixed"), alpha=alpha, optimizer=None)
    other.fit(x[:, None], y)
    mean, deviation = other.predict(points[:, None], return_std=True)
    found = process.predict(length, noise, points)
    np.testing.assert_allclose(found[0], mean, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found[1], deviation**2, rtol=1e-8, atol=1e-9)
    covariance = RBF(length)(x[:, None]) + np.diag(alpha)
    density = multivariate_normal(np.zeros(len(x)), covariance).logpdf(y)
    assert process.log_likelihood(length, noise) == pytest.approx(density, rel=1e-8)


def test_sampler_draws_the_posterior():
    """Against the density on a grid of (log l, log s)."""
    rng = np.random.default_rng(2)
    x = rng.uniform(1, 8, 10)
    process, priors = Process(x, np.sin(x) + 4, True), Priors()
    logs = np.linspace(-2.5, 2.5, 90)
    table = np.array(
        [
            [
                process.log_likelihood(np.exp(a), np.exp(b))
                - 10 * a
                - 10 * np.exp(-a)
                - 5 * b
                - 5 * np.exp(-b)
                for b in logs
            ]
            for a in logs
        ]
    )
    share = np.exp(table - table.max())
    share /= share.sum()
    draws = drain(sample_steps(process, priors, 20_000, seed=3))
    for axis, values in ((1, draws.length), (0, draws.noise)):
        marginal = share.sum(axis)
        mean = marginal @ logs
        deviation = np.sqrt(marginal @ (logs - mean) ** 2)
        # 200 correlated draws: about a hundred independent ones.
        assert abs(np.log(values).mean() - mean) < 0.4 * deviation
        assert np.log(values).std() == pytest.approx(deviation, rel=0.3)


def test_ricker_by_least_squares():
    """log(y/x) = r - (r/K) x is a straight line: the fit has a closed form."""
    x = np.random.default_rng(4).uniform(1, 9, 30)
    y = growth("ricker", (0.8, 6.0), x) * np.exp(0.1 * np.random.default_rng(5).normal(size=30))
    slope, r = np.polyfit(x, np.log(y / x), 1)
    fits = fit_rivals(Pairs(x, y)).fits
    assert fits[0].model.parameters == pytest.approx((r, -r / slope), rel=1e-4)
    sigma = np.sqrt(np.mean((np.log(y / x) - r - slope * x) ** 2))
    assert fits[0].model.sigma == pytest.approx(sigma, rel=1e-6)
    density = lognorm(sigma, scale=growth("ricker", (r, -r / slope), x)).logpdf(y).sum()
    assert fits[0].log_likelihood == pytest.approx(density, rel=1e-6)
    assert fits[0].aic == pytest.approx(2 * 3 - 2 * density, rel=1e-6)


@pytest.mark.parametrize("name", ["allen", "myers"])
def test_fits_find_what_made_the_data(name):
    parameters = {"allen": (1.5, 8.0, 4.0), "myers": (1.3, 1.5, 12.0)}[name]
    x = np.linspace(1, 10, 60)
    y = growth(name, parameters, x) * np.exp(0.01 * np.random.default_rng(6).normal(size=60))
    rivals = fit_rivals(Pairs(x, y))
    best = rivals.fits[rivals.choice].model
    assert best.name == name
    assert best.parameters == pytest.approx(parameters, rel=0.1)


def test_the_uncertainty_of_the_function_changes_the_policy():
    data = surviving_series(5.5, 1)[0]
    plan = plan_harvest(data, grid_max=15.0, n_mcmc=2000)
    draws = Draws(plan.lengths, plan.noises, plan.acceptance)
    process = Process(data.stock[:-1], data.stock[1:], True)
    points = plan.policy.stock
    certain = np.zeros((50, 50))
    for length, noise in zip(draws.length, draws.noise, strict=True):
        mean, _ = process.predict(length, noise, points)
        mean[0] = 0
        rows = np.exp(-((points - mean[:, None]) ** 2) / (2 * noise**2))
        rows[mean < points[1] / 2] = np.eye(50)[0]
        certain += rows / rows.sum(1, keepdims=True) / len(draws.length)
    plugged = best_policy(certain, points, 0.01)
    below = points < data.stock.min()
    assert np.abs(plugged.escapement - plan.policy.escapement)[below].max() > 0.5


def mean_plays(start, count, n_mcmc):
    runs = [
        compare_policies(s, TRUTH, 10.0, grid_max=15.0, n_mcmc=n_mcmc, seed=i)
        for i, s in enumerate(surviving_series(start, count))
    ]
    return {
        play.name: np.mean(
            [(run.plays[k].relative_profit, run.plays[k].crash_fraction) for run in runs], axis=0
        )
        for k, play in enumerate(runs[0].plays)
    }


def test_profits_are_against_the_true_policy():
    plays = mean_plays(8.0, 4, 1000)
    assert plays["true"].tolist() == [1, 0]
    assert plays["ricker"][1] > 0.9
    assert plays["gpdp"][1] < 0.1
    assert plays["gpdp"][0] > plays["ricker"][0] + 0.2


@pytest.mark.slow
def test_data_near_equilibrium_mislead_the_selection_and_not_the_process():
    plays = mean_plays(8.0, 25, 6000)
    assert plays["gpdp"][0] >= plays["aic"][0] + 0.2
    assert plays["gpdp"][1] <= 0.05
    assert plays["ricker"][1] >= 0.9


@pytest.mark.slow
def test_data_from_near_the_threshold():
    plays = mean_plays(5.5, 25, 6000)
    assert plays["gpdp"][0] > 0.9
    assert plays["ricker"][0] < 0.3


def test_steps_resume_to_the_same():
    arguments = (series(8.0, 1), TRUTH, 10.0, 20, 10, None, 15.0, 30, 0.05, 1200, 4)
    whole, states = drain(compare_policies_steps(*arguments)), compare_policies_steps(*arguments)
    fractions = []
    for fraction, state in states:
        fractions.append(fraction)
        resumed = drain(compare_policies_steps(*arguments, state=state))
        assert resumed.plays == whole.plays
        np.testing.assert_array_equal(resumed.plan.lengths, whole.plan.lengths)
    assert fractions == pytest.approx([500 / 1200, 1000 / 1200, 1])


def test_an_odd_acceptance_is_told():
    plan = plan_harvest(series(8.0, 1), n_mcmc=500, priors=Priors(1e6, 1e6, 1e6, 1e6))
    assert plan.acceptance < 0.05
    assert "distrust" in plan.warning


STOCK = np.linspace(5, 8, 20)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"data": Series(STOCK[:7])}, "8 to 500 entries, but has 7"),
        ({"data": Series(np.ones(501))}, "8 to 500 entries, but has 501"),
        ({"data": Series(STOCK - 5)}, "must be positive, but the least stock is 0"),
        ({"data": Series(STOCK * np.nan)}, "must be finite"),
        ({"data": Series(np.ones(10))}, "no contrast"),
        ({"data": Pairs(STOCK, STOCK[:-1])}, "20 entries"),
        ({"data": Series(STOCK), "grid_max": 7.0}, "at least the largest stock 8"),
        ({"data": Series(STOCK), "discount": 0.0}, "greater than 0"),
        ({"data": Series(STOCK), "discount": 1.0}, "less than 1"),
        ({"data": Series(STOCK), "n_grid": 10}, "`n_grid` must be .* 20"),
        ({"data": Series(STOCK), "priors": Priors(length_shape=0.0)}, "greater than 0"),
        ({"data": Series(STOCK), "n_mcmc": 200_001}, "200000"),
    ],
)
def test_refusals(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        plan_harvest(**arguments)


def test_a_truth_with_too_few_parameters_is_refused():
    with pytest.raises(InputError, match="must have 3 entries for allen, but has 2"):
        compare_policies(Series(STOCK), Model("allen", (1.0, 2.0), 0.1), 5.0)
