import numpy as np
import pytest

from aqc.errors import TruncationError
from aqc.tebd import apply_layers, evolve
from aqc.trotter import Layer
from reference import evolved, fidelity, kron, neel, random_chain, random_product, xxz


@pytest.mark.parametrize("num_qubits", [2, 3, 6, 7])
@pytest.mark.parametrize("time", [0.4, -0.4, 0.0])
def test_evolution_is_the_dense_exponential(num_qubits, time):
    chain, state = random_chain(num_qubits, seed=0), random_product(num_qubits, seed=1)
    mps = evolve(chain, state, time, steps=24, angle=1e-8, max_bond=16).mps
    assert np.abs(mps.to_dense() - evolved(chain, state, time)).max() < 1e-5


def test_fourth_order():
    chain, state = random_chain(6, seed=2), random_product(6, seed=3)
    exact = evolved(chain, state, 0.6)
    errors = []
    for steps in (4, 8):
        mps = evolve(chain, state, 0.6, steps=steps, angle=1e-8, max_bond=16).mps
        errors.append(np.linalg.norm(mps.to_dense() - exact))
    assert errors[1] > 1e-7
    assert np.log2(errors[0] / errors[1]) == pytest.approx(4, abs=0.3)


def test_budget_is_kept_and_covers_the_true_loss():
    fine = evolve(xxz(10), neel(10), 1.0, steps=4, angle=1e-9, max_bond=32)
    coarse = evolve(xxz(10), neel(10), 1.0, steps=4, angle=0.01, max_bond=32)
    angle = np.arccos(np.sqrt(fidelity(fine.mps.to_dense(), coarse.mps.to_dense())))
    assert 1e-4 < angle <= coarse.angle <= 0.01 * (1 + 1e-9)
    assert coarse.mps.max_bond < fine.mps.max_bond


def test_too_small_a_bond_is_refused_early():
    done = []
    with pytest.raises(TruncationError, match=r"bond dimension of 4 must hold .* raise"):
        evolve(
            xxz(12),
            neel(12),
            2.0,
            steps=6,
            angle=0.01,
            max_bond=4,
            limit=0.02,
            progress=done.append,
        )
    assert done[-1] < 0.6


def test_a_tolerance_below_rounding_is_refused_as_such():
    with pytest.raises(TruncationError, match="must leave room for the rounding"):
        evolve(xxz(10), neel(10), 1.0, steps=4, angle=1e-9, max_bond=64, limit=1e-9)


def test_layers_of_one_qubit_gates_rotate():
    state = random_product(3, seed=4)
    flip = np.array([[0, 1], [1, 0]])
    result = apply_layers(state, [Layer(None, np.stack([flip] * 3))], angle=0.0, max_bond=2)
    assert np.allclose(result.mps.to_dense(), kron(state[:, ::-1]))
