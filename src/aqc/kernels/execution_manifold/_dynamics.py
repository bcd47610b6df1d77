"""A transformer trained on modular addition, its trajectory and commutators measured on the way."""

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from annotated_types import Interval, Len
from jaxtyping import Float, Int

from aqc.errors import DivergenceError, InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._signature import checked
from aqc.kernels.execution_manifold._commutator import (
    Components,
    StepSize,
    commutator,
    project,
)
from aqc.kernels.execution_manifold._trajectory import (
    SNAPSHOTS,
    Dimensions,
    Threshold,
    principal_directions,
    trajectory_effective_dimension,
)
from aqc.kernels.execution_manifold._transformer import (
    Network,
    apply,
    draw_batch,
    first_weights,
    loss,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CHUNK = 50  # steps between two reports, at most
_TEST_BATCHES, _TEST_SIZE = 8, 32
_MOST_SNAPSHOT_NUMBERS = 20_000_000


@dataclass(frozen=True)
class Dynamics:
    """What was measured along a training.

    Attributes:
        steps: Of the next three, shape (snapshots,).
        loss: On fresh sequences, shape (snapshots,).
        accuracy: On the same, shape (snapshots,).
        entropy: -sum A log A of the last token's attention in the last layer, mean over sequences
            and heads, shape (snapshots,).
        measured_steps: Of all that follow but the last two, shape (measurements,).
        dimensions: Effective dimension of each block's trajectory so far, shape (measurements,
            blocks).
        inside: Share of the commutator in the execution subspace of the time, shape
            (measurements,).
        outside: Share outside.
        random: Mean share in a random subspace of the same dimension.
        ratio: inside / random.
        defect: Median over the pairs of batches of ||delta|| / (||eta g_A|| ||eta g_B||).
        defect_p90: 90th percentile of the same.
        trajectory: Dimensions of the whole trajectory.
        blocks: Names of the blocks.
        parameters: P.
    """

    steps: Int[np.ndarray, " snapshots"]
    loss: Float[np.ndarray, " snapshots"]
    accuracy: Float[np.ndarray, " snapshots"]
    entropy: Float[np.ndarray, " snapshots"]
    measured_steps: Int[np.ndarray, " measurements"]
    dimensions: Int[np.ndarray, "measurements blocks"]
    inside: Float[np.ndarray, " measurements"]
    outside: Float[np.ndarray, " measurements"]
    random: Float[np.ndarray, " measurements"]
    ratio: Float[np.ndarray, " measurements"]
    defect: Float[np.ndarray, " measurements"]
    defect_p90: Float[np.ndarray, " measurements"]
    trajectory: Dimensions
    blocks: tuple[str, ...]
    parameters: int


@checked()
def modular_addition_dynamics(
    markers: Annotated[tuple[Annotated[int, Interval(ge=1, le=8)], ...], Len(1, 8)],
    length: Annotated[int, Interval(ge=8, le=32)] = 16,
    vocabulary: Annotated[int, Interval(ge=4, le=512)] = 64,
    classes: Annotated[int, Interval(ge=2, le=16)] = 8,
    width: Annotated[int, Interval(ge=16, le=128)] = 64,
    layers: Annotated[int, Interval(ge=1, le=5)] = 2,
    heads: Annotated[int, Interval(ge=1, le=16)] = 4,
    mlp: bool = False,
    steps: Annotated[int, Interval(ge=4, le=20_000)] = 1500,
    every: Annotated[int, Interval(ge=1, le=5000)] = 50,
    batch: Annotated[int, Interval(ge=1, le=512)] = 64,
    learning_rate: Annotated[float, Interval(gt=0, le=1)] = 1e-3,
    weight_decay: Annotated[float, Interval(ge=0, le=1)] = 0.01,
    pairs: Annotated[int, Interval(ge=1, le=25)] = 9,
    eta: StepSize = 1e-3,
    n_components: Components = 3,
    threshold: Threshold = 0.9,
    seed: Annotated[int, Interval(ge=0)] = 0,
) -> Dynamics:
    """Train a transformer on modular addition and measure its execution manifold along the way.

    Token C + i marks slot i, the next token is a value in 0..C-1, and the sum of the m values
    modulo C is to be told. At every snapshot: the dimensions of the attention matrices'
    trajectories so far, and the commutator of two SGD steps against their leading directions.

    Args:
        markers: Numbers m of values to add, drawn anew for each batch.
        length: T, tokens of a sequence.
        vocabulary: Tokens in all.
        classes: C.
        width: d of the transformer.
        layers: L.
        heads: They divide the width.
        mlp: Whether layers have a two-layer network after their attention.
        steps: Of AdamW; a multiple of `every`.
        every: Steps between snapshots.
        batch: Sequences of a step.
        learning_rate: Of AdamW.
        weight_decay: Of AdamW.
        pairs: Pairs of fresh batches, of whose commutators the one of median defect counts.
        eta: Step size within a commutator.
        n_components: Directions of each block's trajectory.
        threshold: Share of the variance that defines a dimension.
        seed: Of start and batches.

    Returns:
        The course of loss, accuracy, attention entropy, dimensions and commutators.

    Raises:
        InputError: The sizes do not fit, or there are too few or too many snapshots.
        DivergenceError: A commutator is zero in double precision.

    Source: arXiv:2602.10496; where text and code differ (AdamW or SGD, length, batch) the code.
        Trained in single precision, commutators in double. A basis uses no later snapshot.

    Example:
        >>> found = modular_addition_dynamics(
        ...     (1,), length=8, vocabulary=16, classes=2, width=16, layers=1, heads=1,
        ...     steps=30, every=5, batch=8, pairs=1,
        ... )
        >>> found.measured_steps.tolist(), found.blocks[0], bool(found.outside.min() > 0.5)
        ([20, 25, 30], 'layer 0 query', True)
    """
    result: Dynamics = drain(
        modular_addition_dynamics_steps(
            markers,
            length,
            vocabulary,
            classes,
            width,
            layers,
            heads,
            mlp,
            steps,
            every,
            batch,
            learning_rate,
            weight_decay,
            pairs,
            eta,
            n_components,
            threshold,
            seed,
        )
    )
    return result


def modular_addition_dynamics_steps(
    markers: tuple[int, ...],
    length: int = 16,
    vocabulary: int = 64,
    classes: int = 8,
    width: int = 64,
    layers: int = 2,
    heads: int = 4,
    mlp: bool = False,
    steps: int = 1500,
    every: int = 50,
    batch: int = 64,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.01,
    pairs: int = 9,
    eta: float = 1e-3,
    n_components: int = 3,
    threshold: float = 0.9,
    seed: int = 0,
    state: dict[str, Any] | None = None,
) -> Steps:
    """Do what `modular_addition_dynamics` does, at most 50 steps after others.

    Args:
        markers: As there, like all others.
        length: See there.
        vocabulary: See there.
        classes: See there.
        width: See there.
        layers: See there.
        heads: See there.
        mlp: See there.
        steps: See there.
        every: See there.
        batch: See there.
        learning_rate: See there.
        weight_decay: See there.
        pairs: See there.
        eta: See there.
        n_components: See there.
        threshold: See there.
        seed: See there.
        state: What an earlier run yielded.

    Yields:
        (fraction done, state).

    Returns:
        The dynamics.

    Source: as for `modular_addition_dynamics`.

    Example:
        >>> run = modular_addition_dynamics_steps((1,), width=16, steps=100, every=25, pairs=1)
        >>> [next(run)[0] for _ in range(2)]
        [0.0, 0.25]
    """
    network = Network(vocabulary, length, classes, width, layers, heads, mlp)
    _require(network, markers, steps, every, n_components)
    measure = functools.partial(
        _measure, network, markers, batch, pairs, eta, n_components, threshold, seed
    )
    if state is None:
        state = measure(_start(network, seed, learning_rate, weight_decay))
        yield 0.0, state
    rates = (learning_rate, weight_decay)
    while (done := state["done"]) < steps:
        stop = min(done + _CHUNK, (done // every + 1) * every)
        draws = [
            draw_batch(network, markers, batch, np.random.default_rng([seed, 1, step]))
            for step in range(done, stop)
        ]
        tokens, labels = (np.stack(part) for part in zip(*draws, strict=True))
        with jax.enable_x64(False):
            structure = jax.tree.structure(_optimizer(*rates).init(state["weights"]))
            moments = jax.tree.unflatten(structure, state["moments"])
            carry = (state["weights"], moments)
            weights, moments = _advance(carry, tokens, labels, *rates, network=network)
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(moments)]
        state = state | {"done": stop, "weights": np.asarray(weights), "moments": leaves}
        if stop % every == 0:
            state = measure(state)
        yield stop / steps, state
    return _result(network, state, threshold)


def _require(
    network: Network, markers: tuple[int, ...], steps: int, every: int, n_components: int
) -> None:
    most = max(markers)
    if 2 * most > network.length - 2:
        raise InputError(
            f"`markers` must be at most {(network.length - 2) // 2} with sequences of "
            f"{network.length} tokens, but hold {most}.",
            "/markers",
        )
    least = network.classes + most + 1
    if network.vocabulary < least:
        raise InputError(
            f"`vocabulary` must be at least {least} (values, markers and another token), but is "
            f"{network.vocabulary}.",
            "/vocabulary",
        )
    if network.width % network.heads:
        raise InputError(
            f"`heads` must divide the width {network.width}, but is {network.heads}.", "/heads"
        )
    if steps % every:
        raise InputError(
            f"`steps` must be a multiple of `every`, {every}, but is {steps}.", "/steps"
        )
    snapshots, least = steps // every + 1, max(SNAPSHOTS[0], n_components + 1)
    if not least <= snapshots <= SNAPSHOTS[1]:
        raise InputError(
            f"`steps` and `every` must make {least} to {SNAPSHOTS[1]} snapshots, but make "
            f"{snapshots}.",
            "/steps",
        )
    numbers = snapshots * 4 * network.layers * network.width**2
    if numbers > _MOST_SNAPSHOT_NUMBERS:
        raise InputError(
            f"`steps`, `every`, `layers` and `width` must make snapshots of at most "
            f"{_MOST_SNAPSHOT_NUMBERS} numbers, but make {numbers}; take them less often.",
            "/every",
        )


def _optimizer(learning_rate: Any, weight_decay: Any) -> optax.GradientTransformation:
    return optax.adamw(learning_rate, weight_decay=weight_decay)


def _start(network: Network, seed: int, learning_rate: float, weight_decay: float) -> Any:
    weights = first_weights(network, seed)
    with jax.enable_x64(False):
        moments = jax.tree.leaves(_optimizer(learning_rate, weight_decay).init(weights))
    blocks = sum(place.stop - place.start for place in network.blocks.values())
    return {
        "done": 0,
        "weights": weights,
        "moments": [np.asarray(leaf) for leaf in moments],
        "snapshots": np.zeros((0, blocks), np.float32),
        "course": [],
        "measured": [],
    }


@functools.partial(jax.jit, static_argnames="network")
def _advance(
    carry: Any,
    tokens: jax.Array,
    labels: jax.Array,
    learning_rate: jax.Array,
    weight_decay: jax.Array,
    *,
    network: Network,
) -> Any:
    """Train on the batches of tokens (steps, batch, length)."""
    optimizer = _optimizer(learning_rate, weight_decay)

    def step(carry: Any, data: Any) -> tuple[Any, None]:
        weights, moments = carry
        gradient = jax.grad(lambda w: loss(network, w, *data))(weights)
        update, moments = optimizer.update(gradient, moments, weights)
        return (optax.apply_updates(weights, update), moments), None

    return jax.lax.scan(step, carry, (tokens, labels))[0]


@functools.partial(jax.jit, static_argnames="network")
def _assess(
    weights: jax.Array, tokens: jax.Array, labels: jax.Array, *, network: Network
) -> tuple[jax.Array, jax.Array, jax.Array]:
    logits, attention = apply(network, weights, tokens)
    value = optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
    right = (jnp.argmax(logits, 1) == labels).mean()
    return value, right, jax.scipy.special.entr(attention).sum(-1).mean()


@functools.partial(jax.jit, static_argnames="network")
def _gradient(
    weights: jax.Array, tokens: jax.Array, labels: jax.Array, *, network: Network
) -> jax.Array:
    return jax.grad(lambda w: loss(network, w, tokens, labels))(weights)


def commutators(
    network: Network, weights: np.ndarray, tokens: np.ndarray, labels: np.ndarray, eta: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the commutators of pairs of batches, in double precision.

    Args:
        network: Its sizes.
        weights: Shape (P,).
        tokens: Shape (pairs, 2, batch, length).
        labels: Shape (pairs, 2, batch).
        eta: Step size.

    Returns:
        delta, shape (pairs, P), and the defects, shape (pairs,).

    Source: arXiv:2602.10496.

    Example:
        >>> network = Network(12, 8, 3, 16, 1, 2, False)
        >>> rng = np.random.default_rng(0)
        >>> (x, a), (y, b) = (draw_batch(network, (1,), 4, rng) for _ in range(2))
        >>> deltas, defects = commutators(
        ...     network, first_weights(network, 0), np.array([[x, y]]), np.array([[a, b]]), 1e-3
        ... )
        >>> deltas.shape == (1, network.parameters), defects.shape
        (True, (1,))
    """
    found = []
    with jax.enable_x64(True):
        for x, y in zip(tokens, labels, strict=True):
            first, second = (
                functools.partial(_gradient_of, network, x[which], y[which]) for which in (0, 1)
            )
            found.append(commutator(first, second, weights.astype(float), eta))
    deltas, defects = zip(*found, strict=True)
    return np.stack(deltas), np.array(defects)


def _gradient_of(
    network: Network, tokens: np.ndarray, labels: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    return np.asarray(_gradient(weights, tokens, labels, network=network))


def _measure(
    network: Network,
    markers: tuple[int, ...],
    batch: int,
    pairs: int,
    eta: float,
    n_components: int,
    threshold: float,
    seed: int,
    state: dict[str, Any],
) -> dict[str, Any]:
    """Take a snapshot, and measure what can be measured with those so far."""
    done, weights = state["done"], state["weights"]
    rng = np.random.default_rng([seed, 2, done])
    tests = [
        draw_batch(network, (m,), _TEST_SIZE, rng) for m in markers for _ in range(_TEST_BATCHES)
    ]
    data = [np.concatenate(part) for part in zip(*tests, strict=True)]
    with jax.enable_x64(False):
        values = [float(x) for x in _assess(weights, *data, network=network)]
    blocks = network.blocks
    snapshot = np.concatenate([weights[place] for place in blocks.values()])
    state = state | {
        "snapshots": np.vstack([state["snapshots"], snapshot]),
        "course": [*state["course"], (done, *values)],
    }
    if len(state["snapshots"]) < max(SNAPSHOTS[0], n_components + 1):
        return state
    draws = [draw_batch(network, markers, batch, rng) for _ in range(2 * pairs)]
    tokens, labels = (
        np.stack(part).reshape(pairs, 2, *part[0].shape) for part in zip(*draws, strict=True)
    )
    deltas, defects = commutators(network, weights, tokens, labels, eta)
    path = state["snapshots"].astype(float)
    columns = np.split(path, len(blocks), axis=1)
    directions = [principal_directions(column, n_components) for column in columns]
    basis = list(zip(blocks.values(), directions, strict=True))
    share = project(median_commutator(deltas, defects, done)[None], basis)
    record = (
        done,
        float(share.inside[0]),
        float(share.outside[0]),
        share.random,
        float(share.ratio[0]),
        float(np.median(defects)),
        float(np.quantile(defects, 0.9)),
    )
    dimension = _dimensions(path, len(blocks), threshold).dimension.tolist()
    return state | {"measured": [*state["measured"], (record, dimension)]}


def median_commutator(deltas: np.ndarray, defects: np.ndarray, step: int) -> np.ndarray:
    """Return the commutator of median defect.

    Args:
        deltas: Shape (pairs, P).
        defects: Shape (pairs,).
        step: Of the training, for the error.

    Returns:
        Shape (P,).

    Raises:
        DivergenceError: It is zero.

    Source: arXiv:2602.10496.

    Example:
        >>> median_commutator(np.eye(3), np.array([3.0, 1.0, 2.0]), 0).tolist()
        [0.0, 0.0, 1.0]
    """
    middle = deltas[np.argsort(defects)[len(defects) // 2]]
    if not middle.any():
        raise DivergenceError(
            f"The commutator at step {step} is zero in double precision: its fractions are "
            "undefined; take fewer steps or a lower `learning_rate`."
        )
    return np.asarray(middle)


def _dimensions(path: np.ndarray, blocks: int, threshold: float) -> Dimensions:
    sizes = (path.shape[1] // blocks,) * blocks
    found: Dimensions = trajectory_effective_dimension(path, sizes, threshold)
    return found


def _result(network: Network, state: dict[str, Any], threshold: float) -> Dynamics:
    steps, values, accuracy, entropy = np.array(state["course"]).T
    records, dimensions = zip(*state["measured"], strict=True)
    measured, inside, outside, random, ratio, defect, defect_p90 = np.array(records).T
    path = state["snapshots"].astype(float)
    return Dynamics(
        steps.astype(int),
        values,
        accuracy,
        entropy,
        measured.astype(int),
        np.array(dimensions),
        inside,
        outside,
        random,
        ratio,
        defect,
        defect_p90,
        _dimensions(path, len(network.blocks), threshold),
        tuple(network.blocks),
        network.parameters,
    )


def dynamics_work(
    length: int,
    vocabulary: int,
    classes: int,
    width: int,
    layers: int,
    heads: int,
    mlp: bool,
    steps: int,
    every: int,
    batch: int,
    pairs: int,
    **_: Any,
) -> float:
    """Return the multiplications of a training and its measurements, roughly.

    Args:
        length: T.
        vocabulary: Tokens.
        classes: C.
        width: d.
        layers: L.
        heads: Of attention.
        mlp: Whether there is one.
        steps: Of training.
        every: Steps between measurements.
        batch: Sequences of a step.
        pairs: Of batches.

    Returns:
        Three passes of the network per gradient, measurements counted twice for their precision,
        and the principal components of all snapshots.

    Source: counted.

    Example:
        >>> f"{dynamics_work(16, 64, 8, 64, 2, 4, False, 1500, 50, 64, 9):.1e}"
        '4.2e+11'
    """
    network = Network(vocabulary, length, classes, width, layers, heads, mlp)
    layer = (4 + 8 * mlp) * width**2 + 2 * length * width
    gradient = 3 * batch * length * layers * layer + 10 * network.parameters
    measurements = steps // every
    components = measurements**3 * layers * width**2 * 4
    return float(gradient * (steps + 8 * pairs * measurements) + components)


def draw_dynamics(result: Dynamics) -> "Figure":
    """Draw accuracy and entropy, dimensions, and the commutator's alignment along the training."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.5, 3.8), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    left.plot(result.steps, result.accuracy, label="accuracy")
    left.plot(result.steps, result.entropy, label="attention entropy (nats)")
    left.set(xlabel="step", ylim=(0, None))
    left.legend(fontsize="small")
    few = len(result.blocks) <= 8
    for name, course in zip(result.blocks, result.dimensions.T, strict=True):
        middle.plot(result.measured_steps, course, label=name if few else None, alpha=0.8)
    walk = result.trajectory.random_walk_dimension
    middle.axhline(walk, color="k", linestyle="--", label=f"random walk: {walk}")
    middle.set(xlabel="step", ylabel="effective dimension", ylim=(0, walk + 0.5))
    middle.legend(fontsize="x-small", loc="lower right")
    right.plot(result.measured_steps, result.ratio, label="inside / random")
    right.plot(result.measured_steps, result.outside, label="share outside")
    right.axhline(1, color="k", linestyle="--", label="random subspace")
    right.set(xlabel="step", ylabel="commutator", ylim=(0, None))
    right.legend(fontsize="small")
    return figure
