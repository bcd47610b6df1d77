import numpy as np
import pytest

from aqc.errors import DivergenceError, InputError
from aqc.kernels.adaptive_rom_error_indicator import (
    Bump,
    Field,
    Material,
    Mesh,
    Uniform,
    adaptive_hyperreduced_solve,
    empirical_cubature,
    fit_indicator,
    gappy_pod,
    reduce_snapshots,
)
from aqc.kernels.adaptive_rom_error_indicator.adaptive import _Problem
from aqc.kernels.adaptive_rom_error_indicator.material import Internal, properties, rest, update
from aqc.kernels.adaptive_rom_error_indicator.model import Time, equilibrium
from aqc.kernels.adaptive_rom_error_indicator.reduced import ReducedSpace

MESH = Mesh(6, 3)
LOAD = np.linspace(0.1, 1.0, 10) * 300
HOT = Bump(0.2, 0.55, 0.8, 0.75, 0.4)


def full_path(mesh, material, temperature, load, duration=0.05):
    problem = _Problem(mesh, material, mesh.temperature(temperature, "t"), load, duration)
    u, state, path = np.zeros(len(mesh.geometry.free)), rest(mesh.n_points), []
    for step in range(len(load)):
        u, stress, state = problem.full_step(u, state, step)
        path.append((u, stress, *state))
    return problem, [np.stack(x) for x in zip(*path, strict=True)]


def law_state(seed, k=40):
    rng = np.random.default_rng(seed)
    points = properties(Material(), rng.uniform(0, 1, k))
    strain = rng.normal(size=(k, 4)) * rng.uniform(0, 0.004, (k, 1))
    strain[:, 2] = 0
    old = Internal(rng.uniform(0, 0.003, k), rng.normal(size=(k, 4)) * 1e-4)
    return points, strain, old


def test_the_tangent_is_the_derivative_of_the_stress():
    points, strain, old = law_state(0)
    _, tangent, new = update(points, strain, old, 0.1)
    assert 0.2 < np.mean(new.plasticity > old.plasticity) < 1
    h = 1e-8
    for j in range(4):
        step = h * np.eye(4)[j]
        above, below = (update(points, strain + s * step, old, 0.1)[0] for s in (1, -1))
        difference = (above - below) / (2 * h)
        np.testing.assert_allclose(tangent[:, :, j], difference, atol=2e-6 * np.abs(tangent).max())


def test_the_stress_obeys_the_flow_rule():
    points, strain, old = law_state(1)
    stress, _, new = update(points, strain, old, 0.1)
    mean = stress[:, :3].mean(axis=1)
    deviator = stress[:, :3] - mean[:, None]
    q = np.sqrt(1.5 * ((deviator**2).sum(1) + 2 * stress[:, 3] ** 2))
    rate = (new.plasticity - old.plasticity) / 0.1
    flowing = rate > 0
    limit = points.yield_stress + points.hardening * new.plasticity
    overstress = points.viscosity * rate ** (1 / points.exponent)
    np.testing.assert_allclose(q[flowing], (limit + overstress)[flowing], rtol=1e-11)
    assert (q[~flowing] <= limit[~flowing]).all()
    # The stress is elastic in what is not plastic, and plastic flow keeps the volume.
    elastic = strain - new.strain
    trace = elastic[:, :3].sum(axis=1)
    np.testing.assert_allclose(
        stress[:, :3], (points.lame * trace)[:, None] + 2 * points.shear[:, None] * elastic[:, :3]
    )
    np.testing.assert_allclose((new.strain - old.strain)[:, :3].sum(axis=1), 0, atol=1e-16)


def test_without_yield_the_full_model_is_one_linear_solve():
    elastic = Material(yield_stress=1e9)
    problem, (u, *_) = full_path(MESH, elastic, HOT, LOAD)
    g, points = MESH.geometry, properties(elastic, problem.temperature)
    c = np.zeros((len(g.weights), 4, 4))
    c[:, :3, :3] = points.lame[:, None, None] + 2 * points.shear[:, None, None] * np.eye(3)
    c[:, 3, 3] = points.shear
    b = g.operator.toarray().reshape(-1, 4, len(g.free))
    stiffness = np.einsum("k,kci,kcd,kdj->ij", g.weights, b, c, b)
    for step in (0, len(LOAD) - 1):
        exact = np.linalg.solve(stiffness, LOAD[step] * g.force)
        np.testing.assert_allclose(u[step], exact, rtol=1e-7, atol=1e-9 * np.abs(exact).max())


def test_a_uniform_strain_and_the_total_force_are_exact():
    g = Mesh(5, 4, 3.0, 2.0).geometry
    assert g.weights.sum() == pytest.approx(6.0)
    # Bilinear elements hold u = (0.1 x, 0.2 x) exactly.
    nodes = np.stack(np.meshgrid(np.linspace(0, 3, 6), np.linspace(0, 2, 5)), -1).reshape(-1, 2)
    u = np.column_stack([0.1 * nodes[:, 0], 0.2 * nodes[:, 0]]).ravel()[g.free]
    strain = (g.operator @ u).reshape(-1, 4)
    np.testing.assert_allclose(strain, np.tile([0.1, 0, 0, 0.2], (len(strain), 1)), atol=1e-14)
    # Work of the body force on u = x: integral of (1 + x) x.
    assert g.force @ np.where(g.free % 2 == 0, nodes.ravel()[g.free], 0) == pytest.approx(27.0)


def test_all_points_and_all_modes_give_the_full_path():
    problem, (u, _, p, _) = full_path(MESH, Material(), HOT, LOAD)
    g = MESH.geometry
    assert p[-1].max() > 1e-3
    strains = g.operator.toarray().reshape(-1, 4, len(g.free))
    space = ReducedSpace(strains, g.weights)
    a, state = np.zeros(len(g.free)), rest(MESH.n_points)
    points = properties(Material(), problem.temperature)
    scale = float(np.linalg.norm(g.force) * LOAD.max())
    for step in range(len(LOAD)):
        time = Time(step + 1, 0.05, scale)
        a, _, state = equilibrium(space, points, a, LOAD[step] * g.force, state, time)
        assert np.linalg.norm(a - u[step]) < 1e-8 * np.linalg.norm(u[step])
    assert np.linalg.norm(state.plasticity - p[-1]) < 1e-8 * np.linalg.norm(p[-1])


@pytest.mark.parametrize("tol", [1e-2, 1e-3, 1e-4])
def test_cubature(tol):
    rng = np.random.default_rng(2)
    x, y = rng.uniform(-1, 1, (2, 800))
    g = np.array([x**i * y**j for i in range(6) for j in range(6) if i + j <= 5])
    w = rng.uniform(0.5, 1.5, 800)
    found = empirical_cubature(g, w, tol)
    assert found.weights.min() > 0
    assert len(found.points) <= len(g) + 1
    size = np.hypot(np.linalg.norm(g @ w), np.linalg.norm(g @ w))
    lack = g[:, found.points] @ found.weights - g @ w
    assert np.linalg.norm(lack) <= tol * size
    assert abs(found.weights.sum() / w.sum() - 1) <= tol * np.sqrt(2)


def test_gappy_pod_is_exact_in_the_span_and_orthogonal_outside():
    rng = np.random.default_rng(3)
    modes = rng.normal(size=(30, 4))
    z = rng.normal(size=4)
    found = gappy_pod(modes, modes @ z)
    np.testing.assert_allclose(found.coefficients, z, rtol=1e-12)
    assert found.residual < 1e-14
    values = rng.normal(size=30)
    found = gappy_pod(modes, values)
    lack = values - modes @ found.coefficients
    np.testing.assert_allclose(modes.T @ lack, 0, atol=1e-12)
    assert found.residual == pytest.approx(np.linalg.norm(lack) / np.linalg.norm(values))
    assert gappy_pod(modes, np.zeros(30)).residual == 0


def test_the_indicator_interpolates_and_follows_the_line_beyond():
    e = np.logspace(-3, 0, 25)
    exact = 0.5 * e**0.8 * 10 ** (0.1 * np.sin(3 * np.log10(e)))
    found = fit_indicator(e, exact, [3.3e-3, 0.12, 0.0])
    wanted = [0.5 * x**0.8 * 10 ** (0.1 * np.sin(3 * np.log10(x))) for x in (3.3e-3, 0.12)]
    np.testing.assert_allclose(found.estimates[:2], wanted, rtol=0.02)
    assert found.estimates[2] == 0
    assert found.correlation == pytest.approx(np.corrcoef(np.log(e), np.log(exact))[0, 1])
    safe = fit_indicator(e, exact, [3.3e-3, 0.12], n_sigma=2.0)
    assert (safe.estimates > found.estimates[:2]).all()
    far = fit_indicator(e, 2 * e, [100.0])
    assert far.estimates[0] == pytest.approx(200, rel=1e-6)


def test_a_reduction_of_snapshots_integrates_their_forces():
    _, (u, stress, p, _) = full_path(MESH, Material(), HOT, LOAD)
    g = MESH.geometry
    operator = g.operator.toarray().reshape(-1, 4, len(g.free))
    found = reduce_snapshots(operator, g.weights, u, stress, p)
    np.testing.assert_allclose(
        found.modes.T @ found.modes, np.eye(found.modes.shape[1]), atol=1e-12
    )
    lost = u - u @ found.modes @ found.modes.T
    assert np.linalg.norm(lost) <= 1e-4 * np.linalg.norm(u)
    assert len(found.points) < MESH.n_points
    strains = operator @ found.modes
    full = np.einsum("k,tkc,kcm->tm", g.weights, stress, strains)
    few = np.einsum("k,tkc,kcm->tm", found.weights, stress[:, found.points], strains[found.points])
    assert np.linalg.norm(few - full) < 3e-3 * np.linalg.norm(full)
    rank = np.linalg.matrix_rank(found.plasticity_modes[found.points])
    assert rank == found.plasticity_modes.shape[1]


def test_the_training_case_is_reproduced():
    found = adaptive_hyperreduced_solve(
        Uniform(0.2), Uniform(0.2), LOAD, 0.05, MESH, tol_indicator=None, with_reference=True
    )
    assert not found.enriched.any()
    assert found.plasticity_error[-1] < 2e-3
    assert found.displacement_error[-1] < 1e-3
    assert found.n_points.max() < MESH.n_points


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: empirical_cubature(np.ones((1, 3)), [1.0, 0.0, 1.0]), "`weights` must be > 0"),
        (lambda: empirical_cubature(np.ones((1, 3)), np.ones(4)), "`weights` must have 3 entries"),
        (lambda: empirical_cubature(np.ones((1, 3)), np.ones(3), 0.0), "`tol` must"),
        (lambda: gappy_pod(np.ones((1, 2)), np.ones(1)), "at least as many points as modes"),
        (lambda: fit_indicator([1, 1, 1, 1], [1, 2, 3, 4], [1.0]), "all are equal"),
        (lambda: fit_indicator([1, 0, 1, 2], [1, 2, 3, 4], [1.0]), "`residuals` must be > 0"),
        (lambda: fit_indicator([1, 3, 1, 2], [1, 2, 3, 4], [-1.0]), "`at` must be >= 0"),
        (
            lambda: reduce_snapshots(
                np.ones((3, 1, 2)),
                np.ones(3),
                np.ones((2, 2)),
                np.ones((2, 3, 1)),
                np.zeros((2, 3)),
            ),
            "`plasticity` must not be zero in all snapshots",
        ),
        (
            lambda: reduce_snapshots(
                np.ones((3, 1, 2)), np.ones(3), np.ones((2, 2)), np.ones((2, 4, 1)), np.ones((2, 3))
            ),
            "`stress` must have 3 entries along axis 1",
        ),
        (
            lambda: adaptive_hyperreduced_solve(Uniform(0.2), HOT, LOAD / 100, 0.1, MESH),
            "must make the training case yield",
        ),
        (
            lambda: adaptive_hyperreduced_solve(Uniform(0.2), HOT, 0 * LOAD, 0.1, MESH),
            "`load` must not be zero",
        ),
        (
            lambda: adaptive_hyperreduced_solve(
                Uniform(0.2), Field(np.full(9, 0.1)), LOAD, 0.1, MESH
            ),
            "`test_temperature.data` must have one value for each of the 72",
        ),
        (
            lambda: adaptive_hyperreduced_solve(
                Bump(0.6, 0.6, 1.0, 0.5, 1.0), HOT, LOAD, 0.1, MESH
            ),
            "`train_temperature` must lie between 0 and 1",
        ),
        (
            lambda: adaptive_hyperreduced_solve(
                Uniform(0.2), HOT, LOAD, 0.1, MESH, tol_indicator=0.0
            ),
            "`tol_indicator` must",
        ),
    ],
)
def test_refusals(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


def test_newton_without_convergence_is_an_error():
    class Wrong(ReducedSpace):
        def solve(self, tangent, residual):
            return -super().solve(tangent, residual)

    g = MESH.geometry
    strains = g.operator.toarray().reshape(-1, 4, len(g.free))
    points = properties(Material(), np.full(MESH.n_points, 0.2))
    with pytest.raises(DivergenceError, match="did not converge .* at time step 3 .residual"):
        equilibrium(
            Wrong(strains, g.weights),
            points,
            np.zeros(len(g.free)),
            300 * g.force,
            rest(MESH.n_points),
            Time(3, 0.1, 1.0),
        )


@pytest.mark.slow
def test_enrichment_rescues_the_reduced_model_of_another_temperature():
    load = np.linspace(1 / 40, 1, 40) * 300
    runs = {
        tol: adaptive_hyperreduced_solve(
            Uniform(0.2), HOT, load, 0.05, tol_indicator=tol, with_reference=True
        )
        for tol in (None, 1.0, 0.3, 0.1)
    }
    poor = runs[None]
    assert poor.plasticity_error[-1] > 0.1
    assert poor.displacement_error[-1] > 0.2
    known = (poor.residual > 0) & (poor.plasticity_error > 0)
    logs = np.log(poor.residual[known]), np.log(poor.plasticity_error[known])
    assert np.corrcoef(*logs)[0, 1] > 0.9
    assert poor.calibration_correlation > 0.9
    assert runs[0.3].enriched.mean() <= 0.25
    assert runs[0.3].plasticity_error[15:].max() < 0.05
    errors = [runs[tol].plasticity_error[-1] for tol in (None, 1.0, 0.3, 0.1)]
    assert errors == sorted(errors, reverse=True)
    assert all(run.n_points.max() < 0.3 * 1152 for run in runs.values())


def test_a_reduced_step_touches_as_few_points_on_finer_meshes():
    """Nine times the points of the mesh, and hardly more of the cubature."""
    load = np.linspace(1 / 20, 1, 20) * 300
    touched, points = [], []
    for nx in (12, 24, 36):
        mesh = Mesh(nx, nx // 2)
        found = adaptive_hyperreduced_solve(
            Uniform(0.2), Uniform(0.2), load, 0.05, mesh, tol_indicator=None
        )
        touched.append(found.n_points.max())
        points.append(mesh.n_points)
    assert points[2] == 9 * points[0]
    assert touched[2] < 1.5 * touched[0]
    assert touched[2] < 0.05 * points[2]
