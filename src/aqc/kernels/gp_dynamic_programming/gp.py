"""Gaussian-process posterior of next year's stock, its two parameters by Metropolis sampling."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt
from scipy.linalg import cho_factor, cho_solve, solve_triangular

_BLOCK = 500  # iterations between two reports
_STEP = 0.15  # of log l and log s
_BURN_IN = 0.2
_MOST_DRAWS = 200
_JITTER = 1e-9  # variance of the exact point (0, 0), and numerical safety


@dataclass(frozen=True)
class Priors:
    """Inverse-gamma laws of the length l and the noise s, for stocks of order 1 to 10."""

    length_shape: Annotated[float, Gt(0)] = 10.0
    length_scale: Annotated[float, Gt(0)] = 10.0
    noise_shape: Annotated[float, Gt(0)] = 5.0
    noise_scale: Annotated[float, Gt(0)] = 5.0


@dataclass(frozen=True)
class Draws:
    """Parameters drawn from their posterior.

    Args:
        length: l, shape (draws,).
        noise: s, shape (draws,).
        acceptance: Share of the proposals that were accepted.
    """

    length: np.ndarray
    noise: np.ndarray
    acceptance: float


class Process:
    """y = g(x) + s z, g a zero-mean process of covariance exp(-(x - x')^2 / 2 l^2).

    Args:
        x: Shape (n,).
        y: Shape (n,).
        closed: Whether g(0) = 0 exactly.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, closed: bool) -> None:
        self.x = np.append(x, 0.0) if closed else x
        self.y = np.append(y, 0.0) if closed else y
        self._noisy = np.append(np.ones(len(x)), 0.0) if closed else np.ones(len(x))
        self._squares = (self.x[:, None] - self.x) ** 2

    def _covariance(self, length: float, noise: float) -> np.ndarray:
        covariance: np.ndarray = np.exp(-self._squares / (2 * length**2))
        covariance[np.diag_indices_from(covariance)] += self._noisy * noise**2 + _JITTER
        return covariance

    def log_likelihood(self, length: float, noise: float) -> float:
        """Return log N(y; 0, K + s^2 I)."""
        factor = cho_factor(self._covariance(length, noise), lower=True, check_finite=False)
        weights = cho_solve(factor, self.y, check_finite=False)
        logs = np.log(np.diag(factor[0])).sum()
        return float(-0.5 * self.y @ weights - logs - 0.5 * len(self.y) * np.log(2 * np.pi))

    def predict(
        self, length: float, noise: float, points: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and variance of g at points."""
        factor = cho_factor(self._covariance(length, noise), lower=True)
        across = np.exp(-((points[:, None] - self.x) ** 2) / (2 * length**2))
        mean = across @ cho_solve(factor, self.y)
        seen = solve_triangular(factor[0], across.T, lower=True)
        return mean, np.maximum(1 - (seen**2).sum(0), 0.0)


def sample_steps(
    process: Process, priors: Priors, n_mcmc: int, seed: int, state: Any = None
) -> Generator[tuple[float, Any], None, Draws]:
    """Draw (l, s) by random-walk Metropolis on their logarithms.

    Args:
        process: Data.
        priors: Of l and s.
        n_mcmc: Iterations; the first fifth is dropped, at most 200 of the rest are kept.
        seed: Of the random numbers.
        state: What an earlier run yielded.

    Yields:
        (fraction, {"chain": logarithms so far, "accepted": how many}).

    Returns:
        Draws.
    """

    def log_posterior(logs: np.ndarray) -> float:
        length, noise = np.exp(logs)
        prior = invgamma_log(length, priors.length_shape, priors.length_scale)
        prior += invgamma_log(noise, priors.noise_shape, priors.noise_scale)
        # The walk is in logarithms: their density has the factor l s.
        return process.log_likelihood(length, noise) + prior + float(logs.sum())

    state = state or {"chain": np.zeros((1, 2)), "accepted": 0}
    here = state["chain"][-1]
    value = log_posterior(here)
    while (done := len(state["chain"]) - 1) < n_mcmc:
        # Each block has a generator of its own, so that a resumed run draws the same.
        rng = np.random.default_rng([seed, done])
        count = min(_BLOCK, n_mcmc - done)
        moves = _STEP * rng.normal(size=(count, 2))
        chances = np.log(rng.random(count))
        path, accepted = np.empty((count, 2)), state["accepted"]
        for i in range(count):
            there = here + moves[i]
            proposed = log_posterior(there)
            if chances[i] < proposed - value:
                here, value, accepted = there, proposed, accepted + 1
            path[i] = here
        state = {"chain": np.concatenate([state["chain"], path]), "accepted": accepted}
        yield (done + count) / n_mcmc, state
    kept = state["chain"][1 + int(_BURN_IN * n_mcmc) :]
    kept = np.exp(kept[:: -(-len(kept) // _MOST_DRAWS)])
    return Draws(kept[:, 0], kept[:, 1], state["accepted"] / n_mcmc)


def invgamma_log(value: float, shape: float, scale: float) -> float:
    """Return the logarithm of the inverse-gamma density, up to a constant."""
    return float(-(shape + 1) * np.log(value) - scale / value)
