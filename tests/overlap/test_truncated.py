"""The truncated overlap against the exact one: values, gradients, what truncation costs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aqc import overlap
from aqc.ansatz import Ansatz
from aqc.cost import memory
from aqc.errors import TruncationError
from aqc.fit import fit
from aqc.mps import MPS
from aqc.overlap import bonds
from aqc.tebd import evolve
from overlap.test_overlap import random_case, value_and_gradient
from reference import neel, xxz

COMPLEX = np.dtype(complex)


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def truncated(ansatz: Ansatz, target: MPS, segments, dtype=COMPLEX):
    """Return log F, the weight lost and the gradient of log F."""
    data = overlap.prepare(ansatz, target, "truncated", dtype, segments=segments)
    run = jax.jit(jax.value_and_grad(overlap.measure, has_aux=True))
    blocks = jnp.asarray(ansatz.blocks, dtype)
    # Compiling takes longer than running here.
    hasty = {"xla_backend_optimization_level": 0}
    (value, lost), gradient = run.lower(blocks, data).compile(hasty)(blocks, data)
    return float(value), float(lost), np.asarray(gradient)


def quench(num_qubits: int, layers: int, chi: int) -> tuple[Ansatz, MPS]:
    target = evolve(xxz(num_qubits), neel(num_qubits), 0.6, steps=4, angle=1e-6, max_bond=chi).mps
    order = 2 if layers % 2 else 1
    start = Ansatz.from_trotter(xxz(num_qubits), 0.6, neel(num_qubits), layers=layers, order=order)
    return start, target


@pytest.mark.parametrize(
    ("num_qubits", "layers", "segments"),
    [(2, 1, ((1, 4),)), (7, 4, ((1, 8), (1, 16)))],
)
def test_without_truncation_it_is_the_exact_overlap(num_qubits, layers, segments):
    """Random blocks and a random target: F is tiny, and no layer is near the identity."""
    ansatz, target = random_case(num_qubits, layers, seed=num_qubits + layers)
    exact, exact_gradient = value_and_gradient(ansatz, target, "exact")
    assert exact < -0.1
    value, lost, gradient = truncated(ansatz, target, segments)
    assert lost < 1e-12
    assert value == pytest.approx(exact, abs=1e-10)
    assert np.abs(gradient - exact_gradient).max() < 1e-9 * np.abs(exact_gradient).max()


def test_the_gradients_error_follows_the_weight_lost():
    ansatz, target = quench(10, 4, 32)
    exact, exact_gradient = value_and_gradient(ansatz, target, "exact")
    scale = np.linalg.norm(exact_gradient)
    losses, value_errors, gradient_errors = [], [], []
    for bond in (4, 8, 32):
        value, lost, gradient = truncated(ansatz, target, ((2, bond),))
        losses.append(lost)
        value_errors.append(abs(value - exact))
        gradient_errors.append(np.linalg.norm(gradient - exact_gradient) / scale)
    assert losses[0] > 1e-3
    assert losses[-1] < 1e-8
    assert losses == sorted(losses, reverse=True)
    assert gradient_errors == sorted(gradient_errors, reverse=True)
    for lost, value_error, gradient_error in zip(
        losses, value_errors, gradient_errors, strict=True
    ):
        # Errors of the amplitude are of second order: weights, not their square roots.
        assert value_error < lost + 1e-9
        assert gradient_error < 3 * lost + 1e-7


def test_chosen_bonds_lose_about_what_they_may():
    ansatz, target = quench(12, 5, 32)
    data = overlap.prepare(ansatz, target, "truncated", COMPLEX, weight=1e-3)
    assert sum(pairs for pairs, _ in data.segments) == 3
    assert truncated(ansatz, target, data.segments)[1] < 1e-3


@pytest.mark.slow
def test_single_precision_rounds_and_nothing_else():
    ansatz, target = quench(10, 5, 32)
    exact, _ = value_and_gradient(ansatz, target, "exact")
    value, lost, _ = truncated(ansatz, target, ((3, 32),), np.dtype(np.complex64))
    assert value == pytest.approx(exact, abs=10e-6)
    assert lost < 1e-4


def test_nothing_underflows_on_a_long_chain():
    n = 1501
    blocks = np.tile(np.eye(4, dtype=complex), (n - 1, 1, 1))
    ansatz = Ansatz(neel(n), 2, blocks)
    tilted = MPS.product(np.full((n, 2), 0.5**0.5))
    value, lost, gradient = truncated(ansatz, tilted, ((1, 2),))
    assert value == pytest.approx(-n * np.log(2), rel=1e-12)
    assert lost < 1e-9
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0.1


def test_a_fit_raises_bonds_that_lose_too_much(monkeypatch):
    ansatz, target = quench(10, 5, 32)
    monkeypatch.setattr("aqc.fit.choose_segments", lambda *_: ((3, 4),))
    found = fit(ansatz, target, overlap_method="truncated", goal=1e-3, max_evaluations=3)
    assert found.method == "truncated"
    assert found.lost <= 5e-4
    exact, _ = value_and_gradient(found.ansatz, target, "exact")
    assert exact == pytest.approx(found.optimum.state.log_fidelity, abs=1e-4)


def test_a_fit_refuses_what_no_bond_dimension_can_keep():
    """Haar-random blocks entangle more than three times the target's bond dimension can hold."""
    ansatz, target = random_case(12, 9, seed=4)
    with pytest.raises(TruncationError, match="must lose at most a weight of 5.0e-05, but loses"):
        fit(ansatz, target, overlap_method="truncated", goal=1e-4, max_evaluations=3)


def test_auto_takes_the_exact_overlap_where_truncation_loses_too_much(monkeypatch):
    monkeypatch.setattr("aqc.fit.choose_engine", lambda *_, **__: "truncated")
    monkeypatch.setattr("aqc.fit._LARGEST_BOND", 1)
    ansatz, target = random_case(10, 7, seed=4)
    found = fit(ansatz, target, goal=1e-8, max_evaluations=3)
    assert found.method == "exact"
    with pytest.raises(TruncationError, match="the largest that its memory was estimated for"):
        fit(ansatz, target, goal=1e-8, max_evaluations=3, memory_limit=1e5)


def test_bonds_grow_only_as_far_as_their_memory_goes(monkeypatch):
    ansatz, target = random_case(10, 7, seed=4)
    used = []
    original = overlap.prepare

    def seen(*arguments, segments, **options):
        used.append(max(bond for _, bond in segments))
        return original(*arguments, segments=segments, **options)

    monkeypatch.setattr("aqc.fit.overlap.prepare", seen)
    limit = memory(10, 7, 0, "truncated", bond=14)
    with pytest.raises(TruncationError, match="at bond dimension 14, the largest"):
        fit(ansatz, target, overlap_method="truncated", goal=1e-8, memory_limit=limit)
    assert max(used) == 14


def test_early_pairs_get_a_segment_of_their_own_where_it_pays():
    assert bonds.segments_of([8, 8, 8, 8, 48, 48]) == ((4, 8), (2, 48))
    assert bonds.segments_of([40, 40, 48]) == ((3, 48),)
    assert bonds.segments_of([8]) == ((1, 8),)
