"""Ordinary differential equations: polynomials, so that no code need be sent, or a function."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from aqc.checks import shown
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


@dataclass(frozen=True)
class Given:
    """u' = f(u) by the caller's own function, in Python alone.

    Args:
        function: Of a state (d,), made of JAX operations.
    """

    function: Callable[[jax.Array], jax.Array]

    def __call__(self, _: Any, u: jax.Array) -> jax.Array:
        """Return u' at states (n, d)."""
        return jax.vmap(self.function)(u)


@dataclass(frozen=True)
class Terms:
    """Products of powers, by which a matrix is multiplied; what is compiled depends on them.

    Args:
        exponents: Of each term, one for each component of u.
    """

    exponents: tuple[tuple[int, ...], ...]

    def __call__(self, matrix: Any, u: jax.Array) -> jax.Array:
        """Return u' at states (..., d)."""
        powers = []
        for row in self.exponents:
            product = jnp.ones(u.shape[:-1], u.dtype)
            for k, exponent in enumerate(row):
                for _ in range(exponent):
                    product = product * u[..., k]
            powers.append(product)
        return jnp.stack(powers, -1) @ matrix.T


System = Lorenz | Polynomial | Given
Rate = Terms | Given


def rate_of(system: System, size: int) -> tuple[np.ndarray, Rate]:
    """Return a matrix (d, terms), and what gives u' of it and of states.

    Raises:
        InputError: The terms do not fit the components, or are of too high a degree; or the
            function returns another shape.
    """
    if isinstance(system, Given):
        return np.zeros((size, 0)), _fitting(system, size)
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
    return matrix, Terms(tuple(map(tuple, exponents.tolist())))


def _fitting(system: Given, size: int) -> Given:
    if not callable(system.function):
        raise InputError(
            f"`rate` must be a function of a state, but is {shown(system.function)}.", "/rate"
        )
    found = jax.eval_shape(system.function, jax.ShapeDtypeStruct((size,), np.float32))
    if getattr(found, "shape", None) != (size,):
        raise InputError(
            f"`rate` must return shape ({size},), as `u0` has, but returns "
            f"{getattr(found, 'shape', 'no array')}.",
            "/rate",
        )
    return system
