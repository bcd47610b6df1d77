"""The shelf's optimizers drive the circuit's optimization, in the shape that they are made for."""

import jax
import numpy as np
import optax
import pytest

from aqc import compile_evolution
from aqc.errors import InputError
from aqc.methods import _by_rows, method_named

CHAIN = {"model": "xxz_chain", "num_qubits": 6, "delta": 0.5}


@pytest.mark.parametrize("name", ["root", "normuon", "auon"])
def test_each_lowers_the_infidelity_of_a_circuit(name):
    result = compile_evolution(
        CHAIN,
        0.4,
        initial_state="neel",
        ansatz={"layers": 3},
        optimizer={"name": name, "max_steps": 150},
        goal={"infidelity": 1e-6},
    )
    first, last = result.optimum.history[0][1], result.certificate.infidelity
    assert first > 0.02  # not a trivial case
    assert last < 0.1 * first


def test_matrices_are_what_the_transformation_sees():
    seen = []

    def update(gradient, state, parameters=None):
        seen.append((gradient.shape, parameters.shape))
        return -gradient, state

    inner = optax.GradientTransformation(lambda matrix: matrix.shape, update)
    outer = _by_rows(inner, 15)
    vector = np.arange(45.0)
    assert outer.init(vector) == (3, 15)
    step, _ = outer.update(vector, None, vector)
    assert seen == [((3, 15), (3, 15))]
    assert np.array_equal(step, -vector)


def test_matrices_are_taken_as_matrices_not_by_the_fallback_for_vectors():
    """Muon's kind gives every singular value of a step the same size; AdamW does not."""
    rng = np.random.default_rng(0)
    gradient = (rng.normal(size=(3, 15)) * np.array([[10.0], [1.0], [0.1]])).ravel()
    with jax.enable_x64(True):
        step = method_named("root", 100, 15).direction(gradient, np.empty(0), 0).reshape(3, 15)
    sizes = np.linalg.svd(step, compute_uv=False)
    assert sizes[-1] > 0.5 * sizes[0]


def test_unknown_name_is_refused():
    with pytest.raises(InputError, match="optimizer.name"):
        compile_evolution(CHAIN, 0.1, optimizer={"name": "rot"})
