"""Hamiltonian: against Qiskit's dense matrices, identities, and every refusal."""

import functools
import itertools
import json
import math
import time
import timeit

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit.quantum_info import SparsePauliOp

from aqc.errors import InputError
from aqc.hamiltonian import Hamiltonian, Term

NUMBERS = st.floats(-3, 3, allow_subnormal=False)


def random_terms(num_qubits, seed):
    """Every one- and two-site term of the chain, in random order with random letters order."""
    rng = np.random.default_rng(seed)
    terms = [(p, [j], rng.normal()) for j in range(num_qubits) for p in "XYZ"]
    for j, a, b in itertools.product(range(num_qubits - 1), "XYZ", "XYZ"):
        swapped = rng.random() < 0.5
        terms.append((b + a, [j + 1, j], rng.normal()) if swapped else (a + b, [j, j + 1], 1.5))
    return [terms[i] for i in rng.permutation(len(terms))]


def qiskit_dense(num_qubits, terms):
    """The same sum by Qiskit, whose leftmost Kronecker factor is the highest qubit."""
    flipped = [(p, [num_qubits - 1 - q for q in qubits], c) for p, qubits, c in terms]
    return SparsePauliOp.from_sparse_list(flipped, num_qubits).to_matrix()


@st.composite
def chains(draw):
    num_qubits = draw(st.integers(2, 5))
    term = st.integers(0, num_qubits - 2).flatmap(
        lambda j: st.one_of(
            st.tuples(st.text("IXYZ", min_size=2, max_size=2), st.permutations([j, j + 1])),
            st.tuples(st.sampled_from("IXYZ"), st.just([j + 1])),
            st.tuples(st.just("X"), st.just([j])),
            st.just(("", [])),
        )
    )
    terms = draw(st.lists(st.tuples(term, NUMBERS).map(lambda t: (*t[0], t[1])), max_size=12))
    return num_qubits, terms


@settings(max_examples=150, deadline=None)
@given(chains())
def test_the_dense_matrix_is_the_one_of_qiskit(chain):
    num_qubits, terms = chain
    hamiltonian = Hamiltonian.from_terms(num_qubits, terms)
    expected = qiskit_dense(num_qubits, terms or [("", [], 0.0)])
    np.testing.assert_allclose(hamiltonian.to_dense(), expected, atol=1e-13)


@pytest.mark.parametrize("num_qubits", [2, 3, 4, 7])
def test_the_bond_matrices_add_up_to_the_hamiltonian(num_qubits):
    terms = [*random_terms(num_qubits, seed=num_qubits), ("", [], 0.7)]
    hamiltonian = Hamiltonian.from_terms(num_qubits, terms)
    total = 0.7 * np.eye(2**num_qubits, dtype=complex)
    for j, matrix in enumerate(hamiltonian.bond_matrices()):
        np.testing.assert_allclose(matrix, matrix.conj().T)
        total += np.kron(np.kron(np.eye(2**j), matrix), np.eye(2 ** (num_qubits - j - 2)))
    np.testing.assert_allclose(total, qiskit_dense(num_qubits, terms), atol=1e-12)


def test_couplings_and_fields_add_up_to_the_hamiltonian():
    num_qubits = 5
    terms = random_terms(num_qubits, seed=1)
    hamiltonian = Hamiltonian.from_terms(num_qubits, terms)
    total = np.zeros((32, 32), dtype=complex)
    for j, matrix in enumerate(hamiltonian.coupling_matrices()):
        total += np.kron(np.kron(np.eye(2**j), matrix), np.eye(2 ** (3 - j)))
    for j, matrix in enumerate(hamiltonian.field_matrices()):
        total += np.kron(np.kron(np.eye(2**j), matrix), np.eye(2 ** (4 - j)))
    np.testing.assert_allclose(total, qiskit_dense(num_qubits, terms), atol=1e-12)


def test_fields_are_shared_by_halves_and_whole_at_the_ends():
    hamiltonian = Hamiltonian.from_terms(4, [("Z", [j], 1.0) for j in range(4)])
    z, one = np.diag([1.0, -1.0]), np.eye(2)
    first, middle, last = hamiltonian.bond_matrices()
    np.testing.assert_array_equal(first, np.kron(z, one) + 0.5 * np.kron(one, z))
    np.testing.assert_array_equal(middle, 0.5 * np.kron(z, one) + 0.5 * np.kron(one, z))
    np.testing.assert_array_equal(last, 0.5 * np.kron(z, one) + np.kron(one, z))


def test_terms_take_one_canonical_form():
    hamiltonian = Hamiltonian.from_terms(
        6,
        [
            ("XY", [3, 2], 1),
            ("XI", [0, 5], 2.0),
            ("IX", [1, 0], 0.5 + 0j),
            ("ZZ", (4, 5), np.float32(0.25)),
            ("Y", np.array([1]), 3.0),
            ("Y", [1], -3.0),
            ("II", [2, 3], 1.5),
            ("", [], 1),
        ],
    )
    assert hamiltonian.terms == (
        Term("X", (0,), 2.5),
        Term("YX", (2, 3), 1.0),
        Term("ZZ", (4, 5), 0.25),
    )
    assert hamiltonian.constant == 2.5
    assert all(type(t.coefficient) is float for t in hamiltonian.terms)


@settings(max_examples=100, deadline=None)
@given(chains())
def test_terms_go_through_json_and_back(chain):
    hamiltonian = Hamiltonian.from_terms(*chain)
    text = json.dumps(hamiltonian.to_terms())
    again = Hamiltonian.from_terms(hamiltonian.num_qubits, json.loads(text))
    assert again == hamiltonian
    assert hash(again) == hash(hamiltonian)


def test_no_terms_and_bare_bonds_are_fine():
    zero = Hamiltonian.from_terms(3, [])
    assert zero.terms == ()
    assert not zero.to_dense().any()
    assert zero.bond_matrices().shape == (2, 4, 4)
    gap = Hamiltonian.from_terms(3, iter([("ZZ", [1, 2], 1.0)]))
    assert not gap.bond_matrices()[0].any()


def test_a_thousand_sites_are_read_fast():
    terms = [(p, [j, j + 1], 0.5 + j) for p in ("XX", "YY", "ZZ") for j in range(999)]
    terms += [(p, [j], 0.5 + j) for p in "XZ" for j in range(1000)]
    read = functools.partial(Hamiltonian.from_terms, 1000, terms)
    assert len(read().terms) == len(terms)
    # The fewest seconds of the processor, for the machine may be busy; about 0.02.
    assert min(timeit.repeat(read, timer=time.process_time, repeat=5, number=1)) < 0.1


GOOD = ("XX", [0, 1], 1.0)


@pytest.mark.parametrize(
    ("term", "sentence"),
    [
        (("XX", [0, 1], 1 + 2j), r"^Term 1: the coefficient must be real, but is \(1\+2j\)\.$"),
        (("XX", [0, 1], np.complex128(1j)), "must be real"),
        (("XX", [0, 1], float("nan")), "the coefficient must be finite, but is nan"),
        (("XX", [0, 1], -math.inf), "must be finite, but is -inf"),
        (("XX", [0, 1], complex(math.nan, 0)), "must be finite"),
        (("XX", [0, 1], 10**400), "must be finite, but is an integer of 1329 bits"),
        (("XX", [0, 1], True), "must be a number, but is true"),
        (("XX", [0, 1], np.True_), "must be a number, but is true"),
        (("XX", [0, 1], "1.0"), 'must be a number, but is "1.0"'),
        (("XX", [0, 1], None), "must be a number, but is null"),
        (("XX", [0, 1], {"re": 1, "im": 0}), "must be a number"),
        (("XX", [3, 4], 1.0), "a qubit must be at most 3, but is 4"),
        (("XX", [0, -1], 1.0), "a qubit must be at least 0, but is -1"),
        (("XX", [0, 1.0], 1.0), r"a qubit must be an integer, but is 1\.0"),
        (("XX", [0, True], 1.0), "a qubit must be an integer, but is true"),
        (("XX", "01", 1.0), 'the qubits must be a list, such as \\[0, 1\\], but are "01"'),
        (("X", 0, 1.0), "the qubits must be a list"),
        (("XX", [1, 1], 1.0), r"the qubits must be distinct, but are \[1, 1\]; multiply"),
        (("IX", [1, 1], 1.0), "must be distinct"),
        (("XW", [0, 1], 1.0), 'letters must be among I, X, Y and Z, but are "XW"'),
        (("xx", [0, 1], 1.0), "must be among"),
        (("X", [0, 1], 1.0), r'as many letters as qubits, but has "X" for \[0, 1\]\.$'),
        (("XX", [0], 1.0), "as many letters as qubits"),
        (
            ("XXX", [0, 1, 2], 1.0),
            "acts on 3 qubits, but aqc supports terms on one qubit or on two",
        ),
        (("XX", [0, 1]), r'must be \[letters, qubits, coefficient\], such as \["XX", \[0, 1\], 1'),
        ("XX1", "must be"),
        ((["XX"], [0, 1], 1.0), "must be"),
        (None, "but is null"),
    ],
)
def test_a_term_is_refused(term, sentence):
    with pytest.raises(InputError, match=sentence) as refusal:
        Hamiltonian.from_terms(4, [GOOD, term])
    assert refusal.value.pointer == "/hamiltonian/terms/1"


def test_a_long_identity_is_no_long_term():
    assert Hamiltonian.from_terms(4, [("XII", [1, 3, 0], 1)]).terms == (Term("X", (1,), 1.0),)


def test_equal_terms_must_not_overflow():
    with pytest.raises(
        InputError, match="Term 2: the sum of equal terms must be finite"
    ) as refusal:
        Hamiltonian.from_terms(4, [GOOD, ("X", [0], 1.7e308), ("X", [0], 1.7e308)])
    assert refusal.value.pointer == "/hamiltonian/terms/2"


@pytest.mark.parametrize(
    ("num_qubits", "sentence"),
    [
        (1, "`hamiltonian.num_qubits` must be at least 2, but is 1"),
        (0, "at least 2"),
        (-3, "at least 2"),
        (100_001, "must be at most 100000, but is 100001"),
        (4.0, r"must be an integer, but is 4\.0"),
        ("4", 'must be an integer, but is "4"'),
        (True, "must be an integer, but is true"),
        (None, "must be an integer, but is null"),
    ],
)
def test_a_number_of_qubits_is_refused(num_qubits, sentence):
    with pytest.raises(InputError, match=sentence) as refusal:
        Hamiltonian.from_terms(num_qubits, [])
    assert refusal.value.pointer == "/hamiltonian/num_qubits"


@pytest.mark.parametrize("terms", ["XX", None, 3, {"XX": [0, 1]}])
def test_terms_must_be_a_list(terms):
    with pytest.raises(InputError, match=r"`hamiltonian.terms` must be a list, but is") as refusal:
        Hamiltonian.from_terms(4, terms)
    assert refusal.value.pointer == "/hamiltonian/terms"


def test_a_large_dense_matrix_is_refused():
    with pytest.raises(
        InputError, match="must have at most 14 qubits, but this Hamiltonian has 15"
    ):
        Hamiltonian.from_terms(15, []).to_dense()


def test_what_needs_a_chain_refuses_other_pairs():
    ring = Hamiltonian.from_terms(
        4, [*((p, [j, j + 1], 1.0) for j in range(3) for p in ("XX", "ZZ"))]
    )
    assert ring.is_chain
    np.testing.assert_array_equal(ring.pair_couplings(), ring.bond_couplings())
    np.testing.assert_allclose(ring.pair_matrices(), ring.bond_matrices(), atol=1e-15)
    closed = Hamiltonian.from_terms(4, [*ring.to_terms(), ("XZ", [3, 0], 1.0)])
    assert not closed.is_chain
    assert closed.pairs == ((0, 1), (1, 2), (2, 3), (0, 3))
    with pytest.raises(
        InputError, match="must be an open chain for this, but couples qubits 0 and 3"
    ):
        closed.bond_matrices()
