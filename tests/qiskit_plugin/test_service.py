"""The plugin as a client: the same circuit by way of a service, and the next method without one."""

import json
from types import SimpleNamespace
from typing import ClassVar

import pytest
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import SparsePauliOp

from aqc import client as module
from aqc.compile import compile_problem
from aqc.problem import Problem
from aqc.qiskit_plugin.chains import Declined
from aqc.qiskit_plugin.options import Options
from aqc.qiskit_plugin.synthesis import synthesize

GATE = PauliEvolutionGate(SparsePauliOp(["XXI", "IZZ", "IIY"], [0.5, 0.4, 0.3]), 0.2)
ADDRESS = "http://127.0.0.1:8765"


class Service:
    """Stands in for the client of a service that compiles at once."""

    state = "succeeded"
    asked: ClassVar[list[dict]] = []

    def __init__(self, base_url: str):
        assert base_url == ADDRESS

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def submit(self, problem, *, name, wall_seconds):
        # As JSON, the way it travels.
        self.asked.append(json.loads(json.dumps(problem)) | {"wall_seconds": wall_seconds})
        return SimpleNamespace(id="j1", state="queued")

    def wait(self, job, *, progress):
        return SimpleNamespace(id=job.id, state=self.state)

    def _compiled(self):
        problem = {k: v for k, v in self.asked[-1].items() if k != "wall_seconds"}
        return compile_problem(Problem.from_dict(problem))

    def result(self, job):
        return self._compiled().circuit

    def result_json(self, job):
        return json.loads(json.dumps(self._compiled().to_dict()))


def test_a_service_gives_the_same_circuit(monkeypatch):
    monkeypatch.setattr(module, "Client", Service)
    there = synthesize(GATE, Options(service=ADDRESS, timeout=50.0))
    here = synthesize(GATE, Options())
    assert there == here
    assert there.global_phase == pytest.approx(here.global_phase)
    assert there.metadata == here.metadata
    assert Service.asked[-1]["mode"] == "unitary"
    assert 1 <= Service.asked[-1]["wall_seconds"] <= 50


def test_a_failed_job_and_a_silent_service_are_not_remembered(monkeypatch, tmp_path):
    options = Options(service=ADDRESS, cache_dir=tmp_path)
    monkeypatch.setattr(module, "Client", Service)
    monkeypatch.setattr(Service, "state", "failed")
    with pytest.raises(Declined, match="the job j1 of .* has failed"):
        synthesize(GATE, options)

    def silent(base_url):
        raise module.ServiceError("The service does not answer.")

    monkeypatch.setattr(module, "Client", silent)
    with pytest.raises(Declined, match="The service does not answer"):
        synthesize(GATE, options)
    assert not list(tmp_path.iterdir())
