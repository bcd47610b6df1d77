"""The process that answers short calls of kernels: checks, runs and writes the answer, in turn.

A call is a line of JSON and a body of the size that the line tells, and so is a reply. The API
hands bodies and answers on as they are: it reads no numbers.
"""

import base64
import gc
import importlib
import io
import json
import os
import resource
import signal
import sys
import time
import traceback
from typing import Any, BinaryIO, NoReturn

from aqc import runtime
from aqc.errors import AqcError, InputError
from aqc.strict_json import parse_json
from aqc_service.processes import die_with_parent, limit_memory

MEDIA_TYPES = {"svg": "image/svg+xml", "png": "image/png"}
# What nearly every kernel imports; the kernels themselves come with their first call.
_WARM = ("aqc.kernels._kernel", "jax", "jax.numpy", "scipy.linalg")


def main(parent: int, threads: int, memory_bytes: int) -> NoReturn:
    """Get ready; then answer call after call, until the parent is gone.

    Args:
        parent: Process id of the API.
        threads: For the numerical libraries.
        memory_bytes: Most that calls may allocate beyond what the libraries have.
    """
    die_with_parent(parent)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no reply
    runtime.limit_threads(threads)
    runtime.use_compilation_cache()
    for name in _WARM:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # no collection need look at the libraries again
    limit_memory(memory_bytes)
    _send(replies, {"kind": "ready"})
    calls = sys.stdin.buffer
    while line := calls.readline():
        began = time.process_time()
        call = json.loads(line)
        header, answer = _reply(call, calls.read(call["size"]))
        _send(replies, {**header, "cpu_seconds": time.process_time() - began}, answer)
    os._exit(0)


def _send(replies: BinaryIO, header: dict[str, Any], body: bytes = b"") -> None:
    replies.write(json.dumps({**header, "size": len(body)}).encode() + b"\n")
    replies.write(body)
    replies.flush()


def _reply(call: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the reply to a call, and whatever happens is one.

    Returns:
        {"kind": "answer"}, "long", "unreadable", "refused", "memory" or "broken"; and the
        answer, or what is wrong as a list of [pointer, sentence].
    """
    try:
        arguments = parse_json(body)
    except InputError as error:
        return {"kind": "unreadable"}, _faults(error)
    del body
    try:
        return _run(call, arguments)
    except InputError as error:
        return {"kind": "refused"}, _faults(error)
    except AqcError as error:
        return {"kind": "refused"}, json.dumps([["", str(error)]]).encode()
    except Exception as error:  # noqa: BLE001 - the caller has to hear of it, and the next one comes
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
            return {"kind": "memory"}, b""
        traceback.print_exc()
        return {"kind": "broken"}, b""


def _run(call: dict[str, Any], arguments: Any) -> tuple[dict[str, Any], bytes]:
    from aqc import kernels

    kernel = kernels.load(call["kernel"])
    operation = kernel.operation(call["operation"])
    checked = operation.signature.check(arguments)
    if not operation.is_short(checked) or call["check_only"]:
        return {"kind": "long"}, b""
    began = time.perf_counter()
    result = operation.run_checked(checked)
    answer = kernel.answer(operation, result, time.perf_counter() - began, call["arrays"])
    if call["figure"] is not None:
        answer["figure"] = _data_address(draw(operation, result, call["figure"]), call["figure"])
    return {"kind": "answer"}, json.dumps(answer, allow_nan=False).encode()


def draw(operation: Any, result: Any, form: str) -> bytes:
    """Return the figure of a result.

    Args:
        operation: Has a figure.
        result: What it returned.
        form: "svg" or "png".
    """
    buffer = io.BytesIO()
    operation.figure(result).savefig(buffer, format=form, dpi=144, metadata={})
    return buffer.getvalue()


def _data_address(image: bytes, form: str) -> str:
    return f"data:{MEDIA_TYPES[form]};base64,{base64.b64encode(image).decode()}"


def _faults(error: InputError) -> bytes:
    return json.dumps(error.errors).encode()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
