"""The built-in model: a plate in plane strain, bilinear quadrilaterals, clamped at x = 0."""

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal, NamedTuple, Protocol

import numpy as np
from annotated_types import Gt, Interval, Le
from jaxtyping import Float
from scipy import sparse
from scipy.sparse.linalg import spsolve

from aqc.errors import DivergenceError, InputError
from aqc.kernels.adaptive_rom_error_indicator.material import (
    Internal,
    Points,
    update,
)

_NEWTON, _TOLERANCE = 60, 1e-9
_GAUSS = np.array([-1.0, 1.0]) / np.sqrt(3)


@dataclass(frozen=True)
class Uniform:
    """One temperature everywhere.

    Args:
        value: From 0 (cold) to 1.
    """

    value: Annotated[float, Interval(ge=0, le=1)]
    kind: Literal["uniform"] = "uniform"

    def values(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the temperature at points."""
        return np.full(x.shape, self.value)


@dataclass(frozen=True)
class Bump:
    """A Gaussian hot spot on a uniform temperature.

    Args:
        base: Temperature far away, from 0 to 1.
        height: What the spot adds at most.
        x: Center, in the unit of length.
        y: Center.
        width: Standard deviation, in the unit of length.
    """

    base: Annotated[float, Interval(ge=0, le=1)]
    height: Annotated[float, Interval(ge=-1, le=1)]
    x: float
    y: float
    width: Annotated[float, Gt(0)]
    kind: Literal["bump"] = "bump"

    def values(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the temperature at points."""
        distance = ((x - self.x) ** 2 + (y - self.y) ** 2) / self.width**2
        found: np.ndarray = self.base + self.height * np.exp(-distance / 2)
        return found


@dataclass(frozen=True)
class Field:
    """A temperature at each Gauss point, element by element (x fastest), four points in each.

    Args:
        data: From 0 to 1, shape (4 nx ny,).
    """

    data: Float[np.ndarray, " ?points"]
    kind: Literal["field"] = "field"

    def values(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return the temperature at points."""
        return self.data


Temperature = Uniform | Bump | Field


@dataclass(frozen=True)
class Mesh:
    """Elements of a rectangle.

    Args:
        nx: Elements along x.
        ny: Elements along y.
        length: Along x, m.
        height: Along y, m.
    """

    nx: Annotated[int, Interval(ge=1, le=60)] = 24
    ny: Annotated[int, Interval(ge=1, le=40)] = 12
    length: Annotated[float, Gt(0), Le(1e3)] = 2.0
    height: Annotated[float, Gt(0), Le(1e3)] = 1.0

    @property
    def n_points(self) -> int:
        """Gauss points."""
        return 4 * self.nx * self.ny

    def temperature(self, field: Temperature, name: str) -> np.ndarray:
        """Return the temperature at the Gauss points, shape (points,).

        Raises:
            InputError: It leaves 0 to 1, or has not one value for each point.
        """
        x, y = self.geometry.positions.T
        values = field.values(x, y)
        if len(values) != self.n_points:
            raise InputError(
                f"`{name}.data` must have one value for each of the {self.n_points} Gauss points, "
                f"but has {len(values)}.",
                f"/{name}/data",
            )
        if values.min() < 0 or values.max() > 1:
            raise InputError(
                f"`{name}` must lie between 0 and 1, but is from {values.min():.3g} to "
                f"{values.max():.3g}.",
                f"/{name}",
            )
        return values

    @cached_property
    def geometry(self) -> "Geometry":
        """Strain operator, weights and the body force, of the free degrees of freedom."""
        return _assemble(self)


class Geometry(NamedTuple):
    """What of a mesh the solver needs.

    Args:
        operator: Strains (xx, yy, zz, 2xy) of all points from displacements, sparse.
        weights: Area of each Gauss point, m^2.
        positions: Of the Gauss points, m, shape (points, 2).
        force: Nodal forces of the body force (1 + x) along x, per unit load.
        free: Numbers of the degrees of freedom that are not clamped (2 node + direction).
    """

    operator: sparse.csr_matrix
    weights: np.ndarray
    positions: np.ndarray
    force: np.ndarray
    free: np.ndarray


class Time(NamedTuple):
    """Which time step is sought.

    Args:
        step: Its number from 1, for the refusal.
        duration: s.
        scale: Norm of the largest external forces, in which residuals are measured.
    """

    step: int
    duration: float
    scale: float


class Space(Protocol):
    """Where the equilibrium is sought: all displacements, or a few modes on a few points."""

    def strain(self, u: np.ndarray) -> np.ndarray:
        """Strain at the points."""

    def force(self, stress: np.ndarray) -> np.ndarray:
        """Internal forces."""

    def solve(self, tangent: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """Newton's step."""


@dataclass(frozen=True)
class FullSpace:
    """All free displacements."""

    geometry: Geometry

    def strain(self, u: np.ndarray) -> np.ndarray:
        """Strain at all points, shape (points, 4)."""
        found: np.ndarray = (self.geometry.operator @ u).reshape(-1, 4)
        return found

    def force(self, stress: np.ndarray) -> np.ndarray:
        """Internal forces, shape (free,)."""
        weighted = stress * self.geometry.weights[:, None]
        found: np.ndarray = self.geometry.operator.T @ weighted.ravel()
        return found

    def solve(self, tangent: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """Newton's step by a sparse factorization."""
        n = len(tangent)
        blocks = sparse.bsr_matrix(
            (tangent * self.geometry.weights[:, None, None], np.arange(n), np.arange(n + 1))
        )
        operator = self.geometry.operator
        found: np.ndarray = spsolve((operator.T @ blocks @ operator).tocsc(), residual)
        return found


def equilibrium(
    space: Space,
    points: Points,
    start: np.ndarray,
    external: np.ndarray,
    old: Internal,
    time: Time,
) -> tuple[np.ndarray, np.ndarray, Internal]:
    """Return displacements, stress and state at the end of a time step, by Newton's iteration.

    Args:
        space: All displacements or reduced ones.
        points: Properties at the space's points.
        start: First guess of the displacements.
        external: Forces at the step's end.
        old: State at its beginning.
        time: Number and length of the step, largest force of all steps.

    Raises:
        DivergenceError: No convergence in 60 iterations.
    """
    u = start
    for _ in range(_NEWTON):
        stress, tangent, new = update(points, space.strain(u), old, time.duration)
        residual = external - space.force(stress)
        size = float(np.linalg.norm(residual))
        if size <= _TOLERANCE * time.scale:
            return u, stress, new
        if not np.isfinite(size):
            break
        u = u + space.solve(tangent, residual)
    raise DivergenceError(
        f"Newton's iteration did not converge in {_NEWTON} iterations at time step {time.step} "
        f"(residual {size / time.scale:.3g} of the load): take more steps or less load."
    )


def _assemble(mesh: Mesh) -> Geometry:
    nx, ny = mesh.nx, mesh.ny
    dx, dy = mesh.length / nx, mesh.height / ny
    j, i = np.divmod(np.arange(nx * ny), nx)
    first = j * (nx + 1) + i
    nodes = first[:, None] + np.array([0, 1, nx + 2, nx + 1])
    rows, columns, values, positions = [], [], [], []
    force = np.zeros(2 * (nx + 1) * (ny + 1))
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    for g, (eta, xi) in enumerate((b, a) for b in _GAUSS for a in _GAUSS):
        along, across = 1 + xi * corners[:, 0], 1 + eta * corners[:, 1]
        shape = along * across / 4
        gradient_x, gradient_y = corners[:, 0] * across / (2 * dx), corners[:, 1] * along / (2 * dy)
        point = 4 * np.arange(nx * ny) + g
        x = (i + (1 + xi) / 2) * dx
        positions.append(np.column_stack([x, (j + (1 + eta) / 2) * dy]))
        for a in range(4):
            for row, direction, value in (
                (0, 0, gradient_x[a]),
                (1, 1, gradient_y[a]),
                (3, 0, gradient_y[a]),
                (3, 1, gradient_x[a]),
            ):
                rows.append(4 * point + row)
                columns.append(2 * nodes[:, a] + direction)
                values.append(np.full(len(point), value))
            np.add.at(force, 2 * nodes[:, a], shape[a] * (1 + x) * dx * dy / 4)
    clamped = np.arange(ny + 1) * (nx + 1)
    free = np.setdiff1d(np.arange(len(force)), np.r_[2 * clamped, 2 * clamped + 1])
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    operator = sparse.csr_matrix(entries, shape=(16 * nx * ny, len(force)))[:, free]
    return Geometry(
        operator.tocsr(),
        np.full(mesh.n_points, dx * dy / 4),
        np.stack(positions, axis=1).reshape(-1, 2),
        force[free],
        free,
    )
