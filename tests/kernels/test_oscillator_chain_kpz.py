"""Rings of oscillators against exact widths, exact locking, solve_ivp and known exponents."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from aqc.errors import InputError
from aqc.kernels._kernel import drain
from aqc.kernels._state import pack, unpack
from aqc.kernels.oscillator_chain_kpz import (
    find_locking,
    grow_roughness,
    grow_roughness_steps,
    map_synchronization,
    map_synchronization_steps,
)
from aqc.kernels.oscillator_chain_kpz._ring import Ring, advance, start


def decay(size, t, dt=0.1, nu=1.0):
    """Factor of one Euler step for each mode, and the number of steps."""
    rate = nu * 2 * (1 - np.cos(2 * np.pi * np.arange(1, size) / size))
    return rate, 1 - rate * dt, np.rint(t / dt)[:, None]


def exact_noise(size, t, strength, dt=0.1):
    _, a, steps = decay(size, t, dt)
    return np.sqrt((2 * strength * dt * (1 - a ** (2 * steps)) / (1 - a**2)).sum(1) / size)


def exact_columnar(size, t, sigma):
    rate = decay(size, t)[0]
    return sigma * np.sqrt((((1 - np.exp(-rate * t[:, None])) / rate) ** 2).sum(1) / size)


def test_noise_is_edwards_wilkinson_exactly():
    ring = grow_roughness(256, 200.0, D=1e-3, n_realizations=64, fit_window=(10, 200))
    exact = exact_noise(256, ring.t, 1e-3)
    assert np.abs(ring.width / exact - 1).max() < 0.05
    assert (np.abs(ring.width - exact) < 4 * ring.error).all()
    assert ring.verdict == "synchronized"
    assert ring.g == 0
    # S(k) of the same modes.
    k = 2 * (1 - np.cos(ring.wavenumber))
    a = 1 - 0.1 * k
    exact = 2e-3 * 0.1 * (1 - a**4000) / (1 - a**2)
    assert np.abs(np.log(ring.structure_factor / exact)).mean() < 0.15


def test_columnar_randomness_is_exact():
    ring = grow_roughness(256, 200.0, sigma=0.01, n_realizations=128, fit_window=(10, 100))
    exact = exact_columnar(256, ring.t, 0.01)
    assert np.abs(ring.width / exact - 1).max() < 0.03
    fitted = (ring.t >= 10) & (ring.t <= 100)
    slope = np.polyfit(np.log(ring.t[fitted]), np.log(exact[fitted]), 1)[0]
    assert ring.beta == pytest.approx(slope, abs=0.01)
    assert ring.beta == pytest.approx(0.75, abs=0.05)  # the limit of infinite size


@pytest.mark.parametrize(
    ("arguments", "beta"),
    [
        ({"K": 0.0, "D": 0.5}, 0.5),
        ({"K": 0.05, "D": 0.5}, 0.5),
        ({"K": 0.02, "sigma": 0.5}, 1.0),
    ],
)
def test_without_synchronization_sites_are_on_their_own(arguments, beta):
    ring = grow_roughness(256, 100.0, n_realizations=48, **arguments)
    assert ring.beta == pytest.approx(beta, abs=0.02)
    assert ring.verdict == "desynchronized"
    if arguments["K"] == 0:
        # W^2 = 2 D t (1 - 1/L).
        exact = np.sqrt(2 * 0.5 * ring.t * (1 - 1 / 256))
        assert np.abs(ring.width / exact - 1).max() < 0.05
        assert ring.g is None


def test_uncoupled_columns_grow_linearly():
    frequencies = np.random.default_rng(0).normal(size=(1, 32))
    ring = grow_roughness(32, 50.0, K=0.0, frequencies=frequencies, n_realizations=2)
    np.testing.assert_allclose(ring.width, frequencies.std() * ring.t, rtol=1e-12)
    np.testing.assert_allclose(ring.error, 0, atol=1e-12)


def ring_of_eight(delta, coupling):
    """Frequencies, and the phases at t = 4 by another way to write the same equation."""
    omega = np.random.default_rng(1).normal(size=8) * 0.5

    def rate(t, phi):
        pull = sum(np.sin(np.roll(phi, -way) - phi + delta) - np.sin(delta) for way in (1, -1))
        return omega + coupling * pull

    phi = solve_ivp(rate, (0, 4), np.zeros(8), rtol=1e-11, atol=1e-12, method="DOP853").y[:, -1]
    return omega, phi


def test_the_steps_of_noise_are_of_first_order():
    omega, phi = ring_of_eight(0.7, 1.3)
    errors = []
    for dt in (0.1, 0.05, 0.025):
        ring = Ring(1.3, 0.7, 0.0, (omega - omega.mean())[:, None], 1, dt)
        *_, last = advance(ring, start(ring, 0), [round(4 / dt)])
        errors.append(abs(last["phi"].std() - phi.std()))
    slopes = -np.diff(np.log(errors)) / np.log(2)
    np.testing.assert_allclose(slopes, 1, atol=0.15)
    assert errors[-1] < 0.01 * phi.std()


@pytest.mark.parametrize(("delta", "coupling"), [(0.7, 1.3), (0.0, 0.4), (-1.1, 2.0)])
def test_without_noise_rings_are_those_of_solve_ivp(delta, coupling):
    omega, phi = ring_of_eight(delta, coupling)
    options = {"K": coupling, "delta": delta, "frequencies": omega[None], "n_realizations": 1}
    found = [grow_roughness(8, 4.0, dt=dt, **options) for dt in (0.1, 0.05)]
    for ring in found:
        assert ring.width[-1] == pytest.approx(phi.std(), rel=1e-6)
        assert ring.steepest == pytest.approx(np.abs(phi - np.roll(phi, 1)).max(), rel=1e-6)
    # The step is that of the records alone.
    shared = np.isin(found[0].t.round(9), found[1].t.round(9))
    again = np.isin(found[1].t.round(9), found[0].t.round(9))
    np.testing.assert_allclose(found[0].width[shared], found[1].width[again], rtol=1e-5)


def test_locking_is_as_the_exact_criterion_says():
    rng = np.random.default_rng(0)
    frequencies = rng.normal(size=(24, 32)) * np.linspace(0.1, 0.6, 24)[:, None]
    exact = [find_locking(row) for row in frequencies]
    assert 6 < sum(one.locks for one in exact) < 18
    ring = grow_roughness(
        32, 2000.0, frequencies=frequencies, n_realizations=24, record_times=[1000, 2000]
    )
    assert ring.locked.tolist() == [one.locks for one in exact]
    for row, one in zip(frequencies[[0, -1]], (exact[0], exact[-1]), strict=True):
        alone = grow_roughness(32, 500.0, frequencies=row[None], n_realizations=1)
        assert alone.verdict == ("synchronized" if one.locks else "desynchronized")


def test_locked_states_do_not_move():
    rng = np.random.default_rng(2)
    for size in (3, 40, 200):
        omega = 0.1 * rng.normal(size=size)
        found = find_locking(omega, 0.7)
        assert found.locks
        if size == 200:
            assert len(found.windings) > 3
        for n, d in zip(found.windings, found.differences, strict=True):
            assert d.sum() == pytest.approx(2 * np.pi * n, abs=1e-9)
            speed = omega + 0.7 * (np.sin(d) - np.sin(np.roll(d, 1)))
            np.testing.assert_allclose(speed, omega.mean(), atol=1e-12)
    assert not find_locking(omega, 0.5 * np.ptp(np.cumsum(omega - omega.mean())) * 0.999).locks


def test_slips_are_no_kpz():
    ring = grow_roughness(256, 150.0, D=0.1, delta=1.2, n_realizations=8)
    assert ring.verdict == "desynchronized"
    assert ring.beta > 0.45
    assert ring.steepest > 20


def test_the_surface_is_skewed_as_the_coupling():
    """lambda < 0 for delta > 0, and so is the skewness; the other sign mirrors it."""
    up, flat, down = (
        grow_roughness(512, 60.0, D=0.08, delta=delta, n_realizations=16)
        for delta in (-0.9, 0.0, 0.9)
    )
    assert up.skewness[-8:].mean() > 0.1
    assert abs(flat.skewness[-8:].mean()) < 0.08
    assert down.skewness[-8:].mean() < -0.1
    assert (up.nonlinearity, down.nonlinearity) == (2 * np.sin(0.9), -2 * np.sin(0.9))
    assert down.g == pytest.approx(0.82, abs=0.01)


def test_a_small_ring_saturates():
    ring = grow_roughness(16, 400.0, D=0.01, n_realizations=256)
    # W^2 = D / nu L sum 1 / (2 (1 - cos k)) of the equilibrium, L large: D L / 12.
    level = exact_noise(16, np.array([1e6]), 0.01)[0]
    assert ring.saturation == pytest.approx(level, rel=0.05)
    assert 1 < ring.saturation_time < 100
    assert grow_roughness(256, 100.0, D=0.01).saturation is None


def test_phases_are_never_wrapped():
    ring = grow_roughness(16, 100.0, K=0.0, sigma=5.0, n_realizations=4)
    assert ring.width[-1] > 300


@pytest.mark.parametrize("randomness", [{"D": 0.1}, {"sigma": 0.5}])
def test_steps_resume_to_the_same(monkeypatch, randomness):
    monkeypatch.setattr("aqc.kernels.oscillator_chain_kpz._ring._BLOCK", 2e4)
    arguments = {"size": 64, "t_final": 60.0, "delta": 0.5, "n_realizations": 8} | randomness
    states = [state for _, state in grow_roughness_steps(**arguments)]
    whole = grow_roughness(**arguments)
    # More reports than records: within a stretch too.
    assert len(states) > len(whole.t)
    for state in states[::7]:
        resumed = drain(grow_roughness_steps(**arguments, state=unpack(pack(state))))
        np.testing.assert_array_equal(resumed.width, whole.width)
        assert (resumed.slip_rate, resumed.beta) == (whole.slip_rate, whole.beta)


def test_diagrams_are_made_of_rings():
    arguments = {"size": 32, "t_final": 20.0, "n_realizations": 4}
    found = map_synchronization([0.0, 0.5], [0.1, 0.2], "columnar", seed=3, **arguments)
    one = grow_roughness(delta=0.5, sigma=0.1, seed=5, **arguments)
    assert found.beta[1, 0] == one.beta
    assert found.width[1, 0] == one.width[-1]
    assert found.verdict[1, 0] == one.verdict
    noise = map_synchronization([0.9], [0.08, 5.0], "noise", **arguments)
    assert noise.g[0, 0] == pytest.approx(0.82, abs=0.01)
    assert noise.nearest.tolist()[0][1] == "none"
    steps = map_synchronization_steps(
        np.array([0.0, 0.5]), np.array([0.1, 0.2]), "columnar", seed=3, **arguments
    )
    states = [state for _, state in steps]
    for state in states[:: len(states) // 5]:
        resumed = drain(
            map_synchronization_steps(
                np.array([0.0, 0.5]),
                np.array([0.1, 0.2]),
                "columnar",
                seed=3,
                **arguments,
                state=state,
            )
        )
        np.testing.assert_array_equal(resumed.beta, found.beta)


@pytest.mark.slow
def test_growth_crosses_over_from_edwards_wilkinson_to_kpz():
    pairs = ((0, 0.1), (0.6, 0.12), (0.8, 0.1), (0.9, 0.08), (1.0, 0.06), (1.1, 0.04))
    options = {"n_realizations": 24, "fit_window": (60, 600)}
    runs = [
        [grow_roughness(1024, 600.0, delta=x, D=d, seed=seed, **options) for x, d in pairs]
        for seed in range(1, 6)
    ]
    beta, skewness, g = (
        np.mean([[read(ring) for ring in run] for run in runs], axis=0)
        for read in (lambda r: r.beta, lambda r: r.skewness[-1], lambda r: r.g)
    )
    np.testing.assert_allclose(g, [0, 0.27, 0.61, 0.82, 1.08, 1.36], atol=0.01)
    assert (np.diff(beta) > 0).all()
    assert beta[0] == pytest.approx(0.25, abs=0.02)
    # One run's exponent has an error of 0.03; the last two pass 1/3.
    assert 0.31 < beta[4] < 0.38
    assert beta[5] < 0.4
    assert abs(skewness[0]) < 0.1
    assert (skewness[1:] < -0.1).all()
    assert all(ring.verdict == "synchronized" for run in runs for ring in run)


@pytest.mark.slow
def test_columnar_randomness_has_a_kpz_of_its_own():
    odd, other = (
        np.mean(
            [
                grow_roughness(
                    2048,
                    400.0,
                    delta=delta,
                    sigma=sigma,
                    n_realizations=12,
                    fit_window=(20, 400),
                    seed=seed,
                ).beta
                for seed in range(5)
            ]
        )
        for delta, sigma in ((0.0, 0.02), (0.8, 0.1))
    )
    assert odd == pytest.approx(0.75, abs=0.02)
    assert 0.76 < other < 0.85


BODY = {"size": 16, "t_final": 10.0}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"delta": 1.6}, "`delta` must be less than"),
        ({"D": -0.1}, "`D` must be at least 0"),
        ({"sigma": -0.1}, "`sigma` must be at least 0"),
        ({"K": 4.0}, "4 K dt must stay below 2"),
        ({"size": 7}, "`size` must be"),
        ({"t_final": 1.0}, "at least 20 steps"),
        ({"frequencies": np.zeros((1, 15))}, "must have 16 columns"),
        ({"frequencies": np.zeros((2, 16))}, "1 row or 16"),
        ({"frequencies": np.full((1, 16), np.nan)}, "must be finite"),
        ({"frequencies": np.full((1, 16), 1e4)}, "at most 1000"),
        ({"record_times": [2.0, 1.0]}, "must increase by at least one step"),
        ({"record_times": [2.0, 11.0]}, "between one step and `t_final`"),
        ({"fit_window": [2.0, 2.0]}, "must hold at least 2 record times"),
    ],
)
def test_refusals(changed, sentence):
    with pytest.raises(InputError, match=sentence):
        grow_roughness(**(BODY | changed))


def test_refusals_of_diagrams_and_locking():
    for deltas, strengths, sentence in (
        ([1.6], [0.1], "`deltas` must be below 1.571 in size"),
        ([0.1], [-0.1], "`strengths` must be non-negative"),
    ):
        with pytest.raises(InputError, match=sentence):
            map_synchronization(deltas, strengths, "noise", **BODY)
    with pytest.raises(InputError, match="`frequencies` must have at least 3 entries"):
        find_locking([0.1, 0.2])


def test_work_beyond_the_limit_is_refused():
    from aqc.kernels.oscillator_chain_kpz import KERNEL

    with pytest.raises(InputError, match="takes at most 5e\\+09 sites x realizations x steps"):
        KERNEL.operation().run({"size": 16384, "t_final": 1e5})
