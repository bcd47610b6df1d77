"""Both engines against a state vector, against each other, and their gradients."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aqc import overlap
from aqc.ansatz import Ansatz
from aqc.mps import MPS, normalized
from aqc.tebd import evolve
from reference import (
    fidelity,
    neel,
    random_product,
    random_unitaries,
    statevector,
    xxz,
)


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def random_case(num_qubits: int, layers: int, seed: int) -> tuple[Ansatz, MPS]:
    count = sum(len(range(layer % 2, num_qubits - 1, 2)) for layer in range(layers))
    ansatz = Ansatz(
        random_product(num_qubits, seed), layers, random_unitaries(count, 4, seed=seed + 1)
    )
    rng = np.random.default_rng(seed + 2)
    bonds = [1, *rng.integers(1, 5, size=num_qubits - 1), 1]
    shapes = [(bonds[j], 2, bonds[j + 1]) for j in range(num_qubits)]
    tensors = tuple(rng.normal(size=s) + 1j * rng.normal(size=s) for s in shapes)
    return ansatz, normalized(MPS(tensors))


def value_and_gradient(ansatz: Ansatz, target: MPS, engine: str) -> tuple[float, np.ndarray]:
    data = overlap.prepare(ansatz, target, engine, np.dtype(complex))
    evaluate = jax.jit(jax.value_and_grad(overlap.log_fidelity))
    value, gradient = evaluate(jnp.asarray(ansatz.blocks), data)
    return float(value), np.asarray(gradient)


@pytest.mark.parametrize("num_qubits", [2, 3, 5, 8])
@pytest.mark.parametrize("layers", [1, 2, 3, 6])
def test_engines_agree_with_the_state_vector(num_qubits, layers):
    ansatz, target = random_case(num_qubits, layers, seed=num_qubits * 10 + layers)
    truth = np.log(fidelity(target.to_dense(), statevector(ansatz.circuit())))
    exact, exact_gradient = value_and_gradient(ansatz, target, "exact")
    dense, dense_gradient = value_and_gradient(ansatz, target, "dense")
    assert exact == pytest.approx(truth, abs=1e-10)
    assert dense == pytest.approx(truth, abs=1e-10)
    scale = np.abs(exact_gradient).max()
    assert np.abs(exact_gradient - dense_gradient).max() < 1e-10 * scale


_ON_TWO_DEVICES = """
import sys
import jax
import numpy as np
from overlap.test_overlap import random_case, value_and_gradient

assert jax.device_count() == 2
with jax.enable_x64(True):
    value, gradient = value_and_gradient(*random_case(7, 5, seed=3), "exact")
np.savez(sys.argv[1], value=value, gradient=gradient)
"""


def test_halves_on_two_devices_give_the_same(tmp_path):
    file = tmp_path / "out.npz"
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "2", "JAX_PLATFORMS": "cpu"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    subprocess.run(
        [sys.executable, "-c", _ON_TWO_DEVICES, str(file)], check=True, env=environment, timeout=120
    )
    there = np.load(file)
    value, gradient = value_and_gradient(*random_case(7, 5, seed=3), "exact")
    assert float(there["value"]) == pytest.approx(value, abs=1e-13)
    assert np.abs(there["gradient"] - gradient).max() < 1e-13 * np.abs(gradient).max()


@pytest.mark.parametrize("engine", ["exact", "dense"])
@pytest.mark.parametrize("layers", [1, 4, 5])
def test_gradient_is_the_central_difference(engine, layers):
    ansatz, target = random_case(5, layers, seed=7)
    _, gradient = value_and_gradient(ansatz, target, engine)
    data = overlap.prepare(ansatz, target, engine, np.dtype(complex))
    value = jax.jit(overlap.log_fidelity)
    rng = np.random.default_rng(8)
    for _ in range(5):
        shape = ansatz.blocks.shape
        direction = rng.normal(size=shape) + 1j * rng.normal(size=shape)
        h = 1e-6
        ahead = float(value(jnp.asarray(ansatz.blocks + h * direction), data))
        behind = float(value(jnp.asarray(ansatz.blocks - h * direction), data))
        slope = float(np.sum(gradient * direction).real)
        assert (ahead - behind) / (2 * h) == pytest.approx(slope, rel=1e-6)


def test_nothing_underflows_on_a_long_chain():
    """Identity blocks: the overlap of product states, 2^-1501 here, known in closed form."""
    n = 1501
    count = sum(len(range(layer % 2, n - 1, 2)) for layer in range(3))
    ansatz = Ansatz(neel(n), 3, np.tile(np.eye(4, dtype=complex), (count, 1, 1)))
    tilted = MPS.product(np.full((n, 2), 0.5**0.5))
    value, gradient = value_and_gradient(ansatz, tilted, "exact")
    assert value == pytest.approx(-n * np.log(2), rel=1e-12)
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0.1


def test_single_precision_is_good_to_a_millionth_per_site():
    chain = xxz(20)
    target = evolve(chain, neel(20), 0.5, steps=4, angle=1e-5, max_bond=32).mps
    ansatz = Ansatz.from_trotter(chain, 0.5, neel(20), layers=5, order=2)
    values = []
    for dtype in ("complex64", "complex128"):
        data = overlap.prepare(ansatz, target, "exact", np.dtype(dtype))
        values.append(float(overlap.log_fidelity(jnp.asarray(ansatz.blocks, dtype), data)))
    assert abs(values[1]) > 1e-4
    assert abs(values[0] - values[1]) < 20 * 1e-6


def test_orthogonal_states_give_no_finite_value():
    n = 4
    ansatz = Ansatz(neel(n), 1, np.tile(np.eye(4, dtype=complex), (2, 1, 1)))
    other = MPS.product(np.eye(2)[[0, 0, 0, 0]])
    for engine in ("exact", "dense"):
        assert not np.isfinite(value_and_gradient(ansatz, other, engine)[0])
