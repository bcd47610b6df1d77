"""Warm processes that answer short calls of kernels for the API, which itself computes nothing."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import structlog

from aqc.errors import AqcError
from aqc_service.processes import kill_group

_WARM_SECONDS = 120.0
_MOST_CALLS = 500  # what libraries cache of call after call goes with its process
_WAITING_PER_PROCESS = 4
# Replies after which a process is of no more use: it has ended, or the memory that the call could
# not have may be what the calls before it left behind.
_LAST = {"lost", "slow", "memory"}

log = structlog.get_logger("aqc.api")


class PoolFull(AqcError):
    """Too many calls wait already."""


class PoolGone(AqcError):
    """No process could be started, or the pool is closed."""


@dataclass(frozen=True)
class Reply:
    """What came of a call.

    Attributes:
        kind: "answer", "long", "unreadable", "refused", "memory" or "broken" as the process says;
            "slow" when it was stopped at the time limit, "lost" when it died.
        body: The answer, or [[pointer, sentence], ...] of what was refused.
        cpu_seconds: What it took; of a call that was stopped, the time until then.
    """

    kind: str
    body: bytes = b""
    cpu_seconds: float = 0.0


class _Lost(Exception):
    """The process has ended."""


class _Process:
    def __init__(self, threads: int, memory_bytes: int):
        command = [sys.executable, "-m", "aqc_service.kernel_child"]
        self._process = subprocess.Popen(
            [*command, str(os.getpid()), str(threads), str(memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self.pid = self._process.pid
        self.calls = 0
        self.is_ready = False

    def prepare(self) -> None:
        """Wait until it is warm."""
        if not self.is_ready:
            with self._limited(_WARM_SECONDS):
                self._read()
            self.is_ready = True

    def ask(self, header: dict[str, Any], body: Sequence[bytes], seconds: float) -> Reply:
        """Return the reply to a call; after `seconds` the process is killed."""
        self.calls += 1
        timer = self._limited(seconds)
        try:
            with timer:
                self._write(header, body)
                return self._read()
        except _Lost:
            return Reply("slow", b"", seconds) if timer.has_fired else Reply("lost")

    def _limited(self, seconds: float) -> "_Limit":
        return _Limit(seconds, self.kill)

    def _write(self, header: dict[str, Any], body: Sequence[bytes]) -> None:
        assert self._process.stdin is not None
        line = json.dumps({**header, "size": sum(map(len, body))}).encode() + b"\n"
        try:
            for part in (line, *body):
                self._process.stdin.write(part)
            self._process.stdin.flush()
        except OSError as error:
            raise _Lost from error

    def _read(self) -> Reply:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise _Lost
        header = json.loads(line)
        body = self._process.stdout.read(header["size"])
        if len(body) < header["size"]:
            raise _Lost
        return Reply(header["kind"], body, header.get("cpu_seconds", 0.0))

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        if self.is_alive:
            kill_group(self.pid)

    def end(self) -> None:
        """Kill it and give back what it held."""
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except OSError:
                continue  # what it did not live to read


class _Limit:
    """Does something unless the block is left in time."""

    def __init__(self, seconds: float, act: Any):
        self.has_fired = False
        self._act = act
        self._timer = threading.Timer(seconds, self._fire)
        self._timer.daemon = True

    def _fire(self) -> None:
        self.has_fired = True
        self._act()

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()


class KernelPool:
    """A few processes, started when they are needed; calls beyond them wait, and not too many.

    The kernel ends a process when the thread that started it ends, so one thread starts all.

    Args:
        size: Number of processes.
        threads: For each of them.
        memory_bytes: Most that the calls of one may allocate.
        seconds: Most that a call may take.
    """

    def __init__(self, size: int, threads: int, memory_bytes: int, seconds: float):
        self._threads, self._memory, self._seconds = threads, memory_bytes, seconds
        self._most = size * (1 + _WAITING_PER_PROCESS)
        self._callers = ThreadPoolExecutor(size, thread_name_prefix="kernel")
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="kernel-starter")
        self._idle: queue.LifoQueue[_Process] = queue.LifoQueue()
        self._processes: set[_Process] = set()
        self._lock = threading.Lock()
        self._present = 0
        self._is_closed = False

    def warm_up(self) -> None:
        """Start a process ahead of the first call."""
        with self._lock:
            if not self._is_closed:
                self._callers.submit(lambda: self._idle.put(self._take()))

    def submit(self, header: dict[str, Any], body: Sequence[bytes]) -> "Future[Reply]":
        """Ask a process as soon as one is free.

        Args:
            header: {kernel, operation, arrays, figure, check_only}.
            body: The arguments as JSON, in pieces.

        Raises:
            PoolFull: Too many calls wait already.
            PoolGone: The pool is closed.
        """
        with self._lock:
            if self._is_closed:
                raise PoolGone("The service is stopping.")
            if self._present >= self._most:
                raise PoolFull(f"{self._present} calls of kernels run or wait already.")
            self._present += 1
            return self._callers.submit(self._call, header, body)

    def _call(self, header: dict[str, Any], body: Sequence[bytes]) -> Reply:
        try:
            process = self._take()
            reply = process.ask(header, body, self._seconds)
            if reply.kind in _LAST or process.calls >= _MOST_CALLS:
                self._drop(process)
            else:
                self._idle.put(process)
            return reply
        finally:
            with self._lock:
                self._present -= 1

    def _take(self) -> _Process:
        """Return a process that is warm.

        Raises:
            PoolGone: None could be started.
        """
        try:
            while True:
                process = self._idle.get_nowait()
                if process.is_alive:
                    return process
                self._drop(process)
        except queue.Empty:
            pass
        try:
            process = self._starter.submit(self._start).result()
        except RuntimeError:  # of an executor that was shut down meanwhile
            raise PoolGone("The service is stopping.") from None
        try:
            process.prepare()
        except _Lost:
            self._drop(process)
            raise PoolGone("A process for kernels ended before it was ready.") from None
        return process

    def _start(self) -> _Process:
        if self._is_closed:
            raise PoolGone("The service is stopping.")
        try:
            process = _Process(self._threads, self._memory)
        except OSError as error:
            raise PoolGone(f"No process for kernels could be started: {error.strerror}.") from error
        self._processes.add(process)
        log.info("kernel process started", pid=process.pid)
        return process

    def _drop(self, process: _Process) -> None:
        self._processes.discard(process)
        process.end()
        log.info("kernel process ended", pid=process.pid, calls=process.calls)

    def close(self) -> None:
        """Kill all processes; calls on the way end as lost."""
        with self._lock:
            self._is_closed = True
        self._starter.shutdown()
        for process in list(self._processes):
            process.kill()
        self._callers.shutdown()
        for process in list(self._processes):
            self._drop(process)
