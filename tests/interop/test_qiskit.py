import numpy as np
import pytest
from qiskit.circuit import Parameter
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import Operator, SparseObservable, SparsePauliOp

from aqc.errors import InputError
from aqc.gates import evolution
from aqc.hamiltonian import Hamiltonian
from aqc.interop.qiskit import evolution_gate, hamiltonian_from_qiskit, hamiltonian_to_qiskit


def random_operator(num_qubits: int, seed: int) -> SparsePauliOp:
    rng = np.random.default_rng(seed)
    terms = [("", [], rng.normal())]
    for site in range(num_qubits - 1):
        terms += [(a + b, [site, site + 1], rng.normal()) for a in "XYZ" for b in "XYZ"]
        terms += [(a, [site], rng.normal()) for a in "XYZ"]
    return SparsePauliOp.from_sparse_list(terms, num_qubits)


def dense(operator: SparsePauliOp) -> np.ndarray:
    """Return the matrix with qubit 0 leftmost, as the Hamiltonian has it."""
    return Operator(operator).reverse_qargs().data


@pytest.mark.parametrize("num_qubits", [2, 3, 5])
def test_operator_keeps_its_matrix_both_ways(num_qubits):
    operator = random_operator(num_qubits, seed=num_qubits)
    hamiltonian, time = hamiltonian_from_qiskit(operator)
    assert time is None
    np.testing.assert_allclose(hamiltonian.to_dense(), dense(operator), atol=1e-13)
    back = hamiltonian_to_qiskit(hamiltonian)
    assert back.equiv(operator)


def test_equal_terms_add_up():
    hamiltonian, _ = hamiltonian_from_qiskit(SparsePauliOp(["IZ", "IZ", "XI"], [1.0, 0.5, 0.0]))
    assert hamiltonian.to_terms() == [["Z", [0], 1.5]]


def test_observable_is_read_and_its_projectors_expanded():
    observable = SparseObservable.from_sparse_list([("01", [0, 1], 1.0), ("+", [2], 2.0)], 3)
    hamiltonian, _ = hamiltonian_from_qiskit(observable)
    expected = SparsePauliOp.from_sparse_observable(observable)
    np.testing.assert_allclose(hamiltonian.to_dense(), dense(expected), atol=1e-14)


def test_evolution_gate_gives_operator_and_time():
    operator = random_operator(3, seed=1)
    hamiltonian, time = hamiltonian_from_qiskit(PauliEvolutionGate(operator, time=-0.3))
    assert time == -0.3
    np.testing.assert_allclose(hamiltonian.to_dense(), dense(operator), atol=1e-14)


# Qiskit's to_matrix hands SciPy a format that SciPy converts with a warning.
@pytest.mark.filterwarnings("ignore:s.* CSC:scipy.sparse.SparseEfficiencyWarning")
def test_list_of_operators_is_the_exponential_of_their_sum():
    # They do not commute, so a product formula would be another matrix.
    gate = PauliEvolutionGate([SparsePauliOp("XX"), SparsePauliOp(["ZI", "IZ"], [0.5, 1])], 0.7)
    hamiltonian, time = hamiltonian_from_qiskit(gate)
    unitary = evolution(hamiltonian.to_dense(), time)
    np.testing.assert_allclose(unitary, Operator(gate.to_matrix()).reverse_qargs().data, atol=1e-13)
    product = Operator(gate.definition).reverse_qargs().data
    assert abs(product - unitary).max() > 1e-2


def test_bound_parameter_is_a_time():
    t = Parameter("t")
    gate = PauliEvolutionGate(SparsePauliOp("XX"), (2 * t).assign(t, 0.25))
    assert hamiltonian_from_qiskit(gate)[1] == 0.5


# Qiskit's to_matrix hands SciPy a format that SciPy converts with a warning.
@pytest.mark.filterwarnings("ignore:s.* CSC:scipy.sparse.SparseEfficiencyWarning")
def test_evolution_gate_back():
    hamiltonian = Hamiltonian.from_terms(3, [("XY", (0, 1), 0.3), ("Z", (2,), -1.0)])
    gate = evolution_gate(hamiltonian, 0.4)
    unitary = Operator(gate.to_matrix()).reverse_qargs().data
    np.testing.assert_allclose(unitary, evolution(hamiltonian.to_dense(), 0.4), atol=1e-13)


def test_rounding_in_an_operator_product_is_no_complex_coefficient():
    hamiltonian, _ = hamiltonian_from_qiskit(SparsePauliOp(["XX"], [1 + 1e-16j]))
    assert hamiltonian.terms[0].coefficient == 1.0


@pytest.mark.parametrize(
    ("operator", "sentence"),
    [
        (SparsePauliOp(["XX", "ZI"], [1, 1j]), r"must be real, but the term Z on \[1\] has 1j"),
        (SparsePauliOp(["XX"], [np.nan]), "must be finite"),
        (SparsePauliOp(["XX"], [Parameter("g")]), "hold the parameters g"),
        (SparsePauliOp("XXX"), "acts on 3 qubits"),
        (SparseObservable("1111"), "one acts on 4 qubits"),
        (PauliEvolutionGate(SparsePauliOp("XX"), Parameter("t")), "a number, but is t; use"),
        (PauliEvolutionGate(SparsePauliOp("XX"), float("nan")), "real and finite, but is nan"),
        ("XX", "has type str"),
    ],
)
def test_what_is_no_hamiltonian_is_refused(operator, sentence):
    with pytest.raises(InputError, match=sentence):
        hamiltonian_from_qiskit(operator)
