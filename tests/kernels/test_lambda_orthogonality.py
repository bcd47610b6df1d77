"""Maps held near orthogonality: the penalty, its two ends, and the control over the distance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.metrics import average_precision_score

from aqc.errors import InputError
from aqc.kernels._kernel import drain
from aqc.kernels.lambda_orthogonality import (
    KERNEL,
    fit_labeled_map,
    fit_labeled_map_steps,
    fit_map,
    fit_map_steps,
    fit_rotation,
    lambda_penalty,
    order_backfill,
    score_retrieval,
)
from aqc.kernels.lambda_orthogonality._loss import contrast, penalty

SEEDS = range(5)


def pairs(seed, n=64, samples=2000, classes=20):
    """Unit variance; the old ones turned and stretched by exp(0.6 N(0, 1)) along each axis."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=samples)
    h_new = rng.normal(size=(classes, n))[labels] + 0.5 * rng.normal(size=(samples, n))
    h_new /= np.sqrt(1.25)
    turned = h_new @ np.linalg.qr(rng.normal(size=(n, n)))[0]
    stretched = turned * np.exp(0.6 * rng.normal(size=n)) + 0.3 * rng.normal(size=n)
    return h_new, stretched + 0.05 * rng.normal(size=(samples, n)), labels


@pytest.mark.parametrize(("lam", "alpha"), [(0.0, 10.0), (3.0, 10.0), (9.0, 50.0)])
def test_gradient_of_the_penalty(lam, alpha):
    weight = np.eye(6) + 0.3 * np.random.default_rng(1).normal(size=(6, 6))
    value, gradient = lambda_penalty(weight, lam, alpha)
    with jax.enable_x64(True):
        exact, slope = jax.value_and_grad(penalty)(jnp.asarray(weight), lam, alpha)
    np.testing.assert_allclose(value, exact, rtol=1e-12)
    np.testing.assert_allclose(gradient, slope, rtol=1e-10, atol=1e-12)
    direction = np.random.default_rng(2).normal(size=(6, 6))
    ends = [lambda_penalty(weight + s * 1e-6 * direction, lam, alpha)[0] for s in (1, -1)]
    np.testing.assert_allclose(np.sum(gradient * direction), (ends[0] - ends[1]) / 2e-6, rtol=1e-5)


def test_a_steep_penalty_is_the_hard_one():
    weight = 1.5 * np.eye(4)  # x = 1.25 * 2
    assert lambda_penalty(weight, 2.4, 500.0)[0] == pytest.approx(2.5, abs=1e-6)
    assert lambda_penalty(weight, 2.6, 500.0)[0] == pytest.approx(0, abs=1e-6)
    for alpha in (0.1, 10.0, 500.0):
        assert lambda_penalty(weight, 2.5, alpha)[0] == pytest.approx(1.25, rel=1e-12)
    value, gradient = lambda_penalty(np.eye(4), 0.0, 10.0)
    assert value < 1e-11
    assert not gradient.any()


def test_both_ends():
    h_new, h_old, _ = pairs(0)
    free = fit_map(h_new, h_old, lam=1e9)
    exact = np.linalg.lstsq(np.c_[h_new, np.ones(len(h_new))], h_old, rcond=None)[0]
    np.testing.assert_allclose(free.weight, exact[:-1].T, atol=1e-6)
    np.testing.assert_allclose(free.bias, exact[-1], atol=1e-6)
    np.testing.assert_allclose(free.alignment, free.affine_alignment, rtol=1e-9)
    assert free.distance > 20
    tight = fit_map(h_new, h_old, lam=0.0)
    assert tight.distance < 1e-6
    assert tight.alignment == pytest.approx(tight.rotation_alignment, rel=0.02)
    assert tight.alignment <= tight.rotation_alignment * (1 + 1e-12)
    # The losses that are told are the losses of what is returned.
    mapped = h_new @ free.weight.T + free.bias
    np.testing.assert_allclose(np.mean((mapped - h_old) ** 2), free.alignment, rtol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_lambda_sets_the_distance_and_the_trade(seed):
    h_new, h_old, _ = pairs(seed)
    lams = (1.0, 2.0, 4.0, 8.0)
    fits = [fit_map(h_new, h_old, lam=lam, alpha=50.0) for lam in lams]
    free = fit_map(h_new, h_old, lam=1e9)
    for lam, fit in zip(lams, fits, strict=True):
        assert 0.85 * lam < fit.distance < lam
        assert lam - fit.distance < 15 / 50
    rotation = fits[0].rotation_alignment
    alignments = [rotation, *(fit.alignment for fit in fits), free.alignment]
    assert np.all(np.diff(alignments) < 0)
    assert np.all(np.diff([0, *(f.norm_distortion for f in [*fits, free])]) > 0.005)
    assert all(fit.converged for fit in fits)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_weight_matters_little_while_the_plain_penalty_has_no_other_handle(seed):
    h_new, h_old, _ = pairs(seed)
    held = [fit_map(h_new, h_old, lam=4.0, alpha=50.0, weight=w).distance for w in (1.0, 0.1)]
    assert np.ptp(held) < 0.05 * held[0]
    # The sigmoid of a steep penalty at lambda = 0 is 1: what is left is weight * x.
    plain = [fit_map(h_new, h_old, lam=0.0, alpha=1e3, weight=w).distance for w in (0.1, 0.01)]
    assert plain[1] > 3 * plain[0]


def test_a_small_weight_is_overrun():
    # The barrier at lambda is finite.
    h_new, h_old, _ = pairs(0)
    held = fit_map(h_new, h_old, lam=4.0, alpha=50.0)
    overrun = fit_map(h_new, h_old, lam=4.0, alpha=50.0, weight=0.01)
    assert overrun.distance > 8 > 4 > held.distance


def test_adam_on_batches_ends_where_the_moments_do():
    h_new, h_old, labels = pairs(0, n=16, samples=300)
    arguments = {"lam": 2.0, "alpha": 20.0}
    exact = fit_map(h_new, h_old, **arguments)
    terms = {"forward": 0.0, "contrastive": 0.0, "batch": 300}
    trained = fit_labeled_map(h_new, h_old, labels, **arguments, **terms)
    assert trained.distance == pytest.approx(exact.distance, rel=0.01)
    assert trained.alignment == pytest.approx(exact.alignment, rel=0.01)
    assert exact.alignment < 0.8 * exact.rotation_alignment


def test_labels_help_a_queries_search():
    h_new, h_old, labels = pairs(3, n=16, samples=200, classes=10)
    # The old model is the worse one: half of its dimensions are noise.
    h_old[:, ::2] = np.random.default_rng(4).normal(size=(200, 8))
    fit = fit_labeled_map(h_new, h_old, labels, lam=1.0, steps=500, batch=100)
    assert fit.distance < 1.0
    assert fit.new_new.mean_average_precision > fit.old_old.mean_average_precision + 0.1
    # The forward map is trained towards the mapped new embeddings.
    forward = h_old @ fit.forward_weight.T + fit.forward_bias
    mapped = h_new @ fit.weight.T + fit.bias
    assert np.mean((forward - mapped) ** 2) < np.mean((h_old - mapped) ** 2)
    assert fit.mapped_forward.mean_average_precision > fit.old_old.mean_average_precision + 0.1
    np.testing.assert_array_equal(fit.backfill_order, order_backfill(forward, labels))


@pytest.mark.parametrize("exclude_self", [False, True])
def test_contrast_by_loops(exclude_self):
    rng = np.random.default_rng(5)
    anchors, candidates = rng.normal(size=(2, 7, 3))
    labels, temperature = np.array([0, 0, 1, 1, 1, 2, 0]), 0.3
    losses = []
    for i, a in enumerate(anchors):
        known = [j for j in range(7) if not (exclude_self and i == j)]
        cosines = {
            j: a @ candidates[j] / np.linalg.norm(a) / np.linalg.norm(candidates[j]) for j in known
        }
        total = sum(np.exp(c / temperature) for c in cosines.values())
        own = [j for j in known if labels[j] == labels[i]]
        if own:
            losses.append(-np.mean([np.log(np.exp(cosines[j] / temperature) / total) for j in own]))
    assert len(losses) == (6 if exclude_self else 7)
    with jax.enable_x64(True):
        data = (jnp.asarray(x) for x in (anchors, candidates, labels))
        value = contrast(*data, temperature, exclude_self)
    np.testing.assert_allclose(value, np.mean(losses), rtol=1e-12)


def test_the_rotation_is_the_minimum_over_exponentials():
    rng = np.random.default_rng(6)
    h_new = rng.normal(size=(50, 4))
    # A reflection: the best orthogonal matrix has determinant -1, the best rotation is another.
    h_old = h_new * np.array([1, 1, 1, -1]) + 0.3 * rng.normal(size=(50, 4)) + 2
    a, b = jnp.asarray(h_new - h_new.mean(0)), jnp.asarray(h_old - h_old.mean(0))
    upper = np.triu_indices(4, 1)

    def error(flat):
        skew = jnp.zeros((4, 4), flat.dtype).at[upper].set(flat)
        return jnp.mean((a @ jax.scipy.linalg.expm(skew - skew.T).T - b) ** 2)

    with jax.enable_x64(True):
        a, b = jnp.asarray(h_new - h_new.mean(0)), jnp.asarray(h_old - h_old.mean(0))
        slope = jax.jit(jax.value_and_grad(error))
        found = min(
            minimize(lambda x: tuple(map(np.asarray, slope(x))), x, jac=True).fun
            for x in rng.normal(size=(8, 6))
        )
    result = fit_rotation(h_new, h_old)
    assert np.linalg.det(result.weight) == pytest.approx(1)
    np.testing.assert_allclose(result.weight @ result.weight.T, np.eye(4), atol=1e-14)
    assert result.alignment == pytest.approx(found, rel=1e-6)
    assert result.alignment > result.affine_alignment
    mapped = h_new @ result.weight.T + result.bias
    assert np.mean((mapped - h_old) ** 2) == pytest.approx(result.alignment, rel=1e-9)


def test_retrieval_against_scikit_learn():
    rng = np.random.default_rng(7)
    queries, gallery = rng.normal(size=(30, 5)), rng.normal(size=(300, 5))
    query_labels, gallery_labels = rng.integers(4, size=30), rng.integers(3, size=300)
    scores = score_retrieval(queries, gallery, query_labels, gallery_labels)
    kept = query_labels < 3
    assert 0 < kept.sum() == scores.queries < 30
    cosine = (queries @ gallery.T)[kept] / np.linalg.norm(gallery, axis=1)
    fits = query_labels[kept, None] == gallery_labels
    average = np.mean([average_precision_score(f, c) for f, c in zip(fits, cosine, strict=True)])
    assert scores.mean_average_precision == pytest.approx(average, rel=1e-12)
    assert scores.cmc1 == np.mean([f[c.argmax()] for f, c in zip(fits, cosine, strict=True)])


def test_outliers_are_backfilled_first():
    h, _, labels = pairs(8, n=8, samples=200, classes=5)
    h[[17, 99]] += 30
    assert set(order_backfill(h, labels)[:2].tolist()) == {17, 99}


def test_longer_embeddings_are_cut():
    h_new, h_old, labels = pairs(9, n=8, samples=100)
    cut = fit_map(h_new[:, :5], h_old[:, :5])
    np.testing.assert_array_equal(fit_map(h_new, h_old[:, :5]).weight, cut.weight)
    assert fit_labeled_map(h_new[:, :5], h_old, labels, steps=1).weight.shape == (5, 5)


def test_a_flat_direction_is_told():
    h_new, h_old, _ = pairs(10, n=8, samples=100)
    h_new[:, 3] = h_new[:, 4]
    assert fit_map(h_new, h_old).rank == 7


def test_resumed_runs_are_the_same_runs():
    h_new, h_old, labels = pairs(11, n=24, samples=300)
    arguments = {"h_new": h_new, "h_old": h_old, "lam": 2.0, "alpha": 500.0}
    states = [state for _, state in fit_map_steps(**arguments)]
    assert len(states) >= 2
    resumed = drain(fit_map_steps(**arguments, state=states[0]))
    np.testing.assert_array_equal(resumed.weight, fit_map(**arguments).weight)
    arguments |= {"labels": labels, "steps": 500, "batch": 64}
    states = [state for _, state in fit_labeled_map_steps(**arguments)]
    resumed = drain(fit_labeled_map_steps(**arguments, state=states[0]))
    whole = fit_labeled_map(**arguments)
    np.testing.assert_array_equal(resumed.weight, whole.weight)
    np.testing.assert_array_equal(resumed.losses, whole.losses)


SOME = np.random.default_rng(12).normal(size=(6, 3))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: fit_map(SOME, SOME[:5]), "`h_old` must have 6 entries along axis 0 .samples."),
        (lambda: fit_map(SOME * np.nan, SOME), "`h_new` must be finite"),
        (lambda: fit_map(np.ones((2, 513)), SOME[:2]), "`h_new` must have at most 512 entries"),
        (lambda: fit_map(SOME, SOME, lam=-1.0), "`lam` must be at least 0"),
        (lambda: fit_map(SOME, SOME, alpha=0.0), "`alpha` must be greater than 0"),
        (lambda: fit_labeled_map(SOME, SOME, np.zeros(5, int)), "`labels` must have 6 entries"),
        (
            lambda: fit_labeled_map(SOME, SOME, range(6)),
            "`labels` must give some class two samples",
        ),
        (
            lambda: fit_labeled_map(
                SOME, SOME, [0] * 6, forward=0.0, backward=0.0, contrastive=0.0
            ),
            "One of `forward`, `backward` and `contrastive` must be positive, but all are 0",
        ),
        (lambda: fit_labeled_map(SOME, SOME, [0] * 6, batch=2000), "`batch` must be at most 1024"),
        (
            lambda: score_retrieval(SOME, SOME, [0] * 6, [1] * 6),
            "`query_labels` must share a class with the gallery, but no query does",
        ),
    ],
)
def test_refusals(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


def test_work_beyond_the_limit_is_refused():
    h = np.ones((20_000, 512))
    arguments = {"h_new": h, "h_old": h, "labels": np.arange(20_000) % 9, "batch": 1024}
    with pytest.raises(InputError, match="takes at most 5e\\+12 multiplications in one call"):
        KERNEL.operation("fit-labeled-map").run(arguments | {"steps": 20_000})
