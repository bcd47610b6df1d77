"""Problems: the JSON of problem.json both ways, its defaults, and every refusal."""

import copy
import json
import pickle
import re
import subprocess
import sys
import time
import timeit

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aqc.errors import InputError
from aqc.hamiltonian import Hamiltonian
from aqc.models import MODELS
from aqc.problem import Problem
from aqc.settings import (
    AnsatzSettings,
    CircuitSettings,
    GoalSettings,
    OptimizerSettings,
    TargetSettings,
    largest_component,
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
    "mode": "state",
    "initial_state": "neel",
    "goal": {"infidelity": 0.01},
    "target": {"tolerance": 1e-6, "max_bond": 256, "evolver": "quimb"},
    "ansatz": {"layers": 8, "order": 1, "block": "su4"},
    "objective": "infidelity",
    "overlap": "dense",
    "optimizer": {"name": "optax_adam", "max_steps": 0},
    "circuit": {"basis": "rzz", "coupling_map": [[0, 1], [1, 2], [2, 1], [2, 3]]},
    "limits": {"threads": 1, "memory_gb": 0.5},
    "seed": 7,
}
JARGON = re.compile(r"pydantic|https?:|Input should|[Vv]alidat|type=|_error|None|True")


def problem(**changes):
    return Problem.from_dict({"hamiltonian": CHAIN, "time": 1.0, **changes})


def refuse(data):
    with pytest.raises(InputError) as refusal:
        Problem.from_dict(data)
    assert refusal.value.pointer == refusal.value.errors[0][0]
    assert str(refusal.value) == "\n".join(text for _, text in refusal.value.errors)
    assert not JARGON.search(str(refusal.value))
    return refusal.value


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
        "mode": "state",
        "initial_state": "zeros",
        "goal": {"infidelity": 0.01},
        "target": {"tolerance": 1e-4, "max_bond": 256, "evolver": "native"},
        "ansatz": {"layers": 9, "order": 2, "block": "su4"},
        "objective": "log_density",
        "overlap": "auto",
        "optimizer": {"name": "riemannian_lbfgs", "max_steps": 200},
        "circuit": {"basis": "cx", "coupling_map": None},
        "limits": {"threads": 2, "memory_gb": 8.0},
        "seed": 0,
    }


def test_every_field_is_kept():
    built = Problem.from_json(json.dumps(FULL))
    assert built.to_dict() == FULL
    assert built == Problem.from_json(built.to_json())


@pytest.mark.parametrize(
    ("infidelity", "tolerance"),
    [(0.5, 1e-4), (0.01, 1e-4), (1e-3, 1e-5), (1e-6, 1e-8), (1e-9, 1e-8)],
)
def test_the_target_tolerance_follows_the_goal(infidelity, tolerance):
    goal = {"infidelity": infidelity}
    for given_target in ({}, {"max_bond": 32}, TargetSettings(max_bond=32)):
        built = problem(goal=goal, target=given_target).target
        assert built.tolerance == pytest.approx(tolerance, rel=1e-12)
    assert problem(goal=goal).target.tolerance == pytest.approx(tolerance, rel=1e-12)
    assert problem(goal=goal, target={"tolerance": 0.1}).target.tolerance == 0.1


@pytest.mark.parametrize("layers", [1, 2, 3, 8, 9, 10, 100])
def test_the_order_follows_the_layers(layers):
    order = 2 if layers % 2 else 1
    assert problem(ansatz={"layers": layers}).ansatz.order == order
    assert problem(ansatz={"layers": layers, "order": order}).ansatz.order == order
    fault = refuse(
        {"hamiltonian": CHAIN, "time": 1, "ansatz": {"layers": layers, "order": 3 - order}}
    )
    assert fault.pointer == "/ansatz/order"
    assert f"must be {order} for {layers} layers" in str(fault)


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


def test_a_refusal_is_sent_whole():
    fault = refuse({"time": "1"})
    again = pickle.loads(pickle.dumps(fault))
    assert (str(again), again.pointer, again.errors) == (str(fault), fault.pointer, fault.errors)


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
        "overlap": st.sampled_from(["auto", "exact", "dense"]),
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


@pytest.mark.parametrize(
    ("changes", "pointer", "sentence"),
    [
        ({"time": "1"}, "/time", '`time` must be a number, but is "1".'),
        ({"time": True}, "/time", "`time` must be a number, but is true."),
        ({"time": None}, "/time", "`time` must be a number, but is null."),
        ({"time": float("nan")}, "/time", "`time` must be finite, but is nan."),
        ({"time": float("-inf")}, "/time", "`time` must be finite, but is -inf."),
        ({"time": 10**400}, "/time", "`time` must be a number, but is an integer of 1329 bits."),
        ({"time": 1j}, "/time", "`time` must be a number, but is 1j."),
        ({"mode": "unitary"}, "/mode", '`mode` must be "state", but is "unitary".'),
        ({"seed": -1}, "/seed", "`seed` must be at least 0, but is -1."),
        ({"seed": 1.0}, "/seed", "`seed` must be an integer, but is 1.0."),
        ({"seed": True}, "/seed", "`seed` must be an integer, but is true."),
        ({"seed": 2**32}, "/seed", "`seed` must be at most 4294967295, but is 4294967296."),
        ({"sed": 1}, "/sed", 'seed, but not "sed"; did you mean `seed`?'),
        ({"a/b": 1}, "/a~1b", 'seed, but not "a/b".'),
        ({"\ud800": 1}, "", 'The input must be valid Unicode, but is "\\ud800".'),
        ({"mode": "\ud800"}, "/mode", '`mode` must be valid Unicode, but is "\\ud800".'),
        ({3: 1}, "/3", 'but not "3".'),
        ({"goal": {"infidelity": 0}}, "/goal/infidelity", "must be greater than 0, but is 0."),
        ({"goal": {"infidelity": 1}}, "/goal/infidelity", "must be less than 1, but is 1."),
        ({"goal": 0.01}, "/goal", "`goal` must be an object, but is 0.01."),
        ({"goal": None}, "/goal", "`goal` must be an object, but is null."),
        ({"goal": GoalSettings}, "/goal", "`goal` must be an object, but is "),
        ({"target": []}, "/target", "`target` must be an object, but is []."),
        ({"target": {"tolerance": 0}}, "/target/tolerance", "must be greater than 0, but is 0."),
        ({"target": {"tolerance": -1e-6}}, "/target/tolerance", "must be greater than 0"),
        ({"target": {"tolerance": 0.11}}, "/target/tolerance", "must be at most 0.1, but is 0.11."),
        ({"target": {"tolerance": None}}, "/target/tolerance", "must be a number, but is null."),
        ({"target": {"max_bond": 1}}, "/target/max_bond", "must be at least 2, but is 1."),
        ({"target": {"max_bond": 8.0}}, "/target/max_bond", "must be an integer, but is 8.0."),
        ({"target": {"evolver": "aer"}}, "/target/evolver", 'must be "native" or "quimb", but is'),
        (
            {"target": {"tolerence": 1}},
            "/target/tolerence",
            "`target` has the fields tolerance, max_bond, evolver, but not "
            '"tolerence"; did you mean `tolerance`?',
        ),
        (
            {"ansatz": {"layers": 0}},
            "/ansatz/layers",
            "`ansatz.layers` must be at least 1, but is 0.",
        ),
        ({"ansatz": {"layers": "9"}}, "/ansatz/layers", 'must be an integer, but is "9".'),
        ({"ansatz": {"layers": True}}, "/ansatz/layers", "must be an integer, but is true."),
        ({"ansatz": {"layers": 10**9}}, "/ansatz/layers", "must be at most 10000"),
        ({"ansatz": {"layers": 8, "order": True}}, "/ansatz/order", "must be an integer"),
        ({"ansatz": {"order": 4}}, "/ansatz/order", "must be at most 2, but is 4."),
        ({"ansatz": {"block": "cx2"}}, "/ansatz/block", 'must be "su4", but is "cx2".'),
        ({"objective": "fidelity"}, "/objective", 'must be "log_density" or "infidelity", but is'),
        ({"overlap": "mps"}, "/overlap", 'must be "auto", "exact" or "dense", but is "mps".'),
        ({"optimizer": {"name": "adam"}}, "/optimizer/name", 'or "optax_adam", but is "adam".'),
        (
            {"optimizer": {"max_steps": -1}},
            "/optimizer/max_steps",
            "must be at least 0, but is -1.",
        ),
        ({"optimizer": "optax_adam"}, "/optimizer", "must be an object, but is"),
        (
            {"circuit": {"basis": "swap"}},
            "/circuit/basis",
            'must be "cx", "cz", "ecr" or "rzz", but',
        ),
        ({"limits": {"threads": 0}}, "/limits/threads", "must be at least 1, but is 0."),
        ({"limits": {"memory_gb": 0}}, "/limits/memory_gb", "must be greater than 0, but is 0."),
        ({"initial_state": "up"}, "/initial_state", 'must be "zeros", "neel", a list of 0 and 1'),
        ({"initial_state": [0, 1]}, "/initial_state", "must describe all 4 qubits of the Hamil"),
        ({"initial_state": [0, 1, 0, 2]}, "/initial_state/3", "must be at most 1, but is 2."),
        ({"hamiltonian": None}, "/hamiltonian", '{"num_qubits": n, "terms": [...]} or {"model"'),
        ({"hamiltonian": [["XX", [0, 1], 1]]}, "/hamiltonian", "`hamiltonian` must be {"),
        (
            {"hamiltonian": {}},
            "/hamiltonian",
            "must have either `terms` or `model`, but has neither.",
        ),
        (
            {"hamiltonian": {**TERMS, **CHAIN}},
            "/hamiltonian",
            "either `terms` or `model`, but has both.",
        ),
        (
            {"hamiltonian": {"terms": []}},
            "/hamiltonian/num_qubits",
            "`hamiltonian.num_qubits` is required.",
        ),
        ({"hamiltonian": {"model": "xxz_chain"}}, "/hamiltonian/num_qubits", "is required."),
        (
            {"hamiltonian": {**TERMS, "j": 1}},
            "/hamiltonian/j",
            "the fields num_qubits and terms, but not",
        ),
        (
            {"hamiltonian": {**TERMS, "terms": {}}},
            "/hamiltonian/terms",
            "terms must be a list such as",
        ),
        (
            {"hamiltonian": {**TERMS, "num_qubits": "4"}},
            "/hamiltonian/num_qubits",
            "must be an integer",
        ),
        (
            {"hamiltonian": {**TERMS, "num_qubits": 1}},
            "/hamiltonian/num_qubits",
            "must be at least 2",
        ),
        (
            {"hamiltonian": {**TERMS, "num_qubits": 3}},
            "/hamiltonian/terms/1",
            "a qubit must be at most 2",
        ),
        (
            {"hamiltonian": {"num_qubits": 4, "terms": [3]}},
            "/hamiltonian/terms/0",
            "Term 0: it must be",
        ),
        (
            {"hamiltonian": {**CHAIN, "model": "xy"}},
            "/hamiltonian/model",
            'but is "xy"; did you mean',
        ),
        ({"hamiltonian": {**CHAIN, "model": None}}, "/hamiltonian/model", "but is null."),
        (
            {"hamiltonian": {**CHAIN, "num_qubits": 1}},
            "/hamiltonian/num_qubits",
            "must be at least 2",
        ),
        ({"hamiltonian": {**CHAIN, "J": 1}}, "/hamiltonian/J", 'but not "J"'),
        ({"hamiltonian": {**CHAIN, "self": 1}}, "/hamiltonian/self", 'but not "self"'),
        ({"hamiltonian": {**CHAIN, "j": [1]}}, "/hamiltonian/j", "a number or a list of 3 numbers"),
    ],
)
def test_a_problem_is_refused(changes, pointer, sentence):
    fault = refuse({"hamiltonian": CHAIN, "time": 1.0, **changes})
    assert [at for at, _ in fault.errors] == [pointer]
    assert sentence in str(fault)


@pytest.mark.parametrize(
    ("coupling_map", "pointer", "sentence"),
    [
        ("01", "", 'must be null or a list of pairs [a, b], but is "01".'),
        ({}, "", "must be null or a list of pairs"),
        ([[0, 1, 2]], "/0", "must hold pairs [a, b], but holds [0, 1, 2]."),
        ([[0, 1], 2], "/1", "but holds 2."),
        ([[0, -1]], "/0", "must be at least 0, but is -1."),
        ([[0, 1.0]], "/0", "must be an integer, but is 1.0."),
        ([[0, True]], "/0", "must be an integer, but is true."),
        ([[0, 1], [1, 1]], "/1", "must join distinct qubits, but holds [1, 1]."),
        (
            [],
            "",
            "must connect at least 4 qubits, one for each of the Hamiltonian, but its largest",
        ),
        ([[0, 1], [1, 2]], "", "largest connected part has 3."),
        ([[0, 1], [2, 3]], "", "largest connected part has 2."),
    ],
)
def test_a_coupling_map_is_refused(coupling_map, pointer, sentence):
    fault = refuse({"hamiltonian": CHAIN, "time": 1.0, "circuit": {"coupling_map": coupling_map}})
    assert fault.pointer == "/circuit/coupling_map" + pointer
    assert sentence in str(fault)


def test_the_largest_component_is_counted():
    ring = tuple((q, (q + 1) % 2000) for q in range(2000))
    assert largest_component(()) == 0
    assert largest_component(((5, 6), *ring[:3], (3, 9), (9, 0))) == 5
    assert largest_component(ring) == 2000


def test_dense_overlaps_are_for_small_chains():
    chain = {"model": "ising_chain", "num_qubits": 15}
    fault = refuse({"hamiltonian": chain, "time": 1, "overlap": "dense"})
    assert fault.errors == (
        (
            "/overlap",
            '`overlap` "dense" must have at most 14 qubits, but the Hamiltonian has 15; '
            '"exact" takes any number.',
        ),
    )
    assert problem(hamiltonian={**chain, "num_qubits": 14}, overlap="dense").overlap == "dense"


def test_all_faults_are_told_at_once():
    fault = refuse(
        {
            "hamiltonian": {"num_qubits": 2, "terms": [["XQ", [0, 1], 1]]},
            "initial_state": [0, 3],
            "goal": {"infidelity": 2},
            "target": {"max_bond": 0, "bond": 3},
            "ansatz": {"layers": 0},
            "speed": 0,
        }
    )
    assert [at for at, _ in fault.errors] == [
        "/hamiltonian/terms/0",
        "/time",
        "/initial_state/1",
        "/goal/infidelity",
        "/target/max_bond",
        "/target/bond",
        "/ansatz/layers",
        "/speed",
    ]


def test_what_is_required_is_shown_by_example():
    assert refuse({}).errors == (
        (
            "/hamiltonian",
            '`hamiltonian` is required, such as {"model": "xxz_chain", "num_qubits": 50}.',
        ),
        ("/time", "`time` is required, such as 1.0."),
    )


@pytest.mark.parametrize("data", [[], 3, None, "problem", True])
def test_a_problem_is_an_object(data):
    assert "must be a JSON object, but is" in str(refuse(data))


def test_text_that_is_not_json_is_refused():
    with pytest.raises(InputError, match=r"not JSON: .* at line 2, column 1"):
        Problem.from_json('{"time": 1.0,\n')
    with pytest.raises(InputError, match="must be finite, but NaN stands at line 1, column 10"):
        Problem.from_json('{"time": NaN}')
    with pytest.raises(InputError, match="`time` must be finite, but is inf"):
        Problem.from_json('{"hamiltonian": {"num_qubits": 2, "terms": []}, "time": 1e999}')


def test_settings_refuse_in_sentences_too():
    with pytest.raises(
        InputError, match=r"^`tolerance` must be at most 0\.1, but is 5\.$"
    ) as fault:
        TargetSettings(tolerance=5)
    assert fault.value.errors == (("/tolerance", "`tolerance` must be at most 0.1, but is 5."),)
    assert fault.value.__cause__ is None
    assert fault.value.__suppress_context__


def test_a_hamiltonian_made_past_its_door_is_refused():
    with pytest.raises(InputError, match="a qubit must be at most 2, but is 3"):
        Problem.build(Hamiltonian(3, Hamiltonian.from_terms(4, [("Z", [3], 1)]).terms), 1.0)


junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 10**20)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["zeros", "01", "xxz_chain", "su4", "XX", [0, 1], 10**400, 1e308]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["bloch", "terms", "model", "num_qubits", "j", "x"]), inner
        )
    ),
    max_leaves=6,
)


def faults_of(text):
    try:
        built = Problem.from_json(text)
    except InputError as fault:
        return fault.errors
    assert Problem.from_json(built.to_json()) == built
    return ()


def check_outcome(text):
    """Text is a problem, or refused in sentences that quote nothing of ours but what was seen."""
    for pointer, sentence in faults_of(text):
        (pointer + sentence).encode()
        assert sentence.endswith((".", "?"))
        assert "cannot be" not in sentence  # said of faults that have no sentence of their own
        unquoted = re.sub(r'"(\\.|[^"\\])*"|but (is|has|holds|one is|are) .*', "", sentence)
        assert not JARGON.search(unquoted)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_damage_is_refused_or_a_problem(data):
    damaged = copy.deepcopy(FULL if data.draw(st.booleans()) else {"hamiltonian": TERMS, "time": 1})
    for _ in range(data.draw(st.integers(1, 3))):
        group = damaged
        inner = [value for value in damaged.values() if isinstance(value, dict)]
        if inner and data.draw(st.booleans()):
            group = data.draw(st.sampled_from(inner))
        keys = st.sampled_from(sorted(group)) if group else st.nothing()
        group[data.draw(keys | st.text(max_size=4))] = data.draw(junk)
    check_outcome(json.dumps(damaged))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_broken_text_is_refused_or_a_problem(data):
    text = json.dumps(FULL)
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(start + 20, len(text))))
    inserted = data.draw(st.text('{}[]",:0159eE.-NaIftrun\\ \n', max_size=8))
    check_outcome(text[:start] + inserted + text[stop:])


def schema_fields(schema):
    for definition in (schema, *schema["$defs"].values()):
        yield from definition["properties"].items()


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_the_schema_describes_every_field_by_example(mode):
    schema = Problem.model_json_schema(mode=mode)
    fields = dict(schema_fields(schema))
    assert len(fields) == 26
    for name, field in fields.items():
        if "$ref" in field:  # a group is described where it is defined
            group = schema["$defs"][field["$ref"].removeprefix("#/$defs/")]
            assert group["description"], name
            continue
        assert len(field["description"]) > 10, name
        assert "\n" not in field["description"], name
        assert field["examples"], name
    assert schema["required"] == ["hamiltonian", "time"] or mode == "serialization"
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
