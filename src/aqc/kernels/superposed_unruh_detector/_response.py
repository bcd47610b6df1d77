"""Responses of a detector in a superposition of two paths."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from annotated_types import Interval
from jaxtyping import Float

from aqc.errors import InputError
from aqc.kernels._signature import checked
from aqc.kernels.superposed_unruh_detector._contour import (
    Contour,
    Setting,
    contour_of,
    count_p,
    cross_response,
    local_response,
    two_gap_response,
)

Direction = Literal["perpendicular", "parallel"]
Kappa = Annotated[float, Interval(ge=1e-9, le=1e9)]
_MOST_NODES = 5e7
_RATIOS = (1e-3, 50.0)  # of gap to acceleration
_DURATIONS = (1e-2, 200.0)  # of the window, in units of 1 / kappa
_SEPARATIONS = (1e-6, 1e6)


@dataclass(frozen=True)
class Branch:
    """What is measured when the control is found in one state.

    Args:
        probability: Of that outcome and an excitation, shape (durations, separations, gaps).
        ratio: Excitation to de-excitation, the same shape.
        temperature: Omega / ln(de-excitation / excitation), the same shape.
    """

    probability: np.ndarray
    ratio: np.ndarray
    temperature: np.ndarray


@dataclass(frozen=True)
class Response:
    """Of the detector, in second order of the coupling.

    Args:
        gap: Omega, shape (gaps,).
        separation: L, shape (separations,).
        sigma: Durations, shape (durations,).
        unruh_temperature: kappa / 2 pi.
        local: P_11 of one path alone, shape (durations, gaps).
        local_temperature: The same shape.
        cross: P_12, real by symmetry, shape (durations, separations, gaps).
        plus: Control found in |+>: (P_11 + P_12) / 2.
        minus: Control found in |->: (P_11 - P_12) / 2, computed without that difference.
        coherence: C = P_12 / P_11.
        closed_form_local: Limit of P_11 for long windows, shape (durations, gaps).
        closed_form_cross: Limit of P_12, shape as `cross`; None for the parallel direction, whose
            P_12 does not grow with the window.
    """

    gap: np.ndarray
    separation: np.ndarray
    sigma: np.ndarray
    unruh_temperature: float
    local: np.ndarray
    local_temperature: np.ndarray
    cross: np.ndarray
    plus: Branch
    minus: Branch
    coherence: np.ndarray
    closed_form_local: np.ndarray
    closed_form_cross: np.ndarray | None


AXES = {"gaps": (1, 256), "separations": (1, 64), "durations": (1, 16)}


@checked(**AXES)
def measure_response(
    gap: Float[np.ndarray, "gaps"],
    kappa: Kappa,
    separation: Float[np.ndarray, "separations"],
    direction: Direction,
    sigma: Float[np.ndarray, "durations"],
    coupling: Annotated[float, Interval(gt=0, le=1e3)] = 1.0,
) -> Response:
    """Measure the response of a detector that accelerates on two paths at once.

        P_ij = lambda^2 int dt dt' chi(t) chi(t') e^{-i Omega (t - t')} W(x_i(t), x_j(t')),
        P_pm = (P_11 + P_22 pm 2 Re P_12) / 4,   chi = exp(-t^2 / 2 sigma^2)

    Path 2 is path 1 shifted by L; W is the vacuum of the massless scalar in 3 + 1 dimensions.

    Args:
        gap: Omega, not 0; positive for excitation. Units with hbar = c = k_B = 1.
        kappa: Proper acceleration.
        separation: L > 0.
        direction: Of the shift, seen from the acceleration.
        sigma: Durations of the window.
        coupling: lambda.

    Returns:
        Probabilities, ratios, temperatures and coherence, beside the limits for long windows.

    Raises:
        InputError: A number is out of the range in which the integrals keep their digits.

    Source:
        arXiv:2307.02593 for the question; the contour integral and the closed forms are ours.

    Example:
        >>> found = measure_response([1.0], 1.0, [1.0], "perpendicular", [16.0])
        >>> round(float(found.plus.temperature[0, 0, 0] / found.unruh_temperature), 3)
        1.004
    """
    _check(gap, kappa, separation, sigma)
    shape = (len(sigma), len(separation), len(gap))
    # Excitation and de-excitation, in the order in which `local` is laid out.
    settings = [Setting(way * g, kappa, t) for t in sigma for g in gap for way in (1, -1)]
    lines = [(setting, contour_of(setting)) for setting in settings]
    _check_nodes(lines, separation, direction)
    local = np.empty((len(sigma), len(gap), 2))
    cross, lack = np.empty((*shape, 2)), np.empty((*shape, 2))
    for (i, j, way), (setting, contour) in zip(np.ndindex(local.shape), lines, strict=True):
        local[i, j, way] = local_response(setting, contour)
        for k, distance in enumerate(separation):
            found = cross_response(setting, contour, float(distance), direction)
            cross[i, k, j, way], lack[i, k, j, way] = found
    squared = coupling**2
    near, far = _closed_forms(gap, kappa, separation, sigma)
    return Response(
        gap=gap,
        separation=separation,
        sigma=sigma,
        unruh_temperature=kappa / (2 * math.pi),
        local=squared * local[..., 0],
        local_temperature=_temperature(gap, local),
        cross=squared * cross[..., 0],
        plus=_branch(gap, squared * (local[:, None] + cross) / 2),
        minus=_branch(gap, squared * lack / 2),
        coherence=cross[..., 0] / local[:, None, :, 0],
        closed_form_local=squared * near,
        closed_form_cross=squared * far if direction == "perpendicular" else None,
    )


@checked(**AXES, pairs=(1, 64))
def measure_energy_coherence(
    gap_pairs: Float[np.ndarray, "pairs 2"],
    kappa: Kappa,
    separation: Float[np.ndarray, "separations"],
    direction: Direction,
    sigma: Float[np.ndarray, "durations"],
) -> Float[np.ndarray, "durations separations pairs"]:
    """Measure how coherent two energies of a multi-level detector become across the paths.

        |K(O1, O2)| / |K(O, O)|,  O = (O1 + O2) / 2,
        K(O1, O2) = int dt dt' chi(t) chi(t') e^{-i O1 t + i O2 t'} W(x_1(t), x_2(t'))

    Stationary correlations give exp(-sigma^2 (O1 - O2)^2 / 4): nothing, for long windows.

    Args:
        gap_pairs: O1 and O2, their mean not 0.
        kappa: Proper acceleration.
        separation: L > 0.
        direction: Of the shift, seen from the acceleration.
        sigma: Durations of the window.

    Returns:
        Shape (durations, separations, pairs).

    Raises:
        InputError: As for `measure_response`, of the means.

    Source:
        Ours, a computable form of the paper's explanation by incommensurate modes.

    Example:
        >>> found = measure_energy_coherence([[0.75, 1.25]], 1.0, [1.0], "perpendicular", [4.0])
        >>> round(float(found[0, 0, 0]), 4)
        0.3679
    """
    mean, difference = gap_pairs.mean(1), gap_pairs[:, 0] - gap_pairs[:, 1]
    _check(mean, kappa, separation, sigma, "gap_pairs")
    if np.abs(difference).max() > 20 * kappa:
        raise InputError(
            f"`gap_pairs` must differ by at most {20 * kappa:g} (20 kappa), but differ by "
            f"{np.abs(difference).max():g}.",
            "/gap_pairs",
        )
    settings = [Setting(g, kappa, t) for t in sigma for g in mean]
    lines = [(setting, contour_of(setting)) for setting in settings]
    _check_nodes(lines, separation, direction)
    found = np.empty((len(sigma), len(separation), len(mean)))
    for (i, j), (setting, contour) in zip(np.ndindex(found.shape[::2]), lines, strict=True):
        for k, distance in enumerate(separation):
            where = setting, contour, float(distance), direction
            two = two_gap_response(*where, float(difference[j]))
            found[i, k, j] = abs(two / cross_response(*where).cross)
    return found


def _branch(gap: np.ndarray, both: np.ndarray) -> Branch:
    return Branch(both[..., 0], both[..., 0] / both[..., 1], _temperature(gap, both))


def _temperature(gap: np.ndarray, both: np.ndarray) -> np.ndarray:
    temperature: np.ndarray = gap / np.log(both[..., 1] / both[..., 0])
    return temperature


def _closed_forms(
    gap: np.ndarray, kappa: float, separation: np.ndarray, sigma: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return sqrt(pi) sigma times the thermal rates, of one path and of two across."""
    occupation = 1 / np.expm1(2 * np.pi * gap / kappa)
    window = math.sqrt(math.pi) * sigma
    near = np.outer(window, gap / (2 * np.pi) * occupation)
    half = (kappa * separation / 2)[:, None]
    turn = np.sin(2 * gap / kappa * np.arcsinh(half))
    rate = turn / (2 * np.pi * separation[:, None] * np.sqrt(1 + half**2)) * occupation
    return near, window[:, None, None] * rate


def _check(
    gap: np.ndarray, kappa: float, separation: np.ndarray, sigma: np.ndarray, name: str = "gap"
) -> None:
    for key, values, unit, (least, most) in (
        (name, np.abs(gap) / kappa, "kappa", _RATIOS),
        ("separation", separation * kappa, "1 / kappa", _SEPARATIONS),
        ("sigma", sigma * kappa, "1 / kappa", _DURATIONS),
    ):
        for seen in (float(values.min()), float(values.max())):
            if not least <= seen <= most:
                raise InputError(
                    f"`{key}` must lie between {least:g} and {most:g} in units of {unit}, where "
                    f"the integrals keep their digits, but {seen:g} does not; beyond, use the "
                    "closed forms.",
                    f"/{key}",
                )


def _check_nodes(
    lines: list[tuple[Setting, Contour]], separation: np.ndarray, direction: str
) -> None:
    """Refuse more than a few seconds' work."""
    across = direction == "perpendicular"
    nodes = sum(
        contour.count_u * (1 if across else count_p(setting, contour, float(x)))
        for setting, contour in lines
        for x in separation
    )
    if nodes > _MOST_NODES:
        raise InputError(
            f"The integrals must have at most {_MOST_NODES:.0e} nodes in all, but have "
            f"{nodes:.3g}: give fewer gaps, separations or durations, or smaller gaps."
        )
