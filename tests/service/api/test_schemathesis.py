"""Generated requests against a live API process: no 500, nothing that the schema does not say."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from harness import Service, make_settings, wait_for

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/v1/healthz").status_code == 200
    except httpx.HTTPError:
        return False


# Every kernel computes what it is asked, so that its routes get the few requests which cover their
# schema, and not random ones beside.
ROUTES = {
    "all but kernels": [
        *("--exclude-path", "/v1/readyz", "--exclude-path-regex", "^/v1/kernels/.+/"),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", "20"),
    ],
    "kernels": ["--include-path-regex", "^/v1/kernels/.+/", "--phases", "examples,coverage"],
}


@pytest.mark.parametrize("routes", ROUTES)
def test_generated_requests_find_no_fault(tmp_path, routes):
    # No worker runs, so that what is submitted stays queued; readyz then rightly answers 503.
    settings = make_settings(tmp_path / "data", port=free_port())
    service = Service(settings)
    url = f"http://127.0.0.1:{settings.port}"
    try:
        service.start("api")
        wait_for(lambda: answers(url))
        command = [str(Path(sys.executable).parent / "schemathesis"), "run", f"{url}/openapi.json"]
        # Fields that are valid one by one may not fit together: 422 is right for those.
        command += ["--exclude-checks", "positive_data_acceptance", "--request-timeout", "60"]
        command += ["--suppress-health-check", "all", "--seed", "1", *ROUTES[routes]]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=1500)
        assert run.returncode == 0, run.stdout[-6000:]
        found = re.search(r"(\d+) generated, (\d+) passed", run.stdout)
        assert found is not None, run.stdout
        assert int(found[1]) == int(found[2]) > 300
    finally:
        service.close()
