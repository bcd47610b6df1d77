"""Run aqc and qiskit-addon-aqc-tensor on the same problem in turn, and print the ratios.

Whole processes on the same machine in the same run: start-up, imports and compilation included.
`make bench` sets up both and calls this.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, float, str]:
    """Run a command; return wall seconds, peak memory in GB and what it printed."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, env=os.environ | environment, text=True
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with exit code {process.returncode}.")
    return time.perf_counter() - began, usage.ru_maxrss / 1e6, output


def run_aqc(num_qubits: int, layers: int, infidelity: float, cache: str) -> dict[str, object]:
    """Compile with aqc; `cache` is the directory of JAX's compilation cache."""
    with tempfile.TemporaryDirectory() as directory:
        problem = Path(directory) / "problem.json"
        model = {"model": "xxz_chain", "num_qubits": num_qubits, "j": 1.0, "delta": 0.5}
        content = {
            "hamiltonian": model,
            "time": 1.0,
            "initial_state": "neel",
            "ansatz": {"layers": layers},
            "goal": {"infidelity": infidelity},
        }
        problem.write_text(json.dumps(content))
        command = [sys.executable, "-m", "aqc.cli", "compile", str(problem), "--quiet"]
        command += ["--no-figures"]  # the addon draws none either
        command += ["--out", str(Path(directory) / "out")]
        wall, memory, _ = timed(command, {"JAX_COMPILATION_CACHE_DIR": cache})
        result = json.loads((Path(directory) / "out" / "result.json").read_text())
    return {
        "wall_seconds": wall,
        "peak_gb": memory,
        "infidelity": result["infidelity"],
        "infidelity_bound": result["certificate"]["infidelity_bound"],
        "two_qubit_depth": result["two_qubit_depth"],
        "two_qubit_gates": result["two_qubit_gates"],
        "log_fidelity_per_site": result["certificate"]["log_fidelity_per_site"],
        "evaluations": result["optimizer"]["evaluations"],
        "seconds_per_evaluation": result["seconds"]["optimize"]
        / result["optimizer"]["evaluations"],
        "seconds": result["seconds"],
        "trotter": result["trotter"],
    }


def run_addon(
    python: str, num_qubits: int, layers: int, infidelity: float, evaluations: int
) -> dict[str, object]:
    """Compile with the addon, in the environment of another Python."""
    command = [python, str(HERE / "addon.py"), "--num-qubits", str(num_qubits)]
    command += ["--steps", str(layers // 2), "--infidelity", str(infidelity)]
    command += ["--max-evaluations", str(evaluations)]
    wall, memory, output = timed(command, {})
    return json.loads(output.splitlines()[-1]) | {"wall_seconds": wall, "peak_gb": memory}


def run_aqc_warm(num_qubits: int, layers: int, infidelity: float) -> dict[str, object]:
    """Compile twice in one process with aqc, as a warm worker does; report the second."""
    command = [sys.executable, str(HERE / "warm.py"), str(num_qubits), str(layers), str(infidelity)]
    _, memory, output = timed(command, {})
    return json.loads(output.splitlines()[-1]) | {"peak_gb": memory}


class Case(NamedTuple):
    """The XXZ chain at time 1, and how far to go."""

    num_qubits: int
    layers: int
    infidelity: float
    addon: bool = True  # whether the addon can run it


CASES = {
    "S1": Case(50, 9, 0.0112),
    "S2": Case(100, 9, 0.030),
    # As good for each site as the others: 1 - exp(-1000 x 2.6e-4).
    "S3": Case(1000, 9, 0.229, addon=False),
}


def run_case(case: Case, addon_python: str | None) -> dict[str, dict[str, object]]:
    """Run both programs on a case."""
    wanted = (case.num_qubits, case.layers, case.infidelity)
    rows = {}
    with tempfile.TemporaryDirectory() as cache:
        rows["aqc, empty caches"] = run_aqc(*wanted, cache)
        rows["aqc, compilation cache filled"] = run_aqc(*wanted, cache)
    rows["aqc, in a warm worker"] = run_aqc_warm(*wanted)
    if addon_python and case.addon:
        # A first small run fills the addon's own caches of compiled code.
        run_addon(addon_python, 6, case.layers, case.infidelity, 2)
        rows["qiskit-addon-aqc-tensor"] = run_addon(addon_python, *wanted, evaluations=60)
    return rows


def table(case: Case, rows: dict[str, dict[str, Any]]) -> str:
    """Return the rows of a case in Markdown, with ratios to the slowest."""
    slowest = max(row["wall_seconds"] for row in rows.values())
    lines = [
        f"{case.num_qubits} qubits, {case.layers} layers, to infidelity {case.infidelity}\n",
        "| | seconds | ratio | peak GB | infidelity | evaluations | seconds each |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {row['wall_seconds']:.1f} | {slowest / row['wall_seconds']:.1f} "
        f"| {row['peak_gb']:.2f} | {row['infidelity']:.4f} | {row['evaluations']} "
        f"| {row['seconds_per_evaluation']:.3f} |"
        for name, row in rows.items()
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the cases, print their tables and write a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--addon-python", help="Python that has qiskit-addon-aqc-tensor")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=["S1", "S2"])
    parser.add_argument("--output", type=Path, default=Path("bench.json"))
    options = parser.parse_args()
    report: dict[str, object] = {"machine": f"{platform.machine()}, {os.cpu_count()} cores"}
    for name in options.cases:
        rows = run_case(CASES[name], options.addon_python)
        report[name] = rows
        options.output.write_text(json.dumps(report, indent=2) + "\n")
        print(f"{name}: {table(CASES[name], rows)}", flush=True)


if __name__ == "__main__":
    main()
