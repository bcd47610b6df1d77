"""The script `aqc`: thin commands around the engine.

Nothing numerical is imported before a command needs it, so `aqc --help` and `aqc version` are
quick, and thread limits are set before the libraries read them.
"""

import atexit
import contextlib
import gc
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aqc import console, extend_command, kernel_commands, output, prepare_command, runtime
from aqc.commands import INTERRUPTED, CommandGroup, refusals
from aqc.errors import InputError
from aqc.progress import Progress
from aqc.versions import versions

if TYPE_CHECKING:
    from aqc.problem import Problem
    from aqc.progress import Report
    from aqc.result import CompileResult
    from aqc.target import Target

app = typer.Typer(
    cls=CommandGroup,
    help="Compile quantum dynamics: a spin Hamiltonian and a time in, a short circuit out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

app.add_typer(kernel_commands.app, name="kernel")
app.command("prepare")(prepare_command.prepare)
app.command("extend")(extend_command.extend)

_TAKES = {
    "bond": "a number or n - 1 of them, one for each bond",
    "site": "a number or n of them, one for each site",
    "nothing": "a number",
    "count": "an integer",
}

_PROBLEM = typer.Argument(
    metavar="PROBLEM",
    help='problem.json ("-" reads it from standard input); or a circuit (.qasm, .qpy) or a state '
    "(.npz) to compile with all defaults.",
)
# What a file that is no problem.json holds, by its ending.
_FORMS = {".qasm": "circuit", ".qasm2": "circuit", ".qpy": "circuit", ".npz": "state"}


@app.command("compile")
def compile_command(
    problem: Annotated[str, _PROBLEM],
    out: Annotated[Path, typer.Option("--out", "-o", help="Directory for the result.")],
    force: Annotated[
        bool, typer.Option("--force", help="Replace a result, or write beside other files.")
    ] = False,
    json_progress: Annotated[
        bool, typer.Option("--json-progress", help="Progress as JSON lines on stdout.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show nothing but errors.")] = False,
    target: Annotated[
        Path | None, typer.Option(help="The target that `aqc target` wrote for this problem.")
    ] = None,
    figures: Annotated[
        bool,
        typer.Option(help="Draw the figures, or (0.7 s less) write figures.json to draw later."),
    ] = True,
) -> None:
    """Compile time evolution, a deep circuit or a matrix product state into a short circuit.

    Ctrl-C ends the optimization; the best circuit so far is certified and written (exit code
    130). A second Ctrl-C stops at once and writes nothing. A missed goal is no failure: the
    result says so.

    --json-progress writes objects with "stage" (target, compile, optimize, certify),
    "evaluations", "infidelity" and "fraction" of the stage; the last one has the stage "done",
    the directory and all of result.json.
    """
    if quiet and json_progress:
        raise InputError("--quiet and --json-progress exclude each other.")
    output.check_directory(out, force=force)
    settings = _read(problem)
    display = console.for_people()
    if quiet or json_progress:
        display = console.silence() if quiet else console.json_lines()
    with _all_or_nothing(), refusals(_shown(problem)), display as report:
        from aqc.compile import compile_problem

        if isinstance(settings, tuple):
            _compile_series(settings, out, report, target)
            return
        saved = None if target is None else _load_target(target)
        result = compile_problem(settings, progress=report, target=saved)
        written = output.write_result(out, result, settings, draw=figures)
    _conclude(result.to_dict(), written, json_progress=json_progress, quiet=quiet)
    if result.status == "interrupted":
        raise typer.Exit(INTERRUPTED)


@app.command("target")
def target_command(
    problem: Annotated[str, _PROBLEM],
    out: Annotated[Path, typer.Option("--out", "-o", help="The .npz file to write.")],
) -> None:
    """Compute the state to reach once, for compiles with other ansaetze and goals."""
    settings = _read_problem(problem)
    if not out.parent.is_dir():
        raise InputError(f"--out must name a file in a directory, but {out.parent} is none.")
    with console.for_people() as report, refusals(_shown(problem)):
        from aqc.targets import make_target

        made = make_target(settings, lambda fraction: report(Progress("target", fraction)))
        made.save(out)
    typer.echo(
        f"{out}: {made.mps.num_qubits} qubits, bond dimension {made.mps.max_bond}, "
        f"at most {made.infidelity_bound:.3g} from the exact state"
    )


@app.command()
def certify(
    circuit: Annotated[
        Path,
        typer.Argument(
            metavar="CIRCUIT",
            help="OpenQASM 2 or 3, or QPY; acts on |0...0>, or in unitary mode on every input.",
        ),
    ],
    problem: Annotated[str, _PROBLEM],
    layout: Annotated[
        str | None,
        typer.Option(
            metavar="Q,Q,...",
            help="Where each site ends on a device, as in result.json; else qubit i is site i.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="The certificate as JSON on stdout.")
    ] = False,
) -> None:
    """Certify any circuit against a problem."""
    settings = _read_problem(problem)
    with console.for_people() as report:
        with refusals(str(circuit)):
            from aqc.interop.files import load_circuit

            given = load_circuit(circuit)
            if layout is not None:
                from aqc.interop.routing import chain_circuit

                given = chain_circuit(given, _qubits(layout, settings.num_qubits))
        with refusals(_shown(problem)):
            from aqc.targets import make_target

            target = make_target(settings, lambda fraction: report(Progress("target", fraction)))
        with refusals(str(circuit)):
            from aqc.certificates import certificate_for

            if layout is not None and settings.mode == "state":
                target = target.padded(given.num_qubits)  # helpers of the routing: last, in |0>
            certificate = certificate_for(settings, given, target)
    if as_json:
        typer.echo(json.dumps(certificate.to_dict(), indent=2))
    else:
        typer.echo(console.certificate_table(certificate.to_dict()))


@app.command()
def estimate(
    problem: Annotated[str, _PROBLEM],
    as_json: Annotated[
        bool, typer.Option("--json", help="The estimate as JSON on stdout.")
    ] = False,
) -> None:
    """Predict bond dimension, memory and time; exit code 2 if the memory allowed is too little.

    The time is an estimate from this machine's own speed, for all evaluations of the optimizer;
    most compiles reach their goal earlier.
    """
    settings = _read(problem)
    with refusals(_shown(problem)):
        from aqc.times import estimate_times

        told = estimate_times(settings if isinstance(settings, tuple) else (settings,))
        fields = told.to_dict()
        typer.echo(json.dumps(fields, indent=2) if as_json else console.estimate_table(fields))
        told.check()


@app.command()
def show(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="What aqc compile wrote.")],
) -> None:
    """Print the summary of a result again."""
    typer.echo(console.summary(output.read_result(directory)))


@app.command()
def models() -> None:
    """Print the named models and their formulas."""
    from aqc.models import MODELS

    typer.echo("Chains and lattices of n sites; X, Y, Z are Pauli matrices.")
    for model in MODELS.values():
        typer.echo(f"\n{model.name}\n  H = {model.formula}")
        rows = {
            f"    {parameter.name}": f"{parameter.meaning}: {_TAKES[parameter.varies]}, "
            f"default {parameter.default:g}"
            for parameter in model.parameters
        }
        typer.echo(console.table(rows))


@app.command("version")
def version_command(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Print the versions of aqc and its libraries."""
    found = versions()
    typer.echo(json.dumps(found, indent=2) if as_json else console.table(found))


def main() -> None:
    """Run the script `aqc`."""
    # The last collection of garbage would walk through all of JAX and Qiskit for 0.3 s.
    atexit.register(gc.freeze)
    app(prog_name="aqc")


def _read_problem(name: str) -> "Problem":
    """Read a problem of one time and set up the process for it."""
    settings = _read(name)
    if isinstance(settings, tuple):
        with refusals(_shown(name)):
            raise InputError("`times` is for `aqc compile`; give one `time` here.", "/times")
    return settings


def _compile_series(
    problems: "tuple[Problem, ...]", out: Path, report: "Report", target: Path | None
) -> None:
    """Compile one time after another, each into a directory of its own."""
    from aqc.series import compile_series

    if target is not None:
        raise InputError("--target is for one `time`, but the problem has several.")
    rows: list[dict[str, Any]] = []

    def write(result: "CompileResult") -> None:
        directory = out / f"time_{len(rows) + 1}"
        output.write_result(directory, result, result.problem)
        rows.append(output.series_row(result.to_dict(), directory.name))
        output.write_series(out, rows)

    last = compile_series(problems, progress=report, on_result=write)[-1]
    typer.echo(console.series_table(rows))
    if last.status == "interrupted":
        raise typer.Exit(INTERRUPTED)


def _read(name: str) -> "Problem | tuple[Problem, ...]":
    """Read a problem and set up the process for it; to be called before NumPy is loaded."""
    with refusals(_shown(name)):
        try:
            text = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        except OSError as error:
            raise InputError(f"The file cannot be read: {error.strerror}.") from error
        runtime.limit_threads(runtime.requested_threads(text))
        runtime.use_compilation_cache()
        from aqc.inline import inline
        from aqc.problem import Problem
        from aqc.strict_json import parse_json

        form = _FORMS.get(Path(name).suffix.lower())
        if form is not None:
            return Problem.from_dict(inline({"target": {form: name}}))
        content = parse_json(text)
        if isinstance(content, dict):
            content = inline(content, Path() if name == "-" else Path(name).parent)
        if isinstance(content, dict) and "times" in content:
            from aqc.times import read_problems

            return read_problems(content)
        return Problem.from_dict(content)


def _load_target(path: Path) -> "Target":
    from aqc.target import Target

    return Target.load(path)


def _qubits(text: str, count: int) -> tuple[int, ...]:
    qubits = text.split(",")
    if len(qubits) != count or not all(qubit.strip().isdecimal() for qubit in qubits):
        raise InputError(f"--layout must hold {count} qubits, like 3,4,5, but is {text}.")
    return tuple(map(int, qubits))


def _shown(name: str) -> str:
    return "<stdin>" if name == "-" else name


@contextlib.contextmanager
def _all_or_nothing() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("aqc: interrupted; nothing was written.", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _conclude(
    result: dict[str, Any], written: tuple[Path, ...], *, json_progress: bool, quiet: bool
) -> None:
    """Say how the compile ended, in the form that was asked for."""
    out = written[0].parent
    if json_progress:
        typer.echo(json.dumps({"stage": "done", "directory": str(out), **result}))
    elif not quiet:
        typer.echo(
            f"{console.summary(result)}\nWritten to {out}: {', '.join(f.name for f in written)}"
        )


if __name__ == "__main__":
    main()
