"""The commands `aqc job ...`: what the client can do, from a terminal."""

import contextlib
import itertools
import json
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from aqc import console
from aqc.client import DEFAULT_URL, Client, Format, Job, ServiceError
from aqc.commands import refusals
from aqc.errors import InputError
from aqc.inline import inline
from aqc.strict_json import parse_json

app = typer.Typer(
    help="Submit problems to a running service, and look after them.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

Url = Annotated[str, typer.Option("--url", envvar="AQC_URL", help="Where the service listens.")]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]

_FAILED = 1


@app.command()
def submit(
    problem: Annotated[
        str, typer.Argument(metavar="PROBLEM.json", help='The problem; "-" reads standard input.')
    ],
    name: Annotated[str | None, typer.Option(help="A title.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A word to filter by; repeatable.")] = None,
    priority: Annotated[int | None, typer.Option(help="Higher runs first, 0 to 100.")] = None,
    wall_seconds: Annotated[
        float | None, typer.Option(help="Wall time that the job may take.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Watch it until it is finished.")] = False,
    url: Url = DEFAULT_URL,
) -> None:
    """Submit a problem and print the job's id."""
    source = "<stdin>" if problem == "-" else problem
    with _client(url) as client, refusals(source):
        content = _read(problem)
        job = client.submit(
            content,
            name=name or content.get("name"),
            tags=tag or content.get("tags") or (),
            priority=priority if priority is not None else content.get("priority") or 0,
            wall_seconds=wall_seconds,
        )
        typer.echo(job.id)
        _notes(job)
        if wait:
            _finish(client.wait(job, progress=sys.stderr.isatty()), url)


@app.command("list")
def list_jobs(
    state: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only jobs with this tag.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most jobs to list.")] = 20,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
) -> None:
    """List jobs, newest first."""
    with _client(url) as client:
        found = list(itertools.islice(client.jobs(state=state, tag=tag), limit))
    if as_json:
        typer.echo(json.dumps([job.fields for job in found], indent=2))
        return
    for job in found:
        fields = job.fields
        infidelity = _infidelity(fields)
        columns = (
            job.id,
            f"{job.state:10}",
            f"{'kernel':>13}"
            if fields["kind"] == "kernel"
            else f"{fields['num_qubits']:6d} qubits",
            "           -" if infidelity is None else f"{infidelity:12.3g}",
            _local(fields["created_at"]),
            fields["name"] or "",
        )
        typer.echo("  ".join(columns).rstrip())


@app.command()
def show(job_id: JobId, as_json: AsJson = False, url: Url = DEFAULT_URL) -> None:
    """Show a job."""
    with _client(url) as client:
        job = client.job(job_id)
    if as_json:
        typer.echo(json.dumps(dict(job.fields), indent=2))
        return
    typer.echo(_told(job, url))


@app.command()
def watch(job_id: JobId, url: Url = DEFAULT_URL) -> None:
    """Watch a job until it is finished; Ctrl-C stops the watching, not the job.

    The exit code is 1 when the job failed or was cancelled.
    """
    with _client(url) as client:
        if sys.stderr.isatty():
            job = client.wait(job_id)
        else:
            for event in client.events(job_id):
                typer.echo(json.dumps({"seq": event.seq, "kind": event.kind, **event.data}))
            job = client.job(job_id)
    _finish(job, url)


@app.command()
def cancel(job_id: JobId, url: Url = DEFAULT_URL) -> None:
    """Cancel a job; its best circuit so far is kept."""
    with _client(url) as client:
        typer.echo(client.cancel(job_id).state)


@app.command()
def result(
    job_id: JobId,
    format: Annotated[
        str | None,
        typer.Option("--format", "-f", help="qasm3, qasm2, qpy or json; of a kernel's job json."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write instead of standard output.")
    ] = None,
    best_so_far: Annotated[
        bool, typer.Option("--best-so-far", help="Also of a job that is not finished.")
    ] = False,
    time_number: Annotated[
        int | None,
        typer.Option(min=1, help="Of a job with several times: which one, the last without it."),
    ] = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Fetch the circuit of a job, or the answer of a kernel's job."""
    if format not in (None, "qasm3", "qasm2", "qpy", "json"):
        raise InputError(f"--format must be qasm3, qasm2, qpy or json, but is {format}.")
    if out is None and format == "qpy" and sys.stdout.isatty():
        raise InputError("QPY is no text; name a file by --out.")
    with _client(url) as client:
        chosen: Format = format or _format_of(client.job(job_id))  # type: ignore[assignment]
        content = client.download(job_id, chosen, best_so_far=best_so_far, time_number=time_number)
    if out is None:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        out.write_bytes(content)
    except OSError as error:
        raise InputError(f"--out {out} cannot be written: {error.strerror}.") from error
    typer.echo(f"Written to {out}: {len(content)} bytes", err=True)


@contextlib.contextmanager
def _client(url: str) -> Iterator[Client]:
    """Yield a client; what the service refuses becomes a line and exit code 1."""
    with Client(url, key=os.environ.get("AQC_KEY")) as client:
        try:
            yield client
        except ServiceError as error:
            typer.echo(f"aqc: {error}", err=True)
            raise typer.Exit(_FAILED) from None


def _read(name: str) -> dict[str, Any]:
    try:
        text = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise InputError(f"The file cannot be read: {error.strerror}.") from error
    content = parse_json(text)
    if not isinstance(content, dict) or not content.keys() & {"hamiltonian", "target"}:
        raise InputError(
            "The input must be a JSON object with the field `hamiltonian`, or with a `target`."
        )
    return inline(content, Path() if name == "-" else Path(name).parent)


def _finish(job: Job, url: str) -> None:
    typer.echo(_told(job, url), err=True)
    if job.state != "succeeded":
        raise typer.Exit(_FAILED)


def _told(job: Job, url: str) -> str:
    """Return a job for people, with a row for each of several times."""
    parts = [console.table(_rows(job, url))]
    if job.fields["series"]:
        parts.append(console.series_table(job.fields["series"]))
    return "\n\n".join(parts)


def _format_of(job: Job) -> Format:
    return "json" if job.fields["kind"] == "kernel" else "qasm3"


def _rows(job: Job, url: str) -> dict[str, str]:
    fields = job.fields
    rows = {
        "job": job.id,
        "name": fields["name"],
        "tags": " ".join(fields["tags"]),
        "state": " ".join(filter(None, (job.state, fields["reason"]))),
        "message": fields["message"],
        "note": " ".join(fields["notes"]),
        **(_of_kernel(fields) if fields["kind"] == "kernel" else _of_compile(job)),
        "created": _local(fields["created_at"]),
        "finished": fields["finished_at"] and _local(fields["finished_at"]),
        "seconds": f"{fields['wall_seconds']:.1f}",
        "page": f"{url.rstrip('/')}{fields['links']['page']}",
    }
    return {name: value for name, value in rows.items() if value}


def _of_compile(job: Job) -> dict[str, Any]:
    fields = job.fields
    progress, best, outcome = (fields[name] or {} for name in ("progress", "best", "result"))
    infidelity = _infidelity(fields)
    return {
        "qubits": str(fields["num_qubits"]),
        "stage": None if job.is_finished else progress.get("stage"),
        "times": _times(fields),
        "infidelity": None if infidelity is None else f"{infidelity:.3g}",
        "two-qubit gates": outcome
        and f"{outcome['two_qubit_gates']}, depth {outcome['two_qubit_depth']}",
        "best Trotter": outcome
        and outcome["trotter"]
        and f"infidelity {outcome['trotter']['infidelity']:.3g}, depth "
        f"{outcome['trotter']['two_qubit_depth']}",
        "best so far": None if outcome or not best else _best(best),
    }


def _of_kernel(fields: Any) -> dict[str, Any]:
    asked, fraction = fields["problem"], (fields["progress"] or {}).get("fraction")
    return {
        "kernel": f"{asked['kernel']}, {asked['operation']}",
        "done": None if fraction is None or fields["result"] else f"{fraction:.0%}",
    }


def _times(fields: Any) -> str | None:
    if fields["kind"] != "series":
        return None
    return f"{len(fields['series'])} of {len(fields['problem']['times'])} done"


def _best(best: Any) -> str:
    of_time = f"of time number {best['time_number']}: " if best["time_number"] else ""
    if best["infidelity"] is None:
        return f"{of_time}where the optimization starts"
    return f"{of_time}infidelity {best['infidelity']:.3g}"


def _infidelity(fields: Any) -> float | None:
    for name in ("result", "progress"):
        if fields[name] and fields[name].get("infidelity") is not None:
            return float(fields[name]["infidelity"])
    return None


def _notes(job: Job) -> None:
    for note in job.fields["notes"]:
        typer.echo(f"aqc: {note}", err=True)


def _local(moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")
