import itertools

import numpy as np
import pytest
from scipy.sparse.linalg import eigsh

from aqc.interop.quimb import ground_state
from aqc.mps import MPS, right_canonical
from aqc.observables import Observables, bond_densities
from aqc.problem import Problem
from aqc.staircase import staircases
from reference import fidelity, random_chain, statevector


def random_state(n: int, chi: int, seed: int) -> MPS:
    rng = np.random.default_rng(seed)
    bonds = [1, *[chi] * (n - 1), 1]
    tensors = [
        rng.normal(size=(a, 2, b)) + 1j * rng.normal(size=(a, 2, b))
        for a, b in itertools.pairwise(bonds)
    ]
    return right_canonical(MPS(tuple(tensors)))


@pytest.mark.parametrize("n", [2, 3, 7])
def test_bond_dimension_two_takes_one_exact_staircase(n):
    target = random_state(n, 2, seed=n)
    found = staircases(target, infidelity=1e-12)
    assert len(found.layers) == 1
    assert fidelity(statevector(found.circuit()), target.to_dense()) == pytest.approx(1, abs=1e-13)


def test_a_product_state_and_two_qubits():
    target = MPS.product(np.array([[0.6, 0.8], [1.0, 0.0]]))
    found = staircases(target, infidelity=1e-12)
    assert fidelity(statevector(found.circuit()), target.to_dense()) == pytest.approx(1, abs=1e-13)


def test_the_infidelity_told_is_the_circuits_and_falls():
    target = random_state(6, 6, seed=3)
    found = staircases(target, infidelity=0.0, most=8)
    truth = fidelity(statevector(found.circuit()), target.to_dense())
    assert 1 - truth == pytest.approx(found.infidelities[-1], abs=2e-4)
    assert all(b < a for a, b in itertools.pairwise(found.infidelities))
    for layer in found.layers:
        assert abs(layer @ layer.conj().swapaxes(1, 2) - np.eye(4)).max() < 1e-13


@pytest.mark.parametrize("seed", [0, 1])
def test_dmrg_finds_the_lowest_eigenvalue(seed):
    chain = random_chain(7, seed=seed)
    state, energy = ground_state(chain, max_bond=16)
    dense = chain.to_dense()
    assert energy == pytest.approx(np.linalg.eigvalsh(dense)[0], abs=1e-8)
    vector = state.to_dense()
    assert np.vdot(vector, dense @ vector).real == pytest.approx(energy, abs=1e-8)


@pytest.mark.parametrize("up", [0, 1])
def test_the_search_goes_to_the_ordered_state_where_it_begins(up):
    """Delta = 8: two ordered states, whose energies differ by less than the search resolves."""
    model = {"model": "xxz_chain", "num_qubits": 14, "delta": 8.0}
    chain = Problem.build(model, 0.0).to_hamiltonian()
    bits = np.roll(np.tile(np.eye(2), (7, 1)), up, axis=0)
    state, energy = ground_state(chain, max_bond=6, start=bits)
    order = (-1.0) ** np.arange(14) * Observables.of(bond_densities(state), None).z
    assert (order * (-1) ** up).min() > 0.9
    lowest = eigsh(chain.to_sparse(), k=1, which="SA", return_eigenvectors=False)[0]
    assert energy == pytest.approx(lowest, rel=1e-5)


def test_staircases_of_a_ground_state():
    chain = Problem.build({"model": "heisenberg_chain", "num_qubits": 10}, 0.0).to_hamiltonian()
    state, _ = ground_state(chain, max_bond=32)
    found = staircases(state, infidelity=0.03)
    assert found.infidelities[-1] <= 0.03
    assert len(found.layers) > 1
