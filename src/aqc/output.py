"""The directory that a compile writes: refused early, written as a whole, read again."""

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aqc.errors import InputError

if TYPE_CHECKING:
    from aqc.problem import Problem
    from aqc.result import CompileResult

RESULT = "result.json"
FIGURES = "figures.json"
# Of several times: one row for each, which has a directory of its own.
SERIES = "series.json"

# In the order in which they are put in place; a result.json says that the others are there.
FILES = (
    "problem.json",
    "circuit.qasm",
    "circuit.qasm2",
    "circuit.qpy",
    "circuit.png",
    "circuit.svg",
    "convergence.png",
    "convergence.svg",
    RESULT,
)
# Of a sweep over depths alone.
SWEEP_FILES = ("sweep.png", "sweep.svg")


def check_directory(directory: Path, *, force: bool) -> None:
    """Refuse a directory that `write_result` could not or should not write to.

    Args:
        directory: Where the result is to go; it need not exist.
        force: Accept a directory that is not empty.

    Raises:
        InputError: It is a file, holds a result or other files, or cannot be written to.
    """
    if directory.exists() and not directory.is_dir():
        raise InputError(f"--out must name a directory, but {directory} is a file.")
    present = sorted(entry.name for entry in directory.iterdir()) if directory.exists() else []
    if RESULT in present and not force:
        raise InputError(
            f"{directory} already holds a result; name another directory, or replace it by --force."
        )
    if present and not force:
        raise InputError(
            f"{directory} must be empty, but holds {_some(present)}; name another directory, or "
            "write beside them by --force."
        )
    for name in {*FILES, *SWEEP_FILES}.intersection(present):
        if not (directory / name).is_file():
            raise InputError(f"{directory / name} must be a file to be replaced, but is not.")
    try:
        with tempfile.TemporaryDirectory(prefix=".aqc-", dir=_nearest(directory)):
            pass
    except OSError as error:
        raise InputError(f"--out {directory} cannot be written: {error.strerror}.") from error


def write_result(
    directory: Path, result: "CompileResult", problem: "Problem", *, draw: bool = True
) -> tuple[Path, ...]:
    """Write everything about a compile; nothing appears before all of it could be written.

    Args:
        directory: Where to; created when missing. Files of other names stay untouched.
        result: What was compiled.
        problem: What was asked.
        draw: Draw the figures, which takes most of a second; otherwise figures.json holds what
            `aqc.figures.FIGURES` draws them from.

    Returns:
        The files.
    """
    with tempfile.TemporaryDirectory(prefix=".aqc-", dir=_nearest(directory)) as temporary:
        stage = Path(temporary)
        _write_circuit(stage, result)
        if draw:
            _write_figures(stage, result, problem)
        else:
            _write_json(stage / FIGURES, _figures(result, problem))
        _write_json(stage / "problem.json", problem.model_dump(mode="json"))
        _write_json(stage / RESULT, result.to_dict())
        directory.mkdir(parents=True, exist_ok=True)
        for name in (RESULT, *SWEEP_FILES):
            (directory / name).unlink(missing_ok=True)
        names = [name for name in (FIGURES, *SWEEP_FILES, *FILES) if (stage / name).exists()]
        for name in names:
            os.replace(stage / name, directory / name)
    return tuple(directory / name for name in names)


def series_row(result: dict[str, Any], directory: str) -> dict[str, Any]:
    """Return the row of series.json of one time.

    Args:
        result: The content of its result.json.
        directory: Where that lies, beside series.json.
    """
    trotter = result["trotter"]
    return {
        "time": result["problem"]["time"],
        "layers": result["layers"],
        "two_qubit_depth": result["two_qubit_depth"],
        "infidelity": result["infidelity"],
        "infidelity_bound": result["certificate"]["infidelity_bound"],
        "trotter_infidelity": None if trotter is None else trotter["infidelity"],
        "evaluations": sum(depth["evaluations"] for depth in result["sweep"]),
        "seconds": result["seconds"]["total"],
        "status": result["optimizer"]["status"],
        "directory": directory,
    }


def write_series(directory: Path, rows: list[dict[str, Any]]) -> None:
    """Write series.json: one row for each time that was compiled."""
    _write_json(directory / SERIES, rows)


def read_result(directory: Path) -> dict[str, Any]:
    """Read result.json of a directory.

    Raises:
        InputError: There is none, or it is not one of ours.
    """
    path = directory / RESULT
    try:
        result = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}.") from error
    if not isinstance(result, dict) or "certificate" not in result:
        raise InputError(f"{path} is not a result of aqc compile.")
    return result


def _write_circuit(stage: Path, result: "CompileResult") -> None:
    from aqc.interop import files, qasm

    (stage / "circuit.qasm").write_text(qasm.to_qasm3(result.circuit))
    (stage / "circuit.qasm2").write_text(qasm.to_qasm2(result.circuit))
    files.save_qpy(result.circuit, stage / "circuit.qpy")


def _write_figures(stage: Path, result: "CompileResult", problem: "Problem") -> None:
    from aqc import figures

    for name, data in _figures(result, problem).items():
        figure = figures.FIGURES[name](**data)
        for suffix in ("png", "svg"):
            figures.save(figure, stage / f"{name}.{suffix}")


def _figures(result: "CompileResult", problem: "Problem") -> dict[str, dict[str, Any]]:
    """Return by name what each figure is drawn from, as JSON can hold it."""
    found: dict[str, dict[str, Any]] = {
        # The chain's brickwork: with a coupling map, the circuit has the device's qubits.
        "circuit": {"num_qubits": problem.num_qubits, "layers": result.bricks},
        "convergence": {
            "history": result.optimum.history,
            "trotter_infidelity": result.trotter.infidelity if result.trotter else None,
            "goal": problem.goal.infidelity,
        },
    }
    if len(result.depths) > 1:
        depths = [(d.layers, d.infidelity, d.start_infidelity) for d in result.depths]
        found["sweep"] = {"depths": depths, "goal": problem.goal.infidelity}
        if problem.goal.device is not None:
            found["sweep"]["on_device"] = [1 - depth.total_fidelity for depth in result.depths]
    return found


def _write_json(path: Path, content: dict[str, Any] | list[dict[str, Any]]) -> None:
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")


def _nearest(directory: Path) -> Path:
    """The directory itself, or the nearest one above that exists."""
    directory = directory.absolute()
    return next(path for path in (directory, *directory.parents) if path.exists())


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
