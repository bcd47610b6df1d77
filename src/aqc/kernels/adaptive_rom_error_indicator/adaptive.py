"""The adaptive run: reduced steps, and a full one where the indicator asks for it."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Gt, Interval, Lt
from jaxtyping import Float

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._signature import checked
from aqc.kernels.adaptive_rom_error_indicator.cubature import pod
from aqc.kernels.adaptive_rom_error_indicator.indicator import Regression, regress
from aqc.kernels.adaptive_rom_error_indicator.material import Internal, Material, properties, rest
from aqc.kernels.adaptive_rom_error_indicator.model import (
    FullSpace,
    Mesh,
    Temperature,
    Time,
    equilibrium,
)
from aqc.kernels.adaptive_rom_error_indicator.reduced import (
    ReducedModel,
    Tolerances,
    reduce_model,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LEAST_PAIRS = 4


@dataclass(frozen=True)
class AdaptiveRun:
    """The reduced solution and what the indicator said on the way.

    Args:
        time: End of each step, s, shape (steps,).
        indicator: Estimated relative error of p before any enrichment, shape (steps,).
        residual: Gappy-POD residual e, shape (steps,).
        enriched: Whether a full step was taken, shape (steps,).
        n_modes: Displacement modes after the step.
        n_points: Points where the law runs after the step.
        max_plasticity: Largest p on the mesh.
        displacement: At the end, m, shape (nodes, 2), nodes along x first.
        plasticity: At the end, shape (points,).
        points: Positions of the Gauss points, m, shape (points, 2).
        calibration_correlation: Of log residual and log error in the training runs.
        plasticity_error: ||p - p_full|| / ||p_full|| by step, if the reference was asked for.
        displacement_error: The same of displacements.
    """

    time: np.ndarray
    indicator: np.ndarray
    residual: np.ndarray
    enriched: np.ndarray
    n_modes: np.ndarray
    n_points: np.ndarray
    max_plasticity: np.ndarray
    displacement: np.ndarray
    plasticity: np.ndarray
    points: np.ndarray
    calibration_correlation: float
    plasticity_error: np.ndarray | None
    displacement_error: np.ndarray | None


@dataclass(frozen=True)
class _Problem:
    """One temperature's loading of the mesh."""

    mesh: Mesh
    material: Material
    temperature: np.ndarray
    load: np.ndarray
    duration: float

    def external(self, force: np.ndarray, step: int) -> tuple[np.ndarray, Time]:
        """Return the forces at the end of a step, and the step."""
        scale = float(np.linalg.norm(force) * np.abs(self.load).max())
        return self.load[step] * force, Time(step + 1, self.duration, scale)

    def full_step(
        self, u: np.ndarray, old: Internal, step: int
    ) -> tuple[np.ndarray, np.ndarray, Internal]:
        """Return displacements, stress and state of the full model after a step."""
        geometry = self.mesh.geometry
        external, time = self.external(geometry.force, step)
        points = properties(self.material, self.temperature)
        return equilibrium(FullSpace(geometry), points, u, external, old, time)

    def reduced_step(
        self, model: ReducedModel, a: np.ndarray, old: Internal, step: int
    ) -> tuple[np.ndarray, Internal]:
        """Return coefficients and state at the points of a reduced model after a step."""
        external, time = self.external(model.force, step)
        points = properties(self.material, self.temperature[model.points])
        a, _, new = equilibrium(model.space, points, a, external, old, time)
        return a, new


@checked(steps=(2, 200))
def adaptive_hyperreduced_solve(
    train_temperature: Temperature,
    test_temperature: Temperature,
    load: Float[np.ndarray, " steps"],
    duration: Annotated[float, Gt(0)],
    mesh: Mesh = Mesh(),  # noqa: B008
    material: Material = Material(),  # noqa: B008
    tol_indicator: Annotated[float, Gt(0)] | None = 0.1,
    n_sigma: Annotated[float, Interval(ge=0, le=10)] = 0.0,
    max_full_steps: Annotated[int, Interval(ge=0, le=200)] = 20,
    displacement_tol: Annotated[float, Gt(0), Lt(1)] = 1e-4,
    dual_tol: Annotated[float, Gt(0), Lt(1)] = 1e-4,
    cubature_tol: Annotated[float, Gt(0), Lt(1)] = 1e-4,
    with_reference: bool = False,
) -> AdaptiveRun:
    """Solve one temperature by a reduced model of another, and enrich it where it may be wrong.

    eta(e) > tol: one step of the full model from the reconstructed state gives a further mode.

    Args:
        train_temperature: Field that the snapshots are computed for.
        test_temperature: Field that the solution is wanted for.
        load: Body force at the end of each step, along x and growing as 1 + x, MPa / m.
        duration: Of a step, s.
        mesh: Of the plate.
        material: At all temperatures.
        tol_indicator: Largest indicator that needs no enrichment; null for none.
        n_sigma: Safety of the indicator in standard deviations of its regression.
        max_full_steps: Most enrichments.
        displacement_tol: Share of the snapshots' norm that displacement modes may leave.
        dual_tol: The same of plasticity and viscoplastic strain.
        cubature_tol: Relative error of the cubature.
        with_reference: Also solve the full model, for the true errors.

    Returns:
        Indicator and size of the model by step, displacements and plasticity at the end.

    Raises:
        InputError: A temperature does not fit the mesh, or the training does not yield.
        DivergenceError: Newton's iteration fails.

    Source: Casenave and Akkari, Math. Comput. Appl. 24 (2019) 41. Material and mesh are ours.

    Example:
        >>> from aqc.kernels.adaptive_rom_error_indicator.model import Bump, Uniform
        >>> load = np.linspace(20, 300, 15)
        >>> found = adaptive_hyperreduced_solve(
        ...     Uniform(0.2), Bump(0.2, 0.55, 0.8, 0.75, 0.4), load, 0.1, Mesh(6, 3)
        ... )
        >>> bool(found.enriched.any()), found.plasticity.shape
        (True, (72,))
    """
    return drain(adaptive_hyperreduced_solve_steps(**locals()))


def adaptive_hyperreduced_solve_steps(
    train_temperature: Temperature,
    test_temperature: Temperature,
    load: np.ndarray,
    duration: float,
    mesh: Mesh,
    material: Material,
    tol_indicator: float | None,
    n_sigma: float,
    max_full_steps: int,
    displacement_tol: float,
    dual_tol: float,
    cubature_tol: float,
    with_reference: bool,
    state: Any = None,
) -> Steps:
    """Run `adaptive_hyperreduced_solve` step by step."""
    train, test = (
        _Problem(mesh, material, mesh.temperature(field, name), load, duration)
        for field, name in (
            (train_temperature, "train_temperature"),
            (test_temperature, "test_temperature"),
        )
    )
    if not load.any():
        raise InputError("`load` must not be zero throughout.", "/load")
    tolerances = Tolerances(displacement_tol, dual_tol, cubature_tol)
    state = state or {"paths": [[]]}
    paths = [[tuple(x) for x in path] for path in state["paths"]]
    wanted = [train, test] if with_reference else [train]
    for number, problem in enumerate(wanted):
        if number == len(paths):
            paths.append([])
        for share in _extend(problem, paths[number]):
            yield (number + share) / (len(wanted) + 1), {"paths": paths}
    if not np.any([p for _, _, p, _ in paths[0]]):
        raise InputError(
            "`load` must make the training case yield: its plasticity is zero, and has no mode.",
            "/load",
        )
    online = state.get("online") or _begin(train, paths[0], tolerances)
    regression = _calibration(online)
    limits = (tol_indicator, n_sigma, max_full_steps)
    for share in _march(test, online, regression, tolerances, limits):
        yield (len(wanted) + share) / (len(wanted) + 1), {"paths": paths, "online": online}
    return _result(test, online, paths[1] if with_reference else None)


def adaptive_work(load: np.ndarray, mesh: Mesh, with_reference: bool, **_: object) -> float:
    """Return full steps x Gauss points."""
    return float(len(load) * (3 if with_reference else 2) * mesh.n_points)


def _extend(problem: _Problem, path: list[tuple[np.ndarray, ...]]) -> Generator[float, None, None]:
    """Add the steps of the full model that a path lacks: (u, stress, p, viscoplastic strain)."""
    for step in range(len(path), len(problem.load)):
        if path:
            u, old = path[-1][0], Internal(*path[-1][2:])
        else:
            u, old = np.zeros(len(problem.mesh.geometry.free)), rest(problem.mesh.n_points)
        u, stress, new = problem.full_step(u, old, step)
        path.append((u, stress, *new))
        yield len(path) / len(problem.load)


def _begin(train: _Problem, path: list[tuple[np.ndarray, ...]], tolerances: Tolerances) -> Any:
    """Return modes, snapshots and calibration pairs, from the training alone."""
    u, stress, p, strain = (np.stack(x) for x in zip(*path, strict=True))
    modes = pod(u, tolerances.displacement)
    states, pairs = Internal(p, strain), []
    for n in range(1, modes.shape[1] + 1):
        model = reduce_model(train.mesh.geometry, modes[:, :n], stress, states, tolerances)
        a, known = np.zeros(n), rest(len(model.points))
        for step in range(len(path)):
            a, known = train.reduced_step(model, a, known, step)
            residual, size = model.residual(known.plasticity), np.linalg.norm(p[step])
            error = np.linalg.norm(model.plasticity(known.plasticity) - p[step])
            if residual > 0 and size > 0 and error > 0:
                pairs.append((residual, float(error / size)))
    return {
        "modes": modes,
        "stress": stress,
        "p": p,
        "strain": strain,
        "pairs": np.array(pairs).reshape(-1, 2),
        "a": np.zeros(modes.shape[1]),
        "known": None,
        "records": [],
    }


def _calibration(online: Any) -> Regression:
    pairs = online["pairs"]
    if len(pairs) < _LEAST_PAIRS or np.ptp(np.log10(pairs[:, 0])) < 1e-9:
        raise InputError(
            f"`load` must yield in at least {_LEAST_PAIRS} steps of the training for the "
            f"indicator to be calibrated, but there are {len(pairs)} pairs.",
            "/load",
        )
    return regress(pairs[:, 0], pairs[:, 1])


def _march(
    test: _Problem,
    online: Any,
    regression: Regression,
    tolerances: Tolerances,
    limits: tuple[float | None, float, int],
) -> Generator[float, None, None]:
    """Advance the reduced model through the steps that are left, enriching it where needed."""
    tol, n_sigma, most = limits
    model = _model(test, online, tolerances)
    if online["known"] is None:
        online["known"] = tuple(rest(len(model.points)))
    for step in range(len(online["records"]), len(test.load)):
        before = Internal(*online["known"])
        a, known = test.reduced_step(model, online["a"], before, step)
        residual = model.residual(known.plasticity)
        estimate = regression.estimate(residual, n_sigma)
        used = sum(record[2] for record in online["records"])
        enrich = tol is not None and estimate > tol and used < most
        if enrich:
            u, stress, new = test.full_step(
                model.modes @ online["a"], model.reconstruct(before), step
            )
            _add(online, u, stress, new)
            model = _model(test, online, tolerances)
            a, known = model.modes.T @ u, new.at(model.points)
        online |= {"a": a, "known": tuple(known)}
        p = model.plasticity(known.plasticity)
        sizes = model.modes.shape[1], len(model.points)
        online["records"].append((estimate, residual, enrich, *sizes, model.modes @ a, p))
        yield len(online["records"]) / len(test.load)


def _model(test: _Problem, online: Any, tolerances: Tolerances) -> ReducedModel:
    states = Internal(online["p"], online["strain"])
    return reduce_model(test.mesh.geometry, online["modes"], online["stress"], states, tolerances)


def _add(online: Any, u: np.ndarray, stress: np.ndarray, new: Internal) -> None:
    """Add a full step to the snapshots, and what is new in its displacement to the modes."""
    modes = online["modes"]
    rest_of_u = u - modes @ (modes.T @ u)
    rest_of_u -= modes @ (modes.T @ rest_of_u)
    size = np.linalg.norm(rest_of_u)
    if size > 1e-10 * np.linalg.norm(u):
        online["modes"] = np.column_stack([modes, rest_of_u / size])
    for name, value in (("stress", stress), ("p", new.plasticity), ("strain", new.strain)):
        online[name] = np.concatenate([online[name], value[None]])


def _result(
    test: _Problem, online: Any, reference: list[tuple[np.ndarray, ...]] | None
) -> AdaptiveRun:
    columns = list(zip(*online["records"], strict=True))
    u, p = np.stack(columns[5]), np.stack(columns[6])
    geometry, mesh = test.mesh.geometry, test.mesh
    nodal = np.zeros(2 * (mesh.nx + 1) * (mesh.ny + 1))
    nodal[geometry.free] = u[-1]
    errors: list[np.ndarray | None] = [None, None]
    if reference is not None:
        true = [np.stack([x[i] for x in reference]) for i in (2, 0)]
        errors = [_relative(found, exact) for found, exact in zip((p, u), true, strict=True)]
    return AdaptiveRun(
        time=test.duration * np.arange(1, len(u) + 1),
        indicator=np.array(columns[0]),
        residual=np.array(columns[1]),
        enriched=np.array(columns[2], bool),
        n_modes=np.array(columns[3]),
        n_points=np.array(columns[4]),
        max_plasticity=p.max(axis=1),
        displacement=nodal.reshape(-1, 2),
        plasticity=p[-1],
        points=geometry.positions,
        calibration_correlation=float(np.corrcoef(np.log10(online["pairs"]).T)[0, 1]),
        plasticity_error=errors[0],
        displacement_error=errors[1],
    )


def _relative(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Return the relative error by step, 0 where both are zero."""
    size, lack = np.linalg.norm(exact, axis=1), np.linalg.norm(found - exact, axis=1)
    return np.where(lack > 0, lack / np.where(size > 0, size, 1), 0.0)


def draw(found: AdaptiveRun) -> "Figure":
    """Return a figure of indicator and errors by step, and of the plasticity at the end."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    curves = {"indicator": found.indicator, "Gappy residual": found.residual}
    if found.plasticity_error is not None:
        curves["true error of p"] = found.plasticity_error
    for name, values in curves.items():
        positive = values > 0
        left.semilogy(found.time[positive], values[positive], ".-", label=name)
    for number, time in enumerate(found.time[found.enriched]):
        left.axvline(time, color="0.8", zorder=0, label="" if number else "full step")
    left.set(xlabel="time (s)", ylabel="relative error")
    left.legend(fontsize="small")
    x, y = found.points.T
    colors = right.scatter(x, y, c=found.plasticity, s=8, marker="s")
    figure.colorbar(colors, label="cumulated plasticity p", orientation="horizontal")
    right.set(xlabel="x (m)", ylabel="y (m)", aspect="equal", title="p at the end")
    return figure
