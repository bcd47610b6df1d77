"""Causal training against its definition, exact solutions and DOP853."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aqc.errors import InputError
from aqc.kernels._kernel import drain
from aqc.kernels.causal_pinn import (
    KERNEL,
    Lorenz,
    Polynomial,
    causal_loss,
    causal_weights,
    solve_causally,
    solve_causally_steps,
    solve_rate_causally,
)
from aqc.kernels.causal_pinn._network import losses_of, network
from aqc.kernels.causal_pinn._reference import distance, integrate
from aqc.kernels.causal_pinn._systems import Terms, rate_of

SMALL = {"width": 8, "depth": 1, "n_t": 16, "iterations": 600, "eps": (0.1, 1.0)}
DECAY = {"component": [0], "coefficient": [-1.0], "exponents": [[1]]}
BODY = {"system": DECAY, "u0": [1.0], "t_final": 1.0}


def test_weights_are_their_triangular_sum():
    with jax.enable_x64(True):
        losses = np.random.default_rng(0).exponential(size=40)
        want = np.exp(-0.3 * (np.tril(np.ones((40, 40)), -1) @ losses))
        found = causal_weights(jnp.asarray(losses), 0.3)
        np.testing.assert_allclose(found, want, rtol=1e-12)
        assert found[0] == 1


def test_no_gradient_goes_through_the_weights():
    """The derivative with frozen weights by differences, and not the one of the whole."""
    with jax.enable_x64(True):
        shape = jnp.asarray(np.random.default_rng(1).exponential(size=12))

        def losses(x):
            return shape * (1 + x) ** 2

        found = jax.grad(lambda x: causal_loss(losses(x), 0.2))(0.5)
        frozen = np.asarray(causal_weights(losses(0.5), 0.2))
        step = 1e-6
        differences = [np.mean(frozen * np.asarray(losses(0.5 + s))) for s in (step, -step)]
        assert found == pytest.approx((differences[0] - differences[1]) / (2 * step), rel=1e-8)
        whole = [float(causal_loss(losses(0.5 + s), 0.2)) for s in (step, -step)]
        assert abs((whole[0] - whole[1]) / (2 * step) / found - 1) > 0.1


def test_without_causality_the_loss_is_the_mean_to_the_bit():
    losses = jnp.asarray(np.random.default_rng(2).exponential(size=99), jnp.float32)
    assert causal_loss(losses, 0.0) == jnp.mean(losses)


def test_the_lorenz_system_is_its_polynomial():
    x, y, z = u = np.array([1.2, -0.7, 20.0])
    matrix, rate = rate_of(Lorenz(), 3)
    want = [10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z]
    with jax.enable_x64(True):
        np.testing.assert_allclose(rate(matrix, jnp.asarray(u)), want, rtol=1e-14)


def test_residuals_are_those_of_differences():
    rng = np.random.default_rng(3)
    dense = [(rng.normal(size=(1, 6)), rng.normal(size=6)), (rng.normal(size=(6, 3)), np.ones(3))]
    layers = {"layers": dense, "gates": []}
    matrix, rate = rate_of(Lorenz(), 3)
    times, u0 = np.linspace(0.0, 0.8, 9), np.array([1.0, 2.0, 3.0])
    with jax.enable_x64(True):
        found = losses_of(layers, jnp.asarray(times), u0, matrix, rate)

        def at(t):
            return np.asarray(network(layers, t, u0, times[-1]))

        np.testing.assert_allclose(at(0.0), u0, atol=1e-15)  # the initial condition is exact
        for t, loss in zip(times, found, strict=True):
            x, y, z = at(t)
            slope = (at(t + 1e-5) - at(t - 1e-5)) / 2e-5
            rates = np.array([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])
            assert loss == pytest.approx(np.mean((slope - rates) ** 2), rel=1e-6)


def test_a_jump_between_the_times_is_seen_between_them():
    """u = t N with a step of N that no training time meets: u' = 0 at all of them, u = 0 or 5 t."""
    from aqc.kernels.causal_pinn._network import start_layers, weight_between

    leaves, tree = start_layers((1, 1, 1), 1e-3, 0)
    layers, moments = jax.tree.unflatten(tree, leaves)
    times, matrix, rate = np.linspace(0, 1, 9), np.ones((1, 1)), Terms(((1,),))
    for sharp in (0.0, 300.0):
        # With u0 = 0 and N = 0 the equation u' = u holds; the step rises at t = 0.95.
        dense = [(np.array([[sharp]]), np.array([-0.9 * sharp])), (np.ones((1, 1)), np.ones(1))]
        steep = {"layers": dense, "gates": []}
        new = jax.tree.leaves((steep if sharp else jax.tree.map(lambda w: 0 * w, layers), moments))
        found = weight_between(new, tree, times, np.zeros(1), matrix, rate, 1.0)
        on = np.asarray(losses_of(jax.tree.unflatten(tree, new)[0], times, 0.0, matrix, rate))
        assert (found > 0.999) == (sharp == 0)
        assert found < np.exp(-on[:-1].sum()) or sharp == 0


def test_decay_is_solved_and_certified():
    arguments = SMALL | {"eps": (0.01, 0.1), "iterations": 2000}
    found = solve_causally(DECAY, [2.0], 1.0, **arguments)
    assert found.status == "converged"
    np.testing.assert_allclose(found.u[:, 0], 2 * np.exp(-found.t), atol=0.02)
    assert found.error < 0.01
    assert found.w_min.shape == (1, 2)
    assert found.w_min.min() > 0.99
    assert found.between.min() > 0.99
    # A stage ends as soon as all times are open.
    assert found.iterations.sum() < 4000
    assert found.t[0] == 0
    assert found.t[-1] <= 1.0


def test_plain_training_is_never_certified():
    found = solve_causally(DECAY, [2.0], 1.0, causal=False, **SMALL)
    assert found.status == "unconverged"
    assert found.iterations.tolist() == [[600, 600]]


def test_windows_follow_each_other():
    arguments = SMALL | {"iterations": 1000, "eps": (1.0,)}
    turn = Polynomial(np.array([0, 1]), np.array([1.0, -1.0]), np.array([[0, 1], [1, 0]]))
    found = solve_causally(turn, [0.0, 1.0], 3.0, windows=3, **arguments)
    assert found.w_min.shape == (3, 1)
    assert (np.diff(found.t) > -1e-6).all()
    assert found.t[-1] > 2.8
    assert found.error < 0.1


def test_a_function_is_solved_as_its_terms_are():
    by_terms = solve_causally(DECAY, [2.0], 1.0, **SMALL)
    by_function = solve_rate_causally(lambda u: -u, [2.0], 1.0, **SMALL)
    np.testing.assert_allclose(by_function.u, by_terms.u, rtol=1e-3)
    assert by_function.error == pytest.approx(by_terms.error, rel=0.05)


def test_a_function_that_is_no_polynomial():
    arguments = SMALL | {"eps": (0.1,), "iterations": 2000, "width": 16}
    found = solve_rate_causally(
        lambda u: jnp.stack([u[1], -jnp.sin(u[0])]), [1.0, 0.0], 2.0, **arguments
    )
    assert found.error < 0.05
    height = found.u[:, 1] ** 2 / 2 - np.cos(found.u[:, 0])
    np.testing.assert_allclose(height, -np.cos(1), atol=0.05)  # a pendulum's energy


@pytest.mark.parametrize(
    ("rate", "u0", "sentence"),
    [
        (lambda u: u[:1], [1.0, 2.0], r"`rate` must return shape .2,., as `u0` has, but returns"),
        (lambda u: (u, u), [1.0, 2.0], "`rate` must return shape .2,., .* returns no array"),
        ("lambda u: -u", [1.0], '`rate` must be a function of a state, but is "lambda u: -u"'),
    ],
)
def test_refusals_of_functions(rate, u0, sentence):
    with pytest.raises(InputError, match=sentence):
        solve_rate_causally(rate, u0, 1.0)


def test_code_is_not_taken_and_options_are_refused_alike():
    sentences = []
    for refused in (
        lambda: KERNEL.operation().run(BODY | {"system": "lambda u: -u"}),
        lambda: solve_causally("lambda u: -u", [1.0], 1.0),
        lambda: KERNEL.operation().run(BODY | {"delta": 1.0, "n_t": 15}),
        lambda: solve_rate_causally(jnp.negative, [1.0], 1.0, delta=1.0, n_t=15),
    ):
        with pytest.raises(InputError) as refusal:
            refused()
        sentences.append(str(refusal.value))
    assert sentences[0] == sentences[1] == '`system` must be an object, but is "lambda u: -u".'
    assert sentences[2] == sentences[3]
    assert "`delta` must be less than 1" in sentences[2]


def test_steps_resume_to_the_same():
    arguments = {"system": Polynomial(**{k: np.array(v) for k, v in DECAY.items()})}
    arguments |= {"u0": np.ones(1), "t_final": 1.0, "windows": 2, **SMALL}
    whole = drain(solve_causally_steps(**arguments))
    states = [state for _, state in solve_causally_steps(**arguments)]
    assert len(states) >= 4
    for state in states:
        resumed = drain(solve_causally_steps(**arguments, state=state))
        np.testing.assert_array_equal(resumed.u, whole.u)
        assert resumed.status == whole.status


def test_divergence_is_a_status():
    found = solve_causally(
        {"component": [0], "coefficient": [1e6], "exponents": [[4]]}, [1e6], 1.0, **SMALL
    )
    assert found.status == "diverged"
    assert np.isfinite(found.u).all()
    # The solution itself ends before: no solver can tell how far off the network is.
    assert found.reference is None
    assert found.error is None


def test_what_is_too_stiff_for_the_reference_has_none(monkeypatch):
    at = "aqc.kernels.causal_pinn._reference.MOST_EVALUATIONS"
    stiff, t = lambda _, u: -1e4 * u, np.linspace(0, 1, 5)
    exact = integrate(stiff, np.ones(1), t, 1e-6)
    np.testing.assert_allclose(exact[:, 0], np.exp(-1e4 * t), atol=1e-6)
    monkeypatch.setattr(at, 1000)
    assert integrate(stiff, np.ones(1), t, 1e-6) is None
    assert distance(np.ones((5, 1)), None) is None


def test_every_answer_holds_what_a_general_solver_finds():
    answer = solve_causally(DECAY, [2.0], 1.0, **SMALL | {"iterations": 20})
    exact = 2 * np.exp(-answer.t)[:, None]
    np.testing.assert_allclose(answer.reference, exact, rtol=1e-9)
    wanted = np.linalg.norm(answer.u - exact) / np.linalg.norm(exact)
    assert answer.error == pytest.approx(wanted, rel=1e-6)


def test_every_answer_carries_the_notice():
    operation = KERNEL.operation()
    answer = KERNEL.answer(operation, None, 0.0)
    for text in (answer["notice"], KERNEL.to_dict()["notice"]):
        assert "may not be used commercially" in text.replace("\n", " ")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"u0": [1.0, 2.0]}, "`u0` must have 1 entry along axis 0"),
        ({"u0": [np.nan]}, "must be finite"),
        ({"u0": [1e7]}, "`u0` must be at most 1e6"),
        ({"t_final": 0.0}, "`t_final` must be greater than 0"),
        ({"eps": [1.0, 0.1]}, "`eps` must increase"),
        ({"eps": [-1.0, 0.1]}, "`eps` must increase, from 0 or more"),
        ({"delta": 1.0}, "`delta` must be less than 1"),
        ({"system": DECAY | {"exponents": [[-1]]}}, "must be non-negative"),
        ({"system": DECAY | {"exponents": [[5]]}}, "of degree at most 4"),
        ({"system": DECAY | {"component": [1]}}, "`system.component` must lie between 0 and 0"),
        ({"system": DECAY | {"coefficient": [1e7]}}, "`system.coefficient` must be at most 1e6"),
        ({"system": {"kind": "lorenz"}}, "`u0` must have 3 components"),
    ],
)
def test_refusals(changed, sentence):
    with pytest.raises(InputError, match=sentence):
        solve_causally(**(BODY | changed))


def test_work_beyond_the_limit_is_refused():
    with pytest.raises(InputError, match="takes at most 2e\\+12 iterations x times x weights"):
        KERNEL.operation().run(BODY | {"iterations": 300_000, "n_t": 512, "width": 128})


@pytest.mark.slow
def test_causality_solves_lorenz_where_plain_training_does_not():
    causal, plain = (
        [solve_causally(Lorenz(), [1, 1, 1], 1.0, causal=causal, seed=seed) for seed in range(5)]
        for causal in (True, False)
    )
    assert np.median([run.error for run in causal]) < 0.01
    # Its residual is small all the same, and it is not reported as converged.
    assert all(run.error > 0.5 for run in plain)
    assert np.median([run.residual.mean() for run in plain]) < 0.1
    assert all(run.status == "unconverged" for run in plain)
    # The certificate is not sufficient: all five have it, and one of them is wrong.
    assert all(run.w_min[-1, -1] > 0.5 for run in causal)
    assert sum(run.error < 0.01 for run in causal) == 4
    # Between the training times the false solutions jump.
    assert causal[0].error < 0.01 < causal[4].error
    assert causal[0].between[0] > 0.5
    assert max(causal[4].between[0], plain[0].between[0]) < 0.01


@pytest.mark.slow
def test_plain_training_solves_a_shorter_time():
    short = solve_causally(Lorenz(), [1, 1, 1], 0.5, causal=False, iterations=10_000)
    assert short.error < 0.01
