"""Several times in one job: the same circuits as one by one, sooner."""

import json

import numpy as np
import pytest

from aqc.compile import compile_evolution
from aqc.errors import InputError
from aqc.estimate import estimate, starting_seconds
from aqc.misses import fewest_layers
from aqc.reached import Reached
from aqc.series import compile_each, compile_times
from aqc.times import estimate_times, read_problems
from command_line import call, refused

MODEL = {"model": "xxz_chain", "num_qubits": 6, "delta": 0.5}
SETTINGS = {"initial_state": "neel", "goal": {"infidelity": 1e-3}}


def test_every_time_is_reached_within_its_own_tolerance():
    seen = []
    results = compile_times(
        MODEL, [0.3, 0.6], on_result=seen.append, ansatz={"layers": "auto"}, **SETTINGS
    )
    assert [result.problem.time for result in results] == [0.3, 0.6]
    assert list(results) == seen
    layers = [result.chosen.layers for result in results]
    assert layers == sorted(layers)
    for result in results:
        assert result.certificate.infidelity <= 1e-3
        assert result.target.infidelity_bound <= result.problem.target.tolerance
    # The search goes on from the depth before: nothing shallower is tried again.
    assert min(depth.layers for depth in results[-1].depths) >= layers[0]
    assert results[-1].chosen.start in ("earlier", "followed", "shallower", "own")


def test_a_warm_start_is_taken_where_it_is_the_best_and_saves_evaluations():
    settings = {**SETTINGS, "ansatz": {"layers": 5}, "goal": {"infidelity": 3e-4}}
    _, warm = compile_times(MODEL, [0.6, 0.65], **settings)
    cold = compile_evolution(MODEL, 0.65, **settings)
    assert warm.chosen.start == "earlier"
    assert warm.optimum.history[0][1] < cold.optimum.history[0][1]
    assert warm.optimum.evaluations < cold.optimum.evaluations


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ([], "must be a list of 1 to 256 numbers, but is"),
        ([0.5, True], "must be a list of 1 to 256 numbers, but is"),
        ([0.5, 0.5], "must grow from one to the next"),
        ([0.0, 0.5], "none of them 0"),
        ([-0.5, 1.0], "have one sign"),
    ],
)
def test_times_that_do_not_grow_are_refused(times, said):
    with pytest.raises(InputError, match=said):
        read_problems({"hamiltonian": MODEL, "times": times})


def test_time_and_times_exclude_each_other():
    with pytest.raises(InputError, match="either `time` or `times`"):
        read_problems({"hamiltonian": MODEL, "times": [0.5], "time": 0.5})


def test_a_series_goes_on_where_an_earlier_process_left_it():
    asked = read_problems({"hamiltonian": MODEL, "times": [0.3, 0.5, 0.6], "ansatz": {"layers": 3}})
    whole = list(compile_each(asked))
    _, reached = whole[1]
    told = []
    again = Reached.restored(reached.arrays())
    assert again.misses == reached.misses
    assert again.past is not None
    assert again.past.time == 0.3
    ((last, end),) = compile_each(asked, progress=told.append, before=again)
    unbroken, _ = whole[2]
    assert np.array_equal(last.chosen.ansatz.blocks, unbroken.chosen.ansatz.blocks)
    assert last.certificate == unbroken.certificate
    assert end.evaluations == whole[2][1].evaluations > reached.evaluations
    assert {(event.time, event.time_number, event.time_count) for event in told} == {(0.6, 3, 3)}
    assert min(event.evaluations for event in told) == reached.evaluations
    assert list(compile_each(asked, before=end)) == []


def test_depths_that_missed_before_are_not_tried_again():
    """Misses at earlier times tell where the search begins; see tests/test_misses.py."""
    asked = read_problems(
        {
            "hamiltonian": {**MODEL, "num_qubits": 12},
            "times": [0.6, 0.9, 1.2],
            "initial_state": "neel",
            "ansatz": {"layers": "auto"},
            "goal": {"infidelity": 1e-2},
        }
    )
    _, (second, reached), (last, _) = compile_each(asked)
    expected = reached.expected(asked[2])
    assert expected is not None
    fitted = [depth.layers for depth in last.depths]
    assert fitted[0] == fewest_layers(expected, 1e-2, second.chosen.layers)
    assert fitted[0] > second.chosen.layers
    assert last.chosen.infidelity <= 1e-2
    assert all(depth.infidelity > 1e-2 for depth in last.depths[:-1])
    ((alone, _),) = compile_each(asked[2:])
    assert last.chosen.layers == alone.chosen.layers
    assert len(fitted) < len(alone.depths)


def test_an_estimate_counts_all_times():
    asked = read_problems({"hamiltonian": MODEL, "times": [0.1 * k for k in range(1, 21)]})
    told, alone = estimate_times(asked), [estimate(problem) for problem in asked]
    working = [one.seconds - starting_seconds() for one in alone]
    expected = starting_seconds() + sum(working)
    assert told.seconds == pytest.approx(expected, rel=0.05)
    assert told.memory_bytes >= max(one.memory_bytes for one in alone)
    assert estimate_times(asked[:1]) == alone[0]


@pytest.mark.slow
def test_the_command_line_writes_a_directory_for_each_time(tmp_path):
    problem = tmp_path / "problem.json"
    content = {"hamiltonian": MODEL, "times": [0.3, 0.5], "ansatz": {"layers": 3}, **SETTINGS}
    problem.write_text(json.dumps(content))
    ended = call("compile", problem, "--out", tmp_path / "out", "--quiet")
    assert ended.exit_code == 0, ended.stderr
    rows = json.loads((tmp_path / "out" / "series.json").read_text())
    assert [row["time"] for row in rows] == [0.3, 0.5]
    for row in rows:
        result = json.loads((tmp_path / "out" / row["directory"] / "result.json").read_text())
        assert result["infidelity"] == row["infidelity"]
    target = call("target", problem, "--out", tmp_path / "target.npz")
    assert refused(target, "`times` is for `aqc compile`")
