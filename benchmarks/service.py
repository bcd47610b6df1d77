"""What the service adds to a compile: jobs through `aqc serve`, timed from outside.

Prints for each job the seconds from the POST to the finished job as the client sees it, and what
of that was not the engine's own work; then the same of jobs submitted all at once, with the
seconds from a job's start to its target.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from aqc.client import Client, Job

EXAMPLE = Path(__file__).parent.parent / "examples" / "xxz_50.json"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until(url: str, seconds: float = 60.0) -> float:
    """Wait until a URL answers 200; return the seconds it took."""
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        try:
            if httpx.get(url).status_code == 200:
                return time.perf_counter() - began
        except httpx.HTTPError:
            pass
        time.sleep(0.02)
    raise SystemExit(f"{url} did not answer 200 within {seconds} s.")


def to_target(client: Client, job: Job) -> float:
    """Return the seconds from a job's start to the report that it makes its target."""
    path = f"{client.base_url}/v1/jobs/{job.id}/events"
    at = {}
    for event in httpx.get(path).json()["events"]:
        what = event["data"].get("state") or event["data"].get("stage")
        at.setdefault(what, datetime.fromisoformat(event["at"]))
    begun = next(name for name in ("target", "compile", "optimize") if name in at)
    return (at[begun] - at["running"]).total_seconds()


def tell(client: Client, name: str, job: Job, wall: float) -> None:
    """Print how long a job took, and what of it was the engine's."""
    seconds = client.result_json(job)["seconds"]
    stages = ", ".join(f"{k} {v:.2f}" for k, v in seconds.items())
    added = wall - seconds["total"]
    print(
        f"{name}: {wall:.2f} s, of which {added:.2f} s are not the engine's ({stages}); "
        f"{to_target(client, job):.2f} s from its start to its target"
    )


def run(url: str, problem: dict[str, Any], options: argparse.Namespace) -> None:
    """Submit jobs one by one after pauses, then some at once."""
    with Client(url) as client:
        for number in range(options.jobs):
            time.sleep(options.pause)
            began = time.perf_counter()
            job = client.wait(client.submit(problem), progress=False)
            tell(client, f"job {number}", job, time.perf_counter() - began)
        ended = time.perf_counter()
        for number, job in enumerate([client.submit(problem) for _ in range(options.burst)]):
            done = client.wait(job, progress=False)
            began, ended = ended, time.perf_counter()
            tell(client, f"job {number} of {options.burst} at once", done, ended - began)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problem", type=Path, default=EXAMPLE)
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--burst", type=int, default=3, help="jobs submitted at once at the end")
    parser.add_argument(
        "--pause", type=float, default=10.0, help="seconds before each job; a child warms up in 5"
    )
    options = parser.parse_args()
    problem = json.loads(options.problem.read_text())
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as directory:
        environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": f"{directory}/cache"}
        command = [sys.executable, "-m", "aqc_service", "serve", "--port", str(port)]
        command += ["--data-dir", f"{directory}/data"]
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
            try:
                healthy = wait_until(f"{url}/v1/healthz")
                ready = healthy + wait_until(f"{url}/v1/readyz")
                print(f"healthz after {healthy:.1f} s, readyz after {ready:.1f} s")
                run(url, problem, options)
            finally:
                process.terminate()


if __name__ == "__main__":
    main()
