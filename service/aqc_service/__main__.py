"""`python -m aqc_service`: the service's commands without the script `aqc`, for its supervisor."""

import importlib

import typer

from aqc_service.commands import db, serve
from aqc_service.worker_commands import app as worker

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)
app.add_typer(db, name="db")
app.command()(serve)
app.add_typer(worker, name="worker")


@app.command()
def api() -> None:
    """Serve the HTTP API and the page."""
    importlib.import_module("aqc_service.api.commands").api()


if __name__ == "__main__":
    app()
