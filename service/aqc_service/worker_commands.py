"""The commands `aqc worker`, `aqc worker list` and `aqc worker drain`."""

import os
from typing import Annotated, Literal

import typer

from aqc.errors import InputError
from aqc_service.commands import DataDir, read_settings, storage_errors

app = typer.Typer(
    help="Take jobs from the queue and run them, until SIGTERM; or look after the workers.",
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
)

_STATES = ("alive", "draining")


@app.callback()
def worker(
    context: typer.Context,
    data_dir: DataDir = None,
    device: Annotated[
        Literal["cpu", "gpu"] | None, typer.Option(help="What it computes on.")
    ] = None,
) -> None:
    """Take jobs from the queue and run them, until SIGTERM; or look after the workers."""
    from aqc_service import logs, processes

    settings = read_settings(data_dir=data_dir, device=device)
    context.obj = settings
    if context.invoked_subcommand is not None:
        return
    from aqc_service.worker import Worker

    if settings.device == "gpu":
        # Where there is none, jobs shall fail and not be computed elsewhere.
        os.environ.setdefault("JAX_PLATFORMS", "cuda")
    processes.follow_supervisor()
    processes.wait_at_gate()
    logs.configure(as_json=settings.log_json)
    with storage_errors():
        Worker(settings).run()


@app.command("list")
def list_(context: typer.Context) -> None:
    """Show the workers that give signs of life, and how many jobs each has."""
    from aqc_service.attempts import Attempts
    from aqc_service.store import Store

    with storage_errors():
        store = Store.open(context.obj)
        try:
            busy = [job.worker_id for job in Attempts(store.engine).held_by()]
            workers = store.workers(_STATES)
        finally:
            store.close()
    for one in workers:
        since = one.started_at.astimezone().strftime("%Y-%m-%d %H:%M")
        jobs = f"{busy.count(one.id)} of {one.slots} jobs"
        typer.echo(
            f"{one.id}  {one.host}:{one.pid}  {','.join(one.queues)}  {one.state}  {jobs}  {since}"
        )
    if not workers:
        typer.echo("No worker is alive.", err=True)


@app.command()
def drain(
    context: typer.Context,
    worker_id: Annotated[str, typer.Argument(metavar="WORKER", help="Its id, or how it ends.")],
) -> None:
    """Let a worker end the jobs that it has, take no more, and leave."""
    from aqc_service.store import Store

    with storage_errors():
        store = Store.open(context.obj)
        try:
            found = [one for one in store.workers(_STATES) if one.id.endswith(worker_id)]
            if len(found) != 1:
                raise InputError(
                    f"{len(found)} workers have an id that ends with {worker_id}; it must be one. "
                    f"`aqc worker list` shows them."
                )
            store.drain(found[0].id)
        finally:
            store.close()
    typer.echo(f"{found[0].host}:{found[0].pid} takes no more jobs.")
