"""Generalized teacher forcing against autodiff, plain loops and the Lorenz system."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.ndimage import gaussian_filter1d

from aqc.errors import InputError
from aqc.kernels._kernel import drain
from aqc.kernels.generalized_teacher_forcing import (
    Adaptive,
    Constant,
    Network,
    run_freely,
    score_dynamics,
    train_forced,
    train_forced_steps,
)
from aqc.kernels.generalized_teacher_forcing._network import initial_weights, jacobian, step
from aqc.kernels.generalized_teacher_forcing._updates import forced_loss, forcing_of


def lorenz(points, seed, noise=0.0):
    """Lorenz's system, sampled every 0.01, with noise relative to its deviations."""
    rng = np.random.default_rng(seed)

    def rate(t, x):
        return [10 * (x[1] - x[0]), x[0] * (28 - x[2]) - x[1], x[0] * x[1] - 8 / 3 * x[2]]

    times = 0.01 * np.arange(points + 1000)
    start = np.array([1, 1, 25]) + rng.normal(size=3)
    options = {"t_eval": times, "rtol": 1e-9, "atol": 1e-9, "method": "DOP853"}
    x = solve_ivp(rate, (0, times[-1]), start, **options).y.T[1000:]
    return x + noise * x.std(0) * rng.normal(size=x.shape)


def random_weights(size, hidden, seed):
    rng = np.random.default_rng(seed)
    shapes = {"A": (size,), "W1": (size, hidden), "W2": (hidden, size), "h1": (size,)}
    weights = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    return weights | {"h2": rng.normal(size=hidden)}


@pytest.mark.parametrize("clipped", [True, False])
def test_the_jacobian_is_the_derivative(clipped):
    with jax.enable_x64(True):
        weights = random_weights(3, 50, 0)
        for z in np.random.default_rng(1).normal(size=(20, 3)):
            exact = jax.jacfwd(lambda z: step(weights, z, clipped))(jnp.asarray(z))
            np.testing.assert_allclose(
                jacobian(weights, jnp.asarray(z), clipped), exact, atol=1e-13
            )


def test_the_step_is_its_formula():
    weights = random_weights(2, 7, 2)
    z = np.array([0.3, -1.1])
    a, w1, w2, h1, h2 = (weights[name] for name in ("A", "W1", "W2", "h1", "h2"))
    with jax.enable_x64(True):
        for clipped in (True, False):
            hidden = np.maximum(w2 @ z + h2, 0) - clipped * np.maximum(w2 @ z, 0)
            want = np.diag(a) @ z + w1 @ hidden + h1
            np.testing.assert_allclose(step(weights, jnp.asarray(z), clipped), want, atol=1e-14)


def test_forcing_bounds_the_gradient():
    """The Jacobians' product over 200 steps, at 0, half and all of the bound 1 - 1 / sigma_max."""
    with jax.enable_x64(True):
        weights = random_weights(3, 50, 3)
        points = np.random.default_rng(4).normal(size=(1, 200, 3))
        matrices = np.asarray(jacobian(weights, jnp.asarray(points[0]), True))
        largest = max(np.linalg.norm(matrix, 2) for matrix in matrices)
        alpha = float(forcing_of(weights, jnp.asarray(points), "maximum", True))
        assert alpha == pytest.approx(1 - 1 / largest, rel=1e-10)
        norms = []
        for a in (0, alpha / 2, alpha):
            product = np.eye(3)
            for matrix in matrices:
                product = (1 - a) * matrix @ product
            norms.append(np.linalg.norm(product, 2))
        assert norms[0] > 1e20
        assert norms[0] > 1e10 * norms[1] > 1e10 * norms[2]
        assert norms[2] <= 1
        geometric = np.exp(np.mean([np.log(np.linalg.norm(m, 2)) for m in matrices]))
        found = float(forcing_of(weights, jnp.asarray(points), "geometric", True))
        assert found == pytest.approx(1 - 1 / geometric, rel=1e-10)
        spectral = [np.linalg.norm(weights[name], 2) for name in ("W1", "W2")]
        bound = float(forcing_of(weights, jnp.asarray(points), "bound", True))
        assert bound == pytest.approx(1 - 1 / (np.abs(weights["A"]).max() + np.prod(spectral)))
        assert found < alpha < bound


def loop_loss(weights, x, alpha, l2):
    """The loss as its definition reads, window by window and step by step."""
    total, count = 0.0, 0
    for window in x:
        forced = window[0]
        for target in window[1:]:
            z = step(weights, forced, True)
            total, count = total + jnp.sum((z - target) ** 2), count + z.size
            forced = (1 - alpha) * z + alpha * target
    penalty = jnp.sum((1 - weights["A"]) ** 2)
    for name in ("W1", "W2", "h1", "h2"):
        penalty += jnp.sum(weights[name] ** 2)
    return total / count + l2 * penalty


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_loss_and_gradient_are_those_of_the_definition(alpha):
    with jax.enable_x64(True):
        weights = jax.tree.map(lambda x: jnp.asarray(x, float), initial_weights(2, 5, 0))
        x = jnp.asarray(np.random.default_rng(5).normal(size=(2, 4, 2)))
        found = jax.value_and_grad(forced_loss)(weights, x, alpha, 0.1, True)
        exact = jax.value_and_grad(loop_loss)(weights, x, alpha, 0.1)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10), found, exact)
        if alpha == 1:
            # One-step regression: no step knows of another.
            pairs = jnp.stack([x[:, :-1], x[:, 1:]], 2).reshape(-1, 2, 2)
            one_step = jax.value_and_grad(forced_loss)(weights, pairs, 0.0, 0.1, True)
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10), found, one_step)


def test_a_clipped_network_stays_bounded():
    rng = np.random.default_rng(6)
    weights = random_weights(3, 40, 7) | {"A": rng.uniform(-0.99, 0.99, 3)}
    late = 100 * rng.normal(size=(1, 3))
    for _ in range(5):  # 100 000 steps, 20 000 at a time
        late = run_freely(Network(**weights), late[-1], steps=20_000).states
        assert np.isfinite(late).all()
    # |W1 [relu(u + h) - relu(u)]| <= |W1| |h|.
    reach = np.abs(weights["W1"]) @ np.abs(weights["h2"]) + np.abs(weights["h1"])
    assert (np.abs(late[-1000:]).max(0) <= reach / (1 - np.abs(weights["A"]))).all()


def test_lyapunov_exponent_of_known_maps():
    """A rotation with growth, and the tent-like map z+ = 1 - 2 |z|."""
    none = np.zeros((2, 1))
    linear = Network(np.array([0.5, 0.25]), none, none.T, np.zeros(2), np.zeros(1))
    assert run_freely(linear, np.ones(2), 200).lyapunov == pytest.approx(np.log(0.5))
    tent = Network(
        np.zeros(1), -2 * np.ones((1, 2)), np.array([[1.0], [-1.0]]), np.ones(1), np.zeros(2), False
    )
    run = run_freely(tent, np.array([0.2345]), 40)
    assert run.lyapunov == pytest.approx(np.log(2))
    np.testing.assert_allclose(run.states[0], 1 - 2 * 0.2345)


def test_scores_of_equal_and_of_known_series():
    rng = np.random.default_rng(8)
    series = np.cumsum(rng.normal(size=(400, 2)), 0)
    same = score_dynamics(series, series)
    assert (same.geometry, same.spectrum) == (0, pytest.approx(0, abs=1e-7))
    # Dense histograms, every bin of them.
    other = 0.5 * np.cumsum(rng.normal(size=(400, 2)), 0) + series.mean(0)
    low, high = series.min(0) - 0.1 * series.std(0), series.max(0) + 0.1 * series.std(0)
    p, q = (
        np.histogramdd(x, bins=12, range=list(zip(low, high, strict=True)))[0] + 1e-5
        for x in (series, other)
    )
    p, q = p / p.sum(), q / q.sum()
    found = score_dynamics(series, other, bins=12)
    assert found.geometry == pytest.approx((p * np.log(p / q)).sum(), rel=1e-9)
    distances = []
    for k in range(2):
        smooth = []
        for x in (series[:, k], other[:, k]):
            z = (x - x.mean()) / x.std()
            power = gaussian_filter1d(np.abs(np.fft.rfft(z)) ** 2, 20)
            smooth.append(power / power.sum())
        distances.append(np.sqrt(1 - np.sqrt(smooth[0] * smooth[1]).sum()))
    assert found.spectrum == pytest.approx(np.mean(distances), rel=1e-6)


def test_many_dimensions_are_scored_by_mixtures():
    """Of one point each the divergence is half the squared distance."""
    rng = np.random.default_rng(9)
    series = np.concatenate([rng.normal(size=(2, 6))] * 25)
    near, far = series + 1e-3, series + 3 * series.std(0)
    scores = [score_dynamics(series, x).geometry for x in (series, near, far)]
    assert scores[0] == 0
    assert scores[1] < 0.1
    assert scores[2] > 5


def test_a_constant_or_vast_run_is_as_far_as_can_be():
    wave = np.sin(np.arange(300.0))[:, None]
    assert score_dynamics(wave, 0 * wave).spectrum == 1
    vast = score_dynamics(wave, 1e90 * wave)
    assert vast.geometry > 5
    assert np.isfinite(vast.spectrum)


def test_training_learns_an_oscillation_and_runs_on_alone():
    time = np.arange(600)
    wave = np.stack([np.sin(0.2 * time), np.cos(0.2 * time)], 1) * [3, 0.1] + [10, -5]
    trained = train_forced(
        wave[:400], wave[400:], hidden=20, sequence=50, batch=8, n_updates=600, final_rate=1e-3
    )
    assert trained.status == "trained"
    assert trained.loss[-10:].mean() < 0.05 * trained.loss[:10].mean()
    assert trained.prediction_error < 0.1
    assert 0.99 < trained.alpha[0] <= 1
    assert trained.alpha[-1] < 0.9
    assert trained.generated.shape == (200, 2)
    assert abs(trained.generated.mean(0) - [10, -5]).max() < 2
    constant = train_forced(wave, forcing=Constant(0.25), sequence=20, n_updates=10)
    np.testing.assert_array_equal(constant.alpha, 0.25)
    assert constant.scores is None


def test_divergence_is_a_status():
    noise = np.random.default_rng(10).normal(size=(60, 1))
    found = train_forced(
        noise,
        forcing=Constant(0.0),
        clipped=False,
        sequence=50,
        n_updates=200,
        learning_rate=1.0,
        final_rate=1.0,
        hidden=30,
    )
    assert found.status in ("diverged", "unbounded")
    assert np.isfinite(found.generated).all()
    assert all(np.isfinite(x).all() for x in found.network.weights().values())


def test_steps_resume_to_the_same():
    wave = np.sin(0.3 * np.arange(80.0))[:, None]
    arguments = {
        "series": wave,
        "hidden": 5,
        "forcing": Adaptive("maximum"),
        "sequence": 10,
        "n_updates": 120,
    }
    whole = drain(train_forced_steps(**arguments))
    states = [state for _, state in train_forced_steps(**arguments)]
    assert [state["done"] for state in states] == [50, 100, 120]
    for state in states:
        resumed = drain(train_forced_steps(**arguments, state=state))
        np.testing.assert_array_equal(resumed.loss, whole.loss)
        np.testing.assert_array_equal(resumed.network.W1, whole.network.W1)


WAVE = np.sin(np.arange(60.0))[:, None]


@pytest.mark.parametrize(
    ("function", "changed", "sentence"),
    [
        (train_forced, {"series": WAVE * np.nan}, "must be finite"),
        (train_forced, {"series": WAVE * [1, 0]}, "channel 1 has zero variance"),
        (train_forced, {"series": WAVE}, "must have at least 202 points"),
        (train_forced, {"series": WAVE, "sequence": 10, "test_series": WAVE * [1, 2]}, "1 entry"),
        (train_forced, {"series": WAVE, "forcing": {"alpha": 1.5}}, "must be at most 1"),
        (train_forced, {"series": WAVE, "hidden": 513}, "`hidden` must be"),
        (train_forced, {"series": WAVE, "sequence": 9, "final_rate": 0.1}, "`final_rate` must be"),
        (train_forced, {"series": np.ones((60, 17))}, "at most 16 entries"),
        (score_dynamics, {"true": 0 * WAVE, "generated": WAVE}, "channel 0 has zero variance"),
        (score_dynamics, {"true": WAVE, "generated": WAVE * [1, 1]}, "1 entry"),
    ],
)
def test_refusals(function, changed, sentence):
    with pytest.raises(InputError, match=sentence):
        function(**changed)


def test_networks_that_leave_every_range_are_refused():
    one, none = np.ones(1), np.zeros((1, 1))
    with pytest.raises(InputError, match="must stay bounded on its own"):
        run_freely(Network(2 * one, none, none, one, one), one, 1000)
    with pytest.raises(InputError, match="weights of at most 1e6"):
        run_freely(Network(1e7 * one, none, none, one, one), one, 10)
    with pytest.raises(InputError, match="`start` must be at most 1e6"):
        run_freely(Network(one, none, none, one, one), 1e7 * one, 10)


def test_work_beyond_the_limit_is_refused():
    from aqc.kernels.generalized_teacher_forcing import KERNEL

    body = {"series": WAVE, "sequence": 10, "hidden": 512, "n_updates": 500_000, "batch": 256}
    with pytest.raises(InputError, match="takes at most 1.5e\\+11 updates x windows"):
        KERNEL.operation().run(body)


@pytest.mark.slow
def test_lorenz_is_learned_with_some_forcing_and_not_with_none_or_all():
    series, test = lorenz(20_000, 1, noise=0.05), lorenz(20_000, 2)
    runs = {
        name: [train_forced(series, test, forcing=forcing, seed=seed) for seed in range(5)]
        for name, forcing in (
            ("adaptive", Adaptive()),
            ("some", Constant(0.15)),
            ("none", Constant(0.0)),
            ("all", Constant(1.0)),
        )
    }
    floor = score_dynamics(test, lorenz(20_000, 3))
    assert floor.geometry < 0.5
    assert floor.spectrum < 0.1
    geometry = {k: np.median([r.scores.geometry for r in v]) for k, v in runs.items()}
    spectrum = {k: np.median([r.scores.spectrum for r in v]) for k, v in runs.items()}
    for name in ("adaptive", "some"):
        assert geometry[name] < 3
        assert spectrum[name] < 0.15
        assert min(geometry["none"], geometry["all"]) > 3 * geometry[name]
    assert np.median([r.gradient_norm.max() for r in runs["none"]]) > 100
    assert np.median([r.gradient_norm.max() for r in runs["adaptive"]]) < 10
