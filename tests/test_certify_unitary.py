"""A unitary's certificate against matrices: both of its roads, never better than the truth."""

import json
import re
import sys

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator
from scipy.linalg import expm

from aqc.certify import certify
from aqc.certify_unitary import certify_unitary
from aqc.errors import InputError
from aqc.interop.qiskit import evolution_gate
from aqc.propagator import propagate_within
from aqc.spectral import spectral_distance
from reference import random_chain, random_unitaries


def trotter(num_qubits: int, chain, time: float) -> QuantumCircuit:
    """One step of Qiskit's own product formula, with a phase of its own."""
    circuit = QuantumCircuit(num_qubits, global_phase=0.3)
    circuit.append(evolution_gate(chain, time), range(num_qubits))
    return circuit.decompose(reps=4)


def matrices(circuit, chain, time):
    """Qubit 0 leftmost, as in the Hamiltonian."""
    made = Operator(circuit.reverse_bits()).data
    return made, expm(-1j * time * chain.to_dense())


def worst_input(made: np.ndarray, truth: np.ndarray) -> float:
    """The spectral norm of the difference at the best of many phases."""
    phases = np.exp(1j * np.linspace(0, 2 * np.pi, 4001))
    values = np.linalg.eigvals(truth.conj().T @ made)
    return float(min(np.abs(values - phase).max() for phase in phases))


@pytest.mark.parametrize("dense", [True, False])
def test_certificate_is_the_truth_by_either_road(monkeypatch, dense):
    if not dense:
        monkeypatch.setattr(sys.modules["aqc.certify_unitary"], "_DENSE_QUBITS", 0)
    for num_qubits, time in ((2, 0.3), (4, 0.15), (6, 0.1)):
        chain = random_chain(num_qubits, seed=num_qubits)
        circuit = trotter(num_qubits, chain, time)
        made, truth = matrices(circuit, chain, time)
        overlap = np.trace(truth.conj().T @ made) / len(made)
        infidelity = 1 - abs(overlap) ** 2
        assert 1e-5 < infidelity < 0.5
        target = propagate_within(chain, time, tolerance=1e-9, max_bond=256)
        found = certify_unitary(circuit, chain, time, target)
        assert found.infidelity == pytest.approx(infidelity, rel=1e-3)
        assert infidelity <= found.infidelity_bound <= 1.05 * infidelity
        assert found.bound_kind == "rigorous"
        size = 2**num_qubits
        average = (size * abs(overlap) ** 2 + 1) / (size + 1)
        assert found.average_gate_fidelity == pytest.approx(average, abs=1e-5)
        # With the phase that is missing, the circuit is the exponential itself.
        turned = overlap * np.exp(1j * found.global_phase)
        assert turned.real > 0
        assert abs(turned.imag) < 1e-3 * np.sqrt(infidelity) + 1e-9
        assert found.spectral_kind == ("exact" if dense else "estimate")
        assert found.spectral_distance == pytest.approx(worst_input(made, truth), rel=1e-2)


def test_powers_are_measured_where_few_and_bounded_everywhere(monkeypatch):
    chain, time = random_chain(5, seed=1), 0.1
    circuit = trotter(5, chain, time)
    made, truth = matrices(circuit, chain, time)
    few = certify_unitary(circuit, chain, time, powers=(1, 3, 7))
    monkeypatch.setattr(sys.modules["aqc.certify_unitary"], "_DENSE_QUBITS", 0)
    target = propagate_within(chain, time, tolerance=1e-9, max_bond=256)
    many = certify_unitary(circuit, chain, time, target, powers=(1, 3, 7))
    for measured, bounded in zip(few.powers, many.powers, strict=True):
        powers = (np.linalg.matrix_power(m, measured.power) for m in (truth, made))
        infidelity = 1 - abs(np.vdot(*powers) / len(made)) ** 2
        assert measured.infidelity == pytest.approx(infidelity, abs=1e-12)
        assert bounded.infidelity is None
        assert infidelity <= measured.infidelity_bound <= bounded.infidelity_bound
    assert json.loads(json.dumps(few.to_dict()))["powers"][1]["power"] == 3


def test_a_process_fidelity_hides_the_worst_input():
    """One eigenphase pi of 256: process infidelity 0.016, worst input 1 (a distance of 2^(1/2))."""
    left = np.eye(256, dtype=complex)
    left[0, 0] = -1
    assert 1 - abs(np.trace(left) / 256) ** 2 == pytest.approx(0.0156, abs=1e-4)
    assert spectral_distance(left) == pytest.approx(np.sqrt(2))


def test_spectral_distance_of_near_and_far_unitaries():
    rng = np.random.default_rng(0)
    for spread in (1e-6, 0.1, 1.0, 2.5):
        phases = rng.uniform(-spread, spread, size=16) + 1.3
        (frame,) = random_unitaries(1, 16, seed=2)
        unitary = (frame * np.exp(1j * phases)) @ frame.conj().T
        arc = phases.max() - phases.min()
        assert spectral_distance(unitary) == pytest.approx(2 * np.sin(arc / 4), rel=1e-9)


def test_an_operator_is_no_state():
    target = propagate_within(random_chain(3, seed=0), 0.1, tolerance=1e-6, max_bond=64)
    with pytest.raises(InputError, match="use `certify_unitary`"):
        certify(QuantumCircuit(3), target)


def test_another_number_of_qubits_is_refused():
    with pytest.raises(InputError, match=re.escape("must have 4 qubits, as the Hamiltonian has")):
        certify_unitary(QuantumCircuit(3), random_chain(4, seed=0), 0.1)
