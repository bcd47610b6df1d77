"""The material of the built-in model: viscoplastic with hardening, softer where it is hot."""

from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
from annotated_types import Gt, Interval, Le

_PRESSURE = np.array([1.0, 1.0, 1.0, 0.0])
_ITERATIONS = 100


@dataclass(frozen=True)
class Material:
    """Isotropic elasticity, von Mises flow with linear hardening and Norton overstress.

    Args:
        young: E, MPa.
        poisson: nu.
        yield_stress: sigma_y, MPa.
        hardening: H, MPa.
        viscosity: K, MPa s^(1/n).
        exponent: n.
        elastic_softening: Share of E that is lost where the temperature is 1.
        plastic_softening: The same of sigma_y, H and K.
    """

    young: Annotated[float, Gt(0), Le(1e7)] = 2e5
    poisson: Annotated[float, Interval(ge=0, le=0.49)] = 0.3
    yield_stress: Annotated[float, Gt(0), Le(1e9)] = 300.0
    hardening: Annotated[float, Interval(ge=0, le=1e7)] = 10000.0
    viscosity: Annotated[float, Interval(ge=1, le=1e6)] = 300.0
    exponent: Annotated[float, Interval(ge=1, le=20)] = 5.0
    elastic_softening: Annotated[float, Interval(ge=0, le=0.95)] = 0.3
    plastic_softening: Annotated[float, Interval(ge=0, le=0.95)] = 0.4


class Internal(NamedTuple):
    """What a point remembers.

    Args:
        plasticity: Cumulated plasticity p, shape (points,).
        strain: Viscoplastic strain (xx, yy, zz, 2xy), shape (points, 4).
    """

    plasticity: np.ndarray
    strain: np.ndarray

    def at(self, points: np.ndarray) -> "Internal":
        """Return the same at some of the points."""
        return Internal(self.plasticity[points], self.strain[points])


class Points(NamedTuple):
    """Properties at some points, each of shape (points,).

    Args:
        shear: Shear modulus, MPa.
        lame: First Lamé constant, MPa.
        yield_stress: MPa.
        hardening: MPa.
        viscosity: MPa s^(1/n).
        exponent: n of all points.
    """

    shear: np.ndarray
    lame: np.ndarray
    yield_stress: np.ndarray
    hardening: np.ndarray
    viscosity: np.ndarray
    exponent: float

    def at(self, points: np.ndarray) -> "Points":
        """Return the same at some of the points."""
        return Points(
            self.shear[points],
            self.lame[points],
            self.yield_stress[points],
            self.hardening[points],
            self.viscosity[points],
            self.exponent,
        )


def properties(material: Material, temperature: np.ndarray) -> Points:
    """Return the properties at points of a temperature from 0 to 1."""
    young = material.young * (1 - material.elastic_softening * temperature)
    plastic = 1 - material.plastic_softening * temperature
    nu = material.poisson
    return Points(
        young / (2 * (1 + nu)),
        young * nu / ((1 + nu) * (1 - 2 * nu)),
        material.yield_stress * plastic,
        material.hardening * plastic,
        material.viscosity * plastic,
        material.exponent,
    )


def rest(points: int) -> Internal:
    """Return the state before any load."""
    return Internal(np.zeros(points), np.zeros((points, 4)))


def update(
    points: Points, strain: np.ndarray, old: Internal, duration: float
) -> tuple[np.ndarray, np.ndarray, Internal]:
    """Return stress, its derivative by strain, and the new state: implicit radial return.

    The increment of plasticity obeys q_trial - 3 G dp = sigma_y + H (p + dp) + K (dp/dt)^(1/n).

    Args:
        points: Properties, k points.
        strain: (xx, yy, zz, 2xy), shape (k, 4).
        old: State at the step's beginning.
        duration: dt, s.

    Returns:
        Stress (xx, yy, zz, xy), MPa, shape (k, 4); derivative, shape (k, 4, 4); state.
    """
    shear, n = points.shear, points.exponent
    elastic = strain - old.strain
    volume = elastic @ _PRESSURE
    deviator = 2 * shear[:, None] * (elastic - volume[:, None] / 3 * _PRESSURE)
    deviator[:, 3] /= 2  # the strain's entry is twice xy
    # In sqrt and / nothing may be 0, in the branch not taken either.
    q = np.sqrt(1.5 * ((deviator**2).sum(1) + deviator[:, 3] ** 2))
    q_safe = np.maximum(q, 1e-300)
    direction = deviator / q_safe[:, None]

    excess = np.maximum(q - points.yield_stress - points.hardening * old.plasticity, 0)
    rate_root = _rate_root(excess, (3 * shear + points.hardening) * duration, points.viscosity, n)
    increment = duration * rate_root**n
    gain = duration * n * rate_root ** (n - 1) * (excess > 0)
    slope = gain / ((3 * shear + points.hardening) * gain + points.viscosity)

    bulk = points.lame + 2 * shear / 3
    stress = deviator - 3 * (shear * increment)[:, None] * direction
    stress += (bulk * volume)[:, None] * _PRESSURE
    projector = np.diag([1.0, 1.0, 1.0, 0.5]) - np.outer(_PRESSURE, _PRESSURE) / 3
    outer = direction[:, :, None] * direction[:, None, :]
    loss = 3 * shear * increment / q_safe
    tangent = (2 * shear * (1 - loss))[:, None, None] * projector
    tangent += bulk[:, None, None] * np.outer(_PRESSURE, _PRESSURE)
    tangent += (9 * shear**2 * (increment / q_safe - slope))[:, None, None] * outer

    flow = 1.5 * increment[:, None] * direction
    flow[:, 3] *= 2
    return stress, tangent, Internal(old.plasticity + increment, old.strain + flow)


def _rate_root(
    excess: np.ndarray, stiffness: np.ndarray, viscosity: np.ndarray, n: float
) -> np.ndarray:
    """Return y >= 0 of stiffness y^n + viscosity y = excess by Newton from above.

    The left side is convex, so that the iteration falls monotonically to the root.
    """
    y = np.minimum(excess / viscosity, (excess / stiffness) ** (1 / n))
    for _ in range(_ITERATIONS):
        value = stiffness * y**n + viscosity * y - excess
        step = value / (stiffness * n * y ** (n - 1) + viscosity)
        y = np.maximum(y - step, 0)
        if np.all(np.abs(step) <= 1e-15 + 1e-14 * y):
            break
    return y
