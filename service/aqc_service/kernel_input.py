"""The input of a kernel's job: a file beside the job, since it may be large."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from aqc.errors import InputError
from aqc_service.artifacts import sync_directory
from aqc_service.changes import new_id
from aqc_service.records import Job
from aqc_service.store import Store

_NAME = "input.json"


def submit(
    store: Store, call: dict[str, Any], body: Sequence[bytes], **given: Any
) -> tuple[Job, bool]:
    """Make a job of a call.

    Args:
        store: Where jobs are kept.
        call: {kernel, operation, arrays}.
        body: The arguments as JSON, in pieces; they were checked.
        **given: idempotency_key and request_id, as for `Store.create`.

    Returns:
        The job, and whether it was there before.
    """
    digest = hashlib.sha256(json.dumps(call, sort_keys=True).encode())
    for part in body:
        digest.update(part)
    job_id = new_id()
    # The file first: once the job is queued, a worker may take it at any time.
    with _kept(store.jobs_dir / job_id, body) as keep:
        job, replayed = store.create(
            json.dumps({**call, "input": job_id}),
            job_id=job_id,
            kind="kernel",
            name=f"{call['kernel']}/{call['operation']}",
            num_qubits=0,
            input_bytes=sum(map(len, body)),
            memory_bytes=0,
            body_hash=digest.hexdigest(),
            **given,
        )
        if not replayed:
            keep()
    return job, replayed


def read_input(jobs_dir: Path, job_id: str) -> bytes:
    """Return the input that a job was submitted with.

    Args:
        jobs_dir: Where each job has a directory of its name.
        job_id: Of the job that was submitted; one that is retried names the first.

    Raises:
        InputError: That job was deleted.
    """
    try:
        return (jobs_dir / job_id / _NAME).read_bytes()
    except FileNotFoundError:
        raise InputError("The input is gone: the job that it came with was deleted.") from None


@contextlib.contextmanager
def _kept(directory: Path, body: Sequence[bytes]) -> Iterator[Any]:
    """Write a file, and remove it with its directory unless it is told to stay."""
    with contextlib.ExitStack() as stack:
        directory.mkdir()
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        with (directory / _NAME).open("wb") as file:
            file.writelines(body)
            file.flush()
            os.fsync(file.fileno())
        sync_directory(directory)
        sync_directory(directory.parent)
        yield stack.pop_all
