import numpy as np
import pytest

from aqc.compile import compile_evolution
from aqc.errors import InputError
from aqc.evolved import evolve_within
from aqc.gates import PAULI
from aqc.pauli_strings import expectation
from aqc.problem import Problem
from reference import neel, random_chain

MODEL = {"model": "xxz_chain", "num_qubits": 5, "delta": 0.5}
STRINGS = [("Z", (2,)), ("ZZ", (0, 4)), ("YX", (3, 1)), ("XIY", (0, 1, 2)), ("ZZZZZ", range(5))]


@pytest.mark.parametrize(("letters", "qubits"), STRINGS)
def test_expectation_of_an_mps_and_of_a_vector(letters, qubits):
    target = evolve_within(random_chain(5, seed=1), neel(5), 0.7, tolerance=1e-10, max_bond=8)
    state = target.mps
    vector = state.to_dense()
    dense = np.eye(1)
    acting = dict(zip(qubits, letters, strict=True))
    for site in range(5):
        dense = np.kron(dense, PAULI[acting.get(site, "I")])
    truth = np.vdot(vector, dense @ vector).real / np.vdot(vector, vector).real
    for form in (state, vector):
        assert expectation(form, letters, tuple(qubits)) == pytest.approx(truth, abs=1e-12)


def test_a_result_tells_circuit_target_and_error():
    result = compile_evolution(
        MODEL,
        0.4,
        initial_state="neel",
        ansatz={"layers": 3},
        observables=[["ZZ", [0, 4]], ["XX", [1, 2]], ["Z", [0]]],
    )
    assert result.observables is not None
    far, near, single = result.observables["given"]
    assert single["target"] == pytest.approx(result.observables["z"]["target"][0], abs=1e-12)
    vector = result.target.mps.to_dense()
    assert near["target"] == pytest.approx(expectation(vector, "XX", (1, 2)), abs=1e-12)
    assert far["error"] == pytest.approx(far["circuit"] - far["target"])
    assert abs(far["error"]) <= 2 * np.sqrt(result.certificate.infidelity)  # |<P>_a - <P>_b|


@pytest.mark.parametrize(
    ("observables", "message"),
    [
        ("ZZ", "must be a list of at most 1000"),
        ([["ZZ", [0]]], "as many qubits as letters"),
        ([["AB", [0, 1]]], "letters I, X, Y, Z"),
        ([["ZZ", [1, 1]]], "distinct qubits"),
        ([["Z", [5]]], "A qubit of Pauli string 0"),
    ],
)
def test_refusals(observables, message):
    with pytest.raises(InputError, match=message):
        Problem.build(MODEL, 1.0, observables=observables)


def test_they_are_those_of_a_state():
    with pytest.raises(InputError, match="those of one state"):
        Problem.build(MODEL, 1.0, mode="unitary", observables=[["Z", [0]]])
