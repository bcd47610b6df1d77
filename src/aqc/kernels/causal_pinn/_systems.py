"""Ordinary differential equations as polynomials, so that no code need be sent."""

from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from aqc.errors import InputError

_MOST_DEGREE = 4


@dataclass(frozen=True)
class Lorenz:
    """x' = sigma (y - x), y' = x (rho - z) - y, z' = x y - beta z.

    Args:
        sigma: 10 in Lorenz's paper.
        rho: 28.
        beta: 8/3.
    """

    sigma: float = 10.0
    rho: float = 28.0
    beta: float = 8 / 3
    kind: Literal["lorenz"] = "lorenz"


@dataclass(frozen=True)
class Polynomial:
    """u_c' = sum of coefficient * prod_k u_k^exponents[k] over the terms of component c.

    Args:
        component: c of each term, from 0.
        coefficient: Of each term.
        exponents: Of each term, one for each component of u.
    """

    component: Int[np.ndarray, "terms"]
    coefficient: Float[np.ndarray, "terms"]
    exponents: Int[np.ndarray, "terms d"]
    kind: Literal["polynomial"] = "polynomial"


System = Lorenz | Polynomial


def terms_of(system: System, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a matrix (d, terms), and the terms' exponents (terms, d).

    Raises:
        InputError: The terms do not fit the components, or are of too high a degree.
    """
    if isinstance(system, Lorenz):
        s, r, b = system.sigma, system.rho, system.beta
        system = Polynomial(
            component=np.array([0, 0, 1, 1, 1, 2, 2]),
            coefficient=np.array([s, -s, r, -1.0, -1.0, 1.0, -b]),
            exponents=np.array(
                [[0, 1, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 1], [1, 1, 0], [0, 0, 1]]
            ),
        )
    exponents = system.exponents
    if exponents.shape[1] != size:
        raise InputError(
            f"`u0` must have {exponents.shape[1]} components, as the system has, but has {size}.",
            "/u0",
        )
    if (exponents < 0).any() or exponents.sum(1).max() > _MOST_DEGREE:
        raise InputError(
            f"`system.exponents` must be non-negative, and of degree at most {_MOST_DEGREE} in "
            "each term, but are not.",
            "/system/exponents",
        )
    if not ((system.component >= 0) & (system.component < size)).all():
        raise InputError(
            f"`system.component` must lie between 0 and {size - 1}, but does not.",
            "/system/component",
        )
    if np.abs(system.coefficient).max() > 1e6:
        raise InputError(
            "`system.coefficient` must be at most 1e6 in size, but some are more.",
            "/system/coefficient",
        )
    matrix = np.zeros((size, len(exponents)))
    matrix[system.component, np.arange(len(exponents))] = system.coefficient
    return matrix, exponents


def rate(matrix: jnp.ndarray, exponents: np.ndarray, u: jnp.ndarray) -> jnp.ndarray:
    """Return u' at states (..., d); the exponents are constants of what is compiled."""
    powers = []
    for row in exponents:
        product = jnp.ones(u.shape[:-1], u.dtype)
        for k, exponent in enumerate(row):
            for _ in range(int(exponent)):
                product = product * u[..., k]
        powers.append(product)
    return jnp.stack(powers, -1) @ matrix.T
