"""A transformer trained on modular addition, its trajectory and commutators measured on the way."""

import functools
from dataclasses import dataclass
from typing import Annotated, Any

import jax
import numpy as np
import optax
from annotated_types import Interval, Len
from jaxtyping import Float, Int

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._signature import checked
from aqc.kernels.execution_manifold._commutator import Components, StepSize
from aqc.kernels.execution_manifold._measure import block_dimensions, measure
from aqc.kernels.execution_manifold._trajectory import SNAPSHOTS, Dimensions, Threshold
from aqc.kernels.execution_manifold._transformer import Network, draw_batch, first_weights, loss

_CHUNK = 50  # steps between two reports, at most
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
    take = functools.partial(
        measure, network, markers, batch, pairs, eta, n_components, threshold, seed
    )
    if state is None:
        state = take(_start(network, seed, learning_rate, weight_decay))
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
            state = take(state)
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
        block_dimensions(path, len(network.blocks), threshold),
        tuple(network.blocks),
        network.parameters,
    )
