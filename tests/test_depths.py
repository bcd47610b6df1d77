"""Sweeps over depths and the search for the fewest layers, against dense truth and brute force."""

import contextlib
import json

import numpy as np
import pytest
from qiskit.quantum_info import Statevector

from aqc import compile_evolution, compile_problem, compile_state
from aqc.ansatz import Ansatz
from aqc.checkpoint import Checkpoints
from aqc.depths import next_depth
from aqc.errors import InputError
from aqc.estimate import check_memory, deepest_layers, estimate
from aqc.fit import fit
from aqc.lattice import evolve_pieces
from aqc.mps import MPS
from aqc.output import write_result
from aqc.problem import Problem
from aqc.progress import Progress
from reference import evolved, fidelity, neel, random_chain, random_product, statevector, xxz

N, TIME = 6, 0.9


def built(layers, **settings) -> Problem:
    options = {"initial_state": "neel", "ansatz": {"layers": layers}} | settings
    return Problem.build(xxz(N), TIME, **options)


def true_infidelity(result) -> float:
    vector = Statevector(result.circuit).data.reshape((2,) * N).transpose().ravel()
    return 1 - fidelity(vector, evolved(xxz(N), neel(N), TIME))


@pytest.mark.parametrize(("fewest", "deepest"), [(1, 9), (2, 9), (5, 9), (6, 7), (8, 8), (9, 9)])
def test_the_search_finds_the_fewest_that_reach(fewest, deepest):
    """Whatever the threshold, each depth is tried once, and the one below it failed."""
    reached: dict[int, bool] = {}
    while (layers := next_depth("auto", reached, deepest)) is not None:
        assert layers not in reached
        assert 1 <= layers <= deepest
        reached[layers] = layers >= fewest
    assert min(layers for layers, good in reached.items() if good) == fewest
    assert fewest == 1 or reached[fewest - 1] is False
    assert len(reached) <= fewest // 2 + 2


def test_the_search_ends_where_nothing_reaches():
    reached: dict[int, bool] = {}
    while (layers := next_depth("auto", reached, 6)) is not None:
        reached[layers] = False
    assert list(reached) == [1, 3, 5, 6]


def test_auto_finds_the_fewest_layers_that_reach_the_goal():
    """Every smaller number of layers, fitted on its own, misses the goal."""
    result = compile_problem(built("auto", goal={"infidelity": 1e-3}))
    layers = len(result.bricks)
    assert result.status == "goal_reached"
    assert layers > 2
    assert result.certificate.infidelity <= 1e-3
    assert true_infidelity(result) <= result.certificate.infidelity_bound
    assert result.to_dict()["layers"] == layers
    for fewer in (layers - 2, layers - 1):
        alone = compile_problem(built(fewer, goal={"infidelity": 1e-3}))
        assert alone.certificate.infidelity > 1e-3
    tried = {depth.layers: depth.infidelity <= 1e-3 for depth in result.depths}
    assert tried[layers - 1] is False
    assert not any(good for depth, good in tried.items() if depth < layers)


def test_a_sweep_is_a_falling_table_with_one_target(monkeypatch, tmp_path):
    made = []

    def once(*arguments, **options):
        made.append(1)
        return evolve_pieces(*arguments, **options)

    monkeypatch.setattr("aqc.targets.evolve_pieces", once)
    asked = built([5, 3, 4, 7], goal={"infidelity": 0.03}, optimizer={"max_steps": 60})
    result = compile_problem(asked)
    assert len(made) == 1
    sweep = result.to_dict()["sweep"]
    assert [entry["layers"] for entry in sweep] == [3, 4, 5, 7]
    infidelities = [entry["infidelity"] for entry in sweep]
    assert infidelities == sorted(infidelities, reverse=True)
    assert infidelities[-1] < 1e-3  # beyond the goal
    for entry in sweep:
        start = Ansatz.from_trotter(
            xxz(N), TIME, neel(N), layers=entry["layers"], order=2 if entry["layers"] % 2 else 1
        )
        truth = 1 - fidelity(evolved(xxz(N), neel(N), TIME), statevector(start.circuit()))
        assert entry["start_infidelity"] == pytest.approx(truth, abs=1e-3)
        assert entry["infidelity"] < entry["start_infidelity"]
    shallowest = min(entry["layers"] for entry in sweep if entry["infidelity"] <= 0.03)
    assert len(result.bricks) == shallowest < 7
    assert result.status == "goal_reached"
    assert true_infidelity(result) <= result.certificate.infidelity_bound
    written = {path.name for path in write_result(tmp_path / "out", result, asked)}
    assert written >= {"sweep.png", "sweep.svg", "result.json"}

    one = compile_problem(built(3))
    assert [entry["layers"] for entry in one.to_dict()["sweep"]] == [3]
    write_result(tmp_path / "out", one, built(3))
    assert not (tmp_path / "out/sweep.png").exists()


def test_a_sweep_that_misses_the_goal_returns_its_best():
    result = compile_problem(built([2, 1], goal={"infidelity": 1e-6}, optimizer={"max_steps": 30}))
    best = min(result.depths, key=lambda depth: depth.infidelity)
    assert len(result.bricks) == best.layers == 2
    assert result.status in ("stalled", "max_steps_reached")


def test_the_better_start_is_taken_also_when_both_are_orthogonal_in_all_digits():
    """F = cos(angle)^2n, 1 - F = 1.0 for both: told apart by their logarithms."""
    n, angles = 60, (1.0, 1.2)

    def turned(angle):
        c, s = np.cos(angle), np.sin(angle)
        one = np.array([[c, -s], [s, c]], dtype=complex)
        return Ansatz(neel(n), 1, np.tile(np.kron(one, one), (n // 2, 1, 1)))

    for first, second in (angles, angles[::-1]):
        fitted = fit(
            turned(first), MPS.product(neel(n)), rivals=[turned(second)], max_evaluations=1
        )
        logs = [2 * n * np.log(np.cos(angle)) for angle in (first, second)]
        assert max(logs) < -36
        assert fitted.starts == pytest.approx(logs, rel=1e-10)
        assert fitted.start == (0 if first < second else 1)
        assert fitted.optimum.state.log_fidelity == pytest.approx(max(logs), rel=1e-10)


def test_a_deepened_ansatz_is_the_same_circuit():
    shallow = Ansatz.from_trotter(xxz(5), 0.7, neel(5), layers=3, order=2)
    deep = shallow.deepened(6)
    assert deep.layers == 6
    assert len(deep.blocks) == sum(map(len, deep.bonds))
    assert np.array_equal(statevector(deep.circuit()), statevector(shallow.circuit()))


@pytest.mark.parametrize(("num_qubits", "layers"), [(4, 1), (5, 2), (5, 5)])
def test_an_ansatz_on_another_product_state_is_the_same_circuit(num_qubits, layers):
    chain = random_chain(num_qubits, seed=0)
    order = 2 if layers % 2 else 1
    ansatz = Ansatz.from_trotter(chain, 0.7, neel(num_qubits), layers=layers, order=order)
    other = random_product(num_qubits, seed=1)
    moved = ansatz.on(other)
    assert np.array_equal(moved.state, other)
    gram = moved.blocks.conj().swapaxes(1, 2) @ moved.blocks
    assert np.abs(gram - np.eye(4)).max() < 1e-14
    same = fidelity(statevector(moved.circuit()), statevector(ansatz.circuit()))
    assert same == pytest.approx(1, abs=1e-13)


def test_a_sweep_towards_a_given_state_falls_too():
    """Its starts sit on different product states."""
    chain = random_chain(5, seed=2)
    vector = evolved(chain, random_product(5, seed=3), 0.8)
    tensors, rest = [], vector.reshape(1, -1)
    for _ in range(4):
        left, values, right = np.linalg.svd(rest.reshape(2 * len(rest), -1), full_matrices=False)
        tensors.append(left.reshape(len(rest), 2, -1))
        rest = values[:, None] * right
    tensors.append(rest.reshape(len(rest), 2, 1))
    result = compile_state(tensors, ansatz={"layers": [1, 2, 3, 4]}, optimizer={"max_steps": 25})
    infidelities = [depth.infidelity for depth in result.depths]
    assert infidelities == sorted(infidelities, reverse=True)
    assert infidelities[-1] < 0.5 * infidelities[0]


@pytest.mark.parametrize("layers", ["auto", [3, 5, 7]])
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path, layers):
    """Cut in the middle of a later depth: finished depths are kept, and the open one goes on."""
    asked = built(layers, goal={"infidelity": 1e-4}, optimizer={"max_steps": 30})
    seen: list[Progress] = []
    whole = compile_problem(asked, progress=seen.append)
    assert len(whole.depths) > 2
    counts = [event.evaluations for event in seen if event.stage == "optimize"]
    assert counts == sorted(counts)
    assert counts[-1] == sum(depth.optimum.evaluations for depth in whole.depths)
    assert {event.layers for event in seen if event.stage == "optimize"} == {
        depth.layers for depth in whole.depths
    }
    second = whole.depths[1].layers
    first, next_ones = (depth.optimum.evaluations for depth in whole.depths[:2])

    def stop(event):
        if event.stage == "optimize" and event.evaluations > first + next_ones // 2:
            raise KeyboardInterrupt

    kept = Checkpoints(tmp_path, asked.to_json(), interval=0.0)
    cut = compile_problem(asked, progress=stop, checkpoint=kept)
    assert cut.status == "interrupted"
    assert [depth.layers for depth in cut.depths] == [whole.depths[0].layers, second]

    fitted = []

    def watch(event):
        if event.stage == "optimize" and event.layers not in fitted:
            fitted.append(event.layers)

    resumed = compile_problem(asked, progress=watch, checkpoint=kept)
    assert fitted[0] == second
    assert [depth.to_dict() for depth in resumed.depths] == [
        depth.to_dict() for depth in whole.depths
    ]
    assert resumed.circuit == whole.circuit


def test_interrupting_while_a_depth_is_prepared_keeps_those_before_it():
    def stop(event):
        if event.stage == "compile" and event.layers == 4:
            raise KeyboardInterrupt

    problem = built([2, 4], optimizer={"max_steps": 10})
    cut = compile_problem(problem, progress=stop)
    alone = compile_problem(built(2, optimizer={"max_steps": 10}))
    assert cut.status == "interrupted"
    assert [depth.layers for depth in cut.depths] == [2]
    assert cut.certificate.infidelity == pytest.approx(alone.certificate.infidelity, rel=1e-6)
    with pytest.raises(KeyboardInterrupt):
        compile_problem(built([4, 6]), progress=stop)


def test_auto_ends_at_the_depth_that_memory_allows(monkeypatch):
    """A missed goal is a status, and the deepest circuit is returned."""
    monkeypatch.setattr("aqc.depths.deepest_layers", lambda problem, chi: 2)
    result = compile_problem(built("auto", goal={"infidelity": 1e-9}, optimizer={"max_steps": 20}))
    assert result.status == "max_depth_reached"
    assert [depth.layers for depth in result.depths] == [1, 2]
    assert len(result.bricks) == 2
    json.dumps(result.to_dict(), allow_nan=False)


def test_the_deepest_circuit_fits_and_the_next_does_not():
    large = {"model": "xxz_chain", "num_qubits": 50}
    for gigabytes in (2.0, 8.0, 64.0):
        limits = {"limits": {"memory_gb": gigabytes}, "overlap": "exact"}
        asked = Problem.build(large, 1.0, ansatz={"layers": "auto"}, **limits)
        deepest = deepest_layers(asked, 48)
        assert deepest > 5
        for layers, fits in ((deepest, True), (deepest + 1, False)):
            fixed = Problem.build(large, 1.0, ansatz={"layers": [1, layers]}, **limits)
            with contextlib.nullcontext() if fits else pytest.raises(InputError, match="cover"):
                check_memory(fixed, 48)


def test_depth_costs_little_where_the_overlap_is_truncated():
    """The exact contraction of so many layers would need 10^15 bytes; memory grows linearly."""
    large = {"model": "xxz_chain", "num_qubits": 50}
    needed = [
        estimate(Problem.build(large, 1.0, ansatz={"layers": layers})).memory_bytes
        for layers in (17, 33, 65)
    ]
    assert needed[2] < 4e9
    assert needed[2] - needed[1] == pytest.approx(2 * (needed[1] - needed[0]), rel=0.1)


def test_memory_for_the_deepest_of_a_sweep_is_refused_before_any_work():
    with pytest.raises(InputError, match="for 31 layers") as refused:
        compile_evolution(xxz(50), 1.0, ansatz={"layers": [3, 31]}, overlap="exact")
    assert refused.value.pointer == "/limits/memory_gb"
