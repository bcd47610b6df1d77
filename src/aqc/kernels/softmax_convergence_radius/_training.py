"""A learning-rate spike, met by nothing, by clipping of gradients, and by the radius."""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from annotated_types import Gt, Interval
from jaxtyping import Float, Int

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._signature import checked
from aqc.kernels.softmax_convergence_radius._radius import radius_of_step

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CHUNK = 100  # steps between two reports


@dataclass(frozen=True)
class SpikeRun:
    """One controller's trainings.

    Attributes:
        accuracy: Share of test points after the last step, shape (seeds,).
        loss: Of each step's batch, before the step, shape (seeds, steps).
        ratio: Norm of each step over the batch's radius, before any scaling, shape (seeds, steps).
    """

    accuracy: Float[np.ndarray, " seeds"]
    loss: Float[np.ndarray, "seeds steps"]
    ratio: Float[np.ndarray, "seeds steps"]


@dataclass(frozen=True)
class SpikeComparison:
    """Adam through a spike of its rate: same starts and batches.

    Attributes:
        plain: Without any control.
        clipped: Gradients scaled to norm 1 at most.
        controlled: Steps scaled to the radius.
    """

    plain: SpikeRun
    clipped: SpikeRun
    controlled: SpikeRun


@checked(train=(2, 5000), test=(1, 5000), inputs=(1, 256))
def compare_controllers(
    points: Float[np.ndarray, "train inputs"],
    labels: Int[np.ndarray, " train"],
    test_points: Float[np.ndarray, "test inputs"],
    test_labels: Int[np.ndarray, " test"],
    base_rate: Annotated[float, Gt(0)] = 1e-3,
    spike_factor: Annotated[float, Interval(ge=1, le=1e6)] = 1000.0,
    spike_at: Annotated[int, Interval(ge=0)] = 50,
    target: Annotated[float, Interval(gt=0, le=1)] = 1.0,
    steps: Annotated[int, Interval(ge=1, le=2000)] = 200,
    batch: Annotated[int, Interval(ge=2, le=1024)] = 128,
    hidden: Annotated[int, Interval(ge=1, le=512)] = 128,
    seeds: Annotated[int, Interval(ge=1, le=5)] = 3,
) -> SpikeComparison:
    """Train a ReLU network through one step of a far too large rate, with three controllers.

    Adam's step p becomes p min(1, target rho / ||p||), with rho = pi / max_x D(x) of the batch.

    Args:
        points: Shape (train, inputs).
        labels: Their classes 0, ..., K - 1, shape (train,).
        test_points: Shape (test, inputs).
        test_labels: Shape (test,).
        base_rate: Of Adam.
        spike_factor: By which the rate of one step is larger.
        spike_at: Which step.
        target: Largest ratio of step and radius that the controller lets through.
        steps: Of each training.
        batch: Points per step; the radius is that of the batch, not of the data.
        hidden: Width of the one hidden layer.
        seeds: Trainings with starts and batches of seeds 0, 1, ...

    Returns:
        Accuracies, losses and ratios of the three controllers.

    Raises:
        InputError: Labels are not 0, ..., K - 1, with K at least 2 and at most 1000.

    Source:
        arXiv:2603.13552; for a ReLU network the bound is empirical, as it is not analytic.

    Example:
        >>> labels = np.arange(40) % 2
        >>> x = np.random.default_rng(0).normal(size=(40, 3)) + 4 * labels[:, None]
        >>> runs = compare_controllers(x, labels, x, labels, steps=20, spike_at=10, seeds=1)
        >>> bool(runs.controlled.ratio[0, 10] > 100 * runs.controlled.ratio[0, 9])
        True
    """
    return drain(
        compare_steps(
            points,
            labels,
            test_points,
            test_labels,
            base_rate,
            spike_factor,
            spike_at,
            target,
            steps,
            batch,
            hidden,
            seeds,
        )
    )


def compare_steps(
    points: np.ndarray,
    labels: np.ndarray,
    test_points: np.ndarray,
    test_labels: np.ndarray,
    base_rate: float,
    spike_factor: float,
    spike_at: int,
    target: float,
    steps: int,
    batch: int,
    hidden: int,
    seeds: int,
    state: Any = None,
) -> Steps:
    """Do what `compare_controllers` does, step by step.

    Args:
        points: As in `compare_controllers`, like all others.
        labels: See there.
        test_points: See there.
        test_labels: See there.
        base_rate: See there.
        spike_factor: See there.
        spike_at: See there.
        target: See there.
        steps: See there.
        batch: See there.
        hidden: See there.
        seeds: See there.
        state: What an earlier run yielded, to go on from there.

    Yields:
        (fraction done, state) after every hundred steps.

    Returns:
        The comparison.

    Source:
        See `compare_controllers`.

    Example:
        >>> x, y = np.array([[0.0], [1.0]]), np.array([0, 1])
        >>> run = compare_steps(x, y, x, y, 1e-3, 10.0, 5, 1.0, 200, 2, 2, 1)
        >>> next(run)[0]
        0.5
    """
    num_classes = _count_classes(labels, test_labels)
    draws = [
        _draw(seed, len(points), (points.shape[1], hidden, num_classes), steps, batch)
        for seed in range(seeds)
    ]
    rows = np.stack([draw[1] for draw in draws])
    # Axes: controller, seed.
    weights = jax.tree.map(lambda *w: np.stack([np.stack(w)] * 3), *[draw[0] for draw in draws])
    rates = base_rate * np.where(np.arange(steps) == spike_at, spike_factor, 1.0)
    # Single precision, as networks are trained, whatever the process has set.
    with jax.enable_x64(False):
        carry = (weights, jax.vmap(jax.vmap(optax.scale_by_adam().init))(weights))
    done, records = 0, np.zeros((2, 3, seeds, 0))
    if state is not None:
        done, leaves, records = state
        carry = jax.tree.unflatten(jax.tree.structure(carry), leaves)
    x, y = points.astype(np.float32), labels.astype(np.int32)
    while done < steps:
        now = slice(done, min(done + _CHUNK, steps))
        with jax.enable_x64(False):
            carry, new = _advance(carry, x, y, rows[:, now], rates[now], target)
        records = np.concatenate([records, np.asarray(new, float)], -1)
        done = now.stop
        yield done / steps, (done, [np.asarray(w) for w in jax.tree.leaves(carry)], records)
    final = [np.asarray(w, float) for w in carry[0]]
    runs = []
    for i in range(3):
        guesses = np.argmax(_logits([w[i] for w in final], test_points[None], np), -1)
        runs.append(SpikeRun((guesses == test_labels).mean(-1), records[0, i], records[1, i]))
    return SpikeComparison(*runs)


def _count_classes(labels: np.ndarray, test_labels: np.ndarray) -> int:
    for name, given in (("labels", labels), ("test_labels", test_labels)):
        if given.min() < 0:
            raise InputError(f"`{name}` must not be negative, but holds {given.min()}.", f"/{name}")
    count = int(labels.max()) + 1
    if not 2 <= count <= 1000:
        raise InputError(
            f"`labels` must be 0, ..., K - 1 with K in [2, 1000], but the largest is {count - 1}.",
            "/labels",
        )
    if test_labels.max() >= count:
        raise InputError(
            f"`test_labels` must be classes of `labels`, but holds {test_labels.max()}.",
            "/test_labels",
        )
    return count


def _draw(
    seed: int, size: int, widths: tuple[int, ...], steps: int, batch: int
) -> tuple[list[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    weights = []
    for fan_in, fan_out in pairwise(widths):
        drawn = rng.normal(size=(fan_in, fan_out)) * (2 / fan_in) ** 0.5
        weights += [drawn.astype(np.float32), np.zeros((1, fan_out), np.float32)]
    return weights, rng.integers(size, size=(steps, batch))


def _logits(weights: list[Any], x: Any, module: Any = jnp) -> Any:
    """Return the logits; NumPy's weights may carry a leading axis over seeds."""
    return module.maximum(x @ weights[0] + weights[1], 0) @ weights[2] + weights[3]


@jax.jit
def _advance(
    carry: Any,
    points: jax.Array,
    labels: jax.Array,
    rows: jax.Array,
    rates: jax.Array,
    target: jax.Array,
) -> Any:
    """Train all; also return losses and ratios, shape (2, controllers, seeds, steps)."""

    def loss(weights: list[jax.Array], x: jax.Array, y: jax.Array) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(_logits(weights, x), y).mean()

    def run(carry: Any, clips: jax.Array, caps: jax.Array, rows: jax.Array) -> Any:
        def step(carry: Any, given: tuple) -> tuple[Any, jax.Array]:
            weights, moments = carry
            row, rate = given
            x, y = points[row], labels[row]
            value, gradient = jax.value_and_grad(loss)(weights, x, y)
            norm = jnp.sqrt(sum(jnp.sum(g**2) for g in gradient))
            shrink = jnp.where(clips, jnp.minimum(1.0, 1.0 / jnp.maximum(norm, 1e-12)), 1.0)
            gradient = jax.tree.map(lambda g: g * shrink, gradient)
            update, moments = optax.scale_by_adam().update(gradient, moments)
            update = jax.tree.map(lambda u: -rate * u, update)
            ratio = radius_of_step(_logits, weights, x, update)
            scale = jnp.where(caps, jnp.minimum(1.0, target / jnp.maximum(ratio, 1e-12)), 1.0)
            weights = jax.tree.map(lambda w, u: w + scale * u, weights, update)
            return (weights, moments), jnp.stack([value, ratio])

        carry, records = jax.lax.scan(step, carry, (rows, rates))
        return carry, records.T

    over_seeds = jax.vmap(run, in_axes=(0, None, None, 0), out_axes=(0, 1))
    over_all = jax.vmap(over_seeds, in_axes=(0, 0, 0, None), out_axes=(0, 1))
    clips, caps = jnp.array([False, True, False]), jnp.array([False, False, True])
    return over_all(carry, clips, caps, rows)


def count_work(
    points: np.ndarray, hidden: int, steps: int, batch: int, seeds: int, **_: Any
) -> float:
    """Return the work of a comparison: multiplications of the first layer."""
    return float(3 * seeds * steps * batch * points.shape[1] * hidden)


def draw_comparison(result: SpikeComparison) -> "Figure":
    """Draw loss and ratio over the steps, first seed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 5.0), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    for name in ("plain", "clipped", "controlled"):
        run = getattr(result, name)
        upper.semilogy(np.maximum(run.loss[0], 1e-8), label=f"{name}: {run.accuracy[0]:.2f}")
        lower.semilogy(np.maximum(run.ratio[0], 1e-8))
    lower.axhline(1, color="0.6", linewidth=0.8)
    upper.set_ylabel("batch cross-entropy (nats)")
    lower.set(xlabel="step", ylabel="proposed step / radius")
    upper.legend(title="test accuracy")
    return figure
