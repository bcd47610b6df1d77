"""The commands `aqc api` and `aqc job`."""

from pathlib import Path
from typing import Annotated

import typer

from aqc_service.job_commands import app as job

__all__ = ["api", "job"]


def api(
    host: Annotated[str | None, typer.Option(help="Address to listen on [AQC_HOST].")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 0: a free one [AQC_PORT].")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Directory of the database and files [AQC_DATA_DIR].")
    ] = None,
    allow_open: Annotated[
        bool, typer.Option(help="Serve everyone who reaches the address [AQC_ALLOW_OPEN].")
    ] = False,
) -> None:
    """Serve the HTTP API; `aqc db upgrade` comes before, workers run the jobs."""
    from aqc_service.api.server import serve
    from aqc_service.settings import ServiceSettings

    given = {"host": host, "port": port, "data_dir": data_dir, "allow_open": allow_open or None}
    serve(ServiceSettings(**{name: value for name, value in given.items() if value is not None}))
