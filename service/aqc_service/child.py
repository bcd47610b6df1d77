"""The process that runs jobs, one after another: waits, warm, reports, ends with its worker."""

import ctypes
import errno
import gc
import importlib
import os
import queue
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from aqc import runtime
from aqc.errors import AqcError, InputError
from aqc_service.processes import die_with_parent, kill_group, limit_memory
from aqc_service.protocol import Exit, Task, to_line

_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}


class Stopped(BaseException):
    """The job was asked to stop and has kept its work; not an Exception, so nobody catches it."""


class Reporter:
    """The child's voice: lines of JSON to the worker.

    Args:
        descriptor: The pipe to write to.
    """

    def __init__(self, descriptor: int):
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def send(self, kind: str, **data: Any) -> None:
        """Send one message."""
        line = to_line({"kind": kind, **data})
        with self._lock:
            while line:
                line = line[os.write(self._descriptor, line) :]


class Orders:
    """What the worker wants of one job, as flags that the job looks at between its steps."""

    def __init__(self) -> None:
        self.finish = threading.Event()
        self.cancel = threading.Event()
        self.stop = threading.Event()

    @property
    def to_leave(self) -> bool:
        """Whether the job has to keep its work and end."""
        return self.stop.is_set() or self.cancel.is_set()


Run = Callable[[Task, Reporter, Orders], dict[str, Any]]


class _Inbox:
    """What the worker says on stdin: tasks, and orders to the newest of them."""

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[tuple[Task, Orders]] = queue.SimpleQueue()
        self._orders = Orders()
        self.next_task = self._tasks.get

    def stop(self) -> None:
        """Tell the newest task to keep its work and end."""
        self._orders.stop.set()

    def listen(self) -> NoReturn:
        """Sort what comes until the worker is gone, and end with it."""
        for line in sys.stdin.buffer:
            if line.startswith(b"{"):
                # Orders of its own: one that comes late for a task does not reach the next.
                self._orders = Orders()
                self._tasks.put((Task.from_line(line), self._orders))
            else:
                getattr(self._orders, line.decode().strip()).set()
        kill_group(os.getpid())
        os._exit(Exit.INTERNAL)


def main(parent: int, threads: int, warm_modules: list[str]) -> NoReturn:
    """Get ready; then run task after task, until one does not end well.

    Args:
        parent: Process id of the worker.
        threads: For the numerical libraries.
        warm_modules: Imported before the task comes; a function `warm_up` in them is called.
    """
    die_with_parent(parent)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    reporter = Reporter(os.dup(1))
    os.dup2(2, 1)  # what libraries print is no message to the worker
    inbox = _Inbox()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker decides
    signal.signal(signal.SIGTERM, lambda number, frame: inbox.stop())
    threading.Thread(target=inbox.listen, daemon=True).start()
    runtime.limit_threads(threads)
    runtime.use_compilation_cache()
    for name in warm_modules:
        warm_up = getattr(importlib.import_module(name), "warm_up", None)
        if warm_up is not None:
            warm_up()
    gc.collect()
    gc.freeze()  # a million objects of the libraries stay; no collection need look at them again
    while True:
        reporter.send("ready")
        code = _work(*inbox.next_task(), reporter)
        if code != Exit.DONE:
            break
        _tidy()
    # Without the clean-up of libraries, which can hang; everything to keep is on disk.
    sys.stderr.flush()
    os._exit(code)


def _work(task: Task, orders: Orders, reporter: Reporter) -> Exit:
    reporter.send("started")
    try:
        os.chdir(task.directory)  # what a library drops lands there
        limit_memory(task.memory_bytes)
        module, _, name = task.run.partition(":")
        run: Run = getattr(importlib.import_module(module), name)
        result = run(task, reporter, orders)
    except Stopped:
        reporter.send("stopped")
        return Exit.CHECKPOINTED
    except Exception as error:  # noqa: BLE001 - whatever it is, the worker has to hear of it
        reason, code = _classify(error)
        if reason == "internal":
            traceback.print_exc()
        reporter.send("failed", reason=reason, message=_sentence(error))
        return code
    reporter.send("done", result=result)
    return Exit.DONE


def _tidy() -> None:
    """Leave a task's directory, limit and memory, for the next task."""
    os.chdir("/")
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # only the GNU library has it
    if trim is not None:
        trim(0)


def _classify(error: Exception) -> tuple[str, Exit]:
    if isinstance(error, InputError):
        return "invalid_input", Exit.BAD_INPUT
    if isinstance(error, AqcError):
        return "numerical", Exit.BAD_INPUT
    if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
        return "storage", Exit.STORAGE
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        return "memory_limit", Exit.MEMORY
    return "internal", Exit.INTERNAL


def _sentence(error: Exception) -> str:
    if isinstance(error, AqcError):
        return str(error)
    lines = str(error).strip().splitlines()
    return ": ".join([type(error).__name__, *lines[:1]])


if __name__ == "__main__":
    from aqc_service import child  # under its name: kinds of jobs raise the `Stopped` of that one

    child.main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
