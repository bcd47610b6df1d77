"""What a compile shows in the terminal: its progress, and a summary of its result."""

import contextlib
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from aqc.progress import Progress, Report

STAGES = {
    "import": "loading libraries",
    "target": "computing the target state",
    "compile": "compiling the contraction",
    "optimize": "optimizing",
    "certify": "certifying",
}

_STATUSES = {
    "goal_reached": "goal reached",
    "stalled": "goal missed: no further progress",
    "max_steps_reached": "goal missed: all evaluations are used",
    "max_depth_reached": "goal missed: the memory allowed holds no more layers",
    "interrupted": "interrupted: the best circuit so far",
}


@contextlib.contextmanager
def bar() -> Iterator["Report"]:
    """Show a progress bar for each stage on stderr, with evaluations and infidelity so far.

    Yields:
        The callback for `compile_problem`.
    """
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Display

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
    )
    with Display(*columns, console=Console(stderr=True), transient=True) as display:
        lines: dict[str, TaskID] = {}

        def report(progress: "Progress") -> None:
            if progress.stage not in lines:
                for line in lines.values():
                    display.update(line, total=1.0, completed=1.0)
                description = STAGES.get(progress.stage, progress.stage)
                lines[progress.stage] = display.add_task(description, total=None, state="")
            display.update(
                lines[progress.stage],
                total=None if progress.fraction is None else 1.0,
                completed=progress.fraction,
                state=describe(progress),
            )

        yield report


def describe(progress: "Progress") -> str:
    """Return layers, evaluations and infidelity so far, in words.

    Example:
        >>> from aqc.progress import Progress
        >>> describe(Progress("optimize", 0.1, 20, 0.0123))
        '20 evaluations, infidelity 0.0123'
    """
    parts = [_which(progress)] if progress.time_number else []
    parts += [f"{progress.layers} layers"] if progress.layers else []
    parts += [f"{progress.evaluations} evaluations"] if progress.evaluations else []
    if progress.infidelity is not None:
        parts.append(f"infidelity {_short(progress.infidelity)}")
    return ", ".join(parts)


def _which(progress: "Progress") -> str:
    """Return which of several times is being compiled."""
    return f"time {progress.time_number} of {progress.time_count}"


@contextlib.contextmanager
def stage_lines() -> Iterator["Report"]:
    """Write a line to stderr when a stage begins: for logs and pipes.

    Yields:
        The callback for `compile_problem`.
    """
    seen: set[tuple[str, int | None, int | None]] = set()

    def report(progress: "Progress") -> None:
        step = (progress.stage, progress.layers, progress.time_number)
        if step not in seen:
            seen.add(step)
            layers = f" {progress.layers} layers" if progress.layers else ""
            which = f" ({_which(progress)})" if progress.time_number else ""
            stage = STAGES.get(progress.stage, progress.stage)
            typer.echo(f"aqc: {stage}{layers}{which}", err=True)

    yield report


@contextlib.contextmanager
def json_lines() -> Iterator["Report"]:
    """Write what changes to stdout, a JSON object on each line.

    The fields are "stage", "evaluations" and "infidelity" so far (null before there is one), and
    "fraction" of the stage, in hundredths (null when unknown). Where several depths are fitted,
    "layers" says which one; of several times "time", "time_number" and "time_count" say which.

    Yields:
        The callback for `compile_problem`.
    """
    last = ""

    def report(progress: "Progress") -> None:
        nonlocal last
        fraction = None if progress.fraction is None else round(progress.fraction, 2)
        fields = {
            "stage": progress.stage,
            "evaluations": progress.evaluations,
            "infidelity": progress.infidelity,
            "fraction": fraction,
        }
        for name in ("layers", "time", "time_number", "time_count"):
            if (value := getattr(progress, name)) is not None:
                fields[name] = value
        line = json.dumps(fields)
        if line != last:
            typer.echo(line)
        last = line

    yield report


@contextlib.contextmanager
def silence() -> Iterator["Report"]:
    """Show nothing.

    Yields:
        The callback for `compile_problem`.
    """
    yield lambda progress: None


def for_people() -> contextlib.AbstractContextManager["Report"]:
    """Return a bar on a terminal, else lines."""
    return bar() if sys.stderr.isatty() else stage_lines()


def summary(result: dict[str, Any]) -> str:
    """Return what matters of a result.json, in a few lines.

    Args:
        result: Content of result.json.

    Returns:
        Text without a final line break.
    """
    trotter, optimizer = result["trotter"], result["optimizer"]
    seconds = dict(result["seconds"])
    total = seconds.pop("total")
    goal = result["problem"]["goal"]["infidelity"]
    status = _STATUSES.get(optimizer["status"], optimizer["status"])
    parts = ", ".join(f"{stage} {value:.1f}" for stage, value in seconds.items())
    rows = {
        "result": f"{result['num_qubits']} qubits, {result['layers']} brick layers; {status}",
        "infidelity": f"{_short(result['infidelity'])} (goal {goal:.3g}) after "
        f"{optimizer['evaluations']} evaluations",
        "bound": bound(result["certificate"]),
        **_on_inputs(result["certificate"]),
        "two-qubit gates": f"{result['two_qubit_gates']}, depth {result['two_qubit_depth']}",
    }
    if result["observables"] is not None:
        rows["observables"] = _largest_errors(result["observables"])
    if trotter is not None:
        rows["best Trotter"] = (
            f"infidelity {_short(trotter['infidelity'])}{_ratio(result)}: order "
            f"{trotter['order']}, {trotter['two_qubit_gates']} two-qubit gates, depth "
            f"{trotter['two_qubit_depth']}"
        )
    rows["seconds"] = f"{total:.1f} ({parts})"
    lines = [table(rows)]
    if len(result.get("sweep", ())) > 1:  # results of earlier versions have none
        lines += ["", sweep_table(result["sweep"])]
    return "\n".join(lines)


def sweep_table(sweep: list[dict[str, Any]]) -> str:
    """Return the infidelity against the depth, a line for each depth.

    Args:
        sweep: `sweep` of a result.json.

    Example:
        >>> entry = {"layers": 3, "infidelity": 0.01, "start_infidelity": 0.25}
        >>> print(sweep_table([entry | {"evaluations": 40, "status": "stalled"}]))
        layers  infidelity  not optimized  evaluations  status
             3        0.01           0.25           40  stalled
    """
    on_device = "total_fidelity" in sweep[0]
    lines = ["layers  infidelity  not optimized  evaluations  status"]
    lines += [
        f"{entry['layers']:6}  {_short(entry['infidelity']):>10}  "
        f"{_short(entry['start_infidelity']):>13}  {entry['evaluations']:11}  {entry['status']}"
        for entry in sweep
    ]
    if on_device:  # the fidelity of what the device makes: the circuit's own times the noise's
        column = [" on device", *(f"{entry['total_fidelity']:10.4f}" for entry in sweep)]
        lines = [f"{line[:6]}{more}{line[6:]}" for line, more in zip(lines, column, strict=True)]
    return "\n".join(lines)


def series_table(rows: list[dict[str, Any]]) -> str:
    """Return the rows of series.json for people.

    Example:
        >>> row = {"time": 0.5, "layers": 3, "two_qubit_depth": 7, "infidelity": 1e-3}
        >>> print(series_table([row | {"trotter_infidelity": 2e-2}]))
            time  layers  two-qubit depth  infidelity  Trotter there
             0.5       3                7       0.001           0.02
    """
    lines = ["    time  layers  two-qubit depth  infidelity  Trotter there"]
    for row in rows:
        trotter = row["trotter_infidelity"]
        lines.append(
            f"{row['time']:8.4g}  {row['layers']:6}  {row['two_qubit_depth']:15}  "
            f"{row['infidelity']:10.3g}  {'' if trotter is None else f'{trotter:.3g}':>13}"
        )
    return "\n".join(lines)


def bound(certificate: dict[str, Any]) -> str:
    """Return the bound of a certificate and what kind of bound it is.

    Example:
        >>> bound({"infidelity_bound": 0.0123, "bound_kind": "rigorous"})
        'at most 0.0123 from the exact evolution (rigorous)'
    """
    value, kind = certificate["infidelity_bound"], certificate["bound_kind"]
    return f"at most {value:.3g} from the exact evolution ({kind})"


def _on_inputs(certificate: dict[str, Any]) -> dict[str, str]:
    """Return the rows of a unitary's certificate."""
    if "average_gate_fidelity" not in certificate:
        return {}
    rows = {
        "of all inputs": f"average fidelity {certificate['average_gate_fidelity']:.9g}, worst "
        f"error {_short(certificate['spectral_distance'])} in norm "
        f"({certificate['spectral_kind']})"
    }
    for power in certificate["powers"]:
        measured = power["infidelity"]
        rows[f"power {power['power']}"] = (
            "" if measured is None else f"infidelity {_short(measured)}, "
        ) + f"at most {_short(power['infidelity_bound'])}"
    return rows


def certificate_table(certificate: dict[str, Any]) -> str:
    """Return a certificate in two columns.

    Args:
        certificate: `Certificate.to_dict()`.

    Returns:
        Text without a final line break.
    """
    rows = {
        "infidelity": _short(certificate["infidelity"]),
        "bound": bound(certificate),
        **_on_inputs(certificate),
        "of the target": f"truncation {certificate['target_truncation']:.3g}, "
        f"Trotter error {certificate['target_trotter_estimate']:.3g}",
        "simulated by": f"{certificate['method']}, truncation "
        f"{certificate['circuit_truncation']:.3g}",
    }
    return table(rows)


def estimate_table(fields: dict[str, Any]) -> str:
    """Return an estimate in two columns.

    Args:
        fields: `Estimate.to_dict()`.

    Returns:
        Text without a final line break.
    """
    rows = {
        "problem": f"{fields['num_qubits']} qubits, {fields['layers']} brick layers",
        "bond dimension": f"{fields['bond_dimension']} (forecast from the middle of the chain)",
        "memory": f"{fields['memory_bytes'] / 1e9:.3g} GB of the "
        f"{fields['memory_limit_bytes'] / 1e9:.3g} GB allowed",
        "time": f"about {fields['seconds']:.3g} s if all evaluations are used (an estimate)",
    }
    return table(rows)


def table(rows: dict[str, str]) -> str:
    """Return names and values in two columns.

    Example:
        >>> print(table({"infidelity": "0.01", "depth": "25"}))
        infidelity  0.01
        depth       25
    """
    width = max(map(len, rows))
    return "\n".join(f"{name:{width}}  {value}" for name, value in rows.items())


def _short(infidelity: float) -> str:
    # Rounding may leave -0.0 where nothing is lost.
    return f"{infidelity + 0.0:.3g}"


def _largest_errors(observables: dict[str, Any]) -> str:
    parts = [
        f"<{name.upper()}> within {observables[name]['max_error']:.2g}" for name in ("z", "zz")
    ]
    energy = observables["energy"]
    if energy is not None:
        parts.append(f"energy {energy['circuit']:.5g} (target {energy['target']:.5g})")
    return ", ".join(parts)


def _ratio(result: dict[str, Any]) -> str:
    """How many times worse Trotter is, where a ratio says something."""
    worse = result["trotter"]["infidelity"] / max(result["infidelity"], 1e-16)
    return f" ({worse:.3g} times ours)" if worse > 0 else ""
