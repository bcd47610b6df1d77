"""The Wightman function between two accelerated worldlines, integrated below its singularities.

With s = t - t' and p = (t + t') / 2 the response is

    int ds dp exp(-s^2 / 4 sigma^2 - p^2 / sigma^2 - i Omega s) W(s, p).

W is singular for real s and analytic for -2 pi / kappa < Im s < 0. The contour s = u - i a is laid
through the saddle of the integrand, where its largest value is smallest: little is lost to
cancellation, at large gaps and short windows too. The trapezoidal rule then converges as
exp(-2 pi d / h), d the distance to the nearest singularity.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

_ACCURACY = 40.0  # exponent that the quadrature's error is brought to


class Setting(NamedTuple):
    """One detector: all in units with hbar = c = k_B = 1.

    Attributes:
        gap: Omega.
        kappa: Proper acceleration.
        sigma: Duration of the window exp(-t^2 / 2 sigma^2).
    """

    gap: float
    kappa: float
    sigma: float


class Contour(NamedTuple):
    """Where a response is sampled.

    Attributes:
        depth: a.
        step_u: Of u.
        count_u: Nodes with u >= 0.
        step_p: Of p.
        reach_p: Largest p, before the separation is known.
    """

    depth: float
    step_u: float
    count_u: int
    step_p: float
    reach_p: float


def contour_of(setting: Setting) -> Contour:
    """Return the contour through the saddle."""
    gap, kappa, sigma = setting

    def slope(a: float) -> float:
        return -gap + a / (2 * sigma**2) - kappa / math.tan(kappa * a / 2)

    strip = 2 * math.pi / kappa
    a = float(brentq(slope, strip * 1e-12, strip * (1 - 1e-12), xtol=1e-13 * strip))
    distance = min(a, strip - a)
    step_u = 2 * math.pi * distance / _ACCURACY
    # A Gaussian of width 2 sigma needs its own step, when its window is the shorter one.
    step_u = min(step_u, 2 * math.pi * sigma / math.sqrt(_ACCURACY))
    reach_u = min(2 * sigma * math.sqrt(_ACCURACY), _ACCURACY / kappa)
    step_p = min(step_u / 2, math.pi * sigma / math.sqrt(_ACCURACY))
    return Contour(
        depth=a,
        step_u=step_u,
        count_u=math.ceil(reach_u / step_u) + 1,
        step_p=step_p,
        reach_p=sigma * math.sqrt(_ACCURACY),
    )


def count_p(setting: Setting, contour: Contour, separation: float) -> int:
    """Return the number of nodes with p >= 0 for separations along the acceleration."""
    kappa = setting.kappa
    # The kernel falls as exp(-kappa p) once exp(kappa p) exceeds Y / L.
    reach = (1.5 * _ACCURACY + max(0.0, -2 * math.log(kappa * separation))) / kappa
    return math.ceil(min(contour.reach_p, reach) / contour.step_p) + 1


class Parts(NamedTuple):
    """A response and what it lacks to that of one worldline, without their difference.

    Attributes:
        cross: P_12 per lambda^2, real by the symmetry (u, p) -> (-u, -p).
        deficit: (P_11 - P_12) per lambda^2.
    """

    cross: float
    deficit: float


def local_response(setting: Setting, contour: Contour) -> float:
    """Return P_11 per lambda^2."""
    weights, square = _on_contour(setting, contour)
    window = math.sqrt(math.pi) * setting.sigma
    return float(window * np.sum((weights / square).real) / (4 * math.pi**2))


def cross_response(setting: Setting, contour: Contour, separation: float, direction: str) -> Parts:
    """Return P_12 for a shift along or across the acceleration."""
    weights, square = _on_contour(setting, contour)
    shifted = square + separation**2
    if direction == "perpendicular":
        window = math.sqrt(math.pi) * setting.sigma
        cross = window * np.sum((weights / shifted).real)
        deficit = window * np.sum((weights * separation**2 / (square * shifted)).real)
    else:
        p, window_p = _on_p(setting, contour, separation)
        mixed = _mixed(setting, contour, separation, p)
        # The mean over p and -p, so that terms odd in p never appear.
        under = shifted[:, None] ** 2 - mixed**2
        cross = np.sum((weights * ((shifted[:, None] / under) @ window_p)).real)
        if p[-1] < contour.reach_p:
            # Long windows reach where P_12 has nothing left, and the difference is no small one.
            whole = math.sqrt(math.pi) * setting.sigma * np.sum((weights / square).real)
            deficit = whole - cross
        else:
            lack = (separation**2 * shifted[:, None] - mixed**2) / under @ window_p
            deficit = np.sum((weights / square * lack).real)
    unit = 4 * math.pi**2
    return Parts(float(cross) / unit, float(deficit) / unit)


def two_gap_response(
    setting: Setting, contour: Contour, separation: float, direction: str, difference: float
) -> float:
    """Return K(O1, O2) per lambda^2 for O1 + O2 = 2 Omega and O1 - O2 = difference."""
    if direction == "perpendicular":
        cross = cross_response(setting, contour, separation, direction).cross
        return cross * math.exp(-((setting.sigma * difference) ** 2) / 4)
    weights, square = _on_contour(setting, contour)
    shifted = (square + separation**2)[:, None]
    p, window_p = _on_p(setting, contour, separation, difference)
    mixed = _mixed(setting, contour, separation, p)
    under = shifted**2 - mixed**2
    even = (shifted / under) @ (window_p * np.cos(difference * p))
    odd = (mixed / under) @ (window_p * np.sin(difference * p))
    return float(np.sum((weights * (even + 1j * odd)).real) / (4 * math.pi**2))


def _on_contour(setting: Setting, contour: Contour) -> tuple[np.ndarray, np.ndarray]:
    """Return weights that sum over u to twice the half line, and Y^2 = -(2/kappa sinh)^2."""
    gap, kappa, sigma = setting
    u = contour.step_u * np.arange(contour.count_u)
    s = u - 1j * contour.depth
    weights = 2 * contour.step_u * np.exp(-(s**2) / (4 * sigma**2) - 1j * gap * s)
    weights[0] /= 2
    return weights, -((2 / kappa * np.sinh(kappa * s / 2)) ** 2)


def _on_p(
    setting: Setting, contour: Contour, separation: float, difference: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return p >= 0 and the window's weights, which sum to the whole line."""
    step, count = contour.step_p, count_p(setting, contour, separation)
    refine = math.ceil(1 + abs(difference) * step)
    p = step / refine * np.arange(refine * (count - 1) + 1)
    weights = 2 * step / refine * np.exp(-((p / setting.sigma) ** 2))
    weights[0] /= 2
    return p, weights


def _mixed(setting: Setting, contour: Contour, separation: float, p: np.ndarray) -> np.ndarray:
    """Return -(4 L / kappa) sinh(kappa s / 2) sinh(kappa p), odd in p; path 2 is path 1 + L."""
    kappa = setting.kappa
    s = contour.step_u * np.arange(contour.count_u) - 1j * contour.depth
    product: np.ndarray = (-4 * separation / kappa) * np.outer(
        np.sinh(kappa * s / 2), np.sinh(kappa * p)
    )
    return product
