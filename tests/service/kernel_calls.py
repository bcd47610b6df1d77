"""A call of a kernel over HTTP, for the tests of the shelf."""

from collections.abc import Iterator
from typing import Any

import httpx
from fastapi import FastAPI

from aqc_service.kernel_pool import KernelPool

SMALL = {
    "lora_a": [[[1.0, 0.0], [0.0, 1.0]]] * 2,
    "lora_b": [[[3.0, 0.0], [0.0, 1.0]], [[15.0, 0.0], [0.0, 5.0]]],
    "steps": 0,
}
MERGE = "/v1/kernels/do-merging/merge-adapters"


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    return found


def with_pool(app: FastAPI, pool: KernelPool) -> Iterator[FastAPI]:
    """Yield the application with another pool, which stays open when the application closes."""
    app.state.kernel_pool.close()
    app.state.kernel_pool = pool
    yield app
    app.state.kernel_pool = KernelPool(1, 1, 1, 1.0)
