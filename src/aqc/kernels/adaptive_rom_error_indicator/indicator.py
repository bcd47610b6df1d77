"""From the Gappy-POD residual to an estimate of the error: a calibrated Gaussian process."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Interval
from jaxtyping import Float
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from aqc.errors import InputError
from aqc.kernels._signature import checked

_BOUNDS = ((-4.0, 4.0), (-2.0, 2.0), (-6.0, 1.0))  # logs of amplitude, length, noise


@dataclass(frozen=True)
class Indicator:
    """Estimates of the error.

    Args:
        estimates: eta at the residuals asked for, shape (queries,).
        correlation: Of log residual and log error in the calibration.
    """

    estimates: np.ndarray
    correlation: float


@dataclass(frozen=True)
class Regression:
    """A Gaussian process on a line, in standardized logarithms.

    Args:
        x: Standardized logarithms of the residuals.
        coefficients: K^-1 y.
        factor: Cholesky factor of K.
        logs: Logarithms of amplitude, length and noise.
        line: Slope and intercept of the mean, in logarithms.
        scales: Mean and standard deviation of x, standard deviation of y.
    """

    x: np.ndarray
    coefficients: np.ndarray
    factor: tuple[np.ndarray, bool]
    logs: np.ndarray
    line: np.ndarray
    scales: tuple[float, float, float]

    def estimate(self, residual: float, n_sigma: float) -> float:
        """Return the estimated error at a residual, 0 at 0."""
        if residual <= 0:
            return 0.0
        log = float(np.log10(residual))
        mean_x, deviation_x, deviation_y = self.scales
        row = _covariance(np.array([(log - mean_x) / deviation_x]), self.x, self.logs)[0]
        mean = np.polyval(self.line, log) + deviation_y * row @ self.coefficients
        known = row @ cho_solve(self.factor, row)
        variance = np.exp(2 * self.logs[0]) - known + np.exp(2 * self.logs[2])
        spread = deviation_y * np.sqrt(max(variance, 0.0))
        return float(10 ** np.clip(mean + n_sigma * spread, -300, 300))


@checked(pairs=(4, 1000), queries=(1, 10_000))
def fit_indicator(
    residuals: Float[np.ndarray, " pairs"],
    errors: Float[np.ndarray, " pairs"],
    at: Float[np.ndarray, " queries"],
    n_sigma: Annotated[float, Interval(ge=0, le=10)] = 0.0,
) -> Indicator:
    """Estimate errors from residuals by pairs of both that are known.

    log10 eta = mean + n_sigma std of a Gaussian process (a line, squared exponential, noise).

    Args:
        residuals: e > 0 of the calibration, shape (pairs,).
        errors: True relative errors > 0, shape (pairs,).
        at: Residuals >= 0 whose errors are sought, shape (queries,).
        n_sigma: Safety in standard deviations.

    Returns:
        Estimates.

    Raises:
        InputError: A number is not positive, or all residuals are equal.

    Source: Casenave and Akkari, Math. Comput. Appl. 24 (2019) 41, calibration of the indicator.
    The line under the process is ours: beyond the calibration the estimate follows it.

    Example:
        >>> found = fit_indicator([1e-3, 1e-2, 0.1, 1.0], [2e-3, 2e-2, 0.2, 2.0], [0.05])
        >>> bool(abs(found.estimates[0] - 0.1) < 0.001)
        True
    """
    for name, values, least in (("residuals", residuals, 1e-300), ("errors", errors, 1e-300)):
        if values.min() < least:
            raise InputError(f"`{name}` must be > 0, but holds {values.min():g}.", f"/{name}")
    if at.min() < 0:
        raise InputError(f"`at` must be >= 0, but holds {at.min():g}.", "/at")
    if np.ptp(np.log10(residuals)) < 1e-9:
        raise InputError("`residuals` must differ, but all are equal.", "/residuals")
    regression = regress(residuals, errors)
    logs = np.log10(residuals), np.log10(errors)
    flat = np.ptp(logs[1]) == 0
    return Indicator(
        np.array([regression.estimate(float(x), n_sigma) for x in at]),
        0.0 if flat else float(np.corrcoef(*logs)[0, 1]),
    )


def regress(residuals: np.ndarray, errors: np.ndarray) -> Regression:
    """Return the process of the largest marginal likelihood.

    Args:
        residuals: Positive, not all equal.
        errors: Positive.
    """
    log_x, log_y = np.log10(residuals), np.log10(errors)
    line = np.polyfit(log_x, log_y, 1)
    rest = log_y - np.polyval(line, log_x)
    scales = float(log_x.mean()), float(log_x.std()), float(rest.std() or 1.0)
    x, y = (log_x - scales[0]) / scales[1], rest / scales[2]

    def loss(logs: np.ndarray) -> float:
        lower = np.linalg.cholesky(_matrix(x, logs))
        return float(np.log(np.diag(lower)).sum() + (np.linalg.solve(lower, y) ** 2).sum() / 2)

    starts = [np.array([0.0, length, -1.0]) for length in (-1.0, 0.5)]
    best = min((minimize(loss, x0, bounds=_BOUNDS) for x0 in starts), key=lambda fit: fit.fun)
    factor = cho_factor(_matrix(x, best.x), lower=True)
    return Regression(x, cho_solve(factor, y), factor, best.x, line, scales)


def _matrix(x: np.ndarray, logs: np.ndarray) -> np.ndarray:
    noise = np.exp(2 * logs[2]) + 1e-10
    return _covariance(x, x, logs) + noise * np.eye(len(x))


def _covariance(x: np.ndarray, y: np.ndarray, logs: np.ndarray) -> np.ndarray:
    distance = (x[:, None] - y) / np.exp(logs[1])
    found: np.ndarray = np.exp(2 * logs[0] - distance**2 / 2)
    return found
