"""The commands `aqc key ...`: for whoever runs the service, beside its database."""

import contextlib
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
import typer

from aqc.errors import InputError
from aqc_service.commands import DataDir, read_settings, storage_errors

app = typer.Typer(
    help="API keys of the service; they are made beside its database, not over HTTP.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


@contextlib.contextmanager
def _database(data_dir: DataDir) -> Iterator[sa.Engine]:
    from aqc_service import schema
    from aqc_service.database import open_engine

    settings = read_settings(data_dir=data_dir)
    with storage_errors():
        schema.upgrade(settings)
        engine = open_engine(settings.url)
        try:
            yield engine
        finally:
            engine.dispose()


@app.command()
def create(
    owner: Annotated[str, typer.Option(help="Whose jobs it opens: a person or a group.")],
    scope: Annotated[
        str, typer.Option(help="user: all; reader: only to look; metrics: only /metrics.")
    ] = "user",
    days: Annotated[float | None, typer.Option(help="After which it is of no use.")] = None,
    quota: Annotated[
        list[str] | None,
        typer.Option(help="NAME=NUMBER, or null for no limit: queued=100, running=4, ..."),
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Make a key. It is shown now and never again: only its hash is kept."""
    from aqc_service import keys

    with _database(data_dir) as engine:
        changes = keys.parse_quota(quota or [])
        _, text = keys.create(engine, owner, scope=scope, days=days, quota=changes)
    typer.echo(text)


@app.command("list")
def list_(data_dir: DataDir = None) -> None:
    """Show all keys, without their secrets."""
    from aqc_service import keys

    with _database(data_dir) as engine:
        found = keys.list_keys(engine)
    for key in found:
        state = "revoked" if key.revoked_at else f"until {_day(key.expires_at) or 'revoked'}"
        quota = " ".join(f"{name}={value}" for name, value in key.quota.items())
        line = f"{key.prefix}  {key.owner:20} {key.scope:8} {_day(key.created_at)} {state}  {quota}"
        typer.echo(line.rstrip())


@app.command()
def revoke(
    prefix: Annotated[str, typer.Argument(help="The twelve digits after aqc_.")],
    data_dir: DataDir = None,
) -> None:
    """Make a key of no use, from its next request on."""
    from aqc_service import keys

    with _database(data_dir) as engine:
        if not keys.revoke(engine, prefix.removeprefix("aqc_")[:12]):
            raise InputError("There is no valid key of this prefix; `aqc key list` shows them.")
    typer.echo("Revoked.")


def _day(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d")
