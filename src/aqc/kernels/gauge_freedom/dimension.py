"""Local intrinsic dimension from the singular values of the probability flow's Jacobian."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from annotated_types import Ge, Gt, Interval
from jaxtyping import Float
from scipy.spatial import cKDTree

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._signature import checked
from aqc.kernels.gauge_freedom.fields import (
    Mixture,
    Score,
    check_dimensions,
    empirical_score,
    mixture_score,
    runge_kutta,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BATCH = 8  # trajectories between two reports


@dataclass(frozen=True)
class Points:
    """Data whose own smoothed measure gives the score; 10 to 5000 points, at most 16 dimensions.

    Args:
        data: One row for each point.
    """

    data: Float[np.ndarray, "points dimensions"]
    kind: Literal["points"] = "points"

    def check(self, sigma_min: float | None) -> float:
        """Return the noise at the end, by default twice the median distance of neighbors.

        Raises:
            InputError: There are too few or too many points, or the noise does not bridge them.
        """
        check_dimensions(self.data, "source.data")
        if not 10 <= len(self.data) <= 5000:
            raise InputError(
                f"`source.data` must have 10 to 5000 points, but has {len(self.data)}.",
                "/source/data",
            )
        near = float(np.median(cKDTree(self.data).query(self.data, 2)[0][:, 1]))
        if near == 0:
            raise InputError(
                "`source.data` must hold different points, but most are repeated.", "/source/data"
            )
        if sigma_min is not None and sigma_min < near:
            raise InputError(
                f"`sigma_min` must be at least {near:.3g}, the median distance of neighbors, but "
                f"is {sigma_min:g}: the empirical score memorizes its points, and the dimension "
                "would be 0.",
                "/sigma_min",
            )
        return 2 * near if sigma_min is None else sigma_min


@dataclass(frozen=True)
class Dimensions:
    """Local intrinsic dimensions where the trajectories end.

    Args:
        by_slope: Number of singular values with d log s / d log sigma < 1/2 over
            [sigma_min, 3 sigma_min], shape (queries,).
        by_gap: Number above the largest gap of log s at sigma_min, shape (queries,).
        slopes: Shape (queries, d), of the descending singular values.
        singular_values: Of dx_sigma/dx_start, shape (queries, steps + 1, d).
        sigma: Noise levels, shape (steps + 1,).
        end_points: Shape (queries, d).
    """

    by_slope: np.ndarray
    by_gap: np.ndarray
    slopes: np.ndarray
    singular_values: np.ndarray
    sigma: np.ndarray
    end_points: np.ndarray


def estimate_dimension_steps(
    source: Points | Mixture,
    sigma_max: float,
    sigma_min: float | None,
    steps: int,
    n_queries: int,
    gauge: float,
    seed: int,
    state: Any = None,
) -> Steps:
    """Estimate the dimension, reporting after every eight trajectories.

    Args:
        source: As for `estimate_dimension`, and so all others.
        sigma_max: Noise at the start.
        sigma_min: Noise at the end.
        steps: Runge-Kutta steps.
        n_queries: Number of trajectories.
        gauge: Amplitude c.
        seed: Of all random numbers.
        state: What an earlier run yielded.

    Yields:
        (fraction, {"paths": singular values so far, "ends": end points so far}).

    Returns:
        Dimensions.

    Raises:
        InputError: The source or the noise cannot be used.
    """
    score, arrays, sigma_min = _prepare(source, sigma_min)
    if 3 * sigma_min >= sigma_max:
        raise InputError(
            f"`sigma_max` must be greater than three times `sigma_min`, {3 * sigma_min:.3g}, but "
            f"is {sigma_max:g}.",
            "/sigma_max",
        )
    rng = np.random.default_rng(seed)
    start = _draw_start(source, sigma_max, n_queries, rng)
    d = start.shape[1]
    matrix = np.eye(d) + gauge * _skew(d, rng)
    log_sigma = np.linspace(np.log(sigma_max), np.log(sigma_min), steps + 1)
    state = state or {"paths": np.empty((0, steps + 1, d)), "ends": np.empty((0, d))}
    while (done := len(state["ends"])) < n_queries:
        # Always a whole batch, so that one compilation serves.
        batch = start[np.minimum(np.arange(done, done + _BATCH), n_queries - 1)]
        with jax.enable_x64(True):
            ends, jacobians = _follow(arrays, batch, log_sigma, matrix, score=score)
        kept = min(_BATCH, n_queries - done)
        values = np.linalg.svd(np.asarray(jacobians)[:kept], compute_uv=False)
        first = np.ones((kept, 1, d))
        state = {
            "paths": np.concatenate([state["paths"], np.concatenate([first, values], 1)]),
            "ends": np.concatenate([state["ends"], np.asarray(ends)[:kept]]),
        }
        yield len(state["ends"]) / n_queries, state
    return _read_off(state["paths"], state["ends"], log_sigma)


@checked(components=(1, 16))
def estimate_dimension(
    source: Points | Mixture,
    sigma_max: Annotated[float, Gt(0)] = 8.0,
    sigma_min: Annotated[float, Gt(0)] | None = None,
    steps: Annotated[int, Interval(ge=20, le=1000)] = 150,
    n_queries: Annotated[int, Interval(ge=1, le=64)] = 8,
    gauge: Annotated[float, Ge(0)] = 0.0,
    seed: Annotated[int, Interval(ge=0)] = 0,
) -> Dimensions:
    """Estimate the local dimension of data by how the probability flow contracts.

    Y = dx_sigma/dx_start, dY/dlog(sigma) = -sigma^2 (ds/dx) Y; its singular values along the
    data's manifold saturate, the others fall like sigma.

    Args:
        source: Data points, or a mixture of (degenerate) Gaussians.
        sigma_max: Noise at the start, in the unit of the points; several times their extent.
        sigma_min: Noise at the end; by default twice the median distance of neighbors (points)
            or 0.05 (mixture).
        steps: Runge-Kutta steps (fourth order), geometric in sigma.
        n_queries: Number of trajectories, which start from the noised data.
        gauge: c of the field (I + c A) grad log p, A a random skew matrix of norm 1: with c > 0
            sampling stays exact and the field is no gradient.
        seed: Of all random numbers.

    Returns:
        Dimensions by two rules, and the singular values that they come from.

    Raises:
        InputError: The source or the noise cannot be used.

    Source: arXiv 2402.03845, the singular values of Y(x, t). The field here is exact, not a
    trained network; the rules that count the singular values are ours.

    Example:
        >>> plane = Mixture([1.0], [[0.0] * 3], [np.diag([1.0, 0.5, 0.0])])
        >>> estimate_dimension(plane, steps=100, n_queries=2).by_slope.tolist()
        [2, 2]
    """
    found: Dimensions = drain(
        estimate_dimension_steps(source, sigma_max, sigma_min, steps, n_queries, gauge, seed)
    )
    return found


def dimension_work(source: Points | Mixture, steps: int, n_queries: int, **_: object) -> float:
    """Return trajectories x steps x points x dimensions squared."""
    n, d = source.data.shape if isinstance(source, Points) else source.means.shape
    return float(-(-n_queries // _BATCH) * _BATCH * steps * n * d * (d + 1))


def draw(found: Dimensions) -> "Figure":
    """Return a figure of the singular values of the first trajectory over the noise."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 4.0), layout="constrained")
    axes = figure.add_subplot()
    for k, values in enumerate(found.singular_values[0].T):
        axes.loglog(found.sigma, values, label=f"s_{k + 1}, slope {found.slopes[0, k]:.2f}")
    axes.xaxis.set_minor_formatter("")
    axes.axvspan(found.sigma[-1], 3 * found.sigma[-1], color="0.9")
    axes.set(xlabel="sigma (unit of the points)", ylabel="singular value of dx/dx_start")
    axes.set_title(f"dimension {found.by_slope[0]} by slope, {found.by_gap[0]} by gap")
    axes.legend()
    return figure


def _prepare(source: Points | Mixture, sigma_min: float | None) -> tuple[Score, Any, float]:
    if isinstance(source, Points):
        return empirical_score, source.data, source.check(sigma_min)
    source.check("source")
    return mixture_score, source.arrays(), 0.05 if sigma_min is None else sigma_min


def _draw_start(
    source: Points | Mixture, sigma_max: float, n: int, rng: np.random.Generator
) -> np.ndarray:
    points = rng.choice(source.data, n) if isinstance(source, Points) else source.draw(n, rng)
    return points + sigma_max * rng.normal(size=points.shape)


def _skew(d: int, rng: np.random.Generator) -> np.ndarray:
    """Return a random skew matrix of spectral norm 1 (of norm 0 in one dimension)."""
    full = rng.normal(size=(d, d))
    skew = full - full.T
    return skew / (float(np.linalg.norm(skew, 2)) or 1.0)


@partial(jax.jit, static_argnames="score")
def _follow(
    arrays: Any, start: Any, log_sigma: Any, matrix: Any, *, score: Score
) -> tuple[jax.Array, jax.Array]:
    """Return the end points and the Jacobians at every level but the first."""
    step = log_sigma[1] - log_sigma[0]

    def rates(state: Any, t: jax.Array) -> Any:
        x, jacobian = state
        variance = jnp.exp(2 * t)

        def velocity(y: jax.Array) -> jax.Array:
            return -variance * (matrix @ score(arrays, y, variance))

        rate, push = jax.linearize(velocity, x)
        return rate, jax.vmap(push, 1, 1)(jacobian)

    def advance(state: Any, t: jax.Array) -> Any:
        state = runge_kutta(rates, state, t, step)
        return state, state[1]

    def one(x: jax.Array) -> Any:
        (end, _), path = jax.lax.scan(advance, (x, jnp.eye(len(x))), log_sigma[:-1])
        return end, path

    return jax.vmap(one)(jnp.asarray(start))


def _read_off(paths: np.ndarray, ends: np.ndarray, log_sigma: np.ndarray) -> Dimensions:
    logs = np.log(np.maximum(paths, 1e-300))
    late = log_sigma <= log_sigma[-1] + np.log(3)
    centered = log_sigma[late] - log_sigma[late].mean()
    slopes = np.einsum("t,qtd->qd", centered, logs[:, late]) / (centered**2).sum()
    d = ends.shape[1]
    gaps = logs[:, -1, :-1] - logs[:, -1, 1:]
    by_gap = gaps.argmax(1) + 1 if d > 1 else np.ones(len(ends), int)
    return Dimensions(
        by_slope=(slopes < 0.5).sum(1),
        by_gap=by_gap,
        slopes=slopes,
        singular_values=paths,
        sigma=np.exp(log_sigma),
        end_points=ends,
    )
