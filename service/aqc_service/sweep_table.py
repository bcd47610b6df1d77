"""A batch as a table: one row for each job, the values of its axes and what came of it."""

import csv
import io
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

OUTCOMES = (
    "job",
    "state",
    "reason",
    "status",
    "layers",
    "two_qubit_gates",
    "two_qubit_depth",
    "infidelity",
    "infidelity_bound",
    "trotter_infidelity",
    "evaluations",
    "seconds",
)
# What a spreadsheet would take for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def combinations(axes: Mapping[str, Sequence[Any]], mode: str) -> list[tuple[Any, ...]]:
    """Return the values of each job, in the order of the axes.

    Example:
        >>> combinations({"/time": [1, 2], "/seed": [3, 4]}, "product")
        [(1, 3), (1, 4), (2, 3), (2, 4)]
        >>> combinations({"/time": [1, 2], "/seed": [3, 4]}, "zip")
        [(1, 3), (2, 4)]
    """
    values = axes.values()
    if mode == "zip":
        return list(zip(*values, strict=True))
    return list(itertools.product(*values))


def column_names(pointers: Sequence[str]) -> list[str]:
    """Return names for the columns of axes: as short as they can be and still differ.

    Example:
        >>> column_names(["/hamiltonian/delta", "/time"])
        ['delta', 'time']
        >>> column_names(["/ansatz/layers", "/time"])
        ['ansatz.layers', 'time']
    """
    parts = [[unescape(part) for part in pointer.split("/")[1:]] for pointer in pointers]
    last = [part[-1] for part in parts]
    return [
        name if last.count(name) == 1 and name not in OUTCOMES else ".".join(part)
        for name, part in zip(last, parts, strict=True)
    ]


def unescape(part: str) -> str:
    """Return a part of a JSON pointer as it is meant (RFC 6901).

    Example:
        >>> unescape("a~1b")
        'a/b'
    """
    return part.replace("~1", "/").replace("~0", "~")


def rows(
    axes: Mapping[str, Sequence[Any]], mode: str, jobs: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the table: a dictionary for each job that is still there.

    Args:
        axes: {JSON pointer: values}.
        mode: "product" or "zip".
        jobs: As `Batches.jobs` gives them.
    """
    values, names = combinations(axes, mode), column_names(list(axes))
    return [
        {**dict(zip(names, values[job["batch_index"]], strict=True)), **_outcome(job)}
        for job in jobs
    ]


def to_csv(names: Sequence[str], table: Sequence[Mapping[str, Any]]) -> str:
    """Return a table as CSV with a header."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    columns = [*names, *OUTCOMES]
    writer.writerow(columns)
    for row in table:
        writer.writerow([_cell(row[name]) for name in columns])
    return text.getvalue()


def _outcome(job: Mapping[str, Any]) -> dict[str, Any]:
    result, progress = job["result"] or {}, job["progress"] or {}
    certificate, trotter = result.get("certificate") or {}, result.get("trotter") or {}
    found = {
        **result,
        "job": job["id"],
        "state": job["state"],
        "reason": job["reason"],
        "infidelity": result.get("infidelity", progress.get("infidelity")),
        "infidelity_bound": certificate.get("infidelity_bound"),
        "trotter_infidelity": trotter.get("infidelity"),
        "evaluations": result.get("evaluations", progress.get("evaluations")),
        "seconds": job["wall_seconds"],
    }
    return {name: found.get(name) for name in OUTCOMES}


def _cell(value: Any) -> Any:
    if isinstance(value, (list, dict, bool)):
        return json.dumps(value)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
