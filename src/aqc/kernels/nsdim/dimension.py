"""The numerical span dimension of hidden layers: over widths, in the limit, and of a given one."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import Gt, Interval, Le, Len
from jaxtyping import Float
from scipy.linalg import qr, svdvals

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._signature import checked
from aqc.kernels.nsdim.features import (
    Activation,
    Domain,
    Points,
    activate,
    check_size,
    hidden_functions,
    point_count,
    read_domain,
    tensor_rule,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SATURATED = 0.95
Bound = Annotated[float, Gt(0), Le(1e3)]
Widths = Annotated[tuple[Annotated[int, Interval(ge=1, le=4000)], ...], Len(1, 30)]
Epsilons = Annotated[tuple[Annotated[float, Interval(ge=1e-15, lt=1)], ...], Len(1, 30)]
Cut = Literal["relative", "absolute"]
_CURVE = tuple(10.0**-k for k in range(1, 15))


@dataclass(frozen=True)
class Dimensions:
    """How many functions a layer offers.

    Args:
        widths: M.
        epsilons: Cuts.
        nsdim: Number of singular values above the cut, median over the repeats, shape
            (widths, epsilons).
        singular_values: At the largest width, first repeat.
        tail: sqrt(sum of s_k^2 beyond the dimension) at the largest width, shape (epsilons,).
        saturation_width: For each cut the least width with 95 % of the largest width's dimension;
            None where that layer still offers as many functions as it has units.
        redundancy: 1 - NSdim / M at the largest width, shape (epsilons,).
    """

    widths: tuple[int, ...]
    epsilons: tuple[float, ...]
    nsdim: np.ndarray
    singular_values: np.ndarray
    tail: np.ndarray
    saturation_width: tuple[int | None, ...]
    redundancy: np.ndarray


@dataclass(frozen=True)
class Limit:
    """The dimension of one layer, or of a layer of infinite width.

    Args:
        epsilons: Cuts.
        nsdim: Number of singular values above the cut, shape (epsilons,).
        singular_values: Descending.
    """

    epsilons: tuple[float, ...]
    nsdim: np.ndarray
    singular_values: np.ndarray


@checked()
def measure_dimension(
    domain: Domain,
    activation: Activation,
    bound: Bound,
    widths: Widths,
    bias_bound: Bound | None = None,
    epsilons: Epsilons = _CURVE,
    depth: Annotated[int, Interval(ge=1, le=6)] = 1,
    cut: Cut = "relative",
    scaled: bool = False,
    repeats: Annotated[int, Interval(ge=1, le=10)] = 1,
    seed: Annotated[int, Interval(ge=0)] = 0,
) -> Dimensions:
    """Count the numerically independent functions of random layers with bounded parameters.

    NSdim(eps) = #{k : s_k > eps s_1}, s_k the singular values of A_ij = sqrt(w_i / M) h_j(x_i),
    h_j(x) = sigma(w_j . x + b_j), (w_j, b_j) uniform in the box.

    Args:
        domain: Points and their weights.
        activation: sigma.
        bound: R, of the weights.
        widths: M of each layer.
        bias_bound: Of the biases; by default R as well.
        epsilons: Cuts, at least 1e-15.
        depth: Layers of equal width; the last one's functions are counted.
        cut: Relative to s_1, or absolute.
        scaled: Divide weights by the root of the number of inputs.
        repeats: Draws to take the median of.
        seed: Of the random numbers.

    Returns:
        Dimensions by width and cut.

    Raises:
        InputError: The matrix is too large, or the points are too few to tell the dimension.

    Source: arXiv 2409.16697. Only its abstract was at hand: the normalization, the cuts and the
    saturation width are our reading.

    Example:
        >>> from aqc.kernels.nsdim import GaussLegendre
        >>> found = measure_dimension(GaussLegendre(200), "tanh", 1.0, (25, 50), epsilons=(1e-6,))
        >>> found.nsdim.ravel().tolist()
        [9.0, 9.0]
    """
    found: Dimensions = drain(
        measure_dimension_steps(
            domain,
            activation,
            bound,
            widths,
            bias_bound,
            epsilons,
            depth,
            cut,
            scaled,
            repeats,
            seed,
        )
    )
    return found


def measure_dimension_steps(
    domain: Domain,
    activation: Activation,
    bound: float,
    widths: Widths,
    bias_bound: float | None,
    epsilons: Epsilons,
    depth: int,
    cut: Cut,
    scaled: bool,
    repeats: int,
    seed: int,
    state: Any = None,
) -> Steps:
    """Count functions, reporting after every decomposition.

    Args:
        domain: As for `measure_dimension`, and so all others.
        activation: sigma.
        bound: R.
        widths: M.
        bias_bound: Of the biases.
        epsilons: Cuts.
        depth: Layers.
        cut: Relative or absolute.
        scaled: Whether weights are divided.
        repeats: Draws.
        seed: Of the random numbers.
        state: What an earlier run yielded.

    Yields:
        (fraction, singular values so far).

    Returns:
        Dimensions.

    Raises:
        InputError: As for `measure_dimension`.
    """
    check_size(point_count(domain), widths)
    points, weights = read_domain(domain)
    bounds = (bound, bound if bias_bound is None else bias_bound)
    tasks = [(repeat, width) for repeat in range(repeats) for width in widths]
    spectra = list(state or [])
    for repeat, width in tasks[len(spectra) :]:
        values = hidden_functions(
            points, activation, bounds, width, max(widths), depth, scaled, seed + repeat
        )
        spectra = [*spectra, svdvals(values * np.sqrt(weights[:, None] / width))]
        yield len(spectra) / len(tasks), spectra
    counts = np.array([[_count(s, e, cut) for e in epsilons] for s in spectra])
    for (_, width), row in zip(tasks, counts, strict=True):
        if width >= len(points):
            _check_resolved(row, len(points))
    nsdim = np.median(counts.reshape(repeats, len(widths), -1), axis=0)
    widest = int(np.argmax(widths))
    return Dimensions(
        widths=widths,
        epsilons=epsilons,
        nsdim=nsdim,
        singular_values=spectra[widest],
        tail=np.array([_tail(spectra[widest], c) for c in counts[widest]]),
        saturation_width=tuple(_saturation(widths, column) for column in nsdim.T),
        redundancy=1 - nsdim[widest] / widths[widest],
    )


@checked()
def limit_dimension(
    domain: Domain,
    activation: Activation,
    bound: Bound,
    bias_bound: Bound | None = None,
    epsilons: Epsilons = _CURVE,
    cut: Cut = "relative",
    quadrature: Annotated[int, Interval(ge=4, le=60)] | None = None,
) -> Limit:
    """Count the independent functions of an infinitely wide layer.

    The random parameters are replaced by a tensor Gauss-Legendre rule on their box.

    Args:
        domain: Points in one or two dimensions.
        activation: sigma.
        bound: R, of the weights.
        bias_bound: Of the biases; by default R as well.
        epsilons: Cuts, at least 1e-15.
        cut: Relative to s_1, or absolute.
        quadrature: Nodes along each axis of the box; by default 40 (d = 1) or 14 (d = 2).

    Returns:
        Dimension by cut.

    Raises:
        InputError: The domain has more than two dimensions, or too few points.

    Source: arXiv 2409.16697, the limit of infinite width; the quadrature is ours.

    Example:
        >>> from aqc.kernels.nsdim import GaussLegendre, Power
        >>> limit_dimension(GaussLegendre(50), Power(3), 2.0, epsilons=(1e-12,)).nsdim.tolist()
        [4]
    """
    points, weights = read_domain(domain)
    axes = points.shape[1]
    if axes > 2:
        raise InputError(
            f"`domain` must have one or two dimensions for the limit, but has {axes}.", "/domain"
        )
    nodes, shares = tensor_rule(quadrature or (40, 14)[axes - 1], axes + 1)
    inner, bias = nodes[:, :-1] * bound, nodes[:, -1] * (bias_bound or bound)
    values = activate(activation, points @ inner.T + bias)
    matrix = values * np.sqrt(weights[:, None] * shares)
    # Of the long side only the triangular factor counts.
    spectrum = svdvals(qr(matrix.T, mode="r")[0][: len(points)])
    counts = np.array([_count(spectrum, e, cut) for e in epsilons])
    _check_resolved(counts, len(points))
    return Limit(epsilons, counts, spectrum)


@checked()
def measure_layer(
    points: Float[np.ndarray, "points dimensions"],
    weights: Float[np.ndarray, "dimensions units"],
    bias: Float[np.ndarray, " units"],
    activation: Activation,
    epsilons: Epsilons = _CURVE,
    cut: Cut = "relative",
) -> Limit:
    """Count the independent functions of a given layer, for example a trained one.

    NSdim(eps) of h_j(x) = sigma(w_j . x + b_j).

    Args:
        points: Shape (n, d), equally weighted.
        weights: Shape (d, M).
        bias: Shape (M,).
        activation: sigma.
        epsilons: Cuts, at least 1e-15.
        cut: Relative to s_1, or absolute.

    Returns:
        Dimension by cut.

    Raises:
        InputError: The matrix is too large, or the points are too few to tell the dimension.

    Source: arXiv 2409.16697, for given parameters.

    Example:
        >>> x = np.linspace(-1, 1, 50)[:, None]
        >>> measure_layer(x, [[1.0, 2.0]], [0.0, 0.0], "tanh", epsilons=(1e-6,)).nsdim.tolist()
        [2]
    """
    points, shares = read_domain(Points(points))
    check_size(len(points), (len(bias),))
    values = activate(activation, points @ weights + bias)
    spectrum = svdvals(values * np.sqrt(shares[:, None] / len(bias)))
    counts = np.array([_count(spectrum, e, cut) for e in epsilons])
    if len(bias) >= len(points):
        _check_resolved(counts, len(points))
    return Limit(epsilons, counts, spectrum)


def draw(found: Dimensions) -> "Figure":
    """Return a figure of the dimension over the width, and of the singular values."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    for epsilon, column in zip(found.epsilons, found.nsdim.T, strict=True):
        left.plot(found.widths, column, "o-", ms=3, label=f"{epsilon:.0e}")
    left.plot(found.widths, found.widths, ":", color="0.5")
    left.set(xlabel="width M", ylabel="NSdim", ylim=(0, 1.3 * found.nsdim.max() + 1))
    left.legend(title="cut", fontsize="x-small", ncols=3)
    spectrum = found.singular_values
    right.semilogy(spectrum[spectrum > 0] / spectrum[0], ".", ms=4)
    right.set(xlabel="k", ylabel="s_k / s_1 at the largest width")
    return figure


def dimension_work(
    domain: Domain, widths: tuple[int, ...], depth: int, repeats: int, **_: object
) -> float:
    """Return points x width x min(points, width + depth x width), summed over decompositions."""
    n = point_count(domain)
    return float(repeats * sum(n * m * (min(n, m) + (depth - 1) * m) for m in widths))


def limit_work(domain: Domain, quadrature: int | None, **_: object) -> float:
    """Return points squared x nodes."""
    # More than two axes are refused by the operation itself.
    axes = min(2, domain.points.shape[1] if isinstance(domain, Points) else domain.dimensions)
    return float(point_count(domain) ** 2 * (quadrature or (40, 14)[axes - 1]) ** (axes + 1))


def _count(spectrum: np.ndarray, epsilon: float, cut: Cut) -> int:
    scale = spectrum[0] if cut == "relative" else 1.0
    return int(np.count_nonzero(spectrum > epsilon * scale))


def _check_resolved(counts: np.ndarray, n: int) -> None:
    if counts.max() >= n:
        raise InputError(
            f"`domain` must have more points: NSdim reached their number {n}, and may be larger.",
            "/domain",
        )


def _tail(spectrum: np.ndarray, count: int) -> float:
    return float(np.sqrt((spectrum[int(count) :] ** 2).sum()))


def _saturation(widths: tuple[int, ...], column: np.ndarray) -> int | None:
    widest = int(np.argmax(widths))
    if column[widest] >= widths[widest]:
        return None
    enough = [w for w, c in zip(widths, column, strict=True) if c >= _SATURATED * column[widest]]
    return min(enough)
