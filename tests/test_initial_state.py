"""Initial states: the five forms agree with Qiskit's statevectors, and wrong ones are refused."""

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector

from aqc.errors import InputError
from aqc.initial_state import BlochState, amplitudes, read_initial_state, to_json


def statevector(value, num_qubits):
    """The state as Qiskit orders it: the last site is the leftmost factor."""
    sites = amplitudes(read_initial_state(value, num_qubits), num_qubits)
    assert sites.shape == (num_qubits, 2)
    return functools.reduce(np.kron, sites[::-1])


def test_neel_is_x_on_odd_qubits():
    circuit = QuantumCircuit(5)
    circuit.x([1, 3])
    np.testing.assert_array_equal(statevector("neel", 5), Statevector(circuit).data)


def test_a_bit_string_is_in_qiskit_order():
    np.testing.assert_array_equal(statevector("0110100", 7), Statevector.from_label("0110100").data)
    np.testing.assert_array_equal(statevector("zeros", 3), Statevector.from_label("000").data)


@given(st.lists(st.sampled_from([0, 1]), min_size=2, max_size=6))
def test_the_forms_of_a_basis_state_agree(bits):
    n = len(bits)
    expected = statevector(bits, n)
    assert expected[sum(bit << site for site, bit in enumerate(bits))] == 1
    np.testing.assert_array_equal(statevector("".join(map(str, bits[::-1])), n), expected)
    np.testing.assert_array_equal(statevector(np.array(bits), n), expected)
    bloch = {"bloch": [[np.pi * bit, 0] for bit in bits]}
    np.testing.assert_allclose(statevector(bloch, n), expected, atol=1e-15)


def test_bloch_angles_are_those_of_qiskits_u():
    angles = np.random.default_rng(0).uniform(-4, 4, size=(4, 2))
    circuit = QuantumCircuit(4)
    for site, (theta, phi) in enumerate(angles):
        circuit.u(theta, phi, 0, site)
    expected = Statevector(circuit).data
    np.testing.assert_allclose(statevector({"bloch": angles}, 4), expected, atol=1e-14)
    np.testing.assert_allclose(statevector({"bloch": angles.tolist()}, 4), expected, atol=1e-14)


@pytest.mark.parametrize(
    "value", ["zeros", "neel", "0101", [0, 1, 1, 0], {"bloch": [[1.0, 2.0]] * 4}]
)
def test_every_form_goes_to_json_and_back(value):
    state = read_initial_state(value, 4)
    assert to_json(state) == value
    assert read_initial_state(state, 4) == state
    hash(state)


@pytest.mark.parametrize(
    ("value", "sentence", "pointer"),
    [
        ([0, 1, 0], "must describe all 4 qubits of the Hamiltonian, but describes 3", ""),
        ([], "must describe all 4 qubits", ""),
        ("01011", "must describe all 4 qubits of the Hamiltonian, but describes 5", ""),
        ({"bloch": [[0, 0]] * 5}, "must describe all 4 qubits", ""),
        ("Neel", 'or {"circuit": .*}, but is "Neel"; did you mean `neel`', ""),
        ("", 'but is ""', ""),
        ("0120", 'but is "0120"', ""),
        ("\u0660\u0661\u0660\u0661", "must be", ""),  # digits to Python, but not bits
        (3, "but is 3", ""),
        (None, "but is null", ""),
        (True, "but is true", ""),
        ([0, 1, 2, 0], "A bit of `initial_state` must be at most 1, but is 2", "/2"),
        ([0, 1, 0, -1], "must be at least 0", "/3"),
        ([0, 1, 0.0, 1], "must be an integer, but is 0.0", "/2"),
        ([0, True, 0, 1], "must be an integer, but is true", "/1"),
        (["0", 1, 0, 1], 'must be an integer, but is "0"', "/0"),
        ({}, "must have the one field `bloch`, but is {}", ""),
        ({"bloch": [[0, 0]] * 4, "x": 1}, "must have the one field `bloch`", ""),
        ({"bloch": 3}, r"must be a list of \[theta, phi\] in radians, but is 3", "/bloch"),
        (
            {"bloch": [[0, 0], [1], [0, 0], [0, 0]]},
            r"must be \[theta, phi\], but one is \[1\]",
            "/bloch/1",
        ),
        ({"bloch": [0, 0, 0, 0]}, "but one is 0", "/bloch/0"),
        (
            {"bloch": [[0, float("nan")]] * 4},
            "A Bloch angle must be finite, but is nan",
            "/bloch/0",
        ),
        ({"bloch": [[0, 0], [1j, 0]] * 2}, "A Bloch angle must be real, but is 1j", "/bloch/1"),
        ({"bloch": [["0", 0]] * 4}, "A Bloch angle must be a number", "/bloch/0"),
    ],
)
def test_an_initial_state_is_refused(value, sentence, pointer):
    with pytest.raises(InputError, match=sentence) as refusal:
        read_initial_state(value, 4)
    assert refusal.value.pointer == "/initial_state" + pointer


def test_bloch_angles_are_frozen():
    with pytest.raises(AttributeError):
        BlochState(((0.0, 0.0),)).bloch = ()
