"""Federated orthogonal training: exact projections, sketches against pooled data, forgetting."""

import numpy as np
import pytest
from scipy.linalg import subspace_angles
from sklearn.datasets import load_digits
from sklearn.utils.extmath import randomized_svd

from aqc.errors import DivergenceError, InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels.federated_orthogonal_training import (
    KERNEL,
    Federation,
    federated_orthogonal_training,
    federated_orthogonal_training_steps,
    federated_project,
    global_principal_subspace,
    sketch_activations,
    subspace_from_sketches,
)
from aqc.kernels.federated_orthogonal_training._clients import draw_rows, split


def basis(inputs: int, rank: int, seed: int = 0) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(inputs, rank)))[0]


def low_rank(seed: int, clients: int = 4, rank: int = 5, inputs: int = 20) -> list[np.ndarray]:
    """Activations of clients of unequal sizes, of one joint rank."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(rank, inputs))
    return [rng.normal(size=(7 + 3 * c, rank)) @ common for c in range(clients)]


# --- the projected update


def test_a_projected_update_leaves_earlier_inputs_alone() -> None:
    rng = np.random.default_rng(1)
    weights, clients = rng.normal(size=(6, 30)), rng.normal(size=(5, 6, 30))
    u = basis(30, 12)
    found = federated_project(weights, clients, u)
    assert np.linalg.norm((found.weights - weights) @ u) <= 1e-12
    old = u @ rng.normal(size=12)
    np.testing.assert_allclose(found.weights @ old, weights @ old, atol=1e-12)
    # What is orthogonal to the old inputs meets the plain average.
    new = np.linalg.svd(u)[0][:, 12:] @ rng.normal(size=18)
    np.testing.assert_allclose(found.weights @ new, clients.mean(0) @ new, atol=1e-12)
    update = clients.mean(0) - weights
    kept = np.linalg.norm(found.weights - weights) / np.linalg.norm(update)
    assert found.removed**2 + kept**2 == pytest.approx(1, rel=1e-12)


def test_without_a_subspace_the_update_is_the_average() -> None:
    rng = np.random.default_rng(2)
    clients = rng.normal(size=(3, 2, 4))
    found = federated_project(rng.normal(size=(2, 4)), clients)
    np.testing.assert_allclose(found.weights, clients.mean(0), atol=1e-15)
    assert found.removed == 0


def test_a_full_subspace_lets_nothing_pass() -> None:
    weights = np.arange(6.0).reshape(2, 3)
    found = federated_project(weights, np.ones((2, 2, 3)), basis(3, 3))
    np.testing.assert_array_equal(found.weights, weights)
    assert found.notice.startswith("The subspace is full: no update is possible in this layer")
    extended = global_principal_subspace([np.ones((4, 3))], np.eye(3))
    assert extended.added == 0
    assert extended.notice.startswith("The subspace is full")


# --- the subspace


def test_the_sketch_spans_what_the_pooled_activations_span() -> None:
    for seed in range(3):
        clients = low_rank(seed)
        found = global_principal_subspace(clients, eps=1 - 1e-9, seed=seed)
        assert found.added == 5
        pooled = np.linalg.svd(np.vstack(clients), full_matrices=False)[2][:5].T
        assert subspace_angles(found.subspace, pooled).max() <= 1e-6
        assert found.singular_values[5] / found.singular_values[0] < 1e-10
        assert found.captured == pytest.approx(1, abs=1e-12)


def test_sketches_of_clients_add_up_to_that_of_pooled_activations() -> None:
    clients, u = low_rank(3), basis(20, 3)
    rngs = [np.random.default_rng([4, c]) for c in range(4)]
    uploads = [sketch_activations(x, u, rng) for x, rng in zip(clients, rngs, strict=True)]
    secrets = [np.random.default_rng([4, c]).uniform(-1, 1, x.shape) for c, x in enumerate(clients)]
    pooled = np.vstack(clients).T
    expected = (pooled - u @ u.T @ pooled) @ np.vstack(secrets)
    summed = sum(sketch for sketch, _ in uploads)
    np.testing.assert_allclose(summed, expected, atol=1e-11)
    # The server needs no more than the sums.
    whole = global_principal_subspace(clients, u, 0.9, seed=4)
    ratios = [ratio for _, ratio in uploads]
    alone = subspace_from_sketches(summed, ratios, [len(x) for x in clients], u, 0.9)
    np.testing.assert_allclose(alone.subspace, whole.subspace, atol=1e-12)
    np.testing.assert_allclose(alone.residual_ratios, whole.residual_ratios, atol=1e-14)


def test_ten_expansions_stay_orthonormal_and_hold_what_they_held() -> None:
    rng = np.random.default_rng(5)
    u, ranks = None, []
    for task in range(10):
        clients = [rng.normal(size=(8, 4)) @ rng.normal(size=(4, 60)) for _ in range(2)]
        found = global_principal_subspace(clients, u, 0.95, seed=task)
        if u is not None:
            assert np.linalg.norm(u - found.subspace @ (found.subspace.T @ u)) < 1e-10
        u = found.subspace
        ranks.append(u.shape[1])
        np.testing.assert_allclose(u.T @ u, np.eye(u.shape[1]), atol=1e-12)
    assert ranks == sorted(ranks)
    assert 30 < ranks[-1] <= 60


def test_the_energy_held_is_that_of_a_randomized_svd() -> None:
    digits = load_digits().data / 16
    found = global_principal_subspace(list(np.array_split(digits, 10)), eps=0.96)
    rank = found.added
    assert 5 < rank < 64
    _, _, rows = randomized_svd(digits, rank, random_state=0)
    best = np.sum((digits @ rows.T) ** 2) / np.sum(digits**2)
    held = np.sum((digits @ found.subspace) ** 2) / np.sum(digits**2)
    assert found.captured == pytest.approx(held, rel=1e-12)
    assert held == pytest.approx(best, rel=0.02)
    # A square sketch counts large directions too much: less is held than was wanted.
    assert 0.9 < held < 0.96


def test_the_threshold_counts_what_is_held_already() -> None:
    values = np.array([4.0, 2.0, 1.0, 0.5])
    # rho^2 = 0.2: of a residual of a fifth, 0.75 brings 0.8 + 0.15.
    found = subspace_from_sketches(np.diag(values), [0.2**0.5], [10], eps=0.95)
    assert found.eps_effective == pytest.approx(0.75, rel=1e-12)
    assert found.added == 1  # 16 / 21.25 = 0.753
    power_one = subspace_from_sketches(np.diag(values), [0.2], [10], eps=0.95, ratio_power=1)
    assert power_one.eps_effective == pytest.approx(0.75, rel=1e-12)
    # Clients count by their samples: (3 x 0.1 + 1 x 0.5) / 4 = 0.2.
    two = subspace_from_sketches(np.diag(values), [0.1, 0.5], [3, 1], eps=0.95, ratio_power=1)
    assert two.eps_effective == pytest.approx(0.75, rel=1e-12)
    enough = subspace_from_sketches(np.diag(values), [0.2], [10], eps=0.95)
    assert (enough.added, enough.eps_effective) == (0, 0.0)
    assert subspace_from_sketches(np.zeros((3, 3)), [0.0], [1]).added == 0


# --- the training


def problem(seed: int = 0, inputs: int = 8) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    labels = np.arange(120) % 3
    points = 1.5 * np.eye(3, inputs)[labels] + 0.3 * rng.normal(size=(120, inputs))
    return points[:60], labels[:60], points[60:], labels[60:]


SMALL = {"tasks": 3, "clients": 4, "rounds": 12, "batch": 8, "hidden": (24,)}


def test_a_run_resumes_from_every_state() -> None:
    states, fractions, ended = [], [], []

    def run() -> Steps:
        ended.append((yield from federated_orthogonal_training_steps(*problem(), **SMALL)))

    for fraction, state in run():
        fractions.append(fraction)
        states.append(state)
    assert fractions == pytest.approx([(t + r / 12) / 3 for t in range(3) for r in (5, 10, 12)])
    whole: Federation = ended[0]
    for state in states:
        again = drain(federated_orthogonal_training_steps(*problem(), **SMALL, state=state))
        np.testing.assert_array_equal(again.orthogonal.accuracy, whole.orthogonal.accuracy)
        np.testing.assert_array_equal(again.averaging.accuracy, whole.averaging.accuracy)
        np.testing.assert_array_equal(again.rank_fractions, whole.rank_fractions)


def test_both_algorithms_are_one_until_the_first_task_ends() -> None:
    found = federated_orthogonal_training(*problem(), **SMALL)
    np.testing.assert_array_equal(found.orthogonal.accuracy[0], found.averaging.accuracy[0])
    assert found.orthogonal.accuracy[0, 0] > 0.9
    for learned in (found.orthogonal, found.averaging):
        matrix = learned.accuracy
        assert learned.average_accuracy == pytest.approx(matrix[2].mean(), abs=1e-15)
        lost = [matrix[0, 0] - matrix[2, 0], matrix[1, 1] - matrix[2, 1]]
        assert learned.forgetting == pytest.approx(np.mean(lost), abs=1e-15)
    # Uploads in single precision: 4 clients, layers 8-24-3.
    assert found.weight_bytes == 4 * 4 * 12 * (8 * 24 + 24 * 3)
    assert found.sketch_bytes == 4 * 4 * (8**2 + 24**2 + 4)


def test_the_trained_layers_keep_what_they_did_to_earlier_inputs() -> None:
    states = [
        state for _, state in federated_orthogonal_training_steps(*problem(), **SMALL, eps=0.9)
    ]
    after_first, end = states[2], states[5]
    for layer, u in enumerate(after_first["subspaces"]):
        assert 0 < u.shape[1] < len(u)
        change = end["weights"][layer] - after_first["weights"][layer]
        plain, projected = np.linalg.norm(change @ u, axis=(1, 2))
        # Single precision over 12 rounds.
        assert projected < 1e-5
        assert plain > 1e-2
        assert np.linalg.norm(change[1]) > 1e-2


@pytest.mark.parametrize("dirichlet", [None, 0.05, 10.0])
def test_clients_share_all_samples_and_none_goes_without(dirichlet: float | None) -> None:
    labels = np.random.default_rng(6).integers(4, size=200)
    shares = split(labels, 20, dirichlet, np.random.default_rng(7))
    assert sorted(np.concatenate(shares).tolist()) == list(range(200))
    sizes = [len(share) for share in shares]
    assert min(sizes) >= 1
    if dirichlet == 0.05:
        assert max(sizes) > 30
    elif dirichlet is None:
        assert set(sizes) == {10}
    rows = draw_rows(shares, 5, 4, [0])
    assert rows.shape == (20, 5, 4)
    for share, own in zip(shares, rows.reshape(20, 20), strict=True):
        assert set(own) <= set(share)
        first = own[: len(share)]
        assert len(set(first)) == len(first)


# --- refusals


def test_refusals_of_updates_and_subspaces() -> None:
    weights, clients = np.ones((2, 4)), np.ones((3, 2, 4))
    with pytest.raises(InputError, match="must have orthonormal columns, but U.T U differs from I"):
        federated_project(weights, clients, 2 * np.eye(4, 2))
    with pytest.raises(InputError, match=r"`subspace` must have 4 entries along axis 0 \(inputs\)"):
        federated_project(weights, clients, np.eye(2))
    with pytest.raises(InputError, match=r"`client_weights` must have 4 entries along axis 2"):
        federated_project(weights, np.ones((3, 2, 5)))
    with pytest.raises(InputError, match="at most 4 columns, one per input, but has 5; its rows"):
        federated_project(weights, clients, np.eye(4, 5))
    with pytest.raises(InputError, match="`weights` must be finite, but holds nan"):
        federated_project(np.full((2, 4), np.nan), clients)
    with pytest.raises(InputError, match=r"`client_activations\[1\]` must have at least 1 entries"):
        global_principal_subspace([np.ones((2, 4)), np.ones((0, 4))])
    with pytest.raises(InputError, match="`eps` must be less than 1, but is 1.0"):
        global_principal_subspace([np.ones((2, 4))], eps=1)
    with pytest.raises(InputError, match="must have orthonormal columns"):
        global_principal_subspace([np.ones((2, 4))], np.ones((4, 2)))
    with pytest.raises(InputError, match="`ratios` must be within .0, 1., but hold 1.2"):
        subspace_from_sketches(np.eye(2), [1.2], [3])
    with pytest.raises(InputError, match="`counts` must be positive, but client 1 has 0 samples"):
        subspace_from_sketches(np.eye(2), [1, 1], [3, 0])


def test_refusals_of_trainings() -> None:
    x, y, test_x, test_y = problem()
    with pytest.raises(InputError, match="`labels` must be 0..K-1"):
        federated_orthogonal_training(x, y + 1, test_x, test_y)
    with pytest.raises(InputError, match="`test_labels` must be in 0..2, as `labels` are"):
        federated_orthogonal_training(x, y, test_x, test_y + 1)
    with pytest.raises(InputError, match="`clients` must be at most the 60 points, one each"):
        federated_orthogonal_training(x, y, test_x, test_y, clients=61)
    with pytest.raises(InputError, match=r"`test_points` must have 8 entries along axis 1"):
        federated_orthogonal_training(x, y, test_x[:, :7], test_y)
    with pytest.raises(InputError, match="`dirichlet` must be at least 0.001, but is 0.0"):
        federated_orthogonal_training(x, y, test_x, test_y, dirichlet=0)
    with pytest.raises(InputError, match="`test_points` must hold numbers of size at most 1e.06"):
        federated_orthogonal_training(x, y, test_x * 1e7, test_y)
    with pytest.raises(DivergenceError, match="diverged in task 1; lower `learning_rate`"):
        federated_orthogonal_training(x * 1e5, y, test_x, test_y, learning_rate=1, rounds=3)
    operation = KERNEL.operation("federated-orthogonal-training")
    largest = {"points": np.ones((5000, 784)), "labels": np.arange(5000) % 10}
    rest = {"tasks": 10, "clients": 64, "rounds": 200, "local_epochs": 20, "hidden": (400, 400)}
    with pytest.raises(InputError, match="takes at most 2e.13 multiplications"):
        operation.is_short(largest | rest | {"batch": 16})


# --- the paper's claims


def digits(seed: int) -> tuple[np.ndarray, ...]:
    data = load_digits()
    order = np.random.default_rng(seed).permutation(len(data.target))
    points, labels = data.data[order] / 16, data.target[order]
    return points[:1400], labels[:1400], points[1400:], labels[1400:]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ratio_power", [1, 2])
def test_new_tasks_are_learned_and_old_ones_are_not_forgotten(seed: int, ratio_power: int) -> None:
    found = federated_orthogonal_training(*digits(seed), ratio_power=ratio_power, seed=seed)
    ours, plain = found.orthogonal, found.averaging
    assert ours.average_accuracy >= plain.average_accuracy + 0.25
    assert ours.forgetting <= 0.15
    assert plain.forgetting >= 0.3
    assert np.diag(ours.accuracy).min() >= 0.93
    assert found.sketch_bytes < 0.05 * found.weight_bytes


@pytest.mark.slow
def test_a_subspace_that_holds_nearly_all_leaves_no_room_for_late_tasks() -> None:
    tight, loose = (
        [federated_orthogonal_training(*digits(s), tasks=10, eps=eps, seed=s) for s in range(5)]
        for eps in (0.99, 0.90)
    )
    for one, other in zip(tight, loose, strict=True):
        assert one.rank_fractions[-1].max() > 0.95
        assert np.all(one.rank_fractions[-1] > other.rank_fractions[-1])
        assert one.orthogonal.accuracy[9, 9] < other.orthogonal.accuracy[9, 9]
