"""Scores of smoothed distributions: of a Gaussian mixture, and of data points themselves."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from aqc.errors import InputError

# Score of p * N(0, variance I) at one point, from the distribution's arrays.
Score = Callable[[Any, jax.Array, jax.Array], jax.Array]
MOST_DIMENSIONS = 16


@dataclass(frozen=True)
class Mixture:
    """A mixture of Gaussians, in at most 16 dimensions.

    Args:
        weights: Positive, sum 1.
        means: One row for each component.
        covariances: Symmetric and positive semidefinite.
    """

    weights: Float[np.ndarray, " components"]
    means: Float[np.ndarray, "components dimensions"]
    covariances: Float[np.ndarray, "components dimensions dimensions"]
    kind: Literal["mixture"] = "mixture"

    def check(self, name: str) -> None:
        """Refuse what is no mixture.

        Raises:
            InputError: Of the argument `name`.
        """
        check_dimensions(self.means, f"{name}.means")
        if self.weights.min() <= 0 or abs(self.weights.sum() - 1) > 1e-9:
            raise InputError(
                f"`{name}.weights` must be positive and sum to 1, but their sum is "
                f"{self.weights.sum():g} and the least {self.weights.min():g}.",
                f"/{name}/weights",
            )
        skew = np.abs(self.covariances - self.covariances.swapaxes(1, 2)).max()
        least = np.linalg.eigvalsh(self.covariances).min()
        if skew > 1e-12 or least < -1e-12:
            raise InputError(
                f"`{name}.covariances` must be symmetric and positive semidefinite, but the least "
                f"eigenvalue is {least:.3g} and the largest difference from the transpose "
                f"{skew:.3g}.",
                f"/{name}/covariances",
            )

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Return n points of the mixture."""
        values, vectors = np.linalg.eigh(self.covariances)
        which = rng.choice(len(self.weights), n, p=self.weights / self.weights.sum())
        roots = vectors * np.sqrt(values.clip(0))[:, None]
        normal = rng.normal(size=(n, self.means.shape[1]))
        return self.means[which] + np.einsum("nij,nj->ni", roots[which], normal)

    def arrays(self) -> tuple[np.ndarray, ...]:
        """Return what `mixture_score` takes; no matrix is inverted later."""
        values, vectors = np.linalg.eigh(self.covariances)
        return np.log(self.weights), self.means, vectors, values.clip(0)


def mixture_score(arrays: Any, x: jax.Array, variance: jax.Array) -> jax.Array:
    """Return grad log p_sigma of a mixture at a point."""
    log_weights, means, vectors, values = arrays
    precision = 1 / (values + variance)  # k i
    centered = jnp.einsum("kji,kj->ki", vectors, x - means)  # in each component's eigenbasis
    log_parts = log_weights + 0.5 * (jnp.log(precision) - precision * centered**2).sum(1)
    pulls = -jnp.einsum("kji,ki->kj", vectors, precision * centered)
    return jax.nn.softmax(log_parts) @ pulls


def empirical_score(points: Any, x: jax.Array, variance: jax.Array) -> jax.Array:
    """Return the score of the points' own measure, smoothed: (sum_i p_i x_i - x) / sigma^2."""
    shares = jax.nn.softmax(-((x - points) ** 2).sum(1) / (2 * variance))
    return (shares @ points - x) / variance


def runge_kutta(rates: Callable[[Any, jax.Array], Any], state: Any, t: Any, step: Any) -> Any:
    """Return the state after one classical Runge-Kutta step.

    The stages are a loop, so that `rates` is compiled once.
    """

    def moved(rate: Any, by: Any) -> Any:
        return jax.tree.map(lambda a, b: a + by * b, state, rate)

    def stage(carry: Any, weights: jax.Array) -> tuple[Any, None]:
        rate, total = carry
        rate = rates(moved(rate, weights[0] * step), t + weights[0] * step)
        return (rate, jax.tree.map(lambda a, b: a + weights[1] * b, total, rate)), None

    zero = jax.tree.map(jnp.zeros_like, state)
    stages = jnp.array([[0, 1 / 6], [1 / 2, 1 / 3], [1 / 2, 1 / 3], [1, 1 / 6]])
    (_, total), _ = jax.lax.scan(stage, (zero, zero), stages)
    return moved(total, step)


def check_dimensions(points: np.ndarray, name: str) -> None:
    """Refuse points in more than 16 dimensions.

    Raises:
        InputError: Of the argument `name`.
    """
    if points.shape[1] > MOST_DIMENSIONS:
        raise InputError(
            f"`{name}` must have at most {MOST_DIMENSIONS} dimensions, but has {points.shape[1]}.",
            "/" + name.replace(".", "/"),
        )
