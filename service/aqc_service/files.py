"""Where the files of finished jobs lie: in the data directory, or in s3-compatible storage."""

import dataclasses
import shutil
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aqc.errors import InputError
from aqc_service.database import StorageError
from aqc_service.records import Artifact

_MOST_DELETED = 1000  # in one request, says S3


class Files:
    """The files of finished jobs.

    Args:
        jobs_dir: Where each job has a directory of its name.
        url: s3://bucket/prefix; None to leave files where they were written.

    Raises:
        InputError: If the address is no s3 address, or the extra `s3` is not installed.

    Example:
        >>> Files(Path("jobs")).keep([])
        []
    """

    def __init__(self, jobs_dir: Path, url: str | None = None):
        self._jobs_dir = jobs_dir
        self._url = None if url is None else url.rstrip("/")
        if url is not None:
            parts = urlsplit(url)
            if parts.scheme != "s3" or not parts.netloc:
                raise InputError(f"AQC_ARTIFACTS_URL must be s3://bucket/prefix, but is {url}.")
            _ = self._client

    @cached_property
    def _client(self) -> Any:
        try:
            import boto3
        except ModuleNotFoundError:
            raise InputError(
                'Files in s3-compatible storage need the extra s3: pip install "aqc[service,s3]".'
            ) from None
        return boto3.client("s3")  # address, region and keys: AWS_ENDPOINT_URL, AWS_...

    def keep(self, artifacts: Sequence[Artifact]) -> list[Artifact]:
        """Bring files to where they are kept, and return them with where that is.

        Raises:
            StorageError: If the storage does not take them.
        """
        if self._url is None:
            return list(artifacts)
        return [self._upload(artifact) for artifact in artifacts]

    def _upload(self, artifact: Artifact) -> Artifact:
        path = f"{self._url}/{artifact.path}"
        bucket, key = _place(path)
        with (self._jobs_dir / artifact.path).open("rb") as file:
            self._ask(
                "put_object", Bucket=bucket, Key=key, Body=file, ContentType=artifact.media_type
            )
        return dataclasses.replace(artifact, path=path)

    def read(self, path: str) -> bytes:
        """Return a file's content.

        Args:
            path: Of an artifact, or relative to the jobs directory.

        Raises:
            FileNotFoundError: If it is gone.
            StorageError: If the storage does not answer.
        """
        if not path.startswith("s3://"):
            return (self._jobs_dir / path).read_bytes()
        bucket, key = _place(path)
        content: bytes = self._ask("get_object", Bucket=bucket, Key=key)["Body"].read()
        return content

    def forget(self, job_id: str, paths: Iterable[str]) -> None:
        """Delete a job's files, wherever they are.

        Raises:
            StorageError: If the storage does not answer.
        """
        by_bucket: dict[str, list[str]] = {}
        for path in paths:
            if path.startswith("s3://"):
                bucket, key = _place(path)
                by_bucket.setdefault(bucket, []).append(key)
        for bucket, keys in by_bucket.items():
            for first in range(0, len(keys), _MOST_DELETED):
                objects = [{"Key": key} for key in keys[first : first + _MOST_DELETED]]
                self._ask("delete_objects", Bucket=bucket, Delete={"Objects": objects})
        shutil.rmtree(self._jobs_dir / job_id, ignore_errors=True)

    def _ask(self, operation: str, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self._client, operation)(**arguments)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
                raise FileNotFoundError(arguments["Key"]) from error
            raise StorageError(f"The files' storage refused: {error}.") from error
        except BotoCoreError as error:
            raise StorageError(f"The files' storage does not answer: {error}.") from error


def _place(path: str) -> tuple[str, str]:
    """Return the bucket and the key of an address."""
    parts = urlsplit(path)
    return parts.netloc, parts.path.lstrip("/")
