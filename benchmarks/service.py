"""What the service adds to a compile: the same job twice through `aqc serve`, timed from outside.

Prints for each job the seconds from the POST to the finished job, and what of that was not the
engine's own work.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from aqc.client import Client

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


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problem", type=Path, default=EXAMPLE)
    parser.add_argument("--jobs", type=int, default=3)
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
                with Client(url) as client:
                    for number in range(options.jobs):
                        time.sleep(options.pause)
                        began = time.perf_counter()
                        job = client.wait(client.submit(problem))
                        wall = time.perf_counter() - began
                        seconds = client.result_json(job)["seconds"]
                        stages = ", ".join(f"{k} {v:.2f}" for k, v in seconds.items())
                        print(
                            f"job {number}: {wall:.2f} s, of which {wall - seconds['total']:.2f} s "
                            f"are not the engine's ({stages})"
                        )
            finally:
                process.terminate()


if __name__ == "__main__":
    main()
