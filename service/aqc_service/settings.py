"""What the service is told by its environment: variables that begin with AQC_."""

import ipaddress
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from aqc.errors import InputError
from aqc_service.quota import Quota


class ServiceSettings(BaseSettings):
    """Where data lies, how much may be used, and when something counts as dead or old.

    Every field is read from the variable of its name: `data_dir` from AQC_DATA_DIR.

    Example:
        >>> ServiceSettings(data_dir="/srv/aqc").url
        'sqlite:////srv/aqc/aqc.db'
    """

    model_config = SettingsConfigDict(env_prefix="AQC_", frozen=True)

    data_dir: Path = Path("aqc-data")
    """Directory of the database (SQLite) and of every file of the jobs."""

    database_url: str | None = None
    """SQLAlchemy's address of a PostgreSQL database; SQLite in `data_dir` without it."""

    artifacts_url: str | None = None
    """s3://bucket/prefix for the files of finished jobs; in `data_dir` without it."""

    host: str = "127.0.0.1"
    """Address that the API listens on."""

    port: Annotated[int, Field(ge=0, le=65535)] = 8765
    """Port that the API listens on; 0 chooses a free one."""

    allow_open: bool = False
    """Let everyone who reaches the API use it, also from other machines."""

    keys: Literal["auto", "on", "off"] = "auto"
    """Whether the API asks for keys; auto: on a public address, unless `allow_open` is set."""

    quota: Quota = Quota()
    """What each owner of keys may have; a key may say otherwise. As JSON: {"running": 4}."""

    device: Literal["cpu", "gpu"] = "cpu"
    """What a worker computes on, and so the queue that it serves."""

    slots: Annotated[int, Field(ge=1, le=256)] = 1
    """Jobs that one worker runs at a time; the same for all workers of one database."""

    threads: Annotated[int, Field(ge=1, le=1024)] = 2
    """Threads of a warm child; a job with other `limits.threads` gets a cold one."""

    memory_gb: Annotated[float, Field(gt=0)] = 8.0
    """Most memory of one job in gigabytes, whatever its own limit says."""

    wall_seconds: Annotated[float, Field(gt=0)] = 86400.0
    """Wall time of a job that names no limit."""

    max_lost: Annotated[int, Field(ge=1)] = 3
    """Attempts that may be lost to a dying process before the job fails."""

    heartbeat_seconds: Annotated[float, Field(gt=0)] = 1.0
    """Seconds between two signs of life of a worker."""

    grace_seconds: Annotated[float, Field(gt=0)] = 5.0
    """A worker silent for so many seconds is dead, and its jobs go to others."""

    stop_seconds: Annotated[float, Field(gt=0)] = 10.0
    """Seconds from SIGTERM to SIGKILL for a job that reached its wall time."""

    checkpoint_seconds: Annotated[float, Field(gt=0)] = 10.0
    """Seconds of compute between two checkpoints."""

    keep_days: Annotated[float, Field(gt=0)] = 30.0
    """Days that finished jobs and their files are kept."""

    kernel_processes: Annotated[int, Field(ge=1, le=64)] = 2
    """Processes of each API that answer short calls of kernels, started when needed."""

    kernel_seconds: Annotated[float, Field(gt=0)] = 30.0
    """Most that a call of a kernel may take before it becomes a job."""

    kernel_memory_gb: Annotated[float, Field(gt=0)] = 2.0
    """Most memory of the calls of one such process in gigabytes, beyond what its libraries have."""

    kinds: dict[str, str] = {
        "compile": "aqc_service.compile_job:run",
        "series": "aqc_service.series_job:run",
        "kernel": "aqc_service.kernel_job:run",
    }
    """Kinds of jobs, each with the "module:function" that a child runs."""

    log_json: bool = False
    """Write logs as JSON lines instead of text."""

    @cached_property
    def url(self) -> str:
        """SQLAlchemy's address of the database."""
        if self.database_url is None:
            return f"sqlite:///{self.data_dir.absolute()}/aqc.db"
        name, separator, rest = self.database_url.partition("://")
        if name in ("postgres", "postgresql"):
            name = "postgresql+psycopg"
        return name + separator + rest

    @property
    def shown_url(self) -> str:
        """The address of the database without its password."""
        from sqlalchemy import make_url

        return make_url(self.url).render_as_string(hide_password=True)

    @property
    def is_public(self) -> bool:
        """Whether the API listens where other machines may reach it."""
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host != "localhost"

    @property
    def keys_required(self) -> bool:
        """Whether the API answers only those who have a key.

        Example:
            >>> ServiceSettings(host="0.0.0.0").keys_required, ServiceSettings().keys_required
            (True, False)
        """
        if self.keys == "auto":
            return self.is_public and not self.allow_open
        return self.keys == "on"

    def check_exposure(self, has_keys: Callable[[], bool]) -> None:
        """Refuse to serve everyone on a public address unless told to.

        Args:
            has_keys: Tells whether there is a valid key; only asked where it matters.

        Raises:
            InputError: If the address is public, `allow_open` is not set and there are no keys.

        Example:
            >>> ServiceSettings(host="127.0.0.1").check_exposure(lambda: False)
        """
        if not self.is_public or self.allow_open or (self.keys_required and has_keys()):
            return
        remedy = (
            "Make a key by `aqc key create --owner NAME`, or say --allow-open if that is wanted."
            if self.keys_required
            else "Leave AQC_KEYS=off out, or say --allow-open if that is wanted."
        )
        raise InputError(
            f"The host must be a loopback address such as 127.0.0.1, but is {self.host}; there "
            f"everyone could use the service. {remedy}",
        )

    @property
    def jobs_dir(self) -> Path:
        """Where each job has a directory of its name."""
        return self.data_dir.absolute() / "jobs"
