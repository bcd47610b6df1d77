import numpy as np
import pytest
from qiskit.circuit.library import CXGate, CZGate, ECRGate, RZZGate, iSwapGate
from qiskit.quantum_info import random_clifford
from scipy.stats import unitary_group

from aqc.errors import InputError
from aqc.gates import CX, cx_count, evolution, pauli, shortest_preparation
from aqc.interop.kak import BASES, Decomposition, decompose, nearest_unitary

GATES = {"cx": CXGate, "cz": CZGate, "ecr": ECRGate, "iswap": iSwapGate, "rzz": RZZGate}
ISWAP = evolution(pauli("XX") + pauli("YY"), np.pi / 4)
SWAP = np.eye(4)[[0, 2, 1, 3]]
FIXED_BASES = ["cx", "cz", "ecr"]


def product(block: Decomposition, basis: str) -> np.ndarray:
    # Qiskit's matrix of a gate on (right, left) acts on kron(left, right).
    result = np.kron(*block.locals[0])
    for parameters, pair in zip(block.parameters, block.locals[1:], strict=True):
        result = np.kron(*pair) @ GATES[basis](*parameters).to_matrix() @ result
    return result


def dressed(unitary: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    a, b, c, d = unitary_group.rvs(2, size=4, random_state=rng)
    return np.kron(a, b) @ unitary @ np.kron(c, d)


def hermitian(rng: np.random.Generator) -> np.ndarray:
    matrix = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    return matrix + matrix.conj().T


@pytest.mark.parametrize("basis", BASES)
def test_generic_blocks_are_exact(basis, distance):
    rng = np.random.default_rng(0)
    blocks = unitary_group.rvs(4, size=300, random_state=rng)
    for unitary, block in zip(blocks, decompose(blocks, basis), strict=True):
        assert len(block.parameters) == 3
        assert distance(product(block, basis), unitary) < 1e-12


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("center", [np.eye(4), CX, SWAP, ISWAP], ids=["I", "CX", "SWAP", "iSWAP"])
def test_blocks_near_a_special_gate_are_exact(basis, center, distance):
    # Qiskit's own decomposers are off by up to 1e-4 here.
    rng = np.random.default_rng(1)
    strengths = 10.0 ** -rng.uniform(0, 16, size=100)
    blocks = np.array([dressed(center @ evolution(hermitian(rng), e), rng) for e in strengths])
    for unitary, block in zip(blocks, decompose(blocks, basis), strict=True):
        assert distance(product(block, basis), unitary) < 1e-11


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("time", [1.0, 0.25, 0.05, 1e-3, 1e-6])
def test_trotter_blocks_are_exact(basis, time, distance):
    bonds = [
        pauli("XX") + pauli("YY") + 0.5 * pauli("ZZ"),
        pauli("XX") + pauli("YY") + pauli("ZZ") + 0.3 * pauli("ZI"),
        pauli("ZZ") + 0.9 * pauli("XI") + 0.9 * pauli("IX"),
    ]
    blocks = np.array([evolution(bond, time) for bond in bonds])
    for unitary, block in zip(blocks, decompose(blocks, basis), strict=True):
        assert distance(product(block, basis), unitary) < 1e-12


@pytest.mark.parametrize("basis", FIXED_BASES)
def test_count_is_the_class_of_the_block(basis, distance):
    rng = np.random.default_rng(2)
    angles = rng.uniform(0.1, 0.7, size=3)
    classes = [
        np.eye(4),
        CX,
        evolution(angles[0] * pauli("XX") + angles[1] * pauli("ZZ"), 1.0),
        evolution(sum(a * pauli(2 * p) for a, p in zip(angles, "XYZ", strict=True)), 1.0),
    ]
    for uses, unitary in enumerate(classes):
        blocks = np.array([dressed(unitary, rng) for _ in range(20)])
        for made, block in zip(blocks, decompose(blocks, basis), strict=True):
            assert len(block.parameters) == uses == cx_count(made)
            assert distance(product(block, basis), made) < 1e-12
    assert {len(block.parameters) for block in decompose(SWAP[None], basis)} == {3}


@pytest.mark.parametrize("basis", FIXED_BASES)
def test_cliffords_have_the_counts_of_the_literature(basis):
    # Of the 11520 two-qubit Cliffords, 576 are local, 5184 CX-like, 5184 iSWAP- and 576 SWAP-like.
    blocks = np.array([random_clifford(2, seed=seed).to_matrix() for seed in range(400)])
    counts = [len(block.parameters) for block in decompose(blocks, basis)]
    assert counts == [cx_count(unitary) for unitary in blocks]
    assert set(counts) == {0, 1, 2, 3}


@pytest.mark.parametrize("basis", FIXED_BASES)
def test_preparation_of_a_pair_needs_one_use(basis):
    rng = np.random.default_rng(3)
    states = rng.normal(size=(50, 4)) + 1j * rng.normal(size=(50, 4))
    blocks = np.array([shortest_preparation(s / np.linalg.norm(s)) for s in states])
    assert {len(block.parameters) for block in decompose(blocks, basis)} == {1}


def test_iswap_is_used_as_often_as_its_class_says(distance):
    rng = np.random.default_rng(6)
    some = 0.3 * pauli("XX") + 0.2 * pauli("YY")
    classes = {0: np.eye(4), 1: ISWAP, 2: CX, 3: evolution(some + 0.1 * pauli("ZZ"), 1.0)}
    for uses, unitary in classes.items():
        made = dressed(unitary, rng)
        (block,) = decompose(made[None], "iswap")
        assert len(block.parameters) == uses
        assert distance(product(block, "iswap"), made) < 1e-12
    assert len(decompose(evolution(some, 1.0)[None], "iswap")[0].parameters) == 2


def test_rzz_is_used_once_for_each_coordinate_and_its_angle_fits_hardware():
    rng = np.random.default_rng(4)
    for number, letters in enumerate(["", "X", "XZ", "XYZ"]):
        for _ in range(20):
            bond = sum((rng.normal() * pauli(2 * p) for p in letters), np.zeros((4, 4)))
            (block,) = decompose(dressed(evolution(bond, 1.0), rng)[None], "rzz")
            assert len(block.parameters) == number
            assert all(0 < theta <= np.pi / 2 + 1e-12 for (theta,) in block.parameters)


def test_rounding_in_a_product_does_not_matter(distance):
    # Qiskit's decomposition refuses a matrix that is unitary to 1e-12 only.
    rng = np.random.default_rng(5)
    unitary = unitary_group.rvs(4, random_state=rng)
    noisy = unitary + 1e-11 * rng.normal(size=(4, 4))
    (block,) = decompose(noisy[None], "cx")
    assert distance(product(block, "cx"), unitary) < 1e-10


def test_no_blocks():
    assert decompose(np.zeros((0, 4, 4)), "cx") == []


def test_unknown_basis_is_refused():
    with pytest.raises(InputError, match="one of cx, cz, ecr, iswap, rzz, but is 'swap'"):
        decompose(np.eye(4)[None], "swap")


@pytest.mark.parametrize(
    ("matrix", "sentence"),
    [(1.1 * np.eye(4), "differs from 1 by 1.0e-01"), (np.full((4, 4), np.nan), "must be finite")],
)
def test_matrix_that_is_not_unitary_is_refused(matrix, sentence):
    with pytest.raises(InputError, match=sentence):
        nearest_unitary(matrix)
