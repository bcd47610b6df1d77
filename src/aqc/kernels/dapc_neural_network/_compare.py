"""The surrogate beside plain polynomial chaos and dense tanh networks, on points kept apart."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Interval, Len
from jaxtyping import Float

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._signature import checked
from aqc.kernels.dapc_neural_network._basis import (
    build_basis,
    count_terms,
    evaluate_basis,
    multi_indices,
    products,
    refuse_few_values,
)
from aqc.kernels.dapc_neural_network._fit import Run, descend
from aqc.kernels.dapc_neural_network._models import DenseNet, Model, PolynomialNet, count_weights
from aqc.kernels.dapc_neural_network._surrogate import Degrees, Nodes, check_layers, count_work

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Score:
    """How well one kind of surrogate does.

    Args:
        name: With its nodes or its degree.
        num_weights: That were fitted.
        train_nrmse: Root mean square error over the deviation of y, worst output.
        test_nrmse: The same on the test points, over their deviation.
    """

    name: str
    num_weights: int
    train_nrmse: float
    test_nrmse: float


@checked(N=(10, 2000), n=(1, 10), m=(1, 4), Q=(2, 20_000))
def compare_surrogates(
    x: Float[np.ndarray, "N n"],
    y: Float[np.ndarray, "N m"],
    x_test: Float[np.ndarray, "Q n"],
    y_test: Float[np.ndarray, "Q m"],
    layers: Annotated[Nodes, Len(0, 3)],
    degrees: Annotated[Degrees, Len(1, 4)],
    dense: Annotated[tuple[Annotated[Nodes, Len(1, 3)], ...], Len(0, 4)] = ((14,), (8, 8)),
    chaos: Annotated[Degrees, Len(0, 4)] = (4,),
    ridge: Annotated[float, Interval(ge=0, le=1e6)] = 1e-3,
    max_evaluations: Annotated[int, Interval(ge=2, le=300)] = 60,
    restarts: Annotated[int, Interval(ge=1, le=5)] = 3,
    seed: Annotated[int, Interval(ge=0)] = 0,
) -> tuple[Score, ...]:
    """Fit the polynomial network, plain polynomial chaos and dense tanh networks to the same runs.

    nRMSE = sqrt(mean |f - y|^2) / std(y)

    Args:
        x: Inputs, shape (N, n).
        y: Outputs, shape (N, m).
        x_test: Points kept apart, shape (Q, n).
        y_test: Their outputs, shape (Q, m).
        layers: As for `dapc_neural_network`.
        degrees: The same.
        dense: Hidden nodes of each tanh network, fitted by the same algorithm with the same ridge.
        chaos: Degrees of plain chaos, fitted by least squares.
        ridge: Of the networks.
        max_evaluations: Of each start.
        restarts: Starts; the best on the training points is taken.
        seed: Of the starts.

    Returns:
        Scores: the polynomial network, plain chaos, dense networks.

    Raises:
        InputError: As for `dapc_neural_network`, or a dense network has too many weights.
        DivergenceError: As for `dapc_neural_network`.

    Source:
        arXiv:2306.14753 compares these; the networks' sizes and their training are chosen here.

    Example:
        >>> x = np.linspace(-1, 1, 21)[:, None]
        >>> scores = compare_surrogates(x, x**3, x, x**3, [], [3], dense=[[3]], chaos=[2])
        >>> [score.name for score in scores]
        ['polynomial network (3)', 'chaos of degree 2', 'tanh network 3']
    """
    return drain(
        compare_steps(
            x,
            y,
            x_test,
            y_test,
            layers,
            degrees,
            dense,
            chaos,
            ridge,
            max_evaluations,
            restarts,
            seed,
        )
    )


def compare_steps(
    x: np.ndarray,
    y: np.ndarray,
    x_test: np.ndarray,
    y_test: np.ndarray,
    layers: tuple[int, ...],
    degrees: tuple[int, ...],
    dense: tuple[tuple[int, ...], ...],
    chaos: tuple[int, ...],
    ridge: float,
    max_evaluations: int,
    restarts: int,
    seed: int,
    state: Any = None,
) -> Steps:
    """Do what `compare_surrogates` does, step by step.

    Args:
        x: As in `compare_surrogates`, like all others.
        y: See there.
        x_test: See there.
        y_test: See there.
        layers: See there.
        degrees: See there.
        dense: See there.
        chaos: See there.
        ridge: See there.
        max_evaluations: See there.
        restarts: See there.
        seed: See there.
        state: What an earlier run yielded, to go on from there.

    Yields:
        (fraction done, state) after every evaluation of a network's residuals.

    Returns:
        The scores.

    Source:
        See `compare_surrogates`.

    Example:
        >>> x = np.linspace(-1, 1, 20)[:, None]
        >>> run = compare_steps(x, x**3, x, x**3, (2,), (1, 2), ((2,),), (3,), 1e-3, 60, 1, 0)
        >>> 0 < next(run)[0] < 0.1
        True
    """
    _check(x, y, y_test, layers, degrees, dense, chaos)
    mean, deviation = y.mean(0), y.std(0)
    target = (y - mean) / deviation
    spread = (x.mean(0), x.std(0))
    inputs, outputs = x.shape[1], y.shape[1]
    nets: list[Model] = [PolynomialNet((inputs, *layers, outputs), degrees)]
    nets += [DenseNet((inputs, *hidden, outputs)) for hidden in dense]
    # A dense network has no basis that would take care of the inputs' scale.
    scaled = [x] + [(x - spread[0]) / spread[1]] * len(dense)
    scaled_test = [x_test] + [(x_test - spread[0]) / spread[1]] * len(dense)
    best: list[Run] = [Run(*run) for run in state[0]] if state else []
    inner = state[1] if state else None
    for i in range(len(best), len(nets)):
        fit = descend(nets[i], scaled[i], target, ridge, max_evaluations, restarts, seed, inner)
        inner = None
        while True:
            try:
                done, inside = next(fit)
            except StopIteration as stop:
                best.append(min(stop.value, key=lambda run: run.cost))
                break
            yield (i + done) / len(nets), ([tuple(run) for run in best], inside)
    scores = []
    for net, run, train, test in zip(nets, best, scaled, scaled_test, strict=True):
        fitted = mean + deviation * net.predict_at(run.weights, train, train)
        guessed = mean + deviation * net.predict_at(run.weights, train, test)
        errors = _nrmse(fitted, y), _nrmse(guessed, y_test)
        scores.append(Score(net.name, count_weights(net), *errors))
    plain = [_plain_chaos(x, y, x_test, y_test, degree) for degree in chaos]
    return (scores[0], *plain, *scores[1:])


def _check(
    x: np.ndarray,
    y: np.ndarray,
    y_test: np.ndarray,
    layers: tuple[int, ...],
    degrees: tuple[int, ...],
    dense: tuple[tuple[int, ...], ...],
    chaos: tuple[int, ...],
) -> None:
    check_layers(x, y, layers, degrees, "product")
    for j, column in enumerate(y_test.T):
        if np.ptp(column) <= 1e-12 * np.abs(column).max():
            raise InputError(f"`y_test` must vary, but column {j} is constant.", "/y_test")
    for degree in chaos:
        refuse_few_values(x, degree, "x")
        terms = count_terms(x.shape[1], degree)
        if terms > len(x):
            raise InputError(
                f"`chaos` must have at most as many terms as there are points ({len(x)}), but "
                f"degree {degree} has {terms}.",
                "/chaos",
            )
    for hidden in dense:
        weights = count_weights(DenseNet((x.shape[1], *hidden, y.shape[1])))
        if weights * len(x) > 1_000_000:
            raise InputError(
                f"`dense` must give at most {1_000_000 // len(x)} weights for {len(x)} points, but "
                f"{list(hidden)} gives {weights}.",
                "/dense",
            )


def _plain_chaos(
    x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray, degree: int
) -> Score:
    indices = multi_indices(x.shape[1], degree)
    polynomials, a, b = build_basis(x, degree)
    psi = products(polynomials, indices)
    weights = np.linalg.lstsq(psi, y, rcond=None)[0]
    guessed = products(evaluate_basis(x_test, a, b), indices) @ weights
    name = f"chaos of degree {degree}"
    return Score(name, weights.size, _nrmse(psi @ weights, y), _nrmse(guessed, y_test))


def _nrmse(guessed: np.ndarray, y: np.ndarray) -> float:
    return float((np.sqrt(np.mean((guessed - y) ** 2, 0)) / y.std(0)).max())


def count_comparison(dense: tuple[tuple[int, ...], ...], **arguments: Any) -> float:
    """Return the work of the polynomial network, and of the dense ones as if they were such."""
    own = count_work(**arguments)
    shape = (arguments["x"].shape[1], arguments["y"].shape[1], len(arguments["x"]))
    each = arguments["restarts"] * arguments["max_evaluations"] * shape[2]
    for hidden in dense:
        weights = count_weights(DenseNet((shape[0], *hidden, shape[1])))
        own += each * weights * sum(hidden)
    return own


def draw_scores(scores: tuple[Score, ...]) -> "Figure":
    """Draw the errors on the training and on the test points."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    axes = figure.subplots()
    at = np.arange(len(scores))
    axes.barh(at - 0.2, [s.train_nrmse for s in scores], 0.4, label="training points")
    axes.barh(at + 0.2, [s.test_nrmse for s in scores], 0.4, label="test points")
    axes.set_yticks(at, [f"{s.name}\n{s.num_weights} weights" for s in scores])
    axes.invert_yaxis()
    axes.set(xlabel="root mean square error / standard deviation of y")
    axes.legend()
    return figure
