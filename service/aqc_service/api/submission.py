"""The body of a submission: problem.json, plus what only the service knows."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from aqc.checks import integer, pointer_to, printable, real_number, shown
from aqc.errors import InputError
from aqc.problem import Problem
from aqc.refusals import unknown_field
from aqc.settings import LimitSettings
from aqc.strict_json import parse_json
from aqc.times import at_times, read_problems, to_json
from aqc_service.api.problems import Refusal, refusal_of

MAX_BODY = 8 * 2**20
MAX_NAME, MAX_TAGS, MAX_TAG = 200, 16, 64
MAX_PRIORITY = 100
MAX_WALL_SECONDS = 30 * 86400.0

_OF_PROBLEM = list(Problem.model_fields)
_OF_PROBLEM.insert(_OF_PROBLEM.index("time") + 1, "times")
_OWN = ("name", "tags", "priority", "device")  # and limits.wall_seconds

# A caller that is still sending reads no answer; so much is read and dropped before it gets one.
_DRAINED = 64 * 2**20


@dataclass(frozen=True)
class Submission:
    """A problem and how it is to be treated.

    Attributes:
        problem: What to compile; of several times the last.
        times: All of them, where there are several.
        name: A title for people.
        tags: Words to filter by.
        priority: Higher runs first.
        device: cpu or gpu: which workers may run it.
        wall_seconds: Wall time that the job may take, None for the service's default.
        body_hash: SHA-256 of the body's content, whatever its spacing and order.
    """

    problem: Problem
    times: tuple[float, ...] | None
    name: str | None
    tags: tuple[str, ...]
    priority: int
    device: str
    wall_seconds: float | None
    body_hash: str

    @property
    def problems(self) -> tuple[Problem, ...]:
        """One for each time."""
        return (self.problem,) if self.times is None else at_times(self.problem, self.times)

    @property
    def kind(self) -> str:
        """Kind of the job."""
        return "compile" if self.times is None else "series"

    def to_json(self) -> str:
        """Return problem.json, all defaults included."""
        return self.problem.to_json() if self.times is None else to_json(self.problems)


async def read_submission(request: Request) -> Submission:
    """Return what the body asks for; the FastAPI dependency of the routes that take a problem.

    Raises:
        Refusal: 413 too large, 415 not application/json, 400 not JSON, 422 no problem.
    """
    check_media_type(request)
    chunks = await read_body(request, MAX_BODY)
    return await run_in_threadpool(_parse, b"".join(chunks))


def parse_submission(content: Any) -> Submission:
    """Return what a submission's JSON asks for.

    Args:
        content: The fields of problem.json, and name, tags, priority, limits.wall_seconds.

    Raises:
        InputError: Something is wrong; `errors` lists all of it.

    Example:
        >>> chain = {"model": "xxz_chain", "num_qubits": 50}
        >>> submission = parse_submission({"hamiltonian": chain, "time": 1.0, "name": "first"})
        >>> submission.name, submission.problem.num_qubits
        ('first', 50)
    """
    if not isinstance(content, Mapping):
        raise InputError(f"The input must be a JSON object, but is {shown(content)}.")
    own, problem = _split(content)
    faults: list[tuple[str, str]] = []

    def kept(read: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return read(*arguments)
        except InputError as error:
            faults.extend(error.errors)

    fields = {name: kept(read, own.get(name)) for name, read in _READERS.items()}
    problem, unknown = _without_unknown(problem)
    faults += unknown
    problems = kept(read_problems, problem)
    if faults:
        raise InputError("\n".join(text for _, text in faults), faults[0][0], tuple(faults))
    body_hash = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    times = tuple(one.time for one in problems) if "times" in content else None
    return Submission(problem=problems[-1], times=times, body_hash=body_hash, **fields)


def check_tag(tag: Any, pointer: str) -> str:
    """Return a tag, or refuse it."""
    return _line(tag, "A tag", pointer, MAX_TAG)


def _parse(body: bytes) -> Submission:
    try:
        content = parse_json(body)
    except InputError as error:
        raise refusal_of(error, 400) from None
    try:
        return parse_submission(content)
    except InputError as error:
        raise refusal_of(error) from None


def _split(content: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the service's own fields and the problem's."""
    own = {name: content[name] for name in _OWN if name in content}
    problem = {name: value for name, value in content.items() if name not in own}
    limits = problem.get("limits")
    if isinstance(limits, Mapping) and "wall_seconds" in limits:
        own["wall_seconds"] = limits["wall_seconds"]
        problem["limits"] = {k: v for k, v in limits.items() if k != "wall_seconds"}
    return own, problem


def _without_unknown(problem: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Take out fields that neither a problem nor the service has; return what is wrong with them.

    The problem's own refusal would not know of the service's fields.
    """
    levels = [("", "The input", problem, [*_OF_PROBLEM, *_OWN])]
    limits = problem.get("limits")
    if isinstance(limits, Mapping):
        problem["limits"] = limits = dict(limits)
        levels.append(
            ("/limits", "`limits`", limits, [*LimitSettings.model_fields, "wall_seconds"])
        )
    faults = []
    for path, owner, fields, known in levels:
        for name in [name for name in fields if name not in known]:
            del fields[name]
            faults.append((path + pointer_to(name), unknown_field(owner, name, known)))
    return problem, faults


def read_name(value: Any) -> str | None:
    """Return a title for people, or refuse it."""
    return None if value is None else _line(value, "`name`", "/name", MAX_NAME)


def _read_tags(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MAX_TAGS:
        raise InputError(
            f"`tags` must be a list of at most {MAX_TAGS} strings, but is {shown(value)}.", "/tags"
        )
    tags = [check_tag(tag, f"/tags/{index}") for index, tag in enumerate(value)]
    return tuple(dict.fromkeys(tags))


def _read_priority(value: Any) -> int:
    if value is None:
        return 0
    return integer(value, "`priority`", "/priority", least=0, most=MAX_PRIORITY)


def _read_device(value: Any) -> str:
    if value is None:
        return "cpu"
    if value not in ("cpu", "gpu"):
        raise InputError(f"`device` must be cpu or gpu, but is {shown(value)}.", "/device")
    return str(value)


def _read_wall_seconds(value: Any) -> float | None:
    if value is None:
        return None
    name, pointer = "`limits.wall_seconds`", "/limits/wall_seconds"
    seconds = real_number(value, name, pointer)
    if not 0 < seconds <= MAX_WALL_SECONDS:
        raise InputError(
            f"{name} must be greater than 0 and at most {MAX_WALL_SECONDS:g} (30 days), but is "
            f"{shown(value)}.",
            pointer,
        )
    return seconds


_READERS: dict[str, Callable[[Any], Any]] = {
    "name": read_name,
    "tags": _read_tags,
    "priority": _read_priority,
    "device": _read_device,
    "wall_seconds": _read_wall_seconds,
}


def _line(value: Any, what: str, pointer: str, most: int) -> str:
    """Return a string that a database and a page can show: no control characters."""
    if not isinstance(value, str):
        raise InputError(f"{what} must be a string, but is {shown(value)}.", pointer)
    if not 1 <= len(value) <= most:
        raise InputError(f"{what} must have 1 to {most} characters, but has {len(value)}.", pointer)
    if not value.isprintable() or printable(value) != value:
        raise InputError(f"{what} must be printable text, but is {shown(value)}.", pointer)
    return value


def check_media_type(request: Request) -> None:
    """Refuse a body that is not plain JSON."""
    given = request.headers.get("Content-Type", "")
    media_type, _, parameters = given.partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if media_type.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        raise Refusal(
            415,
            f"Content-Type must be application/json, but is {given or 'missing'}; with curl: "
            "-H 'Content-Type: application/json'.",
            headers={"Accept": "application/json"},
        )
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise Refusal(415, f"The body must not be encoded, but Content-Encoding is {encoding}.")


async def read_body(request: Request, most: int) -> list[bytes]:
    """Return the body in the pieces that it came in, or refuse one of more bytes than `most`."""
    length = request.headers.get("Content-Length", "")
    announced = int(length) if length.isdecimal() else 0
    if announced > most and "Expect" in request.headers:
        raise _too_large(most)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= most:
            chunks.append(chunk)
        elif size > max(_DRAINED, 2 * most):
            break
    if size > most:
        raise _too_large(most)
    return chunks


def _too_large(most: int) -> Refusal:
    return Refusal(413, f"The body must have at most {most // 2**20} MiB.")
