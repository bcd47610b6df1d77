"""Settings: defaults that follow other fields, and what is refused."""

import pytest

from aqc.consistency import largest_component
from aqc.errors import InputError
from aqc.problem import Problem
from aqc.settings import TargetSettings

CHAIN = {"model": "xxz_chain", "num_qubits": 4}


def problem(**changes):
    return Problem.from_dict({"hamiltonian": CHAIN, "time": 1.0, **changes})


def refuse(**changes):
    with pytest.raises(InputError) as refusal:
        problem(**changes)
    return refusal.value


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
    fault = refuse(ansatz={"layers": layers, "order": 3 - order})
    assert fault.pointer == "/ansatz/order"
    assert f"must be {order} for {layers} layers" in str(fault)


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
    fault = refuse(circuit={"coupling_map": coupling_map})
    assert fault.pointer == "/circuit/coupling_map" + pointer
    assert sentence in str(fault)


def test_the_largest_component_is_counted():
    ring = tuple((q, (q + 1) % 2000) for q in range(2000))
    assert largest_component(()) == 0
    assert largest_component(((5, 6), *ring[:3], (3, 9), (9, 0))) == 5
    assert largest_component(ring) == 2000


def test_settings_refuse_in_sentences_too():
    with pytest.raises(
        InputError, match=r"^`tolerance` must be at most 0\.1, but is 5\.$"
    ) as fault:
        TargetSettings(tolerance=5)
    assert fault.value.errors == (("/tolerance", "`tolerance` must be at most 0.1, but is 5."),)
    assert fault.value.__cause__ is None
    assert fault.value.__suppress_context__
