"""kill -9 in each of several times: finished ones stay, and all circuits are an unbroken run's."""

import json
import subprocess
import sys

import pytest
from harness import Service, make_settings, wait_for
from test_crash_compile import PATIENCE, kill

from aqc.times import read_problems, to_json

pytestmark = pytest.mark.slow
ASKED = to_json(
    read_problems(
        {
            "hamiltonian": {"model": "xxz_chain", "num_qubits": 15, "delta": 0.5},
            "times": [0.5, 1.0, 1.5],
            "initial_state": "neel",
            "ansatz": {"layers": 9},
            "goal": {"infidelity": 1e-13},
            "optimizer": {"max_steps": 80},
            "limits": {"threads": 1},
        }
    )
)
_UNBROKEN = """
import json, sys
from aqc import runtime

runtime.limit_threads(1)
from aqc.interop import qasm
from aqc.series import compile_series
from aqc.times import read_problems

found = compile_series(read_problems(json.loads(sys.argv[1])))
print(json.dumps([qasm.to_qasm3(result.circuit) for result in found]))
"""


@pytest.fixture(scope="module")
def unbroken():
    words = [sys.executable, "-c", _UNBROKEN, ASKED]
    ended = subprocess.run(words, check=True, timeout=PATIENCE, stdout=subprocess.PIPE)
    return json.loads(ended.stdout)


@pytest.fixture
def served(tmp_path, any_database):
    settings = make_settings(
        tmp_path / "data",
        database_url=any_database,
        kinds={"series": "aqc_service.series_job:run"},
        max_lost=99,
        checkpoint_seconds=0.1,
        port=0,
    )
    service = Service(settings)
    yield service
    service.close()


@pytest.mark.parametrize("whom", ["child", "worker", "supervisor"])
def test_a_kill_in_every_time_changes_no_circuit(served, unbroken, whom):
    supervisor = served.start("serve")
    job = served.submit("series", problem_json=ASKED, num_qubits=15)
    for attempt in (1, 2, 3):

        def in_the_middle(attempt=attempt):
            now = served.job(job.id)
            progress = now.progress or {}
            assert not now.is_terminal
            done = sum(row["evaluations"] for row in now.series or ())
            return (
                (now.attempt, progress.get("time_number")) == (attempt, attempt)
                and progress["stage"] == "optimize"
                and progress["evaluations"] > done + 10
            )

        wait_for(in_the_middle, PATIENCE)
        supervisor = kill(served, supervisor, whom, job)
    ended = served.reach(job.id, "succeeded", "failed", seconds=PATIENCE)
    assert (ended.state, ended.attempt) == ("succeeded", 4)
    for number, expected in enumerate(unbroken, 1):
        path = served.store.open_artifact(job.id, f"time_{number}/circuit.qasm")
        assert path.read_text() == expected
    # Each attempt begins with the time that the one before it was killed in.
    events = served.store.events(job.id)
    begun = [event.seq for event in events if event.data.get("state") == "running"]
    first = [next(e for e in events if e.seq > seq and e.kind == "progress") for seq in begun]
    assert [event.data["time_number"] for event in first] == [1, 1, 2, 3]
    assert [row["number"] for row in ended.series] == [1, 2, 3]
