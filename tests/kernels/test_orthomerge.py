"""Merging rotations: exact cases, and what the merge leaves alone where averaging does not."""

import numpy as np
import pytest
from scipy.linalg import block_diag, orthogonal_procrustes

from aqc.errors import InputError
from aqc.kernels._kernel import drain
from aqc.kernels.orthomerge import (
    KERNEL,
    cayley,
    geometry,
    inverse_cayley,
    merge_adapters,
    merge_experts,
    merge_experts_steps,
)
from aqc.kernels.orthomerge._merge import conflicts, ties
from aqc.kernels.orthomerge._rotations import mean_skew, rotation_between

SEEDS = range(5)


def turns(rng, tasks, width, angle):
    """Antisymmetric matrices of one norm."""
    draw = rng.normal(size=(tasks, width, width))
    skews = draw - draw.swapaxes(1, 2)
    return angle * skews / np.linalg.norm(skews, axis=(1, 2))[:, None, None]


def experts(seed, tasks, out=48, width=32, angle=1.5, residual=0.1):
    """A base, rotated versions of it with a residual of rank 2, and the rotations."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(out, width)) / np.sqrt(width)
    skews = turns(rng, tasks, width, angle)
    rotated = base @ cayley(skews)
    low = rng.normal(size=(tasks, out, 2)) @ rng.normal(size=(tasks, 2, width))
    share = np.linalg.norm(rotated - base, axis=(1, 2)) / np.linalg.norm(low, axis=(1, 2))
    return base, rotated + residual * share[:, None, None] * low, skews


def test_cayley_pairs():
    skew = turns(np.random.default_rng(1), 1, 20, 3.0)[0]
    rotation = cayley(skew)
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(20), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    np.testing.assert_allclose(inverse_cayley(rotation), skew, atol=1e-12)
    # In the plane A = tan(half the angle).
    half = np.tan(0.7 / 2)
    plane = cayley(np.array([[0, -half], [half, 0]]))
    np.testing.assert_allclose(plane, [[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])


def test_the_mean_is_as_long_as_what_it_averages():
    skews = turns(np.random.default_rng(2), 5, 8, 1.0) * np.arange(1, 6)[:, None, None]
    mean = mean_skew(skews, "mean")
    np.testing.assert_allclose(mean.angles, np.arange(1, 6))
    assert np.linalg.norm(mean.skew) == pytest.approx(3, rel=1e-14)
    assert np.linalg.norm(skews.mean(0)) < 2
    # The code's other form of the same: c times the plain average.
    np.testing.assert_allclose(mean.skew, mean.correction * skews.mean(0), atol=1e-14)
    correction = mean.angles.sum() / np.linalg.norm(skews.sum(0))
    assert mean.correction == pytest.approx(correction, rel=1e-14)
    assert mean_skew(skews[[0, 1, 4]], "median").angle == pytest.approx(2)
    assert mean_skew(skews, "max").angle == pytest.approx(5)
    cancelled = mean_skew(np.stack([skews[0], -skews[0]]), "mean")
    assert not cancelled.skew.any()
    assert cancelled.correction == 0


def test_one_expert_is_its_own_merge():
    base, one, _ = experts(3, 1)
    for variant in ("whole", "conflict"):
        merged = merge_experts(base, one, variant=variant, residual_scale=1.0)
        np.testing.assert_allclose(merged.weight, one[0], atol=1e-12)
    assert not np.allclose(merge_experts(base, one, residual="none").weight, one[0], atol=1e-3)


def test_rotations_are_procrustes():
    base, tuned, skews = experts(4, 3)
    for expert in tuned:
        rotation, flipped = rotation_between(base, expert, 0)
        np.testing.assert_allclose(rotation, orthogonal_procrustes(base, expert)[0], atol=1e-12)
        assert not flipped
    pure = merge_experts(*experts(4, 3, residual=0.0)[:2])
    np.testing.assert_allclose(pure.angles, np.linalg.norm(skews, axis=(1, 2)), rtol=1e-11)
    assert pure.residual_fractions.max() < 1e-12


def test_the_merge_by_its_formula():
    base, tuned, _ = experts(5, 4, out=9, width=6)
    rotations = [orthogonal_procrustes(base, w)[0] for w in tuned]
    one = np.eye(6)
    skews = [np.linalg.inv(r + one) @ (r - one) for r in rotations]
    total = sum(skews)
    mean = total / np.linalg.norm(total) * np.mean([np.linalg.norm(a) for a in skews])
    residuals = [w - base @ r for w, r in zip(tuned, rotations, strict=True)]
    weight = base @ np.linalg.inv(one - mean) @ (one + mean) + 0.2 * sum(residuals)
    merged = merge_experts(base, tuned)
    np.testing.assert_allclose(merged.weight, weight, atol=1e-12)
    assert merged.orthogonality_error < 1e-13
    shares = [
        np.linalg.norm(t) / np.linalg.norm(w - base) for t, w in zip(residuals, tuned, strict=True)
    ]
    np.testing.assert_allclose(merged.residual_fractions, shares, rtol=1e-10)


@pytest.mark.parametrize("seed", SEEDS)
def test_wide_weights_take_the_nearest_rotation(seed):
    base, tuned, _ = experts(seed, 1, out=8, width=24, angle=0.6, residual=0.0)
    u, _, vt = np.linalg.svd(base.T @ tuned[0])
    naive = u @ vt
    rotation, _ = rotation_between(base, tuned[0], 0)
    np.testing.assert_allclose(base @ rotation, tuned[0], atol=1e-12)
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(24), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    # Both fit: the null space is where they differ.
    np.testing.assert_allclose(base @ naive, tuned[0], atol=1e-12)
    assert np.linalg.norm(naive - np.eye(24)) > 5
    assert np.linalg.norm(rotation - np.eye(24)) < 1.2


def test_no_other_completion_is_nearer():
    base, tuned, _ = experts(6, 1, out=3, width=6, angle=0.5, residual=0.0)
    rotation, _ = rotation_between(base, tuned[0], 0)
    null = np.linalg.svd(base)[2][3:].T
    distance = np.linalg.norm(rotation - np.eye(6))
    for skew in turns(np.random.default_rng(7), 200, 3, 0.3):
        other = (np.eye(6) + null @ (cayley(skew) - np.eye(3)) @ null.T) @ rotation
        np.testing.assert_allclose(base @ other, tuned[0], atol=1e-12)
        assert np.linalg.norm(other - np.eye(6)) > distance


def test_a_reflection_becomes_the_best_rotation():
    rng = np.random.default_rng(8)
    base = rng.normal(size=(9, 5))
    mirror = np.eye(5) - 2 * np.outer(*[np.eye(5)[0]] * 2)
    expert = base @ mirror @ cayley(turns(rng, 1, 5, 0.8)[0])
    rotation, flipped = rotation_between(base, expert, 0)
    assert flipped
    assert np.linalg.det(rotation) == pytest.approx(1)
    error = np.linalg.norm(base @ rotation - expert)
    for skew in turns(rng, 200, 5, 0.2):
        assert np.linalg.norm(base @ rotation @ cayley(skew) - expert) > error
    assert merge_experts(base, np.stack([expert, base])).flipped.tolist() == [True, False]


@pytest.mark.parametrize("seed", SEEDS)
def test_rotated_experts_leave_the_geometry_alone(seed):
    base, tuned, _ = experts(seed, 4, out=32, width=24, angle=1.0, residual=0.0)
    merged = merge_experts(base, tuned)
    energy, norm = merged.base
    np.testing.assert_allclose(merged.merged, merged.base, rtol=1e-12)
    assert abs(merged.task_arithmetic.hyperspherical_energy - energy) > 0.01
    assert abs(merged.average.spectral_norm - norm) > 0.02 * norm
    # The length put back in: the plain average is shorter.
    assert merged.angle == pytest.approx(1.0)
    assert merged.correction > 1.5


@pytest.mark.parametrize("seed", SEEDS)
def test_the_spectral_norm_stays_however_many_tasks(seed):
    ratios = []
    for tasks in (2, 3, 5, 8):
        merged = merge_experts(*experts(seed, tasks)[:2])
        assert abs(merged.merged.spectral_norm / merged.base.spectral_norm - 1) < 0.01
        ratios.append(merged.task_arithmetic.spectral_norm / merged.base.spectral_norm)
    assert np.all(np.diff(ratios) > 0)
    assert ratios[-1] > 1.4


def test_only_rows_in_conflict():
    rng = np.random.default_rng(9)
    base, changes = rng.normal(size=(5, 4)), rng.normal(size=(3, 5, 4))
    kept = conflicts(base, base + changes)
    seen = set()
    for i in range(3):
        for row in range(5):
            mean = sum(changes[j, row] for j in range(3)) / 3
            against = changes[i, row] @ mean < 0
            expected = base[row] + changes[i, row] * against
            np.testing.assert_allclose(kept[i, row], expected, atol=1e-15)
            seen.add(bool(against))
    assert seen == {True, False}


def test_ties_by_loops():
    updates = np.random.default_rng(10).normal(size=(4, 3, 5))
    trimmed = np.zeros_like(updates)
    for i, update in enumerate(updates):
        for index in np.argsort(-np.abs(update), axis=None)[:6]:
            trimmed[i].flat[index] = update.flat[index]
    merged = np.zeros((3, 5))
    for place in np.ndindex(3, 5):
        values = [t[place] for t in trimmed if t[place]]
        agreeing = [v for v in values if v * sum(values) > 0]
        merged[place] = np.mean(agreeing) if agreeing else 0
    np.testing.assert_allclose(ties(updates, 0.4), merged, atol=1e-15)
    base, tuned, _ = experts(11, 3, out=9, width=6)
    by_ties = merge_experts(base, tuned, residual="ties", residual_scale=1.0).weight
    pure = merge_experts(base, tuned, residual="none").weight
    residuals = [w - base @ orthogonal_procrustes(base, w)[0] for w in tuned]
    np.testing.assert_allclose(by_ties - pure, ties(np.stack(residuals), 0.2), atol=1e-12)


def test_adapters_are_their_experts():
    rng = np.random.default_rng(12)
    base = rng.normal(size=(10, 6))
    blocks = np.stack([turns(rng, 3, 2, angle) for angle in (0.3, 0.5, 0.4)])  # T b i j
    merged = merge_adapters(base, blocks)
    tuned = np.stack([base @ block_diag(*cayley(adapter)) for adapter in blocks])
    same = merge_experts(base, tuned)
    np.testing.assert_allclose(merged.weight, same.weight, atol=1e-12)
    np.testing.assert_allclose(merged.angles, same.angles, rtol=1e-11)
    assert merged.average.spectral_norm == pytest.approx(same.average.spectral_norm)
    assert merged.orthogonality_error < 1e-14


def test_geometry_by_loops():
    weight = np.random.default_rng(13).normal(size=(6, 3))
    rows = [row / np.linalg.norm(row) for row in weight]
    energy = sum(1 / np.linalg.norm(rows[i] - rows[j]) for j in range(6) for i in range(j))
    result = geometry(np.vstack([weight, np.zeros(3)]))
    assert result.hyperspherical_energy == pytest.approx(energy, rel=1e-13)
    assert result.spectral_norm == pytest.approx(np.linalg.svd(weight)[1][0], rel=1e-13)


def test_a_resumed_merge_is_the_same_merge():
    base, tuned, _ = experts(14, 4, out=9, width=6)
    states = [state for _, state in merge_experts_steps(base, tuned)]
    resumed = drain(merge_experts_steps(base, tuned, state=states[1]))
    np.testing.assert_array_equal(resumed.weight, merge_experts(base, tuned).weight)


EYE = np.eye(4)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: merge_experts(EYE, np.ones((2, 3, 4))),
            r"`experts` must have 4 entries along axis 1 \(out\), as `base` has",
        ),
        (lambda: merge_experts(EYE, np.ones((0, 4, 4))), "`experts` must have at least 1 entries"),
        (lambda: merge_experts(EYE, np.full((1, 4, 4), np.nan)), "`experts` must be finite"),
        (lambda: merge_experts(np.ones((2, 1025)), np.ones((1, 2, 1025))), "at most 1024 entries"),
        (
            lambda: merge_experts(np.ones((4096, 1000)), np.broadcast_to(1.0, (5, 4096, 1000))),
            "`experts` must hold at most 20000000 numbers, but holds 20480000",
        ),
        (lambda: merge_experts(EYE, 1e70 * EYE[None]), "numbers of size at most 1e\\+60"),
        (lambda: merge_experts(0 * EYE, EYE[None]), "`base` must not be all zero"),
        (
            lambda: merge_experts(EYE, np.stack([EYE, -EYE])),
            r"`experts\[1\]` must be less than half a turn away from the base",
        ),
        (
            lambda: merge_adapters(EYE, np.stack([np.zeros((1, 4, 4)), np.ones((1, 4, 4))])),
            r"`skews\[1\]` must be antisymmetric, but A \+ A\^T has an entry of 2",
        ),
        (
            lambda: merge_adapters(EYE, np.zeros((1, 3, 2, 2))),
            "must have blocks that make up the 4 columns of `base`, but has 3 blocks of 2",
        ),
        (
            lambda: merge_adapters(np.ones((4096, 1024)), np.zeros((5, 1024, 1, 1))),
            "`skews` must ask for at most 20000000 numbers",
        ),
    ],
)
def test_refusals(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


def test_long_merges_are_not_waited_for():
    operation = KERNEL.operation("merge-experts")
    base = np.ones((512, 512))
    assert operation.is_short({"base": base[:64, :64], "experts": np.ones((8, 64, 64))})
    assert not operation.is_short({"base": base, "experts": np.ones((8, 512, 512))})
