"""Training with generalized teacher forcing."""

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from annotated_types import Interval
from jaxtyping import Float

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._signature import checked
from aqc.kernels.generalized_teacher_forcing._network import (
    NAMES,
    Network,
    initial_weights,
    lyapunov_exponent,
    run_alone,
)
from aqc.kernels.generalized_teacher_forcing._scores import (
    Scores,
    check_channels,
    score_dynamics,
)
from aqc.kernels.generalized_teacher_forcing._updates import (
    CHUNK,
    Estimate,
    advance,
    optimizer_of,
)

_AHEAD = 20
_MOST_GENERATED = 20_000


@dataclass(frozen=True)
class Adaptive:
    """alpha follows max(0, 1 - 1/n) every 5 updates: up at once, down by a thousandth.

    Args:
        estimate: n: "geometric" is the largest geometric mean of ||J(x_t)|| along a window,
            "maximum" the largest norm, "bound" max |A| + ||W1|| ||W2||, which needs no data.
    """

    estimate: Estimate = "geometric"
    kind: Literal["adaptive"] = "adaptive"


@dataclass(frozen=True)
class Constant:
    """alpha stays as it is: 1 is teacher forcing, 0 is backpropagation through time.

    Args:
        alpha: 0 to 1.
    """

    alpha: Annotated[float, Interval(ge=0, le=1)]
    kind: Literal["constant"] = "constant"


ADAPTIVE = Adaptive()


@dataclass(frozen=True)
class Trained:
    """A network and how it came about.

    Args:
        status: "trained"; "diverged" with the last finite weights; or "unbounded" when the free run
            leaves every range and is cut off at a million deviations.
        network: In standardized units, (x - mean) / deviation.
        mean: Of the series, shape (N,).
        deviation: Of the series, shape (N,).
        loss: Of each update.
        gradient_norm: Of each update.
        alpha: Of each update.
        generated: Free run in the series' units, from the test series' first point (or the
            series' last one), its first fifth left out.
        scores: Against the test series; None without one.
        prediction_error: Mean squared error 20 steps ahead on the test series, standardized; None
            without one.
        lyapunov: Largest exponent of the free run, per step.
    """

    status: str
    network: Network
    mean: np.ndarray
    deviation: np.ndarray
    loss: np.ndarray
    gradient_norm: np.ndarray
    alpha: np.ndarray
    generated: np.ndarray
    scores: Scores | None
    prediction_error: float | None
    lyapunov: float


def train_forced_steps(
    series: np.ndarray,
    test_series: np.ndarray | None = None,
    hidden: int = 100,
    forcing: Adaptive | Constant = ADAPTIVE,
    clipped: bool = True,
    sequence: int = 200,
    batch: int = 16,
    n_updates: int = 8000,
    learning_rate: float = 5e-3,
    final_rate: float = 1e-4,
    l2: float = 1e-5,
    seed: int = 0,
    state: dict[str, Any] | None = None,
) -> Steps:
    """Do what `train_forced` does, fifty updates at a time.

    Yields:
        (fraction, {"done": updates, "alpha": now, "leaves": weights and the optimizer's state,
        "good": the last finite weights, "history": loss, gradient norm and alpha so far}).

    Returns:
        `Trained`.
    """
    _check(series, test_series, sequence, final_rate, learning_rate)
    mean, deviation = series.mean(0), series.std(0)
    data = jnp.asarray((series - mean) / deviation, jnp.float32)
    rates = np.array([learning_rate, final_rate, n_updates, l2], np.float32)
    weights = initial_weights(series.shape[1], hidden, seed)
    leaves, tree = jax.tree.flatten((weights, optimizer_of(rates).init(weights)))
    if state is None:
        alpha = 1.0 if isinstance(forcing, Adaptive) else forcing.alpha
        state = {
            "done": 0,
            "alpha": alpha,
            "leaves": list(map(np.asarray, leaves)),
            "good": weights,
            "history": np.empty((0, 3)),
        }
    settings = {
        "rates": rates,
        "seed": seed,
        "estimate": forcing.estimate if isinstance(forcing, Adaptive) else None,
        "clipped": clipped,
        "sequence": sequence,
        "batch": batch,
    }
    status = "trained"
    while state["done"] < n_updates:
        count = min(CHUNK, n_updates - state["done"])
        given = jax.tree.unflatten(tree, state["leaves"])
        given, alpha, history = advance(
            data, given, state["alpha"], state["done"], count, **settings
        )
        history = np.asarray(history, float)[:count]
        leaves = list(map(np.asarray, jax.tree.leaves(given)))
        if not (np.isfinite(history).all() and all(np.isfinite(x).all() for x in leaves)):
            status = "diverged"
            finite = int(np.isfinite(history).all(1).cumprod().sum())
            state = state | {"history": np.concatenate([state["history"], history[:finite]])}
            break
        state = {
            "done": state["done"] + count,
            "alpha": float(alpha),
            "leaves": leaves,
            "good": {name: np.asarray(x) for name, x in given[0].items()},
            "history": np.concatenate([state["history"], history]),
        }
        yield state["done"] / n_updates, state
    network = Network(**{k: np.asarray(state["good"][k], float) for k in NAMES}, clipped=clipped)
    return _summary(status, network, series, test_series, state["history"])


@checked(t=(50, 200_000), s=(50, 200_000), n=(1, 16))
def train_forced(
    series: Float[np.ndarray, "t n"],
    test_series: Float[np.ndarray, "s n"] | None = None,
    hidden: Annotated[int, Interval(ge=1, le=512)] = 100,
    forcing: Adaptive | Constant = ADAPTIVE,
    clipped: bool = True,
    sequence: Annotated[int, Interval(ge=2, le=2000)] = 200,
    batch: Annotated[int, Interval(ge=1, le=256)] = 16,
    n_updates: Annotated[int, Interval(ge=1, le=500_000)] = 8000,
    learning_rate: Annotated[float, Interval(gt=0, le=1)] = 5e-3,
    final_rate: Annotated[float, Interval(gt=0, le=1)] = 1e-4,
    l2: Annotated[float, Interval(ge=0, le=1)] = 1e-5,
    seed: Annotated[int, Interval(ge=0, le=2**32 - 1)] = 0,
) -> Trained:
    """Train a network on a chaotic series, its states pulled toward the data as far as needed.

        z_t = F(z~_{t-1}),   z~_t = (1 - alpha) z_t + alpha x_t,   loss = mean (z_t - x_t)^2 + ...

    The Jacobians of a window are multiplied by 1 - alpha each, so that gradients stay bounded for
    alpha >= 1 - 1 / sigma_max. Without forcing the network then runs alone.

    Args:
        series: x_t, (T, N); standardized here.
        test_series: A series of the same system, for the scores; trained on nowhere.
        hidden: H.
        forcing: "adaptive" or "constant" alpha.
        clipped: Whether F has its second relu.
        sequence: Steps of a window.
        batch: Windows of an update, drawn with replacement.
        n_updates: Of RAdam.
        learning_rate: At the start.
        final_rate: At the end; between them it falls exponentially.
        l2: Weight of ||1 - A||^2 + ||W1||^2 + ||W2||^2 + ||h||^2.
        seed: Of the weights and the windows.

    Returns:
        The network, the course of the training, and how the network runs alone.

    Raises:
        InputError: A channel is constant, the series is shorter than a window, or the series do
            not match.

    Source:
        arXiv:2306.04406. 250 000 updates of rate 1e-3 to 1e-6 there; fewer and larger here.

    Example:
        >>> wave = np.sin(0.2 * np.arange(100.0))[:, None]
        >>> trained = train_forced(wave, hidden=8, sequence=20, n_updates=50)
        >>> trained.status, len(trained.loss)
        ('trained', 50)
    """
    return drain(train_forced_steps(**locals()))


def training_work(n_updates: int, batch: int, sequence: int, hidden: int, **rest: Any) -> float:
    """Return updates x windows x steps x (hidden + 50)."""
    return float(n_updates) * batch * sequence * (hidden + 50)


def _check(
    series: np.ndarray,
    test_series: np.ndarray | None,
    sequence: int,
    final_rate: float,
    learning_rate: float,
) -> None:
    check_channels(series, "series")
    if len(series) < sequence + 2:
        raise InputError(
            f"`series` must have at least {sequence + 2} points, two more than `sequence`, but has "
            f"{len(series)}.",
            "/series",
        )
    if final_rate > learning_rate:
        raise InputError(
            f"`final_rate` must be at most `learning_rate` ({learning_rate:g}), but is "
            f"{final_rate:g}.",
            "/final_rate",
        )
    if test_series is not None:
        check_channels(test_series, "test_series")


def _summary(
    status: str,
    network: Network,
    series: np.ndarray,
    test_series: np.ndarray | None,
    history: np.ndarray,
) -> Trained:
    mean, deviation = series.mean(0), series.std(0)
    like = series if test_series is None else test_series
    first = series[-1] if test_series is None else test_series[0]
    length = min(math.ceil(1.25 * len(like)), _MOST_GENERATED)
    states = run_alone(network, (first - mean) / deviation, length)
    if not (np.abs(states) < 1e6).all():  # NaN included
        status = "unbounded" if status == "trained" else status
        states = np.clip(np.nan_to_num(states, nan=1e6), -1e6, 1e6)
    generated = (states * deviation + mean)[length // 5 :]
    scores = prediction = None
    if test_series is not None:
        scores = score_dynamics(test_series, generated)
        prediction = _prediction_error(network, (test_series - mean) / deviation)
    return Trained(
        status=status,
        network=network,
        mean=mean,
        deviation=deviation,
        loss=history[:, 0],
        gradient_norm=history[:, 1],
        alpha=history[:, 2],
        generated=generated,
        scores=scores,
        prediction_error=prediction,
        lyapunov=lyapunov_exponent(network, states),
    )


def _prediction_error(network: Network, test: np.ndarray) -> float:
    ahead = run_alone(network, test[:-_AHEAD], _AHEAD)[-1]
    return float(np.minimum((ahead - test[_AHEAD:]) ** 2, 1e12).mean())
