"""DO-Merging against dense formulas, automatic differentiation, optax, and common merging."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aqc.errors import InputError
from aqc.kernels._kernel import drain
from aqc.kernels.do_merging import KERNEL, compare_merges, merge_adapters, merge_adapters_steps
from aqc.kernels.do_merging._adapters import adam_step, cross_gradient, cross_loss, stacked
from aqc.kernels.do_merging._compare import synthetic_adapters, ties

SPREADS = (0.0, 0.5, 1.0, 1.5, 2.0)


def adapters(seed: int, ranks: tuple[int, ...] = (2, 3, 1), m: int = 7, n: int = 5):
    rng = np.random.default_rng(seed)
    return (
        tuple(rng.normal(size=(r, n)) for r in ranks),
        tuple(rng.normal(size=(m, r)) for r in ranks),
    )


def dense(lora_a, lora_b, coefficient=None, weights=None, renormalize=False) -> np.ndarray:
    """W*, column by column, by the definition."""
    updates = [b @ a for a, b in zip(lora_a, lora_b, strict=True)]
    weights = np.ones(len(updates)) if weights is None else np.asarray(weights)
    coefficient = 1 / weights.sum() ** 2 if coefficient is None else coefficient
    merged = np.zeros_like(updates[0])
    for k in range(merged.shape[1]):
        columns = [update[:, k] for update in updates]
        length = sum(w * np.linalg.norm(c) for w, c in zip(weights, columns, strict=True))
        direction = sum(w * c / np.linalg.norm(c) for w, c in zip(weights, columns, strict=True))
        if renormalize:
            direction *= weights.sum() / np.linalg.norm(direction)
        merged[:, k] = coefficient * length * direction
    return merged


def objective(delta, factor, owner, gamma):
    """The objective of the module's docstring, pair by pair."""
    parts = [(factor + delta)[owner == i] for i in range(owner[-1] + 1)]
    cross = sum(
        jnp.sum((p @ q.T) ** 2) for i, p in enumerate(parts) for j, q in enumerate(parts) if i != j
    )
    return cross + gamma * jnp.sum(delta**2)


def test_one_adapter_comes_back():
    (a, *_), (b, *_) = adapters(0)
    merged = merge_adapters((a,), (b,))
    np.testing.assert_allclose(merged.lora_b @ merged.lora_a, b @ a, atol=1e-14)


def test_equal_adapters_merge_to_themselves():
    (a, *_), (b, *_) = adapters(1)
    merged = merge_adapters((a,) * 4, (b,) * 4, steps=0)
    np.testing.assert_allclose(merged.lora_b @ merged.lora_a, b @ a, atol=1e-13)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"coefficient": 0.5},
        {"weights": [0.5, 1.0, 2.0]},
        {"renormalize": True},
        {"renormalize": True, "weights": [3.0, 1.0, 2.0]},
    ],
)
def test_factors_are_the_dense_formula(options):
    lora_a, lora_b = adapters(2)
    merged = merge_adapters(lora_a, lora_b, steps=0, **options)
    assert merged.lora_a.shape == (6, 5)
    np.testing.assert_allclose(
        merged.lora_b @ merged.lora_a, dense(lora_a, lora_b, **options), atol=1e-12
    )


def test_scales_are_factors_of_b():
    lora_a, lora_b = adapters(3)
    scales = [2.0, 0.5, 3.0]
    merged = merge_adapters(lora_a, lora_b, scales=scales, steps=20)
    folded = merge_adapters(
        lora_a, tuple(s * b for s, b in zip(scales, lora_b, strict=True)), steps=20
    )
    np.testing.assert_array_equal(merged.lora_a, folded.lora_a)
    np.testing.assert_array_equal(merged.lora_b, folded.lora_b)


def test_columns_of_zeros_stay_zero():
    lora_a, lora_b = adapters(4)
    for a in lora_a:
        a[:, 2] = 0.0
    lora_a[0][:, 3] = 0.0
    merged = merge_adapters(lora_a, lora_b, steps=0)
    update = merged.lora_b @ merged.lora_a
    assert np.isfinite(update).all()
    np.testing.assert_array_equal(update[:, 2], 0.0)
    assert np.linalg.norm(update[:, 3]) > 0


def test_gradient_and_adam_are_those_of_jax_and_optax():
    lora_a, lora_b = adapters(5)
    stack = stacked(lora_a, lora_b, None)
    start = np.zeros_like(stack.a)
    moved = (start, start, start)
    with jax.enable_x64(True):
        by_jax = jax.jit(
            jax.value_and_grad(lambda delta: objective(delta, stack.a, stack.owner, 0.7))
        )
        assert cross_loss(stack.a, stack.is_own) == pytest.approx(float(by_jax(start)[0]))
        optimizer = optax.adam(0.03)
        update, delta, state = jax.jit(optimizer.update), start, optimizer.init(start)
        for step in range(1, 21):
            gradient = by_jax(delta)[1]
            ours = cross_gradient(stack.a, np.asarray(delta), stack.is_own, 0.7)
            np.testing.assert_allclose(ours, gradient, rtol=1e-10, atol=1e-10)
            change, state = update(gradient, state)
            delta = np.asarray(delta + change)
            moved = adam_step(stack.a, stack.is_own, moved, step, 0.7, 0.03)
        np.testing.assert_allclose(moved[0], delta, rtol=1e-9, atol=1e-9)


def test_truncation_is_the_svd_of_the_dense_update():
    lora_a, lora_b = adapters(7, (2, 3, 2), 9, 8)
    full = merge_adapters(lora_a, lora_b, steps=10)
    update = full.lora_b @ full.lora_a
    u, s, vh = np.linalg.svd(update)
    for rank in (1, 3, 7):
        cut = merge_adapters(lora_a, lora_b, steps=10, rank=rank)
        assert cut.lora_a.shape == (rank, 8)
        best = u[:, :rank] * s[:rank] @ vh[:rank]
        np.testing.assert_allclose(cut.lora_b @ cut.lora_a, best, atol=1e-12)
        lost = np.linalg.norm(update - best) / np.linalg.norm(update)
        assert cut.truncation_error == pytest.approx(lost, abs=1e-12)


def test_what_is_told_of_the_adapters():
    lora_a, lora_b = adapters(8)
    merged = merge_adapters(lora_a, lora_b, steps=0)
    updates = [b @ a for a, b in zip(lora_a, lora_b, strict=True)]
    flat = np.array([update.ravel() / np.linalg.norm(update) for update in updates])
    np.testing.assert_allclose(merged.cosines_before, flat @ flat.T, atol=1e-12)
    np.testing.assert_array_equal(merged.cosines_after, merged.cosines_before)
    np.testing.assert_allclose(
        merged.magnitudes, [np.linalg.norm(w, axis=0) for w in updates], atol=1e-12
    )
    norms = [np.linalg.norm(w) for w in updates]
    assert merged.magnitude_spread == pytest.approx(np.std(norms) / np.mean(norms))
    assert merged.perturbation_a == merged.perturbation_b == 0.0


def test_magnitude_does_not_move_the_direction():
    """One adapter ten times as long: averaging turns, decoupled merging does not."""
    lora_a, lora_b = synthetic_adapters(4, 48, 4, 0.25, 0.0, seed=0)
    longer = (10 * lora_b[0], *lora_b[1:])

    def directions(update):
        return update / np.linalg.norm(update, axis=0)

    def average(factors):
        return np.mean([b @ a for a, b in zip(lora_a, factors, strict=True)], 0)

    merged = [merge_adapters(lora_a, b, steps=0) for b in (lora_b, longer)]
    before, after = (directions(one.lora_b @ one.lora_a) for one in merged)
    np.testing.assert_allclose(after, before, atol=1e-13)
    moved = directions(average(longer)) - directions(average(lora_b))
    assert np.linalg.norm(moved, axis=0).mean() > 0.3


def test_normalized_factors_make_gamma_free_of_scale():
    lora_a, lora_b = adapters(9)
    small = tuple(1e-3 * a for a in lora_a)
    one = merge_adapters(lora_a, lora_b, normalize=True)
    other = merge_adapters(small, lora_b, normalize=True)
    assert other.perturbation_a == pytest.approx(one.perturbation_a, rel=1e-9)
    plain = merge_adapters(small, lora_b)
    assert plain.perturbation_a < 0.1 * one.perturbation_a


@pytest.mark.parametrize("gamma", [1.0, 0.1, 0.01])
def test_small_perturbations_make_tasks_orthogonal(gamma):
    for seed in range(5):
        lora_a, lora_b = synthetic_adapters(4, 48, 4, 0.25, 1.0, seed)
        merged = merge_adapters(lora_a, lora_b, gamma=gamma, steps=100 if gamma == 1 else 400)
        assert merged.cross_loss_a[1] < 0.1 * merged.cross_loss_a[0]
        assert merged.cross_loss_b[1] < 0.1 * merged.cross_loss_b[0]
        assert merged.perturbation_a < 0.4
        assert merged.perturbation_b < 0.4


def test_unequal_magnitudes_hurt_averaging_and_not_do_merging():
    """The headline claim, on eight seeds."""
    worst = np.zeros((len(SPREADS), 5))
    for row, spread in zip(worst, SPREADS, strict=True):
        for seed in range(8):
            lora_a, lora_b = synthetic_adapters(4, 48, 4, 0.25, spread, seed)
            row += [score.worst / 8 for score in compare_merges(lora_a, lora_b)]
    averaged, trimmed, orthogonalized, decoupled, both = worst.T
    assert both[2] > averaged[2] + 0.3
    assert both[2] > trimmed[2] + 0.3
    assert both[0] - both[-1] < 0.15
    assert averaged[0] - averaged[-1] > 0.6
    # Both halves are needed, but for equal magnitudes, where decoupling has nothing to give.
    assert (both[1:] > orthogonalized[1:] + 0.1).all()
    assert (both > decoupled).all()
    assert both[0] < orthogonalized[0]
    assert decoupled[0] < averaged[0]


def test_ties_by_hand():
    one = np.array([[4.0, -3.0, 0.1, 0.2, 0.0]])
    other = np.array([[2.0, 5.0, 0.1, 0.1, 0.0]])
    # Of five entries the largest fifth is one: 4 and 5, which do not meet.
    np.testing.assert_allclose(ties(np.stack([one, other])), [[4.0, 5.0, 0.0, 0.0, 0.0]])
    both = np.array([[3.0, 0.0, 0.0, 0.0, 0.0], [-1.0, 0.0, 0.0, 0.0, 0.0]])[:, None, :]
    np.testing.assert_allclose(ties(both), [[3.0, 0.0, 0.0, 0.0, 0.0]])


def test_a_resumed_run_is_the_same_run():
    lora_a, lora_b = adapters(10)
    whole = merge_adapters(lora_a, lora_b, steps=12)
    run = merge_adapters_steps(lora_a, lora_b, steps=12)
    states = [next(run) for _ in range(5)]
    assert [fraction for fraction, _ in states] == pytest.approx(np.arange(1, 6) / 12)
    resumed = merge_adapters_steps(lora_a, lora_b, steps=12, state=states[-1][1])
    np.testing.assert_array_equal(drain(resumed).lora_a, whole.lora_a)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda a, b: ((a[0], a[1][:, :4], a[2]), b, {}), r"`lora_a\[1\]` must have 5 entries"),
        (lambda a, b: (a, (b[0], b[1], b[2][:6]), {}), r"`lora_b\[2\]` must have 7 entries"),
        (lambda a, b: (a, (b[0], b[1][:, :2], b[2]), {}), r"`lora_b\[1\]` must have 3 entries"),
        (lambda a, b: (a, b[:2], {}), r"`lora_b` must have as many items as `lora_a` \(3\)"),
        (lambda a, b: ((), (), {}), "`lora_a` must have 1 to 32 items, but has 0"),
        (lambda a, b: ((a[0] * np.nan, *a[1:]), b, {}), r"`lora_a\[0\]` must be finite"),
        (lambda a, b: (a, (b[0], 0 * b[1], b[2]), {}), r"`lora_b\[1\] @ lora_a\[1\]` must not be"),
        (lambda a, b: (a, b, {"rank": 7}), "`rank` must be at most 6"),
        (lambda a, b: (a, b, {"rank": 0}), "`rank` must be at least 1"),
        (lambda a, b: (a, b, {"scales": [1.0]}), "`scales` must have one entry for each of the 3"),
        (lambda a, b: (a, b, {"weights": [1.0, 2.0]}), "`weights` must have one entry for each"),
        (lambda a, b: (a, b, {"weights": [1, 0, 1]}), "`weights` must be positive, but holds 0"),
        (lambda a, b: (a, b, {"coefficient": 0.0}), "`coefficient` must be greater than 0"),
        (lambda a, b: (a, b, {"gamma": -1}), "`gamma` must be at least 0"),
        (lambda a, b: (a, b, {"steps": 2001}), "`steps` must be at most 2000"),
        (lambda a, b: (a, b, {"learning_rate": 0}), "`learning_rate` must be greater than 0"),
    ],
)
def test_refusals(change, match):
    lora_a, lora_b, options = change(*adapters(11))
    with pytest.raises(InputError, match=match):
        merge_adapters(lora_a, lora_b, **options)


def test_too_large_is_refused_before_any_work():
    wide = np.ones((100, 8192))
    with pytest.raises(InputError, match="must hold at most 5000000 numbers in all"):
        merge_adapters((wide,) * 4, (wide.T,) * 4)
    thin = np.ones((1, 8192))
    with pytest.raises(InputError, match="forms every update"):
        compare_merges((thin,), (thin.T,))
    with pytest.raises(InputError, match="takes at most 4e.12 steps x"):
        KERNEL.operation().run(
            {"lora_a": (wide[:, :600],) * 32, "lora_b": (wide[:, :600].T,) * 32} | {"steps": 2000}
        )
