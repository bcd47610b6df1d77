"""The depth at which a state is best on a noisy device: the whole curve, for several errors.

    python benchmarks/noise.py [--output bench-noise.json] [--num-qubits 20 50 100]

The XXZ chain (Delta = 0.5) from the Neel state, t = 0.5. Every depth is fitted once; what the noise
of each device leaves of its circuit is predicted afterwards. One-qubit gates err a tenth as often.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from aqc import runtime

runtime.limit_threads(None)

from aqc.compile import compile_evolution  # noqa: E402
from aqc.emission import survival  # noqa: E402
from aqc.problem import Problem  # noqa: E402

ERRORS = (1e-3, 3e-3, 1e-2)
DEPTHS = [1, 2, 3, 4, 5, 6, 7, 9]


def curves(num_qubits: int, max_steps: int) -> list[dict[str, Any]]:
    """Fit every depth; return a row for each depth and error."""
    model = {"model": "xxz_chain", "num_qubits": num_qubits, "delta": 0.5}
    settings = {"initial_state": "neel", "ansatz": {"layers": DEPTHS}}
    result = compile_evolution(
        model, 0.5, goal={"infidelity": 1e-3}, optimizer={"max_steps": max_steps}, **settings
    )
    rows = []
    for error in ERRORS:
        device = {"two_qubit_error": error, "one_qubit_error": error / 10}
        problem = Problem.build(model, 0.5, goal={"device": device}, **settings)
        for depth in result.depths:
            noise = survival(problem, depth.ansatz)
            rows.append(
                {
                    "num_qubits": num_qubits,
                    "two_qubit_error": error,
                    "layers": depth.layers,
                    "compile_fidelity": 1 - depth.infidelity,
                    "noise_fidelity": noise,
                    "total_fidelity": (1 - depth.infidelity) * noise,
                }
            )
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    """Print a table: the total fidelity at each depth, the best one marked."""
    for error in ERRORS:
        mine = [row for row in rows if row["two_qubit_error"] == error]
        best = max(mine, key=lambda row: row["total_fidelity"])
        cells = [
            f"**{row['total_fidelity']:.3g}**" if row is best else f"{row['total_fidelity']:.3g}"
            for row in mine
        ]
        print(f"| {mine[0]['num_qubits']} | {error:g} | {' | '.join(cells)} |", flush=True)
    first = [row for row in rows if row["two_qubit_error"] == ERRORS[0]]
    cells = [f"{row['compile_fidelity']:.4g}" for row in first]
    print(f"| {first[0]['num_qubits']} | none | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Run everything, print a table and write a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("bench-noise.json"))
    parser.add_argument("--num-qubits", type=int, nargs="+", default=[20, 50, 100])
    parser.add_argument("--max-steps", type=int, default=100)
    options = parser.parse_args()
    print(f"| qubits | two-qubit error | {' | '.join(f'L = {depth}' for depth in DEPTHS)} |")
    print(f"|---|---|{'---|' * len(DEPTHS)}")
    rows: list[dict[str, Any]] = []
    for num_qubits in options.num_qubits:
        found = curves(num_qubits, options.max_steps)
        show(found)
        rows += found
        options.output.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
