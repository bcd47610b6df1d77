"""Watching a child: what is reported when, with a child that the test plays itself."""

from pathlib import Path

import pytest

from aqc_service.attempts import Attempts
from aqc_service.database import StorageError
from aqc_service.run import Run


class Script:
    """A child that says prepared lines and ends with 0, or with -9 when killed."""

    def __init__(self, *messages):
        self._messages = list(messages)
        self.orders = []
        self._killed = False

    def receive(self, seconds):
        return dict(self._messages.pop(0)) if self._messages else None

    def exit_code(self):
        return (-9 if self._killed else 0) if self._killed or not self._messages else None

    def wait(self):
        return self.exit_code()

    def kill(self):
        self._killed = self._killed or bool(self._messages)

    def terminate(self):
        self.orders.append("terminate")

    def order(self, order):
        self.orders.append(order)

    def usage(self):
        return 10**6, 0.5, 1


def progress(evaluations):
    infidelity = 1 / evaluations
    return {
        "kind": "progress",
        "stage": "optimize",
        "fraction": None,
        "evaluations": evaluations,
        "infidelity": infidelity,
        "points": [[evaluations, infidelity]],
    }


@pytest.fixture
def watch(service, settings):
    attempts = Attempts(service.store.engine)

    def watch(child, attempts=attempts, job=None):
        job = job or attempts.start(service.submit().id, "w")
        run = Run(job, child, attempts, settings, lambda: False, Path("j/attempt-1"), 1e9)
        outcome = run()
        run.report()
        return outcome, job

    watch.attempts = attempts
    return watch


def test_a_checkpoint_between_two_reports_does_not_turn_progress_back(watch, service):
    best = {"kind": "best", "infidelity": 0.2, "evaluations": 5, "directory": "best-5"}
    script = Script({"kind": "ready"}, progress(5), best)
    outcome, job = watch(script)
    first = service.job(job.id)
    assert outcome.code == 0
    assert first.progress["evaluations"] == 5
    again, _ = watch(Script({"kind": "ready"}, {**best, "evaluations": 6}), job=first)
    assert again.best["evaluations"] == 6
    after = service.job(job.id)
    assert after.progress == first.progress
    assert after.best["files"]["circuit.qasm"] == "j/attempt-1/best-5/circuit.qasm"


def test_a_database_that_fails_for_a_while_stops_nothing_and_loses_no_point(watch, service):
    class Failing:
        def __init__(self, attempts):
            self._attempts, self.left = attempts, 1

        def __getattr__(self, name):
            if self.left:
                self.left -= 1
                raise StorageError("The database cannot be used: disk I/O error.")
            return getattr(self._attempts, name)

    job = watch.attempts.start(service.submit().id, "w")
    messages = [progress(k) for k in range(1, 10)]
    done = {"kind": "done", "result": {"x": 1}}
    outcome, _ = watch(Script({"kind": "ready"}, *messages, done), Failing(watch.attempts), job)
    assert (outcome.code, outcome.cause, outcome.result) == (None, None, {"x": 1})
    points = [p[0] for e in service.store.events(job.id) for p in e.data.get("points", ())]
    assert points == list(range(1, 10))
