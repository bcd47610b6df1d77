"""The server's two steps: the projected update, and the subspace of earlier tasks' inputs."""

from typing import Annotated, Literal, NamedTuple

import numpy as np
from annotated_types import Interval, Len
from jaxtyping import Float

from aqc.errors import InputError
from aqc.kernels._magnitude import refuse_huge
from aqc.kernels._signature import checked

Share = Annotated[float, Interval(gt=0, lt=1)]
Power = Literal[1, 2]
Seed = Annotated[int, Interval(ge=0)]

_MOST_INPUTS, _MOST_CLIENTS, _MOST_NUMBERS = 2048, 200, 50_000_000
_ORTHONORMAL = 1e-6
# Singular values below this part of the largest are rounding: no direction of any data.
_RANK = 1e-12


class Update(NamedTuple):
    """A layer after one round.

    Args:
        weights: W, shape (outputs, inputs).
        removed: Norm of what was projected away by that of the averaged update.
        notice: What is to be known of it; empty if nothing.
    """

    weights: Float[np.ndarray, "outputs inputs"]
    removed: float
    notice: str


class Subspace(NamedTuple):
    """The principal subspace of a layer's inputs over all tasks so far.

    Args:
        subspace: U, orthonormal columns, shape (inputs, r).
        added: Columns that this task added.
        rank_fraction: r / inputs.
        eps_effective: eps', the share of the sketch's energy that was wanted; 0 if not positive.
        residual_ratios: rho_c of each client, shape (clients,).
        singular_values: Of the summed sketch, shape (min(inputs, m),).
        captured: Share of the pooled activations' energy that lies in U; None where only sketches
            were given.
        notice: What is to be known of it; empty if nothing.
    """

    subspace: Float[np.ndarray, "inputs r"]
    added: int
    rank_fraction: float
    eps_effective: float
    residual_ratios: Float[np.ndarray, " clients"]
    singular_values: Float[np.ndarray, " values"]
    captured: float | None
    notice: str


@checked(clients=(1, _MOST_CLIENTS), inputs=(1, _MOST_INPUTS), outputs=(1, 10_000))
def federated_project(
    weights: Float[np.ndarray, "outputs inputs"],
    client_weights: Float[np.ndarray, "clients outputs inputs"],
    subspace: Float[np.ndarray, "inputs rank"] | None = None,
) -> Update:
    """Average the clients' weights of a layer without changing what it does to earlier inputs.

    W <- W - g (I - U U^T), g = W - mean_c W_c.

    Args:
        weights: W of the round's start, shape (outputs, inputs): the layer maps x to W x. A
            convolution is given as (outputs, channels x height x width).
        client_weights: W_c after local training, shape (clients, outputs, inputs).
        subspace: U, orthonormal columns, shape (inputs, rank); none before the second task.

    Returns:
        The new weights, and how much of the update was projected away.

    Raises:
        InputError: U does not have orthonormal columns.

    Source: arXiv:2309.01289, FedProject; all clients count alike.

    Example:
        >>> found = federated_project(np.zeros((1, 2)), np.ones((3, 1, 2)), [[1], [0]])
        >>> found.weights.tolist(), round(found.removed, 4)
        ([[0.0, 1.0]], 0.7071)
    """
    refuse_huge(weights=weights, client_weights=client_weights)
    update = weights - client_weights.mean(0)
    if subspace is None:
        return Update(weights - update, 0.0, "")
    require_orthonormal(subspace)
    if subspace.shape[0] == subspace.shape[1]:
        return Update(weights, 1.0, "The subspace is full: no update is possible in this layer.")
    kept = project_out(update.T, subspace).T
    size = np.linalg.norm(update)
    removed = float(np.linalg.norm(update - kept) / size) if size else 0.0
    return Update(weights - kept, removed, "")


def project_out(columns: np.ndarray, subspace: np.ndarray) -> np.ndarray:
    """Return columns without their part in a subspace.

    Args:
        columns: Shape (inputs, n).
        subspace: U, orthonormal columns, shape (inputs, r).

    Returns:
        (I - U U^T) columns, shape (inputs, n).

    Source: a projection.

    Example:
        >>> project_out(np.ones((2, 1)), np.eye(2, 1)).tolist()
        [[0.0], [1.0]]
    """
    return np.asarray(columns - subspace @ (subspace.T @ columns))


def require_orthonormal(subspace: np.ndarray) -> None:
    """Refuse a subspace whose columns are not orthonormal.

    Args:
        subspace: U, shape (inputs, rank).

    Raises:
        InputError: It has more columns than rows, or U^T U differs from I by more than 1e-6.

    Source: a check.

    Example:
        >>> require_orthonormal(np.eye(3, 2))
    """
    inputs, rank = subspace.shape
    if rank > inputs:
        raise InputError(
            f"`subspace` must have at most {inputs} columns, one per input, but has {rank}; its "
            "rows belong to the layer's inputs, axis 1 of `weights`.",
            "/subspace",
        )
    refuse_huge(subspace=subspace)
    gap = np.abs(subspace.T @ subspace - np.eye(rank)).max(initial=0.0)
    if gap > _ORTHONORMAL:
        raise InputError(
            f"`subspace` must have orthonormal columns, but U^T U differs from I by {gap:.3g}; "
            "take those of its QR decomposition.",
            "/subspace",
        )


def sketch_activations(
    activations: np.ndarray, subspace: np.ndarray | None, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Return what a client uploads of its activations: a sketch and a ratio.

    Y = R G with R = A - U U^T A and secret G ~ Uniform(-1, 1); rho = ||R|| / ||A||.

    Args:
        activations: A^T, the inputs of a layer for each local sample, shape (n, inputs).
        subspace: U of earlier tasks, shape (inputs, r), or None.
        rng: The client's own.

    Returns:
        Y, shape (inputs, inputs), and rho.

    Source: arXiv:2309.01289, GPSE.

    Example:
        >>> sketch, ratio = sketch_activations(np.eye(2), np.eye(2, 1), np.random.default_rng(0))
        >>> sketch[0].tolist(), round(ratio**2, 12)
        ([0.0, 0.0], 0.5)
    """
    columns = activations.T
    rest = columns if subspace is None else project_out(columns, subspace)
    size = np.linalg.norm(columns)
    ratio = float(np.linalg.norm(rest) / size) if size else 0.0
    return rest @ rng.uniform(-1, 1, activations.shape), ratio


@checked(inputs=(1, _MOST_INPUTS), n=(1, 1_000_000))
def global_principal_subspace(
    client_activations: Annotated[
        tuple[Float[np.ndarray, "?n inputs"], ...], Len(1, _MOST_CLIENTS)
    ],
    subspace: Float[np.ndarray, "inputs rank"] | None = None,
    eps: Share = 0.96,
    ratio_power: Power = 2,
    seed: Seed = 0,
) -> Subspace:
    """Extend a subspace by the principal directions of the clients' activations, from sketches.

    Each client uploads Y_c = R_c G_c and rho_c only; their sum (here a plain sum stands for secure
    aggregation, which is not part of this) is a randomized range sketch of all residuals.

    Args:
        client_activations: For each client the inputs of the layer, shape (n_c, inputs), at least
            one sample each.
        subspace: U of earlier tasks, shape (inputs, rank); none before the first task's end.
        eps: Share of the activations' energy that the extended subspace is to hold.
        ratio_power: Of rho in eps' = (m - (1 - eps)) / m, m the mean of rho^power: 2 is consistent
            with energies, the authors take 1.
        seed: Of the clients' secret matrices.

    Returns:
        The extended subspace, and what it holds of the pooled activations.

    Raises:
        InputError: U does not have orthonormal columns, or there are too many numbers.

    Source: arXiv:2309.01289, GPSE. None is added when eps' is not positive, where the authors'
        code always adds one.

    Example:
        >>> found = global_principal_subspace([[[1.0, 0.0, 0.0]], [[0.0, 2.0, 0.0]]])
        >>> found.subspace.shape, round(found.captured, 9)
        ((3, 2), 1.0)
    """
    refuse_huge(**{f"client_activations[{i}]": x for i, x in enumerate(client_activations)})
    total = sum(x.size for x in client_activations)
    if total > _MOST_NUMBERS:
        raise InputError(
            f"`client_activations` must hold at most {_MOST_NUMBERS} numbers, but hold {total}; "
            "sample fewer.",
            "/client_activations",
        )
    if subspace is not None:
        require_orthonormal(subspace)
    uploads = [
        sketch_activations(x, subspace, np.random.default_rng([seed, client]))
        for client, x in enumerate(client_activations)
    ]
    summed = np.sum([sketch for sketch, _ in uploads], axis=0)
    ratios = np.array([ratio for _, ratio in uploads])
    counts = np.array([float(len(x)) for x in client_activations])
    found = _extend(summed, ratios, counts, subspace, eps, ratio_power)
    energy = sum(float(np.sum(x**2)) for x in client_activations)
    held = sum(float(np.sum((x @ found.subspace) ** 2)) for x in client_activations)
    return found._replace(captured=min(held / energy, 1.0) if energy else 0.0)


@checked(inputs=(1, _MOST_INPUTS), columns=(1, 100_000), clients=(1, _MOST_CLIENTS))
def subspace_from_sketches(
    sketch: Float[np.ndarray, "inputs columns"],
    ratios: Float[np.ndarray, " clients"],
    counts: Float[np.ndarray, " clients"],
    subspace: Float[np.ndarray, "inputs rank"] | None = None,
    eps: Share = 0.96,
    ratio_power: Power = 2,
) -> Subspace:
    """Extend a subspace by the principal directions of a summed sketch: the server's part alone.

    Args:
        sketch: Y, the sum of the clients' Y_c = R_c G_c, shape (inputs, columns).
        ratios: rho_c = ||R_c|| / ||A_c||, within [0, 1], shape (clients,).
        counts: n_c, samples of each client, positive, shape (clients,).
        subspace: U of earlier tasks, shape (inputs, rank).
        eps: Share of the activations' energy that the extended subspace is to hold.
        ratio_power: See `global_principal_subspace`.

    Returns:
        The extended subspace.

    Raises:
        InputError: A ratio or a count is out of range, or U does not have orthonormal columns.

    Source: arXiv:2309.01289, GPSE on the server.

    Example:
        >>> found = subspace_from_sketches(np.diag([3.0, 0.1]), [1.0], [10])
        >>> found.added, found.rank_fraction
        (1, 0.5)
    """
    refuse_huge(sketch=sketch, counts=counts)
    if ratios.min() < 0 or ratios.max() > 1:
        fault = ratios.min() if ratios.min() < 0 else ratios.max()
        raise InputError(f"`ratios` must be within [0, 1], but hold {fault:g}.", "/ratios")
    if counts.min() <= 0:
        raise InputError(
            f"`counts` must be positive, but client {counts.argmin()} has {counts.min():g} "
            "samples; leave it out.",
            "/counts",
        )
    if subspace is not None:
        require_orthonormal(subspace)
    return _extend(sketch, ratios, counts, subspace, eps, ratio_power)


def _extend(
    sketch: np.ndarray,
    ratios: np.ndarray,
    counts: np.ndarray,
    subspace: np.ndarray | None,
    eps: float,
    ratio_power: Power,
) -> Subspace:
    inputs = len(sketch)
    earlier = np.zeros((inputs, 0)) if subspace is None else subspace
    mean = float(counts @ ratios**ratio_power / counts.sum())
    wanted = max(0.0, (mean - (1 - eps)) / mean) if mean > 0 else 0.0
    # What rounding left along U is not a new direction.
    vectors, values, _ = np.linalg.svd(project_out(sketch, earlier), full_matrices=False)
    added = 0
    if wanted > 0 and values[0] > 0:
        energy = np.cumsum((values / values[0]) ** 2)
        enough = int(np.searchsorted(energy, wanted * energy[-1], side="right")) + 1
        independent = int(np.sum(values > _RANK * values[0]))
        added = min(enough, independent, inputs - earlier.shape[1])
    extended = earlier
    if added:
        extended, _ = np.linalg.qr(np.hstack([earlier, vectors[:, :added]]))
    rank = extended.shape[1]
    full = "The subspace is full: no update is possible in this layer." if rank == inputs else ""
    return Subspace(extended, added, rank / inputs, wanted, ratios, values, None, full)


def subspace_work(client_activations: tuple[np.ndarray, ...], **_: object) -> float:
    """Return the work of a subspace: sketches and a singular value decomposition.

    Args:
        client_activations: Of all clients.

    Returns:
        Multiplications, roughly.

    Source: counted.

    Example:
        >>> subspace_work((np.ones((10, 4)),))
        1440.0
    """
    inputs = client_activations[0].shape[1]
    return float(inputs**2 * (sum(len(x) for x in client_activations) + 20 * inputs))


def sketch_work(sketch: np.ndarray, **_: object) -> float:
    """Return the work of a subspace from a sketch: its singular value decomposition.

    Args:
        sketch: Y.

    Returns:
        Multiplications, roughly.

    Source: counted.

    Example:
        >>> sketch_work(np.ones((4, 4)))
        1280.0
    """
    return float(20 * sketch.size * min(sketch.shape))
