"""The database: SQLite in the data directory or PostgreSQL, opened the way the service needs."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from aqc.errors import AqcError

_BUSY_MILLISECONDS = 30_000
# What a database raises that went away: also in mid-word, or while others wait for a connection.
_LOST = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)


class StorageError(AqcError):
    """The database or the data directory cannot be used."""


def open_engine(url: str) -> sa.Engine:
    """Return an engine; on SQLite in WAL mode, synced at every commit.

    Args:
        url: SQLAlchemy's address of the database.
    """
    if sa.make_url(url).get_backend_name() != "sqlite":
        return sa.create_engine(url, pool_pre_ping=True, pool_size=10, max_overflow=20)
    # Transactions are begun by us (see _begin), not by the driver at the first write.
    engine = sa.create_engine(url, connect_args={"timeout": _BUSY_MILLISECONDS / 1000})
    event.listen(engine, "connect", _connect)
    event.listen(engine, "begin", _begin)
    return engine


def _connect(connection: Any, record: Any) -> None:
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={_BUSY_MILLISECONDS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    # A transaction that reads before it writes must take the write lock first: SQLite refuses
    # to lift a read lock when another process wrote in between.
    write = connection.get_execution_options().get("aqc_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Yield a connection in a transaction that will write; commit at the end.

    Raises:
        StorageError: If the database cannot be written.
    """
    try:
        with engine.execution_options(aqc_write=True).begin() as connection:
            yield connection
    except _LOST as error:
        raise _unusable(engine, error) from error


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Yield a connection for reading.

    Raises:
        StorageError: If the database cannot be read.
    """
    try:
        with engine.connect() as connection:
            yield connection
    except _LOST as error:
        raise _unusable(engine, error) from error


def now(connection: sa.Connection) -> datetime:
    """Return the database's time, the same for all processes on all hosts."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)  # one host: its clock is the database's
    found = connection.scalar(sa.select(sa.func.clock_timestamp()))
    assert isinstance(found, datetime)
    return found.astimezone(UTC)


def make_data_directory(directory: Path) -> None:
    """Create the data directory and write a little into it.

    Raises:
        StorageError: If that cannot be done.
    """
    probe = directory / ".writable"
    try:
        (directory / "jobs").mkdir(parents=True, exist_ok=True)
        with probe.open("wb") as file:
            file.write(bytes(65536))  # a full disk may still have room for a byte
            file.flush()
        probe.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"The data directory {directory} cannot be written: {error.strerror}. "
            f"Free space or permissions are missing, or AQC_DATA_DIR names the wrong directory."
        ) from error


def _unusable(engine: sa.Engine, error: Exception) -> StorageError:
    place = engine.url.render_as_string(hide_password=True)
    reason = str(getattr(error, "orig", error)).strip().splitlines()[0]
    return StorageError(f"The database {place} cannot be used: {reason}.")
