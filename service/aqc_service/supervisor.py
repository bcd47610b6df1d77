"""`aqc serve`: the API and a worker as processes, started again when they crash."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

import structlog

from aqc_service import schema
from aqc_service.processes import GATE, SUPERVISOR, adopt_orphans, end_strays
from aqc_service.settings import ServiceSettings

_FIRST_PAUSE, _LONGEST_PAUSE, _STEADY_SECONDS = 0.2, 10.0, 60.0
_STOP_SECONDS = 10.0
_TICK = 0.1
_SWEEP_SECONDS = 1.0

log = structlog.get_logger()


@dataclass
class _Service:
    """One process to keep alive."""

    name: str
    command: list[str]
    environment: dict[str, str]
    pause: float = _FIRST_PAUSE
    process: "subprocess.Popen[bytes] | None" = None
    start_at: float = 0.0
    started: float = field(default=0.0)

    def look(self, now: float) -> None:
        """Start the process if it does not run and its pause is over."""
        if self.process is not None:
            code = self.process.poll()
            if code is None:
                return
            if now - self.started > _STEADY_SECONDS:
                self.pause = _FIRST_PAUSE
            log.error("process ended", process=self.name, code=code, again_in=self.pause)
            self.process, self.start_at = None, now + self.pause
            self.pause = min(2 * self.pause, _LONGEST_PAUSE)
        if now >= self.start_at:
            gate = int(self.environment[GATE])
            self.process = subprocess.Popen(self.command, env=self.environment, pass_fds=(gate,))
            self.started = now
            log.info("process started", process=self.name, pid=self.process.pid)


class Supervisor:
    """Keeps an API process and a worker process running.

    Args:
        settings: Handed on to both through the environment.
    """

    def __init__(self, settings: ServiceSettings):
        self._settings = settings
        gate, self._gate_end = os.pipe()
        environment = {
            **os.environ,
            SUPERVISOR: str(os.getpid()),
            GATE: str(gate),
            "AQC_DATA_DIR": str(settings.data_dir.absolute()),
            "AQC_HOST": settings.host,
            "AQC_PORT": str(settings.port),
            "AQC_ALLOW_OPEN": str(settings.allow_open).lower(),
        }
        self._services = [
            _Service(name, [sys.executable, "-m", "aqc_service", name], environment)
            for name in ("api", "worker")
        ]
        self._leave = threading.Event()

    def run(self) -> None:
        """Upgrade the database while both start, and watch until SIGTERM or SIGINT.

        Raises:
            StorageError: If the database cannot be used.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: self._leave.set())
        adopt_orphans()  # also as the first process of a container, which nobody else cleans
        try:
            self._look()
            # They import for a second, and wait at the gate before they open the database.
            schema.upgrade(self._settings)
            os.close(self._gate_end)
            self._watch()
        finally:
            self._stop()

    def _watch(self) -> None:
        sweep_at = 0.0
        while not self._leave.is_set():
            self._look()
            if time.monotonic() >= sweep_at:
                running = [service.process for service in self._services if service.process]
                end_strays({process.pid for process in running})
                sweep_at = time.monotonic() + _SWEEP_SECONDS
            self._leave.wait(_TICK)

    def _look(self) -> None:
        # This thread must start the processes: they end with the thread that started them.
        for service in self._services:
            service.look(time.monotonic())

    def _stop(self) -> None:
        running = [service.process for service in self._services if service.process is not None]
        for process in running:
            process.terminate()
        until = time.monotonic() + _STOP_SECONDS
        for process in running:
            try:
                process.wait(max(until - time.monotonic(), 0.0))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        log.info("service stopped")
