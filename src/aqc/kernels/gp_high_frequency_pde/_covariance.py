"""Mixtures of modulated Matérn or Gaussian covariances on the lags of a uniform grid."""

from typing import Literal, NamedTuple

import numpy as np
from scipy.linalg import toeplitz

Covariance = Literal["matern52_cos", "se_cos", "matern52", "se"]


class Envelopes(NamedTuple):
    """m(a) and its first three derivatives, at a = c d."""

    a: np.ndarray
    rate: np.ndarray  # c, (Q, 1)
    power: float  # c is proportional to e^(power l)
    m: np.ndarray
    first: np.ndarray
    second: np.ndarray
    third: np.ndarray


def _envelopes(covariance: Covariance, log_rate: np.ndarray, lags: np.ndarray) -> Envelopes:
    if covariance.startswith("matern52"):
        rate = np.sqrt(5) * np.exp(log_rate)[:, None]
        a = rate * lags
        decay = np.exp(-a) / 3
        square = a * a
        return Envelopes(
            a,
            rate,
            1.0,
            (3 + 3 * a + square) * decay,
            -(a + square) * decay,
            (square - a - 1) * decay,
            (3 * a - square) * decay,
        )
    rate = np.exp(log_rate / 2)[:, None]
    a = rate * lags
    m = np.exp(-a * a)
    return Envelopes(a, rate, 0.5, m, -2 * a * m, (4 * a * a - 2) * m, (12 - 8 * a * a) * a * m)


class Mixture(NamedTuple):
    """kappa = sum_q e^(w_q) m(c_q d) cos(2 pi f_q d) on one axis.

    Args:
        log_weight: w, (Q,).
        log_rate: l, (Q,).
        frequency: f, (Q,), cycles per unit; zero in the plain covariances.
    """

    log_weight: np.ndarray
    log_rate: np.ndarray
    frequency: np.ndarray

    def evaluate(self, covariance: Covariance, lags: np.ndarray) -> np.ndarray:
        """Return kappa at the lags d >= 0, any shape."""
        flat = lags.ravel()
        m = _envelopes(covariance, self.log_rate, flat).m
        values = np.exp(self.log_weight) @ (m * np.cos(_phase(self.frequency, flat)))
        return values.reshape(lags.shape)

    def on_lags(self, covariance: Covariance, lags: np.ndarray) -> "LagTable":
        """Return kappa, kappa'' and what their gradient needs.

        Args:
            covariance: Which m, and with or without the cosine.
            lags: d >= 0, (N,).
        """
        e = _envelopes(covariance, self.log_rate, lags)
        weight = np.exp(self.log_weight)[:, None]
        omega = 2 * np.pi * self.frequency[:, None]
        phase = _phase(self.frequency, lags)
        cos, sin = np.cos(phase), np.sin(phase)
        slope, bend = e.rate * e.first, e.rate**2 * e.second
        values = weight * e.m * cos
        curvatures = weight * ((bend - omega**2 * e.m) * cos - 2 * omega * slope * sin)
        m_l = e.power * e.a * e.first
        slope_l = e.power * e.rate * (e.first + e.a * e.second)
        bend_l = e.power * e.rate**2 * (2 * e.second + e.a * e.third)
        return LagTable(
            values,
            curvatures,
            weight * m_l * cos,
            weight * ((bend_l - omega**2 * m_l) * cos - 2 * omega * slope_l * sin),
            -2 * np.pi * lags * weight * e.m * sin,
            2
            * np.pi
            * weight
            * (
                (omega**2 * e.m - bend) * lags * sin
                - 2 * slope * sin
                - 2 * omega * (slope * lags + e.m) * cos
            ),
        )


def _phase(frequency: np.ndarray, lags: np.ndarray) -> np.ndarray:
    return 2 * np.pi * frequency[:, None] * lags


class LagTable(NamedTuple):
    """Each component of kappa and of kappa'' on the lags, and how they change, all (Q, N)."""

    values: np.ndarray
    curvatures: np.ndarray
    values_by_rate: np.ndarray
    curvatures_by_rate: np.ndarray
    values_by_frequency: np.ndarray
    curvatures_by_frequency: np.ndarray

    def matrices(self, jitter: float) -> tuple[np.ndarray, np.ndarray]:
        """Return K + jitter and K_xx, both Toeplitz."""
        k = toeplitz(self.values.sum(0))
        k.flat[:: len(k) + 1] += jitter
        return k, toeplitz(self.curvatures.sum(0))

    def pull_back(self, by_k: np.ndarray, by_kxx: np.ndarray) -> Mixture:
        """Return the gradient by the mixture's parameters.

        Args:
            by_k: Gradient by the entries of K, (N, N).
            by_kxx: Gradient by the entries of K_xx.
        """
        value, curvature = _sum_lags(by_k), _sum_lags(by_kxx)
        return Mixture(
            self.values @ value + self.curvatures @ curvature,
            self.values_by_rate @ value + self.curvatures_by_rate @ curvature,
            self.values_by_frequency @ value + self.curvatures_by_frequency @ curvature,
        )


def _sum_lags(matrix: np.ndarray) -> np.ndarray:
    """Return the sums over |i - j| = 0, 1, ...: the adjoint of `toeplitz`."""
    n = len(matrix)
    # Rows padded to 2 n and read as rows of 2 n - 1 stand one step further each: a diagonal of
    # the matrix becomes a column.
    padded = np.zeros((n, 2 * n))
    padded[:, :n] = matrix[::-1]
    sums = padded.ravel()[: n * (2 * n - 1)].reshape(n, 2 * n - 1).sum(0)
    lags = sums[n - 1 :].copy()
    lags[1:] += sums[: n - 1][::-1]
    return lags
