"""The commutator of two steps of gradient descent, and where it points."""

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Interval
from jaxtyping import Float, Int
from scipy.special import gammaln

from aqc.errors import InputError
from aqc.kernels._magnitude import refuse_huge
from aqc.kernels._signature import checked
from aqc.kernels.execution_manifold._trajectory import (
    SNAPSHOTS,
    BlockSizes,
    principal_directions,
    require_trajectory,
    slices,
)

StepSize = Annotated[float, Interval(ge=1e-9, le=1)]
Components = Annotated[int, Interval(ge=1, le=16)]
_SYMMETRIC = 1e-10
_LEAST_SLOPE = 1e-60  # its square, times eta^2, is still a number


class Projection(NamedTuple):
    """Where commutators point, relative to the execution subspace of a trajectory.

    Args:
        inside: ||B^T delta|| / ||delta||, B the subspace, shape (commutators,).
        outside: Norm of the rest by ||delta||; close to 1 for every small subspace.
        random: Mean of `inside` over random subspaces of the same dimension.
        random_rms: sqrt(K / P), the root of its mean square.
        ratio: inside / random, shape (commutators,).
        components: Directions from each block, shape (blocks,).
        subspace_dimension: K, their sum.
    """

    inside: Float[np.ndarray, " commutators"]
    outside: Float[np.ndarray, " commutators"]
    random: float
    random_rms: float
    ratio: Float[np.ndarray, " commutators"]
    components: Int[np.ndarray, " blocks"]
    subspace_dimension: int


class Commutator(NamedTuple):
    """How much the order of two steps matters.

    Args:
        delta: theta_AB - theta_BA, shape (n,).
        leading: eta^2 (H_B g_A - H_A g_B), exact for quadratic losses, shape (n,).
        defect: ||delta|| / (||eta g_A|| ||eta g_B||).
    """

    delta: Float[np.ndarray, " n"]
    leading: Float[np.ndarray, " n"]
    defect: float


@checked(snapshots=SNAPSHOTS, commutators=(1, 1000))
def commutator_projection(
    commutators: Float[np.ndarray, "commutators parameters"],
    weights: Float[np.ndarray, "snapshots parameters"],
    block_sizes: BlockSizes = (),
    n_components: Components = 3,
) -> Projection:
    """Return how much of each commutator lies in the trajectory's leading directions.

    rho = ||B^T delta|| / ||delta||, with B the leading principal directions of every block, beside
    the mean of rho over all subspaces of the same dimension.

    Args:
        commutators: delta, one per row, shape (J, P).
        weights: Snapshots up to the time of the commutators as rows, shape (S, P).
        block_sizes: Lengths of the consecutive blocks that make up a row; one block if none.
        n_components: Directions from each block, at most S - 1; a block gives fewer if its
            trajectory takes fewer.

    Returns:
        Shares inside and outside of the subspace, and what a random one has.

    Raises:
        InputError: A commutator is zero, nothing moves, or there are too few snapshots.

    Source: arXiv:2602.10496. The random subspaces are averaged exactly: rho^2 of a random one has
        the law Beta(K/2, (P - K)/2). The paper draws ten.

    Example:
        >>> line = np.outer(np.arange(6.0), [1.0, 0.0, 0.0, 0.0])
        >>> found = commutator_projection(np.array([[3.0, 4.0, 0.0, 0.0]]), line)
        >>> found.inside.round(9).tolist(), found.outside.round(9).tolist(), found.random_rms
        ([0.6], [0.8], 0.5)
    """
    require_trajectory(weights)
    refuse_huge(commutators=commutators)
    blocks = slices(block_sizes, weights.shape[1])
    if n_components > len(weights) - 1:
        raise InputError(
            f"`n_components` must be at most {len(weights) - 1}, one less than the snapshots, but "
            f"is {n_components}.",
            "/n_components",
        )
    if (zero := ~commutators.any(1)).any():
        raise InputError(
            f"`commutators` must not be zero: the fractions of row {zero.argmax()} are undefined.",
            "/commutators",
        )
    directions = [principal_directions(weights[:, block], n_components) for block in blocks]
    if not any(d.size for d in directions):
        raise InputError(
            "`weights` must move, but have no variance: there is no execution subspace.",
            "/weights",
        )
    return project(commutators, list(zip(blocks, directions, strict=True)))


def project(deltas: np.ndarray, basis: list[tuple[slice, np.ndarray]]) -> Projection:
    """Return the shares of vectors inside and outside of a subspace.

    Args:
        deltas: Shape (J, P), no row zero.
        basis: For each block its place and its orthonormal directions, shape (p, r).

    Returns:
        As of `commutator_projection`.

    Source: arXiv:2602.10496; blocks are disjoint, so that their directions are orthonormal
        together.

    Example:
        >>> project(np.array([[2.0, 0.0]]), [(slice(0, 1), np.eye(1))]).inside.tolist()
        [1.0]
    """
    # Scaled first: squares of numbers near 1e-200 vanish.
    unit = deltas / np.abs(deltas).max(1, keepdims=True)
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    rest = unit.copy()
    inside = np.zeros(len(unit))
    for block, directions in basis:
        parts = unit[:, block] @ directions
        inside += np.sum(parts**2, 1)
        rest[:, block] -= parts @ directions.T
    components = np.array([directions.shape[1] for _, directions in basis])
    k, p = int(components.sum()), deltas.shape[1]
    mean = mean_random_share(k, p)
    share = np.sqrt(inside)
    return Projection(
        share,
        np.linalg.norm(rest, axis=1),
        mean,
        float(np.sqrt(k / p)),
        share / mean,
        components,
        k,
    )


def mean_random_share(dimension: int, parameters: int) -> float:
    """Return the mean of ||B^T x|| / ||x|| over random subspaces B.

    Args:
        dimension: K, of the subspaces.
        parameters: P.

    Returns:
        Gamma((K+1)/2) Gamma(P/2) / (Gamma(K/2) Gamma((P+1)/2)), slightly below sqrt(K / P).

    Source: the mean of the root of a Beta(K/2, (P - K)/2) variable.

    Example:
        >>> round(mean_random_share(1, 2), 6) == round(2 / np.pi, 6)
        True
    """
    k, p = dimension / 2, parameters / 2
    logs = gammaln(k + 0.5) - gammaln(k) - (gammaln(p + 0.5) - gammaln(p))
    return float(np.exp(logs))


def commutator(
    gradient_a: Callable[[Any], Any], gradient_b: Callable[[Any], Any], theta: Any, eta: float
) -> tuple[Any, Any]:
    """Return the commutator of two gradient steps, and its defect.

    theta_A = theta - eta g_A(theta), theta_AB = theta_A - eta g_B(theta_A); the commutator is
    theta_AB - theta_BA = eta (g_A(theta_B) - g_A(theta) - g_B(theta_A) + g_B(theta)), which does
    not cancel against theta.

    Args:
        gradient_a: Of the loss of one mini-batch, from parameters to an array of their shape.
        gradient_b: Of the other.
        theta: Parameters, NumPy or JAX, shape (P,); in double precision, as the result is a
            difference of the order of eta^2.
        eta: Step size.

    Returns:
        delta, shape (P,), and ||delta|| / (||eta g_A|| ||eta g_B||).

    Source: arXiv:2602.10496.

    Example:
        >>> delta, defect = commutator(lambda x: x, lambda x: x + 1, np.array([3.0]), 0.1)
        >>> float(delta[0].round(12)), float(defect.round(9))
        (-0.01, 0.083333333)
    """
    first, second = gradient_a(theta), gradient_b(theta)
    change_a = gradient_a(theta - eta * second) - first
    change_b = gradient_b(theta - eta * first) - second
    delta = eta * (change_a - change_b)
    norms = [(eta**2 * g @ g) ** 0.5 for g in (first, second)]
    return delta, (delta @ delta) ** 0.5 / (norms[0] * norms[1])


@checked(n=(1, 2000))
def sgd_commutator(
    hessian_a: Float[np.ndarray, "n n"],
    hessian_b: Float[np.ndarray, "n n"],
    linear_a: Float[np.ndarray, " n"],
    linear_b: Float[np.ndarray, " n"],
    theta: Float[np.ndarray, " n"],
    eta: StepSize = 1e-3,
) -> Commutator:
    """Return how much the order of two gradient steps on quadratic losses matters.

    L_A = theta^T A theta / 2 - a^T theta and L_B likewise; delta = eta^2 (B g_A - A g_B) is exact.

    Args:
        hessian_a: A, symmetric, shape (n, n).
        hessian_b: B, symmetric, shape (n, n).
        linear_a: a, shape (n,).
        linear_b: b, shape (n,).
        theta: Where the steps start, shape (n,).
        eta: Step size.

    Returns:
        The commutator by four gradients, its closed form, and the defect. For other losses, see
        `commutator`.

    Raises:
        InputError: A Hessian is not symmetric, or a gradient is zero.

    Source: arXiv:2602.10496 for the commutator and its defect.

    Example:
        >>> found = sgd_commutator(np.diag([1.0, 2.0]), np.ones((2, 2)), [0, 0], [0, 0], [1, 0])
        >>> (found.leading * 1e6).round(6).tolist()
        [0.0, -1.0]
    """
    refuse_huge(
        hessian_a=hessian_a, hessian_b=hessian_b, linear_a=linear_a, linear_b=linear_b, theta=theta
    )
    for name, matrix in (("hessian_a", hessian_a), ("hessian_b", hessian_b)):
        gap = np.abs(matrix - matrix.T).max()
        if gap > _SYMMETRIC * np.abs(matrix).max():
            raise InputError(
                f"`{name}` must be symmetric, but differs from its transpose by {gap:.3g}.",
                f"/{name}",
            )
    slopes = hessian_a @ theta - linear_a, hessian_b @ theta - linear_b
    for name, slope in zip(("a", "b"), slopes, strict=True):
        if np.abs(slope).max() < _LEAST_SLOPE:
            raise InputError(
                f"`theta` must not be a minimum, but the gradient of loss {name} vanishes there: "
                "the defect is undefined.",
                "/theta",
            )
    delta, defect = commutator(
        lambda x: hessian_a @ x - linear_a, lambda x: hessian_b @ x - linear_b, theta, eta
    )
    leading = eta**2 * (hessian_b @ slopes[0] - hessian_a @ slopes[1])
    return Commutator(delta, leading, float(defect))
