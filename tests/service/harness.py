"""A store, and processes of the service, on one data directory."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from service_kinds import KINDS

from aqc_service import schema
from aqc_service.creation import Caller
from aqc_service.records import Job
from aqc_service.settings import ServiceSettings
from aqc_service.store import Store

HERE = Path(__file__).parent
PATIENCE = 90.0  # on a busy machine; nothing waits so long when it works


def wait_for(condition: Callable[[], object], seconds: float = PATIENCE) -> object:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"This did not come true within {seconds} s.")


def process_of(supervisor: "subprocess.Popen[bytes]", name: str) -> int | None:
    """Return the process id of the API or the worker under a supervisor, if it is there."""
    for child in psutil.process_iter(["cmdline", "ppid"]):  # leaves out what ends meanwhile
        is_ours = child.info["ppid"] == supervisor.pid
        if is_ours and (child.info["cmdline"] or ())[-1:] == [name]:
            return child.pid
    return None


class Service:
    """A store and processes on one data directory; all end with the test."""

    def __init__(self, settings: ServiceSettings, **variables: str):
        self.settings = settings
        self.processes: list[subprocess.Popen[Any]] = []
        schema.upgrade(settings)
        self.store = Store.open(settings)
        self.variables = variables

    def environment(self) -> dict[str, str]:
        values = self.settings.model_dump(mode="json", exclude_none=True)
        given = {
            f"AQC_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in values.items()
        }
        paths = [str(HERE), *filter(None, sys.path)]
        return {**os.environ, **given, "PYTHONPATH": os.pathsep.join(paths), **self.variables}

    def start(self, command: str = "worker", host: str | None = None) -> subprocess.Popen[bytes]:
        """Start a process of the service, if possible under another host's name."""
        words = [sys.executable, "-m", "aqc_service", command]
        if host is not None and os.getuid() == 0:
            words = ["unshare", "--uts", "sh", "-c", f'hostname {host}; exec "$@"', "sh", *words]
        process = subprocess.Popen(words, env=self.environment(), start_new_session=True)
        self.processes.append(process)
        return process

    def submit(self, kind: str = "count", caller: Caller | None = None, **given: object) -> Job:
        values = {"problem_json": "{}", "num_qubits": 2, "memory_bytes": 1, "body_hash": "-"}
        store = self.store.of(caller or Caller())
        job, _ = store.create(**{**values, "kind": kind, **given})  # type: ignore[arg-type]
        return job

    def job(self, job_id: str) -> Job:
        found = self.store.get(job_id)
        assert found is not None
        return found

    def reach(self, job_id: str, *states: str, seconds: float = PATIENCE) -> Job:
        wait_for(lambda: self.job(job_id).state in states, seconds)
        return self.job(job_id)

    def running(self, job_id: str, attempt: int = 1) -> Job:
        """Wait until the job's child has reported something in this attempt."""
        begun = {"state": "running", "attempt": attempt}

        def reported() -> bool:
            events = self.store.events(job_id)
            started = [event.seq for event in events if event.data == begun]
            return bool(started) and any(
                event.kind == "progress" and event.seq > started[0] for event in events
            )

        wait_for(reported)
        return self.job(job_id)

    def child_of(self, job_id: str) -> int:
        """Return the process id of the job's child, by the files it has open or works in."""
        directory = str(self.settings.jobs_dir / job_id)
        found = [
            process.pid
            for process in psutil.process_iter(["cmdline", "cwd"])
            if "aqc_service.child" in (process.info["cmdline"] or ())
            and (process.info["cwd"] or "").startswith(directory)
        ]
        assert len(found) == 1, found
        return found[0]

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        self.store.close()


def make_settings(data_dir: Path, **given: object) -> ServiceSettings:
    quick = {
        "data_dir": data_dir,
        "kinds": {name: f"service_kinds:{name}" for name in KINDS},
        "threads": 1,
        "heartbeat_seconds": 0.3,
        "grace_seconds": 3.0,
        "checkpoint_seconds": 0.1,
    }
    return ServiceSettings(**{**quick, **given})  # type: ignore[arg-type]
