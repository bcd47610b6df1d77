"""What optimizers of Muon's family share: the iteration, who gets matrices, recorded gradients."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from aqc.errors import InputError

# Keller Jordan's quintic: steep at zero, and then anywhere within about [0.7, 1.2].
MUON_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def newton_schulz(
    matrix: jax.Array,
    coefficients: tuple[float, float, float] = MUON_COEFFICIENTS,
    steps: int = 5,
    eps: float = 1e-7,
) -> jax.Array:
    """Return nearly the polar factor of a matrix, by a polynomial iteration.

    X_0 = G / (||G||_F + eps);  A = X X^T;  X <- a X + (b A + c A A) X.

    Args:
        matrix: G, shape (m, n); the zero matrix gives zero.
        coefficients: (a, b, c).
        steps: Number of iterations.
        eps: Guards the division.

    Returns:
        X after all steps, shape (m, n).
    """
    a, b, c = coefficients
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if is_tall else matrix
    x = x / (jnp.linalg.norm(x) + eps)
    for _ in range(steps):  # unrolled: a loop inside vmap costs more than it saves
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if is_tall else x


def follow_mean(
    beta: float, nesterov: bool, mean: jax.Array, gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Return the running mean of the gradients after one more, and the momentum to step along.

    m <- beta m + (1 - beta) g;  Nesterov: beta m + (1 - beta) g once more, else m.
    """
    mean = beta * mean + (1 - beta) * gradient
    return mean, beta * mean + (1 - beta) * gradient if nesterov else mean


def map_leaves(function: Callable[..., tuple], count: int, tree: Any, *rest: Any) -> list[Any]:
    """Apply a function that returns `count` values to each leaf; return one tree for each value."""
    results = jax.tree.map(function, tree, *rest)
    return [jax.tree.map(lambda _, result, i=i: result[i], tree, results) for i in range(count)]


def require_matrices(params: Any, name: str) -> None:
    """Refuse leaves that are no matrices.

    Args:
        params: Tree of arrays.
        name: Of the transformation that needs matrices.

    Raises:
        InputError: One of them has not two axes.
    """
    for leaf in jax.tree.leaves(params):
        if jnp.ndim(leaf) != 2:
            raise InputError(
                f"The parameters of {name} must be matrices, but one has shape {jnp.shape(leaf)}; "
                "give such leaves to another optimizer with optax.partition."
            )


def require_within(value: float, name: str, least: float, most: float, ends: str = "[]") -> None:
    """Refuse a setting outside of an interval, whose ends count when the bracket is square.

    Raises:
        InputError: It is outside.
    """
    above = value >= least if ends[0] == "[" else value > least
    below = value <= most if ends[1] == "]" else value < most
    if not (above and below):
        interval = f"{ends[0]}{least}, {most}{ends[1]}"
        raise InputError(f"`{name}` must be in {interval}, but is {value}.", f"/{name}")


def require_pairs(
    parameters: tuple[np.ndarray, ...] | None, gradients: tuple[np.ndarray, ...]
) -> None:
    """Refuse parameters that are not one for each layer's gradients.

    Raises:
        InputError: There are more or fewer.
    """
    if parameters is not None and len(parameters) != len(gradients):
        raise InputError(
            f"`parameters` must have one item for each of the {len(gradients)} of `gradients`, "
            f"but has {len(parameters)}.",
            "/parameters",
        )


def count_multiplications(gradients: tuple[np.ndarray, ...], ns_steps: int = 5, **_: Any) -> float:
    """Return the work of an optimizer of Muon's family: multiplications of its iterations."""
    return float(sum(ns_steps * g.size * (1 + 2 * min(g.shape[1:])) for g in gradients))


def chain_for_matrices(
    direction: optax.GradientTransformation,
    learning_rate: optax.ScalarOrSchedule,
    weight_decay: float,
    is_matrix: Callable[[Any], bool] = lambda leaf: jnp.ndim(leaf) == 2,
) -> optax.GradientTransformation:
    """Return the optimizer p <- p (1 - lr wd) - lr direction for matrices, AdamW for other leaves.

    Args:
        direction: Turns gradients of matrices into what is stepped against.
        learning_rate: lr, a number or a schedule; AdamW gets the same.
        weight_decay: wd, the same for AdamW.
        is_matrix: Which leaves `direction` gets.
    """
    return optax.partition(
        {
            "matrix": optax.chain(
                direction,
                optax.add_decayed_weights(weight_decay),
                optax.scale_by_learning_rate(learning_rate),
            ),
            "other": optax.adamw(learning_rate, b1=0.9, b2=0.95, weight_decay=weight_decay),
        },
        lambda params: jax.tree.map(lambda p: "matrix" if is_matrix(p) else "other", params),
    )


def run_over(
    direction: optax.GradientTransformation,
    observe: Callable[[Any, Any], Any],
    gradients: tuple[np.ndarray, ...],
    parameters: tuple[np.ndarray, ...] | None,
    learning_rate: float,
    weight_decay: float,
) -> tuple[list[np.ndarray], Any]:
    """Feed recorded gradients to an optimizer, in double precision.

    Args:
        direction: Made by a cached function, so that an equal call is not compiled again.
        observe: Picks what to return of (direction, state) after each step; a module's own
            function.
        gradients: For each layer an array (steps, m, n).
        parameters: For each layer an array (m, n) that weight decay acts on; None is zeros.
        learning_rate: lr of p <- p (1 - lr wd) - lr direction.
        weight_decay: wd.

    Returns:
        For each layer the updates of p, shape (steps, m, n), and what was observed, stacked
        over the steps.
    """
    with jax.enable_x64(True):
        start = [np.zeros(g.shape[1:]) for g in gradients] if parameters is None else parameters
        updates, observed = _scan_over(
            direction, observe, list(gradients), list(start), learning_rate, weight_decay
        )
        return [np.asarray(u) for u in updates], jax.tree.map(np.asarray, observed)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _scan_over(
    direction: optax.GradientTransformation,
    observe: Callable[[Any, Any], Any],
    gradients: list[jax.Array],
    parameters: list[jax.Array],
    learning_rate: jax.Array,
    weight_decay: jax.Array,
) -> tuple[list[jax.Array], Any]:
    def step(carry: tuple, gradient: list[jax.Array]) -> tuple[tuple, tuple]:
        at, state = carry
        along, state = direction.update(gradient, state, at)
        update = [-learning_rate * (d + weight_decay * p) for d, p in zip(along, at, strict=True)]
        return (optax.apply_updates(at, update), state), (update, observe(along, state))

    _, results = jax.lax.scan(step, (parameters, direction.init(parameters)), gradients)
    updates: list[jax.Array] = results[0]
    return updates, results[1]
