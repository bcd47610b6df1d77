"""The transformer by hand, its task, its training, and the paper's claims at a smaller size."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aqc.errors import DivergenceError, InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels.execution_manifold import (
    KERNEL,
    Dynamics,
    modular_addition_dynamics,
    modular_addition_dynamics_steps,
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
@pytest.mark.parametrize("seed", range(5))
def test_twice_the_steps_do_not_learn_the_sums_of_two(seed: int) -> None:
    """0.99 was hoped for; seen 0.89 to 0.95 over sums of one and of two."""
    found = modular_addition_dynamics((1, 2), steps=3000, seed=seed)
    assert 0.85 < found.accuracy[-5:].mean() < 0.98
    assert found.dimensions.max() <= 4
    assert found.outside.min() >= 0.92


@pytest.mark.slow
def test_a_transformer_with_two_layer_networks_is_measured_too() -> None:
    found = modular_addition_dynamics((1, 2), mlp=True, steps=500)
    # The paper says that they disrupt the collapse; a report of it, not a claim.
    assert found.trajectory.dimension.shape == (8,)
    assert np.isfinite(found.ratio).all()
