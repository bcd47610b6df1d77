import numpy as np
import pytest
from scipy.linalg import expm, solve_continuous_lyapunov

from aqc.errors import InputError
from aqc.kernels._kernel import drain
from aqc.kernels.gauge_freedom import (
    Exact,
    FourierFeatures,
    Gauge,
    Linear,
    Mixture,
    Points,
    Polynomials,
    Scaled,
    decompose_field,
    energy_distance,
    estimate_dimension,
    estimate_dimension_steps,
    flow_samples,
)

TURN = np.array([[0.0, 1.0], [-1.0, 0.0]])
MIXTURE = Mixture(
    np.array([0.5, 0.3, 0.2]),
    np.array([[-2.0, 0.0], [2.0, 1.0], [0.5, -2.0]]),
    np.array([[[0.5, 0.2], [0.2, 0.3]], [[0.3, 0.0], [0.0, 0.6]], [[0.2, -0.1], [-0.1, 0.4]]]),
)
PLANE = Mixture(np.ones(1), np.zeros((1, 4)), np.diag([1.0, 0.49, 0.0, 0.0])[None])


def gaussian_case(n, seed):
    rng = np.random.default_rng(seed)
    matrix, root = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    covariance = root @ root.T + 0.3 * np.eye(3)
    return rng.multivariate_normal(np.zeros(3), covariance, n), covariance, matrix


def sphere(n, rng):
    points = rng.normal(size=(n, 3))
    points /= np.linalg.norm(points, axis=1)[:, None]
    return points @ np.linalg.qr(rng.normal(size=(5, 3)))[0].T


def test_linear_field_against_lyapunov():
    """For p = N(0, S) and s = L x: grad phi = G x with P G + G P = P L + L^T P, P = S^-1."""
    samples, covariance, matrix = gaussian_case(100_000, seed=0)
    inverse = np.linalg.inv(covariance)
    gradient = solve_continuous_lyapunov(inverse, inverse @ matrix + matrix.T @ inverse)
    rest = matrix - gradient
    np.testing.assert_allclose(gradient, gradient.T, atol=1e-12)
    assert abs(np.trace(rest)) < 1e-12
    np.testing.assert_allclose(inverse @ rest + rest.T @ inverse, 0, atol=1e-12)
    found = decompose_field(samples, samples @ matrix.T)
    np.testing.assert_allclose(found.conservative, samples @ gradient.T, atol=0.03)
    fitted = np.linalg.lstsq(samples, found.conservative, rcond=None)[0].T
    assert np.abs(fitted - gradient).max() < 0.01
    np.testing.assert_allclose(found.conservative + found.gauge, samples @ matrix.T, atol=1e-12)
    assert found.orthogonality < 1e-10
    assert found.heldout_residual < 3 * found.heldout_noise
    energies = [np.mean(x**2) for x in (samples @ matrix.T, found.conservative, found.gauge)]
    assert energies[0] == pytest.approx(energies[1] + energies[2])
    assert found.energy_fraction == pytest.approx(energies[2] / energies[0])


@pytest.mark.parametrize("degree", [1, 2, 3, 4])
def test_gradients_of_polynomials_are_kept_whole(degree):
    """A gradient within the basis has no gauge part; one beyond it has."""
    samples = np.random.default_rng(1).normal([1.0, -5.0], [2.0, 0.3], (3000, 2))
    # phi = x^a y^(degree - a) of the shifted points, a = 1.
    x, y = samples.T
    field = np.stack([y ** (degree - 1), (degree - 1) * x * y ** max(degree - 2, 0)], 1)
    found = decompose_field(samples, field, Polynomials(degree))
    assert found.energy_fraction < 1e-14
    if degree > 1:
        below = decompose_field(samples, field, Polynomials(degree - 1))
        assert below.energy_fraction > 1e6 * max(found.energy_fraction, 1e-15)


def test_an_incomplete_basis_shows_on_what_was_held_out():
    samples = np.random.default_rng(2).normal(size=(20_000, 2))
    found = decompose_field(samples, np.cos(2 * samples), Polynomials(1))
    assert found.heldout_residual > 10 * found.heldout_noise
    full = decompose_field(samples, np.cos(2 * samples), FourierFeatures(200, 1.0))
    assert full.heldout_residual < 3 * full.heldout_noise + 1e-3
    assert full.energy_fraction < 1e-4


@pytest.mark.parametrize("skew", [np.zeros((2, 2)), 3 * TURN])
def test_flow_of_one_gaussian(skew):
    """dx/dsigma = sigma (1 + A) x / (tau^2 + sigma^2): a contraction and a turn."""
    tau, largest, smallest = 0.7, 9.0, 0.05
    normal = Mixture(np.ones(1), np.zeros((1, 2)), tau**2 * np.eye(2)[None])
    logarithm = 0.5 * np.log((tau**2 + smallest**2) / (tau**2 + largest**2))
    flows = [
        flow_samples(normal, field, n=1000, sigma_max=largest, sigma_min=smallest, steps=400)
        for field in (Exact(), Gauge(skew))
    ]
    want = flows[0].samples @ expm(skew * logarithm).T
    np.testing.assert_allclose(flows[1].samples, want, atol=1e-5)
    moved = np.linalg.norm(flows[1].samples - flows[0].samples, axis=1).mean()
    assert flows[1].displacement == pytest.approx(moved, abs=1e-12)


def test_flow_is_of_fourth_order():
    ends = [
        flow_samples(MIXTURE, Gauge(TURN), n=1000, sigma_min=0.1, steps=steps).samples
        for steps in (100, 200, 400, 1600)
    ]
    errors = [np.abs(end - ends[-1]).mean() for end in ends[:3]]
    assert np.log2(errors[0] / errors[1]) > 3.3
    assert np.log2(errors[1] / errors[2]) > 3.3


def test_conservative_is_neither_necessary_nor_sufficient():
    fields = (Exact(), Gauge(TURN), Linear(0.3 * TURN), Scaled(1.2))
    exact, gauge, curl, scaled = (
        flow_samples(MIXTURE, field, n=1000, steps=200, seed=3) for field in fields
    )
    assert gauge.displacement > 1
    for right in (exact, gauge):
        assert right.gauge_residual < 1e-10
        assert right.energy_distance < 3 * right.null_energy_distance + 0.005
    for wrong in (curl, scaled):
        assert wrong.gauge_residual > 0.5
        assert wrong.energy_distance > 3 * max(exact.energy_distance, gauge.energy_distance)


@pytest.mark.slow
def test_conservative_is_neither_necessary_nor_sufficient_over_five_seeds():
    fields = (Exact(), Gauge(TURN), Linear(0.3 * TURN), Scaled(1.2))
    runs = [[flow_samples(MIXTURE, f, n=2500, seed=seed) for f in fields] for seed in range(5)]
    distances = np.mean([[flow.energy_distance for flow in run] for run in runs], axis=0)
    null = np.mean([run[0].null_energy_distance for run in runs])
    assert distances[:2].max() < 2 * null + 0.001
    assert distances[2:].min() > 8 * distances[:2].max()


def test_energy_distance_against_its_definition():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(700, 3)), rng.normal(size=(40, 3))

    def mean(a, b):
        return np.linalg.norm(a[:, None] - b, axis=2).mean()

    assert energy_distance(x, y) == pytest.approx(2 * mean(x, y) - mean(x, x) - mean(y, y))
    assert energy_distance(x, x) == pytest.approx(0, abs=1e-12)


def test_jacobian_of_a_gaussian_plane():
    found = estimate_dimension(PLANE, sigma_max=8.0, sigma_min=0.05, steps=300)
    variances = np.array([1, 0.49, 0, 0])
    exact = np.sqrt((variances + found.sigma[:, None] ** 2) / (variances + 64))
    np.testing.assert_allclose(
        found.singular_values, np.broadcast_to(exact, (8, 301, 4)), rtol=1e-6
    )
    np.testing.assert_allclose(found.slopes[0], [0.005, 0.011, 1, 1], atol=0.01)
    assert found.by_slope.tolist() == found.by_gap.tolist() == [2] * 8


def test_dimension_of_a_sphere_and_of_a_curve():
    rng = np.random.default_rng(5)
    found = estimate_dimension(Points(sphere(600, rng)), steps=80, n_queries=16)
    assert (found.by_slope == 2).sum() >= 14
    assert (found.by_gap == 2).sum() >= 14
    assert np.abs(np.linalg.norm(found.end_points, axis=1) - 1).mean() < 0.15
    angle = np.linspace(0, 2 * np.pi, 300, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1)
    assert estimate_dimension(Points(circle), steps=80).by_slope.tolist() == [1] * 8


@pytest.mark.slow
def test_the_dimension_of_a_sphere_over_five_seeds():
    for seed in range(5):
        data = Points(sphere(1500, np.random.default_rng(seed)))
        found = estimate_dimension(data, sigma_min=0.15, steps=150, n_queries=24, seed=seed)
        assert (found.by_slope == 2).sum() >= 22
        assert (found.by_gap == 2).sum() >= 22


@pytest.mark.slow
def test_large_gauge_fields_spoil_the_dimension_and_not_the_samples():
    right = {0.0: [], 1.0: [], 3.0: [], 6.0: []}
    for seed in range(5):
        data = sphere(1200, np.random.default_rng(seed))
        for c, counts in right.items():
            found = estimate_dimension(
                Points(data), sigma_min=0.1, steps=600, n_queries=24, gauge=c, seed=seed
            )
            counts.append(((found.by_slope == 2).sum(), (found.by_gap == 2).sum()))
            assert np.abs(np.linalg.norm(found.end_points, axis=1) - 1).mean() < 0.12
    slope, gap = (np.array([[pair[k] for pair in row] for row in right.values()]) for k in (0, 1))
    assert min(slope[0].min(), gap[0].min()) >= 22
    # A small gauge field does no harm that is seen.
    assert min(slope[1].mean(), gap[1].mean()) >= 22
    # ... one of norm 3 next to none, one of norm 6 much.
    assert 20 < slope[2].mean() < 23
    assert 20 < gap[2].mean() < 24
    assert slope[3].mean() < 20
    assert gap[3].mean() < 18


@pytest.mark.slow
def test_the_swiss_roll_is_harder_than_the_sphere():
    right = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        angle = 1.5 * np.pi * (1 + 2 * rng.random(1500))
        roll = np.stack([angle * np.cos(angle), 21 * rng.random(1500), angle * np.sin(angle)], 1)
        found = estimate_dimension(Points(roll / 10), steps=150, n_queries=24, seed=seed)
        right.append(((found.by_slope == 2).sum(), (found.by_gap == 2).sum()))
    assert np.min(right) >= 10
    assert np.max(right) < 22


def test_steps_resume_to_the_same():
    arguments = (PLANE, 8.0, None, 40, 20, 0.5, 7)
    states: list = []
    whole = drain(recorded(estimate_dimension_steps(*arguments), states))
    assert [fraction for fraction, _ in states] == [0.4, 0.8, 1.0]
    for _, state in states:
        resumed = drain(estimate_dimension_steps(*arguments, state=state))
        np.testing.assert_array_equal(resumed.singular_values, whole.singular_values)
        np.testing.assert_array_equal(resumed.end_points, whole.end_points)


def recorded(steps, states):
    while True:
        try:
            states.append(next(steps))
            yield states[-1]
        except StopIteration as stop:
            return stop.value


def mixture(weights=(0.5, 0.5), covariances=None, d=2):
    both = np.stack([np.eye(d)] * 2) if covariances is None else covariances
    return Mixture(np.array(weights), np.zeros((2, d)), both)


LINE = np.linspace(0, 1, 40)[:, None]


@pytest.mark.parametrize(
    ("function", "arguments", "sentence"),
    [
        (decompose_field, {"samples": np.ones((20, 2)), "field": np.ones((19, 2))}, "20 entries"),
        (decompose_field, {"samples": np.eye(40, 17), "field": np.eye(40, 17)}, "at most 16"),
        (decompose_field, {"samples": LINE[:19], "field": LINE[:19]}, "at most 1 functions"),
        (decompose_field, {"samples": LINE * 0, "field": LINE}, "axis 0 is constant"),
        (decompose_field, {"samples": LINE * np.nan, "field": LINE}, "must be finite"),
        (flow_samples, {"mixture": mixture((0.5, 0.6)), "field": Exact()}, "sum to 1"),
        (flow_samples, {"mixture": mixture((1.5, -0.5)), "field": Exact()}, "must be positive"),
        (
            flow_samples,
            {"mixture": mixture(covariances=-np.stack([np.eye(2)] * 2)), "field": Exact()},
            "positive semidefinite",
        ),
        (flow_samples, {"mixture": mixture(d=17), "field": Exact()}, "at most 16 dimensions"),
        (flow_samples, {"mixture": mixture(), "field": Gauge(np.eye(2))}, "skew-symmetric"),
        (flow_samples, {"mixture": mixture(), "field": Gauge(np.zeros((3, 3)))}, "2 entries"),
        (
            flow_samples,
            {"mixture": mixture(), "field": Exact(), "sigma_min": 13.0},
            "less than `sigma_max`",
        ),
        (estimate_dimension, {"source": Points(LINE), "sigma_min": 0.02}, "memorizes its points"),
        (estimate_dimension, {"source": Points(LINE[:9])}, "10 to 5000 points"),
        (estimate_dimension, {"source": Points(LINE * 0)}, "must hold different points"),
        (estimate_dimension, {"source": Points(np.eye(17))}, "at most 16 dimensions"),
        (estimate_dimension, {"source": PLANE, "sigma_max": 0.1}, "three times `sigma_min`"),
    ],
)
def test_refusals(function, arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        function(**arguments)
