"""Starts from other circuits: product formulas lead to product formulas."""

import numpy as np
import pytest

from aqc.ansatz import Ansatz
from aqc.continued import continued_in_time, extrapolated, resampled
from aqc.hamiltonian import Hamiltonian
from reference import neel, random_chain


def alike(one: Ansatz, other: Ansatz) -> bool:
    """Up to a phase of each block."""
    traces = np.einsum("bij,bij->b", one.blocks.conj(), other.blocks)
    return np.allclose(np.abs(traces), 4)


def formula(hamiltonian: Hamiltonian, time: float, layers: int) -> Ansatz:
    order = 2 if layers % 2 else 1
    return Ansatz.from_trotter(
        hamiltonian, time, neel(hamiltonian.num_qubits), layers=layers, order=order
    )


@pytest.mark.parametrize("num_qubits", [6, 7])
def test_steps_of_second_order_follow_on_each_other(num_qubits):
    """The half layer that two steps share is one: S_2(t)^3 after S_2(t), and after S_2(t)^2."""
    chain, time = random_chain(num_qubits, seed=3), 0.2

    def steps(number: int) -> Ansatz:
        layers = 2 * number + 1
        start = neel(num_qubits)
        return Ansatz.from_trotter(chain, number * time, start, layers=layers, order=2)

    for before in (1, 2):
        _, (name, followed) = continued_in_time(steps(before), before * time, chain, 3 * time, 7)
        assert name == "followed"
        assert np.allclose(followed.blocks, steps(3).blocks)
    (_, longer), (_, same) = continued_in_time(steps(3), 3 * time, chain, 3.3 * time, 7)
    assert np.array_equal(same.blocks, steps(3).blocks)
    assert not np.allclose(longer.blocks, same.blocks)
    assert continued_in_time(steps(3), 3 * time, chain, 3.3 * time, 5) == []


def test_product_formulas_lead_to_that_of_the_next_time():
    """Their generators grow in proportion to the time, and identities are those of no time."""
    chain = random_chain(7, seed=4)

    two, three, five, six = (formula(chain, 0.1 * k, 5) for k in (2, 3, 5, 6))
    led = extrapolated(two, three, 2.0)
    assert alike(led, five)
    assert not alike(led, six)
    shallow = Ansatz(neel(7), 1, np.tile(np.eye(4, dtype=complex), (3, 1, 1)))
    assert alike(extrapolated(shallow, three, 1.0), six)


@pytest.mark.parametrize(("before", "layers"), [(3, 4), (4, 7), (4, 6), (5, 7), (7, 5), (4, 4)])
def test_a_resampled_product_formula_is_that_of_the_other_number_of_layers(before, layers):
    chain = random_chain(7, seed=5)
    made = resampled(formula(chain, 0.2, before), layers, 1.5)
    assert made.layers == layers
    assert alike(made, formula(chain, 0.3, layers))


def test_a_lattice_is_resampled_color_by_color():
    pairs = [(0, 1), (2, 3), (4, 5), (0, 2), (2, 4), (1, 3), (3, 5)]
    ladder = Hamiltonian.from_terms(6, [("XY", pair, 0.3) for pair in pairs])
    shallow, deep = formula(ladder, 0.2, 5), formula(ladder, 0.4, 9)
    assert shallow.colors
    assert alike(resampled(shallow, 9, 2.0), deep)


def test_bonds_that_no_layer_acts_on_are_left_alone():
    chain = random_chain(6, seed=6)
    made = resampled(formula(chain, 0.2, 1), 2)
    assert alike(made, formula(chain, 0.2, 1).deepened(2))
    assert np.array_equal(made.blocks[3:], np.tile(np.eye(4), (2, 1, 1)))
