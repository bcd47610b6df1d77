"""The shallow piecewise-linear network, its Jacobian, and what it does on its own."""

import functools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from aqc.errors import InputError

Weights = dict[str, Any]
NAMES = ("A", "W1", "W2", "h1", "h2")


@dataclass(frozen=True)
class Network:
    """z+ = A z + W1 [relu(W2 z + h2) - relu(W2 z)] + h1, without the second relu if not clipped.

    Args:
        A: Diagonal, shape (N,).
        W1: Shape (N, H).
        W2: Shape (H, N).
        h1: Shape (N,).
        h2: Shape (H,).
        clipped: Whether the second relu is there, which keeps the network bounded for |A| < 1.
    """

    A: Float[np.ndarray, "n"]
    W1: Float[np.ndarray, "n h"]
    W2: Float[np.ndarray, "h n"]
    h1: Float[np.ndarray, "n"]
    h2: Float[np.ndarray, "h"]
    clipped: bool = True

    def weights(self) -> Weights:
        """Return the arrays by name."""
        return {name: getattr(self, name) for name in NAMES}


def step(weights: Weights, z: jax.Array, clipped: bool) -> jax.Array:
    """Return z+ for states (..., N)."""
    inner = z @ weights["W2"].T
    hidden = jax.nn.relu(inner + weights["h2"])
    if clipped:
        hidden = hidden - jax.nn.relu(inner)
    new: jax.Array = weights["A"] * z + hidden @ weights["W1"].T + weights["h1"]
    return new


def jacobian(weights: Weights, z: jax.Array, clipped: bool) -> jax.Array:
    """Return d z+ / d z, (..., N, N): diag(A) + W1 diag(1[W2 z > -h2] - 1[W2 z > 0]) W2."""
    inner = z @ weights["W2"].T
    active = (inner > -weights["h2"]).astype(z.dtype)
    if clipped:
        active = active - (inner > 0)
    matrix: jax.Array = jnp.diag(weights["A"]) + jnp.einsum(
        "ih,...h,hj->...ij", weights["W1"], active, weights["W2"]
    )
    return matrix


def initial_weights(size: int, hidden: int, seed: int) -> Weights:
    """Return random weights: A from a normalized positive matrix, W uniform within 1/sqrt(fan-in).

    Args:
        size: N.
        hidden: H.
        seed: Of the random numbers.
    """
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size, size))
    positive = root.T @ root / size + np.eye(size)
    return {
        "A": np.diag(positive / np.linalg.eigvalsh(positive)[-1]).astype(np.float32),
        "W1": rng.uniform(-1, 1, (size, hidden)).astype(np.float32) / np.float32(hidden**0.5),
        "W2": rng.uniform(-1, 1, (hidden, size)).astype(np.float32) / np.float32(size**0.5),
        "h1": np.zeros(size, np.float32),
        "h2": rng.uniform(-1, 1, hidden).astype(np.float32) / np.float32(size**0.5),
    }


def run_alone(network: Network, z: np.ndarray, steps: int) -> np.ndarray:
    """Return the states after each step, (steps, N), in double precision."""
    with jax.enable_x64(True):
        return np.asarray(_run(network.weights(), z, steps, network.clipped))


@functools.partial(jax.jit, static_argnames=("steps", "clipped"))
def _run(weights: Weights, z: Any, steps: int, clipped: bool) -> jax.Array:
    def one(z: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        new = step(weights, z, clipped)
        return new, new

    return jax.lax.scan(one, jnp.asarray(z), length=steps)[1]


def lyapunov_exponent(network: Network, states: np.ndarray) -> float:
    """Return the largest exponent per step along states that follow each other, (T, N)."""
    with jax.enable_x64(True):
        return float(_exponent(network.weights(), states, network.clipped))


@functools.partial(jax.jit, static_argnames=("clipped",))
def _exponent(weights: Weights, states: Any, clipped: bool) -> jax.Array:
    size = states.shape[1]

    def one(v: jax.Array, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        new = jacobian(weights, z, clipped) @ v
        length = jnp.maximum(jnp.linalg.norm(new), 1e-200)
        return new / length, jnp.log(length)

    start = jnp.ones(size, states.dtype) / size**0.5
    logs = jax.lax.scan(one, start, states)[1]
    # The first tenth turns the vector into the growing direction.
    return logs[len(logs) // 10 :].mean()


def check_network(network: Network) -> None:
    """Refuse weights so large that nothing follows from them.

    Raises:
        InputError: A weight is above 1e6 in size.
    """
    largest = max(float(np.abs(x).max()) for x in network.weights().values())
    if largest > 1e6:
        raise InputError(
            f"`network` must have weights of at most 1e6 in size, but has {largest:g}.", "/network"
        )
