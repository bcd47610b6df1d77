"""The minimum by descent: for every loss, with or without bias, and to check the closed form."""

from functools import partial
from typing import Annotated, Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from annotated_types import Interval

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._lbfgs import descend
from aqc.kernels._signature import checked
from aqc.kernels.deep_linear_neural_collapse._closed_form import (
    Counts,
    Decay,
    Decays,
    Depth,
    decays_of,
)
from aqc.kernels.deep_linear_neural_collapse._metrics import Collapse, measure_collapse

Loss = Literal["squared", "cross_entropy"]

_MOST_NUMBERS = 200_000
_CHUNK = 200
_FLAT = 1e-10
# Multiplications done in the time that an iteration takes beside them.
_OVERHEAD = 250_000


class Descent(NamedTuple):
    """A minimum found by descent.

    Args:
        loss: The least found.
        losses: From each start.
        slope: Largest entry of the gradient there.
        classifier: W_M, shape (K, d).
        product: W_M ... W_1, shape (K, d).
        features: H, one row for each sample, class after class, shape (N, d).
        bias: Of the last layer, shape (K,); zeros without.
        collapse: Measures of the product and the features.
    """

    loss: float
    losses: np.ndarray
    slope: float
    classifier: np.ndarray
    product: np.ndarray
    features: np.ndarray
    bias: np.ndarray
    collapse: Collapse


class _Problem(NamedTuple):
    counts: tuple[int, ...]
    depth: int
    width: int
    loss: Loss
    bias: bool

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        k, n, d = len(self.counts), sum(self.counts), self.width
        return [(d, n), *[(d, d)] * (self.depth - 1), (k, d), (k,)]

    def parts(self, flat: Any) -> list[Any]:
        """Split a vector into H, W_1..W_M and b."""
        sizes = np.cumsum([np.prod(shape) for shape in self.shapes])
        pieces = zip([0, *sizes[:-1]], sizes, self.shapes, strict=True)
        return [flat[a:b].reshape(shape) for a, b, shape in pieces]


def minimize_collapse_steps(
    class_counts: tuple[int, ...],
    depth: int = 2,
    width: int = 12,
    weight_decay: tuple[float, ...] = (5e-4,),
    feature_decay: float = 5e-4,
    loss: Loss = "squared",
    bias: bool = False,
    starts: int = 3,
    max_iter: int = 2000,
    init_scale: float = 1.0,
    seed: int = 0,
    state: dict[str, Any] | None = None,
) -> Steps:
    """Do what `minimize_collapse` does, 200 iterations after others.

    Args:
        class_counts: n_k.
        depth: M.
        width: d.
        weight_decay: lw_j.
        feature_decay: lh.
        loss: Of the outputs.
        bias: Of the last layer.
        starts: Random starts.
        max_iter: Iterations from each.
        init_scale: Of the starts.
        seed: Of the starts.
        state: What an earlier run yielded.

    Yields:
        (fraction done, state).

    Returns:
        The minimum.

    Source: as for `minimize_collapse`.

    Example:
        >>> next(minimize_collapse_steps((3, 3), width=2, starts=1))[0]
        1.0
    """
    problem = _Problem(class_counts, depth, width, loss, bias)
    decays = (*decays_of(weight_decay, depth), feature_decay)
    size = sum(int(np.prod(shape)) for shape in problem.shapes)
    if size > _MOST_NUMBERS:
        raise InputError(
            f"`class_counts`, `width` and `depth` must make at most {_MOST_NUMBERS} unknowns, but "
            f"make {size}; use the closed form, or fewer samples in the same proportions.",
            "/class_counts",
        )
    state = state or {
        "start": 0,
        "done": 0,
        "point": None,
        "best": None,
        "slope": 0.0,
        "losses": [],
    }
    while state["start"] < starts:
        state = _advance(state, problem, decays, max_iter, init_scale, seed)
        yield (state["start"] + state["done"] / max_iter) / starts, state
    features, *weights, shift = problem.parts(state["best"])
    product = weights[0]
    for weight in weights[1:]:
        product = weight @ product
    labels = np.repeat(np.arange(len(class_counts)), class_counts)
    return Descent(
        min(state["losses"]),
        np.array(state["losses"]),
        state["slope"],
        weights[-1],
        product,
        features.T,
        shift if bias else np.zeros(len(class_counts)),
        measure_collapse(features.T, labels, product),
    )


@checked()
def minimize_collapse(
    class_counts: Counts,
    depth: Depth = 2,
    width: Annotated[int, Interval(ge=1, le=1000)] = 12,
    weight_decay: Decays = (5e-4,),
    feature_decay: Decay = 5e-4,
    loss: Loss = "squared",
    bias: bool = False,
    starts: Annotated[int, Interval(ge=1, le=20)] = 3,
    max_iter: Annotated[int, Interval(ge=1, le=20_000)] = 2000,
    init_scale: Annotated[float, Interval(ge=1e-3, le=100)] = 1.0,
    seed: Annotated[int, Interval(ge=0)] = 0,
) -> Descent:
    """Return the minimum of a deep linear network with free features, found by descent.

    The problem of `find_minimum`, also with a bias (not regularized) in the last layer and with
    the cross-entropy, for which no closed form is known on imbalanced data.

    Args:
        class_counts: n_k, samples of each class.
        depth: M, number of weight matrices.
        width: d, of features and hidden layers.
        weight_decay: lw_j of the M layers, or one for all.
        feature_decay: lh.
        loss: "squared" (halved) or "cross_entropy", averaged over samples.
        bias: Whether the last layer has one.
        starts: Gaussian starts, of which the best end counts.
        max_iter: Most iterations of L-BFGS from each.
        init_scale: Standard deviation of the starts times sqrt(d); small ones stall at zero.
        seed: Of the starts.

    Returns:
        Weights, features, and how far they have collapsed.

    Raises:
        InputError: The problem is too large, or the decays do not fit the depth.

    Source: the problem of arXiv:2301.00437; by L-BFGS in double precision.

    Example:
        >>> found = minimize_collapse((5, 5, 5), bias=True, weight_decay=(5e-3,))
        >>> found.collapse.simplex.nc2 < 1e-5 < 0.5 < found.collapse.orthogonal.nc2
        True
    """
    result: Descent = drain(
        minimize_collapse_steps(
            class_counts,
            depth,
            width,
            weight_decay,
            feature_decay,
            loss,
            bias,
            starts,
            max_iter,
            init_scale,
            seed,
        )
    )
    return result


def minimizing_work(
    class_counts: tuple[int, ...],
    depth: int,
    width: int,
    starts: int,
    max_iter: int,
    **_: Any,
) -> float:
    """Return the multiplications that `minimize_collapse` takes at most, roughly.

    Args:
        class_counts: n_k.
        depth: M.
        width: d.
        starts: Random starts.
        max_iter: Iterations from each.

    Returns:
        Those of all iterations, and what an iteration costs beside them.

    Source: counted.

    Example:
        >>> minimizing_work((40, 30, 20, 10), 2, 12, 3, 2000)
        1989600000.0
    """
    n, k = sum(class_counts), len(class_counts)
    product = (depth - 1) * width**2 * n + k * width * n
    return float(starts * max_iter * (3 * product + 20 * width * n + _OVERHEAD))


def _advance(
    state: dict[str, Any],
    problem: _Problem,
    decays: tuple[float, ...],
    max_iter: int,
    init_scale: float,
    seed: int,
) -> dict[str, Any]:
    point = state["point"]
    if point is None:
        size = sum(int(np.prod(shape)) for shape in problem.shapes)
        rng = np.random.default_rng([seed, state["start"]])
        point = rng.normal(0, init_scale / np.sqrt(problem.width), size)

    def value_and_gradient(x: np.ndarray) -> tuple[float, np.ndarray]:
        with jax.enable_x64(True):
            value, gradient = _objective(jnp.asarray(x), jnp.asarray(decays), problem=problem)
            return float(value), np.asarray(gradient)

    iterations = min(_CHUNK, max_iter - state["done"])
    found = descend(value_and_gradient, point, iterations, _FLAT)
    done = state["done"] + iterations
    if not found.stopped and done < max_iter:
        return state | {"point": found.point, "done": done}
    better = found.value < min(state["losses"], default=np.inf)
    return {
        "start": state["start"] + 1,
        "done": 0,
        "point": None,
        "best": found.point if better else state["best"],
        "slope": found.slope if better else state["slope"],
        "losses": [*state["losses"], found.value],
    }


@partial(jax.jit, static_argnames="problem")
def _objective(
    flat: jax.Array, decays: jax.Array, *, problem: _Problem
) -> tuple[jax.Array, jax.Array]:
    def value(flat: jax.Array) -> jax.Array:
        features, *weights, shift = problem.parts(flat)
        outputs = features
        for weight in weights:
            outputs = weight @ outputs
        if problem.bias:
            outputs = outputs + shift[:, None]
        labels = np.repeat(np.arange(len(problem.counts)), problem.counts)
        if problem.loss == "squared":
            targets = jnp.asarray(np.eye(len(problem.counts))[:, labels], flat.dtype)
            fit = jnp.sum((outputs - targets) ** 2) / (2 * len(labels))
        else:
            chosen = jax.nn.log_softmax(outputs, axis=0)[labels, np.arange(len(labels))]
            fit = -jnp.mean(chosen)
        sizes = jnp.stack([jnp.sum(x**2) for x in (*weights, features)])
        return fit + jnp.sum(decays * sizes) / 2

    return jax.value_and_grad(value)(flat)
