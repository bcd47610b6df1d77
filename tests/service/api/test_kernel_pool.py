"""The processes that answer short calls of kernels: killed, full, gone, and busy."""

import concurrent.futures
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from kernel_calls import MERGE, SMALL, problem

from aqc_service.kernel_pool import KernelPool
from aqc_service.settings import ServiceSettings
from aqc_service.store import Store

OwnPool = Callable[..., KernelPool]


@pytest.fixture
def own_pool(app: Any) -> Iterator[OwnPool]:
    """Gives the application another pool, which ends with the test."""
    pools = []

    def make(**given: Any) -> KernelPool:
        options = {"size": 1, "threads": 1, "memory_bytes": 2_000_000_000, "seconds": 60.0}
        app.state.kernel_pool = KernelPool(**{**options, **given})  # type: ignore[arg-type]
        pools.append(app.state.kernel_pool)
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


def test_a_call_that_dies_is_told_and_the_next_one_is_answered(
    own_pool: OwnPool, api: httpx.Client
) -> None:
    pool = own_pool()
    assert api.post(MERGE, json=SMALL).status_code == 200
    (process,) = pool._processes
    psutil.Process(process.pid).suspend()
    with concurrent.futures.ThreadPoolExecutor(1) as caller:
        call = caller.submit(api.post, MERGE, json=SMALL)
        time.sleep(0.2)
        psutil.Process(process.pid).kill()
        response = call.result()
    found = problem(response, 503)
    assert "died" in found["detail"]
    assert response.headers["Retry-After"] == "2"
    assert api.post(MERGE, json=SMALL).status_code == 200


def test_a_process_that_died_idle_is_replaced_unnoticed(
    own_pool: OwnPool, api: httpx.Client
) -> None:
    pool = own_pool()
    assert api.post(MERGE, json=SMALL).status_code == 200
    (process,) = pool._processes
    process.end()
    assert api.post(MERGE, json=SMALL).status_code == 200


def test_too_many_callers_are_asked_to_come_again(own_pool: OwnPool, api: httpx.Client) -> None:
    pool = own_pool()
    assert api.post(MERGE, json=SMALL).status_code == 200
    (process,) = pool._processes
    psutil.Process(process.pid).suspend()
    with concurrent.futures.ThreadPoolExecutor(5) as callers:
        calls = [callers.submit(api.post, MERGE, json=SMALL) for _ in range(5)]
        while pool._present < 5:
            time.sleep(0.01)
        response = api.post(MERGE, json=SMALL)
        psutil.Process(process.pid).resume()
        assert [call.result().status_code for call in calls] == [200] * 5
    assert "5 calls of kernels run or wait already" in problem(response, 429)["detail"]
    assert response.headers["Retry-After"] == "2"


def test_a_pool_that_is_gone(own_pool: OwnPool, api: httpx.Client) -> None:
    own_pool().close()
    assert problem(api.post(MERGE, json=SMALL), 503)["detail"] == "The service is stopping."


def test_a_process_that_cannot_be_started(
    own_pool: OwnPool, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_pool()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    found = problem(api.post(MERGE, json=SMALL), 503)
    assert "No process for kernels could be started" in found["detail"]


def test_a_call_that_takes_too_long_becomes_a_job(own_pool: OwnPool, api: httpx.Client) -> None:
    own_pool(seconds=0.3)
    assert api.post(MERGE, json=SMALL).status_code in (200, 202)  # the kernel's first call is slow
    big = {"lora_a": [np.ones((8, 200)).tolist()] * 8, "lora_b": [np.ones((200, 8)).tolist()] * 8}
    response = api.post(MERGE, json={**big, "steps": 2000})
    assert response.status_code == 202
    assert response.json()["kind"] == "kernel"


def test_processes_end_with_the_pool_and_with_the_api(tmp_path: Path) -> None:
    code = """
import os, signal
from aqc_service.kernel_pool import KernelPool
pool = KernelPool(1, 1, 10**9, 60.0)
header = {"kernel": "x", "operation": "x", "arrays": "list", "figure": None, "check_only": False}
assert pool.submit(header, [b"{}"]).result().kind == "refused"
(process,) = pool._processes
print(process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    pid = int(done.stdout.split()[-1])
    until = time.monotonic() + 20
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_the_api_answers_others_while_large_bodies_pass(url: str) -> None:
    """Some 20 MB of arguments, as numbers in text: reading them takes a process seconds."""
    row = ",".join(["1.25"] * 2000)
    matrix = "[" + ",".join([f"[{row}]"] * 64) + "]"
    tall = "[" + ",".join(["[" + ",".join(["1.25"] * 64) + "]"] * 2000) + "]"
    body = f'{{"lora_a": [{",".join([matrix] * 16)}], "lora_b": [{",".join([tall] * 16)}]}}'
    headers = {"Content-Type": "application/json"}
    waits: list[float] = []
    done = threading.Event()

    def look() -> None:
        with httpx.Client(base_url=url) as client:
            while not done.is_set():
                began = time.monotonic()
                assert client.get("/v1/healthz").status_code == 200
                waits.append(time.monotonic() - began)

    looker = threading.Thread(target=look)
    looker.start()
    began = time.monotonic()
    response = httpx.post(f"{url}{MERGE}", content=body, headers=headers, timeout=60)
    took = time.monotonic() - began
    done.set()
    looker.join()
    assert response.status_code == 202, response.text
    # Were the body read by the loop, one of them would have waited for nearly all of it.
    assert len(waits) > 5
    assert max(waits) < 0.5 * took


def test_settings_reach_the_pool(store: Store, tmp_path: Path) -> None:
    from aqc_service.api.app import create_app

    app = create_app(store, ServiceSettings(data_dir=tmp_path, kernel_processes=3, threads=1))
    assert app.state.kernel_pool._most == 15
    app.state.kernel_pool.close()
