"""The command `aqc extend`: Trotter steps behind a compiled circuit."""

import json
from pathlib import Path
from typing import Annotated

import typer

from aqc import console, output, runtime
from aqc.commands import refusals
from aqc.errors import InputError

EXTENDED = "extended.json"


def extend(
    directory: Annotated[
        Path, typer.Argument(metavar="RESULT", help="Directory that aqc compile wrote.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Directory for the circuit.")],
    step_time: Annotated[float, typer.Option(help="Time of each step.")],
    steps: Annotated[int, typer.Option(help="Number of steps of second order.")] = 1,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a result, or write beside other files.")
    ] = False,
) -> None:
    """Append Trotter steps to a compiled circuit, and compare with Trotter alone.

    The circuit is certified against the exact state of the longer time; both it and the best plain
    formula of its depth are told.
    """
    output.check_directory(out, force=force)
    with refusals(str(directory)):
        result = output.read_result(directory)
        runtime.limit_threads(None)
        from aqc.extend import extend as append_steps
        from aqc.interop import files, qasm
        from aqc.problem import Problem

        problem = Problem.from_dict(result["problem"])
        layout = result["layout"]
        try:
            circuit = files.load_circuit(directory / "circuit.qpy")
        except OSError as error:
            raise InputError(f"circuit.qpy cannot be read: {error.strerror}.") from error
        made = append_steps(
            problem, circuit, steps, step_time, layout=None if layout is None else tuple(layout)
        )
    out.mkdir(parents=True, exist_ok=True)
    (out / "circuit.qasm").write_text(qasm.to_qasm3(made.circuit))
    (out / "circuit.qasm2").write_text(qasm.to_qasm2(made.circuit))
    files.save_qpy(made.circuit, out / "circuit.qpy")
    (out / EXTENDED).write_text(json.dumps(made.to_dict(), indent=2, allow_nan=False) + "\n")
    certificate, trotter = made.certificate, made.trotter
    rows = {
        "compiled": f"t = {problem.time:g}, infidelity {result['infidelity']:.3g}, two-qubit depth "
        f"{result['two_qubit_depth']}",
        f"and {made.steps} steps": f"t = {made.problem.time:g}, infidelity "
        f"{certificate.infidelity:.3g} (bound {certificate.infidelity_bound:.3g}), two-qubit depth "
        f"{made.two_qubit_depth}, {made.two_qubit_gates} gates",
        "Trotter alone": f"t = {made.problem.time:g}, infidelity {trotter.infidelity:.3g}, depth "
        f"{trotter.two_qubit_depth} in CX, {trotter.two_qubit_gates} CX",
    }
    typer.echo(console.table(rows))
    typer.echo(f"Written to {out}: circuit.qasm, circuit.qasm2, circuit.qpy, {EXTENDED}")
