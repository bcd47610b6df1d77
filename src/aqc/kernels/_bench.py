"""The small training problem on which the optimizers of the shelf are compared.

A bias-free ReLU network 32-64-64-10 learns the labels of a ReLU teacher 32-64-10 from 8192
Gaussian points whose columns have the scales j^-0.75; cross-entropy, batches of 64, a rate that
falls linearly to zero. All optimizers and rates see the same points, batches and outliers; the
score is the loss over all points after the last step. It is some 10^4 times smaller than the
language models of the papers: what it shows is a direction, not a size.
"""

import functools
from collections.abc import Callable, Generator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float

from aqc.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS, BATCH = 8192, 64
_INPUTS, _HIDDEN, _CLASSES = 32, 64, 10
_RMS = 0.2  # of an update relative to the rate, as AdamW's is found to be


@dataclass(frozen=True)
class Contender:
    """An optimizer to train with; equal ones share one compilation.

    Args:
        name: As results call it.
        build: From a learning rate or schedule to a GradientTransformation.
        settings: Further arguments by name, as pairs.
    """

    name: str
    build: Callable[..., optax.GradientTransformation]
    settings: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class Score:
    """How well one optimizer trained.

    Attributes:
        optimizer: Its name.
        learning_rates: Initial rates, shape (rates,).
        losses: Final losses, shape (seeds, rates).
        best_learning_rate: The one of least mean loss.
        best_loss: Mean loss there.
        best_loss_std: Standard deviation over seeds there; 0 for one seed.
        best_is_at_edge: Whether the best rate is the first or the last one, so that the grid may
            have missed a better one.
    """

    optimizer: str
    learning_rates: Float[np.ndarray, " rates"]
    losses: Float[np.ndarray, "seeds rates"]
    best_learning_rate: float
    best_loss: float
    best_loss_std: float
    best_is_at_edge: bool


@dataclass(frozen=True)
class BenchResult:
    """Scores of an optimizer and of those that it is compared with, its own first."""

    scores: tuple[Score, ...]

    def best(self, optimizer: str) -> Score:
        """Return the score of an optimizer."""
        return next(score for score in self.scores if score.optimizer == optimizer)


Baseline = Literal["muon", "adamw", "normalized_momentum"]


def scale_by_normalized_momentum(
    beta: float = 0.95, shape_scale: bool = False
) -> optax.GradientTransformation:
    """Return the transformation to momentum of Frobenius norm one.

    Args:
        beta: Of the running mean.
        shape_scale: Multiply by sqrt(max(1, columns / rows)).
    """

    def update(updates: Any, mean: Any, params: Any = None) -> tuple[Any, Any]:
        mean = jax.tree.map(lambda m, g: beta * m + (1 - beta) * g, mean, updates)
        momentum = jax.tree.map(lambda m, g: beta * m + (1 - beta) * g, mean, updates)
        return jax.tree.map(normalize, momentum), mean

    def normalize(g: jax.Array) -> jax.Array:
        factor = max(1.0, g.shape[1] / g.shape[0]) ** 0.5 if shape_scale else 1.0
        return factor * g / (jnp.linalg.norm(g) + 1e-7)

    return optax.GradientTransformation(optax.tree.zeros_like, update)


def _build_momentum(rate: Any, shape_scale: bool) -> optax.GradientTransformation:
    return optax.chain(
        scale_by_normalized_momentum(shape_scale=shape_scale), optax.scale_by_learning_rate(rate)
    )


def _build_muon(rate: Any) -> optax.GradientTransformation:
    return optax.contrib.muon(rate, consistent_rms=_RMS)


def _build_adamw(rate: Any) -> optax.GradientTransformation:
    return optax.adamw(rate, b1=0.9, b2=0.95, weight_decay=0.0)


BASELINES: dict[Baseline, Contender] = {
    "muon": Contender("muon", _build_muon),
    "adamw": Contender("adamw", _build_adamw),
    "normalized_momentum": Contender(
        "normalized_momentum", _build_momentum, (("shape_scale", True),)
    ),
}


def bench_steps(
    contenders: tuple[Contender, ...],
    learning_rates: np.ndarray,
    *,
    steps: int,
    seeds: int,
    outlier_probability: float = 0.0,
    outlier_amplitude: float = 0.0,
    state: Any = None,
) -> Generator[tuple[float, list[np.ndarray]], None, BenchResult]:
    """Train with every optimizer, seed and learning rate.

    Args:
        contenders: The optimizers.
        learning_rates: Initial rates, shape (rates,); trained side by side.
        steps: Steps of each training.
        seeds: Trainings differ in network, teacher, points and batches by seeds 0, 1, ...
        outlier_probability: Of each entry of each gradient to get an outlier added.
        outlier_amplitude: Standard deviation of outliers over that of the gradient's entries.
        state: What an earlier run yielded, to go on from there.

    Yields:
        (fraction done, losses so far) after each optimizer and seed.

    Returns:
        The scores, in the order of the contenders.

    Raises:
        InputError: A learning rate is not positive.
    """
    if (learning_rates <= 0).any():
        raise InputError(
            f"`learning_rates` must be positive, but holds {learning_rates.min()}.",
            "/learning_rates",
        )
    losses = [] if state is None else list(state)
    runs = [(seed, contender) for seed in range(seeds) for contender in contenders]
    rates = np.asarray(learning_rates, np.float32)
    for seed, contender in runs[len(losses) :]:
        problem = _make_problem(seed, steps, outlier_probability, outlier_amplitude)
        # Single precision, as networks are trained, whatever the process has set.
        with jax.enable_x64(False):
            final = _trainer(contender, steps)(rates, problem)
        losses.append(np.asarray(final, float))
        yield len(losses) / len(runs), losses
    table = np.array(losses).reshape(seeds, len(contenders), -1)
    scores = [_score(c.name, learning_rates, table[:, i]) for i, c in enumerate(contenders)]
    return BenchResult(tuple(scores))


def _score(name: str, rates: np.ndarray, losses: np.ndarray) -> Score:
    best = int(np.argmin(losses.mean(0)))
    order = np.argsort(rates)
    return Score(
        name,
        np.asarray(rates),
        losses,
        float(rates[best]),
        float(losses[:, best].mean()),
        float(losses[:, best].std(ddof=1)) if len(losses) > 1 else 0.0,
        best in (order[0], order[-1]),
    )


class _Problem(NamedTuple):
    points: Any
    labels: Any
    start: list[Any]  # weights
    rows: Any  # of each step's batch, (steps, batch)
    outliers: list[Any] | None  # per weight (steps, rows, columns), in units of the gradient's std


def _make_problem(seed: int, steps: int, probability: float, amplitude: float) -> _Problem:
    # NumPy draws, not JAX: threefry inside the training costs ten seconds of compilation.
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(POINTS, _INPUTS)) * np.arange(1.0, _INPUTS + 1) ** -0.75
    points = (points / points.std()).astype(np.float32)
    teacher = _he_weights(rng, (_INPUTS, _HIDDEN, _CLASSES))
    labels = np.argmax(np.maximum(points @ teacher[0], 0) @ teacher[1], -1)
    start = _he_weights(rng, (_INPUTS, _HIDDEN, _HIDDEN, _CLASSES))
    rows = rng.integers(POINTS, size=(steps, BATCH))
    outliers = None
    if probability > 0:
        outliers = [
            amplitude
            * (rng.random((steps, *w.shape), np.float32) < probability)
            * rng.standard_normal((steps, *w.shape), np.float32)
            for w in start
        ]
    return _Problem(points, labels, start, rows, outliers)


def _he_weights(rng: np.random.Generator, widths: tuple[int, ...]) -> list[np.ndarray]:
    return [
        (rng.normal(size=(fan_in, fan_out)) * (2 / fan_in) ** 0.5).astype(np.float32)
        for fan_in, fan_out in pairwise(widths)
    ]


@functools.lru_cache(maxsize=64)
def _trainer(contender: Contender, steps: int) -> Callable[..., jax.Array]:
    """Return the compiled training: (rates, problem) to final losses (rates,)."""

    @jax.jit
    def train(rates: jax.Array, problem: _Problem) -> jax.Array:
        def run(rate: jax.Array) -> jax.Array:
            schedule = optax.linear_schedule(rate, 0.0, steps)
            optimizer = contender.build(schedule, **dict(contender.settings))

            def step(carry: tuple, drawn: tuple) -> tuple[tuple, None]:
                weights, state = carry
                rows, outliers = drawn
                gradient = jax.grad(_loss)(weights, problem.points[rows], problem.labels[rows])
                if outliers is not None:
                    gradient = [g + x * g.std() for g, x in zip(gradient, outliers, strict=True)]
                update, state = optimizer.update(gradient, state, weights)
                return (optax.apply_updates(weights, update), state), None

            start = (problem.start, optimizer.init(problem.start))
            (weights, _), _ = jax.lax.scan(step, start, (problem.rows, problem.outliers))
            return _loss(weights, problem.points, problem.labels)

        return jax.vmap(run)(rates)

    return train


def _logits(weights: list[jax.Array], x: jax.Array) -> jax.Array:
    for weight in weights[:-1]:
        x = jax.nn.relu(x @ weight)
    return x @ weights[-1]


def _loss(weights: list[jax.Array], x: jax.Array, labels: jax.Array) -> jax.Array:
    logits = _logits(weights, x)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def count_steps(
    learning_rates: np.ndarray,
    baselines: tuple[Baseline, ...],
    steps: int,
    seeds: int,
    entrants: int = 1,
    **_: Any,
) -> float:
    """Return the work of a bench: training steps of all optimizers, seeds and rates."""
    return float((entrants + len(baselines)) * seeds * len(learning_rates) * steps)


def draw_bench(result: BenchResult) -> "Figure":
    """Draw final loss over learning rate, one line for each optimizer, one dot for each seed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    for score in result.scores:
        order = np.argsort(score.learning_rates)
        rates = score.learning_rates[order]
        (line,) = axes.plot(rates, score.losses.mean(0)[order], "-", label=score.optimizer)
        for losses in score.losses:
            axes.plot(rates, losses[order], ".", color=line.get_color(), markersize=4)
    axes.set(xscale="log", yscale="log", xlabel="initial learning rate")
    axes.set_ylabel("cross-entropy over all points (nats)")
    axes.legend()
    return figure
