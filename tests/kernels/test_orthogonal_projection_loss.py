"""The projection loss: closed cases, a double loop, its gradient, training, refusals."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from aqc.errors import InputError
from aqc.kernels._kernel import drain
from aqc.kernels.orthogonal_projection_loss import (
    KERNEL,
    Comparison,
    orthogonal_projection_loss,
    train,
    train_steps,
)

PENALTIES = ["abs_mean", "mean_abs", "signed"]


def batch(seed: int = 0, size: int = 30, width: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(size, width)) + 0.3, rng.integers(3, size=size)


def loop_over_pairs(features: np.ndarray, labels: np.ndarray, gamma: float, penalty: str) -> float:
    same, other = [], []
    for i, (a, y) in enumerate(zip(features, labels, strict=True)):
        for j, (b, z) in enumerate(zip(features, labels, strict=True)):
            cosine = float(a @ b / np.sqrt((a @ a) * (b @ b)))
            if y == z and i != j:
                same.append(cosine)
            elif y != z:
                other.append(cosine)
    mean = float(np.mean(other))
    kinds = {"abs_mean": abs(mean), "signed": mean, "mean_abs": float(np.mean(np.abs(other)))}
    return 1 - float(np.mean(same)) + gamma * kinds[penalty]


# --- the loss


@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_loss_agrees_with_a_loop_over_pairs(penalty: str) -> None:
    features, labels = batch()
    result = orthogonal_projection_loss(features, labels, gamma=0.7, penalty=penalty)
    # 1e-6 beside some 250 same-class pairs in the denominator.
    expected = loop_over_pairs(features, labels, 0.7, penalty)
    assert result.loss == pytest.approx(expected, abs=1e-8)
    counts = np.bincount(labels)
    assert result.same_class_pairs == sum(n * (n - 1) for n in counts)
    assert result.same_class_pairs + result.other_class_pairs == 30 * 29


@pytest.mark.parametrize("penalty", PENALTIES)
def test_closed_cases(penalty: str) -> None:
    labels = np.repeat(np.arange(4), 200)
    orthogonal = orthogonal_projection_loss(np.eye(4)[labels], labels, penalty=penalty)
    # 1e-6 beside 159200 pairs.
    assert orthogonal.loss == pytest.approx(0, abs=1e-11)
    np.testing.assert_allclose(orthogonal.class_cosines, np.eye(4), atol=1e-15)
    equal = orthogonal_projection_loss(np.ones((800, 3)), labels, gamma=0.5, penalty=penalty)
    assert equal.loss == pytest.approx(0.5, abs=1e-11)
    assert equal.collapsed
    simplex = (np.eye(4) - 0.25)[labels]
    expected = -1 / 6 if penalty == "signed" else 1 / 6
    result = orthogonal_projection_loss(simplex, labels, gamma=0.5, penalty=penalty)
    assert result.loss == pytest.approx(expected, abs=1e-11)
    assert result.other_class_cosine == pytest.approx(-1 / 3, abs=1e-11)


def test_the_loss_does_not_depend_on_scales_rotations_or_the_names_of_classes() -> None:
    features, labels = batch(1)
    rng = np.random.default_rng(2)
    rotation, _ = np.linalg.qr(rng.normal(size=(5, 5)))
    scales = np.exp(rng.normal(size=(30, 1)))
    one = orthogonal_projection_loss(features, labels)
    other = orthogonal_projection_loss(scales * features @ rotation, 10 - 5 * labels)
    assert other.loss == pytest.approx(one.loss, abs=1e-12)
    assert other.classes.tolist() == [0, 5, 10]
    np.testing.assert_allclose(other.class_cosines[::-1, ::-1], one.class_cosines, atol=1e-12)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_gradient_agrees_with_central_differences(penalty: str) -> None:
    features, labels = batch(3, size=8, width=3)
    labels[:3] = [0, 1, 2]
    gradient = orthogonal_projection_loss(features, labels, penalty=penalty).gradient
    assert gradient is not None
    step = 1e-5
    for index in [(0, 0), (3, 1), (7, 2)]:
        change = np.zeros_like(features)
        change[index] = step
        ends = [
            orthogonal_projection_loss(
                features + sign * change, labels, penalty=penalty, with_gradient=False
            ).loss
            for sign in (1, -1)
        ]
        assert gradient[index] == pytest.approx((ends[0] - ends[1]) / (2 * step), abs=1e-8)


def test_after_a_relu_the_penalties_are_one() -> None:
    features, labels = batch(4)
    losses = [
        orthogonal_projection_loss(np.maximum(features, 0) + 1e-3, labels, penalty=x).loss
        for x in PENALTIES
    ]
    assert losses[1] == pytest.approx(losses[0], abs=1e-12)
    assert losses[2] == pytest.approx(losses[0], abs=1e-12)


def test_cosines_of_both_signs_cancel_only_in_their_mean() -> None:
    features = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    result = orthogonal_projection_loss(features, [0, 0, 1, 1])
    assert result.other_class_cosine == 0
    assert result.mean_abs_cosine == pytest.approx(1, abs=1e-6)


def test_one_class_or_one_sample_of_each_is_finite_and_told() -> None:
    features, _ = batch(5, size=4)
    single = orthogonal_projection_loss(features, np.zeros(4, int))
    assert single.other_class_pairs == 0
    assert single.other_class_cosine == single.mean_abs_cosine == 0
    each = orthogonal_projection_loss(features, np.arange(4))
    assert each.same_class_pairs == 0
    assert each.same_class_cosine == pytest.approx(0, abs=1e-9)
    for result in (single, each):
        assert result.gradient is not None
        assert np.isfinite(result.gradient).all()
        assert np.isfinite(result.loss)


def test_rows_of_zeros_are_told_and_count_as_zero_vectors() -> None:
    features, labels = batch(6)
    features[[4, 9]] = 0
    result = orthogonal_projection_loss(features, labels)
    assert result.zero_rows.tolist() == [4, 9]
    assert result.gradient is not None
    assert not result.gradient[[4, 9]].any()
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-300)
    same = (labels[:, None] == labels) & ~np.eye(30, dtype=bool)
    assert result.same_class_cosine == pytest.approx((unit @ unit.T)[same].mean(), abs=1e-8)


# --- training


def demo(seed: int, train_size: int = 1000, test_size: int = 1000) -> dict[str, np.ndarray]:
    """Ten Gaussian classes with a shared offset, seen through tanh of a random matrix."""
    rng = np.random.default_rng(seed)
    means = rng.normal(size=(10, 32)) + 1.5 * rng.normal(size=32)
    mix = rng.normal(size=(32, 32)) / 32**0.5
    labels = rng.integers(10, size=train_size + test_size)
    points = np.tanh((means[labels] + rng.normal(size=(len(labels), 32))) @ mix)
    points += 0.1 * rng.normal(size=points.shape)
    return {
        "points": points[:train_size],
        "labels": labels[:train_size],
        "test_points": points[train_size:],
        "test_labels": labels[train_size:],
    }


SMALL: dict[str, Any] = {
    "gamma": 0.5,
    "weight": 1.0,
    "label_noise": 0.2,
    "hidden": 6,
    "features": 5,
    "steps": 250,
    "batch": 8,
    "learning_rate": 1e-2,
    "seeds": 2,
}


def test_a_resumed_training_gives_the_same_answer() -> None:
    given = demo(0, 60, 40) | SMALL
    whole = drain(train_steps(**given))
    run = train_steps(**given)
    assert next(run)[0] == 0.4
    fraction, (done, leaves) = next(run)
    assert (fraction, done) == (0.8, 200)
    resumed = drain(train_steps(**given, state=(done, [np.array(x) for x in leaves])))
    np.testing.assert_equal(dataclasses.asdict(resumed), dataclasses.asdict(whole))


def test_without_weight_both_trainings_are_one() -> None:
    result = train(**demo(0, 60, 40), **SMALL | {"weight": 0.0})
    pair = (result.cross_entropy, result.with_projection_loss)
    np.testing.assert_equal(*map(dataclasses.asdict, pair))
    assert result.mean_gain == 0


def test_cross_entropy_learns() -> None:
    # Two classes far apart: a broken optimizer or accuracy would not get there.
    labels = np.arange(40) % 2
    points = np.random.default_rng(0).normal(size=(40, 3)) + 4 * labels[:, None]
    result = train(points, labels + 7, points, labels + 7, steps=200, batch=20, seeds=2)
    assert (result.cross_entropy.accuracy >= 0.95).all()
    assert (result.with_projection_loss.accuracy >= 0.95).all()
    assert result.classes.tolist() == [7, 8]


def run_demo(seed: int, **settings: Any) -> Comparison:
    return train(**demo(seed), seeds=1, **settings)


def gather(**settings: Any) -> dict[str, np.ndarray]:
    """Both losses on five demo problems: accuracy and class geometry, shape (problems,)."""
    results = [run_demo(seed, **settings) for seed in range(5)]
    return {
        f"{name}_{key}": np.concatenate([getattr(getattr(r, field), key) for r in results])
        for name, field in (("ce", "cross_entropy"), ("opl", "with_projection_loss"))
        for key in ("accuracy", "same_class_cosine", "other_class_cosine", "collapsed")
    }


@pytest.mark.slow
@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_classes_become_orthogonal_and_accuracy_stays(gamma: float) -> None:
    got = gather(gamma=gamma)
    assert got["ce_other_class_cosine"].mean() > 0.5  # not trivial
    d = got["opl_other_class_cosine"].mean()
    assert d <= 0.3 * got["ce_other_class_cosine"].mean()
    assert got["opl_accuracy"].mean() >= got["ce_accuracy"].mean() - 0.01


@pytest.mark.slow
def test_training_with_wrong_labels_gains_and_a_small_gamma_collapses() -> None:
    strong, weak = (gather(gamma=gamma, label_noise=0.4) for gamma in (2.0, 0.5))
    gain = strong["opl_accuracy"] - strong["ce_accuracy"]
    assert gain.mean() >= 0.04
    assert (gain > 0).all()
    assert not strong["opl_collapsed"].any()
    assert weak["opl_collapsed"].all()


# --- refusals


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"labels": [0, 1, 1]}, r"`labels` must have 2 entries along axis 0 \(batch\)"),
        ({"features": [[1.0]], "labels": [0]}, "`features` must have at least 2 entries"),
        ({"features": [[1.0], [float("nan")]]}, "must be finite, but holds nan"),
        ({"labels": [0.0, 0.5]}, "`labels` must hold integers"),
        ({"gamma": -1}, "`gamma` must be at least 0"),
        ({"penalty": "abs"}, "`penalty` must be one of"),
        (
            {"features": np.ones((4001, 1)), "labels": np.arange(4001) % 2, "penalty": "mean_abs"},
            'at most 4000 .* "mean_abs", but has 4001; use "abs_mean" or a smaller batch',
        ),
        (
            {"features": np.ones((1001, 1)), "labels": np.arange(1001)},
            "at most 1000 classes, but holds 1001",
        ),
        (
            {"features": np.ones((20_000, 1001)), "labels": np.zeros(20_000, int)},
            "at most 20000000 numbers, but has 20020000",
        ),
    ],
)
def test_refusals_of_the_loss(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        orthogonal_projection_loss(**{"features": [[1.0], [2.0]], "labels": [0, 1]} | change)


def test_refusals_of_training() -> None:
    x = np.ones((4, 2))
    with pytest.raises(InputError, match="at least two classes, but holds one"):
        train(x, np.zeros(4, int), x, np.zeros(4, int))
    with pytest.raises(InputError, match="must hold classes of `labels`, but holds 5"):
        train(x, np.arange(4), x, np.array([0, 1, 5, 2]))
    with pytest.raises(InputError, match=r"`test_points` must have 2 entries along axis 1"):
        train(x, np.arange(4), np.ones((4, 3)), np.arange(4))
    with pytest.raises(InputError, match="train takes at most 5e.12 multiplications"):
        KERNEL.operation("train").is_short(
            {"points": np.ones((2, 512)), "hidden": 512, "features": 512}
            | {"steps": 5000, "batch": 1024, "seeds": 10}
        )
