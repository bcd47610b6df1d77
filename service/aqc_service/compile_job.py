"""The kind of job "compile": a problem in, circuit files out, with checkpoints on the way."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from aqc.checkpoint import Checkpoints, load_arrays
from aqc.errors import InputError
from aqc.problem import Problem
from aqc.progress import Progress
from aqc_service.best_so_far import write_best
from aqc_service.child import Orders, Reporter, Stopped
from aqc_service.protocol import LIBRARIES_MEMORY, Task

_REPORT_SECONDS = 0.1
_KEPT = ("target", "state", "sweep", "reached")
_SUMMARY = (
    "num_qubits",
    "layers",
    "basis",
    "two_qubit_gates",
    "two_qubit_depth",
    "infidelity",
    "certificate",
    "trotter",
    "sweep",
    "seconds",
    "seed",
)


def warm_up() -> None:
    """Import what every compile needs, and compile a chain of four sites."""
    import aqc.certify
    import aqc.figures
    import aqc.interop.qasm
    import aqc.interop.quimb  # noqa: F401
    from aqc.compile import compile_evolution

    model = {"model": "xxz_chain", "num_qubits": 4}
    compile_evolution(model, 0.1, ansatz={"layers": 1}, optimizer={"max_steps": 2})


def run(task: Task, reporter: Reporter, orders: Orders) -> dict[str, Any]:
    """Compile a problem; go on from the newest checkpoint of an earlier attempt.

    Returns:
        A summary of the result.

    Raises:
        Stopped: If it was told to stop; the checkpoint then holds the newest state.
    """
    from aqc.compile import compile_problem
    from aqc.output import write_result

    problem = within_task(Problem.from_json(task.problem), task)
    directory = Path(task.directory)
    kept = Kept(task, problem, reporter, orders)
    adopt([Path(path) / "checkpoint" for path in task.earlier], directory / "checkpoint", reporter)
    steps = Steps(reporter, orders, kept)
    result = compile_problem(problem, progress=steps, checkpoint=kept)
    steps.tell_writing()
    write_result(directory / "out", result, problem, draw=False)
    return summarize(result.to_dict())


def within_task(problem: Problem, task: Task) -> Problem:
    """Return the problem as the task's memory allows it."""
    if problem.ansatz.layers != "auto":
        return problem
    # It goes as deep as memory goes: no further than here.
    return problem.within_memory((task.memory_bytes + LIBRARIES_MEMORY) / 1e9)


def summarize(full: dict[str, Any]) -> dict[str, Any]:
    """Return what the database keeps of the content of result.json."""
    optimizer = {name: full["optimizer"][name] for name in ("name", "status", "evaluations")}
    return {name: full[name] for name in _SUMMARY} | optimizer | _largest_errors(full)


def _largest_errors(full: dict[str, Any]) -> dict[str, Any]:
    """Return the observables without the lists that grow with the chain."""
    found = full["observables"]
    if found is None:  # of a unitary
        return {"observables": None}
    largest = {name: {"max_error": found[name]["max_error"]} for name in ("z", "zz")}
    return {"observables": {"energy": found["energy"], **largest}}


class Kept(Checkpoints):
    """Checkpoints that also write the circuit of what they keep, the first and last ones at once.

    So a job that is stopped has a circuit from the moment that its target exists, and a job that
    dies in the certificate does not optimize again.

    Args:
        task: Tells the directory and how often.
        problem: What is compiled.
        reporter: Hears of circuits.
        orders: Whether to leave.
        time_number: Which one it is of a series.
    """

    def __init__(
        self,
        task: Task,
        problem: Problem,
        reporter: Reporter,
        orders: Orders,
        time_number: int | None = None,
    ):
        self._time_number = time_number
        self._attempt_directory = Path(task.directory)
        super().__init__(
            self._attempt_directory / "checkpoint", problem.to_json(), task.checkpoint_seconds
        )
        self._asked, self._reporter, self._orders = problem, reporter, orders
        self._written = time.monotonic()  # the first one after an interval too
        self._newest: Callable[[], dict[str, np.ndarray]] | None = None
        self.is_final = False
        self._best = math.inf

    def save_in_time(self, name: str, arrays: Callable[[], dict[str, np.ndarray]]) -> None:
        """Keep arrays when it is time, or when the job has to leave."""
        self._newest = arrays
        if self._orders.to_leave:
            self.save(name, arrays())
            self.is_final = True
        else:
            super().save_in_time(name, arrays)

    def save(self, name: str, arrays: dict[str, np.ndarray]) -> None:
        """Keep arrays; of an optimizer's state, the circuit too."""
        super().save(name, arrays)
        if name == "state":
            self._newest = None
            self._tell(arrays)

    def begin(self, arrays: dict[str, np.ndarray]) -> None:
        """Write the circuit that the optimizer starts from, or goes on from."""
        kept = self.load("state")
        self._tell(arrays if kept is None else kept)

    def complete(self) -> None:
        """Keep the optimizer's last state, if that was not done."""
        if self._newest is not None:
            self.save("state", self._newest())

    def _tell(self, arrays: dict[str, np.ndarray]) -> None:
        # Another depth of a sweep may begin with less than the one before has reached.
        infidelity = arrays["history"][-1, 1] if "history" in arrays else math.inf
        if infidelity <= self._best:
            self._best = infidelity
            name = "best" if self._time_number is None else f"best-{self._time_number}"
            best = write_best(self._attempt_directory, self._asked, arrays, name)
            self._reporter.send("best", **best, time_number=self._time_number)


class Steps:
    """Takes the compile's progress: passes it on, and stops the compile when ordered.

    Attributes:
        kept: Of the compile that goes on.
    """

    def __init__(self, reporter: Reporter, orders: Orders, kept: Kept | None = None):
        self.kept = kept
        self._reporter, self._orders = reporter, orders
        self._reported, self._stage = 0.0, ""
        self._points: list[tuple[int, float]] = []
        self._newest: dict[str, Any] = {"evaluations": 0, "infidelity": None}

    def __call__(self, progress: Progress) -> None:
        """Take one report; called between two steps of the compile."""
        assert self.kept is not None
        if progress.stage == "certify" and self._stage != "certify":
            self.kept.complete()
        # A step of the optimizer was kept before it is reported, if the order came before that.
        if self._orders.to_leave and (self.kept.is_final or progress.stage != "optimize"):
            raise Stopped
        now = time.monotonic()
        if progress.stage == "optimize" and progress.infidelity is not None:
            self._points.append((progress.evaluations, progress.infidelity))
        if progress.stage != self._stage or now - self._reported >= _REPORT_SECONDS:
            self._reported, self._stage = now, progress.stage
            self._send(progress)
        if self._orders.finish.is_set() and progress.stage == "optimize":
            raise KeyboardInterrupt  # the optimizer then ends with its best

    def tell_writing(self) -> None:
        """Say that the result is being written."""
        self._reporter.send("progress", stage="write", fraction=None, **self._newest)

    def _send(self, progress: Progress) -> None:
        self._newest = {"evaluations": progress.evaluations, "infidelity": progress.infidelity}
        if progress.time_number is not None:
            which = ("time", "time_number", "time_count")
            self._newest |= {name: getattr(progress, name) for name in which}
        self._reporter.send(
            "progress",
            stage=progress.stage,
            fraction=progress.fraction,
            points=self._points,
            **self._newest,
        )
        self._points = []


def adopt(earlier: list[Path], directory: Path, reporter: Reporter) -> None:
    """Link the newest sound checkpoint of each kind into a directory of its own.

    Args:
        earlier: Directories to look in, newest first.
        directory: Where to.
        reporter: Hears of damaged files.
    """
    for name in _KEPT:
        for path in (
            folder / file for folder in earlier for file in (f"{name}.npz", f"{name}.1.npz")
        ):
            if not path.exists():
                continue
            try:
                load_arrays(path)
            except InputError:
                reporter.send(
                    "message", text=f"The checkpoint {path.name} was damaged; an older one is used."
                )
                continue
            (directory / f"{name}.npz").hardlink_to(path)
            break
