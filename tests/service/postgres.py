"""A PostgreSQL server of the tests' own, from the binaries that Debian's package installs."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

REQUIRED = "AQC_REQUIRE_POSTGRES"  # set where a missing server is a failure, as in CI


def find_binaries() -> Path | None:
    """Return the newest directory with a PostgreSQL server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


class Server:
    """A server in a directory of its own, which can be stopped and started again."""

    def __init__(self, binaries: Path, directory: str):
        self._binaries, self._directory = binaries, directory
        # PostgreSQL refuses to run as root, as which tests in containers run.
        self._user = pwd.getpwnam("nobody").pw_uid if os.getuid() == 0 else os.getuid()
        os.chown(directory, self._user, -1)
        self._data = f"{directory}/data"
        initdb = [binaries / "initdb", "-D", self._data, "-U", "aqc", "-A", "trust", "--no-sync"]
        subprocess.run(
            initdb, user=self._user, cwd=directory, check=True, stdout=subprocess.DEVNULL
        )
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql://aqc@/postgres?host={self._directory}"

    def start(self) -> None:
        name = self._directory
        self._process = subprocess.Popen(
            [self._binaries / "postgres", "-D", self._data, "-k", name, "-h", "", "-F"],
            user=self._user,
            cwd=name,
            stderr=subprocess.DEVNULL,
        )
        ready = [self._binaries / "pg_isready", "-h", name, "-U", "aqc", "-q"]
        until = time.monotonic() + 30
        while subprocess.run(ready).returncode != 0:
            if time.monotonic() > until or self._process.poll() is not None:
                raise RuntimeError("The PostgreSQL server of the tests did not start.")
            time.sleep(0.05)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Stop: SIGTERM waits for its clients, SIGINT cuts them off, SIGQUIT is a crash."""
        self._process.send_signal(number)
        self._process.wait(10)


@contextmanager
def running(binaries: Path) -> Iterator[Server]:
    """Yield a fresh server, which ends with the block."""
    # The path of a socket must be short, so not below pytest's directories.
    with tempfile.TemporaryDirectory(prefix="aqc-pg-") as name:
        server = Server(binaries, name)
        try:
            yield server
        finally:
            server.stop(signal.SIGINT)


def new_database(server: str, name: str) -> str:
    """Make a database on a server; return its address."""
    url = sa.make_url(server).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return url.set(database=name).render_as_string(False)
