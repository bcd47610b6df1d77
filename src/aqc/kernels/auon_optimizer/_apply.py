"""Recorded gradients to AuON's updates."""

import functools
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import optax
from annotated_types import Gt, Interval, Len
from jaxtyping import Float

from aqc.kernels._muon import require_pairs, run_over
from aqc.kernels._signature import checked
from aqc.kernels.auon_optimizer._transformation import AuonState, Form, scale_by_auon

Gradients = Annotated[tuple[Float[np.ndarray, "steps ?m ?n"], ...], Len(1, 100)]
Parameters = Annotated[tuple[Float[np.ndarray, "?m ?n"], ...], Len(1, 100)]


@dataclass(frozen=True)
class AuonLayer:
    """What AuON made of the gradients of one matrix.

    Attributes:
        updates: To be added to the parameters, shape (steps, m, n).
        scale: r of each step, shape (steps,).
        scale_bounds: Least and largest r that any matrix of this shape has.
        spectral_norm: Of U of each step, shape (steps,).
        cosine_to_momentum: Of U and G, shape (steps,); 0 where one is zero.
    """

    updates: Float[np.ndarray, "steps m n"]
    scale: Float[np.ndarray, " steps"]
    scale_bounds: Float[np.ndarray, "2"]
    spectral_norm: Float[np.ndarray, " steps"]
    cosine_to_momentum: Float[np.ndarray, " steps"]


@dataclass(frozen=True)
class AuonUpdates:
    """What AuON made of the gradients, layer by layer."""

    layers: tuple[AuonLayer, ...]


@checked(steps=(1, 100), m=(1, 2048), n=(1, 2048))
def apply(
    gradients: Gradients,
    learning_rate: Annotated[float, Gt(0)] = 0.1,
    beta: Annotated[float, Interval(ge=0, lt=1)] = 0.95,
    gamma: Annotated[float, Interval(ge=0, le=20)] = 1.0,
    form: Form = "paper",
    shape_scale: bool = False,
    weight_decay: Annotated[float, Interval(ge=0)] = 0.0,
    parameters: Parameters | None = None,
) -> AuonUpdates:
    """Turn recorded gradients of matrices into AuON's updates.

    Args:
        gradients: For each layer an array (steps, m, n), from zero momentum on.
        learning_rate: lr.
        beta: Of the running mean of the gradients.
        gamma: Inside cosh.
        form: "paper" divides u by r; "repo" divides G, whose scale the step then keeps.
        shape_scale: Multiply a step by sqrt(max(1, columns / rows)).
        weight_decay: wd, which acts on the parameters.
        parameters: For each layer the array (m, n) before the first step; zero when not given.

    Returns:
        Updates of each layer, r with its bounds, spectral norms and cosines to the momentum.

    Raises:
        InputError: There are not as many parameters as gradients.

    Source:
        arXiv:2509.24320; the bounds of r follow from ||u||_F = 1 and are derived here.

    Example:
        >>> gradient = np.random.default_rng(0).normal(size=(1, 8, 8))
        >>> layer = apply([gradient]).layers[0]
        >>> bool(layer.scale_bounds[0] < layer.scale[0] < layer.scale_bounds[1])
        True
    """
    direction = _direction(beta, gamma, form, shape_scale, None)
    return _apply(direction, gradients, parameters, learning_rate, weight_decay, beta, gamma)


@checked(steps=(1, 100), m=(1, 2048), n=(1, 2048))
def apply_hybrid(
    gradients: Gradients,
    learning_rate: Annotated[float, Gt(0)] = 0.01,
    beta: Annotated[float, Interval(ge=0, lt=1)] = 0.95,
    gamma: Annotated[float, Interval(ge=0, le=20)] = 1.0,
    ns_steps: Annotated[int, Interval(ge=0, le=10)] = 1,
    shape_scale: bool = False,
    weight_decay: Annotated[float, Interval(ge=0)] = 0.0,
    parameters: Parameters | None = None,
) -> AuonUpdates:
    """Turn recorded gradients of matrices into Hybrid AuON's updates.

    Args:
        gradients: For each layer an array (steps, m, n), from zero momentum on.
        learning_rate: lr.
        beta: Of the running mean of the gradients.
        gamma: Inside cosh.
        ns_steps: Newton-Schulz iterations before the scale.
        shape_scale: Multiply a step by sqrt(max(1, columns / rows)).
        weight_decay: wd, which acts on the parameters.
        parameters: For each layer the array (m, n) before the first step; zero when not given.

    Returns:
        As `apply`.

    Raises:
        InputError: There are not as many parameters as gradients.

    Source:
        arXiv:2509.24320.

    Example:
        >>> gradient = np.random.default_rng(0).normal(size=(1, 4, 16))
        >>> norm = apply_hybrid([gradient], ns_steps=5).layers[0].spectral_norm[0]
        >>> bool(0.7 < norm < 1.25)
        True
    """
    direction = _direction(beta, gamma, "paper", shape_scale, ns_steps)
    return _apply(direction, gradients, parameters, learning_rate, weight_decay, beta, gamma)


def _apply(
    direction: optax.GradientTransformation,
    gradients: tuple[np.ndarray, ...],
    parameters: tuple[np.ndarray, ...] | None,
    learning_rate: float,
    weight_decay: float,
    beta: float,
    gamma: float,
) -> AuonUpdates:
    require_pairs(parameters, gradients)
    updates, (directions, means, scales) = run_over(
        direction, _observe, gradients, parameters, learning_rate, weight_decay
    )
    layers = []
    for i, gradient in enumerate(gradients):
        momentum = beta * means[i] + (1 - beta) * gradient
        layers.append(
            AuonLayer(
                updates=updates[i],
                scale=scales[i],
                scale_bounds=_scale_bounds(gradient[0].size, gamma),
                spectral_norm=np.linalg.norm(directions[i], 2, axis=(1, 2)),
                cosine_to_momentum=_cosines(momentum, directions[i]),
            )
        )
    return AuonUpdates(tuple(layers))


# Cached, because the compiled run is kept by the transformation's identity.
@functools.lru_cache(maxsize=64)
def _direction(
    beta: float, gamma: float, form: Form, shape_scale: bool, ns_steps: int | None
) -> optax.GradientTransformation:
    return scale_by_auon(beta, gamma, form, shape_scale, ns_steps)


def _observe(direction: Any, state: AuonState) -> tuple[Any, Any, Any]:
    return direction, state.mean, state.scale


def _scale_bounds(entries: int, gamma: float) -> np.ndarray:
    """Return the least and the largest r: at a flat matrix and at one with a single entry."""
    flat = np.cosh(gamma / entries**0.5)
    return np.array([flat, np.sqrt((entries - 1 + np.cosh(gamma) ** 2) / entries)])


def _cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(a, axis=(1, 2)) * np.linalg.norm(b, axis=(1, 2))
    products = np.sum(a * b, axis=(1, 2))
    return np.divide(products, norms, out=np.zeros_like(products), where=norms > 0)
