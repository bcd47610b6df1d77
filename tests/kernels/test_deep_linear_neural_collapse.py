"""Neural collapse: the closed form against descent, minority collapse, and the measures."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from aqc.errors import InputError
from aqc.kernels._kernel import drain
from aqc.kernels.deep_linear_neural_collapse import (
    KERNEL,
    find_minimum,
    measure_collapse,
    minimize_collapse,
    minimize_collapse_steps,
)

SIZES = (40, 30, 20, 10)


def value(counts, decays, feature_decay, weights, features):
    """The objective, written out."""
    labels = np.repeat(np.arange(len(counts)), counts)
    outputs = features.T
    for weight in weights:
        outputs = weight @ outputs
    fit = np.sum((outputs - np.eye(len(counts))[:, labels]) ** 2) / (2 * len(labels))
    rest = sum(d * np.sum(w**2) for d, w in zip(decays, weights, strict=True))
    return fit + (rest + feature_decay * np.sum(features**2)) / 2


@pytest.mark.parametrize(("depth", "decay"), [(1, 5e-3), (2, 2e-3), (3, 1e-3)])
def test_the_closed_form_is_what_descent_finds(depth, decay):
    exact = find_minimum(SIZES, depth, 12, (decay,), decay)
    found = minimize_collapse(SIZES, depth, 12, (decay,), decay)
    np.testing.assert_allclose(found.loss, exact.loss, rtol=1e-10)
    gram = found.classifier @ found.classifier.T
    np.testing.assert_allclose(gram, exact.classifier_gram, atol=1e-5)
    np.testing.assert_allclose(found.product @ found.product.T, exact.product_gram, atol=1e-4)
    np.testing.assert_allclose(found.collapse.norms, exact.feature_norms, atol=1e-5)
    assert found.collapse.nc1 < 1e-6
    off_diagonal = found.collapse.cosines - np.diag(np.diag(found.collapse.cosines))
    assert np.abs(off_diagonal).max() < 1e-6
    # The prediction for balanced classes is another one.
    assert found.collapse.simplex.nc2 > 0.1
    labels = np.repeat(np.arange(4), SIZES)
    targets = (
        exact.product_gram,
        np.diag(np.sqrt(np.diag(exact.product_gram)) * exact.feature_norms),
    )
    given = measure_collapse(found.features, labels, found.product, *targets).given
    assert max(given) < 1e-5


@pytest.mark.parametrize("decays", [(1e-3, 1e-3, 1e-3), (4e-3, 1e-3, 5e-4)])
def test_the_closed_form_has_the_loss_it_tells(decays):
    exact = find_minimum(SIZES, 3, 5, decays, 2e-3)
    assert exact.alive.all()
    weights = [np.diag([*s, 0.0]) for s in exact.singular_values[:2]]
    weights.append(np.diag(exact.singular_values[2]) @ np.eye(4, 5))
    means = np.diag(exact.feature_norms) @ np.eye(4, 5)
    features = np.repeat(means, SIZES, axis=0)
    reached = value(SIZES, decays, 2e-3, weights, features)
    np.testing.assert_allclose(reached, exact.loss, rtol=1e-12)
    found = minimize_collapse(SIZES, 3, 5, decays, 2e-3)
    np.testing.assert_allclose(found.loss, exact.loss, rtol=1e-10)


def test_minority_collapse():
    counts = (60, 30, 20, 5)
    whole = find_minimum(counts, 2, 12, (5e-3,), 5e-3)
    assert whole.alive.all()
    assert whole.singular_values[1, 3] ** 2 == pytest.approx(1.4576, abs=1e-4)
    collapsed = find_minimum(counts, 2, 12, (1.2e-2,), 1.2e-2)
    assert collapsed.alive.tolist() == [True, True, True, False]
    assert collapsed.strengths[3] > 0.5 > collapsed.strengths[2]
    assert 5 < collapsed.critical_size < 20
    found = minimize_collapse(counts, 2, 12, (1.2e-2,), 1.2e-2)
    np.testing.assert_allclose(found.loss, collapsed.loss, rtol=1e-10)
    assert (found.classifier @ found.classifier.T)[3, 3] < 1e-8
    assert found.collapse.norms[3] < 1e-5
    # At its critical size a class has two minima of one value.
    size = find_minimum((100, 100), 2, 9, (3e-2,), 3e-2)
    ratio = size.critical_size / 100
    at = 2 * np.array([1, 1]) * size.strengths / ratio
    assert at == pytest.approx(1)


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_aliveness_by_looking_everywhere(depth):
    x = np.append(0, np.geomspace(1e-5, 1e4, 500_000))
    for decay in np.geomspace(1e-4, 1, 23):
        exact = find_minimum((30, 70), depth, 2, (decay,), decay)
        curves = 1 / (x**depth + 1) + exact.strengths[:, None] * x
        best = curves.min(axis=1)
        np.testing.assert_allclose(exact.loss, np.sum(np.array([0.15, 0.35]) * best), rtol=1e-6)
        np.testing.assert_array_equal(exact.alive, curves.argmin(1) > 0)


def test_narrow_layers_hold_the_largest_classes():
    exact = find_minimum((40, 30, 20), 2, 2, (2e-3,), 2e-3)
    assert exact.alive.tolist() == [True, True, False]
    found = minimize_collapse((40, 30, 20), 2, 2, (2e-3,), 2e-3, starts=6)
    np.testing.assert_allclose(found.loss, exact.loss, rtol=1e-8)
    unlimited = find_minimum((40, 30, 20), 2, 3, (2e-3,), 2e-3)
    assert unlimited.alive.all()
    assert unlimited.loss < exact.loss


BALANCED = {"class_counts": (25,) * 4, "weight_decay": (1e-3,), "feature_decay": 1e-3}


@pytest.mark.parametrize(
    ("depth", "loss"),
    [(2, "squared"), (3, "squared"), (1, "cross_entropy"), (2, "cross_entropy")],
)
def test_with_a_bias_balanced_classes_make_a_simplex(depth, loss):
    found = minimize_collapse(**BALANCED, depth=depth, loss=loss, bias=True).collapse
    assert max(found.simplex) < 1e-5
    assert found.orthogonal.nc2 > 0.5
    assert found.nc1 < 1e-6


@pytest.mark.parametrize("depth", [2, 3])
def test_without_a_bias_balanced_classes_are_orthogonal(depth):
    found = minimize_collapse(**BALANCED, depth=depth).collapse
    assert max(found.orthogonal) < 1e-5
    assert found.simplex.nc2 > 0.5


def loss_of_simplex(depth):
    """Least cross-entropy plus decay over all simplex frames, of 4 classes of 25 and decays 1e-3.

    Logits t (I - 11^T / 4) have 3 singular values t, each shared by depth + 1 factors.
    """
    factors = depth + 1
    price = 3 * factors / 2 * (1e-3**factors * 25) ** (1 / factors)

    def loss(t):
        return np.log1p(3 * np.exp(-t)) + price * t ** (2 / factors)

    return minimize_scalar(loss, bounds=(1, 30), method="bounded", options={"xatol": 1e-10}).fun


def test_the_loss_of_the_simplex_is_what_descent_finds_at_depth_two():
    found = minimize_collapse(**BALANCED, depth=2, loss="cross_entropy", bias=True)
    np.testing.assert_allclose(found.loss, loss_of_simplex(2), rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_with_the_cross_entropy_three_layers_do_better_than_the_simplex(seed):
    arguments = BALANCED | {"depth": 3, "loss": "cross_entropy", "bias": True, "starts": 8}
    found = minimize_collapse(**arguments, seed=seed)
    simplex = loss_of_simplex(3)
    # The simplex is a local minimum that some starts end in, and not the best one.
    np.testing.assert_allclose(found.losses.max(), simplex, rtol=1e-9)
    assert found.loss < 0.92 * simplex
    assert np.linalg.matrix_rank(found.product, tol=1e-3) == 2
    assert found.collapse.simplex.nc2 > 0.5
    assert found.collapse.nc1 < 1e-6


def test_one_layer_has_the_longest_features_in_the_middle():
    """At depth 1 features shrink with the class only where c < 1/4, and grow with it above."""
    exact = find_minimum((500, 300, 200, 100, 50), 1, 64, (5e-3,), 5e-3)
    assert exact.alive.all()
    assert np.all(np.diff(exact.singular_values) < 0)
    small = exact.strengths < 1 / 4
    assert 0 < small.sum() < 4
    order = np.diff(exact.feature_norms)
    assert np.all(order[: small.sum() - 1] > 0)
    assert np.all(order[small.sum() :] < 0)


@pytest.mark.parametrize("depth", [1, 2, 3, 6])
def test_larger_classes_have_longer_weights_and_shorter_features(depth):
    exact = find_minimum((500, 300, 200, 100, 50), depth, 64, (1e-5,), 1e-5)
    assert exact.alive.all()
    assert np.all(np.diff(exact.singular_values) < 0)
    assert np.all(np.diff(exact.feature_norms) > 0)


def test_the_measures_by_their_definitions():
    rng = np.random.default_rng(1)
    features, labels = rng.normal(size=(30, 6)), np.arange(30) % 4
    classifier = rng.normal(size=(4, 6))
    result = measure_collapse(features, labels, classifier)
    means = np.stack([features[labels == k].mean(0) for k in range(4)])
    within = sum(
        np.outer(h - means[k], h - means[k]) for h, k in zip(features, labels, strict=True)
    )
    centered = means - means.mean(0)
    between = centered.T @ centered / 4
    nc1 = np.trace(within / 30 @ np.linalg.pinv(between, rcond=1e-10)) / 4
    assert result.nc1 == pytest.approx(nc1, rel=1e-9)
    frame = np.eye(4) - 1 / 4
    for matrix, distance in (
        (classifier @ classifier.T, result.simplex.nc2),
        (classifier @ means.T, result.simplex.nc3),
    ):
        unit = matrix / np.linalg.norm(matrix) - frame / np.linalg.norm(frame)
        assert distance == pytest.approx(np.linalg.norm(unit), rel=1e-12)
    collapsed = measure_collapse(5 * frame[labels] + 1, labels, 3 * frame)
    assert collapsed.nc1 < 1e-15
    assert max(collapsed.simplex) < 1e-12


def test_a_resumed_descent_is_the_same():
    arguments = {"class_counts": (7, 5, 3), "depth": 3, "width": 4, "starts": 2, "max_iter": 500}
    arguments |= {"weight_decay": (1e-4,), "feature_decay": 1e-4}
    states = [state for _, state in minimize_collapse_steps(**arguments)]
    assert len(states) >= 3
    resumed = drain(minimize_collapse_steps(**arguments, state=states[0]))
    np.testing.assert_array_equal(resumed.features, minimize_collapse(**arguments).features)


H, LABELS, W = np.ones((4, 3)), [0, 1, 0, 1], np.eye(2, 3)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: find_minimum((5,)), "`class_counts` must have 2 to 100 items, but has 1"),
        (lambda: find_minimum((5, 0)), r"`class_counts\[1\]` must be at least 1"),
        (
            lambda: find_minimum((5, 5), weight_decay=(0.0,)),
            r"`weight_decay\[0\]` must be at least",
        ),
        (lambda: find_minimum((5, 5), feature_decay=-1.0), "`feature_decay` must be at least"),
        (
            lambda: find_minimum((5, 5), 3, weight_decay=(1.0, 1.0)),
            "`weight_decay` must have one entry or one for each of the 3 layers, but has 2",
        ),
        (
            lambda: find_minimum((50, 50, 50), 2, 2, (1e-3,), 1e-3),
            "`width` must leave room for all classes of one size, but 2 directions end between",
        ),
        (
            lambda: minimize_collapse((10_000, 10_000)),
            "must make at most 200000 unknowns, but make 240170",
        ),
        (lambda: measure_collapse(H, [0, 1, 2, 1], W), r"`labels` must be in 0..1, .* holds 2"),
        (
            lambda: measure_collapse(H, [0, 0, 0, 0], W),
            "`labels` must hold every class, but class 1",
        ),
        (
            lambda: measure_collapse(H, LABELS, W[:, :2]),
            "`classifier` must have 3 entries along axis 1",
        ),
        (lambda: measure_collapse(H * np.nan, LABELS, W), "`features` must be finite"),
        (
            lambda: measure_collapse(H, LABELS, W, gram=np.eye(2)),
            "`gram` and `logits` must be given together, but only one is",
        ),
    ],
)
def test_refusals(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


def test_work_beyond_the_limit_is_refused():
    arguments = {"class_counts": [100, 100], "depth": 2, "width": 300, "max_iter": 20_000}
    with pytest.raises(InputError, match="takes at most 1e\\+12 multiplications in one call"):
        KERNEL.operation("minimize-collapse").run(arguments)
