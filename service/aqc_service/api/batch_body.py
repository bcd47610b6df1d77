"""The body of a batch: a template, and axes along which its jobs differ."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from aqc.checks import pointer_to, shown
from aqc.errors import InputError
from aqc.estimate import check_memory
from aqc.refusals import unknown_field
from aqc.strict_json import parse_json
from aqc_service.api.memory import check_unpacked
from aqc_service.api.problems import refusal_of
from aqc_service.api.submission import (
    MAX_BODY,
    Submission,
    check_media_type,
    parse_submission,
    read_body,
    read_name,
)
from aqc_service.sweep_table import combinations, unescape

MAX_JOBS, MAX_AXES = 1000, 8
_FIELDS = ("template", "axes", "mode", "name")
_MODES = ("product", "zip")
# What all jobs of a batch may hold together: each keeps its whole problem.
_MOST_CHARACTERS = 64 * 2**20
# A forecast takes a tenth of a second. Of more jobs a part is forecast, evenly spread; the others
# are checked when they run.
_MOST_FORECAST = 100
_MOST_FAULTS = 20


@dataclass(frozen=True)
class BatchBody:
    """A batch that was asked for.

    Attributes:
        template: A submission; the axes set further fields.
        axes: {JSON pointer into the template: values}.
        mode: "product": every value with every other; "zip": the first with the first, and so on.
        submissions: The jobs, checked.
        body_hash: SHA-256 of the content.
    """

    name: str | None
    template: Mapping[str, Any]
    axes: Mapping[str, list[Any]]
    mode: str
    submissions: tuple[Submission, ...]
    body_hash: str


async def read_batch(request: Request) -> BatchBody:
    """Return what the body asks for; the FastAPI dependency of the route that takes a batch.

    Raises:
        Refusal: 413 too large, 415 not application/json, 400 not JSON, 422 no batch.
    """
    check_media_type(request)
    chunks = await read_body(request, MAX_BODY)
    memory_gb = request.app.state.settings.memory_gb
    return await run_in_threadpool(_parse, b"".join(chunks), memory_gb)


def _parse(body: bytes, memory_gb: float) -> BatchBody:
    try:
        content = parse_json(body)
    except InputError as error:
        raise refusal_of(error, 400) from None
    try:
        return parse_batch(content, memory_gb)
    except InputError as error:
        raise refusal_of(error) from None


def parse_batch(content: Any, memory_gb: float = 8.0) -> BatchBody:
    """Return what a batch's JSON asks for.

    Args:
        content: {template, axes, mode, name}.
        memory_gb: Gigabytes that the service allows a job.

    Raises:
        InputError: Something is wrong with the batch or with one of its jobs.

    Example:
        >>> chain = {"model": "xxz_chain", "num_qubits": 4}
        >>> body = parse_batch(
        ...     {"template": {"hamiltonian": chain}, "axes": {"/time": [0.1, 0.2]}}
        ... )
        >>> [submission.problem.time for submission in body.submissions]
        [0.1, 0.2]
    """
    if not isinstance(content, Mapping):
        raise InputError(f"The input must be a JSON object, but is {shown(content)}.")
    for name in content:
        if name not in _FIELDS:
            raise InputError(unknown_field("A batch", name, list(_FIELDS)), pointer_to(name))
    template, axes = content.get("template"), content.get("axes")
    if not isinstance(template, Mapping):
        raise InputError(
            f"`template` must be a submission as for POST /v1/jobs, but is {shown(template)}.",
            "/template",
        )
    mode = content.get("mode", "product")
    if mode not in _MODES:
        raise InputError(f"`mode` must be product or zip, but is {shown(mode)}.", "/mode")
    text = _text(content)
    axes = _checked_axes(axes, mode, len(text))
    return BatchBody(
        name=read_name(content.get("name")),
        template=template,
        axes=axes,
        mode=mode,
        submissions=_submissions(template, axes, mode, memory_gb),
        body_hash=hashlib.sha256(text.encode()).hexdigest(),
    )


def _text(content: Any) -> str:
    try:
        return json.dumps(content, sort_keys=True)
    except RecursionError:
        raise InputError("The input is nested too deeply.") from None


def _checked_axes(axes: Any, mode: str, template_size: int) -> dict[str, list[Any]]:
    if not isinstance(axes, Mapping) or not 1 <= len(axes) <= MAX_AXES:
        raise InputError(
            f'`axes` must be an object of 1 to {MAX_AXES} axes such as {{"/time": [0.5, 1]}}, but '
            f"is {shown(axes)}.",
            "/axes",
        )
    jobs = 1
    for name, values in axes.items():
        pointer = "/axes" + pointer_to(name)
        if not name.startswith("/"):
            raise InputError(
                f"An axis must be named by a JSON pointer into the template such as /time, but "
                f"is {shown(name)}.",
                pointer,
            )
        if not isinstance(values, list) or not values:
            raise InputError(
                f"The axis {shown(name)} must be a list of values, but is {shown(values)}.", pointer
            )
        jobs = jobs * len(values) if mode == "product" else max(jobs, len(values))
    lengths = {name: len(values) for name, values in axes.items()}
    if mode == "zip" and len(set(lengths.values())) > 1:
        raise InputError(
            f"With the mode zip all axes must be of one length, but they have {lengths}.", "/axes"
        )
    if jobs > MAX_JOBS:
        raise InputError(f"A batch may have at most {MAX_JOBS} jobs, but has {jobs}.", "/axes")
    if jobs * template_size > _MOST_CHARACTERS:
        raise InputError(
            f"The jobs of a batch may hold at most {_MOST_CHARACTERS // 2**20} MiB together, but "
            f"{jobs} times this template is more.",
            "/template",
        )
    return dict(axes)


def _submissions(
    template: Mapping[str, Any], axes: Mapping[str, list[Any]], mode: str, memory_gb: float
) -> tuple[Submission, ...]:
    """Return the jobs, or refuse them for everything that is wrong with any, up to a number."""
    found: list[Submission] = []
    faults: dict[tuple[str, str], None] = {}
    all_values, common = combinations(axes, mode), json.dumps(template)
    stride = -(-len(all_values) // _MOST_FORECAST)
    for place, values in enumerate(all_values):
        try:
            content = json.loads(common)
            for pointer, value in zip(axes, values, strict=True):
                _set(content, pointer, value)
            submission = parse_submission(content)
            check_unpacked(submission.problem, memory_gb)
            if place % stride == 0:
                check_memory(submission.problem.within_memory(memory_gb))
            found.append(submission)
        except InputError as error:
            for pointer, text in error.errors:
                where = dict(zip(axes, values, strict=True))
                faults[_place(axes, where, pointer), text] = None
            if len(faults) >= _MOST_FAULTS:
                break
    if faults:
        first = next(iter(faults))
        raise InputError("\n".join(text for _, text in faults), first[0], tuple(faults))
    return tuple(found)


def _place(axes: Mapping[str, list[Any]], values: Mapping[str, Any], pointer: str) -> str:
    """Return where in the batch's body a fault of a job stands."""
    if pointer.startswith("/axes/"):  # of `_set`
        return pointer
    for name, value in values.items():
        if pointer == name or pointer.startswith(name + "/"):
            return f"/axes{pointer_to(name)}/{axes[name].index(value)}{pointer[len(name) :]}"
        if name.startswith(pointer + "/"):  # what an axis made on its way does not belong there
            return f"/axes{pointer_to(name)}"
    return f"/template{pointer}"


def _set(content: dict[str, Any], pointer: str, value: Any) -> None:
    """Set a field; objects on the way to it are made where they are missing."""
    *way, last = [unescape(part) for part in pointer.split("/")[1:]]
    node: Any = content
    for part in way:
        node = node.setdefault(part, {}) if isinstance(node, dict) else _item(node, part, pointer)
    if isinstance(node, dict):
        node[last] = value
    else:
        _item(node, last, pointer)
        node[int(last)] = value


def _item(node: Any, part: str, pointer: str) -> Any:
    if isinstance(node, list) and part.isdecimal() and int(part) < len(node):
        return node[int(part)]
    raise InputError(
        f"The axis {shown(pointer)} must lead to a field of the template, but {shown(part)} is "
        f"no part of {shown(node)}.",
        "/axes" + pointer_to(pointer),
    )
