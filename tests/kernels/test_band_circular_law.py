import numpy as np
import pytest
from scipy.stats import kstest

from aqc.errors import InputError
from aqc.kernels._kernel import drain
from aqc.kernels.band_circular_law import (
    BlockTridiagonal,
    CyclicBand,
    Entries,
    Permutations,
    Variances,
    dyson,
    kolmogorov,
    measure_product,
    measure_resolvent,
    measure_resolvent_steps,
    measure_spectrum,
    measure_spectrum_steps,
)
from aqc.kernels.band_circular_law.ensembles import draw_matrix, profile_matrix


def width(n, gamma):
    return round(n**gamma)


@pytest.mark.parametrize(
    "profile", [CyclicBand(7), CyclicBand(12), BlockTridiagonal(4), Permutations(5), CyclicBand(1)]
)
def test_profiles_are_doubly_stochastic(profile):
    variances = profile_matrix(profile, 12, np.random.default_rng(0))
    np.testing.assert_allclose(variances.sum(0), 1, atol=1e-14)
    np.testing.assert_allclose(variances.sum(1), 1, atol=1e-14)
    if isinstance(profile, Permutations):
        assert np.count_nonzero(variances) == 12 * profile.count
    if isinstance(profile, CyclicBand):
        i, j = np.nonzero(variances)
        distance = np.minimum((i - j) % 12, (j - i) % 12)
        assert distance.max() <= profile.width // 2
        assert len(i) == 12 * profile.width


def test_balancing():
    rough = np.random.default_rng(1).uniform(0.1, 1, (30, 30))
    found = measure_spectrum(30, Variances(rough, balance=True))
    assert found.profile_error < 1e-8
    balanced = profile_matrix(Variances(rough, balance=True), 30, np.random.default_rng(0))
    # Sinkhorn scales rows and columns: every 2 x 2 cross ratio stays.
    cross = [m[:-1, :-1] * m[1:, 1:] / (m[:-1, 1:] * m[1:, :-1]) for m in (rough, balanced)]
    np.testing.assert_allclose(*cross, rtol=1e-10)


@pytest.mark.parametrize("entries", ["complex_gaussian", "real_gaussian", "rademacher", "uniform"])
def test_entries_have_mean_zero_and_variance_one(entries):
    xi = draw_matrix(np.ones((400, 400)), entries, np.random.default_rng(2))
    assert abs(xi.mean()) < 4 / 400
    assert (np.abs(xi) ** 2).mean() == pytest.approx(1, abs=4 * np.sqrt(2) / 400)
    assert np.iscomplexobj(xi) == (entries == "complex_gaussian")


def test_kolmogorov_against_scipy():
    sample = np.random.default_rng(3).beta(2, 3, 500)
    assert kolmogorov(sample) == pytest.approx(kstest(sample, "uniform").statistic, abs=1e-14)


def test_circular_law_at_n_600():
    for profile in (
        CyclicBand(600),
        CyclicBand(width(600, 5 / 6)),
        Permutations(width(600, 5 / 6)),
    ):
        found = measure_spectrum(600, profile, "rademacher", seed=4)
        assert found.ks_radial[0] < 0.05
        assert found.ks_angular[0] < 0.05
        assert found.spectral_radius[0] < 1.1
        limit = np.diag([1, 1 / 2, 1 / 3])
        np.testing.assert_allclose(found.moments, limit, atol=0.06)
    assert found.gamma == pytest.approx(5 / 6, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "entries", "bandwidth"),
    [
        (CyclicBand, "rademacher", 5 / 6),
        (Permutations, "rademacher", 5 / 6),
        (CyclicBand, "complex_gaussian", 5 / 6),
        (CyclicBand, "rademacher", 1.0),
    ],
)
def test_distance_falls_with_n_and_narrow_bands_stay_off(kind, entries, bandwidth):
    def distances(n, gamma):
        runs = [
            measure_spectrum(n, kind(width(n, gamma)), entries, seed=s).ks_radial[0]
            for s in range(5)
        ]
        return np.array(runs)

    small, large = distances(300, bandwidth), distances(1200, bandwidth)
    assert large.max() < 0.05
    assert small.mean() > 1.4 * large.mean()
    if kind is CyclicBand and bandwidth < 1:
        assert distances(1200, 0.4).min() > 0.05


def test_a_diagonal_matrix_has_its_entries_as_eigenvalues():
    diagonal = Variances(np.eye(600))
    found = measure_spectrum(600, diagonal, "rademacher")
    assert found.ks_radial[0] == pytest.approx(1)
    # |xi|^2 is exponential; cut at 1 it lacks 1/e of the law.
    runs = measure_spectrum(600, diagonal, repeats=4)
    assert np.abs(runs.ks_radial - 1 / np.e).max() < 3 / np.sqrt(600)
    assert found.gamma == 0


def test_callers_entries():
    rng = np.random.default_rng(5)
    xi, variances = rng.normal(size=(40, 40)), np.full((40, 40), 1 / 40)
    found = measure_spectrum(40, Variances(variances), Entries(xi))
    want = np.linalg.eigvals(xi / np.sqrt(40))
    key = np.round(want, 8)
    np.testing.assert_allclose(
        np.sort_complex(np.round(found.eigenvalues[0], 8)), np.sort_complex(key), atol=2e-8
    )


@pytest.mark.parametrize("v", [0.01, 0.1, 0.5, 3.0])
def test_dyson_equation(v):
    """At z = 0: m^2 + eta m + 1 = 0, the semicircle; else the equation itself."""
    assert dyson(0.0, v) == pytest.approx((-v + np.sqrt(v**2 + 4)) / 2, abs=1e-12)
    for size in (0.2, 0.9, 1.0, 1.7):
        m = 1j * dyson(size, v)
        assert m.imag > 0
        eta = 1j * v
        assert abs(1 / m + (eta + m) - size**2 / (eta + m)) < 1e-11


def test_resolvent_against_the_inverse_of_the_hermitization():
    n, v, z = 30, 0.3, 0.4 - 0.2j
    found = measure_resolvent(n, CyclicBand(9), [z], [v], seed=6)
    x = draw_matrix(
        profile_matrix(CyclicBand(9), n, np.random.default_rng([6, 0])),
        "complex_gaussian",
        np.random.default_rng([6, 1]),
    ) - z * np.eye(n)
    hermitized = np.block([[np.zeros((n, n)), x], [x.conj().T, np.zeros((n, n))]])
    trace = np.trace(np.linalg.inv(hermitized - 1j * v * np.eye(2 * n))) / (2 * n)
    assert found.stieltjes[0, 0] == pytest.approx(trace.imag, rel=1e-10)
    _, logarithm = np.linalg.slogdet(x)
    assert found.log_potential[0] == pytest.approx(logarithm / n, rel=1e-10)
    inside = np.abs(np.linalg.eigvalsh(hermitized))[:, None] < found.interval / 2
    np.testing.assert_allclose(found.count_ratio[0], inside.sum(0) / (n * found.interval))


def test_limits_at_n_600():
    z = np.array([0, 0.5, 0.5 + 0.6j, 1.2])
    found = measure_resolvent(600, CyclicBand(207), z, [0.5, 0.1], seed=7)
    error = np.abs(found.stieltjes - found.stieltjes_limit)
    assert error[:, 0].max() < 0.02
    assert error[:, 1].max() < 0.05
    limits = [-0.5, -0.375, -0.195, np.log(1.2)]
    np.testing.assert_allclose(found.log_potential_limit, limits, atol=1e-12)
    np.testing.assert_allclose(found.log_potential, limits, atol=0.015)
    wide = found.interval >= found.shortest_interval
    assert wide.any()
    assert found.count_ratio[:, wide].max() <= 11
    # In the bulk (2/pi) sqrt(1 - |z|^2) is approached once the interval is short.
    assert found.count_ratio[0, 3] == pytest.approx(2 / np.pi, abs=0.06)


def test_planted_kernel_raises_the_count():
    n = 300
    variances = np.full((n, n), 1 / n)
    xi = np.random.default_rng(8).normal(size=(n, n))
    plain = measure_resolvent(n, Variances(variances), [0], [0.5], Entries(xi))
    xi[:, :50] = 0
    planted = measure_resolvent(n, Variances(variances), [0], [0.5], Entries(xi))
    assert planted.smallest[0] < 1e-10
    assert planted.count_ratio[0, -1] >= 2 * 50 / (n * planted.interval[-1])
    raised = (planted.count_ratio - plain.count_ratio)[0] * n * plain.interval / 2
    # In longer intervals the zeros are made up for by fewer others.
    assert raised[-1] == pytest.approx(50, abs=3)


def test_products():
    for factors, limit in ((2, 0.06), (4, 0.06), (8, 0.06)):
        found = measure_product(300, CyclicBand(116), factors, seed=9)
        assert found.ks_radial < limit
        assert found.ks_angular < limit
        if factors == 4:
            assert kolmogorov(np.minimum(np.abs(found.eigenvalues) ** 2, 1)) > 0.2


def test_product_against_its_cyclic_linearization():
    n, m = 30, 3
    found = measure_product(n, CyclicBand(11), m, seed=10)
    rng = np.random.default_rng(10)
    variances = profile_matrix(CyclicBand(11), n, rng)
    linear = np.zeros((m * n, m * n), complex)
    for k in range(m):
        rows, columns = slice(k * n, (k + 1) * n), np.arange(n) + (k + 1) % m * n
        linear[rows, columns] = draw_matrix(variances, "complex_gaussian", rng)
    powers = np.linalg.eigvals(linear) ** m
    # Every eigenvalue of the product appears m times.
    distance = np.abs(powers[:, None] - found.eigenvalues)
    assert distance.min(1).max() < 1e-10
    assert (distance < 1e-8).sum(0).tolist() == [m] * n


def test_eigenvectors():
    """A delocalized complex Gaussian vector has n sum |v|^4 = 2; narrow bands localize."""
    wide = measure_spectrum(400, CyclicBand(400), eigenvectors=True, seed=11)
    narrow = measure_spectrum(400, CyclicBand(width(400, 0.4)), eigenvectors=True, seed=11)
    assert wide.participation == pytest.approx(2, abs=0.1)
    assert narrow.participation > 6
    assert narrow.peak > 1.5 * wide.peak
    assert measure_spectrum(20, CyclicBand(5)).participation is None


@pytest.mark.slow
def test_eigenvectors_over_five_seeds():
    def mean(gamma):
        runs = (
            measure_spectrum(500, CyclicBand(width(500, gamma)), eigenvectors=True, seed=s)
            for s in range(5)
        )
        return [run.participation for run in runs]

    assert max(mean(1.0) + mean(5 / 6)) < 2.3
    assert min(mean(0.4)) > 8


def test_steps_resume_to_the_same():
    spectrum = (20, Permutations(4), "uniform", 3, True, 5)
    resolvent = (20, CyclicBand(5), np.array([0, 0.5j, 0.3]), np.array([0.2]), "rademacher", 5)
    for steps, arguments in (
        (measure_spectrum_steps, spectrum),
        (measure_resolvent_steps, resolvent),
    ):
        whole = drain(steps(*arguments))
        states = list(steps(*arguments))
        assert [fraction for fraction, _ in states] == pytest.approx([1 / 3, 2 / 3, 1])
        for _, state in states:
            resumed = drain(steps(*arguments, state=state))
            for name, value in vars(whole).items():
                np.testing.assert_array_equal(getattr(resumed, name), value)


NEGATIVE = np.eye(4)
NEGATIVE[1, 2] = -0.5


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"n": 1501, "profile": CyclicBand(3)}, "`n` must be .* 1500"),
        ({"n": 10, "profile": CyclicBand(11)}, "`profile.width` must be at most n = 10"),
        ({"n": 10, "profile": CyclicBand(0)}, "`profile.width` must be .* 1"),
        ({"n": 10, "profile": Permutations(11)}, "`profile.count` must be at most n = 10"),
        ({"n": 10, "profile": BlockTridiagonal(3)}, "must divide n = 10"),
        ({"n": 10, "profile": BlockTridiagonal(5)}, "3 blocks or more"),
        ({"n": 5, "profile": Variances(np.eye(4))}, "must have n = 5 rows"),
        ({"n": 4, "profile": Variances(np.ones((4, 3)))}, "along axis 1"),
        ({"n": 4, "profile": Variances(NEGATIVE)}, r"holds -0.5 at index \[1, 2\]"),
        ({"n": 4, "profile": Variances(0.9 * np.eye(4))}, "row 0 sums to 0.9; pass balance"),
        ({"n": 4, "profile": Variances(np.diag([1.0, 1, 0, 1]), True)}, "cannot be balanced"),
        ({"n": 4, "profile": Variances(np.full((4, 4), np.nan))}, "must be finite"),
        ({"n": 4, "profile": CyclicBand(2), "entries": "cauchy"}, "must be one of"),
        ({"n": 4, "profile": CyclicBand(2), "entries": Entries(np.eye(5))}, "must have 4 rows"),
        (
            {"n": 4, "profile": CyclicBand(2), "entries": Entries(np.full((4, 4), np.nan))},
            "must be finite",
        ),
    ],
)
def test_refusals(arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        measure_spectrum(**arguments)


def test_other_refusals():
    with pytest.raises(InputError, match="`v` must be greater than 0"):
        measure_resolvent(10, CyclicBand(3), [0], [0.5, 0])
    with pytest.raises(InputError, match="`z` must have at most 16 entries"):
        measure_resolvent(10, CyclicBand(3), np.zeros(17), [0.5])
    with pytest.raises(InputError, match="`factors` must be .* 12"):
        measure_product(10, CyclicBand(3), 13)
