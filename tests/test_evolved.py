import pytest

from aqc.evolved import angle_between, evolve_within, guess_steps
from aqc.hamiltonian import Hamiltonian
from aqc.mps import MPS
from reference import evolved, fidelity, neel, random_chain, random_product, xxz


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-7])
@pytest.mark.parametrize("evolver", ["native", "quimb"])
def test_target_is_within_its_tolerance_and_says_so(seed, tolerance, evolver):
    n = 6 + seed
    chain, state = random_chain(n, seed=seed), random_product(n, seed=seed + 10)
    target = evolve_within(chain, state, 0.7, tolerance=tolerance, max_bond=64, evolver=evolver)
    truth = 1 - fidelity(target.mps.to_dense(), evolved(chain, state, 0.7))
    assert truth <= target.infidelity_bound + 1e-13
    assert target.infidelity_bound <= tolerance
    assert target.evolver == evolver


@pytest.mark.parametrize("time", [6.0, -3.0])
def test_long_and_negative_times(time):
    chain, state = random_chain(7, seed=5), random_product(7, seed=6)
    target = evolve_within(chain, state, time, tolerance=1e-5, max_bond=16)
    truth = 1 - fidelity(target.mps.to_dense(), evolved(chain, state, time))
    assert truth <= target.infidelity_bound <= 1e-5


def test_evolvers_agree_on_a_longer_chain():
    chain, state = xxz(24), neel(24)
    native, quimb = (
        evolve_within(chain, state, 0.6, tolerance=1e-6, max_bond=64, evolver=evolver)
        for evolver in ("native", "quimb")
    )
    bound = native.truncation_angle + quimb.truncation_angle
    assert angle_between(native.mps, quimb.mps) <= bound
    assert native.steps == quimb.steps
    assert abs(native.mps.max_bond - quimb.mps.max_bond) <= 4


def test_nothing_to_evolve():
    state = neel(5)
    for chain, time in ((xxz(5), 0.0), (Hamiltonian.from_terms(5, []), 1.0)):
        target = evolve_within(chain, state, time, tolerance=1e-8, max_bond=4)
        assert target.trotter_exact
        assert angle_between(target.mps, MPS.product(state)) < 1e-7


def test_commuting_terms_take_one_exact_step():
    ising = Hamiltonian.from_terms(6, [("ZZ", (j, j + 1), 1.0) for j in range(5)])
    state = random_product(6, seed=7)
    target = evolve_within(ising, state, 2.0, tolerance=1e-8, max_bond=8)
    assert (target.trotter_exact, target.steps, target.trotter_angle) == (True, 1, 0.0)
    assert 1 - fidelity(target.mps.to_dense(), evolved(ising, state, 2.0)) < 1e-12


def test_guess_of_steps_grows_with_time_and_accuracy():
    chain, state = xxz(30), neel(30)
    few = guess_steps(chain, state, 1.0, 1e-2)
    assert few % 2 == 0
    assert few < guess_steps(chain, state, 1.0, 1e-4) < guess_steps(chain, state, 4.0, 1e-4)
