"""Steps and temperatures on networks trained on the digits, as the paper's claims have them."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.datasets import load_digits

from aqc.kernels.softmax_convergence_radius import radius_of_step

Apply = Callable[[Any, Any], jax.Array]
ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "tanh": jnp.tanh,
    "normalized": lambda x: jnp.tanh((x - x.mean(-1, keepdims=True)) / (x.std(-1, keepdims=True))),
    "relu": jax.nn.relu,
}
NETWORKS = ["linear", *ACTIVATIONS]
LENGTHS = np.geomspace(0.05, 1000, 400, dtype=np.float32)  # of steps, in radii


def train_digits(kind: str, seed: int) -> tuple[Apply, Callable[..., jax.Array], Any, Any, Any]:
    """Adam on 1400 digits by a network 64-10, or 64-64-10 with the activation of that name."""
    points, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))[:1400]
    x, y = jnp.asarray(points[order] / 16, jnp.float32), jnp.asarray(labels[order])
    widths = (64, 10) if kind == "linear" else (64, 64, 10)
    keys = jax.random.split(jax.random.key(seed), len(widths) - 1)
    params = [
        jax.random.normal(k, (m, n)) * (2 / m) ** 0.5
        for k, m, n in zip(keys, widths, widths[1:], strict=False)
    ]

    def apply(params: Any, x: Any) -> jax.Array:
        for w in params[:-1]:
            x = ACTIVATIONS[kind](x @ w)
        return x @ params[-1]

    def loss(params: Any, temperature: float = 1.0) -> jax.Array:
        logits = apply(params, x) / temperature
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    optimizer = optax.adam(1e-2)

    @jax.jit
    def train(params: Any) -> Any:
        def step(carry: Any, _: Any) -> tuple[Any, None]:
            update, state = optimizer.update(jax.grad(loss)(carry[0]), carry[1])
            return (optax.apply_updates(carry[0], update), state), None

        return jax.lax.scan(step, (params, optimizer.init(params)), length=200)[0][0]

    return apply, loss, train(params), x, y


def random_direction(params: Any, seed: int) -> list[jax.Array]:
    keys = jax.random.split(jax.random.key(100 + seed), len(params))
    return [jax.random.normal(k, w.shape) for k, w in zip(keys, params, strict=True)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", NETWORKS)
def test_one_step_within_the_radius_keeps_the_accuracy(kind: str) -> None:
    kept, lost, along = [], [], []
    for seed in range(5):
        apply, loss, params, x, y = train_digits(kind, seed)
        before = float((apply(params, x).argmax(1) == y).mean())
        descent = [-g for g in jax.grad(loss)(params)]
        for step, far in ((random_direction(params, seed), lost), (descent, along)):
            ratio = radius_of_step(apply, params, x, step)
            for length, into in ((0.99, kept), (30.0, far)):
                moved = [w + length / ratio * s for w, s in zip(params, step, strict=True)]
                into.append(float((apply(moved, x).argmax(1) == y).mean()) / before)
    assert min(kept) >= 0.95
    assert max(lost) <= 0.45
    if kind in ("linear", "tanh"):
        # What did not reproduce: along the gradient thirty radii do little harm to these.
        assert min(along) >= 0.8
    else:
        assert max(along) <= 0.65


def losses_along(loss: Any, apply: Apply, x: Any) -> Any:
    """Return a function of (weights, unit direction, T): 1 / radius, losses there and along."""

    @jax.jit
    def along(params: Any, unit: Any, t: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
        ratio = radius_of_step(lambda p, x: apply(p, x) / t, params, x, unit)

        def at(length: jax.Array) -> jax.Array:
            return loss([w + length / ratio * u for w, u in zip(params, unit, strict=True)], t)

        return ratio, loss(params, t), jax.lax.map(at, jnp.asarray(LENGTHS))

    return along


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["linear", "tanh"])
def test_radii_explain_part_of_what_temperature_does(kind: str) -> None:
    temperatures = 2.0 ** np.arange(-2, 7)
    shrinkage: dict[str, list[float]] = {"gradient": [], "random": []}
    for seed in range(5):
        apply, loss, params, x, _ = train_digits(kind, seed)
        along, slope = losses_along(loss, apply, x), jax.jit(jax.grad(loss))
        onsets: dict[str, list[tuple[float, ...]]] = {"gradient": [], "random": []}
        for t in temperatures:
            descent = [-g for g in slope(params, t)]
            for name, step in (("gradient", descent), ("random", random_direction(params, seed))):
                norm = jnp.sqrt(sum(jnp.sum(w**2) for w in step))
                ratio, first, losses = along(params, [w / norm for w in step], t)
                doubled = np.asarray(losses) > 2 * float(first)
                assert doubled.any()
                onset = LENGTHS[doubled.argmax()] / float(ratio)
                onsets[name].append((float(onset), 1 / float(ratio)))
        for name, found in onsets.items():
            onset, radius = np.log(found).T
            assert onset.std() > 1  # temperature matters
            shrinkage[name].append(onset.std() / (onset - radius).std())
    assert min(shrinkage["gradient"] + shrinkage["random"]) >= 1.5
    # The paper's factor is 6 (it does not define its onset): along the gradient half of that.
    assert max(shrinkage["gradient"]) < 4
    assert np.median(shrinkage["random"]) > np.median(shrinkage["gradient"])
