"""What is wrong with a problem is told whole, in sentences and with pointers, whatever it is."""

import copy
import json
import pickle
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aqc.errors import InputError
from aqc.hamiltonian import Hamiltonian
from aqc.problem import Problem
from aqc.settings import GoalSettings

CHAIN = {"model": "xxz_chain", "num_qubits": 4}
TERMS = {"num_qubits": 4, "terms": [["XX", [0, 1], 1.0], ["Z", [3], -0.5]]}
LINE = {"coupling_map": [[0, 1], [1, 2], [2, 3]]}
FULL = Problem.build(CHAIN, 1.0, circuit=LINE, initial_state="neel", overlap="dense").to_dict()
JARGON = re.compile(
    r"pydantic|https?:|Input should|[Vv]alidat|type=|(value|assertion|type)_error|None|True"
)


def refuse(data):
    with pytest.raises(InputError) as refusal:
        Problem.from_dict(data)
    assert refusal.value.pointer == refusal.value.errors[0][0]
    assert str(refusal.value) == "\n".join(text for _, text in refusal.value.errors)
    assert not JARGON.search(str(refusal.value))
    return refusal.value


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
        ({"mode": "process"}, "/mode", '`mode` must be "state" or "unitary", but is "process".'),
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
            "`target` has the fields tolerance, max_bond, evolver, circuit, state, but not "
            '"tolerence"; did you mean `tolerance`?',
        ),
        (
            {"ansatz": {"layers": 0}},
            "/ansatz/layers",
            "`ansatz.layers` must be at least 1, but is 0.",
        ),
        (
            {"ansatz": {"layers": "9"}},
            "/ansatz/layers",
            '`ansatz.layers` must be an integer, a list of integers or "auto", but is "9".',
        ),
        ({"ansatz": {"layers": True}}, "/ansatz/layers", 'or "auto", but is true.'),
        ({"ansatz": {"layers": []}}, "/ansatz/layers", "must hold 1 to 64 depths, but holds 0."),
        ({"ansatz": {"layers": [3, 3]}}, "/ansatz/layers", "must hold distinct depths"),
        ({"ansatz": {"layers": [3, 0]}}, "/ansatz/layers/1", "must be at least 1, but is 0."),
        ({"ansatz": {"layers": [3, 5.0]}}, "/ansatz/layers/1", "must be an integer, but is 5.0."),
        (
            {"ansatz": {"layers": "auto", "order": 2}},
            "/ansatz/order",
            "`ansatz.order` must be left out for several depths",
        ),
        ({"ansatz": {"layers": 10**9}}, "/ansatz/layers", "must be at most 10000"),
        ({"ansatz": {"layers": 8, "order": True}}, "/ansatz/order", "must be an integer"),
        ({"ansatz": {"order": 4}}, "/ansatz/order", "must be at most 2, but is 4."),
        ({"ansatz": {"block": "cx4"}}, "/ansatz/block", 'or "auto", but is "cx4".'),
        ({"goal": {"device": {}}}, "/goal/device/two_qubit_error", "is required, such as 0.003."),
        ({"goal": {"device": {"two_qubit_error": 0.1, "t3": 1}}}, "/goal/device/t3", "t3"),
        ({"objective": "fidelity"}, "/objective", 'must be "log_density", "infidelity" or "flip"'),
        (
            {"overlap": "mps"},
            "/overlap",
            'must be "auto", "exact", "truncated" or "dense", but is "mps".',
        ),
        ({"optimizer": {"name": "adam"}}, "/optimizer/name", 'or "auon", but is "adam".'),
        (
            {"optimizer": {"max_steps": -1}},
            "/optimizer/max_steps",
            "must be at least 0, but is -1.",
        ),
        ({"optimizer": "optax_adam"}, "/optimizer", "must be an object, but is"),
        (
            {"circuit": {"basis": "swap"}},
            "/circuit/basis",
            'must be "cx", "cz", "ecr", "iswap" or "rzz", but',
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
    assert Problem.build({**chain, "num_qubits": 14}, 1, overlap="dense").overlap == "dense"


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


def test_a_hamiltonian_made_past_its_door_is_refused():
    with pytest.raises(InputError, match="a qubit must be at most 2, but is 3"):
        Problem.build(Hamiltonian(3, Hamiltonian.from_terms(4, [("Z", [3], 1)]).terms), 1.0)


def test_a_refusal_is_sent_whole():
    fault = refuse({"time": "1"})
    again = pickle.loads(pickle.dumps(fault))
    assert (str(again), again.pointer, again.errors) == (str(fault), fault.pointer, fault.errors)


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
