import itertools

import numpy as np
import pytest
import scipy.linalg

from aqc.hamiltonian import Hamiltonian
from aqc.trotter import (
    Layer,
    brick_layers,
    evolution_layers,
    optimized_schedule,
    schedule,
    splits_exactly,
)
from reference import apply_gate, evolved, kron, random_chain, random_product


def formula_state(hamiltonian, state, time, steps, order):
    return layers_on(brick_layers(hamiltonian, time, steps, order), state)


def layers_on(layers: list[Layer], state: np.ndarray) -> np.ndarray:
    vector = kron(state)
    for layer in layers:
        for number, gate in enumerate(layer.gates):
            bond = layer.first_bond + 2 * number
            vector = apply_gate(gate, (bond, bond + 1), vector)
    return vector


@pytest.mark.parametrize(("order", "first"), [(1, 16), (2, 8), (4, 4)])
def test_error_falls_with_the_order_of_the_formula(order, first):
    chain, state = random_chain(5, seed=0), random_product(5, seed=1)
    exact = evolved(chain, state, 0.5)
    errors = [
        np.linalg.norm(formula_state(chain, state, 0.5, steps, order) - exact)
        for steps in (first, 2 * first)
    ]
    assert errors[0] > 1e-8  # not a trivial case
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.2)


@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize("groups", [2, 3])
def test_fractions_of_each_group_sum_to_one(order, groups):
    plan = schedule(groups, 3, order)
    for group in range(groups):
        assert sum(f for g, f in plan if g == group) == pytest.approx(1.0)
    assert all(a[0] != b[0] for a, b in itertools.pairwise(plan))


def test_optimized_formula_is_of_fourth_order_and_better_than_suzukis_at_equal_cost():
    chain, state = random_chain(5, seed=0), random_product(5, seed=1)
    exact = evolved(chain, state, 1.0)

    def error(layers: list[Layer]) -> float:
        return float(np.linalg.norm(layers_on(layers, state) - exact))

    errors = [error(evolution_layers(chain, 1.0, steps)) for steps in (6, 12)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(4, abs=0.2)
    assert len(evolution_layers(chain, 1.0, 10)) == len(brick_layers(chain, 1.0, 12, 4))
    assert error(evolution_layers(chain, 1.0, 10)) < 0.4 * error(brick_layers(chain, 1.0, 12, 4))
    plan = optimized_schedule(3)
    for group in (0, 1):
        assert sum(f for g, f in plan if g == group) == pytest.approx(1.0, abs=1e-14)


def test_second_order_is_the_textbook_product():
    chain = random_chain(3, seed=2)
    even, odd = chain.bond_matrices()
    even, odd = np.kron(even, np.eye(2)), np.kron(np.eye(2), odd)
    half = scipy.linalg.expm(-0.1j * even)
    state = random_product(3, seed=3)
    expected = half @ scipy.linalg.expm(-0.2j * odd) @ half @ kron(state)
    assert np.allclose(formula_state(chain, state, 0.2, 1, 2), expected, atol=1e-14)


def test_number_of_layers_and_the_single_layer():
    chain = random_chain(4, seed=4)
    for steps in (1, 3):
        assert len(brick_layers(chain, 1.0, steps, 2)) == 2 * steps + 1
        assert len(brick_layers(chain, 1.0, steps, 1)) == 2 * steps
        assert len(brick_layers(chain, 1.0, steps, 4)) == 10 * steps + 1
    assert [layer.first_bond for layer in brick_layers(chain, 1.0, 0, 2)] == [0]


def test_two_qubits_have_empty_odd_layers():
    layers = brick_layers(random_chain(2, seed=5), 0.3, 1, 2)
    assert [len(layer.gates) for layer in layers] == [1, 0, 1]


def test_splits_exactly_only_when_neighbors_commute():
    ising = [("ZZ", (j, j + 1), 1.0) for j in range(4)] + [("Z", (2,), 0.3)]
    assert splits_exactly(Hamiltonian.from_terms(5, ising))
    assert not splits_exactly(Hamiltonian.from_terms(5, [*ising, ("X", (1,), 0.1)]))
    assert splits_exactly(Hamiltonian.from_terms(2, [("XY", (0, 1), 1.0), ("Z", (0,), 1.0)]))
    assert splits_exactly(Hamiltonian.from_terms(4, []))
