"""Compiles of lattices: certificates that are true, against dense states; what is refused."""

import numpy as np
import pytest

from aqc.compile import compile_evolution
from aqc.errors import InputError
from aqc.gates import evolution
from aqc.hamiltonian import Hamiltonian
from aqc.interop.circuits import as_gates
from aqc.interop.routing import chain_circuit
from aqc.lattice import evolve_state
from aqc.models import MODELS
from aqc.mps import MPS
from aqc.problem import Problem

RING = {"model": "xxz_ring", "num_qubits": 6, "delta": 0.7}


def truth(problem):
    """Return the exact state; up to ten qubits by diagonalization."""
    hamiltonian, time = problem.evolution()
    states = problem.product_state()
    if problem.num_qubits <= 8:
        return evolution(hamiltonian.to_dense(), time) @ MPS.product(states).to_dense()
    from scipy.sparse.linalg import expm_multiply

    return expm_multiply(-1j * time * hamiltonian.to_sparse(), MPS.product(states).to_dense())


def check(result, layout=None):
    """Return the infidelity against the truth, which the certificate's bound must not deny."""
    problem = result.problem
    zeros = np.zeros(2**problem.num_qubits, dtype=complex)
    zeros[0] = 1.0
    made = as_gates(result.circuit).act_on(zeros)
    exact = truth(problem)
    true = 1 - abs(np.vdot(exact, made)) ** 2
    assert true <= result.certificate.infidelity_bound
    energies = [np.vdot(v, problem.to_hamiltonian().to_sparse() @ v).real for v in (made, exact)]
    told = result.observables["energy"]
    assert told["circuit"] == pytest.approx(energies[0], abs=1e-9)
    assert told["target"] == pytest.approx(energies[1], abs=0.1)
    return true


def test_a_ring():
    result = compile_evolution(
        RING, 0.6, initial_state="neel", ansatz={"layers": 5}, goal={"infidelity": 1e-4}
    )
    assert result.status == "goal_reached"
    assert check(result) <= 1.1e-4
    pairs = {
        tuple(sorted(result.circuit.find_bit(q).index for q in step.qubits))
        for step in result.circuit.data
        if len(step.qubits) == 2
    }
    assert pairs == set(Problem.build(RING, 1.0).to_hamiltonian().pairs)
    assert result.trotter.infidelity > 10 * result.certificate.infidelity
    assert len(result.bricks[0][0]) == 3


def test_a_ring_on_a_line_of_qubits():
    line = [[j, j + 1] for j in range(5)]
    result = compile_evolution(
        RING,
        0.3,
        initial_state="neel",
        ansatz={"layers": 3},
        circuit={"coupling_map": line, "basis": "cz"},
    )
    used = {
        tuple(sorted(result.circuit.find_bit(q).index for q in step.qubits))
        for step in result.circuit.data
        if len(step.qubits) == 2
    }
    assert used <= {tuple(pair) for pair in line}
    chain = chain_circuit(result.circuit, result.layout)
    made = as_gates(chain).act_on(np.eye(64)[0])
    true = 1 - abs(np.vdot(truth(result.problem), made)) ** 2
    assert true <= result.certificate.infidelity_bound < 0.1


def test_blocks_that_conserve_on_a_ring():
    result = compile_evolution(
        RING, 0.3, initial_state="neel", ansatz={"layers": 3, "block": "u1"}, seed=1
    )
    assert check(result) < 0.05
    assert abs(sum(result.observables["z"]["circuit"])) < 1e-12


def test_the_fewest_layers_of_a_lattice():
    result = compile_evolution(
        {"model": "heisenberg_ladder", "num_qubits": 4},
        0.2,
        initial_state="0110",
        ansatz={"layers": "auto"},
        goal={"infidelity": 1e-5},
    )
    assert result.status == "goal_reached"
    assert next(depth.layers for depth in result.depths) >= 2
    check(result)


def test_the_operator_of_a_small_ring():
    small = {"model": "xxz_ring", "num_qubits": 4}
    result = compile_evolution(small, 0.3, mode="unitary", ansatz={"layers": 5})
    assert result.certificate.infidelity_bound < 0.01


@pytest.mark.parametrize(
    ("model", "time", "state", "layers"),
    [
        ({"model": "heisenberg_ladder", "num_qubits": 12}, 0.5, "011001100110", 13),
        ({"model": "xxz_square", "num_qubits": 12, "rows": 3, "delta": 1.0}, 0.4, "neel", 19),
        ({"model": "j1j2_chain", "num_qubits": 12}, 0.5, "neel", 19),
        ({"model": "hubbard_chain", "num_qubits": 12}, 0.5, "100110011001", 13),
        ({"model": "ising_square", "num_qubits": 12, "rows": 3}, 0.8, "zeros", 13),
    ],
)
@pytest.mark.slow
def test_twelve_qubits_against_dense_truth(model, time, state, layers):
    result = compile_evolution(
        model,
        time,
        initial_state=state,
        ansatz={"layers": layers, "block": "auto"},
        goal={"infidelity": 1e-3},
        optimizer={"max_steps": 300},
    )
    true = check(result)
    assert result.status == "goal_reached"
    assert true <= 1.1e-3
    assert result.trotter.infidelity > 3 * true


@pytest.mark.slow
def test_more_qubits_than_a_vector_serves():
    model = {"model": "heisenberg_ladder", "num_qubits": 16}
    result = compile_evolution(
        model, 0.3, initial_state="0110" * 4, ansatz={"layers": 9}, goal={"infidelity": 2e-3}
    )
    assert result.problem.num_qubits > 14
    assert result.target.steps > 0
    assert result.certificate.bound_kind == "with estimate"
    assert check(result) <= 2.2e-3


def refused(sentence, pointer, **settings):
    fields = {"hamiltonian": RING, "time": 0.5, **settings}
    with pytest.raises(InputError, match=sentence) as refusal:
        Problem.from_dict(fields)
    assert refusal.value.errors[0][0] == pointer


def test_what_is_refused():
    plus = {"circuit": {"qasm": 'OPENQASM 2.0; include "qelib1.inc"; qreg q[6]; h q[0];'}}
    refused("must be a product state where", "/initial_state", initial_state=plus)
    refused("at least 2, as many as the layers", "/ansatz/layers", ansatz={"layers": 1})
    refused("at least 2, as many", "/ansatz/layers", ansatz={"layers": [1, 3]})
    refused('must be "native" where', "/target/evolver", target={"evolver": "quimb"})
    large = {"model": "xxz_ring", "num_qubits": 8}
    refused("at most 7 qubits where", "/mode", hamiltonian=large, mode="unitary")
    alone = Hamiltonian.from_terms(4, [("XX", (0, 2), 1.0), ("Z", (1,), 1.0), ("ZZ", (2, 3), 1.0)])
    refused("qubit 1 is coupled to none", "/hamiltonian", hamiltonian=alone)
    three = {"num_qubits": 4, "terms": [["XYZ", [0, 1, 2], 1.0]]}
    refused("acts on 3 qubits", "/hamiltonian/terms/0", hamiltonian=three)


@pytest.mark.parametrize(
    ("model", "num_qubits", "extra", "sentence"),
    [
        ("xxz_ring", 2, {}, "at least 3 for a ring"),
        ("j1j2_chain", 2, {}, "at least 3 for next-nearest"),
        ("heisenberg_ladder", 7, {}, r"a multiple of 2 \(two for each rung or site\)"),
        ("hubbard_chain", 2, {}, "more than it, but is 2"),
        ("xxz_square", 10, {"rows": 3}, r"a multiple of 3 \(3 rows\)"),
        ("xxz_square", 12, {"rows": 1.5}, "`hamiltonian.rows` must be an integer"),
        ("xxz_square", 12, {"rows": 0}, "must be at least 1"),
    ],
)
def test_a_lattice_that_does_not_exist_is_refused(model, num_qubits, extra, sentence):
    with pytest.raises(InputError, match=sentence):
        MODELS[model].build(num_qubits, **extra)


def test_a_target_beyond_the_bond_dimension_is_refused():
    from aqc.errors import TruncationError

    ladder = MODELS["heisenberg_ladder"].build(8)
    with pytest.raises(TruncationError, match="raise `target.max_bond`"):
        evolve_state(
            ladder, np.tile([[1.0, 0.0], [0.0, 1.0]], (4, 1)), 2.0, tolerance=1e-6, max_bond=2
        )
