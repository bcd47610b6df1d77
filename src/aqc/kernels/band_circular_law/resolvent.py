"""Singular values of X - z: log-potential, Stieltjes transform, counts near zero."""

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Interval
from jaxtyping import Complex, Float
from scipy.linalg import svdvals

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._signature import checked
from aqc.kernels.band_circular_law.ensembles import (
    MOST_ROWS,
    Entries,
    Law,
    Profile,
    bandwidth,
    draw_matrix,
    profile_matrix,
)

_FEWEST = 4  # singular values expected in the smallest interval


@dataclass(frozen=True)
class Resolvent:
    """What the singular values s_k of X - z say, for every z.

    Args:
        log_potential: Mean of log s_k, shape (points,); -inf, told as null, if X - z is singular.
        log_potential_limit: (|z|^2 - 1) / 2 inside the disk, log |z| outside.
        stieltjes: Im m_n(i v) = mean of v / (s_k^2 + v^2), shape (points, levels).
        stieltjes_limit: Im m of 1/m = -(eta + m) + |z|^2 / (eta + m) at eta = i v.
        interval: Lengths |I| of intervals about 0, dyadic, shape (intervals,).
        count_ratio: Symmetrized singular values in I over n |I|, shape (points, intervals); the
            paper's bound is 11, the bulk's limit (2/pi) sqrt(1 - |z|^2).
        shortest_interval: B^(-1/8): the bound is for intervals longer than this.
        smallest: n s_min, shape (points,).
    """

    log_potential: np.ndarray
    log_potential_limit: np.ndarray
    stieltjes: np.ndarray
    stieltjes_limit: np.ndarray
    interval: np.ndarray
    count_ratio: np.ndarray
    shortest_interval: float
    smallest: np.ndarray


def measure_resolvent_steps(
    n: int,
    profile: Profile,
    z: np.ndarray,
    v: np.ndarray,
    entries: Law | Entries,
    seed: int,
    state: Any = None,
) -> Steps:
    """Measure resolvents, reporting after every z.

    Args:
        n: As for `measure_resolvent`, and so all others.
        profile: Variances.
        z: Points of the plane.
        v: Heights.
        entries: Their law.
        seed: Of the random numbers.
        state: What an earlier run yielded.

    Yields:
        (fraction, singular values so far).

    Returns:
        Resolvent.

    Raises:
        InputError: The profile, the entries or v cannot be used.
    """
    if v.min() <= 0:
        raise InputError(f"`v` must be greater than 0, but holds {v.min():g}.", "/v")
    variances = profile_matrix(profile, n, np.random.default_rng([seed, 0]))
    matrix = draw_matrix(variances, entries, np.random.default_rng([seed, 1]))
    state = np.empty((0, n)) if state is None else state
    for k in range(len(state), len(z)):
        shifted = matrix - (z[k] if z[k].imag else z[k].real) * np.eye(n)
        state = np.concatenate([state, svdvals(shifted)[None]])
        yield (k + 1) / len(z), state
    size = np.abs(z)
    interval = 2.0 ** -np.arange(0, max(1, int(np.log2(n / _FEWEST)) + 1))
    counts = (state[:, :, None] < interval / 2).sum(1)
    with np.errstate(divide="ignore"):
        logs = np.log(state).mean(1)
        outside = np.log(size)
    return Resolvent(
        log_potential=logs,
        log_potential_limit=np.where(size < 1, (size**2 - 1) / 2, outside),
        stieltjes=(v / (state[:, :, None] ** 2 + v**2)).mean(1),
        stieltjes_limit=np.array([[dyson(abs(a), b) for b in v] for a in z]),
        interval=interval,
        count_ratio=2 * counts / (n * interval),
        shortest_interval=bandwidth(variances) ** -0.125,
        smallest=n * state[:, -1],
    )


@checked(points=(1, 16), levels=(1, 16))
def measure_resolvent(
    n: Annotated[int, Interval(ge=2, le=MOST_ROWS)],
    profile: Profile,
    z: Complex[np.ndarray, " points"],
    v: Float[np.ndarray, " levels"],
    entries: Law | Entries = "complex_gaussian",
    seed: Annotated[int, Interval(ge=0)] = 0,
) -> Resolvent:
    """Compare the singular values of X - z with their limits.

    1/m = -(eta + m) + |z|^2 / (eta + m), eta = i v, Im m > 0.

    Args:
        n: Number of rows.
        profile: Variances b_ij^2.
        z: Points of the plane.
        v: Heights above the real axis, positive.
        entries: Law of xi_ij, or the xi_ij themselves.
        seed: Of the random numbers.

    Returns:
        Log-potential, Stieltjes transform and counts, each beside its limit.

    Raises:
        InputError: The profile is not doubly stochastic, or sizes do not agree.

    Source: arXiv 2410.16457, the scalar Dyson equation and the count of small singular values
    (at most 11 n |I| in intervals longer than B^(-1/8) n^c).

    Example:
        >>> from aqc.kernels.band_circular_law import CyclicBand
        >>> found = measure_resolvent(200, CyclicBand(100), [0.5], [0.5])
        >>> bool(abs(found.stieltjes - found.stieltjes_limit)[0, 0] < 0.05)
        True
    """
    found: Resolvent = drain(measure_resolvent_steps(n, profile, z, v, entries, seed))
    return found


def dyson(size: float, v: float) -> float:
    """Return y = Im m of the Dyson equation at eta = i v, where m = i y.

    y^3 + 2 v y^2 - (1 - |z|^2 - v^2) y - v = 0, which has one positive root.

    Args:
        size: |z|.
        v: Height, positive.

    Returns:
        y.

    Source: arXiv 2410.16457, the scalar Dyson equation.

    Example:
        >>> round(dyson(0.0, 1.0), 6)
        0.618034
    """
    roots = np.roots([1.0, 2 * v, -(1 - size**2 - v**2), -v])
    y = float(roots.real[np.argmax(roots.real)])
    for _ in range(2):  # Newton: the companion matrix leaves some rounding
        value = ((y + 2 * v) * y - (1 - size**2 - v**2)) * y - v
        y -= value / ((3 * y + 4 * v) * y - (1 - size**2 - v**2))
    return y
