"""The commands `aqc api`, `aqc job` and `aqc key`."""

from typing import Annotated

import typer

from aqc_service.commands import DataDir, read_settings
from aqc_service.job_commands import app as job
from aqc_service.key_commands import app as key

__all__ = ["api", "job", "key"]


def api(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0: a free one.")] = None,
    data_dir: DataDir = None,
    allow_open: Annotated[
        bool | None,
        typer.Option("--allow-open", help="Serve everyone who reaches a public address."),
    ] = None,
) -> None:
    """Serve the HTTP API; `aqc db upgrade` comes before, and workers run the jobs."""
    from aqc_service import keys, logs, processes
    from aqc_service.api.server import serve_api

    processes.follow_supervisor()
    processes.wait_at_gate()
    settings = read_settings(host=host, port=port, data_dir=data_dir, allow_open=allow_open)
    settings.check_exposure(lambda: keys.exist(settings))
    logs.configure(as_json=settings.log_json)
    serve_api(settings)
