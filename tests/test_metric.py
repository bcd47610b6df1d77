import numpy as np
import pytest

from aqc.ansatz import Ansatz
from aqc.blocks import SU4
from aqc.evolved import evolve_within
from aqc.fit import fit
from aqc.gates import evolution
from aqc.methods import METHODS
from aqc.metric import fubini_study
from reference import fidelity, neel, random_chain, random_product, random_unitaries, statevector


def test_metric_is_the_curvature_of_the_fidelity():
    """|<psi|psi(x)>|^2 = 1 - x^T M x + O(x^3) for moves of one block."""
    ansatz = Ansatz(random_product(4, seed=0), 3, random_unitaries(5, 4, seed=1))
    metric = fubini_study(ansatz, ansatz.blocks)
    here = statevector(ansatz.circuit())
    rng = np.random.default_rng(2)
    for number in range(5):
        x = rng.normal(size=15)
        generator = np.tensordot(x, SU4.generators(), 1)
        losses = []
        for h in (1e-3, -1e-3):
            moved = ansatz.blocks.copy()
            moved[number] = moved[number] @ evolution(generator, -h)
            there = statevector(ansatz.with_blocks(moved).circuit())
            losses.append((1 - fidelity(here, there)) / h**2)
        assert np.mean(losses) == pytest.approx(x @ metric[number] @ x, rel=1e-3)


def test_metric_halves_the_evaluations_on_a_chain_with_fields():
    n, chain = 12, random_chain(12, seed=3)
    target = evolve_within(chain, neel(n), 0.5, tolerance=1e-7, max_bond=64).mps
    ansatz = Ansatz.from_trotter(chain, 0.5, neel(n), layers=7, order=2)
    plain = fit(ansatz, target, max_evaluations=60, optimizer=METHODS["riemannian_lbfgs"](None))
    scaled = fit(ansatz, target, max_evaluations=30)
    assert plain.optimum.history[0][1] > 5 * plain.optimum.infidelity
    assert scaled.optimum.infidelity <= plain.optimum.infidelity
