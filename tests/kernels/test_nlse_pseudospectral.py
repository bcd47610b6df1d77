"""The nonlinear Schrödinger solver against exact solutions and its own convergence."""

import numpy as np
import pytest

from aqc.errors import InputError
from aqc.kernels._kernel import drain
from aqc.kernels.nlse_pseudospectral import (
    AkhmedievBreather,
    ModulatedSech,
    NoisyGaussian,
    Samples,
    Solitons,
    evolve_field,
    evolve_field_steps,
    measure_field,
)


def points_of(n, length):
    return np.linspace(-length / 2, length / 2, n, endpoint=False)


def soliton(a, v, x0, n=512):
    return Solitons(np.array([a]), np.array([x0]), np.array([v]), n)


def exact_soliton(x, t, a, v, x0):
    phase = v * x + (a**2 - v**2) * t / 2
    return a / np.cosh(a * (x - x0 - v * t)) * np.exp(1j * phase)


def exact_breather(x, t, a):
    w, b = 2 * np.sqrt(1 - 2 * a), np.sqrt(8 * a * (1 - 2 * a))
    over = 2 * (1 - 2 * a) * np.cosh(b * t) + 1j * b * np.sinh(b * t)
    return np.exp(1j * t) * (1 + over / (np.sqrt(2 * a) * np.cos(w * x) - np.cosh(b * t)))


@pytest.mark.parametrize("frame", ["lab", "interaction"])
def test_a_soliton_is_exact_and_keeps_its_invariants(frame):
    run = evolve_field(soliton(2.0, 1.0, -10.0), 50, 20, n_snapshots=41, frame=frame)
    assert run.status == "done"
    assert np.abs(run.psi - exact_soliton(run.x, run.t[:, None], 2, 1, -10)).max() < 1e-5
    kept = run.invariants
    np.testing.assert_allclose(
        [kept.mass[0], kept.momentum[0], kept.energy[0]], [4, 4, 2 - 8 / 3], rtol=1e-12
    )
    np.testing.assert_allclose(kept.mass, kept.mass[0], rtol=1e-12)
    np.testing.assert_allclose(kept.momentum, kept.momentum[0], rtol=1e-12)
    np.testing.assert_allclose(kept.energy, kept.energy[0], rtol=1e-7)
    # The published table of entropies.
    table = (run.entropies.shannon[0], run.entropies.renyi_2[0], run.entropies.tsallis_2[0])
    np.testing.assert_allclose(table, (2.940, 2.732, 0.935), atol=5e-4)


def test_two_solitons_shift_each_other():
    a1, a2, v = 2.0, 1.5, 4.0
    both = Solitons(np.array([a1, a2]), np.array([-10.0, 10.0]), np.array([2.0, -2.0]))
    run = evolve_field(both, 50, 10, n_snapshots=3)
    density = np.abs(run.psi[-1]) ** 2
    found = [np.average(run.x[s], weights=density[s]) for s in (run.x > 0, run.x < 0)]
    shift = np.log((v**2 + (a1 + a2) ** 2) / (v**2 + (a1 - a2) ** 2))
    assert shift / a1 == pytest.approx(0.27650, abs=1e-5)
    # Without the collision each would be where the other began.
    np.testing.assert_allclose(found, [10 + shift / a1, -10 - shift / a2], atol=1e-3)


def test_the_akhmediev_breather_is_exact():
    length = 4 * 2 * np.pi / np.sqrt(2)
    run = evolve_field(AkhmedievBreather(0.25), length, 10, n_snapshots=21)
    exact = exact_breather(run.x, run.t[:, None] - 5, 0.25)
    assert np.abs(run.psi - exact).max() < 1e-6
    assert np.abs(run.psi).max() == pytest.approx(1 + np.sqrt(2), abs=1e-6)
    assert run.psi[0] == pytest.approx(exact[0], abs=1e-14)


@pytest.mark.parametrize("wave", [0.5, np.sqrt(2), 1.9, 2.2])
def test_modulations_grow_at_the_exact_rate(wave):
    length = 2 * np.pi / wave
    psi = 1 + 1e-6 * np.cos(wave * points_of(32, length)) + 0j
    run = evolve_field(Samples(psi), length, 8, n_snapshots=81, rtol=1e-11, atol=1e-13)
    size, late = np.abs(np.fft.fft(run.psi)[:, 1]), run.t >= 4
    growth = np.polyfit(run.t[late], np.log(size[late]), 1)[0]
    if wave < 2:
        assert growth == pytest.approx(wave * np.sqrt(1 - wave**2 / 4), rel=0.02)
    else:
        assert size.max() < 10 * size[0]


def test_the_error_falls_faster_than_any_power():
    length, errors = np.pi * np.sqrt(2), []
    for n in (16, 32, 64, 128):
        run = evolve_field(
            AkhmedievBreather(0.25, points=n), length, 10, n_snapshots=21, rtol=1e-12, atol=1e-13
        )
        errors.append(np.abs(run.psi - exact_breather(run.x, run.t[:, None] - 5, 0.25)).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert orders[0] > 6
    assert orders[1] > orders[0] + 4
    assert orders[2] > orders[1] + 4
    assert errors[-1] < 1e-12


def test_without_filter_aliases_spoil_the_momentum():
    length = 20.0
    x = points_of(64, length)
    psi = 2 / np.cosh(x) * np.exp(6j * np.pi * x / length) * (1 + 0.3 * np.tanh(x))
    on, off = (
        evolve_field(Samples(psi), length, 6, n_snapshots=3, filter=filter)
        for filter in (True, False)
    )
    assert on.momentum_drift < 0.01
    assert off.momentum_drift > 0.5


def test_at_the_edge_of_resolution_the_filter_costs_accuracy():
    errors = []
    for filter in (True, False):
        run = evolve_field(soliton(1.0, 1.0, -2.0, 128), 40, 4, n_snapshots=3, filter=filter)
        errors.append(np.abs(run.psi - exact_soliton(run.x, run.t[:, None], 1, 1, -2)).max())
    assert 1e-4 < errors[0] < 1e-2
    assert errors[1] < 1e-6


def test_plane_waves_have_the_dispersion_of_the_equation():
    """psi = c exp(i (k x - (k^2 / 2 - g c^2) t)) for every g."""
    length, c, k = 10.0, 0.7, 6 * np.pi / 10
    x = points_of(32, length)
    for g in (-1.0, 0.0, 2.0):
        run = evolve_field(Samples(c * np.exp(1j * k * x)), length, 3, n_snapshots=4, g=g)
        phase = k * x - (k**2 / 2 - g * c**2) * run.t[:, None]
        np.testing.assert_allclose(run.psi, c * np.exp(1j * phase), atol=1e-8)


def test_the_interaction_frame_is_the_same_motion_with_fewer_steps():
    length = 4 * 2 * np.pi / np.sqrt(2)
    lab, interaction = (
        evolve_field(AkhmedievBreather(0.25, points=384), length, 10, n_snapshots=3, frame=frame)
        for frame in ("lab", "interaction")
    )
    np.testing.assert_allclose(interaction.psi, lab.psi, atol=1e-8)
    assert interaction.rhs_evaluations < lab.rhs_evaluations / 1.8


def test_steps_in_the_laboratory_grow_with_the_square_of_the_points():
    runs = [
        evolve_field(AkhmedievBreather(0.25, points=n), 8.885765876316732, 4, n_snapshots=2)
        for n in (128, 256)
    ]
    ratio = runs[1].rhs_evaluations / runs[0].rhs_evaluations
    assert ratio == pytest.approx(4, rel=0.15)


def test_invariants_against_sums_on_a_finer_grid():
    rng = np.random.default_rng(0)
    modes = rng.normal(size=(2, 7)) @ np.diag([0.1, 0.3, 0.5, 1, 0.5, 0.3, 0.1])
    waves = 2 * np.pi * np.arange(-3, 4) / 5.0
    coefficients = modes[0] + 1j * modes[1]

    def at(x):
        basis = np.exp(1j * np.outer(x, waves))
        return basis @ coefficients, basis @ (1j * waves * coefficients)

    psi, slope = at(points_of(4096, 5.0))
    coarse = measure_field(at(points_of(32, 5.0))[0], 5.0, g=-1.5).invariants
    integral = lambda values: 5.0 * values.mean()  # noqa: E731
    assert coarse.mass == pytest.approx(integral(np.abs(psi) ** 2))
    assert coarse.momentum == pytest.approx(integral((psi.conj() * slope).imag))
    energy = integral(np.abs(slope) ** 2 + 1.5 * np.abs(psi) ** 4) / 2
    assert coarse.energy == pytest.approx(energy)
    assert abs(coarse.momentum) <= coarse.momentum_scale


def test_entropies_of_known_distributions():
    even = measure_field(np.ones(64), 1.0).entropies
    want = (np.log(64), np.log(64), np.log(64), np.log(64), 2 * 7, 1 - 1 / 64, 0)
    np.testing.assert_allclose([float(x) for x in even], want, atol=1e-12)
    one = np.zeros(64)
    one[5] = 3.0
    peak = measure_field(one, 1.0).entropies
    np.testing.assert_allclose([float(x) for x in peak], (0,) * 6 + (np.log(64),), atol=1e-12)


def test_drift_is_measured_from_the_field_given():
    noisy = NoisyGaussian(noise=0.05, points=64)
    run = evolve_field(noisy, 40, 1, n_snapshots=3)
    assert run.tail[1] > 1e-6  # the noise is there, above the filter
    x = points_of(64, 40)
    assert np.std(run.psi[0] - np.exp(-((x / 5) ** 2))) == pytest.approx(0.05 * 2**0.5, rel=0.3)
    again = evolve_field(noisy, 40, 1, n_snapshots=3)
    np.testing.assert_array_equal(again.psi, run.psi)
    assert not np.allclose(evolve_field(NoisyGaussian(seed=1, points=64), 40, 1).psi[0], run.psi[0])


def test_a_short_line_is_told_of():
    assert "short" in evolve_field(soliton(1.0, 0.0, 0.0, 64), 20, 0.1, n_snapshots=2).warning
    assert evolve_field(soliton(1.0, 0.0, 0.0, 96), 40, 0.1, n_snapshots=2).warning == ""
    named = evolve_field(ModulatedSech(128), 40, 0.1, n_snapshots=2)
    assert np.abs(named.psi[0]).max() == pytest.approx(1.5 * np.sqrt(2))
    assert named.warning == ""


def test_a_run_that_takes_too_many_steps_says_so():
    arguments = (soliton(1.0, 2.0, 0.0, 96), 30.0, 1.0, 3)
    _, state = next(evolve_field_steps(*arguments))
    stopped = drain(evolve_field_steps(*arguments, state=state | {"steps": 10**9}))
    assert stopped.status == "stopped after t = 0.5: too many steps"
    assert len(stopped.psi) == len(stopped.t) == 2


def test_steps_resume_to_the_same():
    arguments = (soliton(1.0, 2.0, 0.0, 96), 30.0, 1.0, 6)
    whole = drain(evolve_field_steps(*arguments))
    states = [state for _, state in evolve_field_steps(*arguments)]
    assert len(states) == 5
    for state in states:
        resumed = drain(evolve_field_steps(*arguments, state=state))
        np.testing.assert_array_equal(resumed.psi, whole.psi)
        assert resumed.rhs_evaluations == whole.rhs_evaluations


WAVE = np.ones(16)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"initial": {"psi": np.ones(17)}}, "even number of points, at least 16, but has 17"),
        ({"initial": {"psi": {"re": [1.0] * 16, "im": [0.0] * 15}}}, "parts .* of one shape"),
        ({"initial": {"psi": WAVE * np.nan}}, "must be finite"),
        ({"initial": {"psi": WAVE * 0}}, "must have a peak between"),
        ({"initial": {"psi": (-1.0) ** np.arange(16)}}, "must be resolved, with at most 1e-06"),
        ({"initial": Solitons(-np.ones(1), np.zeros(1), np.zeros(1))}, "must be positive"),
        ({"initial": Solitons(np.ones(1), np.zeros(2), np.zeros(1))}, "1 entry along axis 0"),
        ({"initial": ModulatedSech(15)}, "at least 16"),
        ({"initial": ModulatedSech(17)}, "even number"),
        ({"initial": AkhmedievBreather(0.25)}, "whole multiple of the breather's period 4.44"),
        ({"initial": AkhmedievBreather(0.25, 1e5), "length": 2**0.5 * np.pi}, "distinct from"),
        ({"length": 0.0}, "`length` must be greater than 0"),
        ({"t_final": 201.0}, "`t_final` must be at most 200"),
        ({"n_snapshots": 1}, "`n_snapshots` must be"),
        ({"initial": ModulatedSech(4096), "n_snapshots": 500}, "must be at most 1000000"),
        ({"rtol": 1e-14}, "`rtol` must be at least 1e-13"),
        ({"frame": "moving"}, 'must be one of "lab", "interaction"'),
    ],
)
def test_refusals(changed, sentence):
    body = {"initial": {"psi": WAVE}, "length": 10.0, "t_final": 1.0}
    with pytest.raises(InputError, match=sentence):
        evolve_field(**(body | changed))


def test_work_beyond_the_limit_is_refused():
    from aqc.kernels.nlse_pseudospectral import KERNEL

    body = {"initial": ModulatedSech(4096), "length": 40.0, "t_final": 200.0}
    with pytest.raises(InputError, match="takes at most 1e\\+09 steps x"):
        KERNEL.operation().run(body)
    # A plane wave of amplitude 9999 turns 1e8 times in a unit of time.
    body = {"initial": {"psi": np.full(16, 9999.0)}, "length": 10.0, "t_final": 1.0}
    with pytest.raises(InputError, match="asks for 5.16e\\+10"):
        KERNEL.operation().run(body)
