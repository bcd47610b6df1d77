"""Execution manifolds: closed nulls, projections, exact commutators."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aqc.errors import InputError
from aqc.kernels.execution_manifold import (
    commutator,
    commutator_projection,
    mean_random_share,
    random_walk_shares,
    sgd_commutator,
    trajectory_effective_dimension,
)

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
