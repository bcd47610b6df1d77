import jax
import numpy as np
import pytest

from aqc.ansatz import Ansatz
from aqc.blocks import BLOCKS
from aqc.evolved import evolve_within
from aqc.fit import fit
from aqc.methods import METHODS
from aqc.metric import fubini_study
from aqc.points import exact_matrices, nearest_point
from reference import fidelity, neel, random_chain, random_product, random_unitaries, statevector


@pytest.mark.parametrize("block", BLOCKS)
def test_metric_is_the_curvature_of_the_fidelity(block):
    """|<psi|psi(x)>|^2 = 1 - x^T M x + O(x^3) for moves of one block."""
    ansatz = Ansatz(random_product(4, seed=0), 3, random_unitaries(5, 4, seed=1), block)
    point = nearest_point(ansatz.blocks, block)
    metric = fubini_study(ansatz, point)
    here = statevector(ansatz.with_blocks(exact_matrices(point, block)).circuit())
    rng = np.random.default_rng(2)
    retract = jax.jit(BLOCKS[block].retract)
    for number in range(5):
        x = np.zeros((5, BLOCKS[block].num_parameters))
        x[number] = rng.normal(size=x.shape[1])
        losses = []
        for h in (1e-3, -1e-3):
            with jax.enable_x64(True):
                moved = np.asarray(retract(point, h * x))
            there = statevector(ansatz.with_blocks(exact_matrices(moved, block)).circuit())
            losses.append((1 - fidelity(here, there)) / h**2)
        assert np.mean(losses) == pytest.approx(x[number] @ metric[number] @ x[number], rel=1e-3)


def test_metric_halves_the_evaluations_on_a_chain_with_fields():
    n, chain = 12, random_chain(12, seed=3)
    target = evolve_within(chain, neel(n), 0.5, tolerance=1e-7, max_bond=64).mps
    ansatz = Ansatz.from_trotter(chain, 0.5, neel(n), layers=7, order=2)
    plain = fit(ansatz, target, max_evaluations=60, optimizer=METHODS["riemannian_lbfgs"](None))
    scaled = fit(ansatz, target, max_evaluations=30)
    assert plain.optimum.history[0][1] > 5 * plain.optimum.infidelity
    assert scaled.optimum.infidelity <= plain.optimum.infidelity
