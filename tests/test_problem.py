"""Problems: the JSON of problem.json both ways, its defaults, its schema, and Python's way in."""

import copy
import json
import pickle
import subprocess
import sys
import time
import timeit

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aqc.hamiltonian import Hamiltonian
from aqc.models import MODELS
from aqc.problem import Problem
from aqc.settings import (
    AnsatzSettings,
    CircuitSettings,
    GoalSettings,
    OptimizerSettings,
)

CHAIN = {"model": "xxz_chain", "num_qubits": 4}
TERMS = {"num_qubits": 4, "terms": [["XX", [0, 1], 1.0], ["Z", [3], -0.5]]}
FULL = {
    "hamiltonian": {
        "model": "xxz_chain",
        "num_qubits": 4,
        "j": 1.0,
        "delta": 0.5,
        "field": [0.0] * 4,
    },
    "time": 1.0,
    "schedule": [],
    "mode": "state",
    "initial_state": "neel",
    "goal": {
        "infidelity": 0.01,
        "device": {
            "two_qubit_error": 1e-3,
            "one_qubit_error": 1e-4,
            "readout_error": 0.01,
            "t1": 2.0,
            "t2": 3.0,
            "two_qubit_duration": 0.1,
            "one_qubit_duration": 0.05,
        },
    },
    "target": {
        "tolerance": 1e-6,
        "max_bond": 256,
        "evolver": "quimb",
        "circuit": None,
        "state": None,
    },
    "ansatz": {"layers": 8, "order": 1, "block": "su4", "start": {"random": 3}, "tied": False},
    "objective": "infidelity",
    "overlap": "dense",
    "optimizer": {"name": "optax_adam", "max_steps": 0},
    "circuit": {
        "basis": "rzz",
        "coupling_map": [[0, 1], [1, 2], [2, 1], [2, 3]],
        "errors": [0.01, 0.0, 0.02, 0.5],
    },
    "limits": {"threads": 1, "memory_gb": 0.5},
    "powers": [],
    "observables": [["ZZ", [0, 3]]],
    "seed": 7,
}


def problem(**changes):
    return Problem.from_dict({"hamiltonian": CHAIN, "time": 1.0, **changes})


def test_three_lines_suffice():
    built = Problem.from_json(
        '{"hamiltonian": {"model": "xxz_chain", "num_qubits": 50},\n "time": 1.0}'
    )
    assert built.to_dict() == {
        "hamiltonian": {
            "model": "xxz_chain",
            "num_qubits": 50,
            "j": 1.0,
            "delta": 0.5,
            "field": 0.0,
        },
        "time": 1.0,
        "schedule": [],
        "mode": "state",
        "initial_state": "zeros",
        "goal": {"infidelity": 0.01, "device": None},
        "target": {
            "tolerance": 1e-4,
            "max_bond": 256,
            "evolver": "native",
            "circuit": None,
            "state": None,
        },
        "ansatz": {"layers": 9, "order": 2, "block": "su4", "start": None, "tied": False},
        "objective": "log_density",
        "overlap": "auto",
        "optimizer": {"name": "riemannian_lbfgs", "max_steps": 200},
        "circuit": {"basis": "cx", "coupling_map": None, "errors": None},
        "limits": {"threads": 2, "memory_gb": 8.0},
        "powers": [],
        "observables": [],
        "seed": 0,
    }


def test_every_field_is_kept():
    built = Problem.from_json(json.dumps(FULL))
    assert built.to_dict() == FULL
    assert built == Problem.from_json(built.to_json())


@pytest.mark.parametrize("time_", [0, 0.0, -1.5, 3, np.float64(0.5), np.float32(0.5), np.int64(2)])
def test_times_of_any_sign_are_fine(time_):
    assert problem(time=time_).time == float(time_)


@pytest.mark.parametrize("num_qubits", [2, 3])
def test_the_smallest_chains_are_fine(num_qubits):
    built = problem(hamiltonian={"num_qubits": num_qubits, "terms": []}, initial_state="neel")
    assert built.to_hamiltonian().terms == ()
    assert built.product_state().shape == (num_qubits, 2)


def test_models_and_terms_become_hamiltonians():
    assert problem().to_hamiltonian() == MODELS["xxz_chain"].build(4)
    assert problem(hamiltonian=TERMS).to_hamiltonian() == Hamiltonian.from_terms(4, TERMS["terms"])
    values = {"j": [1, 2, 3], "field": np.arange(4)}
    expected = MODELS["xxz_chain"].build(4, **values)
    assert problem(hamiltonian={**CHAIN, **values}).to_hamiltonian() == expected


def test_python_builds_what_json_says():
    hamiltonian = Hamiltonian.from_terms(4, TERMS["terms"])
    built = Problem.build(
        hamiltonian,
        0.5,
        initial_state=np.array([0, 1, 1, 0]),
        goal=GoalSettings(infidelity=1e-3),
        ansatz=AnsatzSettings(layers=4),
        optimizer=OptimizerSettings(name="optax_lbfgs"),
        circuit=CircuitSettings(coupling_map=((0, 1), (1, 2), (2, 3))),
        seed=np.int64(3),
    )
    same = {
        "hamiltonian": TERMS,
        "time": 0.5,
        "initial_state": [0, 1, 1, 0],
        "goal": {"infidelity": 1e-3},
        "ansatz": {"layers": 4},
        "optimizer": {"name": "optax_lbfgs"},
        "circuit": {"coupling_map": [[0, 1], [1, 2], [2, 3]]},
        "seed": 3,
    }
    assert built == Problem.from_json(json.dumps(same))
    assert Problem.build(CHAIN, 1.0) == problem()
    assert Problem.build(problem().hamiltonian, 1.0) == problem()


def test_a_problem_is_frozen_hashed_copied_and_sent():
    built = Problem.from_dict(FULL)
    with pytest.raises(Exception, match="frozen"):
        built.time = 2.0
    assert {built: 1}[Problem.from_dict(FULL)] == 1
    assert copy.deepcopy(built) == pickle.loads(pickle.dumps(built)) == built
    assert pickle.loads(pickle.dumps(built)).to_hamiltonian() == built.to_hamiltonian()


bits = st.sampled_from([0, 1])
number = st.floats(-1e3, 1e3)
initial_states = st.one_of(
    st.sampled_from(["zeros", "neel", "0110"]),
    st.lists(bits, min_size=4, max_size=4),
    st.lists(st.lists(number, min_size=2, max_size=2), min_size=4, max_size=4).map(
        lambda angles: {"bloch": angles}
    ),
)


def per(size):
    return number | st.lists(number, min_size=size, max_size=size)


hamiltonians = st.one_of(
    st.fixed_dictionaries(
        {"model": st.just("xxz_chain"), "num_qubits": st.just(4)},
        optional={"j": per(3), "delta": per(3), "field": per(4)},
    ),
    st.lists(
        st.tuples(
            st.text("IXYZ", min_size=2, max_size=2), st.sampled_from([[0, 1], [3, 2]]), number
        ),
        max_size=4,
    ).map(lambda terms: {"num_qubits": 4, "terms": terms}),
)
problems = st.fixed_dictionaries(
    {"hamiltonian": hamiltonians, "time": number},
    optional={
        "initial_state": initial_states,
        "goal": st.fixed_dictionaries({"infidelity": st.floats(1e-12, 0.99)}),
        "target": st.fixed_dictionaries(
            {},
            optional={
                "tolerance": st.floats(1e-12, 0.1),
                "max_bond": st.integers(2, 999),
                "evolver": st.sampled_from(["native", "quimb"]),
            },
        ),
        "ansatz": st.fixed_dictionaries({"layers": st.integers(1, 50)}),
        "objective": st.sampled_from(["log_density", "infidelity"]),
        "overlap": st.sampled_from(["auto", "exact", "truncated", "dense"]),
        "limits": st.fixed_dictionaries({"memory_gb": st.floats(0.1, 1e3)}),
        "seed": st.integers(0, 2**32 - 1),
    },
)


@settings(max_examples=150, deadline=None)
@given(problems)
def test_problems_go_through_json_and_back(data):
    built = Problem.from_dict(data)
    for again in (
        Problem.from_json(built.to_json()),
        Problem.from_json(built.to_json().encode()),
        Problem.from_dict(built.to_dict()),
    ):
        assert again == built
        assert again.to_dict() == built.to_dict()
        assert again.to_hamiltonian() == built.to_hamiltonian()
        np.testing.assert_array_equal(again.product_state(), built.product_state())


def schema_fields(schema):
    for definition in (schema, *schema["$defs"].values()):
        yield from definition["properties"].items()


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_the_schema_describes_every_field_by_example(mode):
    schema = Problem.model_json_schema(mode=mode)
    fields = list(schema_fields(schema))
    assert len(fields) == 42
    for name, field in fields:
        if "$ref" in field:  # a group is described where it is defined
            group = schema["$defs"][field["$ref"].removeprefix("#/$defs/")]
            assert group["description"], name
            continue
        assert len(field["description"]) > 10, name
        assert "\n" not in field["description"], name
        assert field["examples"], name
    assert schema["anyOf"][0] == {"required": ["hamiltonian", "time"]}
    json.dumps(schema)


def test_the_examples_of_the_schema_are_problems():
    schema = Problem.model_json_schema()
    for example in schema["examples"]:
        Problem.from_dict(example)
    for name, field in schema["properties"].items():
        for example in field["examples"]:
            base = {"hamiltonian": CHAIN, "time": 1.0}
            Problem.from_dict({**base, name: example})
    models = {s["title"]: s for s in schema["properties"]["hamiltonian"]["oneOf"]}
    assert models.keys() == {"terms", *MODELS}
    for name, model in MODELS.items():
        assert model.formula in models[name]["description"]
        assert [p.name for p in model.parameters] == list(models[name]["properties"])[2:]


def test_a_thousand_qubits_are_built_fast():
    terms = [(p, [j, j + 1], 0.5 + j) for p in ("XX", "YY", "ZZ") for j in range(999)]
    hamiltonian = Hamiltonian.from_terms(1000, terms + [("Z", [j], 1.0) for j in range(1000)])
    seconds = timeit.repeat(
        lambda: Problem.build(hamiltonian, 1.0, initial_state="neel"),
        timer=time.process_time,
        repeat=5,
        number=1,
    )
    assert min(seconds) < 0.1  # about 0.02; the machine may be busy


def test_a_problem_needs_no_heavy_library():
    code = "import sys, aqc.problem; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"scipy", "jax", "qiskit", "quimb", "matplotlib"} & set(loaded.stdout.split())
