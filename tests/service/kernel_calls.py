"""A call of a kernel over HTTP, for the tests of the shelf."""

from typing import Any

import httpx

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
