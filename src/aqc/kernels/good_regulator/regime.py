"""The regime parameters that follow from the spectrum of F."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge, Gt, Lt

from aqc.errors import InputError
from aqc.kernels._signature import checked
from aqc.kernels.good_regulator.observers import Family, Given, Ising, check_positive, fisher_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CURVE_POINTS = 200


@dataclass(frozen=True)
class Rival:
    """A convergence time and the alpha at which it is least.

    Args:
        time: The functional.
        alpha: Where it is least, 1 when it falls all the way.
        interior: Whether that is inside (0, 1).
    """

    time: str
    alpha: float
    interior: bool


@dataclass(frozen=True)
class Regime:
    """What F says of an observer; all dimensionless.

    Args:
        fisher: F, shape (n, n).
        mean_parameters: E[T], shape (n,); None when F was given.
        eigenvalues: Of F, ascending.
        eigenvectors: Columns.
        kappa: lam_max / lam_min.
        beta_optimal: Where cond(g) rho(g) is least.
        alpha_optimal: The same as alpha.
        beta: That the following is for.
        alpha: The same as alpha.
        mass_fraction: alpha_k = lam_k / (lam_k + beta), the share of the inertia M in g along
            each eigenvector; 1 where beta = 0.
        spread: Largest less smallest of these.
        threshold_eigenvalue: Where the share is the threshold asked for.
        deviation_eigenvalues: Of the trace-free M - (tr M / tr F) F.
        deviation_fraction: Its Frobenius norm over that of M.
        trace_deviation: Its trace.
        curve_alpha: Grid of alpha, shape (200,).
        curve_log_time: log(cond(g) rho(g)) there.
        rivals: Other convergence times; the first is the paper's.
    """

    fisher: np.ndarray
    mean_parameters: np.ndarray | None
    eigenvalues: np.ndarray
    eigenvectors: np.ndarray
    kappa: float
    beta_optimal: float
    alpha_optimal: float
    beta: float
    alpha: float
    mass_fraction: np.ndarray
    spread: float
    threshold_eigenvalue: float
    deviation_eigenvalues: np.ndarray
    deviation_fraction: float
    trace_deviation: float
    curve_alpha: np.ndarray
    curve_log_time: np.ndarray
    rivals: tuple[Rival, ...]


@checked()
def analyze_regime(
    observer: Given | Ising | Family,
    beta: Annotated[float, Ge(0)] | None = None,
    alpha: Annotated[float, Ge(0), Lt(1)] | None = None,
    threshold: Annotated[float, Gt(0), Lt(1)] = 0.5,
) -> Regime:
    """Return the regime parameters of an observer: the optimum, and the share along each direction.

    beta* = lam_min (kappa - 2), alpha_k = lam_k / (lam_k + beta), alpha^2 / (1 - alpha) = beta.

    Args:
        observer: A Fisher matrix, spins on a graph, or an exponential family.
        beta: Weight of F in the metric; by default the optimum.
        alpha: The same in other words; at most one of the two.
        threshold: Share at which `threshold_eigenvalue` is told.

    Returns:
        Spectrum, optimum, shares, deviation and rivals.

    Raises:
        InputError: F is not symmetric or not positive definite, the graph is none, or both beta
            and alpha are given.

    Source: arXiv 2603.09067, the closed form of alpha, the directional regime parameter and the
    deviation tensor.

    Example:
        >>> from aqc.kernels.good_regulator import Ising
        >>> triangle = Ising(3, [[0, 1], [1, 2], [0, 2]], [0.5, 0.5, 0.5])
        >>> found = analyze_regime(triangle)
        >>> round(found.kappa, 2), round(found.alpha_optimal, 3)
        (2.84, 0.43)
    """
    if beta is not None and alpha is not None:
        raise InputError("`beta` and `alpha` say the same: give at most one of them.", "/alpha")
    fisher, means = fisher_of(observer)
    values, vectors = np.linalg.eigh(fisher)
    check_positive(values)
    least, most = float(values[0]), float(values[-1])
    best = max(0.0, most - 2 * least)
    if beta is None:
        beta = best if alpha is None else alpha**2 / (1 - alpha)
    share = values / (values + beta)
    ratio = float(np.sum(values**2) / np.sum(values))
    deviation = values * (values - ratio)
    curve = np.linspace(0, 1, _CURVE_POINTS, endpoint=False)
    return Regime(
        fisher=fisher,
        mean_parameters=means,
        eigenvalues=values,
        eigenvectors=vectors,
        kappa=most / least,
        beta_optimal=best,
        alpha_optimal=_alpha(best),
        beta=beta,
        alpha=_alpha(beta),
        mass_fraction=share,
        spread=float(share[-1] - share[0]),
        threshold_eigenvalue=beta * threshold / (1 - threshold),
        deviation_eigenvalues=deviation,
        deviation_fraction=float(np.linalg.norm(deviation) / np.linalg.norm(values**2)),
        trace_deviation=float(np.trace(fisher @ fisher - ratio * fisher)),
        curve_alpha=curve,
        curve_log_time=_log_time(least, most, curve**2 / (1 - curve)),
        rivals=_rivals(best),
    )


def draw(found: Regime) -> "Figure":
    """Return a figure of the convergence time over alpha, and of the shares by eigenvalue."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(found.curve_alpha, found.curve_log_time)
    left.axvline(found.alpha_optimal, ls=":", color="0.3")
    left.set(xlabel="alpha", ylabel="log(cond(g) rho(g))")
    left.set_title(f"kappa = {found.kappa:.3g}, optimum at alpha = {found.alpha_optimal:.3g}")
    right.semilogx(found.eigenvalues, found.mass_fraction, "o")
    right.set(xlabel="eigenvalue of F", ylabel="share of the inertia M", ylim=(0, 1.05))
    right.set_title(f"beta = {found.beta:.3g}")
    return figure


def _alpha(beta: float) -> float:
    """Return alpha with alpha^2 / (1 - alpha) = beta, without cancellation at large beta."""
    return float(2 * beta / (beta + np.sqrt(beta * (beta + 4)))) if beta else 0.0


def _log_time(least: float, most: float, beta: Any) -> Any:
    """Return log(cond(g) rho(g)); g has the eigenvalues lam (lam + beta)."""
    return 2 * np.log(most * (most + beta)) - np.log(least * (least + beta))


def _rivals(best: float) -> tuple[Rival, ...]:
    optimum = Rival("cond(g) rho(g)", _alpha(best), best > 0)
    return (
        optimum,
        Rival("cond(g)", 1.0, False),
        Rival("rho(g)", 0.0, False),
        Rival("cond(g^-1 F)", 1.0, False),
        Rival("1 / min rate(g^-1 F)", 0.0, False),
        # (lam_max + beta)^2 / (lam_min + beta): the paper's up to a factor without beta.
        Rival("cond(g^-1 F) / min rate(g^-1 F)", optimum.alpha, optimum.interior),
    )
