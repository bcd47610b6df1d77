"""NorMuon: even neurons on the right axis, agreement with Muon and a port, the bench, refusals."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aqc.errors import InputError
from aqc.kernels.normuon_optimizer import _transformation, apply, bench, normuon, scale_by_normuon


def uneven_gradient(inputs: int, outputs: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(inputs, outputs)) * np.exp(rng.normal(size=outputs))


def spread(norms: np.ndarray) -> float:
    return float(norms.std() / norms.mean())


def muons_direction(gradient: np.ndarray) -> np.ndarray:
    muon = optax.contrib.scale_by_muon()
    with jax.enable_x64(True):
        state = muon.init(jnp.zeros(gradient.shape))
        return np.asarray(jax.jit(muon.update)(gradient, state)[0])


# --- structure: only these tests tell a wrong axis


def test_neurons_are_even_after_the_first_step_where_muons_are_not() -> None:
    gradient = uneven_gradient(64, 256)
    layer = apply(gradients=[gradient[None]]).layers[0]
    neurons = np.linalg.norm(layer.updates[0], axis=0)  # one for each of 256 outputs
    assert neurons.shape == layer.second_moment.shape == (256,)
    assert spread(neurons) < 1e-5
    assert layer.neuron_norm_spread[0] == pytest.approx(spread(neurons), abs=1e-12)
    assert spread(np.linalg.norm(layer.updates[0], axis=1)) > 1e-3  # not the other axis
    norms = np.linalg.norm(muons_direction(gradient), axis=0)
    assert spread(norms) > 0.4
    assert layer.muon_neuron_norm_spread[0] == pytest.approx(spread(norms), rel=1e-4)


@pytest.mark.parametrize("shape", [(6, 15), (15, 6)])
def test_the_scales(shape: tuple[int, int]) -> None:
    gradient = uneven_gradient(*shape)[None]
    paper, repo = (
        apply(gradients=[gradient], learning_rate=1.0, scale=x).layers[0] for x in ("paper", "repo")
    )
    assert np.linalg.norm(paper.updates[0]) == pytest.approx(0.2 * 90**0.5, rel=1e-6)
    orthogonal = muons_direction(gradient[0])
    expected = np.linalg.norm(orthogonal) * max(1, shape[1] / shape[0]) ** 0.5
    assert np.linalg.norm(repo.updates[0]) == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(
        repo.updates / np.linalg.norm(repo.updates), paper.updates / np.linalg.norm(paper.updates)
    )


def test_transposed_weights_with_the_other_axis_are_the_same() -> None:
    gradients = np.stack([uneven_gradient(5, 12, seed) for seed in range(3)])
    ours = apply(gradients=[gradients]).layers[0]
    torch = apply(gradients=[gradients.transpose(0, 2, 1)], neuron_axis=0).layers[0]
    np.testing.assert_allclose(torch.updates.transpose(0, 2, 1), ours.updates, atol=1e-14)
    np.testing.assert_allclose(torch.neuron_norm_spread, ours.neuron_norm_spread, atol=1e-12)


def test_without_evening_it_is_muon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        _transformation,
        "_rescaled",
        lambda direction, orthogonal, scale: 0.2 * max(orthogonal.shape) ** 0.5 * orthogonal,
    )
    ours = normuon(0.01, bias_correction=True)
    muon = optax.contrib.muon(0.01, consistent_rms=0.2)
    params = jnp.zeros((16, 40))
    states = ours.init(params), muon.init(params)
    steps = jax.jit(ours.update), jax.jit(muon.update)
    for seed in range(5):
        gradient = jnp.asarray(uneven_gradient(16, 40, seed), jnp.float32)
        one, first = steps[0](gradient, states[0], params)
        other, second = steps[1](gradient, states[1], params)
        states = first, second
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * 0.01)


def test_ten_steps_agree_with_a_loop_in_numpy() -> None:
    # The authors' layout: a neuron is a row; float64.
    rng = np.random.default_rng(6)
    gradients, p = rng.standard_t(3, size=(10, 9, 4)), rng.normal(size=(9, 4))
    lr, decay, beta, beta2 = 0.02, 0.1, 0.95, 0.9
    layer = apply(
        gradients=[gradients.transpose(0, 2, 1)],
        parameters=[p.T],
        learning_rate=lr,
        weight_decay=decay,
        b2=beta2,
        scale="repo",
    ).layers[0]
    mean, second = np.zeros((9, 4)), np.zeros((9, 1))
    for gradient, update in zip(gradients, layer.updates, strict=True):
        mean += (1 - beta) * (gradient - mean)
        momentum = gradient + beta * (mean - gradient)
        u, s, vt = np.linalg.svd(momentum, full_matrices=False)
        s = s / np.sqrt((s**2).sum())
        for _ in range(5):
            s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
        o = (u * s) @ vt
        second = beta2 * second + (1 - beta2) * (o**2).mean(1, keepdims=True)
        h = o / np.sqrt(second)
        h *= np.linalg.norm(o) / np.linalg.norm(h) * max(1, 9 / 4) ** 0.5
        after = p * (1 - lr * decay) - lr * h
        np.testing.assert_allclose(update.T, after - p, atol=1e-5 * lr)
        p = after


def test_without_memory_each_step_has_even_neurons() -> None:
    gradients = np.stack([uneven_gradient(6, 20, seed) for seed in range(4)])
    layer = apply(gradients=[gradients], b2=0.0).layers[0]
    assert (layer.neuron_norm_spread < 1e-6).all()
    remembering = apply(gradients=[gradients]).layers[0]
    assert (remembering.neuron_norm_spread[1:] > 1e-3).all()


def test_a_constant_gradient_gives_a_constant_update() -> None:
    gradients = np.tile(uneven_gradient(6, 20), (8, 1, 1))
    updates = apply(gradients=[gradients]).layers[0].updates
    # The guards eps = 1e-8 weigh a little more while the means are small.
    np.testing.assert_allclose(updates, np.tile(updates[0], (8, 1, 1)), rtol=1e-5)


def test_only_layers_with_more_neurons_than_inputs_change_much() -> None:
    # Columns of an exact polar factor have norm one where there are no more columns than rows.
    tall, wide = (
        apply(gradients=[uneven_gradient(*shape)[None]]).layers[0] for shape in ((64, 32), (32, 64))
    )
    assert tall.muon_neuron_norm_spread[0] < 0.12
    assert wide.muon_neuron_norm_spread[0] > 3 * tall.muon_neuron_norm_spread[0]


def test_convolution_kernels_are_flattened_up_to_their_outputs() -> None:
    kernel = np.random.default_rng(8).normal(size=(3, 3, 2, 5)).astype(np.float32)
    flat = kernel.reshape(18, 5)
    transformation = scale_by_normuon()
    step = jax.jit(transformation.update)
    update, _ = step(kernel, transformation.init(kernel))
    expected, _ = step(flat, transformation.init(flat))
    np.testing.assert_allclose(update.reshape(18, 5), expected, atol=2e-6)  # single precision


def test_a_zero_gradient_gives_a_zero_update() -> None:
    layer = apply(gradients=[np.zeros((2, 3, 4))]).layers[0]
    for value in (layer.updates, layer.neuron_norm_spread, layer.inverse_condition):
        assert not value.any()


# --- the claims


@pytest.mark.slow
def test_normuon_is_ahead_of_muon_at_small_rates_and_even_with_it_at_the_best() -> None:
    rates = [0.01, 0.02, 0.03, 0.05]
    result = bench(rates, seeds=5)
    ours, muon, adamw = (result.best(name) for name in ("normuon", "muon", "adamw"))
    assert (ours.losses[:, 0] <= 0.98 * muon.losses[:, 0]).all()
    assert ours.best_loss <= 1.03 * muon.best_loss
    assert ours.best_loss <= 0.95 * adamw.best_loss
    assert not any(score.best_is_at_edge for score in result.scores)


# --- refusals


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"gradients": [[1.0, 2.0]]}, r"`gradients\[0\]` must have 3 axes"),
        ({"gradients": [[[[1.0, float("nan")]]]]}, "must be finite, but holds nan"),
        ({"b1": 1}, "`b1` must be less than 1"),
        ({"b2": -0.1}, "`b2` must be at least 0"),
        ({"ns_steps": 0}, "`ns_steps` must be at least 1"),
        ({"neuron_axis": 2}, "`neuron_axis` must be one of 0, 1, but is 2"),
        ({"parameters": [[[1.0]], [[1.0]]]}, "`parameters` must have one item for each of the 1"),
    ],
)
def test_refusals_of_apply(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        apply(**{"gradients": [[[[1.0]]]]} | change)


def test_refusals_of_the_others() -> None:
    with pytest.raises(InputError, match=r"at least two axes, but one has shape \(3,\)"):
        scale_by_normuon().init(jnp.zeros(3))
    with pytest.raises(InputError, match=r"`b1` must be in \[0, 1\), but is 1"):
        normuon(0.1, b1=1)
    with pytest.raises(InputError, match=r"`b2` must be in \[0, 1\), but is 1"):
        normuon(0.1, b2=1)
    with pytest.raises(InputError, match=r"`ns_steps` must be in \[1, 10\], but is 0"):
        normuon(0.1, ns_steps=0)
    with pytest.raises(InputError, match="`learning_rates` must be positive, but holds 0"):
        bench([0.0], steps=1, seeds=1)
