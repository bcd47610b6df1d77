"""Covariances of smooth stationary Gaussian processes, written so that 1 - r keeps its digits.

Every class has `curvature` (lambda_2 = -r''(0)) and `evaluate(t)`, which returns 1 - r(t) and
r'(t): near zero 1 - r^2 is a difference of almost equal numbers when it is formed from r.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from annotated_types import Gt, Le
from jaxtyping import Float
from scipy.interpolate import BSpline, make_interp_spline
from scipy.special import gammainc

from aqc.errors import InputError

# How far the growth of 1 - r between a table's first points may be from quadratic.
_ROUGHNESS = 0.6
_LEAST_POINTS = 64


@dataclass(frozen=True)
class Diffusion:
    """Diffusion from random initial values in d dimensions: r(t) = sech(t/2)^(d/2)."""

    dimension: Annotated[float, Gt(0), Le(1000)]
    kind: Literal["diffusion"] = "diffusion"

    @property
    def curvature(self) -> float:
        """lambda_2 = d/8."""
        return self.dimension / 8

    def evaluate(self, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return 1 - r and r'."""
        x, power = t / 2, self.dimension / 2
        log_cosh = np.where(
            x < 1, np.log1p(2 * np.sinh(np.minimum(x, 1) / 2) ** 2), x + np.log1p(np.exp(-2 * x))
        ) - np.where(x < 1, 0.0, np.log(2))
        log_r = -power * log_cosh
        return -np.expm1(log_r), -power / 2 * np.tanh(x) * np.exp(log_r)


@dataclass(frozen=True)
class RandomAcceleration:
    """The randomly accelerated particle in logarithmic time: r = 3/2 e^(-t/2) - 1/2 e^(-3t/2)."""

    kind: Literal["random_acceleration"] = "random_acceleration"

    @property
    def curvature(self) -> float:
        """lambda_2 = 3/4."""
        return 0.75

    def evaluate(self, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return 1 - r and r'."""
        u, rest = np.exp(-t / 2), -np.expm1(-t / 2)
        return rest**2 * (2 + u) / 2, -0.75 * u * rest * (1 + u)


@dataclass(frozen=True)
class Matern:
    """Matérn: (1 + t) e^-t for smoothness 3/2, (1 + t + t^2/3) e^-t for 5/2."""

    smoothness: Literal["3/2", "5/2"]
    kind: Literal["matern"] = "matern"

    @property
    def curvature(self) -> float:
        """lambda_2 = 1 or 1/3."""
        return 1.0 if self.smoothness == "3/2" else 1 / 3

    def evaluate(self, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return 1 - r and r'."""
        decay = np.exp(-t)
        if self.smoothness == "3/2":
            return gammainc(2, t), -t * decay
        return gammainc(3, t) + t**2 / 6 * decay, -t / 3 * (1 + t) * decay


@dataclass(frozen=True)
class Gaussian:
    """The smoothest: r(t) = e^(-t^2/2)."""

    kind: Literal["gaussian"] = "gaussian"

    @property
    def curvature(self) -> float:
        """lambda_2 = 1."""
        return 1.0

    def evaluate(self, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return 1 - r and r'."""
        return -np.expm1(-(t**2) / 2), -t * np.exp(-(t**2) / 2)


@dataclass(frozen=True)
class Telegraph:
    """r(t) = sin(pi/2 e^(-a t)), for which E(t) = e^(-a t) and T is exponential of rate a/2."""

    rate: Annotated[float, Gt(0), Le(1e6)]
    kind: Literal["telegraph"] = "telegraph"

    @property
    def curvature(self) -> float:
        """lambda_2 = (pi a / 2)^2."""
        return (np.pi * self.rate / 2) ** 2

    def evaluate(self, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return 1 - r and r'."""
        angle = -np.pi / 2 * np.expm1(-self.rate * t)
        slope = -np.pi / 2 * self.rate * np.exp(-self.rate * t) * np.sin(angle)
        return 2 * np.sin(angle / 2) ** 2, slope


@dataclass(frozen=True)
class Table:
    """A covariance on a grid of times from 0, between them a quintic spline.

    Args:
        t: Times, strictly increasing from 0.
        r: Covariance at these times, 1 at the first.
    """

    t: Float[np.ndarray, " points"]
    r: Float[np.ndarray, " points"]
    kind: Literal["table"] = "table"

    @cached_property
    def _spline(self) -> BSpline:
        return make_interp_spline(self.t, self.r, k=5)

    @property
    def curvature(self) -> float:
        """lambda_2 from the spline."""
        return float(-self._spline(0.0, nu=2))

    @property
    def end(self) -> float:
        """Last time of the table."""
        return float(self.t[-1])

    def evaluate(self, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return 1 - r and r'."""
        return 1 - self._spline(t), self._spline(t, nu=1)

    def check(self) -> None:
        """Refuse what is no covariance of a smooth process that forgets.

        Raises:
            InputError: With what the table must be.
        """
        if len(self.t) < _LEAST_POINTS:
            raise _refusal("t", f"have at least {_LEAST_POINTS} entries", f"has {len(self.t)}")
        if self.t[0] != 0 or np.any(np.diff(self.t) <= 0):
            raise _refusal("t", "begin at 0 and increase strictly", f"is {self.t[:3]}...")
        if abs(self.r[0] - 1) > 1e-6:
            raise _refusal("r", "begin with 1", f"begins with {self.r[0]:g}")
        if np.abs(self.r).max() > 1 + 1e-9:
            raise _refusal("r", "lie within [-1, 1]", f"reaches {np.abs(self.r).max():g}")
        if abs(self.r[-1]) > 0.05:
            raise _refusal("r", "decay to within 0.05 of 0: extend `t`", f"ends at {self.r[-1]:g}")
        first, second = np.maximum(1 - self.r[1:3], 1e-300)
        order = float(np.log(second / first) / np.log(self.t[2] / self.t[1]))
        if self.curvature <= 0 or abs(order - 2) > _ROUGHNESS:
            raise _refusal(
                "r",
                "be twice differentiable at 0 (else the process has infinitely many crossings)",
                f"there 1 - r grows like t^{order:.2f}, not t^2",
            )


Covariance = Diffusion | RandomAcceleration | Matern | Gaussian | Telegraph | Table


def _refusal(field: str, must: str, seen: str) -> InputError:
    return InputError(f"`covariance.{field}` must {must}, but {seen}.", f"/covariance/{field}")
