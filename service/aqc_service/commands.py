"""The commands serve and db; src/aqc/commands.py finds them by their entry points."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from aqc.errors import InputError
from aqc_service.settings import ServiceSettings

DataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Directory of the database and all files.")
]


def read_settings(**given: Any) -> ServiceSettings:
    """Return the settings of the environment, with what the command line gives on top.

    Raises:
        InputError: If a variable or an option has no good value.
    """
    from pydantic import ValidationError

    try:
        return ServiceSettings(
            **{name: value for name, value in given.items() if value is not None}
        )
    except ValidationError as error:
        faults = tuple(
            ("", f"AQC_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}.")
            for fault in error.errors()
        )
        raise InputError(faults[0][1], errors=faults) from error


@contextlib.contextmanager
def storage_errors() -> Iterator[None]:
    """Turn a database or directory that cannot be used into one line on stderr.

    Raises:
        typer.Exit: With code 1, instead of StorageError.
    """
    from aqc_service.database import StorageError

    try:
        yield
    except StorageError as error:
        typer.echo(f"aqc: {error}", err=True)
        raise typer.Exit(1) from None


db = typer.Typer(help="The database of the service.", no_args_is_help=True)


@db.callback()
def _db() -> None:
    """The database of the service."""


@db.command()
def upgrade(data_dir: DataDir = None) -> None:
    """Create the tables, or bring them to this version."""
    from aqc_service import schema

    settings = read_settings(data_dir=data_dir)
    with storage_errors():
        schema.upgrade(settings)
    typer.echo(f"The database {settings.shown_url} is up to date.")


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    data_dir: DataDir = None,
    allow_open: Annotated[
        bool | None,
        typer.Option("--allow-open", help="Serve everyone who reaches a public address."),
    ] = None,
) -> None:
    """Run the whole service on this machine: the API, a worker, and what watches over both."""
    from aqc_service import keys, logs
    from aqc_service.database import make_data_directory
    from aqc_service.supervisor import Supervisor

    settings = read_settings(host=host, port=port, data_dir=data_dir, allow_open=allow_open)
    settings.check_exposure(lambda: keys.exist(settings))
    logs.configure(as_json=settings.log_json)
    with storage_errors():
        make_data_directory(settings.data_dir)
        Supervisor(settings).run()
