"""NorMuon as an optax transformation."""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from aqc.errors import InputError
from aqc.kernels._muon import (
    chain_for_matrices,
    follow_mean,
    map_leaves,
    newton_schulz,
    require_within,
)

Scale = Literal["paper", "repo"]


class NormuonState(NamedTuple):
    """State of `scale_by_normuon`, trees of one leaf for each matrix.

    Attributes:
        steps: Steps made.
        mu: M, the running mean of the gradients.
        nu: v, the running mean of the squares of the orthogonalized updates, one number for each
            neuron, shape (neurons,).
    """

    steps: jax.Array
    mu: Any
    nu: Any


def normuon(
    learning_rate: optax.ScalarOrSchedule,
    *,
    b1: float = 0.95,
    b2: float = 0.95,
    ns_steps: int = 5,
    nesterov: bool = True,
    scale: Scale = "paper",
    neuron_axis: int = -1,
    weight_decay: float = 0.0,
    bias_correction: bool = False,
    eps: float = 1e-8,
) -> optax.GradientTransformation:
    """Return the optimizer NorMuon for leaves of two and more axes, AdamW for others.

    p <- p (1 - lr wd) - lr update, see `scale_by_normuon`.

    Args:
        learning_rate: lr, a number or a schedule.
        b1: Of the running mean of the gradients.
        b2: Of the running mean of the squares.
        ns_steps: Newton-Schulz iterations, 1 to 10.
        nesterov: Orthogonalize b1 M + (1 - b1) G, else M.
        scale: "paper" makes the root mean square of an update's entries 0.2; "repo" keeps the
            norm of the orthogonal matrix, times sqrt(max(1, fan_out / fan_in)).
        neuron_axis: Axis of the outputs; all others are flattened. Last for weights that inputs
            are multiplied with from the left (JAX), 0 for PyTorch's.
        weight_decay: wd.
        bias_correction: Divide running means of gradients by their weights, as optax's Muon does.
        eps: Guards divisions by the root of v.

    Returns:
        An optax transformation.

    Raises:
        InputError: A setting is outside of its interval.

    Source:
        arXiv:2510.05491, Algorithm 1, and its authors' code ("repo").

    Example:
        >>> optimizer = normuon(0.01)
        >>> weights = {"dense": jnp.eye(8), "bias": jnp.zeros(8)}
        >>> updates, _ = optimizer.update(weights, optimizer.init(weights), weights)
        >>> round(float(jnp.sqrt(jnp.mean(updates["dense"] ** 2))), 6)
        0.002
    """
    direction = scale_by_normuon(
        b1, b2, ns_steps, nesterov, scale, neuron_axis, bias_correction, eps
    )
    return chain_for_matrices(
        direction, learning_rate, weight_decay, lambda leaf: jnp.ndim(leaf) >= 2
    )


def scale_by_normuon(
    b1: float = 0.95,
    b2: float = 0.95,
    ns_steps: int = 5,
    nesterov: bool = True,
    scale: Scale = "paper",
    neuron_axis: int = -1,
    bias_correction: bool = False,
    eps: float = 1e-8,
) -> optax.GradientTransformation:
    """Return the transformation from gradients to NorMuon's directions.

    M <- b1 M + (1 - b1) G;  O = Newton-Schulz(b1 M + (1 - b1) G);
    v <- b2 v + (1 - b2) mean over inputs of O^2, by neuron;  H = O / (sqrt(v) + eps);
    direction = 0.2 sqrt(m n) H / ||H||_F.

    Args:
        b1: As in `normuon`, like all others.
        b2: See there.
        ns_steps: See there.
        nesterov: See there.
        scale: See there.
        neuron_axis: See there.
        bias_correction: See there.
        eps: See there.

    Returns:
        An optax transformation whose state is a `NormuonState`.

    Raises:
        InputError: A setting is outside of its interval, or, on init, a leaf has less than two
            axes.

    Source:
        arXiv:2510.05491, Algorithm 1.

    Example:
        >>> transformation = scale_by_normuon()
        >>> gradient = jnp.array([[1.0, 100.0, 0.1], [2.0, 100.0, -0.1]])
        >>> direction, _ = transformation.update(gradient, transformation.init(gradient))
        >>> bool(jnp.allclose(jnp.linalg.norm(direction, axis=0), 0.08**0.5, rtol=1e-5))
        True
    """
    require_within(b1, "b1", 0, 1, "[)")
    require_within(b2, "b2", 0, 1, "[)")
    require_within(ns_steps, "ns_steps", 1, 10)

    def init(params: Any) -> NormuonState:
        for leaf in jax.tree.leaves(params):
            if jnp.ndim(leaf) < 2:
                raise InputError(
                    "The parameters of scale_by_normuon must have at least two axes, but one has "
                    f"shape {jnp.shape(leaf)}; normuon() gives such leaves to AdamW."
                )
        nu = jax.tree.map(lambda p: jnp.zeros(p.shape[neuron_axis], p.dtype), params)
        return NormuonState(jnp.zeros((), jnp.int32), optax.tree.zeros_like(params), nu)

    def update(updates: Any, state: NormuonState, params: Any = None) -> tuple[Any, NormuonState]:
        count = optax.safe_increment(state.steps)

        def step(gradient: jax.Array, mean: jax.Array, nu: jax.Array) -> tuple[jax.Array, ...]:
            mean, along = follow_mean(b1, nesterov, mean, gradient)
            if bias_correction:
                along = _corrected(mean, gradient, count, b1, nesterov)
            matrix = jnp.moveaxis(along, neuron_axis, -1)
            orthogonal = newton_schulz(
                matrix.reshape(-1, matrix.shape[-1]), steps=ns_steps, eps=eps
            )
            nu = b2 * nu + (1 - b2) * jnp.mean(orthogonal**2, 0)
            direction = _rescaled(orthogonal / (jnp.sqrt(nu) + eps), orthogonal, scale)
            direction = jnp.moveaxis(direction.reshape(matrix.shape), -1, neuron_axis)
            return direction, mean, nu

        direction, mean, nu = map_leaves(step, 3, updates, state.mu, state.nu)
        return direction, NormuonState(count, mean, nu)

    return optax.GradientTransformation(init, update)


def _corrected(
    mean: jax.Array, gradient: jax.Array, count: jax.Array, b1: float, nesterov: bool
) -> jax.Array:
    """Return the momentum as optax's Muon takes it, the mean one step ahead in its weight."""
    if not nesterov:
        return mean / (1 - b1**count)
    return b1 * mean / (1 - b1 ** (count + 1)) + (1 - b1) * gradient / (1 - b1**count)


def _rescaled(direction: jax.Array, orthogonal: jax.Array, scale: Scale) -> jax.Array:
    norm = jnp.linalg.norm(direction)
    norm = jnp.where(norm > 0, norm, 1.0)
    fan_in, fan_out = direction.shape
    if scale == "paper":
        return 0.2 * (fan_in * fan_out) ** 0.5 * direction / norm
    factor = max(1.0, fan_out / fan_in) ** 0.5
    return factor * jnp.linalg.norm(orthogonal) * direction / norm
