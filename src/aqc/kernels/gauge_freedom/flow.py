"""The probability-flow equation with an exact, a gauged or a wrong field."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from annotated_types import Gt, Interval
from jaxtyping import Float
from scipy.spatial.distance import cdist

from aqc.errors import InputError
from aqc.kernels._signature import checked
from aqc.kernels.gauge_freedom.fields import Mixture, mixture_score, runge_kutta

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BLOCK = 500  # rows of distances held at a time


@dataclass(frozen=True)
class Exact:
    """The true score."""

    kind: Literal["exact"] = "exact"


@dataclass(frozen=True)
class Gauge:
    """The score and a gauge field, r = A grad log p.

    Args:
        skew: A, skew-symmetric.
    """

    skew: Float[np.ndarray, "dimensions dimensions"]
    kind: Literal["gauge"] = "gauge"


@dataclass(frozen=True)
class Linear:
    """The score and r = B x, which is a gauge field only for densities that B leaves alone.

    Args:
        matrix: B.
    """

    matrix: Float[np.ndarray, "dimensions dimensions"]
    kind: Literal["linear"] = "linear"


@dataclass(frozen=True)
class Scaled:
    """The score times a factor: conservative, and wrong unless the factor is 1."""

    factor: Annotated[float, Gt(0)]
    kind: Literal["scaled"] = "scaled"


@dataclass(frozen=True)
class Flow:
    """Where the flow brings samples.

    Args:
        samples: End points, shape (n, d).
        reference: Samples of the mixture at `sigma_min`, shape (n, d).
        energy_distance: 2 E|X-Y| - E|X-X'| - E|Y-Y'| between both.
        null_energy_distance: The same of two reference samples.
        displacement: Mean distance from where the true score brings the same starting points.
        gauge_residual: Root mean square of div r + r . grad log p over the reference.
    """

    samples: np.ndarray
    reference: np.ndarray
    energy_distance: float
    null_energy_distance: float
    displacement: float
    gauge_residual: float


@checked(components=(1, 16))
def flow_samples(
    mixture: Mixture,
    field: Exact | Gauge | Linear | Scaled,
    n: Annotated[int, Interval(ge=10, le=5000)] = 1000,
    sigma_max: Annotated[float, Gt(0)] = 12.0,
    sigma_min: Annotated[float, Gt(0)] = 0.01,
    steps: Annotated[int, Interval(ge=10, le=2000)] = 400,
    seed: Annotated[int, Interval(ge=0)] = 0,
) -> Flow:
    """Follow the probability flow from strong noise to the data, with a field of one's choice.

    dx/dsigma = -sigma (grad log p_sigma(x) + r(x, sigma)), p_sigma = p * N(0, sigma^2 I).

    Args:
        mixture: p.
        field: What is added to the score.
        n: Number of samples.
        sigma_max: Noise at the start, in the unit of the points.
        sigma_min: Noise at the end.
        steps: Runge-Kutta steps (fourth order), geometric in sigma.
        seed: Of all random numbers.

    Returns:
        Samples, and how far their law is from the mixture's.

    Raises:
        InputError: The mixture is none, A is not skew, or the noise does not fall.

    Source: arXiv 2402.03845: sampling is exact if r obeys the gauge condition
    div r + r . grad log p_sigma = 0, and a conservative field alone does not make it so.

    Example:
        >>> normal = Mixture([1.0], [[0.0, 0.0]], [[[1.0, 0.0], [0.0, 4.0]]])
        >>> found = flow_samples(normal, Gauge([[0.0, 1.0], [-1.0, 0.0]]), n=200, steps=100)
        >>> found.gauge_residual < 1e-9 and found.displacement > 0.5
        True
    """
    mixture.check("mixture")
    _check_noise(sigma_min, sigma_max)
    d = mixture.means.shape[1]
    parts, exact = _parts(field, d), _parts(Exact(), d)
    rng = np.random.default_rng(seed)
    start = mixture.draw(n, rng)
    start += sigma_max * rng.normal(size=start.shape)
    reference, other = (
        mixture.draw(n, rng) + sigma_min * rng.normal(size=start.shape) for _ in range(2)
    )
    with jax.enable_x64(True):
        arrays, ends = mixture.arrays(), (np.log(sigma_max), np.log(sigma_min))
        found = np.asarray(_integrate(arrays, start, ends, steps, parts))
        true = np.asarray(_integrate(arrays, start, ends, steps, exact))
        residual = np.asarray(_residual(arrays, reference, sigma_min**2, parts))
    return Flow(
        samples=found,
        reference=reference,
        energy_distance=energy_distance(found, reference),
        null_energy_distance=energy_distance(other, reference),
        displacement=float(np.linalg.norm(found - true, axis=1).mean()),
        gauge_residual=float(np.sqrt((residual**2).mean())),
    )


def flow_work(mixture: Mixture, n: int, steps: int, **_: object) -> float:
    """Return steps x samples x components x dimensions squared."""
    k, d = mixture.means.shape
    return float(steps * n * k * d * (d + 4))


def energy_distance(x: np.ndarray, y: np.ndarray) -> float:
    """Return 2 E|X-Y| - E|X-X'| - E|Y-Y'|, zero only for equal samples.

    Args:
        x: Shape (n, d).
        y: Shape (m, d).

    Returns:
        In the unit of the points.

    Source: Székely and Rizzo, Journal of Statistical Planning and Inference 143 (2013).

    Example:
        >>> energy_distance(np.array([[0.0]]), np.array([[1.0]]))
        2.0
    """

    def mean(a: np.ndarray, b: np.ndarray) -> float:
        parts = [cdist(a[i : i + _BLOCK], b).sum() for i in range(0, len(a), _BLOCK)]
        return float(sum(parts)) / (len(a) * len(b))

    return 2 * mean(x, y) - mean(x, x) - mean(y, y)


def draw(found: Flow) -> "Figure":
    """Return a figure of the samples over the reference, first two coordinates."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.8, 4.4), layout="constrained")
    axes = figure.add_subplot()
    second = min(1, found.samples.shape[1] - 1)
    axes.plot(found.reference[:, 0], found.reference[:, second], ".", ms=3, label="mixture")
    axes.plot(found.samples[:, 0], found.samples[:, second], ".", ms=3, label="flow")
    axes.set(xlabel="x_1", ylabel=f"x_{second + 1}", aspect="equal")
    axes.set_title(
        f"energy distance {found.energy_distance:.2g} (null {found.null_energy_distance:.2g})"
    )
    axes.legend()
    return figure


def _check_noise(sigma_min: float, sigma_max: float) -> None:
    if sigma_min >= sigma_max:
        raise InputError(
            f"`sigma_min` must be less than `sigma_max`, but they are {sigma_min:g} and "
            f"{sigma_max:g}.",
            "/sigma_min",
        )


def _parts(field: Exact | Gauge | Linear | Scaled, d: int) -> tuple[Any, ...]:
    """Return A, B and f of the field f grad log p + A grad log p + B x."""
    none = np.zeros((d, d))
    if isinstance(field, Exact):
        return none, none, 1.0
    if isinstance(field, Scaled):
        return none, none, field.factor
    if isinstance(field, Linear):
        return none, field.matrix, 1.0
    fault = np.abs(field.skew + field.skew.T).max()
    if fault > 1e-12:
        raise InputError(
            f"`field.skew` must be skew-symmetric, but A + A^T reaches {fault:.3g}.", "/field/skew"
        )
    return field.skew, none, 1.0


def _extra(arrays: Any, x: jax.Array, variance: jax.Array, parts: Any) -> jax.Array:
    """Return what the field has beyond the score at a point."""
    skew, matrix, factor = parts
    score = mixture_score(arrays, x, variance)
    return (factor - 1) * score + skew @ score + matrix @ x


@jax.jit
def _integrate(arrays: Any, start: Any, ends: Any, steps: Any, parts: Any) -> jax.Array:
    step = (ends[1] - ends[0]) / steps

    def velocity(x: jax.Array, log_sigma: jax.Array) -> jax.Array:
        variance = jnp.exp(2 * log_sigma)
        score = mixture_score(arrays, x, variance)
        return -variance * (score + _extra(arrays, x, variance, parts))

    rates = jax.vmap(velocity, (0, None))
    return jax.lax.fori_loop(
        0, steps, lambda i, x: runge_kutta(rates, x, ends[0] + i * step, step), jnp.asarray(start)
    )


@jax.jit
def _residual(arrays: Any, points: Any, variance: Any, parts: Any) -> jax.Array:
    def at(x: jax.Array) -> jax.Array:
        def extra(y: jax.Array) -> jax.Array:
            return _extra(arrays, y, variance, parts)

        return jnp.trace(jax.jacfwd(extra)(x)) + extra(x) @ mixture_score(arrays, x, variance)

    return jax.vmap(at)(jnp.asarray(points))
