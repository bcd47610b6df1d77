"""Perturb, then diagonalize: closed forms of HiPPO-LegS, exact gradients, bounds, filtering."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy.signal import StateSpace, lsim

from aqc.errors import InputError
from aqc.kernels._kernel import drain
from aqc.kernels.perturb_then_diagonalize import (
    KERNEL,
    condition_and_gradient,
    diagonalize_hippo,
    evaluate_transfer_function,
    filter_signal,
    hippo_legs,
    hippo_steps,
    last_spike,
    perturb_then_diagonalize,
)
from aqc.kernels.perturb_then_diagonalize._systems import transfer


def s4d_closed_form(n: int, s: complex) -> complex:
    k = np.arange(n)
    return complex(1 / ((s + 1) * (1 + np.prod((s - k) / (s + k + 1)))))


# --- HiPPO-LegS


@pytest.mark.parametrize("n", [8, 32, 64, 128])
def test_transfer_functions_have_their_closed_forms(n: int) -> None:
    full, normal, inputs = hippo_legs(n)
    omega = np.array([0.3, 3.0, 50.0, n**2 / np.pi])
    outputs = np.eye(1, n)
    for matrix, gain, closed in (
        (full, inputs, [1 / (1j * w + 1) for w in omega]),
        (normal, inputs / 2, [s4d_closed_form(n, 1j * w) for w in omega]),
    ):
        dense = [
            (outputs @ np.linalg.solve(1j * w * np.eye(n) - matrix, gain)).item() for w in omega
        ]
        np.testing.assert_allclose(dense, closed, rtol=0, atol=1e-11)
        ours = transfer(matrix, gain, outputs, omega)[:, 0, 0]
        np.testing.assert_allclose(ours, closed, rtol=0, atol=1e-10)


def test_the_normal_part_is_normal() -> None:
    full, normal, inputs = hippo_legs(20)
    np.testing.assert_allclose(normal + normal.T, -np.eye(20), atol=1e-12)
    np.testing.assert_allclose(full, normal - inputs @ inputs.T / 2, atol=1e-12)
    assert np.linalg.norm(full @ full.T - full.T @ full) > 100


@pytest.mark.parametrize(("n", "height"), [(8, 0.694), (32, 0.6402), (64, 0.6375), (128, 0.6368)])
def test_the_last_spike_of_s4d_does_not_vanish(n: int, height: float) -> None:
    spike = last_spike(n)
    assert spike == pytest.approx(n**2 / np.pi, rel=0.05)
    near = spike + np.linspace(-2, 2, 4001)
    gains = [abs(s4d_closed_form(n, 1j * w)) for w in near]
    assert max(gains) == pytest.approx(height, abs=1e-3)
    assert abs(s4d_closed_form(n, 1j * spike)) == pytest.approx(max(gains), rel=0.02)


def test_s4d_converges_as_one_over_n_where_the_frequency_is_fixed() -> None:
    gaps = [n * abs(s4d_closed_form(n, 1j) - 1 / (1 + 1j)) for n in (64, 128, 256, 512)]
    assert min(gaps) > 0.70
    assert max(gaps) < 0.72


# --- the perturbation


def test_the_gradient_agrees_with_central_differences() -> None:
    rng = np.random.default_rng(0)
    for n in (2, 5, 8):
        matrix = rng.normal(size=(n, n))  # complex pairs among the eigenvalues
        _, gradient = condition_and_gradient(matrix)
        for _ in range(5):
            direction = rng.normal(size=(n, n))
            ends = [condition_and_gradient(matrix + s * 1e-6 * direction)[0] for s in (1, -1)]
            slope = (ends[0] - ends[1]) / 2e-6
            assert np.sum(gradient * direction) == pytest.approx(slope, rel=1e-5, abs=1e-6)


def test_the_condition_number_is_that_of_unit_eigenvectors() -> None:
    matrix = np.random.default_rng(1).normal(size=(6, 6))
    _, v = np.linalg.eig(matrix)
    v = v / np.linalg.norm(v, axis=0)
    expected = np.linalg.norm(v) * np.linalg.norm(np.linalg.inv(v))
    assert condition_and_gradient(matrix)[0] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_hippo_becomes_diagonal_with_a_uniformly_small_error(seed: int) -> None:
    found = diagonalize_hippo(32, seed=seed)
    system = found.system
    raw = np.linalg.cond(np.linalg.eig(hippo_legs(32)[0])[1])
    assert raw > 1e10  # not trivial
    # Ten seeds: 960 to 2600; random perturbations of the same norm are 8 to 27 times worse.
    assert system.condition <= 4000
    assert system.random_frobenius_condition > 5 * system.frobenius_condition
    # The bound eps / (1 - 2 eps), and what S4D does at its last spike.
    assert system.sup_error <= 0.1 / 0.8
    assert system.sup_error < 0.02 < 0.6 < found.s4d_sup_error
    assert system.is_stable
    assert system.spectral_abscissa < -0.4  # the numerical range of A ends at -1/2
    assert system.perturbation_norm <= 0.1 * (1 + 1e-12)
    assert system.backward_error == pytest.approx(system.perturbation_norm, rel=1e-6)


def test_errors_are_those_of_the_returned_system() -> None:
    rng = np.random.default_rng(2)
    matrix, inputs, outputs = (rng.normal(size=s) for s in ((6, 6), (6, 2), (3, 6)))
    matrix -= 4 * np.eye(6)
    found = perturb_then_diagonalize(matrix, inputs, outputs, eps=0.05, steps=20)
    pick = [0, 500, 1500]
    values = evaluate_transfer_function(
        found.eigenvalues, found.inputs, found.outputs, found.omega[pick]
    ).values
    for value, w, error in zip(values, found.omega[pick], found.errors[pick], strict=True):
        exact = outputs @ np.linalg.solve(1j * w * np.eye(6) - matrix, inputs)
        assert error == pytest.approx(np.linalg.norm(value - exact, 2), rel=1e-6)
    assert found.sup_error == found.errors.max()
    assert len(found.history) == 20


def test_no_steps_leave_the_random_perturbation() -> None:
    found = diagonalize_hippo(16, steps=0).system
    assert found.frobenius_condition == pytest.approx(found.random_frobenius_condition, rel=1e-6)
    assert found.perturbation_norm == pytest.approx(0.1, rel=1e-12)


def test_a_large_random_perturbation_is_unstable_and_told() -> None:
    # A hundredth of ||A|| is enough at n = 32.
    size = 0.01 * np.linalg.norm(hippo_legs(32)[0], 2)
    found = diagonalize_hippo(32, eps=size, steps=0).system
    assert found.spectral_abscissa > 0
    assert not found.is_stable
    with pytest.raises(InputError, match="negative real parts, but one has .* not stable"):
        filter_signal(found.eigenvalues, found.inputs, found.outputs, np.ones((5, 1)), 0.1)


def test_a_resumed_search_gives_the_same_answer() -> None:
    whole = dataclasses.asdict(drain(hippo_steps(8, 0.1, 1e3, 70, 0)))
    run = hippo_steps(8, 0.1, 1e3, 70, 0)
    next(run)
    fraction, state = next(run)
    assert fraction == pytest.approx(50 / 70)
    kept = {name: np.array(x) if np.ndim(x) else x for name, x in state.items()}
    resumed = dataclasses.asdict(drain(hippo_steps(8, 0.1, 1e3, 70, 0, kept)))
    np.testing.assert_equal(resumed, whole)


# --- signals


def test_the_filter_agrees_with_scipy() -> None:
    rng = np.random.default_rng(3)
    matrix = rng.normal(size=(5, 5)) - 3 * np.eye(5)
    inputs, outputs = rng.normal(size=(5, 2)), rng.normal(size=(3, 5))
    eigenvalues, v = np.linalg.eig(matrix)
    signal = rng.normal(size=(200, 2))
    ours = filter_signal(eigenvalues, np.linalg.solve(v, inputs), outputs @ v, signal, 0.05)
    system = StateSpace(matrix, inputs, outputs, np.zeros((3, 2)))
    _, expected, _ = lsim(system, signal, ours.times, interp=False)
    np.testing.assert_allclose(ours.outputs, expected, atol=1e-10)


def test_s4d_rings_at_its_last_spike_and_the_perturbed_system_does_not() -> None:
    n, dt = 32, 1e-3
    found = diagonalize_hippo(n)
    times = np.arange(20_000) * dt
    signal = (np.exp(-times) + 0.1 * np.sin(found.s4d_sup_error_at * times))[:, None]
    _, normal, inputs = hippo_legs(n)
    eigenvalues, v = np.linalg.eig(normal)
    s4d = (eigenvalues, v.conj().T @ inputs / 2, np.eye(1, n) @ v)  # V is unitary
    perturbed = (found.system.eigenvalues, found.system.inputs, found.system.outputs)
    late = times > 12
    ripples = []
    for system in (s4d, perturbed):
        y = filter_signal(*system, signal, dt).outputs[late, 0]
        trend = np.polynomial.Polynomial.fit(times[late], y, 6)(times[late])
        ripples.append(np.abs(y - trend).max())
    assert ripples[0] > 0.05
    assert ripples[1] <= 1e-3
    assert ripples[0] >= 50 * ripples[1]


# --- refusals


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"matrix": [[1.0, 0.0]]}, r"must have 1 entry along axis 1 \(n\)|at least 2 entries"),
        ({"matrix": [[float("nan"), 0.0], [0.0, 1.0]]}, "`matrix` must be finite"),
        ({"matrix": np.zeros((2, 2))}, "`matrix` must not be zero"),
        ({"matrix": np.eye(257)}, "at most 256 entries"),
        ({"inputs": [[1.0]] * 3}, r"`inputs` must have 2 entries along axis 0 \(n\)"),
        ({"matrix": [[1e200, 0.0], [0.0, 1.0]]}, "entries up to 1e.50, but has 1e.200"),
        ({"eps": 0}, "`eps` must be greater than 0"),
        ({"gamma": 0}, "`gamma` must be at least 1e-06"),
        ({"steps": 2001}, "`steps` must be at most 2000"),
        (
            {"matrix": [[-1.0, 1.0], [0.0, -1.0]], "eps": 1e-300},
            "singular to working precision; choose a larger `eps`",
        ),
    ],
)
def test_refusals(change: dict[str, Any], sentence: str) -> None:
    given = {"matrix": -np.eye(2), "inputs": np.ones((2, 1)), "outputs": np.ones((1, 2))}
    with pytest.raises(InputError, match=sentence):
        perturb_then_diagonalize(**given | change)


def test_other_refusals() -> None:
    with pytest.raises(InputError, match="`omega` must hold no pole"):
        evaluate_transfer_function([2j], [[1.0]], [[1.0]], [1.0, 2.0])
    with pytest.raises(InputError, match="`size` must be at most 256"):
        diagonalize_hippo(257)
    with pytest.raises(InputError, match="`dt` must be greater than 0"):
        filter_signal([-1.0], [[1.0]], [[1.0]], [[1.0]], 0.0)
    with pytest.raises(InputError, match="diagonalize-hippo takes at most 3e.10 steps x n.3"):
        KERNEL.operation("diagonalize-hippo").is_short({"size": 256, "steps": 2000})
