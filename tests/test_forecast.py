"""Forecasts of bond dimensions against the evolutions that they are for."""

import re

import numpy as np
import pytest

from aqc.errors import InputError
from aqc.evolved import evolve_within
from aqc.forecast import forecast
from aqc.hamiltonian import Hamiltonian
from aqc.lattice import evolve_state
from aqc.models import MODELS
from aqc.mps import bell_pairs
from aqc.propagator import propagate_within
from reference import evolved, neel, random_chain, random_product, xxz


@pytest.mark.parametrize(
    ("num_qubits", "time", "tolerance"),
    [(14, 1.0, 1e-4), (40, 0.4, 1e-6), (40, 0.8, 1e-4), (40, 0.8, 1e-2), (200, 0.3, 1e-4)],
)
def test_forecast_is_near_what_the_target_needs(num_qubits, time, tolerance):
    chain, state = xxz(num_qubits), neel(num_qubits)
    target = evolve_within(chain, state, time, tolerance=tolerance, max_bond=128)
    seen = forecast(chain, state, time, tolerance, 128)
    assert target.mps.max_bond > 4
    assert 0.95 * target.mps.max_bond <= seen.bond <= 1.5 * target.mps.max_bond
    assert 0.5 * target.steps <= seen.steps <= 1.5 * target.steps


def test_small_chains_are_forecast_from_their_exact_spectrum():
    """The rank at qiskit-aer's threshold, from the dense exponential."""
    chain, state = random_chain(8, seed=0), random_product(8, seed=1)
    for time in (0.02, 0.2):
        halves = evolved(chain, state, time).reshape(16, 16)
        values = np.linalg.svd(halves, compute_uv=False) ** 2
        rank = int(np.sum(values > 1e-16))
        assert 4 <= rank < 16
        assert rank <= forecast(chain, state, time, 1e-9, 64).circuit_bond <= 1.5 * rank + 1


def test_beyond_the_window_the_forecast_goes_on_growing():
    """16 sites hold at most 256; a longer chain goes on."""
    chain, state = xxz(60), neel(60)
    bonds = [forecast(chain, state, time, 1e-6, 65536).bond for time in (1.0, 2.0, 3.0)]
    assert bonds == sorted(bonds)
    assert bonds[1] > 256
    assert bonds[2] > 2 * bonds[1]
    assert forecast(chain, state, 3.0, 1e-6, 300).bond == 300
    assert forecast(xxz(10), neel(10), 3.0, 1e-6, 300).bond == 32


def test_nothing_to_forecast():
    state = neel(20)
    for chain, time in ((xxz(20), 0.0), (Hamiltonian.from_terms(20, []), 1.0)):
        seen = forecast(chain, state, time, 1e-8, 64)
        assert (seen.bond, seen.circuit_bond) == (1, 2)


def test_a_time_without_correct_digits_is_refused():
    with pytest.raises(InputError, match=re.escape("evolve for a shorter time")):
        forecast(xxz(4), neel(4), 1e300, 1e-4, 64)


@pytest.mark.parametrize(("num_qubits", "time", "tolerance"), [(14, 0.5, 1e-6), (30, 0.4, 1e-4)])
def test_an_operator_is_forecast_from_half_as_many_sites(num_qubits, time, tolerance):
    chain, pairs = xxz(num_qubits), bell_pairs(num_qubits)
    made = propagate_within(chain, time, tolerance=tolerance, max_bond=128)
    seen = forecast(chain, pairs, time, tolerance, 128)
    assert made.mps.max_bond > 8
    assert 0.9 * made.mps.max_bond <= seen.bond <= 1.5 * made.mps.max_bond
    assert 0.5 * made.steps <= seen.steps <= 2 * made.steps


@pytest.mark.slow
def test_a_ring_entangles_at_two_borders():
    ring = MODELS["xxz_ring"].build(20)
    states = np.tile([[1.0, 0.0], [0.0, 1.0]], (10, 1))
    seen = forecast(ring, states, 0.3, 1e-4, 256)
    made = evolve_state(ring, states, 0.3, tolerance=1e-4, max_bond=256)
    assert made.steps > 0
    assert 0.5 <= seen.bond / made.mps.max_bond <= 2
