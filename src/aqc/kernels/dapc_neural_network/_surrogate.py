"""The surrogate: a deep network of data-driven polynomials fitted to model runs."""

from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Interval, Len
from jaxtyping import Float

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._magnitude import refuse_huge
from aqc.kernels._signature import checked
from aqc.kernels.dapc_neural_network._basis import refuse_few_values
from aqc.kernels.dapc_neural_network._fit import Run, descend
from aqc.kernels.dapc_neural_network._models import (
    Activation,
    Basis,
    Layer,
    PolynomialNet,
    count_weights,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_WEIGHTS, _MOST_ENTRIES = 1500, 1_000_000

Nodes = tuple[Annotated[int, Interval(ge=1, le=16)], ...]
Degrees = tuple[Annotated[int, Interval(ge=1, le=8)], ...]


@dataclass(frozen=True)
class Surrogate:
    """A fitted network.

    Args:
        prediction: At the training points, shape (N, m).
        y_query: At `x_query`, shape (Q, m); None without it.
        train_nrmse: Root mean square error over the standard deviation of y, shape (m,).
        layers: Bases and weights; the network works on outputs of mean 0 and deviation 1.
        mean: Of y, shape (m,).
        deviation: Of y, shape (m,).
        indices: Multi-indices of the first layer, shape (M, n).
        shares: w_alpha^2 over its sum without alpha = 0, for each node of the first layer, shape
            (M, nodes). Sobol indices of y only when there is no hidden layer, and then up to
            `gram_error` and what the polynomials miss.
        num_weights: Of all layers.
        evaluations: Of the residuals, for each start.
        costs: Final sum of squares and ridge for each start; the least is taken.
        history: Its root mean square over the points after each evaluation, of the best start.
    """

    prediction: np.ndarray
    y_query: np.ndarray | None
    train_nrmse: np.ndarray
    layers: tuple[Layer, ...]
    mean: np.ndarray
    deviation: np.ndarray
    indices: np.ndarray
    shares: np.ndarray
    num_weights: int
    evaluations: tuple[int, ...]
    costs: tuple[float, ...]
    history: np.ndarray


@checked(N=(10, 4096), n=(1, 10), m=(1, 4), Q=(1, 20_000))
def dapc_neural_network(
    x: Float[np.ndarray, "N n"],
    y: Float[np.ndarray, "N m"],
    layers: Annotated[Nodes, Len(0, 3)],
    degrees: Annotated[Degrees, Len(1, 4)],
    x_query: Float[np.ndarray, "Q n"] | None = None,
    activation: Activation = "tanh",
    basis: Basis = "product",
    differentiate_basis: bool = True,
    ridge: Annotated[float, Interval(ge=0, le=1e6)] = 1e-3,
    max_evaluations: Annotated[int, Interval(ge=2, le=300)] = 60,
    restarts: Annotated[int, Interval(ge=1, le=5)] = 3,
    seed: Annotated[int, Interval(ge=0)] = 0,
) -> Surrogate:
    """Fit a network whose nodes are sums of polynomials orthonormal under their own inputs.

    u_j = sum_alpha W_{alpha j} prod_i P_{alpha_i}(x_i),  next x = tanh(u),  |alpha| <= d.

    Args:
        x: Inputs of the model runs, shape (N, n).
        y: Their outputs, shape (N, m).
        layers: Nodes of each hidden layer; none is plain arbitrary polynomial chaos.
        degrees: Of each layer, the last one's too.
        x_query: Where to predict, shape (Q, n).
        activation: Of the hidden nodes.
        basis: "product" is orthonormal for independent signals; "gram" makes it so for all.
        differentiate_basis: Whether derivatives follow the basis as it changes with the weights.
        ridge: Weight of N |w|^2 beside the sum of squares of standardized residuals.
        max_evaluations: Of the residuals, of each start.
        restarts: Starts; the best on the training points is taken.
        seed: Of the starts.

    Returns:
        Predictions, layers, shares and how the fit went.

    Raises:
        InputError: `degrees` has not one entry for each layer, a column of x has too few distinct
            values, an output is constant, or there are too many weights.
        DivergenceError: The polynomials of a layer have no finite values at the start.

    Source:
        arXiv:2306.14753. Stieltjes' recurrence in place of the matrix of moments; the ridge, the
        starts, "gram" and the derivative through the basis are choices made here.

    Example:
        >>> x = np.linspace(-1, 1, 40)[:, None]
        >>> found = dapc_neural_network(x, np.tanh(3 * x), [2], [1, 2], x_query=[[0.5]])
        >>> bool(abs(found.y_query[0, 0] - np.tanh(1.5)) < 0.05)
        True
    """
    return drain(
        dapc_steps(
            x,
            y,
            layers,
            degrees,
            x_query,
            activation,
            basis,
            differentiate_basis,
            ridge,
            max_evaluations,
            restarts,
            seed,
        )
    )


def dapc_steps(
    x: np.ndarray,
    y: np.ndarray,
    layers: tuple[int, ...],
    degrees: tuple[int, ...],
    x_query: np.ndarray | None,
    activation: Activation,
    basis: Basis,
    differentiate_basis: bool,
    ridge: float,
    max_evaluations: int,
    restarts: int,
    seed: int,
    state: Any = None,
) -> Steps:
    """Do what `dapc_neural_network` does, step by step.

    Args:
        x: As in `dapc_neural_network`, like all others.
        y: See there.
        layers: See there.
        degrees: See there.
        x_query: See there.
        activation: See there.
        basis: See there.
        differentiate_basis: See there.
        ridge: See there.
        max_evaluations: See there.
        restarts: See there.
        seed: See there.
        state: What an earlier run yielded, to go on from there.

    Yields:
        (fraction done, state) after every evaluation of the residuals.

    Returns:
        The surrogate.

    Source:
        See `dapc_neural_network`.

    Example:
        >>> x = np.linspace(-1, 1, 20)[:, None]
        >>> run = dapc_steps(x, x**3, (2,), (1, 2), None, "tanh", "product", True, 1e-3, 60, 1, 0)
        >>> 0 < next(run)[0] < 0.1
        True
    """
    check_layers(x, y, layers, degrees, basis)
    mean, deviation = y.mean(0), y.std(0)
    net = PolynomialNet(
        (x.shape[1], *layers, y.shape[1]), degrees, activation, basis, differentiate_basis
    )
    target = (y - mean) / deviation
    runs = yield from descend(net, x, target, ridge, max_evaluations, restarts, seed, state)
    best = min(runs, key=lambda run: run.cost)
    return _surrogate(net, x, y, x_query, best, runs)


def _surrogate(
    net: PolynomialNet,
    x: np.ndarray,
    y: np.ndarray,
    x_query: np.ndarray | None,
    best: Run,
    runs: list[Run],
) -> Surrogate:
    mean, deviation = y.mean(0), y.std(0)
    fitted, first = net.layers(best.weights, x)
    prediction = mean + deviation * net.predict(fitted, x)
    squares = first[1:] ** 2
    total = squares.sum(0)
    shares = squares / np.where(total > 0, total, 1.0)
    return Surrogate(
        prediction=prediction,
        y_query=None if x_query is None else mean + deviation * net.predict(fitted, x_query),
        train_nrmse=np.sqrt(np.mean((prediction - y) ** 2, 0)) / deviation,
        layers=fitted,
        mean=mean,
        deviation=deviation,
        indices=fitted[0].indices,
        shares=np.concatenate([np.zeros((1, shares.shape[1])), shares]),
        num_weights=count_weights(net),
        evaluations=tuple(run.evaluations for run in runs),
        costs=tuple(float(run.cost) for run in runs),
        history=best.history,
    )


def check_layers(
    x: np.ndarray, y: np.ndarray, layers: tuple[int, ...], degrees: tuple[int, ...], basis: Basis
) -> None:
    """Refuse data and layers that cannot be fitted.

    Raises:
        InputError: See `dapc_neural_network`.
    """
    refuse_huge(x=x, y=y)
    if len(degrees) != len(layers) + 1:
        raise InputError(
            f"`degrees` must have one entry for each of the {len(layers) + 1} layers, the last "
            f"one's too, but has {len(degrees)}.",
            "/degrees",
        )
    refuse_few_values(x, degrees[0], "x")
    for j, column in enumerate(y.T):
        if np.ptp(column) <= 1e-12 * np.abs(column).max():
            raise InputError(f"`y` must vary, but column {j} is constant.", "/y")
    widths = (x.shape[1], *layers)
    terms = [comb(n + d, d) for n, d in zip(widths, degrees, strict=True)]
    weights = sum(m * k for m, k in zip(terms, (*layers, y.shape[1]), strict=True))
    most = min(_MOST_WEIGHTS, _MOST_ENTRIES // len(x))
    if weights > most:
        raise InputError(
            f"`degrees` must give at most {most} weights for {len(x)} points, but they give "
            f"{weights}, with {max(terms)} terms in the largest basis; lower a degree or a width.",
            "/degrees",
        )
    if basis == "gram" and max(terms) >= len(x):
        raise InputError(
            f'`basis` "gram" must have fewer terms than the {len(x)} points, but a layer has '
            f'{max(terms)}; lower a degree or take "product".',
            "/basis",
        )


def count_work(
    x: np.ndarray,
    y: np.ndarray,
    layers: tuple[int, ...],
    degrees: tuple[int, ...],
    max_evaluations: int,
    restarts: int,
    **_: Any,
) -> float:
    """Return starts x evaluations x points x weights x terms, the cost of the Jacobians."""
    widths = (x.shape[1], *layers, y.shape[1])
    terms = [comb(n + d, d) for n, d in zip(widths, degrees, strict=False)]
    weights = sum(m * k for m, k in zip(terms, widths[1:], strict=False))
    return float(restarts) * max_evaluations * len(x) * weights * sum(terms)


def draw_surrogate(found: Surrogate) -> "Figure":
    """Draw the fit's way down and the first layer's largest shares."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.6, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.semilogy(np.arange(1, len(found.history) + 1), found.history)
    left.set(xlabel="evaluation", ylabel="rms of residuals and ridge")
    largest = np.argsort(found.shares.max(1))[::-1][:8]
    bottom = np.zeros(found.shares.shape[1])
    nodes = np.arange(1, len(bottom) + 1)
    for row in largest[found.shares[largest].max(1) > 0]:
        label = " ".join(str(k) for k in found.indices[row])
        right.bar(nodes, found.shares[row], bottom=bottom, label=label)
        bottom += found.shares[row]
    right.set(xlabel="node of the first layer", ylabel="share of the node's variance")
    right.set_xticks(nodes)
    right.legend(title="degrees", fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
