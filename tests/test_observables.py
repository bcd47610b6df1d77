"""Expectation values of matrix product states against state vectors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aqc import compile_evolution
from aqc.gates import pauli
from aqc.mps import MPS
from aqc.observables import (
    Observables,
    bond_densities,
    bond_densities_dense,
    compare,
    entanglement_entropies,
)
from reference import random_chain, random_product, xxz


def random_mps(num_qubits: int, chi: int, seed: int) -> MPS:
    """Return a state in no particular gauge, of norm far from 1."""
    rng = np.random.default_rng(seed)
    bonds = [1, *rng.integers(1, chi + 1, num_qubits - 1), 1]
    shapes = [(bonds[j], 2, bonds[j + 1]) for j in range(num_qubits)]
    return MPS(tuple(3 * (rng.normal(size=s) + 1j * rng.normal(size=s)) for s in shapes))


def expectation(vector: np.ndarray, letters: dict[int, str]) -> float:
    n = round(np.log2(len(vector)))
    operator = pauli("".join(letters.get(site, "I") for site in range(n)))
    return float(np.vdot(vector, operator @ vector).real)


@given(st.integers(2, 7), st.integers(1, 6), st.integers(0, 10**6))
def test_values_are_those_of_the_state_vector(num_qubits, chi, seed):
    state, chain = random_mps(num_qubits, chi, seed), random_chain(num_qubits, seed)
    vector = state.to_dense() / np.linalg.norm(state.to_dense())
    found = Observables.of(bond_densities(state), chain)
    z = [expectation(vector, {j: "Z"}) for j in range(num_qubits)]
    zz = [expectation(vector, {j: "Z", j + 1: "Z"}) for j in range(num_qubits - 1)]
    np.testing.assert_allclose(found.z, z, atol=1e-12)
    np.testing.assert_allclose(found.zz, zz, atol=1e-12)
    energy = np.vdot(vector, chain.to_dense() @ vector).real
    assert found.energy == pytest.approx(energy, abs=1e-11 * num_qubits)


def test_densities_of_state_vector_and_mps_agree():
    state = random_mps(6, 5, seed=3)
    np.testing.assert_allclose(
        bond_densities(state), bond_densities_dense(state.to_dense()), atol=1e-13
    )


def test_a_long_chain_neither_over_nor_underflows():
    found = Observables.of(bond_densities(random_mps(3000, 3, seed=4)), None)
    assert found.energy is None
    assert np.abs(found.z).max() <= 1
    assert np.abs(found.z).max() > 0.5


def test_the_sign_of_an_error_is_circuit_minus_target():
    one, other = (bond_densities(MPS.product(random_product(3, seed))) for seed in (1, 2))
    chain = xxz(3)
    content = compare(Observables.of(one, chain), Observables.of(other, chain))
    for name in ("z", "zz"):
        entry = content[name]
        np.testing.assert_allclose(
            entry["error"], np.subtract(entry["circuit"], entry["target"]), atol=1e-15
        )
        assert entry["max_error"] == np.abs(entry["error"]).max() > 1e-3
    energy = content["energy"]
    assert energy["error"] == pytest.approx(energy["circuit"] - energy["target"])


@pytest.mark.parametrize("pairs", [None, [[0, 1], [0, 2], [0, 3], [0, 4], [0, 5]]])
def test_result_holds_the_emitted_circuits_values(pairs):
    """Also on a device with more qubits than the chain has sites."""
    chain = {"num_qubits": 5, "terms": [["", [], 0.7], *xxz(5).to_terms()]}
    result = compile_evolution(
        chain,
        0.7,
        initial_state="neel",
        ansatz={"layers": 3},
        optimizer={"max_steps": 5},
        circuit={"coupling_map": pairs},
    )
    found = result.observables
    assert len(found["z"]["circuit"]) == 5
    assert len(found["zz"]["error"]) == 4
    # The energy is conserved: that of the target is the Neel state's, -4 * 0.5 + 0.7.
    assert found["energy"]["target"] == pytest.approx(-1.3, abs=2e-2)
    angle = np.arcsin(np.sqrt(result.certificate.infidelity))
    assert 0 < found["z"]["max_error"] <= 2 * np.sin(angle) + 1e-12  # any |A| <= 1


@pytest.mark.parametrize("seed", range(4))
def test_entropies_are_those_of_the_reduced_density_matrices(seed):
    state = random_mps(6, 5, seed)
    vector = state.to_dense() / np.linalg.norm(state.to_dense())
    expected = []
    for sites in range(1, 6):
        half = vector.reshape(2**sites, -1)
        weights = np.linalg.eigvalsh(half @ half.conj().T)
        weights = weights[weights > 1e-14]
        expected.append(-float(weights @ np.log2(weights)))
    assert max(expected) > 0.5
    assert entanglement_entropies(state) == pytest.approx(expected, abs=1e-10)


def test_a_product_has_no_entropy():
    product = MPS.product(random_product(5, seed=1))
    assert entanglement_entropies(product) == pytest.approx(np.zeros(4), abs=1e-12)
