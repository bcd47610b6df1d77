"""Ramps towards ground states, against exact diagonalization."""

import numpy as np
import pytest

from aqc.ansatz import Ansatz
from aqc.compile import compile_state
from aqc.hamiltonian import Hamiltonian
from aqc.models import MODELS
from aqc.ramp import best_ramp, ramp
from reference import statevector


def ground(hamiltonian: Hamiltonian) -> np.ndarray:
    return np.linalg.eigh(hamiltonian.to_dense())[1][:, 0]


def log_fidelity(ansatz: Ansatz, vector: np.ndarray) -> float:
    return 2 * float(np.log(abs(np.vdot(vector, statevector(ansatz.circuit())))))


def test_one_layer_is_the_ground_state_of_the_even_bonds():
    chain = MODELS["alternating_heisenberg_chain"].build(6, j_even=1.0, j_odd=0.0)
    assert log_fidelity(ramp(chain, 1, 0.5, 0.5), ground(chain)) == pytest.approx(0.0, abs=1e-12)


def test_slow_ramps_of_many_small_layers_are_adiabatic():
    chain = MODELS["heisenberg_chain"].build(6)
    vector = ground(chain)
    infidelities = [
        -np.expm1(log_fidelity(ramp(chain, layers, rate, rate), vector))
        for layers, rate in ((11, 0.3), (41, 0.3), (161, 0.1))
    ]
    assert infidelities[0] > 5 * infidelities[1] > 25 * infidelities[2]


@pytest.mark.parametrize("model", ["heisenberg_chain", "xxz_chain", "ising_chain"])
def test_the_best_of_some_rates_is_taken(model):
    chain = MODELS[model].build(8, field=0.1) if model == "xxz_chain" else MODELS[model].build(8)
    vector = ground(chain)
    tried = []

    def judge(ansatz: Ansatz) -> float:
        tried.append(log_fidelity(ansatz, vector))
        return tried[-1]

    assert log_fidelity(best_ramp(chain, 5, judge), vector) == max(tried)


def test_ground_states_start_there():
    chain = MODELS["heisenberg_chain"].build(10)
    tensors = split(ground(chain))
    settings = {
        "ansatz": {"layers": 5},
        "goal": {"infidelity": 1e-6},
        "optimizer": {"max_steps": 60},
    }
    told = compile_state(tensors, hamiltonian=chain, **settings)
    untold = compile_state(tensors, **settings)
    assert told.chosen.start_infidelity < 0.3 < untold.chosen.start_infidelity
    assert told.certificate.infidelity < untold.certificate.infidelity


def split(vector: np.ndarray) -> list[np.ndarray]:
    """Return the exact tensors of a state vector, legs (left bond, qubit, right bond)."""
    tensors, rest, bond = [], vector.astype(complex), 1
    for _ in range(len(vector).bit_length() - 2):
        u, s, v = np.linalg.svd(rest.reshape(2 * bond, -1), full_matrices=False)
        tensors.append(u.reshape(bond, 2, -1))
        rest, bond = s[:, None] * v, len(s)
    return [*tensors, rest.reshape(bond, 2, 1)]
