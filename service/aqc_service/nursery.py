"""Child processes: started ahead of time, warm, one for each slot, and used again."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psutil
import structlog

from aqc_service.processes import adopt_orphans, end_strays, kill_group
from aqc_service.protocol import LIBRARIES_MEMORY, Order, Task

_TIDY_SECONDS = 5.0
_MOST_IDLE_MEMORY = 1.5 * LIBRARIES_MEMORY
# With an arena for each of its twenty threads, the GNU library leaves 20 MB behind in every job.
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "2"}

log = structlog.get_logger()


class Child:
    """A child process and the pipes to it.

    Args:
        threads: For its numerical libraries.
        warm_modules: What it imports before it gets a task.
    """

    def __init__(self, threads: int, warm_modules: Sequence[str]):
        self.threads = threads
        command = [sys.executable, "-m", "aqc_service.child", str(os.getpid()), str(threads)]
        self._process = subprocess.Popen(
            [*command, *warm_modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, **_ENVIRONMENT},
        )
        self.pid = self._process.pid
        self._lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True, name=f"child-{self.pid}")
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            for line in stdout:
                self._lines.put(json.loads(line))
        self._lines.put(None)

    def receive(self, seconds: float) -> dict[str, Any] | None:
        """Return the next message, None when there was none in this time."""
        try:
            return self._lines.get(timeout=seconds)
        except queue.Empty:
            return None

    def start(self, task: Task) -> None:
        """Send the child its task."""
        self._write(task.to_line())

    def order(self, order: Order) -> None:
        """Send the child an order."""
        self._write(order.encode() + b"\n")

    def _write(self, line: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except BrokenPipeError:
            return  # it has ended; its exit code tells the rest

    def terminate(self) -> None:
        """Ask the child to keep its work and end."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the child and its process group."""
        if self._process.poll() is None:
            kill_group(self.pid)

    def exit_code(self) -> int | None:
        """Return the exit code, minus the signal's number; None while it runs."""
        return self._process.poll()

    def wait(self) -> int:
        """Wait for the child's end and return its exit code."""
        code = self._process.wait()
        kill_group(self.pid)  # a group outlives its leader
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # of an order that it did not live to read
            self._process.stdin.close()
        self._reader.join(1.0)
        return code

    def is_as_new(self) -> bool:
        """Whether it gets ready for another task, and the last one left little behind in it."""
        if self.exit_code() is not None:
            return False
        until = time.monotonic() + _TIDY_SECONDS
        while (message := self.receive(max(until - time.monotonic(), 0.0))) is not None:
            if message["kind"] == "ready":
                memory, _, processes = self.usage()
                return memory <= _MOST_IDLE_MEMORY and processes == 1
        return False

    def usage(self) -> tuple[int, float, int]:
        """Return memory in bytes, CPU seconds and number of processes, descendants included."""
        try:
            process = psutil.Process(self.pid)
            members = [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return 0, 0.0, 0
        memory, cpu = 0, 0.0
        for member in members:
            try:
                memory += member.memory_info().rss
                times = member.cpu_times()
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
            cpu += times.user + times.system
        return memory, cpu, len(members)


class Nursery:
    """Keeps children warm.

    The kernel ends a child when the thread that started it ends, so one thread starts all.

    Args:
        slots: Number of children to keep ready.
        threads: For each of them.
        warm_modules: What they import ahead of time.
    """

    def __init__(self, slots: int, threads: int, warm_modules: Sequence[str]):
        self._slots, self._threads, self._warm_modules = slots, threads, tuple(warm_modules)
        adopt_orphans()
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="starter")
        self._children: set[Child] = set()
        self._lock = threading.Lock()
        self._ready: list[Future[Child]] = [self._begin(threads) for _ in range(slots)]

    def _begin(self, threads: int) -> "Future[Child]":
        return self._starter.submit(self._start, threads)

    def _start(self, threads: int) -> Child:
        child = Child(threads, self._warm_modules)
        self._children.add(child)
        return child

    def take(self, threads: int) -> Child:
        """Return a child to run one job with; a warm one if it has the right threads."""
        while True:
            with self._lock:
                is_warm = threads == self._threads and bool(self._ready)
                future = self._ready.pop(0) if is_warm else self._begin(threads)
            child = future.result()
            if child.exit_code() is None or not is_warm:
                return child
            self._starter.submit(self._forget, child)

    def give_back(self, child: Child) -> None:
        """Keep a child for the next job if it is as new, or else replace it by a warm one."""
        can_stay = child.threads == self._threads and child.is_as_new()
        if not can_stay:
            log.info("child replaced", pid=child.pid, memory=child.usage()[0])
            self._starter.submit(self._forget, child).result()
        with self._lock:
            if len(self._ready) < self._slots:
                self._ready.append(_done(child) if can_stay else self._begin(self._threads))
                return
        if can_stay:
            self._starter.submit(self._forget, child)

    def _forget(self, child: Child) -> None:
        """Remove a child and what it left behind; in the thread that starts children."""
        child.kill()
        child.wait()
        self._children.discard(child)
        end_strays({other.pid for other in self._children})

    def kill_all(self) -> None:
        """Kill all children, idle or not."""
        for child in list(self._children):
            child.kill()


def _done(child: Child) -> "Future[Child]":
    future: Future[Child] = Future()
    future.set_result(child)
    return future
