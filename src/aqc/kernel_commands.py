"""The commands `aqc kernel`: the shelf's kernels listed, shown and run.

Listing and showing read catalogue.json; only running imports a kernel, and no other than that.
"""

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from aqc import kernels, runtime
from aqc.commands import refusals
from aqc.errors import InputError

if TYPE_CHECKING:
    from aqc.kernels._kernel import Operation

app = typer.Typer(
    help="Kernels of published papers: list them, show one, run one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_IMAGES = (".svg", ".png", ".pdf")


@app.command("list")
def list_command(
    as_json: Annotated[bool, typer.Option("--json", help="The whole catalogue as JSON.")] = False,
) -> None:
    """List all kernels by topic."""
    entries = kernels.catalogue()
    if as_json:
        typer.echo(json.dumps(entries, indent=1, ensure_ascii=False))
        return
    width = max(map(len, entries), default=0)
    for topic in sorted({entry["topic"] for entry in entries.values()}):
        typer.echo(topic.capitalize())
        for slug, entry in entries.items():
            if entry["topic"] == topic:
                typer.echo(f"  {slug:{width}}  {entry['operations'][0]['summary']}")


@app.command()
def show(
    slug: Annotated[str, typer.Argument(metavar="SLUG", help="Name of the kernel.")],
    as_json: Annotated[bool, typer.Option("--json", help="Its catalogue entry.")] = False,
) -> None:
    """Show a kernel: its paper, what it does, and what became of the paper's claims."""
    entry = _entry(slug)
    if as_json:
        typer.echo(json.dumps(entry, indent=1, ensure_ascii=False))
        return
    paper = entry["paper"]
    lines = [f"{slug}: {entry['topic']}", f"  {paper['title']}"]
    lines += [f"  {paper['authors']} ({paper['year']}), {paper['link']}"]
    lines += [f"  {entry['notice']}"] * bool(entry["notice"])
    for operation in entry["operations"]:
        lines += ["", f"{slug}/{operation['name']}", f"  {operation['summary']}"]
        lines += [f"    {line}" for line in _arguments(operation)]
        limit = operation["limit"]
        if limit["max"] is not None:
            lines.append(f"  at most {limit['max']:.3g} {limit['unit']}")
    lines += ["", "Claims of the paper"]
    for claim in entry["claims"]:
        lines.append(f"  {claim['outcome']}: {claim['claim']}.")
        lines.append(f"    Measured: {claim['measured']}. Baseline: {claim['baseline']}.")
    typer.echo("\n".join(lines))


@app.command()
def run(
    name: Annotated[
        str, typer.Argument(metavar="SLUG[/OPERATION]", help="Without OPERATION: its first one.")
    ],
    input_file: Annotated[
        str | None,
        typer.Option(
            "--input", "-i", help='Arguments as JSON, "-": standard input; else the example.'
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File for the answer; else stdout.")
    ] = None,
    arrays: Annotated[
        Literal["list", "npy"], typer.Option(help="Arrays as nested lists or as base64 of .npy.")
    ] = "list",
    figure: Annotated[
        Path | None, typer.Option(help="Draw the answer: a file .svg, .png or .pdf.")
    ] = None,
) -> None:
    """Run a kernel; Ctrl-C stops it, and nothing is written."""
    slug, _, operation_name = name.partition("/")
    known = _operation(_entry(slug), operation_name or None)
    if figure is not None:
        _check_figure(known, figure)
    text = None if input_file is None else _read(input_file)
    runtime.limit_threads(None)
    runtime.use_compilation_cache()
    with _progress() as report:
        kernel = kernels.load(slug)
        operation = kernel.operation(operation_name or None)
        arguments = operation.example if text is None else _parse(text, input_file)
        began = time.perf_counter()
        with refusals(_shown(input_file)):
            result = _run(operation, arguments, report)
        seconds = time.perf_counter() - began
    answer = json.dumps(kernel.answer(operation, result, seconds, arrays), allow_nan=False)
    if figure is not None:
        assert operation.figure is not None
        operation.figure(result).savefig(figure)
    if output is None:
        typer.echo(answer)
    else:
        output.write_text(answer + "\n")


def _run(
    operation: "Operation", arguments: Mapping[str, Any], report: Callable[[float], None]
) -> Any:
    steps = operation.run_steps(arguments)
    while True:
        try:
            fraction, _ = next(steps)
        except StopIteration as stop:
            return stop.value
        report(fraction)


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[float], None]]:
    """Show a bar on a terminal; elsewhere nothing, for the answer says it all."""
    if not sys.stderr.isatty():
        yield lambda fraction: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as display:
        line = display.add_task("running", total=None)
        yield lambda fraction: display.update(line, total=1.0, completed=fraction)


def _entry(slug: str) -> dict[str, Any]:
    entries = kernels.catalogue()
    if slug not in entries:
        kernels.load(slug)  # refuses what is none
        raise InputError(f"The catalogue lacks {slug}; run `make catalogue`.")
    return entries[slug]


def _operation(entry: dict[str, Any], name: str | None) -> dict[str, Any]:
    operations = entry["operations"]
    found = [x for x in operations if name in (None, x["name"])]
    if not found:
        known = ", ".join(x["name"] for x in operations)
        raise InputError(f"{entry['slug']} has the operations {known}, but not {name!r}.")
    first: dict[str, Any] = found[0]
    return first


def _arguments(operation: dict[str, Any]) -> Iterator[str]:
    schema = operation["schema"]
    width = max(map(len, schema["properties"]))
    for name, kind in schema["properties"].items():
        default = ""
        if name not in schema["required"]:
            default = (
                f" [{json.dumps(kind.get('default'))}]" if "default" in kind else " [optional]"
            )
        yield f"{name:{width}}  {_kind(kind)}{default}"


def _kind(schema: dict[str, Any]) -> str:
    """Return what a schema says, in a few words."""
    if "description" in schema:
        return str(schema["description"])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(map(_kind, schema["anyOf"])))
    if schema["type"] == "array":
        return f"list of {_kind(schema['items'])}"
    if schema["type"] == "object":
        return str(schema.get("title", "object"))
    bounds = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    told = [f"{sign} {schema[name]:g}" for name, sign in bounds.items() if name in schema]
    return " ".join([schema["type"], ", ".join(told)]).strip()


def _check_figure(operation: dict[str, Any], path: Path) -> None:
    if not operation["figure"]:
        raise InputError(f"{operation['name']} draws no figure; leave --figure out.")
    if path.suffix not in _IMAGES:
        raise InputError(f"--figure must end in {', '.join(_IMAGES)}, but is {path.name}.")


def _read(name: str) -> bytes:
    with refusals(_shown(name)):
        try:
            return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        except OSError as error:
            raise InputError(f"The file cannot be read: {error.strerror}.") from error


def _parse(text: bytes, name: str | None) -> Any:
    from aqc.strict_json import parse_json

    with refusals(_shown(name)):
        return parse_json(text)


def _shown(name: str | None) -> str:
    return {None: "example", "-": "<stdin>"}.get(name) or str(name)
