"""The bound, the exact radius along a line of logits, and Taylor series on either side of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from annotated_types import Gt, Interval
from jaxtyping import Bool, Complex, Float

from aqc.errors import InputError
from aqc.kernels._signature import checked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Logits = Float[np.ndarray, "samples classes"]
# In units of 1 / spread: where the search for a zero ends, and how finely a circle is sampled.
_FARTHEST, _GROWTH, _BISECTIONS, _NEWTON = 1000.0, 1.3, 14, 12
_LEAST_POINTS, _POINTS_PER_RADIUS = 512, 32
_CHUNK = 200_000  # complex numbers at once, where circles are small
_FLAT = 1e-12


@dataclass(frozen=True)
class Radius:
    """How far the Taylor model of the loss can be trusted along a direction.

    Attributes:
        spread: D of each sample, shape (samples,).
        radius: pi T / D, a lower bound of each sample's radius of convergence along the line;
            infinite (null in JSON) where D is zero. Shape (samples,).
        batch_radius: The least of them, or pi T over the quantile of D that was asked for; None
            when it is infinite.
        bottleneck: The sample of largest spread.
        ratio: Step norm over batch radius; None when no step norm was given.
        scale: By which to multiply the step; None when no step norm was given.
    """

    spread: Float[np.ndarray, " samples"]
    radius: Float[np.ndarray, " samples"]
    batch_radius: float | None
    bottleneck: int
    ratio: float | None
    scale: float | None


@dataclass(frozen=True)
class NearestZeros:
    """The zeros of sum_k exp(z_k + a_k t) that are nearest to t = 0.

    Attributes:
        radius: Modulus of the zero of each sample; where none was found, how far was searched.
            Shape (samples,).
        zero: The one in the upper half plane, 0 where none was found. Shape (samples,).
        is_found: False where D is zero or the zero is farther than 1000 T / D.
        bound: pi T / D of each sample; infinite (null in JSON) where D is zero.
    """

    radius: Float[np.ndarray, " samples"]
    zero: Complex[np.ndarray, " samples"]
    is_found: Bool[np.ndarray, " samples"]
    bound: Float[np.ndarray, " samples"]


@dataclass(frozen=True)
class TaylorErrors:
    """Errors of the Taylor polynomials of log F at a point of the line.

    Attributes:
        orders: 1, 2, ..., shape (orders,).
        errors: Absolute errors, shape (orders,).
        radius: Exact radius of convergence.
        at: Where on the line.
    """

    orders: Float[np.ndarray, " orders"]
    errors: Float[np.ndarray, " orders"]
    radius: float
    at: float


@checked(samples=(1, 20_000), classes=(2, 1000))
def softmax_convergence_radius(
    logits: Logits,
    derivatives: Logits,
    temperature: Annotated[float, Gt(0)] = 1.0,
    quantile: Annotated[float, Interval(gt=0.5, le=1)] = 1.0,
    step_norm: Annotated[float, Interval(ge=0)] | None = None,
    target: Annotated[float, Interval(gt=0, le=1)] = 1.0,
) -> Radius:
    """Bound how far the Taylor model of a softmax cross-entropy can be trusted along a step.

    rho = pi T / D,  D = max_k a_k - min_k a_k, the least over the samples.

    Args:
        logits: z of each sample, shape (samples, classes). The bound does not depend on them.
        derivatives: a = J v, derivatives of the logits along the step's direction v of norm one,
            shape (samples, classes).
        temperature: T; the loss is that of z / T.
        quantile: Of the spreads, in place of their maximum; below 1 nothing is guaranteed.
        step_norm: Norm of the step that is proposed, in the units in which v has norm one.
        target: Largest ratio of step and radius that is let through.

    Returns:
        Spreads and radii; with a step norm how to scale the step.

    Raises:
        InputError: An argument is outside of its interval.

    Source:
        arXiv:2603.13552, Theorem on zeros: each zero of F has |Im t| >= pi / D.

    Example:
        >>> result = softmax_convergence_radius([[0.0, 0.0]], [[1.0, -1.0]], step_norm=3.0)
        >>> round(result.batch_radius, 4), round(result.scale, 4)
        (1.5708, 0.5236)
    """
    spread = np.ptp(derivatives, axis=1)
    # As `spread` where the quantile is a sample's own value.
    widest = float(np.quantile(spread, quantile))
    ratio = None if step_norm is None else step_norm * widest / (np.pi * temperature)
    return Radius(
        spread=spread,
        radius=_bound(spread, temperature),
        batch_radius=np.pi * temperature / widest if widest > _FLAT else None,
        bottleneck=int(np.argmax(spread)),
        ratio=ratio,
        scale=None if ratio is None else cap_step_to_radius(ratio, target),
    )


def cap_step_to_radius(ratio: float, target: float = 1.0) -> float:
    """Return the factor that brings a step within its radius.

    min(1, target / ratio).

    Args:
        ratio: Norm of the step over the radius.
        target: Largest ratio let through.

    Returns:
        The factor, at most 1.

    Source:
        arXiv:2603.13552, the controller.

    Example:
        >>> cap_step_to_radius(4.0), cap_step_to_radius(0.5)
        (0.25, 1.0)
    """
    return 1.0 if ratio <= target else target / ratio


def radius_of_step(apply: Callable[[Any, Any], jax.Array], params: Any, x: Any, step: Any) -> Any:
    """Return the ratio of a step to the batch's radius, max_x D(J step) / pi.

    Args:
        apply: Maps (params, x) to logits, shape (samples, classes).
        params: Where the step starts, a tree of arrays.
        x: The batch.
        step: Proposed change of the parameters, a tree like `params`.

    Returns:
        A scalar: ||step|| / rho.

    Source:
        arXiv:2603.13552. The directional derivative is that of the step actually taken, not of
        the gradient.

    Example:
        >>> weights, step = jnp.zeros((2, 2)), jnp.eye(2)
        >>> ratio = radius_of_step(lambda w, x: x @ w, weights, jnp.eye(2), step)
        >>> round(float(ratio) * np.pi, 5)
        1.0
    """
    _, along = jax.jvp(lambda p: apply(p, x), (params,), (step,))
    return jnp.max(jnp.max(along, 1) - jnp.min(along, 1)) / jnp.pi


def _bound(spread: np.ndarray, temperature: float) -> np.ndarray:
    infinite = np.full(len(spread), np.inf)
    return np.divide(np.pi * temperature, spread, out=infinite, where=spread > _FLAT)


@checked(samples=(1, 20_000), classes=(2, 1000))
def find_nearest_zeros(
    logits: Logits, derivatives: Logits, temperature: Annotated[float, Gt(0)] = 1.0
) -> NearestZeros:
    """Find the exact radius of convergence of the loss along a line of logits.

    The radius is the least |t| with F(t) = sum_k exp((z_k + a_k t) / T) = 0. Circles are grown
    until the winding number of F counts a zero, halved in, and Newton's method ends.

    Args:
        logits: z of each sample, shape (samples, classes).
        derivatives: a of each sample, shape (samples, classes).
        temperature: T.

    Returns:
        Zeros and their moduli, with the bound pi T / D that they obey.

    Raises:
        InputError: An argument is outside of its interval.

    Source:
        arXiv:2603.13552 gives the closed form for two classes; the search for more is ours.

    Example:
        >>> result = find_nearest_zeros([[5.0, 0.0]], [[1.0, -0.5]])
        >>> round(float(result.radius[0]), 4)  # sqrt(5^2 + pi^2) / 1.5
        3.9367
    """
    spread = np.ptp(derivatives, axis=1)
    found = spread > _FLAT
    unit = np.where(found, spread, 1.0)
    z = (logits - logits.max(1, keepdims=True)) / temperature
    # Centered, so that exponents on a circle stay within half its radius.
    middle = (derivatives.max(1) + derivatives.min(1)) / 2
    a = (derivatives - middle[:, None]) / unit[:, None]
    zero = np.zeros(len(z), complex)
    size = max(1, _CHUNK // (_LEAST_POINTS * z.shape[1]))
    rows = np.flatnonzero(found)
    for begin in range(0, len(rows), size):
        chunk = rows[begin : begin + size]
        zero[chunk] = _nearest(z[chunk], a[chunk])
    found &= zero != 0
    radius = np.where(found, np.abs(zero), _FARTHEST) * temperature / unit
    return NearestZeros(
        radius=radius,
        zero=zero * temperature / unit,
        is_found=found,
        bound=_bound(spread, temperature),
    )


def _nearest(z: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Return for each sample the zero nearest to 0, in units where the spread is 1; 0 for none."""
    inner = np.full(len(z), np.pi * (1 - 1e-9))  # the theorem's bound
    outer = inner * _GROWTH
    alive, hit = np.arange(len(z)), np.zeros(len(z), bool)
    while len(alive):
        hit[alive] = _windings(z[alive], a[alive], outer[alive]) > 0
        alive = alive[~hit[alive] & (outer[alive] < _FARTHEST)]
        inner[alive] = outer[alive]
        outer[alive] = np.minimum(outer[alive] * _GROWTH, _FARTHEST)
    for _ in range(_BISECTIONS):
        middle = (inner + outer) / 2
        has = _windings(z, a, middle) > 0
        inner, outer = np.where(has, inner, middle), np.where(has, middle, outer)
    start = outer * np.exp(1j * _angle_of_zero(z, a, outer))
    one = _polish(z, a, start)
    # Two zeros close together are seen as one by the circles: the nearer is wanted.
    two = _polish(z, a, start, one)
    t = np.where(np.abs(two) < np.abs(one), two, one)
    return np.where(hit, np.where(t.imag < 0, t.conj(), t), 0)


def _polish(
    z: np.ndarray, a: np.ndarray, start: np.ndarray, known: np.ndarray | None = None
) -> np.ndarray:
    """Return zeros by Newton's method, other than known ones, or the start where it goes astray."""
    t = start
    for _ in range(_NEWTON):
        weights = _weights(z, a, t[:, None])[:, 0]
        values, slope = weights.sum(1), np.sum(weights * a, 1)
        if known is not None:
            # Newton's step for F / ((t - known) (t - its conjugate)).
            for other in (known, known.conj()):
                gap = t - other
                slope = slope - np.divide(values, gap, out=np.zeros_like(t), where=gap != 0)
        t = t - np.divide(values, slope, out=np.zeros_like(t), where=slope != 0)
    residual = np.abs(_weights(z, a, t[:, None]).sum((1, 2)))
    astray = (np.abs(np.abs(t) / np.abs(start) - 1) > 0.02) | (residual > 1e-8)
    return np.where(astray, start if known is None else np.inf, t)


def _weights(z: np.ndarray, a: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return exp(z_k + a_k t) up to a positive factor, shape (samples, points, classes)."""
    exponents = z[:, None, :] + a[:, None, :] * t[:, :, None]
    return np.asarray(np.exp(exponents - exponents.real.max(2, keepdims=True)))


def _half_circle(radius: np.ndarray) -> np.ndarray:
    count = max(_LEAST_POINTS, int(_POINTS_PER_RADIUS * radius.max()))
    return np.linspace(0, np.pi, count + 1)


def _windings(z: np.ndarray, a: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Return how often F turns around 0 on circles: the number of zeros inside."""
    # F is real on the real axis: half a circle turns by pi for each turn of the whole.
    t = radius[:, None] * np.exp(1j * _half_circle(radius))
    values = _weights(z, a, t).sum(2)
    turns = np.angle(values[:, 1:] * values[:, :-1].conj()).sum(1) / np.pi
    return np.rint(turns).astype(int)


def _angle_of_zero(z: np.ndarray, a: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Return where on the upper half circles a zero is nearest, more finely than they are sampled.

    Nearness is |F / F'|, the length of Newton's step: |F| alone may be less at another zero that is
    farther from the circle.
    """
    grid = _half_circle(radius)
    angles, width = np.tile(grid, (len(z), 1)), grid[1]
    for _ in range(4):
        points = radius[:, None] * np.exp(1j * angles)
        weights = _weights(z, a, points)
        distances = np.abs(weights.sum(2)) / np.maximum(
            np.abs(weights @ a[:, :, None])[..., 0], _FLAT
        )
        least = np.argmin(distances, 1)
        center = np.take_along_axis(angles, least[:, None], 1)
        angles, width = center + width * np.linspace(-1, 1, 17), width / 8
    return np.asarray(center[:, 0])


@checked(classes=(2, 1000))
def expand_in_taylor_series(
    logits: Float[np.ndarray, " classes"],
    derivatives: Float[np.ndarray, " classes"],
    fraction: Annotated[float, Interval(gt=0, le=2)] = 0.9,
    orders: Annotated[int, Interval(ge=1, le=120)] = 80,
) -> TaylorErrors:
    """Measure how Taylor polynomials of log F do at a fraction of the exact radius.

    log F(t) = log sum_k exp(z_k + a_k t), at t = fraction rho*. The coefficients come from an FFT
    over a circle of 0.9 rho*, inside of which log F is analytic.

    Args:
        logits: z, shape (classes,).
        derivatives: a, shape (classes,).
        fraction: Below 1 errors fall with the order, above 1 they grow.
        orders: Highest order.

    Returns:
        The error of each order.

    Raises:
        InputError: The derivatives are equal, or the radius is beyond 1000 / D.

    Source:
        arXiv:2603.13552, what the radius means.

    Example:
        >>> inside = expand_in_taylor_series([0.0, 1.0], [1.0, -1.0], fraction=0.5)
        >>> bool(inside.errors[-1] < 1e-12)
        True
    """
    zeros = find_nearest_zeros(logits[None], derivatives[None])
    if not zeros.is_found[0]:
        raise InputError(
            "`derivatives` must differ, and by so much that there is a zero within 1000 / D, but "
            "no zero was found.",
            "/derivatives",
        )
    radius = float(zeros.radius[0])
    count = 4096
    circle = 0.9 * radius * np.exp(2j * np.pi * np.arange(count) / count)
    weights = np.exp(logits - logits.max() + derivatives * circle[:, None])
    values = weights.sum(1)
    logs = np.log(np.abs(values)) + 1j * np.unwrap(np.angle(values))
    powers = np.arange(orders + 1)
    coefficients = np.fft.fft(logs)[: orders + 1].real / count / 0.9**powers
    sums = np.cumsum(coefficients * fraction**powers)
    exponents = logits - logits.max() + derivatives * fraction * radius
    truth = exponents.max() + np.log(np.exp(exponents - exponents.max()).sum())
    return TaylorErrors(
        powers[1:].astype(float), np.abs(sums - truth)[1:], radius, fraction * radius
    )


def draw_taylor_errors(result: TaylorErrors) -> "Figure":
    """Draw the error over the order."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.6, 3.8), layout="constrained")
    axes = figure.subplots()
    axes.semilogy(result.orders, np.maximum(result.errors, 1e-17), ".-")
    axes.set(xlabel="order", ylabel="error of the Taylor polynomial (nats)")
    axes.set_title(f"t = {result.at:.3g}, radius {result.radius:.3g}")
    return figure
