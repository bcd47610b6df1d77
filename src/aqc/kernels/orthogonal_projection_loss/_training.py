"""A small classifier trained with cross-entropy alone and with the projection loss beside it."""

import functools
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from annotated_types import Gt, Interval
from jaxtyping import Bool, Float, Int

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._signature import checked
from aqc.kernels.orthogonal_projection_loss._loss import (
    COLLAPSED,
    class_cosines,
    mean_cosines,
    normalize,
    projection_loss,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CHUNK = 100  # steps between two reports


@dataclass(frozen=True)
class TrainedClassifier:
    """How one loss did, measured on the test points after the last step.

    Attributes:
        accuracy: Share of test points, shape (seeds,).
        same_class_cosine: s of the test points' features, shape (seeds,).
        other_class_cosine: d of the same, shape (seeds,); features are not negative, so that d is
            the mean of absolute cosines too.
        collapsed: Whether d > 0.8, shape (seeds,).
        class_cosines: Between the classes' mean directions for the first seed, shape (classes,
            classes).
    """

    accuracy: Float[np.ndarray, " seeds"]
    same_class_cosine: Float[np.ndarray, " seeds"]
    other_class_cosine: Float[np.ndarray, " seeds"]
    collapsed: Bool[np.ndarray, " seeds"]
    class_cosines: Float[np.ndarray, "classes classes"]


@dataclass(frozen=True)
class Comparison:
    """Cross-entropy alone, and with the projection loss: same starts, batches and wrong labels.

    Attributes:
        cross_entropy: The baseline.
        with_projection_loss: Trained with CE + weight (projection loss).
        mean_gain: Mean over seeds of the difference of accuracies.
        classes: The labels in the order of `class_cosines`, shape (classes,).
    """

    cross_entropy: TrainedClassifier
    with_projection_loss: TrainedClassifier
    mean_gain: float
    classes: Int[np.ndarray, " classes"]


@checked(train=(2, 20_000), test=(2, 20_000), inputs=(1, 512))
def train(
    points: Float[np.ndarray, "train inputs"],
    labels: Int[np.ndarray, " train"],
    test_points: Float[np.ndarray, "test inputs"],
    test_labels: Int[np.ndarray, " test"],
    gamma: Annotated[float, Interval(ge=0)] = 0.5,
    weight: Annotated[float, Interval(ge=0)] = 1.0,
    label_noise: Annotated[float, Interval(ge=0, le=1)] = 0.0,
    hidden: Annotated[int, Interval(ge=1, le=512)] = 64,
    features: Annotated[int, Interval(ge=1, le=512)] = 32,
    steps: Annotated[int, Interval(ge=1, le=5000)] = 800,
    batch: Annotated[int, Interval(ge=2, le=1024)] = 128,
    learning_rate: Annotated[float, Gt(0)] = 2e-3,
    seeds: Annotated[int, Interval(ge=1, le=10)] = 4,
) -> Comparison:
    """Train a small classifier with cross-entropy alone and with the projection loss beside it.

    Loss = CE + weight ((1 - s) + gamma |d|), s and d of the ReLU features before the last layer of
    a network inputs - hidden - features - classes; Adam.

    Args:
        points: Shape (train, inputs).
        labels: Their classes, any integers, shape (train,).
        test_points: Shape (test, inputs).
        test_labels: Their classes, among those of `labels`, shape (test,).
        gamma: Weight of |d| within the projection loss. Below 1, on hard or noisy data, features
            may collapse to one direction: see `collapsed`.
        weight: Of the projection loss.
        label_noise: Probability of a training label to be replaced by one of all classes.
        hidden: Width of the first layer.
        features: Width of the second layer.
        steps: Of both trainings.
        batch: Points per step.
        learning_rate: Of Adam.
        seeds: Trainings with starts, batches and wrong labels of seeds 0, 1, ...

    Returns:
        Accuracies and geometry on the test points for both losses.

    Raises:
        InputError: There is one class only, or a test label that no training point has.

    Source:
        arXiv:2103.14021, Eq. 3 to 6, with ResNets on images; this network is ours.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> labels = np.arange(40) % 2
        >>> points = rng.normal(size=(40, 2)) + 3 * labels[:, None]
        >>> result = train(points, labels, points, labels, steps=50, batch=20, seeds=1)
        >>> bool(result.with_projection_loss.accuracy[0] > 0.8)
        True
    """
    return drain(
        train_steps(
            points,
            labels,
            test_points,
            test_labels,
            gamma,
            weight,
            label_noise,
            hidden,
            features,
            steps,
            batch,
            learning_rate,
            seeds,
        )
    )


def train_steps(
    points: np.ndarray,
    labels: np.ndarray,
    test_points: np.ndarray,
    test_labels: np.ndarray,
    gamma: float,
    weight: float,
    label_noise: float,
    hidden: int,
    features: int,
    steps: int,
    batch: int,
    learning_rate: float,
    seeds: int,
    state: Any = None,
) -> Steps:
    """Do what `train` does, step by step.

    Args:
        points: As in `train`, like all others.
        labels: See there.
        test_points: See there.
        test_labels: See there.
        gamma: See there.
        weight: See there.
        label_noise: See there.
        hidden: See there.
        features: See there.
        steps: See there.
        batch: See there.
        learning_rate: See there.
        seeds: See there.
        state: What an earlier run yielded, to go on from there.

    Yields:
        (fraction done, state) after every hundred steps.

    Returns:
        The comparison.

    Source:
        See `train`.

    Example:
        >>> x, y = np.array([[0.0], [1.0]]), np.array([0, 1])
        >>> run = train_steps(x, y, x, y, 0.5, 1.0, 0.0, 2, 2, 200, 2, 1e-2, 1)
        >>> next(run)[0]
        0.5
    """
    classes, index = np.unique(labels, return_inverse=True)
    _require_classes(classes, test_labels)
    test_index = np.searchsorted(classes, test_labels)
    widths = (points.shape[1], hidden, features, len(classes))
    draws = [_draw(seed, index, label_noise, widths, steps, batch) for seed in range(seeds)]
    noisy, rows = (np.stack([draw[i] for draw in draws]) for i in (1, 2))
    start = jax.tree.map(lambda *leaves: np.stack(leaves), *[draw[0] for draw in draws])
    # Axes: loss (without, with), seed.
    weights = jax.tree.map(lambda leaf: np.stack([leaf, leaf]), start)
    # Single precision, as networks are trained, whatever the process has set.
    with jax.enable_x64(False):
        carry = (weights, jax.vmap(jax.vmap(optax.scale_by_adam().init))(weights))
    done = 0
    if state is not None:
        done, leaves = state
        carry = jax.tree.unflatten(jax.tree.structure(carry), leaves)
    x = points.astype(np.float32)
    while done < steps:
        now = slice(done, min(done + _CHUNK, steps))
        with jax.enable_x64(False):
            carry = _advance(
                carry, x, noisy, rows[:, now], gamma, np.array([0.0, weight]), learning_rate
            )
        done = now.stop
        yield done / steps, (done, [np.asarray(leaf) for leaf in jax.tree.leaves(carry)])
    plain, other = (
        _assess([np.asarray(w[i]) for w in carry[0]], test_points, test_index) for i in (0, 1)
    )
    return Comparison(plain, other, float(np.mean(other.accuracy - plain.accuracy)), classes)


def _require_classes(classes: np.ndarray, test_labels: np.ndarray) -> None:
    if len(classes) < 2:
        raise InputError("`labels` must hold at least two classes, but holds one.", "/labels")
    unknown = np.setdiff1d(test_labels, classes)
    if len(unknown):
        raise InputError(
            f"`test_labels` must hold classes of `labels`, but holds {unknown[0]}.", "/test_labels"
        )


def _draw(
    seed: int,
    index: np.ndarray,
    label_noise: float,
    widths: tuple[int, ...],
    steps: int,
    batch: int,
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Return the first weights, the labels with noise, and the rows of each batch."""
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(index)) < label_noise
    noisy = np.where(wrong, rng.integers(widths[-1], size=len(index)), index)
    weights = []
    for fan_in, fan_out in pairwise(widths):
        drawn = rng.normal(size=(fan_in, fan_out)) * (2 / fan_in) ** 0.5
        weights += [drawn.astype(np.float32), np.zeros(fan_out, np.float32)]
    return weights, noisy, rng.integers(len(index), size=(steps, batch))


def _features(weights: list[Any], x: Any) -> Any:
    for i in (0, 2):
        x = jax.nn.relu(x @ weights[i] + weights[i + 1])
    return x


def _logits(weights: list[Any], features: Any) -> Any:
    return features @ weights[4] + weights[5]


@jax.jit
def _advance(
    carry: Any,
    points: jax.Array,
    labels: jax.Array,
    rows: jax.Array,
    gamma: jax.Array,
    weights_of_loss: jax.Array,
    learning_rate: jax.Array,
) -> Any:
    """Train all seeds with both losses for the steps that `rows` (seeds, steps, batch) has."""

    def loss(weights: list[jax.Array], x: jax.Array, y: jax.Array, weight: jax.Array) -> jax.Array:
        features = _features(weights, x)
        logits = _logits(weights, features)
        entropy = optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()
        return entropy + weight * projection_loss(features, y, logits.shape[1], gamma)

    def run(carry: Any, weight: jax.Array, labels: jax.Array, rows: jax.Array) -> Any:
        def step(carry: Any, rows: jax.Array) -> tuple[Any, None]:
            weights, moments = carry
            gradient = jax.grad(loss)(weights, points[rows], labels[rows], weight)
            update, moments = optax.scale_by_adam().update(gradient, moments)
            return (
                jax.tree.map(lambda w, u: w - learning_rate * u, weights, update),
                moments,
            ), None

        return jax.lax.scan(step, carry, rows)[0]

    over_seeds = jax.vmap(run, in_axes=(0, None, 0, 0))
    return jax.vmap(over_seeds, in_axes=(0, 0, None, None))(carry, weights_of_loss, labels, rows)


def _assess(weights: list[np.ndarray], points: np.ndarray, labels: np.ndarray) -> TrainedClassifier:
    num_classes = weights[-1].shape[-1]
    with jax.enable_x64(False):
        accuracy, same, other, sums = map(
            np.asarray, _measure(weights, points.astype(np.float32), labels, num_classes)
        )
    return TrainedClassifier(
        accuracy=accuracy.astype(float),
        same_class_cosine=same.astype(float),
        other_class_cosine=other.astype(float),
        collapsed=other > COLLAPSED,
        class_cosines=class_cosines(sums[0].astype(float)),
    )


@functools.partial(jax.jit, static_argnames="num_classes")
def _measure(
    weights: list[jax.Array], points: jax.Array, labels: jax.Array, num_classes: int
) -> Any:
    def measure(weights: list[jax.Array]) -> tuple[jax.Array, ...]:
        features = _features(weights, points)
        unit = normalize(features)
        right = jnp.argmax(_logits(weights, features), 1) == labels
        sums = jax.ops.segment_sum(unit, labels, num_classes)
        return right.mean(), *mean_cosines(unit, labels, num_classes), sums

    return jax.vmap(measure)(weights)


def count_work(
    points: np.ndarray,
    hidden: int,
    features: int,
    steps: int,
    batch: int,
    seeds: int,
    **_: Any,
) -> float:
    """Return the work of a comparison: multiplications of the layers, roughly."""
    layers = points.shape[1] * hidden + hidden * features
    return float(2 * seeds * steps * batch * layers)


def draw_comparison(result: Comparison) -> "Figure":
    """Draw the cosines between the classes' mean directions for both losses, first seed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.6, 3.6), layout="constrained")
    panels = figure.subplots(1, 2)
    trained = (result.cross_entropy, result.with_projection_loss)
    for axes, one, name in zip(panels, trained, ("CE", "CE + projection loss"), strict=True):
        image = axes.imshow(one.class_cosines, vmin=-1, vmax=1, cmap="RdBu_r")
        axes.set_title(f"{name}\nmean accuracy {one.accuracy.mean():.3f}")
        axes.set(xlabel="class", ylabel="class")
        if len(result.classes) <= 20:
            axes.set_xticks(range(len(result.classes)), [str(c) for c in result.classes])
            axes.set_yticks(range(len(result.classes)), [str(c) for c in result.classes])
    figure.colorbar(image, ax=panels, label="cosine of mean directions")
    return figure
