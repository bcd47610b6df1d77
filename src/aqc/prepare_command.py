"""The command `aqc prepare`: a short circuit for any matrix product state, or a ground state."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aqc import console, output, runtime
from aqc.commands import refusals
from aqc.errors import InputError

if TYPE_CHECKING:
    from aqc.hamiltonian import Hamiltonian
    from aqc.mps import MPS

_STATE = typer.Argument(
    metavar="STATE",
    help="Tensors (.npz), or JSON with a Hamiltonian whose ground state is prepared: "
    '{"model": "heisenberg_chain", "num_qubits": 50}.',
)
_MOST_STAIRCASES = 48
STAIRCASE = "staircase.json"


def prepare(
    state: Annotated[Path, _STATE],
    out: Annotated[Path, typer.Option("--out", "-o", help="Directory for the result.")],
    layers: Annotated[int, typer.Option(help="Brick layers of the circuit.")] = 6,
    infidelity: Annotated[float, typer.Option(help="Where the optimizer may stop.")] = 0.01,
    max_steps: Annotated[int, typer.Option(help="Most evaluations of the optimizer.")] = 300,
    max_bond: Annotated[int, typer.Option(help="Largest bond dimension of a ground state.")] = 64,
    staircase: Annotated[
        bool, typer.Option(help="Compare with the generic method, staircases of gates.")
    ] = True,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a result, or write beside other files.")
    ] = False,
) -> None:
    """Compile a circuit that prepares a matrix product state, such as a ground state.

    Beside the result of a compile, staircase.json says what the generic method (Ran,
    arXiv:1908.07958) needs for the same infidelity, or how far it comes in 48 layers.
    """
    output.check_directory(out, force=force)
    with refusals(str(state)):
        runtime.limit_threads(None)
        runtime.use_compilation_cache()
        target, hamiltonian = _read(state, max_bond)
        settings: dict[str, Any] = {
            "ansatz": {"layers": layers},
            "goal": {"infidelity": infidelity},
            "optimizer": {"max_steps": max_steps},
            **({} if hamiltonian is None else {"hamiltonian": hamiltonian}),
        }
        with console.for_people() as report:
            from aqc.compile import compile_state

            result = compile_state(target, progress=report, **settings)
            written = output.write_result(out, result, result.problem)
        typer.echo(console.summary(result.to_dict()))
        if staircase:
            compared = _staircase(target, result.certificate.infidelity)
            (out / STAIRCASE).write_text(json.dumps(compared, indent=2) + "\n")
            ratio = compared["two_qubit_depth"] / max(result.two_qubit_depth, 1)
            typer.echo(
                f"staircases       infidelity {compared['infidelity']:.3g} with "
                f"{compared['layers']}: {compared['two_qubit_gates']} two-qubit gates, depth "
                f"{compared['two_qubit_depth']} ({ratio:.3g} times ours)"
            )
    typer.echo(f"Written to {out}: {', '.join(path.name for path in written)}")


def _read(path: Path, max_bond: int) -> "tuple[MPS, Hamiltonian | None]":
    """Return the state to prepare, and the Hamiltonian whose ground state it is."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"The file cannot be read: {error.strerror}.") from error
    if path.suffix.lower() == ".npz":
        from aqc.inline import inline
        from aqc.problem import Problem
        from aqc.targets import make_target

        problem = Problem.from_dict(inline({"target": {"state": str(path)}}))
        return make_target(problem).mps, None
    from aqc.hamiltonian import Hamiltonian
    from aqc.hamiltonian_json import read_hamiltonian
    from aqc.strict_json import parse_json

    value = parse_json(content)
    if isinstance(value, dict) and "hamiltonian" in value:
        value = value["hamiltonian"]
    found = read_hamiltonian(value)
    hamiltonian = found if isinstance(found, Hamiltonian) else found.hamiltonian
    from aqc.interop.quimb import ground_state

    state, energy = ground_state(hamiltonian, max_bond=max_bond)
    typer.echo(f"Ground state: energy {energy:.9g}, bond dimension {state.max_bond}", err=True)
    return state, hamiltonian


def _staircase(target: "MPS", infidelity: float) -> dict[str, Any]:
    from aqc.interop.fusion import from_zeros
    from aqc.interop.synthesis import synthesize, two_qubit_counts
    from aqc.staircase import staircases

    found = staircases(target, infidelity=infidelity, most=_MOST_STAIRCASES)
    gates, depth = two_qubit_counts(synthesize(from_zeros(found.circuit())).circuit)
    return {
        "layers": len(found.layers),
        "infidelity": found.infidelities[-1],
        "infidelities": list(found.infidelities),
        "two_qubit_gates": gates,
        "two_qubit_depth": depth,
    }
