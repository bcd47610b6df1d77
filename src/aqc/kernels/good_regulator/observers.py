"""Observers: a Fisher matrix, spins on a graph, or an exponential family on finite states."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Interval
from jaxtyping import Float, Int
from scipy.special import softmax

from aqc.errors import InputError

_MOST_GIVEN = 512
_MOST_STATES, _MOST_STATISTICS = 65_536, 128


@dataclass(frozen=True)
class Given:
    """An observer known by its Fisher matrix.

    Args:
        fisher: Symmetric and positive definite, at most 512 x 512.
    """

    fisher: Float[np.ndarray, "n n"]
    kind: Literal["given"] = "given"


@dataclass(frozen=True)
class Ising:
    """Spins on a graph, p(s) proportional to exp(sum_e J_e s_i s_j); parameters are the J_e.

    Args:
        n_vertices: Number of spins.
        edges: Pairs of vertices, counted from 0.
        couplings: J_e.
    """

    n_vertices: Annotated[int, Interval(ge=2, le=14)]
    edges: Int[np.ndarray, "edges 2"]
    couplings: Float[np.ndarray, " edges"]
    kind: Literal["ising"] = "ising"


@dataclass(frozen=True)
class Family:
    """p(x) proportional to exp(theta . T(x)) on finitely many states.

    Args:
        statistics: T, one row for each state; at most 65536 x 128.
        theta: Natural parameters.
    """

    statistics: Float[np.ndarray, "states parameters"]
    theta: Float[np.ndarray, " parameters"]
    kind: Literal["family"] = "family"


def fisher_of(observer: Given | Ising | Family) -> tuple[np.ndarray, np.ndarray | None]:
    """Return F and, where F was not given, E[T]."""
    if not isinstance(observer, Given):
        return moments(*statistics_of(observer))
    fisher = observer.fisher
    _check_size("fisher", len(fisher), _MOST_GIVEN, "rows")
    error = np.abs(fisher - fisher.T).max()
    if error > 1e-10 * np.abs(fisher).max():
        raise InputError(
            f"`observer.fisher` must be symmetric, but differs from its transpose by {error:.3g}.",
            "/observer/fisher",
        )
    return (fisher + fisher.T) / 2, None


def statistics_of(observer: Ising | Family) -> tuple[np.ndarray, np.ndarray]:
    """Return T, one row for each state, and theta."""
    if isinstance(observer, Family):
        _check_size("statistics", len(observer.statistics), _MOST_STATES, "states")
        _check_size("theta", len(observer.theta), _MOST_STATISTICS, "parameters")
        return observer.statistics, observer.theta
    edges, n = observer.edges, observer.n_vertices
    ordered = {tuple(sorted(edge)) for edge in edges.tolist()}
    if edges.min() < 0 or edges.max() >= n:
        fault = f"has the vertex {edges.max() if edges.max() >= n else edges.min()}"
    elif np.any(edges[:, 0] == edges[:, 1]):
        fault = "joins a vertex to itself"
    elif len(ordered) < len(edges):
        fault = "holds one edge twice"
    else:
        spins = 1.0 - 2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
        return spins[:, edges[:, 0]] * spins[:, edges[:, 1]], observer.couplings
    raise InputError(
        f"`observer.edges` must join different vertices 0, ..., {n - 1}, each pair once, but "
        f"{fault}.",
        "/observer/edges",
    )


def moments(statistics: np.ndarray, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return F = Cov(T) and E[T]."""
    law = softmax(statistics @ theta)
    means = law @ statistics
    centered = statistics - means
    return (centered * law[:, None]).T @ centered, means


def _check_size(field: str, length: int, most: int, what: str) -> None:
    if length > most:
        raise InputError(
            f"`observer.{field}` must have at most {most} {what}, but has {length}.",
            f"/observer/{field}",
        )


def check_positive(values: np.ndarray) -> None:
    """Refuse a Fisher matrix with these ascending eigenvalues unless it is positive definite.

    Raises:
        InputError: It is not.
    """
    if values[0] <= 1e-12 * values[-1]:
        raise InputError(
            "`observer` must have a positive definite Fisher matrix, but has redundant "
            f"parameters: its smallest eigenvalue is {values[0]:.3g}; reduce the model.",
            "/observer",
        )
