"""The kind of job "kernel": a call that takes long, step by step, with checkpoints on the way."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from aqc import kernels
from aqc.checkpoint import Checkpoints
from aqc.kernels import _results, _state
from aqc.kernels._kernel import Operation
from aqc.strict_json import parse_json
from aqc_service.child import Orders, Reporter, Stopped
from aqc_service.compile_job import adopt
from aqc_service.kernel_child import draw
from aqc_service.kernel_input import read_input
from aqc_service.protocol import Task

_REPORT_SECONDS = 0.1


def run(task: Task, reporter: Reporter, orders: Orders) -> dict[str, Any]:
    """Run a kernel; go on from the newest checkpoint of an earlier attempt.

    Returns:
        A summary of the result.

    Raises:
        Stopped: If it was told to stop; the checkpoint then holds the newest state.
    """
    call = json.loads(task.problem)
    directory = Path(task.directory)
    kernel = kernels.load(call["kernel"])
    operation = kernel.operation(call["operation"])
    arguments = parse_json(read_input(directory.parent.parent, call["input"]))
    kept = Checkpoints(directory / "checkpoint", task.problem, task.checkpoint_seconds)
    adopt([Path(path) / "checkpoint" for path in task.earlier], directory / "checkpoint", reporter)
    began = time.perf_counter()
    result = _run(operation, arguments, kept, reporter, orders)
    answer = kernel.answer(operation, result, time.perf_counter() - began, call["arrays"])
    _write(directory / "out", operation, result, answer)
    return {name: answer[name] for name in ("kernel", "operation", "version", "seconds")}


def _run(
    operation: Operation, arguments: Any, kept: Checkpoints, reporter: Reporter, orders: Orders
) -> Any:
    before = kept.load("state")
    steps = operation.run_steps(arguments, None if before is None else _state.unpack(before))
    reported, count = 0.0, 0
    while True:
        try:
            fraction, state = next(steps)
        except StopIteration as stop:
            return stop.value
        count += 1
        if orders.to_leave:
            kept.save("state", _state.pack(state))
            raise Stopped
        # The steps' state is packed only when it is time.
        kept.save_in_time("state", lambda state=state: _state.pack(state))  # type: ignore[misc]
        now = time.monotonic()
        if now - reported >= _REPORT_SECONDS:
            reported = now
            reporter.send("progress", stage="run", fraction=fraction, evaluations=count)


def _write(directory: Path, operation: Operation, result: Any, answer: dict[str, Any]) -> None:
    """Write the answer, its arrays by name, and its figure."""
    directory.mkdir()
    text = json.dumps(answer, allow_nan=False)
    (directory / "result.json").write_text(text + "\n")
    np.savez(directory / "arrays.npz", allow_pickle=False, **_results.arrays(result))
    if operation.figure is not None:
        for form in ("svg", "png"):
            (directory / f"figure.{form}").write_bytes(draw(operation, result, form))
