import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from aqc.errors import DivergenceError, InputError
from aqc.kernels.chemotaxis_singular_limits import (
    indirect_direct_rates,
    parabolic_elliptic_rates,
    solve_chemotaxis,
    solve_chemotaxis_rectangle,
)

LENGTH = 4.0


def data(points=64, length=LENGTH):
    x = (np.arange(points) + 0.5) * length / points
    wave = np.cos(np.pi * x / length)
    n0 = 1 + 0.8 * wave + 0.3 * np.cos(2 * np.pi * x / length)
    return x, n0, np.full(points, 0.2), 0.5 + 0.4 * wave


def elliptic(values, diffusion, length=LENGTH):
    """(1 - diffusion Lap)^-1 by a dense cosine matrix."""
    k, cosines = cosine_matrix(len(values), length)
    return cosines @ (np.linalg.solve(cosines, values) / (1 + diffusion * k**2))


def cosine_matrix(points, length):
    x = (np.arange(points) + 0.5) * length / points
    k = np.pi * np.arange(points) / length
    return k, np.cos(np.outer(x, k))


def radau(n0, c0, w0, eps, tau, t_final, length=LENGTH):
    """The same cosine modes by dense matrices and an adaptive solver of another kind."""
    points = len(n0)
    k, cosines = cosine_matrix(points, length)
    x = (np.arange(points) + 0.5) * length / points
    sines = np.sin(np.outer(x, k))
    kept = 3 * np.arange(points) < 2 * points
    inverse = np.linalg.inv(cosines)

    def taxis(n, c):
        flux = (cosines @ (n * kept)) * (sines @ (-k * c * kept))
        # Coefficients of the flux in sines 1 ... points - 1, by their orthogonality.
        in_sines = 2 / points * sines.T @ flux
        return -k * in_sines * kept

    def rates(_, y):
        n, c, w = y.reshape(3, points)
        return np.concatenate(
            [
                -(k**2) * n + taxis(n, c),
                (-(k**2 + 1) * c + w) / eps,
                (-(tau * k**2 + 1) * w + n) / eps,
            ]
        )

    start = np.concatenate([inverse @ v for v in (n0, c0, w0)])
    found = solve_ivp(rates, (0, t_final), start, "Radau", rtol=1e-10, atol=1e-12)
    return [cosines @ v for v in found.y[:, -1].reshape(3, points)]


def test_second_order_towards_an_independent_solver():
    _, n0, c0, w0 = data(32)
    exact = radau(n0, c0, w0, 0.05, 1.0, 1.0)
    errors = []
    for n_steps in (750, 1500, 3000):
        found = solve_chemotaxis(n0, c0, w0, LENGTH, 0.05, 1.0, n_steps=n_steps)
        parts = [
            np.linalg.norm(x[-1] - y) / np.linalg.norm(y)
            for x, y in zip((found.n, found.c, found.w), exact, strict=True)
        ]
        errors.append(max(parts))
    assert errors[1] < 1e-6
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.15)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.15)


def growth(k, density, eps, tau):
    """Largest real root of the dispersion relation."""

    def relation(s):
        signals = (eps * s + 1 + k**2) * (eps * s + 1 + tau * k**2)
        return (s + k**2) * signals - density * k**2

    return brentq(relation, -(k**2), density * k**2 + 1, xtol=1e-14)


@pytest.mark.parametrize(
    ("density", "eps", "tau", "j"),
    [(8.0, 0.05, 1.0, 2), (8.0, 0.01, 0.0, 3), (3.0, 0.0, 1.0, 2), (3.0, 0.0, 0.0, 1)],
)
def test_small_waves_grow_as_the_dispersion_relation_says(density, eps, tau, j):
    k = np.pi * j / LENGTH
    s = growth(k, density, eps, tau)
    wave = np.cos(k * data()[0])
    w = 1 / (eps * s + 1 + tau * k**2)
    amplitudes = 1e-7 * np.array([1.0, w / (eps * s + 1 + k**2), w])
    start = [density + a * wave for a in amplitudes]
    found = solve_chemotaxis(
        *start, LENGTH, eps, tau, t_final=0.5, n_steps=2000, graded=False, n_snapshots=2
    )
    amplitude = 2 * np.mean((found.n[-1] - density) * wave)
    assert np.log(amplitude / 1e-7) / 0.5 == pytest.approx(s, abs=1e-5)


def test_slopes_of_the_parabolic_elliptic_limit():
    _, n0, c0, w0 = data()
    eps = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4)
    found = parabolic_elliptic_rates(n0, c0, w0, LENGTH, eps)
    np.testing.assert_allclose(found.slopes[:, -1], [1, 1, 0.5, 0.5, 0, 0, 1], atol=0.05)
    w = elliptic(n0, 1.0)
    prepared = parabolic_elliptic_rates(n0, elliptic(w, 1.0), w, LENGTH, eps)
    np.testing.assert_allclose(prepared.slopes[:, -1], 1, atol=0.05)


def test_slopes_of_the_indirect_direct_limit():
    _, n0, *_ = data()
    eps = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3)
    found = indirect_direct_rates(n0, elliptic(n0, 1.0), n0, LENGTH, eps)
    np.testing.assert_allclose(found.slopes[:, -1], 1, atol=0.05)
    assert (np.diff(found.slopes[0]) > 0).all()


def test_the_order_of_the_parameters_does_not_matter():
    _, n0, c0, w0 = data(16)
    eps = (1e-2, 1e-1, 1e-3)
    found = parabolic_elliptic_rates(n0, c0, w0, LENGTH, eps, n_steps=100)
    sorted_ = parabolic_elliptic_rates(n0, c0, w0, LENGTH, (1e-1, 1e-2, 1e-3), n_steps=100)
    np.testing.assert_array_equal(found.errors, sorted_.errors)
    # Each run is the one that the solver makes by itself.
    full, reduced = (
        solve_chemotaxis(n0, c0, w0, LENGTH, e, 1.0, n_steps=100, n_snapshots=2) for e in (0.1, 0)
    )
    apart = np.linalg.norm(full.c[-1] - reduced.c[-1]) * np.sqrt(LENGTH / 16)
    assert found.errors[6, 0] == pytest.approx(apart, rel=1e-10)


def test_tiny_eps_is_as_good_as_none():
    _, n0, c0, w0 = data()
    tiny, none = (solve_chemotaxis(n0, c0, w0, LENGTH, e, 1.0, n_steps=1500) for e in (1e-8, 0.0))
    assert np.abs(tiny.n - none.n).max() < 1e-6
    assert none.c_distance.max() < 1e-13
    assert none.w_distance.max() < 1e-13


@pytest.mark.parametrize("eps", [0.05, 1e-8])
def test_few_points_without_steps_are_the_general_solvers(eps):
    _, n0, c0, w0 = data()
    found = solve_chemotaxis(n0, c0, w0, LENGTH, eps, 1.0, n_snapshots=9)
    np.testing.assert_allclose(found.t, np.linspace(0, 1, 9))
    for k in (1, 8):
        steps = {"t_final": k / 8, "n_steps": 2000, "n_snapshots": 2}
        scheme = solve_chemotaxis(n0, c0, w0, LENGTH, eps, 1.0, **steps)
        for name in "ncw":
            wanted = getattr(scheme, name)[-1]
            np.testing.assert_allclose(getattr(found, name)[k], wanted, rtol=4e-6)
    # Against another Radau, at tolerances of 1e-10, that leaves hardly an error.
    exact = radau(n0[::2], c0[::2], w0[::2], eps, 1.0, 1.0)
    few = solve_chemotaxis(n0[::2], c0[::2], w0[::2], LENGTH, eps, 1.0)
    for values, wanted in zip((few.n, few.c, few.w), exact, strict=True):
        np.testing.assert_allclose(values[-1], wanted, rtol=2e-8)
    # Beyond 64 points, and without eps, the exponential scheme is what is taken.
    _, *many = data(65)
    by_default, by_steps = (
        solve_chemotaxis(*many, LENGTH, eps, 1.0, **s) for s in ({}, {"n_steps": 1500})
    )
    np.testing.assert_array_equal(by_default.n, by_steps.n)


def test_few_points_that_concentrate_stop_too():
    x = (np.arange(16) + 0.5) / 16
    n0 = 2000 * np.exp(-((x - 0.5) ** 2) / 0.02)
    found = solve_chemotaxis(n0, n0, n0, 1.0, 0.01, 0.0)
    assert found.status == "blow-up suspected"
    assert found.t[-1] < 1
    assert np.isfinite(found.n).all()


@pytest.mark.parametrize("n_steps", [None, 1500])
def test_mass_and_positivity(n_steps):
    _, n0, c0, w0 = data()
    found = solve_chemotaxis(n0, c0, w0, LENGTH, 0.05, 1.0, n_steps=n_steps)
    assert np.abs(found.mass / found.mass[0] - 1).max() < 1e-12
    assert found.mass[0] == pytest.approx(n0.sum() * LENGTH / 64)
    assert found.smallest.min() > -1e-8
    assert found.status == "done"
    np.testing.assert_allclose(found.t, np.linspace(0, 1, 50), atol=0.01)


def test_a_rectangle_of_stripes_is_the_interval_in_either_direction():
    _, n0, c0, w0 = data(24)
    line = solve_chemotaxis(n0, c0, w0, LENGTH, 0.1, 0.5, n_steps=200, n_snapshots=2)
    stripes = [np.outer(x, np.ones(8)) for x in (n0, c0, w0)]
    along = solve_chemotaxis_rectangle(*stripes, (LENGTH, 2.0), 0.1, 0.5, n_steps=200)
    across = solve_chemotaxis_rectangle(
        *(x.T.copy() for x in stripes), (2.0, LENGTH), 0.1, 0.5, n_steps=200
    )
    for name in "ncw":
        wanted = np.outer(getattr(line, name)[-1], np.ones(8))
        np.testing.assert_allclose(getattr(along, name)[-1], wanted, rtol=1e-11)
        np.testing.assert_allclose(getattr(across, name)[-1].T, wanted, rtol=1e-11)
    assert np.abs(along.mass / along.mass[0] - 1).max() < 1e-12


def test_concentration_stops_the_run():
    x = (np.arange(32) + 0.5) / 32
    bump = np.exp(-((x[:, None] - 0.5) ** 2 + (x - 0.5) ** 2) / 0.02)
    n0 = 1000 * bump  # 5 times the mass 4 pi
    found = solve_chemotaxis_rectangle(n0, n0, n0, (1.0, 1.0), 0.0, 0.0, t_final=0.2)
    assert found.status == "blow-up suspected"
    assert found.t[-1] < 0.2
    assert np.isfinite(found.n).all()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"n0": -np.ones(16)}, "`n0` must be >= 0, but holds -1"),
        ({"n0": np.zeros(16)}, "`n0` must hold cells"),
        ({"c0": np.full(16, -0.5)}, "`c0` must be >= 0"),
        ({"n0": np.full(16, np.nan)}, "`n0` must be finite"),
        ({"w0": np.ones(15)}, "`w0` must have 16 entries"),
        ({"eps": -0.1}, "`eps` must"),
        ({"tau": -0.1}, "`tau` must"),
        ({"n_steps": 100.5}, "`n_steps` must"),
        ({"n_steps": 30_000}, "`n_steps` must"),
        ({"t_final": 0.0}, "`t_final` must"),
        ({"length": 0.0}, "`length` must"),
        ({"n0": np.ones(2000)}, "`n0` must have at most 1024"),
    ],
)
def test_refusals(changes, sentence):
    given = {name: np.ones(16) for name in ("n0", "c0", "w0")}
    given |= {"length": 1.0, "eps": 0.1, "tau": 1.0}
    with pytest.raises(InputError, match=sentence):
        solve_chemotaxis(**(given | changes))


def test_equal_parameters_are_refused():
    one = np.ones(8)
    with pytest.raises(InputError, match="`eps` must hold different values"):
        parabolic_elliptic_rates(one, one, one, 1.0, (0.1, 0.1))


def test_rates_of_what_blows_up_are_an_error():
    x = (np.arange(8) + 0.5) / 8
    n0 = 1e40 * (1 + np.cos(np.pi * x))
    with pytest.raises(DivergenceError, match="A run blows up before"):
        indirect_direct_rates(n0, n0, n0, 1.0, (0.1, 0.01), n_steps=100)
