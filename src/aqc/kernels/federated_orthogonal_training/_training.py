"""A network that clients train on task after task, with and without the projection."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

import jax
import numpy as np
from annotated_types import Interval, Len
from jaxtyping import Float, Int

from aqc.errors import DivergenceError, InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._signature import checked
from aqc.kernels.federated_orthogonal_training._clients import (
    advance,
    draw_rows,
    layer_inputs,
    measure_accuracy,
    order_of_task,
    split,
)
from aqc.kernels.federated_orthogonal_training._subspace import (
    Power,
    Seed,
    Share,
    global_principal_subspace,
)

_CHUNK = 5  # rounds between two reports
_NUMBER_BYTES = 4
_LARGEST = 1e6  # training is in single precision


@dataclass(frozen=True)
class Learned:
    """How one algorithm did over all tasks.

    Attributes:
        accuracy: On the test points of task j after task i, shape (tasks, tasks).
        average_accuracy: ACC, mean of the last row.
        forgetting: FGT, mean over earlier tasks of the accuracy when learned less the final one.
    """

    accuracy: Float[np.ndarray, "tasks tasks"]
    average_accuracy: float
    forgetting: float


@dataclass(frozen=True)
class Federation:
    """Federated orthogonal training and federated averaging: same start, data and batches.

    Attributes:
        orthogonal: With FedProject and GPSE.
        averaging: Plain FedAvg, the baseline.
        rank_fractions: Rank of each layer's subspace by its inputs after each task, shape (tasks,
            layers).
        sketch_bytes: Uploaded in sketches by all clients for one task, in single precision.
        weight_bytes: Uploaded in weights by all clients for one task.
        client_sizes: Samples of each client, shape (clients,).
    """

    orthogonal: Learned
    averaging: Learned
    rank_fractions: Float[np.ndarray, "tasks layers"]
    sketch_bytes: int
    weight_bytes: int
    client_sizes: Int[np.ndarray, " clients"]


@checked(train=(2, 5000), test=(1, 5000), inputs=(1, 784))
def federated_orthogonal_training(
    points: Float[np.ndarray, "train inputs"],
    labels: Int[np.ndarray, " train"],
    test_points: Float[np.ndarray, "test inputs"],
    test_labels: Int[np.ndarray, " test"],
    tasks: Annotated[int, Interval(ge=2, le=10)] = 5,
    clients: Annotated[int, Interval(ge=2, le=64)] = 10,
    rounds: Annotated[int, Interval(ge=1, le=200)] = 40,
    local_epochs: Annotated[int, Interval(ge=1, le=20)] = 5,
    batch: Annotated[int, Interval(ge=1, le=256)] = 16,
    learning_rate: Annotated[float, Interval(gt=0, le=1)] = 0.1,
    hidden: Annotated[tuple[Annotated[int, Interval(ge=1, le=400)], ...], Len(1, 3)] = (100, 100),
    dirichlet: Annotated[float, Interval(ge=1e-3, le=1e6)] | None = None,
    eps: Share = 0.96,
    ratio_power: Power = 2,
    seed: Seed = 0,
) -> Federation:
    """Train a network on permuted tasks over clients, with and without orthogonal updates.

    Task t shows every point with its inputs in an order of its own (the first as given). Each
    round clients train from the server's weights; the server averages, with FedProject removing
    what acts on the inputs of earlier tasks. One output layer serves all tasks; layers have no
    biases, which would not be protected.

    Args:
        points: Shape (train, inputs), scaled to the order of 1.
        labels: 0..K-1, shape (train,).
        test_points: Shape (test, inputs).
        test_labels: Shape (test,).
        tasks: T.
        clients: C, all of which take part in each round.
        rounds: For each task.
        local_epochs: Passes of a client of average size over its samples in a round; every client
            takes as many steps.
        batch: Samples in a step.
        learning_rate: Of the clients' gradient descent.
        hidden: Widths of the hidden layers (ReLU).
        dirichlet: Concentration of each class's shares over the clients; None for shares by chance.
        eps: Share of the inputs' energy that is protected, see `global_principal_subspace`.
        ratio_power: See there.
        seed: Of the permutations, shares, start and batches.

    Returns:
        Accuracies of both algorithms after each task, ranks, and bytes sent.

    Raises:
        InputError: Labels are not 0..K-1 in both sets, there are fewer points than clients, or
            points are above 1e6 in size.
        DivergenceError: The training diverged.

    Source: arXiv:2309.01289, on permuted images; network and sizes are ours.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> labels = np.arange(40) % 2
        >>> points = rng.normal(size=(40, 6)) + 2 * labels[:, None] * np.arange(6)
        >>> found = federated_orthogonal_training(
        ...     points / 6, labels, points / 6, labels, tasks=2, clients=2, rounds=5, hidden=[8]
        ... )
        >>> found.orthogonal.accuracy.shape, bool(found.rank_fractions[0, 0] > 0)
        ((2, 2), True)
    """
    result: Federation = drain(
        federated_orthogonal_training_steps(
            points,
            labels,
            test_points,
            test_labels,
            tasks,
            clients,
            rounds,
            local_epochs,
            batch,
            learning_rate,
            hidden,
            dirichlet,
            eps,
            ratio_power,
            seed,
        )
    )
    return result


def federated_orthogonal_training_steps(
    points: np.ndarray,
    labels: np.ndarray,
    test_points: np.ndarray,
    test_labels: np.ndarray,
    tasks: int = 5,
    clients: int = 10,
    rounds: int = 40,
    local_epochs: int = 5,
    batch: int = 16,
    learning_rate: float = 0.1,
    hidden: tuple[int, ...] = (100, 100),
    dirichlet: float | None = None,
    eps: float = 0.96,
    ratio_power: Power = 2,
    seed: int = 0,
    state: dict[str, Any] | None = None,
) -> Steps:
    """Do what `federated_orthogonal_training` does, 5 rounds after others.

    Args:
        points: As there, like all others.
        labels: See there.
        test_points: See there.
        test_labels: See there.
        tasks: See there.
        clients: See there.
        rounds: See there.
        local_epochs: See there.
        batch: See there.
        learning_rate: See there.
        hidden: See there.
        dirichlet: See there.
        eps: See there.
        ratio_power: See there.
        seed: See there.
        state: What an earlier run yielded.

    Yields:
        (fraction done, state).

    Returns:
        Both algorithms' results.

    Source: as for `federated_orthogonal_training`.

    Example:
        >>> x, y = np.eye(4), np.array([0, 1, 0, 1])
        >>> run = federated_orthogonal_training_steps(
        ...     x, y, x, y, tasks=2, clients=2, rounds=5, hidden=(4,)
        ... )
        >>> [fraction for fraction, _ in run]
        [0.5, 1.0]
    """
    _require_scale(points=points, test_points=test_points)
    _require(labels, test_labels, clients)
    widths = (points.shape[1], *hidden, int(labels.max()) + 1)
    shares = split(labels, clients, dirichlet, np.random.default_rng([seed, 0]))
    local_steps = local_epochs * max(1, round(len(points) / (clients * batch)))
    state = state or _start(widths, seed)
    while state["task"] < tasks:
        order = order_of_task(widths[0], state["task"], seed)
        first, last = state["round"], min(state["round"] + _CHUNK, rounds)
        rows = np.stack(
            [
                draw_rows(shares, local_steps, batch, [seed, 2, state["task"], number])
                for number in range(first, last)
            ]
        )
        # For each layer without and with the projection.
        projectors = [
            np.stack([np.zeros((len(u), len(u))), u @ u.T]).astype(np.float32)
            for u in state["subspaces"]
        ]
        with jax.enable_x64(False):
            x = points[:, order].astype(np.float32)
            weights = advance(state["weights"], projectors, x, labels, rows, learning_rate)
        state = state | {"round": last, "weights": [np.asarray(w) for w in weights]}
        if not all(np.isfinite(w).all() for w in state["weights"]):
            raise DivergenceError(
                f"The training diverged in task {state['task'] + 1}; lower `learning_rate` or "
                "scale `points`."
            )
        if last == rounds:
            orders = [order_of_task(widths[0], task, seed) for task in range(tasks)]
            accuracy = measure_accuracy(state["weights"], test_points, test_labels, orders)
            ends = _extend(state, points[:, order], shares, eps, ratio_power, seed)
            state = state | ends | {"accuracy": [*state["accuracy"], accuracy]}
        yield (state["task"] + state["round"] / rounds) / tasks, state
    accuracy = np.stack(state["accuracy"])  # after task, algorithm, on task
    uploads = clients * _NUMBER_BYTES
    return Federation(
        orthogonal=_learned(accuracy[:, 1]),
        averaging=_learned(accuracy[:, 0]),
        rank_fractions=np.array(state["rank_fractions"]),
        sketch_bytes=uploads * sum(n**2 + 2 for n in widths[:-1]),
        weight_bytes=uploads * rounds * sum(a * b for a, b in pairwise(widths)),
        client_sizes=np.array([len(share) for share in shares]),
    )


def _require_scale(**arrays: np.ndarray) -> None:
    for name, array in arrays.items():
        if (largest := np.abs(array).max()) > _LARGEST:
            raise InputError(
                f"`{name}` must hold numbers of size at most {_LARGEST:g}, but holds one of "
                f"{largest:g}; scale them to the order of 1.",
                f"/{name}",
            )


def _require(labels: np.ndarray, test_labels: np.ndarray, clients: int) -> None:
    classes = int(labels.max()) + 1
    if labels.min() < 0 or len(np.unique(labels)) != classes or classes < 2:
        raise InputError(
            "`labels` must be 0..K-1 with K >= 2, each at least once, but are not.", "/labels"
        )
    if test_labels.min() < 0 or test_labels.max() >= classes:
        raise InputError(
            f"`test_labels` must be in 0..{classes - 1}, as `labels` are, but are not.",
            "/test_labels",
        )
    if len(labels) < clients:
        raise InputError(
            f"`clients` must be at most the {len(labels)} points, one each, but is {clients}.",
            "/clients",
        )


def _start(widths: tuple[int, ...], seed: int) -> dict[str, Any]:
    rng = np.random.default_rng([seed, 1])
    weights = []
    for fan_in, fan_out in pairwise(widths):
        drawn = rng.normal(0, (2 / fan_in) ** 0.5, (fan_out, fan_in)).astype(np.float32)
        weights.append(np.stack([drawn, drawn]))  # algorithm, outputs, inputs
    return {
        "task": 0,
        "round": 0,
        "weights": weights,
        "subspaces": [np.zeros((n, 0)) for n in widths[:-1]],
        "accuracy": [],
        "rank_fractions": [],
    }


def _extend(
    state: dict[str, Any],
    points: np.ndarray,
    shares: list[np.ndarray],
    eps: float,
    ratio_power: Power,
    seed: int,
) -> dict[str, Any]:
    """Extend every layer's subspace by the inputs of the task that ends."""
    own = [w[1] for w in state["weights"]]
    inputs = [np.asarray(x, float) for x in layer_inputs(own, points.astype(np.float32))[:-1]]
    subspaces, fractions = [], []
    for layer, (old, x) in enumerate(zip(state["subspaces"], inputs, strict=True)):
        found = global_principal_subspace(
            tuple(x[share] for share in shares),
            old if old.shape[1] else None,
            eps,
            ratio_power,
            # One of its own for each task and layer.
            int(np.random.default_rng([seed, 4, state["task"], layer]).integers(2**62)),
        )
        subspaces.append(found.subspace)
        fractions.append(found.rank_fraction)
    return {
        "task": state["task"] + 1,
        "round": 0,
        "subspaces": subspaces,
        "rank_fractions": [*state["rank_fractions"], fractions],
    }


def _learned(accuracy: np.ndarray) -> Learned:
    final, learned = accuracy[-1], np.diag(accuracy)
    return Learned(accuracy, float(final.mean()), float((learned - final)[:-1].mean()))


def training_work(
    points: np.ndarray,
    labels: np.ndarray,
    tasks: int,
    clients: int,
    rounds: int,
    local_epochs: int,
    batch: int,
    hidden: tuple[int, ...],
    **_: Any,
) -> float:
    """Return the multiplications of both trainings, roughly.

    Args:
        points: Of training.
        labels: Theirs.
        tasks: T.
        clients: C.
        rounds: For each task.
        local_epochs: In a round.
        batch: Samples in a step.
        hidden: Widths.

    Returns:
        Three passes per gradient, an update of all weights per step, and the subspaces.

    Source: counted.

    Example:
        >>> work = training_work(np.ones((100, 64)), np.arange(10), 5, 10, 40, 5, 16, (100, 100))
        >>> f"{work:.1e}"
        '1.9e+10'
    """
    # The labels were not looked at yet: any number of classes is one of outputs.
    classes = min(max(int(labels.max()) + 1, 2), len(points))
    widths = (points.shape[1], *hidden, classes)
    weights = sum(a * b for a, b in pairwise(widths))
    steps = tasks * rounds * clients * local_epochs
    steps *= max(1, round(len(points) / (clients * batch)))
    subspaces = tasks * sum(n**2 * (len(points) + 20 * n) for n in widths[:-1])
    return float(2 * steps * weights * (3 * batch + 5) + subspaces)
