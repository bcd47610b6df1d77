"""The radius: closed forms, roots of polynomials, Taylor series, training through a spike."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.datasets import load_digits

from aqc.errors import InputError
from aqc.kernels._kernel import drain
from aqc.kernels.softmax_convergence_radius import (
    KERNEL,
    cap_step_to_radius,
    compare_controllers,
    compare_steps,
    expand_in_taylor_series,
    find_nearest_zeros,
    radius_of_step,
    softmax_convergence_radius,
)


def partition(z: np.ndarray, a: np.ndarray, t: np.ndarray) -> np.ndarray:
    """|F| over its largest term."""
    exponents = z + a * t[:, None]
    return np.abs(np.exp(exponents - exponents.real.max(1, keepdims=True)).sum(1))


# --- exact radii


def test_two_classes_have_the_closed_form() -> None:
    gap = np.array([0.0, 1.0, 5.0, 20.0])
    logits = np.stack([gap, np.zeros(4)], 1)
    result = find_nearest_zeros(logits, np.tile([1.0, -0.5], (4, 1)))
    np.testing.assert_allclose(result.radius, np.sqrt(gap**2 + np.pi**2) / 1.5, rtol=1e-10)
    np.testing.assert_allclose(result.zero, (-gap + 1j * np.pi) / 1.5, rtol=1e-10, atol=1e-12)


def test_integer_derivatives_have_the_roots_of_a_polynomial() -> None:
    # With a_k integers F is a polynomial in e^t: the nearest zero is the least |log| of its roots.
    rng = np.random.default_rng(0)
    for classes in (2, 3, 5, 8, 10):
        logits = 3 * rng.normal(size=(12, classes))
        derivatives = rng.integers(0, 12, size=(12, classes))
        derivatives[:, 0], derivatives[:, 1] = 0, rng.integers(1, 12, size=12)
        result = find_nearest_zeros(logits, derivatives.astype(float))
        for z, a, radius in zip(logits, derivatives, result.radius, strict=True):
            coefficients = np.zeros(a.max() + 1)
            np.add.at(coefficients, a.max() - a, np.exp(z - z.max()))
            roots = np.log(np.roots(coefficients).astype(complex))
            assert radius == pytest.approx(np.abs(roots).min(), rel=1e-9)


def test_zeros_are_zeros_and_obey_the_bound() -> None:
    rng = np.random.default_rng(1)
    ratios = []
    for classes in range(3, 11):
        logits, derivatives = 2 * rng.normal(size=(2, 25, classes))
        result = find_nearest_zeros(logits, derivatives)
        assert result.is_found.all()
        assert (partition(logits, derivatives, result.zero) < 1e-10).all()
        assert (result.zero.imag > 0).all()
        ratios.append(result.radius / result.bound)
        bound = softmax_convergence_radius(logits, derivatives).radius
        np.testing.assert_array_equal(bound, result.bound)
    assert np.min(ratios) >= 1 - 1e-9
    assert np.median(ratios) > 1.2  # not trivial: the bound is not the radius


def test_temperature_and_length_scale_the_radius() -> None:
    rng = np.random.default_rng(2)
    logits, derivatives = rng.normal(size=(2, 6, 4))
    one = find_nearest_zeros(logits, derivatives)
    hot = find_nearest_zeros(3 * logits, derivatives, temperature=3.0)
    np.testing.assert_allclose(hot.radius, 3 * one.radius, rtol=1e-9)
    longer = find_nearest_zeros(logits - 5, 4 * derivatives + 7)
    np.testing.assert_allclose(longer.radius, one.radius / 4, rtol=1e-9)


def test_equal_derivatives_have_no_zero() -> None:
    result = find_nearest_zeros([[1.0, 2.0], [0.0, 0.0]], [[3.0, 3.0], [0.0, 1.0]])
    assert result.is_found.tolist() == [False, True]
    assert result.bound[0] == np.inf
    far = find_nearest_zeros([[5000.0, 0.0]], [[1.0, 0.0]])
    assert not far.is_found[0]
    assert far.radius[0] == 1000


def test_taylor_polynomials_converge_within_the_radius_only() -> None:
    rng = np.random.default_rng(3)
    logits, derivatives = rng.normal(size=(2, 5))
    inside, outside = (
        expand_in_taylor_series(logits, derivatives, fraction=x).errors for x in (0.9, 1.1)
    )
    # Errors go as fraction^order / order: 0.9^75 = 4e-4, 1.1^75 = 1e3.
    assert inside[75:].max() < 5e-3 * inside[:5].max()
    assert outside[75:].max() > 20 * outside[:5].max()


def test_the_divergence_of_a_step_is_its_variance_within_the_remainder() -> None:
    """|KL(p_0 || p_t) - t^2 Var(a) / 2| <= |t|^3 D^3 / (36 sqrt 3), of the paper's appendix."""
    rng = np.random.default_rng(7)
    shares = []
    for _ in range(200):
        logits, derivatives = 2 * rng.normal(size=(2, 4))
        t = rng.uniform(-2, 2)
        before, after = log_softmax(logits), log_softmax(logits + t * derivatives)
        law = np.exp(before)
        divergence = law @ (before - after)
        variance = law @ derivatives**2 - (law @ derivatives) ** 2
        spread = softmax_convergence_radius(logits[None], derivatives[None]).spread[0]
        remainder = abs(divergence - t**2 * variance / 2)
        shares.append(remainder / (abs(t * spread) ** 3 / (36 * np.sqrt(3))))
    assert 0.3 < max(shares) <= 1 + 1e-9


# --- the bound and the step


def test_the_bound_by_hand() -> None:
    logits = np.zeros((3, 3))
    derivatives = np.array([[0.0, 1.0, 2.0], [5.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    result = softmax_convergence_radius(logits, derivatives, temperature=2.0, step_norm=np.pi)
    assert result.spread.tolist() == [2, 4, 0]
    np.testing.assert_allclose(result.radius, [np.pi, np.pi / 2, np.inf])
    assert result.batch_radius == pytest.approx(np.pi / 2)
    assert result.bottleneck == 1
    assert result.ratio == pytest.approx(2)
    assert result.scale == pytest.approx(0.5)
    assert softmax_convergence_radius(logits, 0 * logits, step_norm=1.0).scale == 1
    assert softmax_convergence_radius(logits, 0 * logits).batch_radius is None
    half = softmax_convergence_radius(logits, derivatives, quantile=0.75)
    assert half.batch_radius == pytest.approx(np.pi / 3)  # between the spreads 2 and 4


def test_a_step_has_the_radius_of_its_direction() -> None:
    rng = np.random.default_rng(4)
    weights, step, x = (jnp.asarray(rng.normal(size=s)) for s in ((4, 3), (4, 3), (6, 4)))
    norm = float(jnp.linalg.norm(step))
    ratio = float(radius_of_step(lambda w, x: jnp.tanh(x @ w), weights, x, step))
    small = 1e-3
    ahead, behind = (np.tanh(x @ (weights + s * small * step / norm)) for s in (1, -1))
    derivatives = np.asarray((ahead - behind) / (2 * small), float)
    bound = softmax_convergence_radius(np.zeros((6, 3)), derivatives, step_norm=norm)
    assert ratio == pytest.approx(bound.ratio, rel=1e-3)  # single precision differences
    assert cap_step_to_radius(ratio, 0.5) == pytest.approx(min(1, 0.5 / ratio))


# --- training


def digits() -> dict[str, np.ndarray]:
    points, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    points, labels = points[order] / 16, labels[order]
    return {
        "points": points[:1400],
        "labels": labels[:1400],
        "test_points": points[1400:],
        "test_labels": labels[1400:],
    }


SMALL: dict[str, Any] = {
    "base_rate": 1e-2,
    "spike_factor": 100.0,
    "spike_at": 150,
    "target": 0.5,
    "steps": 210,
    "batch": 8,
    "hidden": 4,
    "seeds": 2,
}


def test_a_resumed_training_gives_the_same_answer() -> None:
    data = {name: x[:40] for name, x in digits().items()}
    whole = dataclasses.asdict(drain(compare_steps(**data, **SMALL)))
    run = compare_steps(**data, **SMALL)
    next(run)
    fraction, (done, leaves, records) = next(run)
    assert fraction == pytest.approx(200 / 210)
    kept = (done, [np.array(x) for x in leaves], records.copy())
    resumed = dataclasses.asdict(drain(compare_steps(**data, **SMALL, state=kept)))
    np.testing.assert_equal(resumed, whole)
    # Until the spike nothing was above the target here, so that plain and controlled are one.
    plain, controlled = whole["plain"], whole["controlled"]
    assert plain["ratio"][:, 150].min() > 0.5
    first = np.argmax((plain["ratio"] > 0.5).any(0))
    until = slice(0, first + 1)
    np.testing.assert_allclose(plain["loss"][:, until], controlled["loss"][:, until], rtol=1e-5)
    after = plain["loss"][:, first + 1] - controlled["loss"][:, first + 1]
    assert np.abs(after).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("base_rate", [1e-4, 1e-3, 1e-2])
def test_the_controller_carries_training_through_a_spike(base_rate: float) -> None:
    runs = compare_controllers(**digits(), base_rate=base_rate, seeds=5)
    assert (runs.plain.ratio[:, 50] > 2).all()  # not trivial: the spike is far too long
    assert (runs.controlled.accuracy > runs.plain.accuracy + 0.03).all()
    assert (runs.controlled.accuracy > runs.clipped.accuracy).all()
    if base_rate > 1e-4:
        assert (runs.controlled.accuracy >= 0.93).all()


# --- refusals


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"derivatives": [[1.0, 2.0, 3.0]]}, r"`derivatives` must have 2 entries along axis 1"),
        ({"logits": [[1.0]], "derivatives": [[1.0]]}, "at least 2 entries along axis 1"),
        ({"logits": [[float("nan"), 1.0]]}, "`logits` must be finite"),
        ({"temperature": 0}, "`temperature` must be greater than 0"),
        ({"quantile": 0.5}, "`quantile` must be greater than 0.5"),
        ({"quantile": 1.1}, "`quantile` must be at most 1"),
        ({"step_norm": -1}, "`step_norm` must be at least 0"),
        ({"target": 0}, "`target` must be greater than 0"),
    ],
)
def test_refusals_of_the_bound(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        softmax_convergence_radius(**{"logits": [[0.0, 1.0]], "derivatives": [[1.0, 2.0]]} | change)


def test_other_refusals() -> None:
    with pytest.raises(InputError, match="`derivatives` must differ"):
        expand_in_taylor_series([1.0, 2.0], [1.0, 1.0])
    x = np.ones((2, 1))
    for labels, test_labels, sentence in (
        ([0, -1], [0, 0], "`labels` must not be negative, but holds -1"),
        ([0, 0], [0, 0], r"K in \[2, 1000\], but the largest is 0"),
        ([0, 1], [0, 2], "`test_labels` must be classes of `labels`, but holds 2"),
    ):
        with pytest.raises(InputError, match=sentence):
            compare_controllers(x, labels, x, test_labels)
    with pytest.raises(InputError, match="find-nearest-zeros takes at most 2e.04 logits"):
        KERNEL.operation("find-nearest-zeros").is_short({"logits": np.ones((200, 101))})
