import numpy as np
import pytest

from aqc.errors import InputError
from aqc.kernels.disparate_mass_boltzmann_ap import Maxwellian, Maxwellians, Values, relax_mixture
from aqc.kernels.disparate_mass_boltzmann_ap._operators import Grid

GRID = Grid(8.0, 32, 8)


def bumps(temperature):
    return Maxwellians(tuple(Maxwellian(0.5, (x, 0.0), temperature) for x in (1.0, -1.0)))


def one(x, y, temperature):
    return Maxwellians((Maxwellian(1.0, (x, y), temperature),))


LIGHT, HEAVY = bumps(0.8), bumps(0.61)


def bkw(k):
    """The exact solution of Bobylev, Krook and Wu at T = 1; K = 1 - e^(-t/8) / 2."""
    square = 2 * GRID.invariants[3]
    return np.exp(-square / (2 * k)) / (2 * np.pi * k**2) * (2 * k - 1 + (1 - k) / (2 * k) * square)


@pytest.mark.parametrize("k", [0.6, 0.75, 0.9])
def test_collisions_of_the_exact_solution(k):
    f = bkw(k)
    found = GRID.collide(f, 1.0, GRID.maxwellian(GRID.moments(f)))
    tangent = (bkw(k + 1e-5) - bkw(k - 1e-5)) / 2e-5
    rate = (found * tangent).sum() / (tangent**2).sum() / (1 - k)
    assert rate == pytest.approx(0.125, rel=2e-3)
    assert np.abs(found - rate * (1 - k) * tangent).max() < 1e-3 * np.abs(found).max()
    leak = (GRID.invariants * found).sum(axis=(1, 2)) * GRID.cell
    assert np.abs(leak).max() < 1e-13


def test_the_average_over_circles_is_that_of_points_on_them():
    f = one(1.1, -0.4, 0.7)
    found = GRID.isotropic(f.on(GRID))
    angles = 2 * np.pi * np.arange(200) / 200
    for i, j in ((16, 16), (20, 13), (9, 22)):
        radius = np.hypot(*(v[i, j] for v in GRID.velocities))
        x, y = radius * np.cos(angles) - 1.1, radius * np.sin(angles) + 0.4
        exact = np.mean(np.exp(-(x**2 + y**2) / 1.4)) / (1.4 * np.pi)
        assert found[i, j] == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize("eps", [1e-2, 1e-3, 1e-4])
def test_the_step_does_not_know_the_mass_ratio(eps):
    found = relax_mixture(LIGHT, HEAVY, eps, 0.02, 50)
    gap = found.light.temperature - found.heavy.temperature
    assert gap[-1] / gap[0] == pytest.approx(0.92**50, rel=1e-9)
    assert found.energy_drift < 1e-12
    assert np.ptp(found.light.density) < 1e-12
    assert found.light.distance[-1] < 1e-5
    assert found.heavy.distance[-1] < 1e-4
    assert min(found.light.least.min(), found.heavy.least.min()) > -1e-6


@pytest.mark.parametrize("eps", [1e-2, 1e-3, 1e-4])
def test_explicit_euler_of_the_same_step_blows_up(eps):
    light, heavy = LIGHT.on(GRID), HEAVY.on(GRID)
    with np.errstate(all="ignore"):
        for _ in range(50):
            base = GRID.maxwellian(GRID.moments(LIGHT.on(GRID)))
            rate = GRID.collide(light, 1.0, base) + GRID.isotropic(light) - light
            light = light + 0.02 * rate / eps**2
    assert not np.abs(light).max() < 1e3 * heavy.max()


def test_first_order_in_time():
    errors = []
    for n_steps in (25, 50, 100):
        found = relax_mixture(LIGHT, HEAVY, 1e-3, 1 / n_steps / 1.0001, n_steps, n_v=24)
        gap = found.light.temperature - found.heavy.temperature
        errors.append(gap[-1] / gap[0] / np.exp(-4) - 1)
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.1)
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.1)


def test_momentum_is_kept_and_drift_of_the_light_follows_the_heavy():
    moving = one(0.5, -0.3, 1.0)
    rest = one(0.0, 0.0, 1.0)
    eps = 0.05
    found = relax_mixture(rest, moving, eps, 0.005, 40)
    total = found.heavy.velocity + eps * found.light.velocity
    np.testing.assert_allclose(total, total[:1].repeat(len(total), 0), atol=1e-12)
    np.testing.assert_allclose(found.light.velocity[-1], eps * found.heavy.velocity[-1], rtol=0.05)


def time_to_lose(distance, t, share=0.1):
    return np.interp(-share * distance[0], -distance, t)


def test_epochs():
    """Light and heavy relax on the times eps^2 and eps, where these are apart from 1."""
    light, heavy = [], []
    for eps in (0.1, 0.05):
        found = relax_mixture(LIGHT, HEAVY, eps, eps**2 / 50, 250, n_records=251)
        light.append(time_to_lose(found.light.distance, found.t))
    for eps in (0.02, 0.01):
        found = relax_mixture(LIGHT, HEAVY, eps, eps / 100, 500, n_records=501)
        heavy.append(time_to_lose(found.heavy.distance, found.t))
    assert light[0] / light[1] == pytest.approx(4, rel=0.15)
    assert heavy[0] / heavy[1] == pytest.approx(2, rel=0.1)
    assert 1 < light[0] / 0.1**2 < 6
    assert 1 < heavy[0] / 0.02 < 6


def collide_pairs(rng, a, b, mass_a, mass_b):
    center = (mass_a * a + mass_b * b) / (mass_a + mass_b)
    size = np.linalg.norm(a - b, axis=1)
    angle = rng.uniform(0, 2 * np.pi, len(a))
    turned = size[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    total = mass_a + mass_b
    return center + mass_b / total * turned, center - mass_a / total * turned


@pytest.mark.slow
def test_particles_that_collide_with_their_true_masses():
    """Monte Carlo of the untruncated mixture: temperatures, fourth moments, anisotropy."""
    rng = np.random.default_rng(0)
    eps, dt, n = 0.1, 5e-4, 200_000
    signs = rng.choice([-1.0, 1.0], (2, n))
    light = rng.normal(size=(n, 2)) * np.sqrt(0.8) + signs[0][:, None] * [1, 0]
    heavy = eps * (rng.normal(size=(n, 2)) * np.sqrt(0.61) + signs[1][:, None] * [1, 0])
    records = {}
    for step in range(1, 401):
        for v, rate in ((light, eps**-2), (heavy, 1 / eps)):
            half = rng.permutation(n)[: 2 * rng.binomial(n // 2, rate * dt)].reshape(-1, 2)
            v[half[:, 0]], v[half[:, 1]] = collide_pairs(rng, v[half[:, 0]], v[half[:, 1]], 1, 1)
        count = rng.binomial(n, dt / eps**2)
        i, j = (rng.permutation(n)[:count] for _ in range(2))
        light[i], heavy[j] = collide_pairs(rng, light[i], heavy[j], eps**2, 1.0)
        if step in (100, 200, 400):
            w = heavy / eps
            records[step] = (
                (light**2).sum(1).mean() / 2,
                (w**2).sum(1).mean() / 2,
                ((light**2).sum(1) ** 2).mean() / 8,
                ((w**2).sum(1) ** 2).mean() / 8,
                (w[:, 0] ** 2 - w[:, 1] ** 2).mean(),
            )
    square = 2 * GRID.invariants[3]
    x, y = GRID.velocities
    for step, found in records.items():
        ours = relax_mixture(LIGHT, HEAVY, eps, 2.5e-4, 2 * step)
        f = (ours.light.f * GRID.cell, ours.heavy.f * GRID.cell)
        wanted = [(g * square**power).sum() for power in (1, 2) for g in f]
        scaled = np.array(wanted) / [2, 2, 8, 8]
        np.testing.assert_allclose(found[:4], scaled, rtol=0.02)
        assert found[4] == pytest.approx((f[1] * (x**2 - y**2)).sum(), rel=0.04, abs=0.01)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"eps": 0.5}, "`eps` must"),
        ({"eps": 0.0}, "`eps` must"),
        ({"dt": 0.5}, "`dt` must be at most .* to be stable"),
        ({"dt": -1.0}, "`dt` must"),
        ({"n_v": 33}, "`n_v` must be even"),
        ({"n_v": 128}, "`n_v` must"),
        ({"n_steps": 30_000}, "`n_steps` must"),
        ({"half_width": 3.0}, "increase `half_width`"),
        ({"half_width": 90.0}, "must be wider than a cell"),
        ({"light": Values(np.ones((16, 16)))}, "`light.f` must have 32 entries along each axis"),
        ({"light": {"f": np.ones((32, 31))}}, "`light.f` must have 32 entries"),
        ({"light": Values(-HEAVY.on(GRID))}, "`light` must have a density > 0"),
        ({"light": Values(np.zeros((32, 32)))}, "`light` must have a density > 0"),
        ({"heavy": Values(HEAVY.on(GRID) - 0.01)}, "`heavy` must be >= 0"),
        ({"heavy": Values(np.full((32, 32), np.nan))}, "`heavy.f` must be finite"),
        ({"heavy": one(0.0, 0.0, -1.0)}, "temperature. must"),
    ],
)
def test_refusals(changes, sentence):
    given = {"light": LIGHT, "heavy": HEAVY, "eps": 0.1, "dt": 0.01, "n_steps": 10}
    with pytest.raises(InputError, match=sentence):
        relax_mixture(**(given | changes))
