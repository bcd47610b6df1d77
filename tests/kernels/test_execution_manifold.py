"""Execution manifolds: closed nulls, exact commutators, the transformer by hand, the claims."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aqc.errors import DivergenceError, InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels.execution_manifold import (
    KERNEL,
    Dynamics,
    commutator,
    commutator_projection,
    mean_random_share,
    modular_addition_dynamics,
    modular_addition_dynamics_steps,
    random_walk_shares,
    sgd_commutator,
    trajectory_effective_dimension,
)
from aqc.kernels.execution_manifold._measure import commutators, median_commutator
from aqc.kernels.execution_manifold._transformer import (
    Network,
    apply,
    draw_batch,
    first_weights,
    loss,
)

SMALL = {
    "markers": (1, 2),
    "length": 8,
    "vocabulary": 12,
    "classes": 3,
    "width": 16,
    "layers": 1,
    "heads": 2,
    "every": 15,
    "batch": 8,
    "pairs": 3,
}


# --- the dimension of a trajectory


def test_a_random_walk_has_dimension_six() -> None:
    walk = np.random.default_rng(0).normal(size=(61, 4096)).cumsum(0)
    found = trajectory_effective_dimension(walk)
    assert found.dimension.tolist() == [6]
    assert found.random_walk_dimension == 6
    # Beside the limit of many dimensions, 61 steps in 4096 fluctuate by 1 / sqrt(4096).
    np.testing.assert_allclose(found.explained[0], found.random_walk_explained, atol=1 / 64)
    long = 6 / np.pi**2 * np.cumsum(1 / np.arange(1, 11) ** 2)
    np.testing.assert_allclose(found.random_walk_explained, long, atol=2e-3)


@pytest.mark.parametrize("snapshots", [5, 16, 61])
def test_the_shares_of_a_walk_are_eigenvalues_of_its_gram_matrix(snapshots: int) -> None:
    sums = np.tril(np.ones((snapshots, snapshots)))
    centered = sums - sums.mean(0)
    values = np.linalg.eigvalsh(centered @ centered.T)[::-1]
    expected = np.cumsum(values)[:-1] / values.sum()
    np.testing.assert_allclose(random_walk_shares(snapshots), expected, atol=1e-12)


def test_a_line_has_dimension_one_and_a_circle_two() -> None:
    t = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    line = np.outer(t, [1.0, -2.0, 0.5])
    circle = np.column_stack([np.cos(t), np.sin(t), 0 * t])
    found = trajectory_effective_dimension(np.hstack([line, circle]), (3, 3), 0.99)
    assert found.dimension.tolist() == [1, 2]
    np.testing.assert_allclose(found.explained[:, :2], [[1, 1], [0.5, 1]], atol=1e-12)
    # A chord of 1/24 turn beside 23 of them.
    np.testing.assert_allclose(found.straightness, [1, 1 / 23], rtol=1e-12)


def test_dimensions_agree_with_a_singular_value_decomposition() -> None:
    rng = np.random.default_rng(3)
    path = rng.normal(size=(30, 50)) * np.geomspace(1, 1e-2, 50) + 5
    found = trajectory_effective_dimension(path, (20, 30), 0.8)
    for number, part in enumerate((path[:, :20], path[:, 20:])):
        values = np.linalg.svd(part - part.mean(0), compute_uv=False) ** 2
        shares = np.cumsum(values) / values.sum()
        np.testing.assert_allclose(found.explained[number], shares[:10], atol=1e-12)
        assert found.dimension[number] == np.sum(shares < 0.8) + 1
    rotation, _ = np.linalg.qr(rng.normal(size=(20, 20)))
    moved = trajectory_effective_dimension(7 * path[:, :20] @ rotation - 3, threshold=0.8)
    np.testing.assert_allclose(moved.explained[0], found.explained[0], atol=1e-12)
    np.testing.assert_allclose(moved.straightness[0], found.straightness[0], rtol=1e-12)


# --- the projection of commutators


def test_the_projection_agrees_with_an_explicit_basis() -> None:
    rng = np.random.default_rng(4)
    path = rng.normal(size=(9, 40)).cumsum(0)
    deltas = rng.normal(size=(5, 40)) * 1e-7
    found = commutator_projection(deltas, path, (10, 30), 3)
    basis = np.zeros((40, 6))
    for number, block in enumerate((slice(0, 10), slice(10, 40))):
        part = path[:, block] - path[:, block].mean(0)
        basis[block, 3 * number : 3 * number + 3] = np.linalg.svd(part)[2][:3].T
    inside = deltas @ basis
    size = np.linalg.norm(deltas, axis=1)
    np.testing.assert_allclose(found.inside, np.linalg.norm(inside, axis=1) / size, rtol=1e-10)
    rest = np.linalg.norm(deltas - inside @ basis.T, axis=1) / size
    np.testing.assert_allclose(found.outside, rest, rtol=1e-10)
    np.testing.assert_allclose(found.inside**2 + found.outside**2, 1, rtol=1e-12)
    assert found.subspace_dimension == 6
    assert found.random_rms == pytest.approx(np.sqrt(6 / 40), rel=1e-12)
    # What moves within the subspace lies in it.
    within = commutator_projection((basis @ rng.normal(size=6))[None], path, (10, 30), 3)
    assert within.outside[0] < 1e-9


@pytest.mark.parametrize(("dimension", "parameters"), [(1, 6), (4, 30), (24, 300)])
def test_the_mean_of_random_subspaces_is_that_of_drawn_ones(
    dimension: int, parameters: int
) -> None:
    rng = np.random.default_rng(5)
    vector = rng.normal(size=parameters)
    vector /= np.linalg.norm(vector)
    drawn = []
    for _ in range(400):
        basis, _ = np.linalg.qr(rng.normal(size=(parameters, dimension)))
        drawn.append(np.linalg.norm(vector @ basis))
    error = np.std(drawn) / 20
    assert np.mean(drawn) == pytest.approx(mean_random_share(dimension, parameters), abs=4 * error)
    mean = mean_random_share(dimension, parameters)
    assert 0.8 * np.sqrt(dimension / parameters) < mean < np.sqrt(dimension / parameters)


def test_commutators_without_structure_have_ratio_one() -> None:
    rng = np.random.default_rng(6)
    path = rng.normal(size=(20, 2000)).cumsum(0)
    found = commutator_projection(rng.normal(size=(300, 2000)), path, (500,) * 4)
    assert found.subspace_dimension == 12
    # Single ratios spread by about 1 / sqrt(2 K) = 0.2; the mean of 300 by 0.012.
    assert found.ratio.mean() == pytest.approx(1, abs=0.05)
    assert found.outside.min() > 0.98


def test_a_block_that_takes_fewer_directions_gives_fewer() -> None:
    path = np.hstack([np.outer(np.arange(8.0), [1.0, 1.0]), np.ones((8, 3))])
    found = commutator_projection(np.ones((1, 5)), path, (2, 3))
    assert found.components.tolist() == [1, 0]
    assert found.inside[0] == pytest.approx(np.sqrt(2 / 5), rel=1e-12)


# --- commutators


def test_the_commutator_of_quadratic_losses_is_exact() -> None:
    rng = np.random.default_rng(7)
    a, b = (x + x.T for x in rng.normal(size=(2, 12, 12)))
    shift_a, shift_b, theta = rng.normal(size=(3, 12))
    eta = 1e-3
    found = sgd_commutator(a, b, shift_a, shift_b, theta, eta)
    slope_a, slope_b = a @ theta - shift_a, b @ theta - shift_b
    expected = eta**2 * (b @ slope_a - a @ slope_b)
    # By the definition, which loses digits against theta.
    theta_a, theta_b = theta - eta * slope_a, theta - eta * slope_b
    direct = (theta_a - eta * (b @ theta_a - shift_b)) - (theta_b - eta * (a @ theta_b - shift_a))
    size = np.linalg.norm(expected)
    assert np.linalg.norm(found.delta - expected) <= 1e-12 * size
    assert np.linalg.norm(found.leading - expected) <= 1e-14 * size
    assert np.linalg.norm(found.delta - direct) <= 1e-14 * np.linalg.norm(theta)
    norms = np.linalg.norm(eta * slope_a) * np.linalg.norm(eta * slope_b)
    assert found.defect == pytest.approx(size / norms, rel=1e-11)


def test_steps_that_commute_have_no_commutator() -> None:
    rng = np.random.default_rng(8)
    axes, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    a, b = ((axes * rng.normal(size=6)) @ axes.T for _ in range(2))
    a, b = (a + a.T) / 2, (b + b.T) / 2
    found = sgd_commutator(a, b, np.zeros(6), np.zeros(6), rng.normal(size=6))
    assert np.abs(found.delta).max() <= 1e-15


def test_other_losses_have_hessian_times_gradient_in_the_limit_of_small_steps() -> None:
    rng = np.random.default_rng(9)
    data = rng.normal(size=(2, 20, 5))

    def of(which: int) -> Callable[[jax.Array], jax.Array]:
        return lambda w: jnp.mean(jnp.logaddexp(0, jnp.tanh(data[which] @ w)))

    with jax.enable_x64(True):
        theta = jnp.asarray(rng.normal(size=5))
        gradients = [jax.grad(of(which)) for which in (0, 1)]

        def hessian_times(which: int, vector: jax.Array) -> jax.Array:
            return jax.jvp(gradients[which], (theta,), (vector,))[1]

        limit = hessian_times(1, gradients[0](theta)) - hessian_times(0, gradients[1](theta))
        errors = []
        for eta in (4e-2, 2e-2, 1e-2):
            delta, _ = commutator(*gradients, theta, eta)
            errors.append(float(jnp.linalg.norm(delta / eta**2 - limit)))
        size = float(jnp.linalg.norm(limit))
    assert errors[2] < 0.05 * size
    np.testing.assert_allclose(np.divide(errors[:-1], errors[1:]), 2, rtol=0.05)


# --- the transformer and its task


def by_hand(network: Network, flat: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One sequence through the network, head by head and query by query."""
    w = {n: flat[p].reshape(network.shapes[n]) for n, p in network.places.items()}

    def normal(x: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
        return (x - x.mean()) / np.sqrt(x.var() + 1e-5) * scale + shift

    x = [w["tokens"][token] + w["positions"][t] for t, token in enumerate(row)]
    size = network.width // network.heads
    last: list[np.ndarray] = []
    for layer in range(network.layers):
        h = np.array([normal(v, w[f"{layer}.scale"], w[f"{layer}.shift"]) for v in x])
        added = np.zeros((len(row), network.width))
        last = []
        for head in range(network.heads):
            cut = slice(head * size, (head + 1) * size)
            q, k, v = (h @ w[f"{layer}.{name}"][:, cut] for name in ("query", "key", "value"))
            for t in range(len(row)):
                scores = np.exp([q[t] @ k[s] / np.sqrt(size) for s in range(t + 1)])
                scores /= scores.sum()
                added[t] += (scores @ v[: t + 1]) @ w[f"{layer}.output"][cut]
            last.append(scores)
        x = list(np.array(x) + added)
        if network.mlp:
            for t in range(len(row)):
                inner = normal(x[t], w[f"{layer}.mlp_scale"], w[f"{layer}.mlp_shift"])
                inner = inner @ w[f"{layer}.up"]
                cubic = np.sqrt(2 / np.pi) * (inner + 0.044715 * inner**3)
                x[t] = x[t] + (inner * (1 + np.tanh(cubic)) / 2) @ w[f"{layer}.down"]
    return normal(x[-1], w["scale"], w["shift"]) @ w["head"] + w["bias"], np.array(last)


@pytest.mark.parametrize("mlp", [False, True])
def test_the_transformer_agrees_with_one_by_hand(mlp: bool) -> None:
    network = Network(12, 6, 3, 8, 2, 2, mlp)
    rng = np.random.default_rng(10)
    flat = first_weights(network, 0).astype(float) + 0.1 * rng.normal(size=network.parameters)
    tokens = rng.integers(12, size=(4, 6))
    with jax.enable_x64(True):
        logits, attention = map(np.asarray, apply(network, jnp.asarray(flat), tokens))
    for row, one, weights in zip(tokens, logits, attention, strict=True):
        expected, last = by_hand(network, flat, row)
        np.testing.assert_allclose(one, expected, atol=1e-12)
        np.testing.assert_allclose(weights, last, atol=1e-12)


def test_the_size_of_the_default_network() -> None:
    network = Network(64, 16, 8, 64, 2, 4, False)
    # Embeddings, eight matrices, three normalizations, the head.
    assert network.parameters == (64 + 16) * 64 + 8 * 64**2 + 3 * 128 + 65 * 8
    assert list(network.blocks)[:2] == ["layer 0 query", "layer 0 key"]


def test_sequences_hold_marked_values_and_nothing_else_like_them() -> None:
    network = Network(30, 10, 5, 16, 1, 1, False)
    rng = np.random.default_rng(11)
    sizes, seen = set(), set()
    for _ in range(300):
        tokens, labels = draw_batch(network, (1, 3), 4, rng)
        for row, label in zip(tokens, labels, strict=True):
            slots = np.flatnonzero((row >= 5) & (row < 8))
            assert row[slots].tolist() == list(range(5, 5 + len(slots)))
            values = np.flatnonzero(row < 5)
            assert values.tolist() == (slots + 1).tolist()
            assert label == row[values].sum() % 5
        sizes.add(len(slots))
        seen |= {tuple(slots)} if len(slots) == 3 else set()
    assert sizes == {1, 3}
    # 3 pairs among positions 1..9: all C(7 - 1, 3) = 20 arrangements come.
    assert len(seen) == 20


def test_the_measured_commutators_are_those_of_the_loss() -> None:
    network = Network(12, 8, 3, 16, 1, 2, False)
    rng = np.random.default_rng(12)
    draws = [draw_batch(network, (1,), 6, rng) for _ in range(4)]
    tokens, labels = (np.stack(x).reshape(2, 2, *x[0].shape) for x in zip(*draws, strict=True))
    weights = first_weights(network, 1).astype(float)
    eta = 1e-4

    @jax.jit
    def expected(w: jax.Array, x: jax.Array, y: jax.Array) -> tuple[list[jax.Array], jax.Array]:
        of = [jax.grad(functools.partial(loss_of, x[which], y[which])) for which in (0, 1)]
        slopes = [gradient(w) for gradient in of]
        products = [jax.jvp(of[i], (w,), (slopes[1 - i],))[1] for i in (0, 1)]
        return slopes, products[1] - products[0]

    def loss_of(x: jax.Array, y: jax.Array, w: jax.Array) -> jax.Array:
        return loss(network, w, x, y)

    with jax.enable_x64(True):
        deltas, defects = commutators(network, weights, tokens, labels, eta)
        for number in (0, 1):
            slopes, limit = expected(weights, tokens[number], labels[number])
            size = float(jnp.linalg.norm(limit))
            assert float(jnp.linalg.norm(deltas[number] / eta**2 - limit)) < 0.01 * size
            norms = float(jnp.linalg.norm(slopes[0]) * jnp.linalg.norm(slopes[1]))
            assert float(defects[number]) == pytest.approx(size / norms, rel=0.01)


# --- the training


def test_a_run_resumes_from_its_states_and_knows_nothing_of_later_ones() -> None:
    states, fractions, ended = [], [], []

    def run() -> Steps:
        ended.append((yield from modular_addition_dynamics_steps(**SMALL, steps=90)))

    for fraction, state in run():
        fractions.append(fraction)
        states.append(state)
    assert fractions == [n / 6 for n in range(7)]
    whole: Dynamics = ended[0]
    for state in (states[0], states[3], states[-1]):
        again = drain(modular_addition_dynamics_steps(**SMALL, steps=90, state=state))
        for name in ("loss", "entropy", "inside", "outside", "defect", "dimensions"):
            np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))
    # What was measured at a step depends on nothing after it.
    shorter = modular_addition_dynamics(**SMALL, steps=75)
    np.testing.assert_array_equal(shorter.measured_steps, [60, 75])
    np.testing.assert_array_equal(shorter.inside, whole.inside[:2])
    np.testing.assert_array_equal(shorter.dimensions, whole.dimensions[:2])
    np.testing.assert_array_equal(shorter.trajectory.dimension, whole.dimensions[1])
    other = modular_addition_dynamics(**SMALL, steps=75, seed=1)
    assert abs(other.loss - shorter.loss).max() > 1e-3


def test_reports_come_at_least_every_fifty_steps() -> None:
    run = modular_addition_dynamics_steps(**SMALL | {"every": 65}, steps=260)
    assert [round(260 * next(run)[0]) for _ in range(6)] == [0, 50, 65, 115, 130, 180]


def test_a_small_training_learns() -> None:
    found = modular_addition_dynamics(
        (1,), 8, 12, 3, 32, 1, 4, steps=300, every=20, learning_rate=3e-3, pairs=3
    )
    assert found.accuracy[0] < 0.6
    assert found.accuracy[-1] > 0.95
    assert found.entropy[-1] < 0.6 * found.entropy[0]
    assert found.entropy[0] < np.log(8)
    np.testing.assert_allclose(found.inside**2 + found.outside**2, 1, rtol=1e-10)
    np.testing.assert_allclose(found.ratio, found.inside / found.random, rtol=1e-12)
    assert np.all(found.defect <= found.defect_p90)


# --- refusals


def test_refusals_of_trajectories() -> None:
    path = np.random.default_rng(0).normal(size=(6, 4))
    with pytest.raises(InputError, match=r"`weights` must have at least 5 entries along axis 0"):
        trajectory_effective_dimension(path[:4])
    with pytest.raises(InputError, match="block 1 has no variance: its effective dimension is und"):
        trajectory_effective_dimension(np.hstack([path, np.full((6, 2), 0.1)]), (4, 2))
    with pytest.raises(InputError, match="`weights` must be finite, but holds nan"):
        trajectory_effective_dimension(np.full((6, 4), np.nan))
    with pytest.raises(InputError, match="add up to the 4 weights of a snapshot, but add up to 3"):
        trajectory_effective_dimension(path, (1, 2))
    with pytest.raises(InputError, match="at most 50000000 numbers, but has 50005000; give fewer"):
        trajectory_effective_dimension(np.zeros((5, 10_001_000)))
    with pytest.raises(InputError, match="must hold numbers of size at most 1e"):
        trajectory_effective_dimension(path * 1e80)


def test_refusals_of_commutators() -> None:
    path = np.random.default_rng(0).normal(size=(6, 4))
    with pytest.raises(InputError, match=r"`weights` must have 3 entries along axis 1"):
        commutator_projection(np.ones((1, 3)), path)
    with pytest.raises(InputError, match="must not be zero: the fractions of row 1 are undefined"):
        commutator_projection(np.eye(3, 4) - np.eye(3, 4)[1], path)
    with pytest.raises(InputError, match="`n_components` must be at most 5, one less than"):
        commutator_projection(np.ones((1, 4)), path, n_components=6)
    with pytest.raises(InputError, match="no variance: there is no execution subspace"):
        commutator_projection(np.ones((1, 4)), np.ones((6, 4)))
    with pytest.raises(InputError, match="`hessian_b` must be symmetric, but differs"):
        sgd_commutator(np.eye(2), [[1, 2], [0, 1]], [0, 0], [0, 0], [1, 1])
    with pytest.raises(InputError, match="the gradient of loss a vanishes there"):
        sgd_commutator(np.eye(2), np.eye(2), [1, 1], [0, 0], [1, 1])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"markers": (4,)}, "`markers` must be at most 3 with sequences of 8 tokens, but hold 4"),
        ({"vocabulary": 5}, "`vocabulary` must be at least 6 .*, but is 5"),
        ({"heads": 3}, "`heads` must divide the width 16, but is 3"),
        ({"steps": 50}, "`steps` must be a multiple of `every`, 15, but is 50"),
        ({"steps": 45}, "must make 5 to 2000 snapshots, but make 4"),
        ({"n_components": 8}, "must make 9 to 2000 snapshots, but make 5"),
        (
            {"width": 128, "layers": 5, "every": 1, "steps": 61},
            "snapshots of at most 20000000 numbers, but make 20316160",
        ),
    ],
)
def test_refusals_of_trainings(change: dict[str, int], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        modular_addition_dynamics(**SMALL | {"steps": 60} | change)


def test_a_commutator_that_vanishes_is_an_error() -> None:
    with pytest.raises(DivergenceError, match="commutator at step 60 is zero in double precision"):
        median_commutator(np.zeros((3, 4)), np.ones(3), 60)
    picked = median_commutator(np.eye(3), np.array([3.0, 1.0, 2.0]), 60)
    np.testing.assert_array_equal(picked, [0, 0, 1])


def test_the_work_of_the_longest_trainings_is_refused() -> None:
    operation = KERNEL.operation("modular-addition-dynamics")
    longest = {"markers": [4], "length": 32, "width": 128, "layers": 5, "steps": 20_000}
    with pytest.raises(InputError, match="takes at most 2e.13 multiplications"):
        operation.is_short(operation.signature.check(longest | {"every": 500, "batch": 512}))
    assert not operation.is_short(operation.signature.check({"markers": [1, 2]}))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_the_papers_claims_at_a_smaller_size(seed: int) -> None:
    found = modular_addition_dynamics((1, 2), seed=seed)
    third = len(found.ratio) // 3
    early, late = np.median(found.ratio[:third]), np.median(found.ratio[-third:])
    # One value is learned, sums of two are so in part.
    assert found.accuracy[-5:].mean() > 0.85
    assert found.dimensions.max() <= 4 < found.trajectory.random_walk_dimension
    assert found.outside.min() >= 0.92
    # ... which a random subspace of that dimension has as well.
    assert np.sqrt(1 - found.random.max() ** 2) > 0.999
    # No fall is asserted: rounding alone has moved the late median of a seed by 0.5.
    assert min(early, late) > 1.5
    assert found.entropy[-1] < 0.5 * found.entropy[0]


@pytest.mark.slow
def test_a_transformer_with_two_layer_networks_is_measured_too() -> None:
    found = modular_addition_dynamics((1, 2), mlp=True, steps=500)
    # The paper says that they disrupt the collapse; a report of it, not a claim.
    assert found.trajectory.dimension.shape == (8,)
    assert np.isfinite(found.ratio).all()
