import numpy as np
import pytest
from qiskit.circuit.library import IGate
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import CouplingMap, Target

from aqc.compile import compile_evolution
from aqc.errors import InputError
from aqc.interop.devices import device_of

MODEL = {"model": "ising_chain", "num_qubits": 4}


def backend():
    pairs = CouplingMap.from_line(5)
    return GenericBackendV2(5, ["cz", "sx", "rz"], coupling_map=pairs, seed=3)


def test_medians_of_a_backend():
    target = backend().target
    device = device_of(backend())["device"]
    errors = [entry.error for entry in target["cz"].values()]
    assert device["two_qubit_error"] == np.median(errors)
    assert device["one_qubit_error"] == 2 * np.median([e.error for e in target["sx"].values()])
    assert device["t2"] <= 2 * device["t1"]
    assert device_of(target) == device_of(backend())


def test_a_compile_for_a_backend_uses_its_gate_and_its_pairs():
    result = compile_evolution(
        MODEL,
        0.3,
        ansatz={"layers": [1, 3]},
        goal={"device": backend()},
        optimizer={"max_steps": 5},
    )
    pairs = {tuple(pair) for pair in backend().coupling_map}
    used = {
        tuple(result.circuit.find_bit(qubit).index for qubit in step.qubits)
        for step in result.circuit.data
        if step.operation.name == "cz"
    }
    assert used
    assert used <= pairs
    assert 0 < result.depths[0].total_fidelity < 1 - result.depths[0].infidelity


def test_errors_of_a_backend_lead_to_its_better_pairs():
    target = backend().target
    found = device_of(backend())["circuit"]
    for pair, error in zip(found["coupling_map"], found["errors"], strict=True):
        assert error == target["cz"][tuple(pair)].error


def test_refusals():
    with pytest.raises(InputError, match="must be a Qiskit backend, a Target or the fields"):
        compile_evolution(MODEL, 0.3, goal={"device": 3})
    with pytest.raises(InputError, match="must run one of cz, ecr, cx, rzz, iswap"):
        device_of(Target())
    silent = Target()
    silent.add_instruction(IGate(), {(0,): None})
    with pytest.raises(InputError, match="but runs id"):
        device_of(silent)
