"""`make demo`: start the service, compile a problem through it, show what came, stop.

Run as `python -m aqc_service.demo PROBLEM.json`; all it writes lies in aqc-out/demo-service.
"""

import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import httpx
import typer

from aqc import console
from aqc.client import DEFAULT_URL, Client, Format, Job, ServiceError
from aqc.commands import refusals
from aqc.errors import AqcError
from aqc.strict_json import parse_json

DIRECTORY = Path("aqc-out/demo-service")
_QASM_LINES = 12
_START_SECONDS, _STOP_SECONDS = 60.0, 20.0
_FILES: dict[Format, str] = {
    "qasm3": "circuit.qasm",
    "qasm2": "circuit.qasm2",
    "qpy": "circuit.qpy",
    "json": "result.json",
}
_PLOTS = ("circuit.svg", "convergence.svg")


def demo(problem: Path) -> None:
    """Compile a problem through a service of its own, and show the result."""
    began = time.monotonic()
    with refusals(str(problem)):
        content = parse_json(problem.read_bytes())
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    DIRECTORY.mkdir(parents=True)
    with service(DIRECTORY) as url, Client(url) as client:
        typer.echo(f"The service listens at {url}, its API is described at {url}/docs")
        job = client.submit(content, name=problem.stem)
        page = f"{url}{job.fields['links']['page']}"
        typer.echo(f"POST {problem} to {url}/v1/jobs: job {job.id}\nWatch it at {page}\n")
        job = _watch(client, job)
        if job.state != "succeeded":
            raise ServiceError(f"The job {job.state}: {job.fields['message']}")
        files = _download(client, url, job, DIRECTORY / "result")
        _show(client.result_json(job), files)
    again = f"{DEFAULT_URL}{job.fields['links']['page']}"
    typer.echo(f"\nIts page was {page}; to see it again at {again}")
    typer.echo(f"    {_script()} serve --data-dir {DIRECTORY / 'data'}")
    typer.echo(f"\nThe service stopped. All in {time.monotonic() - began:.1f} s.")


@contextlib.contextmanager
def service(directory: Path) -> Iterator[str]:
    """Run `aqc serve` on a free port of this machine; stop it at the end.

    Args:
        directory: For its data and its log.

    Yields:
        Its address, once it is ready to run jobs.

    Raises:
        ServiceError: If it does not start or does not stop.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--host", "127.0.0.1", "--port", str(port), "--data-dir", str(directory / "data")]
    log = directory / "service.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "aqc_service", "serve", *options], stdout=stream, stderr=stream
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(url, process, log)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise ServiceError(f"The service did not stop; its log is {log}.") from None


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/v1/readyz").is_success:
                return
        time.sleep(0.1)
    raise ServiceError(f"The service did not start; its log is {log}:\n{log.read_text()[-2000:]}")


def _watch(client: Client, job: Job) -> Job:
    if sys.stderr.isatty():
        return client.wait(job)
    shown = ""
    for event in client.events(job):
        line = _line(event.kind, event.data)
        if line != shown:
            typer.echo(line)
        shown = line
    return client.job(job)


def _line(kind: str, data: Any) -> str:
    if kind != "progress":
        return str(data.get("state") or data["text"])
    if data.get("infidelity") is None:
        return f"  {data['stage']}"
    return (
        f"  {data['stage']}: {data['evaluations']} evaluations, infidelity {data['infidelity']:.3g}"
    )


def _download(client: Client, url: str, job: Job, directory: Path) -> list[Path]:
    directory.mkdir()
    for form in get_args(Format):
        (directory / _FILES[form]).write_bytes(client.download(job, form))
    for name in _PLOTS:
        answer = httpx.get(f"{url}/v1/jobs/{job.id}/plots/{name}").raise_for_status()
        (directory / name).write_bytes(answer.content)
    return sorted(directory.iterdir())


def _show(result: dict[str, Any], files: list[Path]) -> None:
    lines = next(path for path in files if path.suffix == ".qasm").read_text().splitlines()
    typer.echo("\n".join(["", *lines[:_QASM_LINES], f"... {len(lines) - _QASM_LINES} more lines"]))
    typer.echo(f"\n{console.summary(result)}")
    typer.echo(f"\nThe certificate:\n{console.certificate_table(result['certificate'])}")
    typer.echo("\nThe files:\n" + "\n".join(f"    {path}" for path in files))


def _script() -> str:
    script = Path(sys.executable).with_name("aqc")
    return str(script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script)


def main() -> None:
    """Run the demo on the problem that the command line names."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command()(demo)
    try:
        app()
    except AqcError as error:
        typer.echo(f"aqc: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
