import numpy as np
import pytest
import scipy.linalg

from aqc.gates import (
    CX,
    bloch_state,
    cx_count,
    entangling_strength,
    evolution,
    pauli,
    preparation,
    shortest_preparation,
)
from reference import random_product, random_unitaries

SWAP = np.eye(4)[[0, 2, 1, 3]]


def test_pauli_puts_the_first_letter_left():
    assert np.array_equal(pauli("XZ"), np.kron(pauli("X"), pauli("Z")))
    assert np.array_equal(pauli(""), np.eye(1))


def test_evolution_is_the_matrix_exponential():
    matrices = random_unitaries(5, 4, seed=0)
    hermitian = matrices + matrices.conj().swapaxes(1, 2)
    expected = scipy.linalg.expm(-0.7j * hermitian)
    assert np.abs(evolution(hermitian, 0.7) - expected).max() < 1e-13


@pytest.mark.parametrize(("theta", "phi"), [(0.0, 0.3), (np.pi, 0.0), (1.1, -2.0)])
def test_bloch_state_points_along_its_angles(theta, phi):
    state = bloch_state(theta, phi)
    vector = [np.vdot(state, pauli(p) @ state).real for p in "XYZ"]
    along = [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)]
    assert np.allclose(vector, along, atol=1e-15)


def test_preparation_maps_zero_to_the_state():
    for state in random_product(5, seed=1):
        unitary = preparation(state)
        assert np.allclose(unitary[:, 0], state)
        assert np.allclose(unitary.conj().T @ unitary, np.eye(2))


def test_shortest_preparation_needs_one_cx():
    for unitary in random_unitaries(50, 4, seed=2):
        short = shortest_preparation(unitary[:, 0])
        assert np.abs(short[:, 0] - unitary[:, 0]).max() < 1e-14
        assert np.abs(short.conj().T @ short - np.eye(4)).max() < 1e-13
        assert cx_count(short) == 1


def test_shortest_preparation_of_a_product_needs_none():
    left, right = random_product(2, seed=3)
    assert cx_count(shortest_preparation(np.kron(left, right))) == 0


@pytest.mark.parametrize(
    ("unitary", "count"),
    [
        (np.eye(4), 0),
        (CX, 1),
        (CX[::-1, ::-1], 1),
        (evolution(pauli("ZZ"), np.pi / 4), 1),
        (evolution(pauli("ZZ"), 0.2), 2),
        (evolution(pauli("XX") + pauli("YY"), 0.3), 2),
        (evolution(pauli("XX") + pauli("YY") + 0.5 * pauli("ZZ"), 0.3), 3),
        (SWAP, 3),
    ],
)
def test_cx_count_of_known_classes(unitary, count):
    left = np.kron(*random_unitaries(2, 2, seed=4))
    right = np.kron(*random_unitaries(2, 2, seed=5))
    for phase in (1, 1j, np.exp(0.4j)):
        assert cx_count(phase * left @ unitary @ right) == count


def test_entangling_strength_orders_the_classes():
    local = np.kron(*random_unitaries(2, 2, seed=6))
    strengths = entangling_strength(np.stack([local, local @ CX, SWAP @ local]))
    assert np.allclose(strengths, [0, 2 / 3, 1], atol=1e-14)
