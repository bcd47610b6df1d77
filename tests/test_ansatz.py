import numpy as np
import pytest

from aqc.ansatz import Ansatz
from aqc.errors import InputError
from aqc.trotter import brick_layers
from reference import (
    apply_gate,
    fidelity,
    kron,
    random_chain,
    random_product,
    random_unitaries,
    statevector,
)


@pytest.mark.parametrize("num_qubits", [2, 3, 5, 6])
@pytest.mark.parametrize("layers", [1, 2, 3, 6])
def test_starts_as_the_trotter_circuit(num_qubits, layers):
    chain, state = random_chain(num_qubits, seed=0), random_product(num_qubits, seed=1)
    order = 2 if layers % 2 else 1
    ansatz = Ansatz.from_trotter(chain, 0.4, state, layers=layers, order=order)
    vector = kron(state)
    for layer in brick_layers(chain, 0.4, layers // 2, order):
        for number, gate in enumerate(layer.gates):
            bond = layer.first_bond + 2 * number
            vector = apply_gate(gate, (bond, bond + 1), vector)
    assert fidelity(statevector(ansatz.circuit()), vector) == pytest.approx(1, abs=1e-13)


def test_circuit_prepares_the_state_and_applies_the_blocks():
    ansatz = Ansatz(random_product(5, seed=2), 3, random_unitaries(6, 4, seed=3))
    vector = kron(ansatz.state)
    positions = [j for layer in ansatz.bonds for j in layer]
    for j, block in zip(positions, ansatz.blocks, strict=True):
        vector = apply_gate(block, (j, j + 1), vector)
    assert fidelity(statevector(ansatz.circuit()), vector) == pytest.approx(1, abs=1e-13)


def test_bonds_alternate():
    ansatz = Ansatz(random_product(5, seed=4), 3, np.empty((6, 4, 4)))
    assert ansatz.bonds == [[0, 2], [1, 3], [0, 2]]


@pytest.mark.parametrize(("layers", "order"), [(3, 1), (4, 2), (5, 4)])
def test_order_must_go_with_layers(layers, order):
    chain = random_chain(3, seed=5)
    with pytest.raises(InputError, match="must be 2 for an odd and 1 for an even"):
        Ansatz.from_trotter(chain, 1.0, random_product(3, seed=6), layers=layers, order=order)
