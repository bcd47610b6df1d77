"""exp(-iHt) as a matrix product operator against the dense exponential."""

import re

import numpy as np
import pytest

from aqc import propagator
from aqc.errors import InputError, TruncationError
from aqc.hamiltonian import Hamiltonian
from aqc.mps import as_matrix, log_overlap
from aqc.propagator import choi_state, exact_propagator, propagate_within
from reference import random_chain, random_unitaries, xxz


def process_infidelity(a: np.ndarray, b: np.ndarray) -> float:
    return 1 - abs(np.vdot(a, b) / np.linalg.norm(a) / np.linalg.norm(b)) ** 2


def test_choi_state_is_the_matrix():
    for n in (2, 3, 5):
        (unitary,) = random_unitaries(1, 2**n, seed=n)
        state = choi_state(unitary)
        assert np.abs(as_matrix(state) * 2 ** (n / 2) - unitary).max() < 1e-13
        assert log_overlap(state, state)[0] == pytest.approx(0, abs=1e-13)


@pytest.mark.parametrize("tolerance", [1e-4, 1e-8])
@pytest.mark.parametrize("time", [0.3, -0.7])
def test_evolved_operator_keeps_its_bound(monkeypatch, time, tolerance):
    """By the product formula, from both sides at once, on chains with all terms."""
    monkeypatch.setattr(propagator, "_DENSE_QUBITS", 0)
    for num_qubits, seed in ((2, 0), (5, 1), (6, 2)):
        chain = random_chain(num_qubits, seed=seed)
        made = propagate_within(chain, time, tolerance=tolerance, max_bond=256)
        truth = exact_propagator(chain, time)
        assert process_infidelity(np.eye(len(truth)), truth) > 0.1
        assert process_infidelity(as_matrix(made.mps), truth) <= made.infidelity_bound <= tolerance
        # The phase counts too: it becomes the circuit's.
        overlap = np.vdot(truth, as_matrix(made.mps)) / 2 ** (num_qubits / 2)
        assert abs(overlap - 1) < np.sqrt(tolerance)


def test_commuting_terms_have_no_trotter_error(monkeypatch):
    monkeypatch.setattr(propagator, "_DENSE_QUBITS", 0)
    chain = Hamiltonian.from_terms(6, [("ZZ", (j, j + 1), 1.0 + j) for j in range(5)])
    made = propagate_within(chain, 0.8, tolerance=1e-12, max_bond=16)
    assert made.trotter_exact
    assert made.mps.max_bond == 2
    assert process_infidelity(as_matrix(made.mps), exact_propagator(chain, 0.8)) < 1e-13


def test_few_qubits_are_exact_at_any_time():
    chain = random_chain(5, seed=4)
    made = propagate_within(chain, 900.0, tolerance=1e-12, max_bond=256)
    assert made.trotter_exact
    assert process_infidelity(as_matrix(made.mps), exact_propagator(chain, 900.0)) < 1e-11


def test_what_a_bond_dimension_cannot_hold_is_refused():
    with pytest.raises(TruncationError, match=re.escape("raise `target.max_bond`")):
        propagate_within(xxz(12), 2.0, tolerance=1e-8, max_bond=8)
    with pytest.raises(InputError, match=re.escape("evolve for a shorter time")):
        propagate_within(xxz(4), 1e300, tolerance=1e-4, max_bond=64)
