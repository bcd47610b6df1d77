"""Files of a finished job: synced to disk and hashed before the database speaks of them."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from aqc_service.records import Artifact

MEDIA_TYPES = {
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".qasm": "text/x-qasm",
    ".qasm2": "text/x-qasm",
    ".qpy": "application/octet-stream",
}


def collect(job_id: str, directory: Path, jobs_dir: Path, prefix: str = "") -> list[Artifact]:
    """Sync all files of a directory and describe them.

    Args:
        directory: Under `jobs_dir`; may be missing.
        prefix: What their names among the artifacts begin with.

    Returns:
        One record for each file, by name.
    """
    if not directory.is_dir():
        return []
    found = [_describe(job_id, path, jobs_dir, prefix) for path in _files(directory)]
    for folder in (directory, *directory.parents):
        sync_directory(folder)
        if folder == jobs_dir:
            break
    return found


def sync_files(directory: Path) -> None:
    """Make sure that the files of a directory are on disk, and their names."""
    for path in _files(directory):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    for folder in (directory, *directory.parents[:2]):
        sync_directory(folder)


def _files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if path.is_file())


def _describe(job_id: str, path: Path, jobs_dir: Path, prefix: str) -> Artifact:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
        size = os.fstat(file.fileno()).st_size
    return Artifact(
        job_id=job_id,
        name=prefix + path.name,
        size=size,
        sha256=digest,
        media_type=MEDIA_TYPES.get(path.suffix, "application/octet-stream"),
        path=str(path.relative_to(jobs_dir)),
    )


def sync_directory(directory: Path) -> None:
    """Make sure that the names in a directory are on disk too."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def attempt_directory(jobs_dir: Path, job_id: str, attempt: int) -> Path:
    """Return where an attempt keeps its files; a stale process writes to another one."""
    return jobs_dir / job_id / f"attempt-{attempt}"


def attempts_before(jobs_dir: Path, job_id: str, attempt: int | None = None) -> Iterable[Path]:
    """Return the directories of earlier attempts, newest first."""
    numbered = (
        (int(path.name.removeprefix("attempt-")), path)
        for path in (jobs_dir / job_id).glob("attempt-*")
    )
    earlier = [pair for pair in numbered if attempt is None or pair[0] < attempt]
    return [path for _, path in sorted(earlier, reverse=True)]
