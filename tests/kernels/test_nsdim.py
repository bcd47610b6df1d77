from math import comb

import numpy as np
import pytest

from aqc.errors import InputError
from aqc.kernels._kernel import drain
from aqc.kernels.nsdim import (
    GaussLegendre,
    Points,
    Power,
    Uniform,
    fit_random_features,
    limit_dimension,
    measure_dimension,
    measure_dimension_steps,
    measure_layer,
)


def dimensions(activation, bound, widths, epsilon=1e-13, points=1500, **rest):
    found = measure_dimension(
        GaussLegendre(points), activation, bound, widths, epsilons=(epsilon,), **rest
    )
    return found.nsdim[:, 0]


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_powers_span_the_polynomials(d, k):
    want = comb(d + k, k)
    for bound in (0.5, 3.0):
        found = measure_dimension(
            Uniform(300, d), Power(k), bound, (want - 1, want, 3 * want), epsilons=(1e-12,)
        )
        assert found.nsdim[:, 0].tolist() == [want - 1, want, want]


def test_sine_against_the_closed_form_of_its_kernel():
    """E sin(wx + b) sin(wx' + b) = [sinc(R(x-x')) - sinc(R(x+x')) sinc(2R)] / 2."""
    bound = 5.0
    x, w = np.polynomial.legendre.leggauss(300)

    def sinc(u):
        return np.sinc(u / np.pi)

    kernel = sinc(bound * (x[:, None] - x)) - sinc(bound * (x[:, None] + x)) * sinc(2 * bound)
    gram = kernel / 2 * np.sqrt(np.outer(w, w)) / 2
    roots = np.sqrt(np.linalg.eigvalsh(gram)[::-1].clip(0))
    cuts = (1e-2, 1e-4, 1e-6)
    want = [np.count_nonzero(roots > cut * roots[0]) for cut in cuts]
    assert want == [7, 9, 11]
    limit = limit_dimension(GaussLegendre(300), "sin", bound, epsilons=cuts)
    assert limit.nsdim.tolist() == want
    np.testing.assert_allclose(limit.singular_values[:9], roots[:9], rtol=1e-6)
    found = measure_dimension(GaussLegendre(300), "sin", bound, (200, 1000), epsilons=cuts)
    assert found.nsdim.tolist() == [want, want]


@pytest.mark.parametrize(("bound", "slack"), [(1.0, 0), (5.0, 2)])
def test_limit_against_a_wide_layer(bound, slack):
    cuts = (1e-3, 1e-6, 1e-9, 1e-12, 1e-13)
    limit = limit_dimension(GaussLegendre(300), "tanh", bound, epsilons=cuts, quadrature=50)
    wide = measure_dimension(GaussLegendre(300), "tanh", bound, (3000,), epsilons=cuts)
    assert np.abs(limit.nsdim - wide.nsdim[0]).max() <= slack
    if bound == 1:
        assert limit.nsdim.tolist() == [5, 9, 14, 18, 20]


def test_limit_in_two_dimensions():
    domain = GaussLegendre(20, 2)
    cuts = (1e-2, 1e-4, 1e-6)
    limit = limit_dimension(domain, "tanh", 1.0, epsilons=cuts)
    wide = measure_dimension(domain, "tanh", 1.0, (2000,), epsilons=cuts)
    assert np.abs(limit.nsdim - wide.nsdim[0]).max() <= 1


def test_analytic_activations_saturate_and_relu_does_not():
    widths = (200, 400, 800)
    analytic = {
        (name, bound): dimensions(name, bound, widths)
        for name, bound in (("tanh", 1.0), ("tanh", 5.0), ("sigmoid", 1.0), ("sin", 5.0))
    }
    for counts in analytic.values():
        assert counts[2] <= 1.1 * counts[1]
        assert counts[2] < 100
    relu = dimensions("relu", 1.0, widths)
    assert relu[2] >= 1.7 * relu[1] > 300


def test_dimension_grows_with_the_box_and_with_depth():
    by_bound = [dimensions("tanh", r, (200,), points=600)[0] for r in (0.3, 1.0, 5.0, 20.0)]
    assert by_bound == sorted(set(by_bound))
    by_depth = [dimensions("tanh", 1.0, (100,), points=600, depth=k)[0] for k in (1, 2, 3)]
    assert by_depth == sorted(set(by_depth))
    # Deep unscaled layers gain by saturating units; scaled ones gain less.
    assert dimensions("tanh", 1.0, (100,), points=600, depth=3, scaled=True)[0] < by_depth[2]


def test_wider_layers_offer_no_less():
    found = measure_dimension(GaussLegendre(400), "tanh", 2.0, (5, 10, 20, 40, 80))
    assert (np.diff(found.nsdim, axis=0) >= 0).all()
    assert (np.diff(found.nsdim, axis=1) >= 0).all()
    assert found.nsdim[0].max() <= 5
    for k, epsilon in enumerate(found.epsilons):
        spectrum = found.singular_values
        rest = spectrum[int(found.nsdim[-1, k]) :]
        assert (rest <= epsilon * spectrum[0]).all()
        assert found.tail[k] == pytest.approx(np.linalg.norm(rest), rel=1e-12)
    assert found.redundancy == pytest.approx(1 - found.nsdim[-1] / 80)
    assert found.saturation_width[5] in (10, 20, 40)


def test_repeats_are_the_median_of_seeds():
    several = dimensions("sin", 2.0, (9, 18), points=100, repeats=3, seed=5)
    single = [dimensions("sin", 2.0, (9, 18), points=100, seed=s) for s in (5, 6, 7)]
    np.testing.assert_array_equal(several, np.median(single, axis=0))


def test_saturation_width_is_none_while_every_unit_counts():
    found = measure_dimension(GaussLegendre(100), "tanh", 1.0, (2, 4), epsilons=(1e-10,))
    assert found.saturation_width == (None,)


def test_a_given_layer():
    rng = np.random.default_rng(1)
    x, w, b = rng.uniform(-1, 1, (60, 2)), rng.normal(size=(2, 5)), rng.normal(size=5)
    w[:, 4], b[4] = w[:, 0], b[0]
    found = measure_layer(x, w, b, "softplus", epsilons=(1e-12,))
    assert found.nsdim.tolist() == [4]
    values = np.log1p(np.exp(x @ w + b)) / np.sqrt(60 * 5)
    np.testing.assert_allclose(
        found.singular_values, np.linalg.svd(values, compute_uv=False), atol=1e-13
    )
    absolute = measure_layer(100 * x, w, b, "relu", epsilons=(0.5,), cut="absolute")
    values = np.maximum(100 * x @ w + b, 0) / np.sqrt(60 * 5)
    assert absolute.nsdim[0] == np.count_nonzero(np.linalg.svd(values)[1] > 0.5)


@pytest.mark.parametrize("activation", ["gauss", "leaky_relu", "sigmoid"])
def test_activations(activation):
    u = np.linspace(-3, 3, 7)
    want = {
        "gauss": np.exp(-(u**2)),
        "leaky_relu": np.where(u > 0, u, 0.01 * u),
        "sigmoid": 1 / (1 + np.exp(-u)),
    }[activation]
    found = measure_layer(u[:, None], [[1.0]], [0.0], activation)
    assert found.singular_values[0] == pytest.approx(np.linalg.norm(want) / np.sqrt(7))


def test_units_beyond_saturation_add_nothing_to_a_fit():
    x = np.linspace(-1, 1, 801)[:, None]
    target = np.sin(8 * x[:, 0]) * np.exp(x[:, 0])
    small = [
        fit_random_features(x, target, "tanh", 1.0, (10, 25, 100, 400), seed=s).error
        for s in range(5)
    ]
    few, some, many, most = np.exp(np.log(small).mean(0))
    assert few > 1e3 * some
    assert many < 10 * most
    large = fit_random_features(x, target, "tanh", 5.0, (100,)).error
    assert large[0] < 1e-9


def test_steps_resume_to_the_same():
    arguments = (Uniform(50, 2), "sin", 2.0, (5, 9), 1.0, (1e-3, 1e-6), 2, "absolute", True, 2, 3)
    whole, states = (
        drain(measure_dimension_steps(*arguments)),
        list(measure_dimension_steps(*arguments)),
    )
    assert [fraction for fraction, _ in states] == [0.25, 0.5, 0.75, 1.0]
    for _, state in states:
        resumed = drain(measure_dimension_steps(*arguments, state=state))
        for name, value in vars(whole).items():
            np.testing.assert_array_equal(getattr(resumed, name), value)


LINE = GaussLegendre(20)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"domain": Uniform(20), "activation": "relu", "widths": (400,)}, "more points: NSdim"),
        ({"bound": 0.0}, "greater than 0"),
        ({"bound": 1001.0}, "at most 1000"),
        ({"epsilons": (1e-16,)}, "at least 1e-15"),
        ({"widths": (4001,)}, "4000"),
        ({"domain": GaussLegendre(4000), "widths": (4000,)}, "at most 2000 for 4000 points"),
        ({"domain": GaussLegendre(17, 3)}, "at most 4000 points, but 17 along each of 3 axes"),
        ({"domain": Points(np.ones((5, 2)))}, "must hold different points"),
        ({"domain": Points(np.full((5, 2), np.nan))}, "must be finite"),
        ({"domain": Points(np.eye(18, 17))}, "16 dimensions"),
        ({"activation": "swish"}, "must be one of"),
        ({"repeats": 11}, "10"),
        ({"depth": 7}, "6"),
    ],
)
def test_refusals(arguments, sentence):
    given = {"domain": LINE, "activation": "tanh", "bound": 1.0, "widths": (5,)} | arguments
    with pytest.raises(InputError, match=sentence):
        measure_dimension(**given)


def test_other_refusals():
    with pytest.raises(InputError, match="one or two dimensions for the limit, but has 3"):
        limit_dimension(GaussLegendre(5, 3), "tanh", 1.0)
    with pytest.raises(InputError, match="more points: NSdim reached their number 6"):
        limit_dimension(GaussLegendre(6), "tanh", 5.0)
    with pytest.raises(InputError, match="`bias` must have 2 entries"):
        measure_layer(np.ones((3, 1)), np.ones((1, 2)), np.ones(3), "tanh")
