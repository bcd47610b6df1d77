"""The hyper-reduced model: few modes, the material only at few points, error indicator."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, Lt
from jaxtyping import Float

from aqc.errors import InputError
from aqc.kernels._magnitude import refuse_huge
from aqc.kernels._signature import checked
from aqc.kernels.adaptive_rom_error_indicator.cubature import (
    empirical_cubature,
    interpolation_points,
    pod,
)
from aqc.kernels.adaptive_rom_error_indicator.material import Internal
from aqc.kernels.adaptive_rom_error_indicator.model import Geometry

_STRESS_CUT = 1e-7


@dataclass(frozen=True)
class Reduction:
    """A reduced model of the caller's own finite elements.

    Args:
        modes: Orthonormal displacement modes V, shape (dofs, modes).
        plasticity_modes: V_p, shape (points, plasticity modes).
        points: Points where the material law is needed, ascending, shape (k,).
        weights: Their weights, 0 where a point serves the reconstruction only, shape (k,).
        cubature_error: ||G x - G w|| / ||G w||.
    """

    modes: np.ndarray
    plasticity_modes: np.ndarray
    points: np.ndarray
    weights: np.ndarray
    cubature_error: float


@checked(times=(1, 200), dofs=(1, 10_000), points=(2, 10_000), parts=(1, 6))
def reduce_snapshots(
    operator: Float[np.ndarray, "points parts dofs"],
    weights: Float[np.ndarray, " points"],
    displacement: Float[np.ndarray, "times dofs"],
    stress: Float[np.ndarray, "times points parts"],
    plasticity: Float[np.ndarray, "times points"],
    displacement_tol: Annotated[float, Gt(0), Lt(1)] = 1e-4,
    plasticity_tol: Annotated[float, Gt(0), Lt(1)] = 1e-4,
    cubature_tol: Annotated[float, Gt(0), Lt(1)] = 1e-3,
) -> Reduction:
    """Make a reduced model of snapshots: modes, cubature, and points for the reconstruction.

    sum_k x_k S_t(k) : eps(V_i)(k) approximates sum_k w_k S_t(k) : eps(V_i)(k) for all t and i.

    Args:
        operator: Strains by displacements, shape (points, parts, dofs), shears twice.
        weights: Of the Gauss points w > 0, shape (points,).
        displacement: Snapshots, shape (times, dofs).
        stress: Snapshots, shape (times, points, parts).
        plasticity: Cumulated plasticity, shape (times, points).
        displacement_tol: Share of the snapshots' norm that the displacement modes may leave.
        plasticity_tol: The same of the plasticity modes.
        cubature_tol: Relative error of the cubature.

    Returns:
        Modes, points and weights.

    Raises:
        InputError: A weight is not positive, or the snapshots hold no displacement or plasticity.

    Source: Casenave and Akkari, Math. Comput. Appl. 24 (2019) 41, operator compression and
    ROM-Gappy-POD; points by pivoted QR of the plasticity modes (Q-DEIM).

    Example:
        >>> eye = np.eye(6).reshape(6, 1, 6)
        >>> u = np.arange(1.0, 7.0)[None]
        >>> found = reduce_snapshots(eye, np.ones(6), u, u[:, :, None], u)
        >>> found.modes.shape, len(found.points) <= 3
        ((6, 1), True)
    """
    refuse_huge(operator=operator, displacement=displacement, stress=stress, plasticity=plasticity)
    for name, values in (("displacement", displacement), ("plasticity", plasticity)):
        if not values.any():
            raise InputError(
                f"`{name}` must not be zero in all snapshots: it would have no mode.", f"/{name}"
            )
    modes, dual = pod(displacement, displacement_tol), pod(plasticity, plasticity_tol)
    strains = np.einsum("kcd,dm->kcm", operator, modes)
    points, x, error = select_points(strains, weights, stress, dual, cubature_tol)
    return Reduction(modes, dual, points, x, error)


def select_points(
    strains: np.ndarray, weights: np.ndarray, stress: np.ndarray, dual: np.ndarray, tol: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return points, weights and error of cubature, reconstruction points added with weight 0.

    Args:
        strains: Of the displacement modes, shape (points, parts, modes).
        weights: Of all points.
        stress: Snapshots, shape (times, points, parts).
        dual: Plasticity modes, shape (points, modes).
        tol: Of the cubature.
    """
    _, values, right = np.linalg.svd(stress.reshape(len(stress), -1), full_matrices=False)
    keep = values > _STRESS_CUT * values[0]
    main = (values[:, None] * right)[keep].reshape(-1, *stress.shape[1:])
    integrands = np.einsum("tkc,kcm->tmk", main, strains).reshape(-1, len(weights))
    found = empirical_cubature(integrands, weights, tol)
    points = np.union1d(found.points, interpolation_points(dual))
    x = np.zeros(len(points))
    x[np.searchsorted(points, found.points)] = found.weights
    return points, x, found.error


@dataclass(frozen=True)
class ReducedSpace:
    """Displacements V a, forces by the cubature.

    Args:
        strains: Of the modes at the points, shape (k, 4, modes).
        weights: Of the points, shape (k,).
    """

    strains: np.ndarray
    weights: np.ndarray

    def strain(self, u: np.ndarray) -> np.ndarray:
        """Strain at the points, shape (k, 4)."""
        return self.strains @ u

    def force(self, stress: np.ndarray) -> np.ndarray:
        """Internal forces, shape (modes,)."""
        weighted = (stress * self.weights[:, None]).ravel()
        found: np.ndarray = weighted @ self.strains.reshape(-1, self.strains.shape[2])
        return found

    def solve(self, tangent: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """Newton's step, dense."""
        modes = self.strains.shape[2]
        turned = (tangent * self.weights[:, None, None]) @ self.strains
        matrix = self.strains.reshape(-1, modes).T @ turned.reshape(-1, modes)
        return np.linalg.solve(matrix, residual)


@dataclass(frozen=True)
class ReducedModel:
    """All that the online phase needs, and the dual modes for what is wanted on the mesh.

    Args:
        modes: V, shape (free, modes).
        dual: Plasticity modes V_p, shape (points, p modes).
        tensor_dual: Viscoplastic strain modes, shape (points, 4, e modes).
        points: Where the material law runs, shape (k,).
        space: Strains and weights there.
        force: V^T f per unit load.
    """

    modes: np.ndarray
    dual: np.ndarray
    tensor_dual: np.ndarray
    points: np.ndarray
    space: ReducedSpace
    force: np.ndarray

    def residual(self, plasticity: np.ndarray) -> float:
        """Relative mismatch of the law's plasticity at the points and its modes."""
        size = float(np.linalg.norm(plasticity))
        if not size:
            return 0.0
        modes = self.dual[self.points]
        lack = modes @ np.linalg.lstsq(modes, plasticity, rcond=None)[0] - plasticity
        return float(np.linalg.norm(lack)) / size

    def plasticity(self, known: np.ndarray) -> np.ndarray:
        """Plasticity on the whole mesh, from the points; never negative."""
        fit = np.linalg.lstsq(self.dual[self.points], known, rcond=None)[0]
        return np.maximum(self.dual @ fit, 0)

    def reconstruct(self, known: Internal) -> Internal:
        """State on the whole mesh, from the points."""
        modes = self.tensor_dual[self.points].reshape(-1, self.tensor_dual.shape[2])
        fit = np.linalg.lstsq(modes, known.strain.ravel(), rcond=None)[0]
        return Internal(self.plasticity(known.plasticity), self.tensor_dual @ fit)


@dataclass(frozen=True)
class Tolerances:
    """How much each step of the reduction may leave.

    Args:
        displacement: Share of the snapshots' norm.
        dual: The same, of plasticity and viscoplastic strain.
        cubature: Relative error of the integrals.
    """

    displacement: float
    dual: float
    cubature: float


def reduce_model(
    geometry: Geometry,
    modes: np.ndarray,
    stress: np.ndarray,
    states: Internal,
    tolerances: Tolerances,
) -> ReducedModel:
    """Return the reduced model of given displacement modes.

    Args:
        geometry: Of the mesh.
        modes: Orthonormal, shape (free, modes).
        stress: Snapshots, shape (times, points, 4).
        states: Snapshots, shapes (times, points) and (times, points, 4).
        tolerances: Of the dual modes and the cubature.
    """
    n = len(geometry.weights)
    dual = pod(states.plasticity, tolerances.dual)
    tensor = pod(states.strain.reshape(len(stress), -1), tolerances.dual)
    strains = (geometry.operator @ modes).reshape(n, 4, -1)
    points, weights, _ = select_points(strains, geometry.weights, stress, dual, tolerances.cubature)
    return ReducedModel(
        modes,
        dual,
        tensor.reshape(n, 4, -1),
        points,
        ReducedSpace(strains[points], weights),
        modes.T @ geometry.force,
    )
