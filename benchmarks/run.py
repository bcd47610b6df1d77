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


def main() -> None:
    """Run the case and write a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--addon-python", help="Python that has qiskit-addon-aqc-tensor")
    parser.add_argument("--num-qubits", type=int, default=50)
    parser.add_argument("--layers", type=int, default=9)
    parser.add_argument("--infidelity", type=float, default=0.0112)
    parser.add_argument("--evaluations", type=int, default=60, help="most for the addon")
    parser.add_argument("--output", type=Path, default=Path("bench.json"))
    options = parser.parse_args()
    case = (options.num_qubits, options.layers, options.infidelity)
    report: dict[str, object] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "num_qubits": options.num_qubits,
        "layers": options.layers,
        "goal": options.infidelity,
    }
    with tempfile.TemporaryDirectory() as cache:
        report["aqc, empty compilation cache"] = run_aqc(*case, cache)
        report["aqc, filled compilation cache"] = run_aqc(*case, cache)
    if options.addon_python:
        # A first small run fills the addon's own caches of compiled code.
        run_addon(options.addon_python, 6, options.layers, options.infidelity, 2)
        report["qiskit-addon-aqc-tensor"] = run_addon(
            options.addon_python, *case, options.evaluations
        )
    options.output.write_text(json.dumps(report, indent=2) + "\n")
    rows = {name: row for name, row in report.items() if isinstance(row, dict)}
    slowest = max(float(row["wall_seconds"]) for row in rows.values())
    print(f"{'':32}{'wall s':>8}{'ratio':>8}{'peak GB':>9}{'infidelity':>12}{'evaluations':>13}")
    for name, row in rows.items():
        print(
            f"{name:32}{row['wall_seconds']:8.1f}{slowest / row['wall_seconds']:8.1f}"
            f"{row['peak_gb']:9.2f}{row['infidelity']:12.5f}{row['evaluations']:13}"
        )


if __name__ == "__main__":
    main()
