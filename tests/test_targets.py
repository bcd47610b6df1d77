"""Targets of every kind against dense truth, and circuits compiled for them with honest bounds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit.random import random_circuit

from aqc import compile_circuit, compile_evolution, compile_problem, compile_state
from aqc.errors import InputError, TruncationError
from aqc.inline import inline
from aqc.mps import MPS
from aqc.problem import Problem
from aqc.target import Target
from aqc.targets import make_target, read_tensors
from reference import (
    evolved,
    fidelity,
    random_chain,
    random_state,
    site_order,
    trotter_circuit,
    xxz,
)


def check_bound(target: Target, truth: np.ndarray) -> None:
    assert 1 - fidelity(target.mps.to_dense(), truth) <= target.infidelity_bound + 1e-12


# --- targets


@settings(max_examples=40)
@given(st.integers(2, 6), st.integers(1, 6), st.integers(0, 10**6), st.floats(1e-8, 0.1))
def test_a_circuits_target_is_within_its_tolerance_and_its_bound(n, depth, seed, tolerance):
    circuit = random_circuit(n, depth, max_operands=3, seed=seed)
    fields = {"target": {"circuit": circuit, "tolerance": tolerance}}
    target = make_target(Problem.from_dict(inline(fields)))
    assert target.infidelity_bound <= tolerance
    assert target.trotter_exact
    check_bound(target, site_order(circuit))


@settings(max_examples=40)
@given(st.integers(2, 7), st.integers(1, 9), st.integers(0, 10**6), st.floats(1e-8, 0.1))
def test_a_states_target_is_within_its_tolerance_and_its_bound(n, chi, seed, tolerance):
    tensors = random_state(n, chi, seed)
    fields = {"target": {"state": tensors, "tolerance": tolerance}}
    target = make_target(Problem.from_dict(inline(fields)))
    assert target.infidelity_bound <= tolerance
    check_bound(target, MPS(tuple(tensors)).to_dense())


@settings(max_examples=15)
@given(st.integers(2, 6), st.integers(0, 10**6), st.sampled_from(["native", "quimb"]))
def test_an_entangled_start_is_evolved_within_its_tolerance_and_its_bound(n, seed, evolver):
    prepared = random_circuit(n, 3, max_operands=2, seed=seed)
    chain = random_chain(n, seed)
    problem = as_evolution(chain, prepared, target={"tolerance": 1e-5, "evolver": evolver})
    target = make_target(problem)
    assert target.infidelity_bound <= 1e-5
    from scipy.linalg import expm

    check_bound(target, expm(-0.4j * chain.to_dense()) @ site_order(prepared))


def as_evolution(chain, prepared, **fields):
    content = {"hamiltonian": chain, "time": 0.4, "initial_state": prepared, **fields}
    return Problem.from_dict(inline(content))


def test_a_product_circuit_gives_the_target_of_the_product_state():
    circuit = QuantumCircuit(5)
    circuit.x([1, 3])
    problem = as_evolution(xxz(5), circuit, target={"tolerance": 1e-7})
    product = evolved(xxz(5), np.eye(2)[[0, 1, 0, 1, 0]], 0.4)
    assert fidelity(make_target(problem).mps.to_dense(), product) > 1 - 1e-7


@pytest.mark.parametrize(
    ("scale", "norm"), [(0.0, "but has norm 0, and so is no state"), (2.0, "norm 2; divide")]
)
def test_a_state_of_another_norm_is_refused(scale, norm):
    tensors = random_state(4, 3, seed=1)
    tensors[1] = tensors[1] * scale
    with pytest.raises(InputError, match=norm):
        compile_state(tensors)


def test_rounding_of_the_norm_is_taken_away():
    tensors = random_state(4, 3, seed=2)
    tensors[2] = tensors[2] * 1.0005
    target = make_target(Problem.from_dict(inline({"target": {"state": tensors}})))
    assert np.linalg.norm(target.mps.to_dense()) == pytest.approx(1, abs=1e-13)


def test_a_long_state_of_norm_one_is_none_of_underflow():
    tensors = [np.full((1, 2, 1), 0.5**0.5)] * 5000
    assert read_tensors(tensors).num_qubits == 5000
    with pytest.raises(InputError, match="finite numbers only"):
        read_tensors([*tensors, np.full((1, 2, 1), np.nan)])


def test_what_max_bond_cannot_hold_is_an_error():
    tensors = random_state(8, 9, seed=3)
    with pytest.raises(TruncationError, match=r"raise `target.max_bond`"):
        compile_state(tensors, target={"max_bond": 2})
    with pytest.raises(TruncationError, match=r"raise `target.max_bond`"):
        compile_circuit(random_circuit(8, 8, max_operands=2, seed=4), target={"max_bond": 2})


# --- made once, used again


def test_a_saved_target_serves_other_goals_and_no_other_state(tmp_path):
    fields = {"initial_state": "neel", "target": {"tolerance": 1e-6}}
    problem = Problem.build(xxz(4), 0.3, **fields)
    made = make_target(problem)
    made.save(tmp_path / "target.npz")
    loaded = Target.load(tmp_path / "target.npz")
    assert loaded.infidelity_bound == made.infidelity_bound
    result = compile_evolution(
        xxz(4), 0.3, initial_state="0101"[::-1], ansatz={"layers": 3}, target=loaded
    )
    assert result.target is loaded
    assert result.certificate.infidelity <= 0.01
    with pytest.raises(InputError, match="was made for others"):
        compile_evolution(xxz(4), 0.4, initial_state="neel", target=loaded)
    tighter = {"tolerance": made.infidelity_bound / 2}
    with pytest.raises(InputError, match=r"must be within `target.tolerance` .* only known"):
        compile_problem(
            Problem.build(xxz(4), 0.3, initial_state="neel", target=tighter), target=loaded
        )


def test_other_files_are_no_targets(tmp_path):
    np.savez(tmp_path / "other.npz", np.zeros(3))
    with pytest.raises(InputError, match="must be a target written by aqc"):
        Target.load(tmp_path / "other.npz")
    with pytest.raises(InputError, match="must be an .npz file written by aqc"):
        Target.load(tmp_path / "missing.npz")


# --- compiled


def test_circuit_in_circuit_out():
    """As with qiskit-addon-aqc-tensor: a deep target circuit, and an ansatz circuit to start at."""
    deep, shallow = trotter_circuit(6, 12, 0.5), trotter_circuit(6, 2, 0.5)
    truth = site_order(deep)
    before = 1 - fidelity(site_order(shallow), truth)
    result = compile_circuit(deep, ansatz={"start": shallow}, goal={"infidelity": 1e-3})
    assert result.problem.ansatz.layers == 4
    assert result.optimum.history[0][1] == pytest.approx(before, abs=1e-4)
    after = 1 - fidelity(site_order(result.circuit), truth)
    assert after <= result.certificate.infidelity_bound <= 2e-3 < before / 50
    assert result.certificate.bound_kind == "rigorous"
    assert result.trotter is None
    assert result.observables["energy"] is None


def test_a_result_is_a_start():
    deep = trotter_circuit(6, 12, 0.5)
    first = compile_circuit(deep, ansatz={"layers": 4}, optimizer={"max_steps": 5})
    # A deep Trotter circuit starts as a shallow one of the same evolution.
    shallow = trotter_circuit(6, 2, 0.5)
    begun = fidelity(site_order(shallow), site_order(deep))
    assert first.optimum.history[0][1] <= 1 - begun + 1e-4
    second = compile_circuit(deep, ansatz={"start": first}, optimizer={"max_steps": 1})
    assert second.problem.ansatz.layers == 4
    assert second.certificate.infidelity == pytest.approx(first.certificate.infidelity, abs=1e-9)
    longer = compile_circuit(deep, ansatz={"start": first, "layers": 5}, optimizer={"max_steps": 1})
    assert longer.certificate.infidelity == pytest.approx(first.certificate.infidelity, abs=1e-9)


def test_the_energy_of_a_circuits_state_is_measured_if_there_is_a_hamiltonian():
    deep = trotter_circuit(4, 6, 0.5)
    result = compile_circuit(deep, hamiltonian=xxz(4), ansatz={"layers": 3})
    truth = site_order(deep)
    energy = np.vdot(truth, xxz(4).to_dense() @ truth).real
    assert result.observables["energy"]["target"] == pytest.approx(energy, abs=1e-2)


@pytest.mark.parametrize(("layers", "reached"), [(3, True), (1, False)])
def test_a_state_is_compiled_and_never_promised_better_than_it_is(layers, reached):
    tensors = random_state(4, 2, seed=5)
    result = compile_state(
        tensors, ansatz={"layers": layers}, goal={"infidelity": 1e-6}, target={"tolerance": 1e-9}
    )
    lost = 1 - fidelity(site_order(result.circuit), MPS(tuple(tensors)).to_dense())
    assert (result.status == "goal_reached") == reached
    assert lost <= result.certificate.infidelity_bound
    assert (lost < 1.1e-6) == reached


def test_an_entangled_start_is_part_of_the_circuit():
    prepared = trotter_circuit(5, 1, 0.8)
    result = compile_evolution(
        xxz(5),
        0.5,
        initial_state=prepared,
        ansatz={"layers": 6},
        goal={"infidelity": 1e-4},
        target={"tolerance": 1e-7},
    )
    from scipy.linalg import expm

    truth = expm(-0.5j * xxz(5).to_dense()) @ site_order(prepared)
    lost = 1 - fidelity(site_order(result.circuit), truth)
    assert lost <= result.certificate.infidelity_bound
    assert result.status == "goal_reached"
    # Trotter's formula is counted with the preparation before it.
    assert result.trotter.two_qubit_depth >= result.two_qubit_depth
    assert result.trotter.infidelity > 10 * result.certificate.infidelity


def test_a_given_target_is_swept_over_depths():
    tensors = random_state(5, 3, seed=6)
    result = compile_state(
        tensors,
        ansatz={"layers": [1, 2, 4]},
        goal={"infidelity": 1e-8},
        optimizer={"max_steps": 30},
        target={"tolerance": 1e-9},
    )
    found = [depth.infidelity for depth in result.depths]
    assert len(found) == 3
    assert found[0] > found[1] > found[2]
    truth = MPS(tuple(tensors)).to_dense()
    lost = 1 - fidelity(site_order(result.circuit), truth)
    assert lost <= result.certificate.infidelity_bound
