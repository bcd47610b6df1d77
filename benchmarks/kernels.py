"""Kernels through the service under load, by several owners with keys and quotas.

Starts an API and a worker, and for some seconds lets every owner's clients call kernels as fast as
answers come, while kernels' jobs run on the worker. One owner has no quota, one may ask 60 times a
minute, one has 0.2 s of CPU time a day. Prints answers a second, how long they took, how many were
refused by which rule, how long a probe of /v1/healthz took meanwhile, and what became of the jobs.
"""

import argparse
import collections
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from batch import free_port, seconds_between, tell

from aqc import kernels
from service import wait_until

SLUGS = ("do-merging", "orthogonal-projection-loss", "perturb-then-diagonalize")
CALLS: dict[str, dict[str, Any]] = {
    slug: kernels.catalogue()[slug]["operations"][0]["example"] for slug in SLUGS
}
OWNERS: dict[str, list[str]] = {
    "alice": ["requests_per_minute=600000"],
    "bob": ["requests_per_minute=60"],
    "carol": ["requests_per_minute=600000", "cpu_seconds_per_day=0.2"],
}


@dataclass
class Load:
    """What the clients of an owner saw.

    Attributes:
        seconds: Of each answered call.
        refused: How often each rule refused one.
    """

    seconds: list[float] = field(default_factory=list)
    refused: collections.Counter[str] = field(default_factory=collections.Counter)


def call_for(url: str, key: str, until: float, load: Load) -> None:
    """Call kernels in turn until the time is over; what is refused is asked again soon."""
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        while time.perf_counter() < until:
            for slug, body in CALLS.items():
                began = time.perf_counter()
                response = client.post(f"/v1/kernels/{slug}", json=body)
                if response.status_code == 200:
                    load.seconds.append(time.perf_counter() - began)
                    continue
                if response.status_code not in (429, 503):
                    raise SystemExit(f"{slug}: {response.status_code} {response.text}")
                load.refused[f"{response.status_code} {response.json()['detail']}"[:60]] += 1
                time.sleep(0.1)


def probe(url: str, until: float, found: list[float]) -> None:
    """Ask for the health of the API ten times a second."""
    with httpx.Client(base_url=url) as client:
        while time.perf_counter() < until:
            began = time.perf_counter()
            client.get("/v1/healthz").raise_for_status()
            found.append(time.perf_counter() - began)
            time.sleep(0.1)


def run(url: str, keys: dict[str, str], options: argparse.Namespace) -> None:
    """Load the service and print what came of it."""
    headers = {"Authorization": f"Bearer {keys['alice']}"}
    with httpx.Client(base_url=url, headers=headers, timeout=120) as client:
        for slug, body in CALLS.items():  # every process compiles each once
            for _ in range(2 * options.processes):
                client.post(f"/v1/kernels/{slug}", json=body).raise_for_status()
        jobs = []
        for slug, body in list(CALLS.items()) * options.jobs:
            path = f"/v1/kernels/{slug}"
            answer = client.post(path, json=body, headers={"Prefer": "respond-async"})
            answer.raise_for_status()
            jobs.append(answer.json()["id"])
        until = time.perf_counter() + options.seconds
        loads = {owner: Load() for owner in keys}
        health: list[float] = []
        threads = [threading.Thread(target=probe, args=(url, until, health))]
        for owner, key in keys.items():
            for _ in range(options.clients):
                arguments = (url, key, until, loads[owner])
                threads.append(threading.Thread(target=call_for, args=arguments))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for owner, load in loads.items():
            rate = len(load.seconds) / options.seconds
            print(f"{owner}, {options.clients} clients, {', '.join(OWNERS[owner])}:")
            print(f"  {len(load.seconds)} answers, {rate:.1f} a second")
            if len(load.seconds) > 1:
                tell("answer", load.seconds)
            for rule, count in load.refused.items():
                print(f"  {count} refused: {rule}")
        print("healthz meanwhile:")
        tell("answer", health)
        found = [_ended(client, job) for job in jobs]
    states = collections.Counter(fields["state"] for fields in found)
    print(f"{len(jobs)} jobs of kernels beside it: {dict(states)}")
    tell("wait", [seconds_between(fields, "created_at", "started_at") for fields in found])
    tell("run", [seconds_between(fields, "started_at", "finished_at") for fields in found])


def _ended(client: httpx.Client, job: str) -> dict[str, Any]:
    """Wait for a job; return its fields."""
    while True:
        fields: dict[str, Any] = client.get(f"/v1/jobs/{job}").raise_for_status().json()
        if fields["finished_at"]:
            return fields
        time.sleep(0.2)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--clients", type=int, default=4, help="of each owner")
    parser.add_argument("--processes", type=int, default=2, help="that answer short calls")
    parser.add_argument("--jobs", type=int, default=10, help="of each kernel")
    parser.add_argument("--database", help="PostgreSQL; SQLite without it. It must be empty.")
    options = parser.parse_args()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "aqc_service"]
    aqc = Path(sys.executable).with_name("aqc")
    with tempfile.TemporaryDirectory() as directory:
        environment = {
            **os.environ,
            "AQC_DATA_DIR": f"{directory}/data",
            "AQC_PORT": str(port),
            "AQC_KEYS": "on",
            "AQC_KERNEL_PROCESSES": str(options.processes),
            **({"AQC_DATABASE_URL": options.database} if options.database else {}),
        }
        subprocess.run([*command, "db", "upgrade"], env=environment, check=True)
        keys = {}
        for owner, quotas in OWNERS.items():
            create = [str(aqc), "key", "create", "--owner", owner]
            create += [word for quota in quotas for word in ("--quota", quota)]
            made = subprocess.run(create, env=environment, check=True, capture_output=True)
            keys[owner] = next(w for w in made.stdout.decode().split() if w.startswith("aqc_"))
        processes = [
            subprocess.Popen([*command, name], env=environment, stderr=subprocess.DEVNULL)
            for name in ("api", "worker")
        ]
        try:
            wait_until(f"{url}/v1/readyz")
            run(url, keys, options)
        finally:
            for process in reversed(processes):
                process.terminate()
            for process in processes:
                process.wait(30)


if __name__ == "__main__":
    main()
