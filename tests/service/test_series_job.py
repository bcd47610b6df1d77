"""The kind of job "series": stopped in every way, with the circuits of an unbroken run."""

import json

import numpy as np
import pytest
from test_compile_job import Ear, written

from aqc.interop.files import load_circuit
from aqc.series import compile_series
from aqc.times import read_problems, to_json
from aqc_service import series_job
from aqc_service.child import Orders, Stopped
from aqc_service.protocol import Task

CONTENT = {
    "hamiltonian": {"model": "xxz_chain", "num_qubits": 6, "delta": 0.5},
    "times": [0.3, 0.5, 0.7],
    "initial_state": "neel",
    "ansatz": {"layers": 3},
    "goal": {"infidelity": 1e-12},
    "optimizer": {"max_steps": 12},
    "limits": {"threads": 1},
}


def task(directory, content=CONTENT, earlier=()):
    directory.mkdir()
    return Task(
        job_id="j",
        attempt=1,
        run="aqc_service.series_job:run",
        problem=to_json(read_problems(content)),
        directory=str(directory),
        earlier=tuple(map(str, earlier)),
        memory_bytes=10**9,
        checkpoint_seconds=0.0,
    )


def orders_when(order, is_it):
    """Return orders, and an ear that gives one of them when a message is the one."""
    orders = Orders()

    def look(kind, data):
        if is_it(kind, data):
            getattr(orders, order).set()

    return orders, Ear(look)


def told(ear, kind):
    return [data for k, data in ear.heard if k == kind]


def circuits(directory, count=3):
    return [(directory / f"out/time_{k}/circuit.qasm").read_text() for k in range(1, count + 1)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    directory = tmp_path_factory.mktemp("whole") / "attempt-1"
    ear = Ear()
    summary = series_job.run(task(directory), ear, Orders())
    return directory, ear, summary


def test_a_series_is_that_of_python(whole):
    directory, ear, summary = whole
    expected = compile_series(read_problems(CONTENT))
    rows = json.loads((directory / "out/series.json").read_text())
    assert [row["time"] for row in rows] == CONTENT["times"]
    for row, result in zip(rows, expected, strict=True):
        assert row["infidelity"] == pytest.approx(result.certificate.infidelity, abs=1e-12)
        content = json.loads((directory / "out" / row["directory"] / "result.json").read_text())
        assert content["certificate"]["infidelity_bound"] == row["infidelity_bound"]
        assert row["infidelity"] <= row["infidelity_bound"]
    assert [{**row, "number": k} for k, row in enumerate(rows, 1)] == told(ear, "time")
    assert summary["evaluations"] == sum(row["evaluations"] for row in rows)
    assert (summary["times"], summary["status"]) == (3, "max_steps_reached")
    # The last one lies where the result of a single compile does.
    assert (directory / "out/circuit.qasm").read_text() == circuits(directory)[-1]
    assert summary["infidelity"] == rows[-1]["infidelity"]


def test_progress_says_which_time_it_is_and_goes_on_counting(whole):
    _, ear, summary = whole
    events = told(ear, "progress")
    assert [k for k, data in enumerate(events) if data.get("time_number") is None] == []
    numbers = [data["time_number"] for data in events]
    assert numbers == sorted(numbers)
    assert {(data["time_number"], data["time"]) for data in events} == {
        (k, time) for k, time in enumerate(CONTENT["times"], 1)
    }
    assert {data["time_count"] for data in events} == {3}
    counted = [count for data in events for count, _ in data.get("points", ())]
    assert counted == sorted(counted)
    assert counted[-1] <= summary["evaluations"]
    assert {data["time_number"] for data in told(ear, "best")} == {1, 2, 3}


def test_a_series_stopped_twice_ends_with_the_same_circuits(tmp_path, whole, monkeypatch):
    moments = (
        lambda kind, data: kind == "best" and data["time_number"] == 2 and data["evaluations"] > 4,
        lambda kind, data: kind == "time" and data["number"] == 2,
    )
    earlier = []
    for number, moment in enumerate(moments, 1):
        orders, ear = orders_when("stop", moment)
        directory = tmp_path / f"attempt-{number}"
        with pytest.raises(Stopped):
            series_job.run(task(directory, earlier=earlier), ear, orders)
        earlier.insert(0, directory)
    ear = Ear()
    summary = series_job.run(task(tmp_path / "attempt-3", earlier=earlier), ear, Orders())
    assert circuits(tmp_path / "attempt-3") == circuits(whole[0])
    assert summary["evaluations"] == whole[2]["evaluations"]
    # The first two were not computed again, but told again.
    assert {data["time_number"] for data in told(ear, "progress")} == {3}
    assert [row["number"] for row in told(ear, "time")] == [1, 2, 3]
    for one, other in zip(told(ear, "time"), told(whole[1], "time"), strict=True):
        assert {**one, "seconds": 0.0} == {**other, "seconds": 0.0}


def test_a_finished_series_is_not_computed_again(tmp_path, whole, monkeypatch):
    monkeypatch.setattr("aqc.series.compile_problem", None)  # calling it would raise
    again = series_job.run(task(tmp_path / "again", earlier=[whole[0]]), Ear(), Orders())
    assert again == whole[2]
    assert circuits(tmp_path / "again") == circuits(whole[0])


def test_at_the_end_of_its_time_it_keeps_what_it_has_and_a_retry_goes_on(tmp_path, whole):
    orders, ear = orders_when(
        "finish", lambda kind, data: data.get("time_number") == 2 and data.get("points")
    )
    cut = series_job.run(task(tmp_path / "cut"), ear, orders)
    assert (cut["times"], cut["status"]) == (2, "interrupted")
    assert [row["status"] for row in told(ear, "time")] == ["max_steps_reached", "interrupted"]
    assert written(tmp_path / "cut/out").shape == (64,)
    ear = Ear()
    series_job.run(task(tmp_path / "retry", earlier=[tmp_path / "cut"]), ear, Orders())
    assert {data["time_number"] for data in told(ear, "progress")} == {2, 3}
    states = [
        load_circuit(path / "out/circuit.qpy").num_qubits for path in (tmp_path / "retry", whole[0])
    ]
    assert states == [6, 6]
    assert circuits(tmp_path / "retry") == circuits(whole[0])


def test_a_time_before_it_began_has_a_circuit_of_the_time_it_is_at(tmp_path):
    orders, ear = orders_when(
        "cancel", lambda kind, data: kind == "best" and data["time_number"] == 2
    )
    with pytest.raises(Stopped):
        series_job.run(task(tmp_path / "a"), ear, orders)
    first, *_ = [data for data in told(ear, "best") if data["time_number"] == 2]
    last = told(ear, "best")[-1]
    assert first["directory"] != told(ear, "best")[0]["directory"]
    problem = json.loads((tmp_path / "a" / last["directory"] / "result.json").read_text())
    assert problem["problem"]["time"] == 0.5
    assert np.isclose(np.linalg.norm(written(tmp_path / "a" / last["directory"])), 1)
