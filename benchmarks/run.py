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


# Name: qubits, layers, infidelity to reach, evaluations at most for the addon.
CASES = {"S1": (50, 9, 0.0112, 60), "S2": (100, 9, 0.030, 60)}


def run_case(name: str, addon_python: str | None) -> dict[str, dict[str, object]]:
    """Run both programs on a case."""
    num_qubits, layers, infidelity, evaluations = CASES[name]
    case = (num_qubits, layers, infidelity)
    rows = {}
    with tempfile.TemporaryDirectory() as cache:
        rows["aqc, empty caches"] = run_aqc(*case, cache)
        rows["aqc, compilation cache filled"] = run_aqc(*case, cache)
    rows["aqc, in a warm worker"] = run_aqc_warm(*case)
    if addon_python:
        # A first small run fills the addon's own caches of compiled code.
        run_addon(addon_python, 6, layers, infidelity, 2)
        rows["qiskit-addon-aqc-tensor"] = run_addon(addon_python, *case, evaluations)
    return rows


def main() -> None:
    """Run the cases, print their tables and write a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--addon-python", help="Python that has qiskit-addon-aqc-tensor")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--output", type=Path, default=Path("bench.json"))
    options = parser.parse_args()
    report: dict[str, object] = {"machine": f"{platform.machine()}, {os.cpu_count()} cores"}
    for name in options.cases:
        num_qubits, layers, infidelity, _ = CASES[name]
        rows = run_case(name, options.addon_python)
        report[name] = rows
        options.output.write_text(json.dumps(report, indent=2) + "\n")
        slowest = max(float(str(row["wall_seconds"])) for row in rows.values())
        print(f"{name}: {num_qubits} qubits, {layers} layers, to infidelity {infidelity}")
        print(f"{'':32}{'wall s':>8}{'ratio':>8}{'peak GB':>9}{'infidelity':>12}{'s/eval.':>9}")
        for program, row in rows.items():
            print(
                f"{program:32}{row['wall_seconds']:8.2f}{slowest / row['wall_seconds']:8.1f}"
                f"{row['peak_gb']:9.2f}{row['infidelity']:12.5f}"
                f"{row['seconds_per_evaluation']:9.4f}"
            )


if __name__ == "__main__":
    main()
