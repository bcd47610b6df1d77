import pytest

from aqc.compile import compile_evolution, compile_problem
from aqc.problem import Problem

MODEL = {"model": "xxz_chain", "num_qubits": 6, "delta": 0.5}


def compiled(error: float, **ansatz):
    return compile_evolution(
        MODEL,
        0.4,
        initial_state="neel",
        ansatz={"layers": "auto", **ansatz},
        goal={"device": {"two_qubit_error": error}},
        optimizer={"max_steps": 25},
    )


def test_the_depth_on_a_device_falls_with_its_error():
    good, bad = compiled(3e-3), compiled(5e-2)
    assert good.problem.goal.device is not None
    assert len(bad.bricks) < len(good.bricks)
    for result in (good, bad):
        totals = {depth.layers: depth.total_fidelity for depth in result.depths}
        assert totals[len(result.bricks)] == max(totals.values())
        assert result.status == "goal_reached"
        entries = result.to_dict()["sweep"]
        for entry in entries:
            product = (1 - entry["infidelity"]) * entry["noise_fidelity"]
            assert entry["total_fidelity"] == pytest.approx(product)
        noise = [entry["noise_fidelity"] for entry in entries]
        assert noise == sorted(noise, reverse=True)  # each layer costs


def test_what_is_expected_to_miss_the_goal_may_be_best_on_a_device():
    """In a series earlier misses pass over depths; noise decides otherwise."""
    settings = {
        "initial_state": "neel",
        "ansatz": {"layers": "auto"},
        "goal": {"device": {"two_qubit_error": 5e-2}},
        "optimizer": {"max_steps": 25},
    }
    problem = Problem.build(MODEL, 0.4, **settings)
    plain, warned = (compile_problem(problem, expected=each) for each in (None, lambda _: 1.0))
    tried = [depth.layers for depth in plain.depths]
    assert [depth.layers for depth in warned.depths] == tried
    assert len(warned.bricks) == len(plain.bricks)


def test_a_list_of_depths_is_judged_too():
    result = compiled(0.2, layers=[1, 3])
    assert [depth.layers for depth in result.depths] == [1, 3]
    assert len(result.bricks) == 1
