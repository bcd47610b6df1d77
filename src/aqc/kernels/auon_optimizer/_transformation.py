"""AuON as an optax transformation."""

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from aqc.kernels._muon import (
    chain_for_matrices,
    follow_mean,
    map_leaves,
    newton_schulz,
    require_matrices,
    require_within,
)

Form = Literal["paper", "repo"]
_EPS = 1e-7


class AuonState(NamedTuple):
    """State of `scale_by_auon`, trees of one leaf for each matrix.

    Attributes:
        mean: m, the running mean of the gradients.
        scale: r of the last step.
    """

    mean: Any
    scale: Any


def auon(
    learning_rate: optax.ScalarOrSchedule,
    *,
    beta: float = 0.95,
    gamma: float = 1.0,
    form: Form = "paper",
    weight_decay: float = 0.0,
    shape_scale: bool = False,
) -> optax.GradientTransformation:
    """Return the optimizer AuON for matrices, AdamW for leaves of other shapes.

    p <- p (1 - lr wd) - lr u / r,  u = G / ||G||_F,  r = sqrt(mean(cosh(gamma u)^2)).

    Args:
        learning_rate: lr, a number or a schedule; a step has Frobenius norm lr / r.
        beta: Of the running mean of the gradients.
        gamma: Inside cosh, 0 to 20; 1 in the paper, 1.5 in the author's code.
        form: "paper" divides u by r; "repo" divides G, whose scale the step then keeps.
        weight_decay: wd.
        shape_scale: Multiply a step by sqrt(max(1, columns / rows)).

    Returns:
        An optax transformation.

    Raises:
        InputError: A setting is outside of its interval.

    Source:
        arXiv:2509.24320 and its author's code; `shape_scale` is in neither's step.

    Example:
        >>> optimizer = auon(0.1)
        >>> weights = jnp.ones((4, 4))
        >>> updates, _ = optimizer.update(weights, optimizer.init(weights), weights)
        >>> bool(0.09 < jnp.linalg.norm(updates) < 0.1)
        True
    """
    direction = scale_by_auon(beta, gamma, form, shape_scale)
    return chain_for_matrices(direction, learning_rate, weight_decay)


def hybrid_auon(
    learning_rate: optax.ScalarOrSchedule,
    *,
    beta: float = 0.95,
    gamma: float = 1.0,
    ns_steps: int = 1,
    weight_decay: float = 0.0,
    shape_scale: bool = False,
) -> optax.GradientTransformation:
    """Return the optimizer Hybrid AuON for matrices, AdamW for leaves of other shapes.

    p <- p (1 - lr wd) - lr X / r,  X the Newton-Schulz iteration of G,  r that of X / ||X||_F.

    Args:
        learning_rate: lr, a number or a schedule.
        beta: As in `auon`.
        gamma: As in `auon`.
        ns_steps: Newton-Schulz iterations, 0 to 10; 1 in the abstract, 5 in the author's code.
        weight_decay: wd.
        shape_scale: As in `auon`.

    Returns:
        An optax transformation.

    Raises:
        InputError: A setting is outside of its interval.

    Source:
        arXiv:2509.24320.

    Example:
        >>> optimizer = hybrid_auon(0.1, ns_steps=5)
        >>> weights = jnp.eye(4)
        >>> updates, _ = optimizer.update(weights, optimizer.init(weights), weights)
        >>> bool(jnp.allclose(updates, updates[0, 0] * jnp.eye(4), atol=1e-6))
        True
    """
    direction = scale_by_auon(beta, gamma, "paper", shape_scale, ns_steps)
    return chain_for_matrices(direction, learning_rate, weight_decay)


def scale_by_auon(
    beta: float = 0.95,
    gamma: float = 1.0,
    form: Form = "paper",
    shape_scale: bool = False,
    ns_steps: int | None = None,
) -> optax.GradientTransformation:
    """Return the transformation from gradients of matrices to AuON's directions.

    Args:
        beta: As in `auon`.
        gamma: As in `auon`.
        form: As in `auon`.
        shape_scale: As in `auon`.
        ns_steps: Newton-Schulz iterations of the hybrid; None is plain AuON.

    Returns:
        An optax transformation whose state is an `AuonState`.

    Raises:
        InputError: A setting is outside of its interval, or, on init, a leaf is no matrix.

    Source:
        arXiv:2509.24320.

    Example:
        >>> transformation = scale_by_auon()
        >>> state = transformation.init(jnp.zeros((2, 2)))
        >>> direction, state = transformation.update(jnp.ones((2, 2)), state)
        >>> round(float(state.scale / jnp.cosh(0.5)), 5)  # all entries of u are 1/2
        1.0
    """
    require_within(beta, "beta", 0, 1, "[)")
    require_within(gamma, "gamma", 0, 20)
    if ns_steps is not None:
        require_within(ns_steps, "ns_steps", 0, 10)

    def init(params: Any) -> AuonState:
        require_matrices(params, "scale_by_auon")
        zeros = optax.tree.zeros_like(params)
        return AuonState(zeros, jax.tree.map(lambda p: jnp.ones((), p.dtype), params))

    def update(updates: Any, state: AuonState, params: Any = None) -> tuple[Any, AuonState]:
        direction, *rest = map_leaves(step, 3, updates, state.mean)
        return direction, AuonState(*rest)

    def step(gradient: jax.Array, mean: jax.Array) -> tuple[jax.Array, ...]:
        mean, momentum = follow_mean(beta, True, mean, gradient)
        along = momentum
        if ns_steps is not None:
            along = newton_schulz(momentum, steps=ns_steps, eps=_EPS)
        unit = along / (jnp.linalg.norm(along) + _EPS)
        r = cosh_scale(unit, gamma)
        over_r = (unit if ns_steps is None and form == "paper" else along) / (r + 1e-8)
        rows, columns = gradient.shape
        factor = max(1.0, columns / rows) ** 0.5 if shape_scale else 1.0
        return factor * over_r, mean, r

    return optax.GradientTransformation(init, update)


def cosh_scale(unit: jax.Array, gamma: float) -> jax.Array:
    """Return r = sqrt(mean(cosh(gamma u)^2)).

    Args:
        unit: u, a matrix of Frobenius norm 1 (larger entries overflow).
        gamma: Factor inside cosh.

    Returns:
        A scalar.

    Source:
        arXiv:2509.24320.

    Example:
        >>> float(cosh_scale(jnp.zeros((2, 3)), 1.0))
        1.0
    """
    return jnp.sqrt(jnp.mean(jnp.cosh(gamma * unit) ** 2))
