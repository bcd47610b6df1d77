"""Rings, ladders, patches and chains with farther couplings beside the best product formula.

    python benchmarks/lattices.py [--output bench-lattices.json] [--max-steps 1000]

Up to 14 qubits the target is exact; larger ones are matrix product states, and the circuit is
contracted with swaps.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from aqc import runtime

runtime.limit_threads(None)

from aqc.compile import compile_evolution  # noqa: E402

Case = tuple[str, dict[str, Any], float, str, dict[str, Any]]


def _model(name: str, num_qubits: int, **parameters: Any) -> dict[str, Any]:
    return {"model": name, "num_qubits": num_qubits, **parameters}


RING = _model("ising_ring", 10, g=0.4)
LADDER = _model("heisenberg_ladder", 12)
PATCH = _model("xxz_square", 12, rows=3, delta=1.0)
CASES: tuple[Case, ...] = (
    ("B1, Ising ring", RING, 4.0, "zeros", {"layers": 11, "block": "su4"}),
    ("B1, Ising ring", RING, 4.0, "zeros", {"layers": 11, "block": "cx2"}),
    ("2x6 ladder", LADDER, 0.5, "0110" * 3, {"layers": 13}),
    ("3x4 patch", PATCH, 0.5, "neel", {"layers": 19}),
    ("12-site J1-J2 chain", _model("j1j2_chain", 12), 0.5, "neel", {"layers": 19}),
    ("Hubbard chain, 6 sites", _model("hubbard_chain", 12), 0.5, "1001" * 3, {"layers": 13}),
    ("3x4 Ising patch", _model("ising_square", 12, rows=3), 0.8, "zeros", {"layers": 13}),
    ("2x12 ladder", _model("heisenberg_ladder", 24), 0.3, "0110" * 6, {"layers": 9}),
    ("50-site XXZ ring", _model("xxz_ring", 50), 0.3, "neel", {"layers": 5}),
)


def measure(case: Case, max_steps: int) -> dict[str, Any]:
    """Compile one case."""
    name, model, evolved, state, ansatz = case
    began = time.process_time()
    result = compile_evolution(
        model,
        evolved,
        initial_state=state,
        ansatz=ansatz,
        # A finer target would need more Schmidt vectors than are worth a benchmark's time.
        goal={"infidelity": 1e-6 if model["num_qubits"] <= 14 else 2e-3},
        optimizer={"max_steps": max_steps},
    )
    assert result.trotter is not None
    return {
        "case": name,
        "time": evolved,
        "block": ansatz.get("block", "su4"),
        "layers": len(result.bricks),
        "cx_depth": result.two_qubit_depth,
        "cx": result.two_qubit_gates,
        "infidelity": result.certificate.infidelity,
        "bound": result.certificate.infidelity_bound,
        "bound_kind": result.certificate.bound_kind,
        "trotter_infidelity": result.trotter.infidelity,
        "trotter_depth": result.trotter.two_qubit_depth,
        "evaluations": result.optimum.evaluations,
        "cpu_seconds": time.process_time() - began,
    }


def main() -> None:
    """Run all cases, print a table and write a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("bench-lattices.json"))
    parser.add_argument("--max-steps", type=int, default=1000)
    options = parser.parse_args()
    print(
        "| case | t | block | layers | CX depth | CX | infidelity | bound | Trotter | depth | s |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    rows = []
    for case in CASES:
        row = measure(case, options.max_steps)
        rows.append(row)
        print(
            f"| {row['case']} | {row['time']:g} | {row['block']} | {row['layers']} "
            f"| {row['cx_depth']} | {row['cx']} | {row['infidelity']:.2e} | {row['bound']:.2e} "
            f"| {row['trotter_infidelity']:.2e} | {row['trotter_depth']} "
            f"| {row['cpu_seconds']:.0f} |",
            flush=True,
        )
        options.output.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
