"""Kinds of jobs that only the tests know; a worker's child imports this by its name."""

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from aqc.checkpoint import Checkpoints, load_arrays
from aqc.errors import DivergenceError, InputError
from aqc_service.child import Orders, Reporter, Stopped
from aqc_service.protocol import Task

MODULE = __name__
STEPS, STEP_SECONDS = 150, 0.01


def expected(steps: int = STEPS) -> float:
    """Return what `count` computes: a logistic map, where any lost or double step shows."""
    x = 0.3
    for _ in range(steps):
        x = 3.7 * x * (1 - x)
    return x


def count(task: Task, reporter: Reporter, orders: Orders) -> dict[str, Any]:
    """Iterate the map slowly, keeping every step, and go on from where an attempt was."""
    directory = Path(task.directory)
    kept = Checkpoints(directory / "checkpoint", task.problem, interval=0.1)
    done, x = 0, 0.3
    for earlier in task.earlier:
        path = Path(earlier) / "checkpoint/state.npz"
        if path.exists():
            arrays = load_arrays(path)
            done, x = int(arrays["done"]), float(arrays["x"])
            break
    while done < STEPS:
        x, done = 3.7 * x * (1 - x), done + 1
        time.sleep(STEP_SECONDS)
        arrays = {"done": np.array(done), "x": np.array(x)}
        if orders.to_leave:
            kept.save("state", arrays)
            raise Stopped
        kept.save_in_time("state", lambda arrays=arrays: arrays)
        reporter.send("progress", stage="optimize", fraction=done / STEPS, points=[[done, x]])
    out = directory / "out"
    out.mkdir()
    (out / "result.json").write_text(repr(x))
    return {"x": x}


def noop(task: Task, reporter: Reporter, orders: Orders) -> dict[str, Any]:
    """Do nothing."""
    return {}


def keep_much(task: Task, reporter: Reporter, orders: Orders) -> dict[str, Any]:
    """Leave memory behind."""
    _KEPT.append(np.ones(120_000_000))
    return {}


def which(task: Task, reporter: Reporter, orders: Orders) -> dict[str, Any]:
    """Tell in which process it runs."""
    return {"pid": os.getpid()}


def loop(task: Task, reporter: Reporter, orders: Orders) -> dict[str, Any]:
    """Never end, whatever is ordered."""
    reporter.send("progress", stage="optimize", fraction=0.0)
    while True:
        time.sleep(0.1)


def until_asked(task: Task, reporter: Reporter, orders: Orders) -> dict[str, Any]:
    """Go on until the best so far is asked for."""
    orders.finish.wait()
    return {"status": "interrupted"}


def allocate(task: Task, reporter: Reporter, orders: Orders) -> dict[str, Any]:
    """Take more and more memory, as private pages that the kernel counts as data."""
    blocks = []
    while True:
        blocks.append(np.ones(10_000_000))


def share(task: Task, reporter: Reporter, orders: Orders) -> dict[str, Any]:
    """Take shared memory, which RLIMIT_DATA does not count: only the watchdog sees it."""
    import mmap

    blocks = []
    while True:
        block = mmap.mmap(-1, 50_000_000)
        block.write(b"x" * 50_000_000)
        blocks.append(block)
        time.sleep(0.05)


def fork(task: Task, reporter: Reporter, orders: Orders) -> dict[str, Any]:
    """Start processes without end, each in a session of its own."""
    while True:
        if os.fork() == 0:
            os.setsid()
            time.sleep(600)
            os._exit(0)
        time.sleep(0.01)


def fail(task: Task, reporter: Reporter, orders: Orders) -> dict[str, Any]:
    """Raise what nobody expects."""
    raise RuntimeError("the tensor is upside down")


def refuse(task: Task, reporter: Reporter, orders: Orders) -> dict[str, Any]:
    """Find the problem at fault."""
    raise InputError("`time` must be finite, but is NaN.", "/time")


def fill(task: Task, reporter: Reporter, orders: Orders) -> dict[str, Any]:
    """Meet a full disk on the first attempt."""
    if task.attempt == 1:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return {}


def diverge(task: Task, reporter: Reporter, orders: Orders) -> dict[str, Any]:
    """Meet a value that is not finite."""
    raise DivergenceError("The objective must be finite.")


def times(task: Task, reporter: Reporter, orders: Orders) -> dict[str, Any]:
    """End two of several times, then wait for an order to leave."""
    for number in (1, 2):
        folder = Path(task.directory) / f"out/time_{number}"
        folder.mkdir(parents=True)
        (folder / "circuit.qasm").write_text(f"{number} of attempt {task.attempt}")
        reporter.send("time", number=number, time=0.1 * number, directory=folder.name)
        reporter.send("progress", stage="optimize", fraction=0.5, time_number=number + 1)
    while not orders.to_leave:
        time.sleep(0.01)
    raise Stopped


_KEPT: list[np.ndarray] = []
_RUNS = (
    count,
    noop,
    keep_much,
    which,
    loop,
    until_asked,
    allocate,
    share,
    fork,
    fail,
    fill,
    refuse,
    diverge,
    times,
)
KINDS: dict[str, Callable[[Task, Reporter, Orders], dict[str, Any]]] = {
    run.__name__: run for run in _RUNS
}
