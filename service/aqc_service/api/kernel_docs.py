"""What OpenAPI says of a kernel's operation, written from its catalogue entry."""

import json
from typing import Any


def route(
    entry: dict[str, Any], operation: dict[str, Any], responses: dict[int | str, dict[str, Any]]
) -> dict[str, Any]:
    """Return the options of the route of an operation.

    Args:
        entry: The kernel in the catalogue.
        operation: One of its operations.
        responses: Those that all operations have.

    Returns:
        Arguments of `APIRouter.add_api_route`.
    """
    slug, name = entry["slug"], operation["name"]
    return {
        "methods": ["POST"],
        "name": f"kernel_{slug}_{name}".replace("-", "_"),
        "summary": f"{slug}: {operation['summary']}",
        "description": _description(entry, operation),
        "responses": responses,
        "response_model": None,
        "openapi_extra": {
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": operation["schema"],
                        "example": operation["example"],
                    }
                },
            }
        },
    }


def _description(entry: dict[str, Any], operation: dict[str, Any]) -> str:
    paper, slug, limit = entry["paper"], entry["slug"], operation["limit"]
    parts = [
        operation["summary"],
        f"[{paper['title']}]({paper['link']}), {paper['authors']} ({paper['year']}).",
    ]
    if operation is entry["operations"][0]:
        parts.append(f"Also at /v1/kernels/{slug}.")
    if limit["max"] is not None:
        parts.append(
            f"Up to {limit['inline']:.3g} {limit['unit']} are answered at once; what asks for "
            f"more, at most {limit['max']:.3g}, becomes a job."
        )
    parts += [entry["notice"]] * bool(entry["notice"])
    parts.append(curl(f"{slug}/{operation['name']}", operation["example"]))
    return "\n\n".join(parts)


def curl(path: str, example: dict[str, Any]) -> str:
    """Return in Markdown how to post an example to a kernel's address.

    Args:
        path: Below /v1/kernels/.
        example: The body.
    """
    body = json.dumps(example, ensure_ascii=False).replace("'", "'\\''")
    return (
        f"```sh\ncurl http://127.0.0.1:8765/v1/kernels/{path} "
        f"-H 'Content-Type: application/json' \\\n  -d '{body}'\n```"
    )
