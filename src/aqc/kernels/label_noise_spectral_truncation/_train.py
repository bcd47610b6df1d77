"""A network trained on labels of which some are wrong, and what truncating its features does."""

import itertools
from functools import partial
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from annotated_types import Interval, Len
from jaxtyping import Float, Int

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._magnitude import refuse_huge
from aqc.kernels._signature import checked
from aqc.kernels.label_noise_spectral_truncation._truncate import (
    Samples,
    Truncation,
    truncate_features,
)

Noise = Literal["symmetric", "pair"]
Layers = list[tuple[jax.Array, jax.Array]]

# Steps of gradient descent between two measurements, and two states to go on from.
_CHUNK = 100


class Trained(NamedTuple):
    """A network trained on noisy labels, and the truncation of its features.

    Args:
        labels: As trained on, wrong ones among them, shape (N,).
        steps: At which the next two were taken.
        train_accuracy: On the labels as trained on.
        test_accuracy: On the clean test samples.
        best_early_stop: Best of `test_accuracy`: what stopping in time could reach.
        trained: Truncation of the trained network's last hidden layer.
        untrained: The same of the network before training: the control.
    """

    labels: np.ndarray
    steps: np.ndarray
    train_accuracy: np.ndarray
    test_accuracy: np.ndarray
    best_early_stop: float
    trained: Truncation
    untrained: Truncation


def wrong_labels(
    labels: np.ndarray, classes: int, share: float, kind: Noise, seed: int
) -> np.ndarray:
    """Return labels of which a share is wrong.

    Args:
        labels: Shape (N,), 0..K-1.
        classes: K.
        share: Of the samples, chosen at random, that get another class.
        kind: Any other class with equal chances ("symmetric"), or always the next one ("pair").
        seed: Of the choice.

    Returns:
        Shape (N,).

    Source: the two models of label noise in common use.

    Example:
        >>> wrong_labels(np.zeros(4, int), 3, 0.5, "pair", 0).sum()
        np.int64(2)
    """
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(labels))[: round(share * len(labels))]
    shift = np.zeros(len(labels), int)
    shift[chosen] = rng.integers(1, classes, len(chosen)) if kind == "symmetric" else 1
    shifted: np.ndarray = (labels + shift) % classes
    return shifted


def train_on_noisy_labels_steps(
    inputs: np.ndarray,
    labels: np.ndarray,
    test_inputs: np.ndarray,
    test_labels: np.ndarray,
    noise: float = 0.4,
    kind: Noise = "symmetric",
    hidden: tuple[int, ...] = (512, 512),
    num_steps: int = 5000,
    learning_rate: float = 0.05,
    momentum: float = 0.9,
    batch: int = 64,
    seed: int = 0,
    state: dict[str, Any] | None = None,
) -> Steps:
    """Do what `train_on_noisy_labels` does, 100 steps after others.

    Args:
        inputs: Shape (N, p).
        labels: Shape (N,).
        test_inputs: Shape (M, p).
        test_labels: Shape (M,).
        noise: Share of wrong labels.
        kind: Of the noise.
        hidden: Widths of the hidden layers.
        num_steps: Of gradient descent.
        learning_rate: Of it.
        momentum: Of it.
        batch: Samples in one step.
        seed: Of noise, network and batches.
        state: What an earlier run yielded.

    Yields:
        (fraction done, state).

    Returns:
        The network's truncations.

    Source: as for `train_on_noisy_labels`.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(30, 2))
        >>> y = (x[:, 0] > 0).astype(int)
        >>> run = train_on_noisy_labels_steps(x, y, x, y, hidden=(4,), num_steps=200)
        >>> [fraction for fraction, _ in run]
        [0.5, 1.0]
    """
    refuse_huge(inputs=inputs, test_inputs=test_inputs)
    classes = _classes(labels, test_labels)
    noisy = wrong_labels(labels, classes, noise, kind, seed)
    first = _first_layers(inputs.shape[1], hidden, classes, seed)
    if state is None:
        still = [np.zeros_like(x) for layer in first for x in layer]
        state = {"done": 0, "network": _flat(first), "speed": still, "curve": []}
    x, y = jnp.asarray(inputs, jnp.float32), jnp.asarray(noisy)
    while state["done"] < num_steps:
        length = min(_CHUNK, num_steps - state["done"])
        layers, speed = _descend(
            (_layers(state["network"]), _layers(state["speed"])),
            (x, y),
            state["done"],
            learning_rate,
            momentum,
            jax.random.key(seed),
            length=length,
            batch=min(batch, len(inputs)),
        )
        done = state["done"] + length
        point = [
            done,
            _accuracy(layers, inputs, noisy),
            _accuracy(layers, test_inputs, test_labels),
        ]
        state = {
            "done": done,
            "network": _flat(layers),
            "speed": _flat(speed),
            "curve": [*state["curve"], point],
        }
        yield done / num_steps, state
    curve = np.array(state["curve"])
    trained, untrained = (
        _truncation(_layers(x), inputs, noisy, labels, test_inputs, test_labels)
        for x in (state["network"], _flat(first))
    )
    return Trained(
        noisy,
        curve[:, 0].astype(int),
        curve[:, 1],
        curve[:, 2],
        float(curve[:, 2].max()),
        trained,
        untrained,
    )


@checked(n=(4, 20_000), m=(1, 20_000), width=(1, 2048))
def train_on_noisy_labels(
    inputs: Float[np.ndarray, "n width"],
    labels: Int[np.ndarray, " n"],
    test_inputs: Float[np.ndarray, "m width"],
    test_labels: Int[np.ndarray, " m"],
    noise: Annotated[float, Interval(ge=0, le=0.8)] = 0.4,
    kind: Noise = "symmetric",
    hidden: Annotated[tuple[Annotated[int, Interval(ge=2, le=1024)], ...], Len(1, 3)] = (512, 512),
    num_steps: Annotated[int, Interval(ge=1, le=50_000)] = 5000,
    learning_rate: Annotated[float, Interval(gt=0, le=10)] = 0.05,
    momentum: Annotated[float, Interval(ge=0, lt=1)] = 0.9,
    batch: Annotated[int, Interval(ge=1, le=1024)] = 64,
    seed: Annotated[int, Interval(ge=0, le=2**32 - 1)] = 0,
) -> Trained:
    """Train a ReLU network on partly wrong labels and truncate its features, with the controls.

    Controls: stopping early at the best step, and the same truncation of the untrained network.

    Args:
        inputs: Of the training samples, shape (N, p).
        labels: Their true classes, 0..K-1, shape (N,); a share of them is made wrong.
        test_inputs: Shape (M, p).
        test_labels: True classes, shape (M,).
        noise: Share of wrong labels.
        kind: "symmetric" (any other class) or "pair" (the next class, a systematic error).
        hidden: Widths of the hidden layers.
        num_steps: Of stochastic gradient descent on the cross-entropy.
        learning_rate: Of it.
        momentum: Of it.
        batch: Samples in one step.
        seed: Of noise, network and batches.

    Returns:
        Accuracies while training, and the truncations of the trained and the untrained network.

    Raises:
        InputError: There are fewer than two classes, or too many.

    Source: after the abstract of arXiv:2603.02293v1; network and data are ours.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(60, 2))
        >>> y = (x[:, 0] > 0).astype(int)
        >>> result = train_on_noisy_labels(x, y, x, y, hidden=(8,), num_steps=100)
        >>> (result.labels != y).mean(), result.steps.tolist()
        (np.float64(0.4), [100])
    """
    result: Trained = drain(
        train_on_noisy_labels_steps(
            inputs,
            labels,
            test_inputs,
            test_labels,
            noise,
            kind,
            hidden,
            num_steps,
            learning_rate,
            momentum,
            batch,
            seed,
        )
    )
    return result


def training_work(
    inputs: np.ndarray, hidden: tuple[int, ...], num_steps: int, batch: int, **_: Any
) -> float:
    """Return the multiplications that `train_on_noisy_labels` takes, roughly.

    Args:
        inputs: Shape (N, p).
        hidden: Widths of the hidden layers.
        num_steps: Of gradient descent.
        batch: Samples in one step.

    Returns:
        Those of the steps, of the accuracies on the way, and of two truncations.

    Source: counted.

    Example:
        >>> training_work(np.ones((1000, 64)), (512, 512), 5000, 64)
        315974533120.0
    """
    widths = (inputs.shape[1], *hidden, 10)
    weights = sum(a * b for a, b in itertools.pairwise(widths))
    steps = num_steps * weights * (3 * min(batch, len(inputs)) + 4)
    measured = num_steps / _CHUNK * weights * len(inputs)
    spectra = 2 * (3 * len(inputs) * hidden[-1] ** 2 + 20 * hidden[-1] ** 3)
    return float(steps + measured + spectra)


def _classes(labels: np.ndarray, test_labels: np.ndarray) -> int:
    least = min(labels.min(), test_labels.min())
    classes = int(max(labels.max(), test_labels.max())) + 1
    if least < 0 or not 2 <= classes <= 1000:
        raise InputError(
            f"`labels` must be 2 to 1000 classes 0..K-1, but run from {least} to {classes - 1}.",
            "/labels",
        )
    return classes


def _first_layers(width: int, hidden: tuple[int, ...], classes: int, seed: int) -> Layers:
    rng = np.random.default_rng([seed, 1])
    widths = (width, *hidden, classes)
    return [
        (
            jnp.asarray(rng.normal(0, np.sqrt(2 / a), (a, b)), jnp.float32),
            jnp.zeros(b, jnp.float32),
        )
        for a, b in itertools.pairwise(widths)
    ]


def _flat(layers: Layers) -> list[np.ndarray]:
    return [np.asarray(x) for layer in layers for x in layer]


def _layers(flat: list[np.ndarray]) -> Layers:
    arrays = [jnp.asarray(x) for x in flat]
    return list(zip(arrays[::2], arrays[1::2], strict=True))


@jax.jit
def _features(layers: Layers, inputs: jax.Array) -> jax.Array:
    for weight, bias in layers[:-1]:
        inputs = jax.nn.relu(inputs @ weight + bias)
    return inputs


def _loss(layers: Layers, inputs: jax.Array, labels: jax.Array) -> jax.Array:
    weight, bias = layers[-1]
    logits = jax.nn.log_softmax(_features(layers, inputs) @ weight + bias)
    return -jnp.mean(jnp.take_along_axis(logits, labels[:, None], axis=1))


@partial(jax.jit, static_argnames=("length", "batch"))
def _descend(
    network: tuple[Layers, Layers],
    data: tuple[jax.Array, jax.Array],
    done: int,
    learning_rate: float,
    momentum: float,
    key: jax.Array,
    *,
    length: int,
    batch: int,
) -> tuple[Layers, Layers]:
    inputs, labels = data

    def step(carry: Any, number: jax.Array) -> tuple[Any, None]:
        layers, speed = carry
        chosen = jax.random.randint(jax.random.fold_in(key, number), (batch,), 0, len(inputs))
        gradient = jax.grad(_loss)(layers, inputs[chosen], labels[chosen])
        speed = jax.tree.map(lambda v, g: momentum * v + g, speed, gradient)
        layers = jax.tree.map(lambda x, v: x - learning_rate * v, layers, speed)
        return (layers, speed), None

    carry, _ = jax.lax.scan(step, network, done + jnp.arange(length))
    found: tuple[Layers, Layers] = carry
    return found


def _accuracy(layers: Layers, inputs: np.ndarray, labels: np.ndarray) -> float:
    weight, bias = layers[-1]
    logits = _features(layers, jnp.asarray(inputs, jnp.float32)) @ weight + bias
    return float(np.mean(np.asarray(logits).argmax(1) == labels))


def _truncation(
    layers: Layers,
    inputs: np.ndarray,
    noisy: np.ndarray,
    labels: np.ndarray,
    test_inputs: np.ndarray,
    test_labels: np.ndarray,
) -> Truncation:
    seen, test = (
        np.asarray(_features(layers, jnp.asarray(x, jnp.float32)), float)
        for x in (inputs, test_inputs)
    )
    weight, bias = (np.asarray(x, float) for x in layers[-1])
    finite = all(np.isfinite(x).all() for x in (seen, test, weight, bias))
    if not finite or not np.ptp(seen, axis=0).any():
        raise InputError(
            "`learning_rate` must be small enough for training to converge, but the network "
            "diverged or went silent; lower it or scale `inputs`.",
            "/learning_rate",
        )
    return truncate_features(seen, noisy, weight, bias, labels, Samples(test, test_labels))
