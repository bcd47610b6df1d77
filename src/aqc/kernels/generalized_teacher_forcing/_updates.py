"""Updates of the weights: the forced loss, its gradient, and how strong the forcing must be."""

import functools
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax

from aqc.kernels.generalized_teacher_forcing._network import NAMES, Weights, jacobian, step

CHUNK = 50  # updates between two reports
_EVERY, _MEMORY = 5, 0.999  # updates between two estimates of alpha, and its memory
_THINNED = 4  # every how many steps of a window the Jacobian is looked at
Estimate = Literal["geometric", "maximum", "bound"]


def optimizer_of(rates: Any) -> optax.GradientTransformation:
    """Return RAdam; `rates` are those at the start and at the end, the updates, and l2."""
    first, last, updates, _ = rates
    # The rates may be traced: runs of the same shapes share what was compiled.
    return optax.radam(lambda count: first * (last / first) ** (count / updates))


@functools.partial(jax.jit, static_argnames=("estimate", "clipped", "sequence", "batch"))
def advance(
    data: jax.Array,
    given: tuple[Weights, Any],
    alpha: Any,
    done: Any,
    count: Any,
    rates: Any,
    seed: Any,
    estimate: Estimate | None,
    clipped: bool,
    sequence: int,
    batch: int,
) -> tuple[tuple[Weights, Any], jax.Array, jax.Array]:
    """Make `count` updates, at most CHUNK.

    Args:
        data: The standardized series, (T, N).
        given: Weights and the optimizer's state.
        alpha: Strength of the forcing now.
        done: Updates made before.
        count: How many to make.
        rates: As for `optimizer_of`.
        seed: Of the windows.
        estimate: How alpha adapts; None to keep it.
        clipped: Whether the network is.
        sequence: Steps of a window.
        batch: Windows.

    Returns:
        What was given, alpha, and (loss, gradient norm, alpha) of each update, (CHUNK, 3).
    """
    optimizer = optimizer_of(rates)

    def update(i: jax.Array, carry: Any) -> Any:
        weights, moments, alpha, history = carry
        key = jax.random.fold_in(jax.random.key(seed), done + i)
        starts = jax.random.randint(key, (batch,), 0, len(data) - sequence)
        x = data[starts[:, None] + jnp.arange(sequence + 1)]
        if estimate is not None:
            alpha = jax.lax.cond(
                (done + i) % _EVERY == 0,
                lambda a: _adapted(a, forcing_of(weights, x[:, ::_THINNED], estimate, clipped)),
                lambda a: a,
                alpha,
            )
        loss, gradient = jax.value_and_grad(forced_loss)(weights, x, alpha, rates[3], clipped)
        step_, moments = optimizer.update(gradient, moments, weights)
        size = jnp.sqrt(sum(jnp.sum(x**2) for x in gradient.values()))
        row = jnp.stack([loss, size, alpha])
        return optax.apply_updates(weights, step_), moments, alpha, history.at[i].set(row)

    start = (*given, jnp.float32(alpha), jnp.zeros((CHUNK, 3), jnp.float32))
    weights, moments, alpha, history = jax.lax.fori_loop(0, count, update, start)
    return (weights, moments), alpha, history


def forced_loss(weights: Weights, x: jax.Array, alpha: Any, l2: Any, clipped: bool) -> jax.Array:
    """Return the loss of windows.

    Args:
        weights: Of the network.
        x: Windows, (batch, sequence + 1, N); the first point starts each.
        alpha: Strength of the forcing.
        l2: Weight of the penalty.
        clipped: Whether the network is.
    """

    def one(forced: jax.Array, target: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = step(weights, forced, clipped)
        # The loss sees z, not what the data has already mended.
        return (1 - alpha) * z + alpha * target, jnp.mean((z - target) ** 2)

    errors = jax.lax.scan(one, x[:, 0], jnp.swapaxes(x[:, 1:], 0, 1))[1]
    penalty = jnp.sum((1 - weights["A"]) ** 2) + sum(
        jnp.sum(weights[name] ** 2) for name in NAMES[1:]
    )
    loss: jax.Array = errors.mean() + l2 * penalty
    return loss


def forcing_of(weights: Weights, x: jax.Array, estimate: Estimate, clipped: bool) -> jax.Array:
    """Return max(0, 1 - 1/n) for the estimate n of the Jacobians' size at points (batch, t, N)."""
    if estimate == "bound":
        size = jnp.abs(weights["A"]).max() + _norm(weights["W1"]) * _norm(weights["W2"].T)
    else:
        norms = jax.vmap(jax.vmap(_norm))(jacobian(weights, x, clipped))
        if estimate == "geometric":
            size = jnp.exp(jnp.log(jnp.maximum(norms, 1e-12)).mean(1)).max()
        else:
            size = norms.max()
    return jnp.maximum(0.0, 1 - 1 / size)


def _adapted(alpha: jax.Array, wanted: jax.Array) -> jax.Array:
    slow = _MEMORY * alpha + (1 - _MEMORY) * wanted
    return jnp.where(wanted > alpha, wanted, slow).astype(alpha.dtype)


def _norm(matrix: jax.Array) -> jax.Array:
    """Return the largest singular value of a wide or square matrix."""
    return jnp.sqrt(jnp.maximum(0.0, jnp.linalg.eigvalsh(matrix @ matrix.T)[-1]))
