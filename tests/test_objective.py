import jax
import numpy as np
import pytest

from aqc import overlap
from aqc.ansatz import Ansatz
from aqc.objective import OBJECTIVES, evaluate
from aqc.tebd import evolve
from reference import fidelity, neel, random_chain, statevector


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_value_and_gradient_in_local_coordinates(objective):
    """The gradient is the slope of the value along retractions."""
    n, chain = 5, random_chain(5, seed=0)
    target = evolve(chain, neel(n), 0.6, steps=6, angle=1e-8, max_bond=8).mps
    ansatz = Ansatz.from_trotter(chain, 0.6, neel(n), layers=3, order=2)
    options = {"objective": objective, "block": "su4", "num_qubits": n}
    rng = np.random.default_rng(1)
    with jax.enable_x64(True):
        data = overlap.prepare(ansatz, target, "exact", np.dtype(complex))
        still = np.zeros((len(ansatz.blocks), 15))
        here = evaluate(ansatz.blocks[:, None], still, data, **options)
        f = fidelity(target.to_dense(), statevector(ansatz.circuit()))
        expected = {"log_density": -np.log(f) / n, "infidelity": 1 - f}[objective]
        assert float(here.value) == pytest.approx(expected, abs=1e-12)
        assert float(here.log_fidelity) == pytest.approx(np.log(f), abs=1e-12)
        assert 1e-3 < 1 - f < 0.9
        for _ in range(4):
            x, h = rng.normal(size=still.shape), 1e-6
            ahead = evaluate(ansatz.blocks[:, None], h * x, data, **options).value
            behind = evaluate(ansatz.blocks[:, None], -h * x, data, **options).value
            slope = float(np.sum(np.asarray(here.gradient) * x))
            assert float(ahead - behind) / (2 * h) == pytest.approx(slope, rel=1e-5)
