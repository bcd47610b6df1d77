"""A PostgreSQL server of the tests' own, from the binaries that Debian's package installs."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REQUIRED = "AQC_REQUIRE_POSTGRES"  # set where a missing server is a failure, as in CI


def find_binaries() -> Path | None:
    """Return the newest directory with a PostgreSQL server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if found:
        return found[-1].parent
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


@contextmanager
def running_server(binaries: Path) -> Iterator[str]:
    """Yield the address of a fresh server, which ends with the block."""
    # PostgreSQL refuses to run as root, as which tests in containers run.
    user = pwd.getpwnam("nobody").pw_uid if os.getuid() == 0 else os.getuid()
    # The path of a socket must be short, so not below pytest's directories.
    with tempfile.TemporaryDirectory(prefix="aqc-pg-") as name:
        os.chown(name, user, -1)
        data = f"{name}/data"
        options = {"user": user, "cwd": name, "check": True, "stdout": subprocess.DEVNULL}
        initdb = [binaries / "initdb", "-D", data, "-U", "aqc", "-A", "trust", "--no-sync"]
        subprocess.run(initdb, **options)  # type: ignore[call-overload]
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data, "-k", name, "-h", "", "-F"],
            user=user,
            cwd=name,
            stderr=subprocess.DEVNULL,
        )
        try:
            ready = [binaries / "pg_isready", "-h", name, "-U", "aqc", "-q"]
            until = time.monotonic() + 30
            while subprocess.run(ready).returncode != 0:
                if time.monotonic() > until or server.poll() is not None:
                    raise RuntimeError("The PostgreSQL server of the tests did not start.")
                time.sleep(0.05)
            yield f"postgresql://aqc@/postgres?host={name}"
        finally:
            server.terminate()
            server.wait(10)
