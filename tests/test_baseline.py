import numpy as np
import pytest

from aqc.baseline import best_trotter, cx_cost, fields_apart
from aqc.evolved import evolve_within
from aqc.hamiltonian import Hamiltonian
from aqc.mps import MPS
from aqc.trotter import brick_layers
from reference import apply_gate, evolved, fidelity, kron, neel, random_product, xxz


def ising(n):
    terms = [("ZZ", (j, j + 1), 1.0) for j in range(n - 1)]
    return Hamiltonian.from_terms(n, terms + [("X", (j,), 0.7) for j in range(n)])


def run(layers, state):
    """Apply layers of one- and two-qubit gates to a product state."""
    vector = kron(state)
    for layer in layers:
        for number, gate in enumerate(layer.gates):
            first = number if layer.first_bond is None else layer.first_bond + 2 * number
            qubits = (first,) if len(gate) == 2 else (first, first + 1)
            vector = apply_gate(gate, qubits, vector)
    return vector


@pytest.mark.parametrize("order", [1, 2, 4])
def test_formula_with_fields_apart_converges_to_the_evolution(order):
    chain, state = ising(5), random_product(5, seed=0)
    exact = evolved(chain, state, 0.8)
    errors = [
        np.linalg.norm(run(fields_apart(chain, 0.8, steps, order), state) - exact)
        for steps in (4, 8)
    ]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.35)


def test_costs_are_those_counted_by_hand():
    # k second-order steps of a Heisenberg-like bond: 2k + 1 layers of 3 CX, the first of 1 CX
    assert cx_cost(brick_layers(xxz(50), 1.0, 4, 2), 50) == (25, 613)
    # an Ising bond takes 2 CX once its fields stand apart, and even and odd bonds commute
    assert cx_cost(fields_apart(ising(6), 1.0, 3, 2), 6) == (11, 3 * 2 * 5 - 3)
    assert cx_cost(brick_layers(xxz(4), 0.0, 1, 1), 4) == (0, 0)


@pytest.mark.parametrize("depth", [6, 20])
@pytest.mark.parametrize("chain", [ising(7), xxz(7)])
def test_best_formula_is_measured_against_the_target(chain, depth):
    state = neel(7)
    target = evolve_within(chain, state, 1.0, tolerance=1e-8, max_bond=16)
    best = best_trotter(chain, 1.0, state, target.mps, depth)
    build = brick_layers if best.fields_fused else fields_apart
    layers = build(chain, 1.0, best.steps, best.order)
    truth = fidelity(run(layers, state), target.mps.to_dense())
    assert best.fidelity == pytest.approx(truth, abs=1e-5)
    assert (best.two_qubit_depth, best.two_qubit_gates) == cx_cost(layers, 7)
    assert depth <= best.two_qubit_depth <= 1.25 * depth + 3
    second_order = brick_layers(chain, 1.0, depth // 6, 2)  # no deeper, so no better
    assert best.fidelity >= fidelity(run(second_order, state), target.mps.to_dense()) - 1e-5


def test_nothing_to_evolve_needs_no_gates():
    chain = Hamiltonian.from_terms(4, [])
    best = best_trotter(chain, 1.0, neel(4), MPS.product(neel(4)), depth=9)
    assert (best.two_qubit_gates, best.fidelity) == (0, pytest.approx(1.0))
