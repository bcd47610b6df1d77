"""kill -9 in ten rounds during a real compile: the circuit is that of an unbroken run."""

import os
import signal
import subprocess
import sys

import numpy as np
import psutil
import pytest
from harness import Service, make_settings, process_of, wait_for
from qiskit.quantum_info import Statevector

from aqc.interop.files import load_circuit
from aqc.problem import Problem
from aqc_service.records import Job

pytestmark = pytest.mark.slow
KINDS = {"compile": "aqc_service.compile_job:run"}
ROUNDS = 10
PATIENCE = 600.0  # each attempt warms up a child, which takes long on a busy machine


@pytest.fixture(scope="module")
def asked():
    return Problem.build(
        {"model": "xxz_chain", "num_qubits": 15, "delta": 0.5},
        1.5,
        initial_state="neel",
        ansatz={"layers": 9},
        goal={"infidelity": 1e-13},
        optimizer={"max_steps": 200},
        limits={"threads": 1},
    )


_UNBROKEN = """
import sys
from aqc import runtime

runtime.limit_threads(1)  # as the service's child does: more threads round differently
from aqc.compile import compile_problem
from aqc.problem import Problem
from qiskit.quantum_info import Statevector
import numpy as np

problem = Problem.from_json(sys.argv[1])
np.save(sys.argv[2], Statevector(compile_problem(problem).circuit).data)
"""


@pytest.fixture(scope="module")
def unbroken(asked, tmp_path_factory):
    file = tmp_path_factory.mktemp("unbroken") / "state.npy"
    subprocess.run(
        [sys.executable, "-c", _UNBROKEN, asked.to_json(), str(file)], check=True, timeout=PATIENCE
    )
    return np.load(file)


@pytest.fixture
def served(tmp_path, any_database):
    settings = make_settings(
        tmp_path / "data",
        database_url=any_database,
        kinds=KINDS,
        max_lost=99,
        checkpoint_seconds=0.1,
        port=0,
    )
    service = Service(settings)
    yield service
    service.close()


def in_the_middle(service, job, attempt, evaluations):
    """Wait until an attempt's optimizer has made so many evaluations, earlier ones included."""

    def is_there():
        now = service.job(job.id)
        progress = now.progress or {}
        return now.is_terminal or (
            now.attempt == attempt
            and progress.get("stage") == "optimize"
            and progress["evaluations"] > evaluations
            and service.store.events(job.id)[-1].kind == "progress"
        )

    wait_for(is_there, PATIENCE)


def kill(service, supervisor, whom, job):
    """Kill one process and return the supervisor that is there afterwards."""
    if whom == "child":
        os.kill(service.child_of(job.id), signal.SIGKILL)
    elif whom == "supervisor":
        members = psutil.Process(supervisor.pid).children(recursive=True)
        supervisor.kill()
        supervisor.wait()
        wait_for(lambda: not any(member.is_running() for member in members), 10.0)
        return service.start("serve")
    else:
        pid = wait_for(lambda: process_of(supervisor, whom))
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: process_of(supervisor, whom) not in (None, pid))
    return supervisor


@pytest.mark.parametrize("whom", ["child", "worker", "api", "supervisor"])
def test_ten_kills_change_nothing(served, asked, unbroken, whom):
    supervisor = served.start("serve")
    jobs: list[Job] = []
    for killed in range(ROUNDS):
        # A dead API holds no job up, and is restarted ever later: one job may end before.
        if not jobs or (whom == "api" and served.job(jobs[-1].id).is_terminal):
            jobs.append(served.submit("compile", problem_json=asked.to_json(), num_qubits=15))
            first = killed
        attempt = 1 if whom == "api" else killed + 1
        in_the_middle(served, jobs[-1], attempt, 4 * (killed - first))
        assert whom == "api" or not served.job(jobs[-1].id).is_terminal
        supervisor = kill(served, supervisor, whom, jobs[-1])
    for job in jobs:
        assert served.reach(job.id, "succeeded", "failed", seconds=PATIENCE).state == "succeeded"
        ends = [e for e in served.store.events(job.id) if e.data.get("state") == "succeeded"]
        assert len(ends) == 1
        found = Statevector(load_circuit(served.store.open_artifact(job.id, "circuit.qpy"))).data
        np.testing.assert_allclose(found, unbroken, atol=1e-9)
