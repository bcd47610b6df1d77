"""Run inside the image: the service starts, compiles a small chain, and stops when told to."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request

PORT = 8799
URL = f"http://127.0.0.1:{PORT}"
PROBLEM = {
    "hamiltonian": {"model": "xxz_chain", "num_qubits": 8, "delta": 0.5},
    "time": 0.5,
    "initial_state": "neel",
    "ansatz": {"layers": 3},
}
PATIENCE = 120.0


def ask(path: str, body: object = None) -> object:
    """Return what the service answers."""
    headers = {"Content-Type": "application/json", "Prefer": "wait=30"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def wait_for(path: str) -> None:
    """Return once the service answers that all is well."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            ask(path)
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def main() -> None:
    """Start the service, use it, stop it."""
    assert os.getuid() != 0, "The image must not run as root."
    began = time.monotonic()
    server = subprocess.Popen(["aqc", "serve"], env={**os.environ, "AQC_PORT": str(PORT)})
    try:
        wait_for("/v1/healthz")
        seconds = time.monotonic() - began
        wait_for("/v1/readyz")
        job = ask("/v1/jobs", PROBLEM)
        while job["state"] in ("queued", "running"):
            job = ask(f"/v1/jobs/{job['id']}")
        assert job["state"] == "succeeded", job
    finally:
        server.send_signal(signal.SIGTERM)
        code = server.wait(timeout=30)
    assert code == 0, f"The service ended with exit code {code}."
    infidelity = job["result"]["infidelity"]
    sys.stdout.write(
        f"healthz after {seconds:.1f} s as uid {os.getuid()}; a job reached infidelity "
        f"{infidelity:.2g}; stopped by SIGTERM. All is well.\n"
    )


if __name__ == "__main__":
    main()
