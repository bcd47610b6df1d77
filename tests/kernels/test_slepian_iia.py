import numpy as np
import pytest

from aqc.errors import InputError
from aqc.kernels.slepian_iia import approximate_excursions, sample_excursions
from aqc.kernels.slepian_iia.covariances import (
    Diffusion,
    Gaussian,
    Matern,
    RandomAcceleration,
    Table,
    Telegraph,
)

BUILT_IN = [
    *(Diffusion(float(d)) for d in range(1, 6)),
    RandomAcceleration(),
    Matern("3/2"),
    Matern("5/2"),
    Gaussian(),
    Telegraph(1.3),
]
# Of the classical IIA (Majumdar and Sire; Derrida, Hakim and Zeitak), d = 1, ..., 5.
PUBLISHED = [0.1203, 0.1862, 0.2358, 0.2769, 0.3128]
# Covariances themselves, without the care that the kernel takes near zero.
PLAIN = {
    "diffusion": lambda t: np.cosh(t / 2) ** -1.0,
    "random_acceleration": lambda t: 1.5 * np.exp(-t / 2) - 0.5 * np.exp(-1.5 * t),
    "matern": lambda t: (1 + t + t**2 / 3) * np.exp(-t),
    "gaussian": lambda t: np.exp(-(t**2) / 2),
}


def table(function, end, points=4000):
    t = np.linspace(0, end, points)
    return Table(t, function(t))


@pytest.mark.parametrize("dimension", range(1, 6))
def test_exponents_of_diffusion(dimension):
    found = approximate_excursions(Diffusion(float(dimension)))
    assert found.theta == pytest.approx(PUBLISHED[dimension - 1], abs=1e-4)


def test_exponents_are_near_the_exact_ones():
    assert approximate_excursions(RandomAcceleration()).theta == pytest.approx(0.2647, abs=1e-4)
    for covariance, exact, share in (
        (Diffusion(2.0), 3 / 16, 0.01),
        (RandomAcceleration(), 1 / 4, 0.07),
    ):
        error = abs(approximate_excursions(covariance).theta / exact - 1)
        assert 1e-3 < error < share


@pytest.mark.parametrize("rate", [0.2, 1.3, 40.0])
def test_telegraph_is_exponential(rate):
    errors = []
    for n_grid in (513, 1025, 2049):
        found = approximate_excursions(Telegraph(rate), n_grid=n_grid)
        errors.append(np.abs(found.survival - np.exp(-rate * found.t / 2)).max())
    assert found.theta == pytest.approx(rate / 2, rel=1e-6)
    assert found.mean == pytest.approx(2 / rate, rel=1e-6)
    assert found.variance == pytest.approx(4 / rate**2, rel=1e-5)
    assert found.quantiles[1] == pytest.approx(2 * np.log(2) / rate, rel=1e-4)
    assert errors[-1] < 1e-4
    assert np.log2(errors[0] / errors[1]) > 1.8
    assert np.log2(errors[1] / errors[2]) > 1.8


@pytest.mark.parametrize("covariance", BUILT_IN, ids=repr)
def test_mean_is_rices(covariance):
    found = approximate_excursions(covariance)
    assert found.validity == "valid"
    assert found.mean == pytest.approx(found.rice_mean, rel=1e-3)
    density_mean = np.trapezoid(found.survival, found.t)
    assert density_mean == pytest.approx(found.mean, rel=2e-3)


@pytest.mark.parametrize("covariance", BUILT_IN, ids=repr)
def test_samples_have_the_mean_and_the_law(covariance):
    found = approximate_excursions(covariance)
    samples = sample_excursions(covariance, 100_000, seed=3)
    assert abs(samples.mean() - found.mean) < 4 * np.sqrt(found.variance / len(samples))
    for level, time in zip((0.1, 0.5, 0.9), found.quantiles, strict=True):
        assert abs((samples <= time).mean() - level) < 4 * np.sqrt(level * (1 - level) / 100_000)


@pytest.mark.parametrize(
    "covariance",
    [Diffusion(2.0), RandomAcceleration(), Matern("5/2"), Gaussian()],
    ids=lambda c: c.kind,
)
def test_built_in_formulas_are_the_covariances(covariance):
    r = PLAIN[covariance.kind]
    t = np.array([0.3, 1.0, 2.7, 5.0])
    lacking, slope = covariance.evaluate(t)
    np.testing.assert_allclose(1 - lacking, r(t), rtol=1e-13, atol=1e-15)
    h = 1e-5
    np.testing.assert_allclose(slope, (r(t + h) - r(t - h)) / (2 * h), rtol=1e-8)
    # Second difference at zero; r is even, and of third order at the kink of random acceleration.
    assert 2 * (1 - r(1e-4)) / 1e-8 == pytest.approx(covariance.curvature, rel=2e-4)


def test_matern_of_smoothness_three_halves():
    lacking, slope = Matern("3/2").evaluate(np.array([0.5, 2.0]))
    t = np.array([0.5, 2.0])
    np.testing.assert_allclose(1 - lacking, (1 + t) * np.exp(-t), rtol=1e-13)
    np.testing.assert_allclose(slope, -t * np.exp(-t), rtol=1e-13)


def test_a_table_gives_what_the_formula_gives():
    built_in = approximate_excursions(Diffusion(2.0), t_max=30.0, n_grid=1024)
    from_table = approximate_excursions(table(PLAIN["diffusion"], 40.0), t_max=30.0, n_grid=1024)
    assert from_table.theta == pytest.approx(built_in.theta, rel=1e-4)
    np.testing.assert_allclose(from_table.survival, built_in.survival, atol=1e-5)


def test_classical_iia_is_the_same():
    """The clipped process' covariance has the derivative -2 E / mean, so both match the same."""
    found = approximate_excursions(Diffusion(3.0), n_grid=2048)
    clipped = 2 / np.pi * np.arcsin(np.cosh(found.t / 2) ** -1.5)
    slope = np.gradient(clipped, found.t, edge_order=2)
    np.testing.assert_allclose(-slope * found.rice_mean / 2, found.e, atol=2e-4)


def test_not_monotone_is_never_valid():
    impossible = approximate_excursions(
        table(lambda t: np.exp(-(t**2) / 2) * np.cos(3 * t), 12.0), n_grid=8192
    )
    assert impossible.validity == "invalid"
    assert impossible.theta is None
    assert impossible.pdf.min() < 0
    unsure = approximate_excursions(
        table(lambda t: np.exp(-(t**2) / 2) * np.cos(t), 12.0), n_grid=8192
    )
    assert unsure.validity == "inconclusive"
    assert not unsure.monotone
    assert unsure.pdf.min() > -1e-6


def test_slow_decay_has_no_exponent():
    found = approximate_excursions(table(lambda t: (1 + t**2) ** -0.75, 200.0))
    assert found.theta is None
    assert "slowly" in found.theta_note


def simulate(points, step, rng):
    """Draw two periodic paths of the diffusion process, d = 2, by circulant embedding."""
    lags = np.minimum(np.arange(points), points - np.arange(points)) * step
    spectrum = np.fft.fft(1 / np.cosh(np.minimum(lags, 600) / 2)).real.clip(0)
    noise = rng.normal(size=points) + 1j * rng.normal(size=points)
    path = np.fft.fft(np.sqrt(spectrum / points) * noise)
    return path.real, path.imag


@pytest.mark.slow
def test_survival_is_near_a_simulation():
    step, rng, lengths = 0.02, np.random.default_rng(8), []
    for _ in range(3):
        for path in simulate(2**21, step, rng):
            k = np.flatnonzero(path[:-1] * path[1:] < 0)
            lengths.append(np.diff(k + path[k] / (path[k] - path[k + 1])) * step)
    lengths = np.concatenate(lengths)
    found = approximate_excursions(Diffusion(2.0))
    times = np.array([1.0, 2, 4, 8, 16, 24])
    simulated = (lengths[:, None] > times).mean(0)
    approximated = np.interp(times, found.t, found.survival)
    assert np.abs(simulated - approximated).max() < 0.005
    assert lengths.mean() == pytest.approx(found.rice_mean, rel=0.01)


GOOD = np.linspace(0, 20, 200)


@pytest.mark.parametrize(
    ("t", "r", "sentence"),
    [
        (GOOD, 0.9 / np.cosh(GOOD), "must begin with 1"),
        (GOOD, np.where(np.arange(200) == 5, 1.2, 1 / np.cosh(GOOD)), "must lie within"),
        (GOOD, np.exp(-GOOD), "must be twice differentiable at 0"),
        (GOOD, np.exp(-(GOOD**4)), "must be twice differentiable at 0"),
        (GOOD + 1, 1 / np.cosh(GOOD), "must begin at 0"),
        (GOOD * (GOOD[7] != GOOD), 1 / np.cosh(GOOD), "increase strictly"),
        (GOOD[:63], 1 / np.cosh(GOOD[:63] * 3), "at least 64 entries"),
        (GOOD, 1 / np.cosh(GOOD / 10), "extend `t`"),
        (GOOD, np.where(GOOD > 19, np.nan, 1 / np.cosh(GOOD)), "must be finite"),
        (GOOD, np.maximum(1 / np.cosh(GOOD), GOOD < 0.25), "grows like"),
        (GOOD, 1 / np.cosh(GOOD[:-1]), "have 200 entries"),
    ],
)
def test_tables_that_are_refused(t, r, sentence):
    with pytest.raises(InputError, match=sentence):
        approximate_excursions(Table(t, r))


def test_other_refusals():
    with pytest.raises(InputError, match="`n_grid` must be .* 16384"):
        approximate_excursions(Gaussian(), n_grid=100_000)
    with pytest.raises(InputError, match="`t_max` must not exceed the table's last time 20"):
        approximate_excursions(Table(GOOD, 1 / np.cosh(GOOD)), t_max=21.0)
    with pytest.raises(InputError, match="must make E decrease"):
        sample_excursions(table(lambda t: np.exp(-(t**2) / 2) * np.cos(3 * t), 12.0))
