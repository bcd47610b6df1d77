"""Points of a domain and the functions of a hidden layer on them."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Interval
from jaxtyping import Float
from scipy.special import expit, roots_legendre

from aqc.errors import InputError

MOST_POINTS = 4000
_MOST_AXES = 16
_MOST_NUMBERS = 8_000_000


@dataclass(frozen=True)
class Points:
    """The caller's points, equally weighted; at most 4000 in at most 16 dimensions."""

    points: Float[np.ndarray, "points dimensions"]
    kind: Literal["points"] = "points"


@dataclass(frozen=True)
class GaussLegendre:
    """The tensor Gauss-Legendre rule on [-1, 1]^d with `per_axis` points along each axis."""

    per_axis: Annotated[int, Interval(ge=2, le=MOST_POINTS)]
    dimensions: Annotated[int, Interval(ge=1, le=3)] = 1
    kind: Literal["gauss_legendre"] = "gauss_legendre"


@dataclass(frozen=True)
class Uniform:
    """Random points of [-1, 1]^d."""

    count: Annotated[int, Interval(ge=2, le=MOST_POINTS)]
    dimensions: Annotated[int, Interval(ge=1, le=_MOST_AXES)] = 1
    seed: Annotated[int, Interval(ge=0)] = 0
    kind: Literal["uniform"] = "uniform"


@dataclass(frozen=True)
class Power:
    """sigma(u) = u^k, whose functions are the polynomials of degree k."""

    exponent: Annotated[int, Interval(ge=1, le=10)]
    kind: Literal["power"] = "power"


Domain = Points | GaussLegendre | Uniform
Activation = Literal["tanh", "sigmoid", "sin", "gauss", "softplus", "relu", "leaky_relu"] | Power


def activate(activation: Activation, u: np.ndarray) -> np.ndarray:
    """Return sigma(u)."""
    if isinstance(activation, Power):
        return u**activation.exponent
    functions = {
        "tanh": np.tanh,
        "sigmoid": expit,
        "sin": np.sin,
        "gauss": lambda x: np.exp(-(x**2)),
        "softplus": lambda x: np.logaddexp(0, x),
        "relu": lambda x: np.maximum(x, 0),
        "leaky_relu": lambda x: np.maximum(x, 0.01 * x),
    }
    values: np.ndarray = functions[activation](u)
    return values


def point_count(domain: Domain) -> int:
    """Return the number of points, without making them."""
    if isinstance(domain, GaussLegendre):
        return int(domain.per_axis**domain.dimensions)
    return len(domain.points) if isinstance(domain, Points) else domain.count


def read_domain(domain: Domain) -> tuple[np.ndarray, np.ndarray]:
    """Return points, shape (n, d), and weights of sum 1.

    Raises:
        InputError: There are too many, or the caller's do not vary.
    """
    if isinstance(domain, Uniform):
        rng = np.random.default_rng(domain.seed)
        points = rng.uniform(-1, 1, (domain.count, domain.dimensions))
        return points, np.full(len(points), 1 / len(points))
    if isinstance(domain, GaussLegendre):
        if domain.per_axis**domain.dimensions > MOST_POINTS:
            raise InputError(
                f"`domain` must have at most {MOST_POINTS} points, but {domain.per_axis} along "
                f"each of {domain.dimensions} axes are {domain.per_axis**domain.dimensions}.",
                "/domain",
            )
        return tensor_rule(domain.per_axis, domain.dimensions)
    points = domain.points
    if len(points) > MOST_POINTS or points.shape[1] > _MOST_AXES:
        raise InputError(
            f"`domain.points` must have at most {MOST_POINTS} points in {_MOST_AXES} dimensions, "
            f"but has shape {points.shape}.",
            "/domain/points",
        )
    if len(points) < 2 or np.ptp(points, axis=0).max() == 0:
        raise InputError("`domain.points` must hold different points, but does not.", "/domain")
    return points, np.full(len(points), 1 / len(points))


def tensor_rule(per_axis: int, axes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights (sum 1) of the tensor Gauss-Legendre rule on [-1, 1]^axes."""
    nodes, weights = roots_legendre(per_axis)
    grid = np.stack(np.meshgrid(*[nodes] * axes, indexing="ij"), -1).reshape(-1, axes)
    products = np.ones(1)
    for _ in range(axes):
        products = np.multiply.outer(products, weights / 2).ravel()
    return grid, products


def hidden_functions(
    points: np.ndarray,
    activation: Activation,
    bounds: tuple[float, float],
    width: int,
    widest: int,
    depth: int,
    scaled: bool,
    seed: int,
) -> np.ndarray:
    """Return the last layer's functions at the points, shape (n, width).

    Weights and biases are the first ones of a draw for the widest layer: at depth 1 the functions
    of a narrower layer are among those of a wider.
    """
    values = points
    for layer in range(depth):
        rng = np.random.default_rng([seed, layer])
        bias = rng.uniform(-bounds[1], bounds[1], widest)[:width]
        # Drawn by columns, so that the first columns do not depend on the number of columns.
        fan_in = points.shape[1] if layer == 0 else widest
        weights = rng.uniform(-bounds[0], bounds[0], (widest, fan_in))[:width, : values.shape[1]]
        scale = np.sqrt(values.shape[1]) if scaled else 1.0
        values = activate(activation, values @ weights.T / scale + bias)
    return values


def check_size(points: int, widths: tuple[int, ...]) -> None:
    """Refuse matrices that are too large.

    Raises:
        InputError: The points times the largest width are too many.
    """
    if points * max(widths) > _MOST_NUMBERS:
        raise InputError(
            f"`widths` must be at most {_MOST_NUMBERS // points} for {points} points, but the "
            f"largest is {max(widths)}.",
            "/widths",
        )
