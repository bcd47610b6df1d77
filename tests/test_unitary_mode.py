"""Compiling exp(-iHt) for every input: right on all of them, refused where it has no meaning."""

import re

import numpy as np
import pytest
from qiskit.quantum_info import Operator, Statevector
from scipy.linalg import expm

from aqc import compile_evolution, compile_times
from aqc.errors import InputError
from aqc.gates import pauli
from aqc.hamiltonian import Hamiltonian
from aqc.interop.files import load_circuit
from aqc.problem import Problem
from command_line import call
from reference import random_chain

MODEL = {"model": "ising_chain", "num_qubits": 4}


@pytest.mark.parametrize(("num_qubits", "layers"), [(3, 3), (5, 4)])
def test_circuit_is_the_exponential_with_its_phase(num_qubits, layers):
    chain, time = random_chain(num_qubits, seed=num_qubits), 0.12
    shifted = Hamiltonian.from_terms(num_qubits, [*chain.to_terms(), ["", [], 0.7]])
    result = compile_evolution(
        shifted,
        time,
        mode="unitary",
        ansatz={"layers": layers},
        goal={"infidelity": 1e-8},
        optimizer={"max_steps": 60},
    )
    truth = expm(-1j * time * shifted.to_dense())
    made = Operator(result.circuit.reverse_bits()).data
    overlap = np.vdot(truth, made) / len(made)
    infidelity = 1 - abs(overlap) ** 2
    assert infidelity <= result.certificate.infidelity_bound < 1e-3
    assert result.certificate.infidelity == pytest.approx(infidelity, abs=1e-12)
    assert abs(np.angle(overlap)) < 1e-9
    assert result.certificate.infidelity < result.trotter.infidelity / 2
    # No input is known, so that the first layer takes three CX too.
    assert result.two_qubit_depth == 3 * layers
    assert result.observables is None
    assert result.to_dict()["certificate"]["average_gate_fidelity"] > 0.99


def test_both_products_of_a_longer_chain_are_compared_undone():
    """On more than ten qubits, checked on random inputs by a state vector."""
    chain, time = random_chain(11, seed=5), 0.1
    result = compile_evolution(
        chain, time, mode="unitary", ansatz={"layers": 3}, optimizer={"max_steps": 20}
    )
    assert "undone" in result.certificate.method
    rng = np.random.default_rng(0)
    bonds = chain.bond_matrices()
    state = rng.normal(size=2**11) + 1j * rng.normal(size=2**11)
    state /= np.linalg.norm(state)

    def energy(vector: np.ndarray) -> np.ndarray:
        total = np.zeros_like(vector)
        for bond, matrix in enumerate(bonds):
            total += np.matmul(matrix, vector.reshape(2**bond, 4, -1)).ravel()
        return total

    truth, term = state.copy(), state
    for order in range(1, 40):
        term = -1j * time / order * energy(term)
        truth = truth + term
    little_endian = state.reshape((2,) * 11).transpose().ravel()
    made = Statevector(little_endian).evolve(result.circuit).data
    made = made.reshape((2,) * 11).transpose().ravel()
    infidelity = 1 - abs(np.vdot(truth, made)) ** 2
    # A random input is as good as the average one, to a few percent in 2^11 dimensions.
    assert infidelity == pytest.approx(1 - result.certificate.average_gate_fidelity, rel=0.2)


def test_target_can_be_saved_and_belongs_to_its_mode(tmp_path):
    from aqc.target import Target
    from aqc.targets import make_target

    problem = Problem.build(MODEL, 0.3, mode="unitary")
    make_target(problem).save(tmp_path / "target.npz")
    kept = Target.load(tmp_path / "target.npz")
    settings = {"ansatz": {"layers": 2}, "optimizer": {"max_steps": 3}, "target": kept}
    result = compile_evolution(MODEL, 0.3, mode="unitary", **settings)
    assert result.problem.mode == "unitary"
    with pytest.raises(InputError, match=re.escape("The saved target must be of the problem's")):
        compile_evolution(MODEL, 0.3, **settings)


@pytest.mark.parametrize(
    ("settings", "pointer", "sentence"),
    [
        ({"initial_state": "neel"}, "/initial_state", 'left out where `mode` is "unitary"'),
        ({"objective": "flip"}, "/objective", "which flips the qubits of one input"),
        ({"target": {"evolver": "quimb"}}, "/target/evolver", 'must be "native"'),
        ({"powers": [0]}, "/powers/0", "A power of `powers`"),
        ({"powers": [2, 2]}, "/powers", "distinct integers"),
        ({"overlap": "dense"}, "/overlap", "at most 7 qubits"),
        (
            {"ansatz": {"layers": 1, "start": {"qasm": "OPENQASM 2.0; qreg q[8];"}}},
            "/ansatz/start",
            'must be null or {"random": seed}',
        ),
    ],
)
def test_what_does_not_go_with_the_mode_is_refused(settings, pointer, sentence):
    with pytest.raises(InputError, match=re.escape(sentence)) as refusal:
        Problem.build({"model": "ising_chain", "num_qubits": 8}, 0.1, mode="unitary", **settings)
    assert pointer in [at for at, _ in refusal.value.errors]


def test_a_given_target_is_no_unitary_and_powers_are_of_unitaries():
    with pytest.raises(InputError, match=re.escape("`target.circuit` must be left out")):
        Problem.from_dict(
            {"mode": "unitary", "target": {"circuit": {"qasm": "OPENQASM 2.0; qreg q[2];"}}}
        )
    with pytest.raises(InputError, match=re.escape('unless `mode` is "unitary"')):
        Problem.build(MODEL, 0.1, powers=[2])


def test_on_a_device_qubits_stay_where_they_are():
    settings = {"mode": "unitary", "ansatz": {"layers": 2}, "optimizer": {"max_steps": 2}}
    star = [[0, 1], [0, 2], [0, 3]]
    with pytest.raises(InputError, match=re.escape("so that no swap moves a qubit")):
        compile_evolution(MODEL, 0.2, **settings, circuit={"coupling_map": star})
    line = [[3, 1], [1, 0], [0, 4], [4, 2]]
    placed = compile_evolution(MODEL, 0.2, **settings, circuit={"coupling_map": line})
    assert placed.layout is not None
    sites = [placed.layout[j] for j in range(4)]
    truth = expm(-0.2j * Problem.build(MODEL, 0.2).to_hamiltonian().to_dense())
    made = Operator(placed.circuit).data.reshape((2,) * 10)
    outer = [q for q in range(5) if q not in sites]
    order = [4 - q for q in (*outer, *sites)]
    made = made.transpose([*order, *(5 + q for q in order)]).reshape(32, 32)
    overlap = np.vdot(np.kron(np.eye(2), truth), made) / 32
    assert 1 - abs(overlap) ** 2 == pytest.approx(placed.certificate.infidelity, abs=1e-10)


def test_the_command_line_compiles_and_certifies_again(tmp_path):
    problem = tmp_path / "problem.json"
    problem.write_text(
        '{"hamiltonian": {"model": "ising_chain", "num_qubits": 3}, "time": 0.3, '
        '"mode": "unitary", "powers": [2], "ansatz": {"layers": 3}, "goal": {"infidelity": 1e-4}}'
    )
    made = call("compile", problem, "--out", tmp_path / "out")
    assert made.exit_code == 0, made.output
    assert "of all inputs" in made.output
    assert "power 2" in made.output
    again = call("certify", tmp_path / "out/circuit.qpy", problem)
    assert again.exit_code == 0, again.output
    assert "average fidelity 0.9999" in again.output
    circuit = load_circuit(tmp_path / "out/circuit.qpy")
    truth = expm(-0.3j * Problem.from_json(problem.read_text()).to_hamiltonian().to_dense())
    made = Operator(circuit.reverse_bits()).data
    assert 1 - abs(np.vdot(truth, made) / 8) < 1e-4
    assert abs(made - truth).max() < 0.05  # the phase is in QPY


def test_pauli_letters_keep_their_order():
    """X on the left and Z on the right is not Z on the left and X on the right."""
    chain = Hamiltonian.from_terms(3, [("XZ", (0, 1), 0.4), ("Y", (2,), 0.3)])
    result = compile_evolution(chain, 1.0, mode="unitary", ansatz={"layers": 2})
    truth = expm(-0.4j * pauli("XZI") - 0.3j * pauli("IIY"))
    assert abs(Operator(result.circuit.reverse_bits()).data - truth).max() < 1e-9


def test_several_times_are_several_unitaries():
    settings = {"ansatz": {"layers": 3}, "goal": {"infidelity": 1e-7}}
    found = compile_times(MODEL, [0.1, 0.2], mode="unitary", **settings)
    hamiltonian = Problem.build(MODEL, 0.1).to_hamiltonian().to_dense()
    for time, result in zip((0.1, 0.2), found, strict=True):
        made = Operator(result.circuit.reverse_bits()).data
        infidelity = 1 - abs(np.vdot(expm(-1j * time * hamiltonian), made) / 16) ** 2
        assert infidelity <= result.certificate.infidelity_bound < 1e-5


def test_truncated_overlaps_are_of_states():
    with pytest.raises(InputError, match=re.escape('`overlap` = "truncated"')):
        compile_evolution(MODEL, 0.1, mode="unitary", overlap="truncated", ansatz={"layers": 2})
