"""AuON: bounds of its scale, an independent port, linear cost, the bench, refusals."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aqc.errors import InputError
from aqc.kernels.auon_optimizer import (
    apply,
    apply_hybrid,
    auon,
    bench,
    cosh_scale,
    cost,
    hybrid_auon,
    scale_by_auon,
)


def student_matrix(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_t(3, size=shape)


# --- the scale


@pytest.mark.parametrize("shape", [(8, 8), (64, 64), (256, 64)])
def test_the_scale_is_within_its_bounds(shape: tuple[int, int]) -> None:
    layer = apply(gradients=[student_matrix(shape)[None]]).layers[0]
    low, high = layer.scale_bounds
    n = shape[0] * shape[1]
    assert low == pytest.approx(np.cosh(n**-0.5), rel=1e-15)
    assert high == pytest.approx(np.sqrt((n - 1 + np.cosh(1) ** 2) / n), rel=1e-15)
    assert low < layer.scale[0] < high
    # Nothing is gained over the norm: r differs from 1 by order 1 / N.
    assert 0 < layer.scale[0] - 1 < (np.cosh(1) ** 2 - 1) / n
    assert layer.spectral_norm[0] < 1
    assert layer.cosine_to_momentum[0] == pytest.approx(1, abs=1e-12)


def test_the_bounds_are_reached() -> None:
    with jax.enable_x64(True):
        flat = cosh_scale(jnp.full((6, 10), 60**-0.5), 1.5)
        single = cosh_scale(jnp.zeros((6, 10)).at[2, 3].set(1.0), 1.5)
    given = np.ones((1, 6, 10))
    low, high = apply(gradients=[given], gamma=1.5).layers[0].scale_bounds
    assert float(flat) == pytest.approx(low, rel=1e-12)
    assert float(single) == pytest.approx(high, rel=1e-12)


def test_updates_do_not_depend_on_the_gradients_scale() -> None:
    gradients = np.stack([student_matrix((5, 9), seed) for seed in range(3)])
    one, other = (apply(gradients=[c * gradients]).layers[0].updates for c in (1.0, 1e3))
    np.testing.assert_allclose(one, other, rtol=1e-6)


def test_gamma_zero_is_normalized_momentum() -> None:
    gradients = np.stack([student_matrix((5, 9), seed) for seed in range(3)])
    updates = apply(gradients=[gradients], gamma=0.0, learning_rate=1.0).layers[0].updates
    mean = np.zeros((5, 9))
    for gradient, update in zip(gradients, updates, strict=True):
        mean = 0.95 * mean + 0.05 * gradient
        momentum = 0.95 * mean + 0.05 * gradient
        # Both divisions are guarded: by 1e-7 and 1e-8.
        np.testing.assert_allclose(update, -momentum / np.linalg.norm(momentum), rtol=1e-5)


def test_five_steps_of_the_authors_form_agree_with_a_loop_in_numpy() -> None:
    rng = np.random.default_rng(5)
    gradients, p = rng.normal(size=(5, 7, 4)), rng.normal(size=(7, 4))
    lr, decay, beta, gamma = 0.24, 0.05, 0.95, 1.5
    layer = apply(
        gradients=[gradients],
        parameters=[p],
        learning_rate=lr,
        weight_decay=decay,
        gamma=gamma,
        form="repo",
    ).layers[0]
    mean = np.zeros_like(p)
    for gradient, update in zip(gradients, layer.updates, strict=True):
        mean += (1 - beta) * (gradient - mean)
        momentum = gradient + beta * (mean - gradient)
        entries = momentum.ravel() / np.sqrt(np.sum(momentum**2))
        r = np.sqrt(sum(((np.exp(gamma * x) + np.exp(-gamma * x)) / 2) ** 2 for x in entries) / 28)
        after = p * (1 - lr * decay) - lr * momentum / r
        np.testing.assert_allclose(update, after - p, atol=1e-6)
        p = after


def test_the_hybrid_orthogonalizes_as_optax_does() -> None:
    gradient = student_matrix((12, 30))
    layer = apply_hybrid(gradients=[gradient[None]], ns_steps=5, learning_rate=1.0).layers[0]
    with jax.enable_x64(True):
        muon = optax.contrib.scale_by_muon()
        expected, _ = jax.jit(muon.update)(gradient, muon.init(jnp.zeros((12, 30))))
    np.testing.assert_allclose(layer.updates[0] * layer.scale[0], -expected, atol=1e-5)
    unit = np.asarray(expected) / np.linalg.norm(expected)
    assert layer.scale[0] == pytest.approx(np.sqrt(np.mean(np.cosh(unit) ** 2)), rel=1e-6)


def test_no_iterations_make_the_hybrid_plain() -> None:
    gradient = student_matrix((5, 8))[None]
    plain = apply(gradients=[gradient], learning_rate=1.0).layers[0]
    hybrid = apply_hybrid(gradients=[gradient], learning_rate=1.0, ns_steps=0).layers[0]
    np.testing.assert_allclose(hybrid.updates, plain.updates, rtol=1e-6)


def test_shape_scale_lengthens_steps_of_layers_with_more_outputs() -> None:
    gradient = student_matrix((4, 9))[None]
    plain, longer = (
        apply(gradients=[gradient], shape_scale=flag).layers[0].updates for flag in (False, True)
    )
    np.testing.assert_allclose(longer, 1.5 * plain, rtol=1e-12)


def test_a_zero_gradient_gives_a_zero_update() -> None:
    for layer in (
        *apply(gradients=[np.zeros((2, 3, 4))]).layers,
        *apply_hybrid(gradients=[np.zeros((2, 3, 4))]).layers,
    ):
        assert not layer.updates.any()
        assert not layer.cosine_to_momentum.any()


def test_single_precision_does_not_overflow_at_the_largest_gamma() -> None:
    gradient = jnp.zeros((3, 3), jnp.float32).at[1, 1].set(1e15)
    transformation = scale_by_auon(gamma=20.0)
    direction, _ = jax.jit(transformation.update)(gradient, transformation.init(gradient))
    assert np.isfinite(direction).all()
    assert direction[1, 1] > 0


def test_vectors_get_adamw() -> None:
    params = {"dense": jnp.ones((4, 6)), "bias": jnp.ones(6)}
    adamw = optax.adamw(0.01, b1=0.9, b2=0.95, weight_decay=0.0)
    expected, _ = adamw.update(params["bias"], adamw.init(params["bias"]), params["bias"])
    for optimizer in (auon(0.01), hybrid_auon(0.01)):
        update, _ = jax.jit(optimizer.update)(params, optimizer.init(params), params)
        np.testing.assert_allclose(update["bias"], expected, rtol=1e-6)


def test_the_cost_is_linear_in_the_entries() -> None:
    result = cost([128, 256, 512])
    ours, muons = (x[1:] / x[:-1] for x in (result.auon, result.muon))
    np.testing.assert_allclose(ours, 4, rtol=0.02)
    np.testing.assert_allclose(muons, 8, rtol=0.03)


# --- the claims


@pytest.mark.slow
def test_plain_auon_is_behind_adamw_and_the_hybrid_is_muon() -> None:
    rates = [0.01, 0.02, 0.03, 0.05, 0.1, 0.15, 0.2, 0.3]
    names = ["muon", "adamw", "normalized_momentum"]
    result = bench(rates, baselines=names, hybrid_ns_steps=[1, 5], seeds=5)
    best = {score.optimizer: score.best_loss for score in result.scores}
    assert best["muon"] <= 0.95 * best["adamw"]
    assert best["adamw"] <= best["auon"] <= 1.3 * best["adamw"]
    assert best["auon"] == pytest.approx(best["normalized_momentum"], rel=0.03)
    assert best["hybrid_auon_5"] == pytest.approx(best["muon"], rel=0.03)
    # One iteration, which the abstract speaks of, gains little.
    assert best["hybrid_auon_1"] > 1.15 * best["muon"]
    assert not any(score.best_is_at_edge for score in result.scores)


# --- refusals


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"gradients": [[1.0, 2.0]]}, r"`gradients\[0\]` must have 3 axes"),
        ({"gradients": [[[[1.0, float("inf")]]]]}, "must be finite, but holds inf"),
        ({"gamma": -1}, "`gamma` must be at least 0"),
        ({"gamma": 21}, "`gamma` must be at most 20"),
        ({"beta": 1}, "`beta` must be less than 1"),
        ({"form": "papers"}, "did you mean `paper`"),
        ({"parameters": [[[1.0]], [[1.0]]]}, "`parameters` must have one item for each of the 1"),
    ],
)
def test_refusals_of_apply(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        apply(**{"gradients": [[[[1.0]]]]} | change)


def test_refusals_of_the_others() -> None:
    with pytest.raises(InputError, match="`ns_steps` must be at most 10"):
        apply_hybrid(gradients=[[[[1.0]]]], ns_steps=11)
    with pytest.raises(InputError, match=r"`gamma` must be in \[0, 20\], but is -1"):
        auon(0.1, gamma=-1)
    with pytest.raises(InputError, match=r"`beta` must be in \[0, 1\), but is 1"):
        auon(0.1, beta=1)
    with pytest.raises(InputError, match=r"`ns_steps` must be in \[0, 10\], but is 11"):
        hybrid_auon(0.1, ns_steps=11)
    with pytest.raises(InputError, match=r"must be matrices, but one has shape \(3,\)"):
        scale_by_auon().init(jnp.zeros(3))
    with pytest.raises(InputError, match=r"`sizes\[1\]` must be in \[8, 2048\], but is 4"):
        cost([8, 4])
    with pytest.raises(InputError, match="`learning_rates` must be positive, but holds 0"):
        bench([0.0], steps=1, seeds=1)
