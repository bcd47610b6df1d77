"""A day's work with the plugin: a noisy backend, preset pass managers, and Trotter beside it."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.quantum_info import SparsePauliOp
from qiskit.synthesis import SuzukiTrotter
from qiskit.transpiler import CouplingMap, generate_preset_pass_manager
from qiskit_aer import AerSimulator

from aqc.qiskit_plugin.init import OPTIONS, OUTCOME
from reference import evolved, neel, xxz

TIME = 1.0
TERMS = [("XX", 1.0), ("YY", 1.0), ("ZZ", 0.5)]


def bonds(n):
    """Even bonds first: so Trotter's formula is a brickwork, which is where it is at its best."""
    return [*range(0, n - 1, 2), *range(1, n - 1, 2)]


def circuit(n, **synthesis):
    terms = [(pauli, [j, j + 1], c) for j in bonds(n) for pauli, c in TERMS]
    operator = SparsePauliOp.from_sparse_list(terms, n)
    prepared = QuantumCircuit(n)
    prepared.x(range(1, n, 2))
    prepared.append(PauliEvolutionGate(operator, TIME, **synthesis), range(n))
    return prepared


def two_qubit(step):
    return len(step.qubits) == 2


def noisy_fidelity(compiled, state, simulator):
    """<psi|rho|psi> of what the noisy device prepares, qubit 0 leftmost."""
    run = compiled.copy()
    run.save_density_matrix(qubits=compiled.layout.final_index_layout()[::-1])
    rho = simulator.run(run).result().data()["density_matrix"].data
    return float(np.real(state.conj() @ rho @ state))


def generic(n):
    line = CouplingMap.from_line(n)
    return GenericBackendV2(n, coupling_map=line, basis_gates=["cx", "rz", "sx", "x"], seed=7)


def check_that_compiled_beats_trotter(n, backend, level, options):
    simulator = AerSimulator.from_backend(backend, method="density_matrix", max_parallel_threads=1)
    arguments = {"optimization_level": level, "backend": backend, "seed_transpiler": 1}
    with_plugin = generate_preset_pass_manager(init_method="aqctensor", **arguments)
    without = generate_preset_pass_manager(**arguments)
    state = evolved(xxz(n), neel(n), TIME)

    asked = circuit(n)
    asked.metadata = {OPTIONS: options}
    ours = with_plugin.run(asked)
    assert ours.metadata[OUTCOME]["infidelity_bound"] <= options["tolerance"]
    fidelity = noisy_fidelity(ours, state, simulator)
    formulas = [without.run(circuit(n, synthesis=SuzukiTrotter(2, reps))) for reps in (1, 2, 3, 4)]
    best = max(formulas, key=lambda formula: noisy_fidelity(formula, state, simulator))
    trotter = noisy_fidelity(best, state, simulator)
    assert fidelity > trotter + 0.02
    assert ours.depth(two_qubit) < best.depth(two_qubit)
    assert ours.size(two_qubit) < best.size(two_qubit)


@pytest.mark.parametrize("level", [2, 3])
def test_compiled_beats_trotter_on_a_noisy_device(level):
    check_that_compiled_beats_trotter(6, generic(6), level, {"tolerance": 0.01, "layers": 5})


@pytest.mark.slow
def test_the_depth_chosen_for_the_device_beats_the_one_that_reaches_one_percent():
    n, backend = 10, generic(10)
    simulator = AerSimulator.from_backend(backend, method="density_matrix", max_parallel_threads=1)
    manager = generate_preset_pass_manager(
        optimization_level=3, backend=backend, seed_transpiler=1, init_method="aqctensor"
    )
    made = []
    for options in ({"tolerance": 0.01}, {"tolerance": 0.1, "device": True}):
        asked = circuit(n)
        asked.metadata = {OPTIONS: options}
        made.append(manager.run(asked))
    close, chosen = (noisy_fidelity(one, evolved(xxz(n), neel(n), TIME), simulator) for one in made)
    assert made[1].depth(two_qubit) < made[0].depth(two_qubit)
    assert chosen > close + 0.02


@pytest.mark.slow
@pytest.mark.parametrize("level", [2, 3])
@pytest.mark.parametrize("n", [8, 10])
def test_compiled_beats_trotter_on_larger_noisy_devices(n, level):
    check_that_compiled_beats_trotter(n, generic(n), level, {"tolerance": 0.01})


@pytest.mark.slow
@pytest.mark.parametrize("level", [2, 3])
def test_compiled_beats_trotter_on_the_noise_of_a_real_device(level):
    provider = pytest.importorskip("qiskit_ibm_runtime.fake_provider")
    options = {"tolerance": 0.02}
    check_that_compiled_beats_trotter(7, provider.FakeGuadalupeV2(), level, options)
