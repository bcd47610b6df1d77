"""What OpenAPI says beyond the types: the body, headers, examples."""

import copy
from typing import Annotated, Any

from fastapi import Path

from aqc.problem import Problem
from aqc.times import MOST_TIMES
from aqc_service.api.submission import (
    MAX_NAME,
    MAX_PRIORITY,
    MAX_TAG,
    MAX_TAGS,
    MAX_WALL_SECONDS,
)

JobId = Annotated[
    str, Path(description="The job's id.", examples=["0198c2f2a3b47c1d9e0f1a2b3c4d5e6f"])
]

_XXZ = {
    "hamiltonian": {"model": "xxz_chain", "num_qubits": 50, "delta": 0.5},
    "time": 1.0,
    "initial_state": "neel",
    "name": "50-qubit XXZ chain",
    "tags": ["demo"],
}
_TERMS = {
    "hamiltonian": {
        "num_qubits": 4,
        "terms": [["XX", [0, 1], 1.0], ["ZZ", [1, 2], 0.5], ["XX", [2, 3], 1.0], ["Z", [0], 0.3]],
    },
    "time": 0.5,
    "ansatz": {"layers": 3},
    "goal": {"infidelity": 1e-3},
}

_TIMES = {
    "hamiltonian": {"model": "heisenberg_chain", "num_qubits": 10},
    "times": [0.2, 0.4, 0.6],
    "initial_state": "neel",
    "ansatz": {"layers": 5},
}

EXAMPLES = {
    "xxz_50": {"summary": "A 50-qubit XXZ chain, from its model", "value": _XXZ},
    "terms": {"summary": "Four qubits, from Pauli terms", "value": _TERMS},
    "times": {"summary": "Three times, each from the one before", "value": _TIMES},
}


def header(description: str, **schema: Any) -> dict[str, Any]:
    """Return the description of a response's header."""
    return {"description": description, "schema": schema or {"type": "string"}}


_LOCATION = header("Path of the job.")
_RETRY_AFTER = header("Seconds after which to look again.", type="integer")
_REPLAYED = header("true: the job was there before, made with the same key.")
ETAG = header("Changes with the content; for If-None-Match.")

_LINKS = {
    name: {"operationId": name, "parameters": {"job_id": "$response.body#/id"}}
    for name in (
        "show_job",
        "job_events",
        "job_result",
        "job_artifacts",
        "cancel_job",
        "retry_job",
        "delete_job",
    )
}

ACCEPTED: dict[str, Any] = {
    "description": "Accepted.",
    "links": _LINKS,
    "headers": {
        "Location": _LOCATION,
        "Retry-After": _RETRY_AFTER,
        "Idempotency-Replayed": _REPLAYED,
    },
}
FINISHED: dict[str, Any] = {
    "description": "Finished within the time of `Prefer: wait=N`.",
    "headers": {"Location": _LOCATION, "Idempotency-Replayed": _REPLAYED},
}
PAGE: dict[str, Any] = {
    "description": "A page of jobs.",
    "headers": {"Link": header('The next page, rel="next"; missing on the last one.')},
}
JOB: dict[str, Any] = {"description": "The job.", "headers": {"ETag": ETAG}}
_BATCH_LINKS = {
    name: {"operationId": name, "parameters": {"batch_id": "$response.body#/id"}}
    for name in ("show_batch", "batch_table", "cancel_batch", "delete_batch")
}
ACCEPTED_BATCH: dict[str, Any] = {
    "description": "Accepted.",
    "links": _BATCH_LINKS,
    "headers": {
        "Location": header("Path of the batch."),
        "Retry-After": _RETRY_AFTER,
        "Idempotency-Replayed": _REPLAYED,
    },
}
BATCH: dict[str, Any] = {"description": "The batch.", "headers": {"ETag": ETAG}}
NOT_MODIFIED: dict[str, Any] = {"description": "Still what If-None-Match names."}


def submission_schema() -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the schema of a submission's body, and the schemas it refers to."""
    schema = copy.deepcopy(
        Problem.model_json_schema(ref_template="#/components/schemas/{model}", mode="validation")
    )
    parts = schema.pop("$defs")
    schema["title"] = "Submission"
    schema["description"] = (
        "problem.json, plus name, tags, priority, device and limits.wall_seconds."
    )
    schema["examples"] = [example["value"] for example in EXAMPLES.values()]
    schema["anyOf"].append({"required": ["hamiltonian", "times"]})
    schema["not"] = {"required": ["time", "times"]}
    schema["properties"] |= {
        "times": {
            "description": "Several times in place of `time`, each of them compiled from the one "
            "before: growing in size, of one sign, none of them 0.",
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_TIMES,
            "items": {"type": "number"},
        },
        "name": {
            "description": "A title for people.",
            "anyOf": [{"type": "null"}, {"type": "string", "minLength": 1, "maxLength": MAX_NAME}],
            "default": None,
        },
        "tags": {
            "description": "Words to filter by.",
            "anyOf": [
                {"type": "null"},
                {
                    "type": "array",
                    "maxItems": MAX_TAGS,
                    "items": {"type": "string", "minLength": 1, "maxLength": MAX_TAG},
                },
            ],
            "default": [],
        },
        "priority": {
            "description": "Higher runs first.",
            "type": ["integer", "null"],
            "minimum": 0,
            "maximum": MAX_PRIORITY,
            "default": 0,
        },
    }
    schema["properties"]["device"] = {
        "description": "Which workers may run it.",
        "enum": ["cpu", "gpu", None],
        "default": "cpu",
    }
    parts["LimitSettings"]["properties"]["wall_seconds"] = {
        "description": "Wall time the job may take in all; null: what the service allows.",
        "type": ["number", "null"],
        "exclusiveMinimum": 0,
        "maximum": MAX_WALL_SECONDS,
        "default": None,
    }
    return schema, parts


BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/Submission"},
                "examples": EXAMPLES,
            }
        },
    }
}

_SWEEP = {
    "name": "Anisotropy and time",
    "template": {"hamiltonian": {"model": "xxz_chain", "num_qubits": 10}, "ansatz": {"layers": 3}},
    "axes": {"/hamiltonian/delta": [0.0, 0.5, 1.0], "/time": [0.2, 0.4]},
    "mode": "product",
}

BATCH_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["template", "axes"],
                    "additionalProperties": False,
                    "properties": {
                        "template": {
                            "description": "A submission as for POST /v1/jobs, without what the "
                            "axes set.",
                            "type": "object",
                        },
                        "axes": {
                            "description": "Values by their JSON pointer into the template.",
                            "type": "object",
                            "minProperties": 1,
                            "maxProperties": 8,
                            "propertyNames": {"pattern": "^/"},
                            "additionalProperties": {"type": "array", "minItems": 1},
                        },
                        "mode": {
                            "description": "product: every value with every other; zip: the first "
                            "with the first, and so on.",
                            "enum": ["product", "zip"],
                            "default": "product",
                        },
                        "name": {
                            "description": "A title for people.",
                            "anyOf": [
                                {"type": "null"},
                                {"type": "string", "minLength": 1, "maxLength": MAX_NAME},
                            ],
                            "default": None,
                        },
                    },
                },
                "examples": {"sweep": {"summary": "Anisotropy and time", "value": _SWEEP}},
            }
        },
    }
}
