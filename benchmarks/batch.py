"""A batch of real compiles with one and with two workers of one thread each.

Prints the seconds from the POST to the last finished job, and percentiles of how long jobs waited,
ran, and of what in that was not the engine's own work. Needs as many idle processors as workers:
two of them can only be twice as fast where there are two.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx

from aqc.client import Client

SIZES = range(12, 21)


def axes_of(jobs: int) -> dict[str, list[Any]]:
    """Return problems of 12 to 20 qubits, each with another time."""
    sizes = [SIZES[number % len(SIZES)] for number in range(jobs)]
    times = [round(0.3 + 0.5 * number / jobs, 4) for number in range(jobs)]
    return {"/hamiltonian/num_qubits": sizes, "/time": times}


TEMPLATE = {
    "hamiltonian": {"model": "xxz_chain", "delta": 0.5},
    "initial_state": "neel",
    "ansatz": {"layers": 5},
    "goal": {"infidelity": 1e-4},
    "optimizer": {"max_steps": 60},
    "limits": {"threads": 1},
}


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until_ready(url: str, workers: int) -> None:
    """Wait until the API answers and all workers have a warm child."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            text = httpx.get(f"{url}/metrics").text
            if f'aqc_workers{{queue="cpu",state="alive"}} {workers}.0' in text:
                time.sleep(15.0)  # the children compile a small chain
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise SystemExit("The service did not start.")


def seconds_between(fields: Mapping[str, Any], first: str, last: str) -> float:
    """Return the seconds between two moments of a job."""
    begun, ended = (datetime.fromisoformat(fields[name]) for name in (first, last))
    return (ended - begun).total_seconds()


def tell(name: str, values: Sequence[float]) -> None:
    """Print the percentiles of some seconds."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    shown = "  ".join(f"p{p} {cuts[p - 1]:7.2f}" for p in (5, 50, 90, 95, 99))
    print(f"  {name:9} {shown}  max {max(values):7.2f} s")


def run(workers: int, jobs: int, database: str | None) -> float:
    """Run the batch; return the seconds that it took."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as directory:
        environment = {
            **os.environ,
            "AQC_DATA_DIR": f"{directory}/data",
            "AQC_PORT": str(port),
            "AQC_THREADS": "1",
            "AQC_SLOTS": "1",
            "JAX_COMPILATION_CACHE_DIR": f"{directory}/cache",
            **({"AQC_DATABASE_URL": database} if database else {}),
        }
        command = [sys.executable, "-m", "aqc_service"]
        subprocess.run([*command, "db", "upgrade"], env=environment, check=True)
        processes = [
            subprocess.Popen([*command, name], env=environment, stderr=subprocess.DEVNULL)
            for name in ("api", *["worker"] * workers)
        ]
        try:
            wait_until_ready(url, workers)
            with Client(url) as client:
                warm = client.submit_batch(TEMPLATE, axes=axes_of(len(SIZES)), mode="zip")
                client.wait_batch(warm, progress=False)  # every size is compiled once
                began = time.perf_counter()
                batch = client.submit_batch(TEMPLATE, axes=axes_of(jobs), mode="zip")
                client.wait_batch(batch, progress=False)
                seconds = time.perf_counter() - began
                table = client.table(batch)
                found = [client.job(row["job"]).fields for row in table]
        finally:
            for process in reversed(processes):
                process.terminate()
            for process in processes:
                process.wait(30)
    assert [fields["state"] for fields in found] == ["succeeded"] * jobs
    runs = [seconds_between(fields, "started_at", "finished_at") for fields in found]
    own = [fields["result"]["seconds"]["total"] for fields in found]
    print(f"{workers} worker(s): {jobs} jobs in {seconds:.1f} s, {jobs / seconds:.2f} a second")
    tell("wait", [seconds_between(fields, "created_at", "started_at") for fields in found])
    tell("run", runs)
    tell("overhead", [ran - engine for ran, engine in zip(runs, own, strict=True)])
    return seconds


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--database", help="PostgreSQL; SQLite without it. It must be empty.")
    options = parser.parse_args()
    seconds = [run(workers, options.jobs, options.database) for workers in options.workers]
    for workers, one in zip(options.workers[1:], seconds[1:], strict=True):
        print(f"{workers} workers are {seconds[0] / one:.2f} times as fast.")


if __name__ == "__main__":
    main()
