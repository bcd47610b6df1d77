"""The command group of the script `aqc`: exit codes, and commands that other packages bring.

A package registers a command by an entry point of the group `aqc.commands` that names a function
or a typer.Typer. Listing commands reads only metadata; the object is loaded when it is called.
"""

import contextlib
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from aqc.errors import InputError, TruncationError

REFUSED, INTERRUPTED = 2, 130


@contextlib.contextmanager
def refusals(source: str) -> Iterator[None]:
    """Turn what aqc refuses into one line on stderr for each fault, and exit code 2.

    Args:
        source: What the lines begin with: the file at fault, or the program.

    Raises:
        typer.Exit: With code 2, instead of InputError and TruncationError.

    Example:
        >>> try:
        ...     with refusals("problem.json"):
        ...         raise InputError("`time` must be finite, but is NaN.", "/time")
        ... except typer.Exit as exit:
        ...     print(exit.exit_code)
        2
    """
    try:
        yield
    except (InputError, TruncationError) as error:
        for pointer, sentence in _faults(error):
            typer.echo(": ".join(filter(None, (source, pointer, sentence))), err=True)
        raise typer.Exit(REFUSED) from None


def _faults(error: InputError | TruncationError) -> tuple[tuple[str, str], ...]:
    if isinstance(error, InputError):
        return error.errors
    return (("", str(error)),)


class CommandGroup(TyperGroup):
    """The commands of aqc and, behind them, those of other packages."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command; refusals and Ctrl-C become a line on stderr and an exit code."""
        try:
            with refusals("aqc"):
                return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("aqc: interrupted.", err=True)
            raise typer.Exit(INTERRUPTED) from None

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands, our own first."""
        own = super().list_commands(ctx)
        return own + sorted(set(_foreign()) - set(own))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; one of another package as a stand-in that knows only its name."""
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in (foreign := _foreign()):
            return own
        return _NotLoaded(foreign[cmd_name])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command to run, now loaded, and its arguments."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, _NotLoaded) else command, rest


class _NotLoaded(TyperCommand):
    def __init__(self, entry_point: EntryPoint):
        package = entry_point.dist.name if entry_point.dist else entry_point.module
        super().__init__(entry_point.name, short_help=f"(from {package})")
        self._entry_point = entry_point

    def load(self) -> Any:
        """Import the object and return it as a command."""
        name = self._entry_point.name
        try:
            loaded = self._entry_point.load()
        except ModuleNotFoundError as error:
            extras = ", ".join(self._entry_point.extras)
            remedy = f"; install the extra `{extras}`" if extras else ""
            raise InputError(
                f"The command `{name}` needs the module {error.name}, but it is missing{remedy}."
            ) from error
        if isinstance(loaded, typer.Typer):
            return typer.main.get_command(loaded)
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name)(loaded)
        return typer.main.get_command(app)


def _foreign() -> dict[str, EntryPoint]:
    return {entry_point.name: entry_point for entry_point in entry_points(group="aqc.commands")}
