"""Which block type gets closest at equal CX depth; state preparation beside staircases of gates.

    python benchmarks/blocks.py [--num-qubits 50] [--output bench-blocks.json]

Evolutions: every type at the brick layers that fit into the CX depth of su4 with 3, 5 and 7 layers.
Conserving: how long u1 and su4 take to the same infidelity, compiled code at hand.
Shared: gates that the blocks of a layer share (`ansatz.tied`) beside free ones.
Preparation: see preparation.py.
"""

import argparse
import json
from pathlib import Path
from time import process_time
from typing import Any

from matplotlib.figure import Figure

from aqc import runtime

runtime.limit_threads(None)

from preparation import preparations  # noqa: E402

from aqc.block_choice import chosen_block  # noqa: E402
from aqc.compile import compile_evolution  # noqa: E402
from aqc.fit import fit  # noqa: E402
from aqc.problem import Problem  # noqa: E402
from aqc.start import start_ansatz  # noqa: E402
from aqc.targets import make_target  # noqa: E402

DEPTHS = (3, 5, 7)  # brick layers of su4
CX = {"su4": 3, "cx2": 2, "rzz": 2, "cx1": 1, "u1": 3}
CASES: dict[str, tuple[dict[str, Any], float, str, tuple[str, ...]]] = {
    "XXZ": ({"model": "xxz_chain", "delta": 0.5}, 0.5, "neel", ("su4", "u1", "cx2", "cx1")),
    "XY": ({"model": "xxz_chain", "delta": 0.0}, 0.5, "neel", ("su4", "u1", "cx2", "cx1")),
    "Ising": ({"model": "ising_chain", "g": 1.0}, 1.0, "zeros", ("su4", "cx2", "rzz", "cx1")),
    "tilted Ising": (
        {"model": "ising_chain", "g": 0.9, "h": 0.5},
        1.5,
        "zeros",
        ("su4", "cx2", "rzz", "cx1"),
    ),
}


def layers_for(block: str, su4_layers: int) -> int:
    """Return the odd number of layers whose CX depth is nearest to su4's from below."""
    # The first layer meets a product state: 1 CX.
    depth = 3 * su4_layers - 2
    return max(1, (depth - 1) // CX[block] // 2 * 2 + 1)


def evolutions(num_qubits: int, max_steps: int) -> list[dict[str, Any]]:
    """Fit all cases; return a row for each."""
    rows = []
    for name, (model, time, state, blocks) in CASES.items():
        fields = {**model, "num_qubits": num_qubits}
        hamiltonian = Problem.build(fields, time).to_hamiltonian()
        for su4_layers in DEPTHS:
            for block in blocks:
                result = compile_evolution(
                    fields,
                    time,
                    initial_state=state,
                    ansatz={"block": block, "layers": layers_for(block, su4_layers)},
                    goal={"infidelity": 1e-9},
                    optimizer={"max_steps": max_steps},
                )
                rows.append(
                    {
                        "case": name,
                        "block": block,
                        "auto": chosen_block("auto", hamiltonian, "cx") == block,
                        "layers": len(result.bricks),
                        "cx_depth": result.two_qubit_depth,
                        "cx": result.two_qubit_gates,
                        "infidelity": result.certificate.infidelity,
                        "parameters": result.optimum.state.gradient.size,
                        "evaluations": result.optimum.evaluations,
                        "seconds": result.seconds["optimize"],
                    }
                )
                row = rows[-1]
                print(
                    f"| {name} | {block}{' (auto)' if row['auto'] else ''} | {row['layers']} "
                    f"| {row['cx_depth']} | {row['cx']} | {row['infidelity']:.2e} "
                    f"| {row['parameters']} | {row['evaluations']} | {row['seconds']:.1f} |",
                    flush=True,
                )
    return rows


# Of the XXZ chain: Delta, time, brick layers.
CONSERVING = ((0.5, 1.0, 9), (0.5, 1.0, 11), (1.0, 1.0, 9))


def conserving(num_qubits: int) -> list[dict[str, Any]]:
    """Fit su4 for 40 evaluations, and u1 until it is as close; return a row for each."""
    rows = []
    for delta, time, layers in CONSERVING:
        goal = 1e-9
        for block in ("su4", "u1"):
            for _ in range(2):  # the second one finds its code compiled
                result = compile_evolution(
                    {"model": "xxz_chain", "num_qubits": num_qubits, "delta": delta},
                    time,
                    initial_state="neel",
                    overlap="exact",
                    ansatz={"block": block, "layers": layers},
                    goal={"infidelity": goal},
                    optimizer={"max_steps": 40 if block == "su4" else 200},
                    target={"tolerance": 1e-3},
                )
            goal = result.certificate.infidelity
            rows.append(
                {
                    "delta": delta,
                    "time": time,
                    "layers": layers,
                    "target_bond": result.target.mps.max_bond,
                    "block": block,
                    "infidelity": goal,
                    "evaluations": result.optimum.evaluations,
                    "parameters": result.optimum.state.gradient.size,
                    "optimize_seconds": result.seconds["optimize"],
                }
            )
            print(json.dumps(rows[-1]), flush=True)
        ratio = rows[-2]["optimize_seconds"] / rows[-1]["optimize_seconds"]
        rows[-1]["times_faster"] = ratio
        print(f"u1 is {ratio:.1f} times as fast", flush=True)
    return rows


XXZ = {"model": "xxz_chain", "delta": 0.5}
ISING_RING = [["ZZ", [j, (j + 1) % 10], 1.0] for j in range(10)] + [
    ["X", [j], 0.4] for j in range(10)
]
# Name, Hamiltonian, time, initial state, brick layers, evaluations, the target's tolerance.
SHARED: tuple[tuple[str, dict[str, Any], float, str, int, int, float], ...] = (
    ("B1, Ising ring", {"num_qubits": 10, "terms": ISING_RING}, 4.0, "zeros", 11, 1000, 1e-8),
    *(
        ("XXZ chain", {**XXZ, "num_qubits": n}, 1.0, "neel", layers, 400, 1e-3)
        for n, layers in ((50, 7), (50, 9), (200, 7))
    ),
)


def shared() -> list[dict[str, Any]]:
    """Fit with gates that blocks of a layer share, and with free ones; return a row for each."""
    rows = []
    for name, model, time, state, layers, evaluations, tolerance in SHARED:
        for tied in (True, False):
            ansatz = {"layers": layers, "tied": tied}
            problem = Problem.build(
                model, time, initial_state=state, ansatz=ansatz, target={"tolerance": tolerance}
            )
            target = make_target(problem).mps
            first = start_ansatz(problem, target, layers)
            for _ in range(2):  # the second one finds its code compiled
                began = process_time()
                found = fit(first, target, max_evaluations=evaluations, accuracy=1e-6)
                spent = process_time() - began
            rows.append(
                {
                    "case": name,
                    "num_qubits": problem.num_qubits,
                    "layers": layers,
                    "tied": tied,
                    "gates": len(first.gates),
                    "parameters": found.optimum.state.gradient.size,
                    "evaluations": found.optimum.evaluations,
                    "infidelity": found.optimum.infidelity,
                    "processor_seconds": spent,
                }
            )
            print(json.dumps(rows[-1]), flush=True)
    return rows


# u1 lies on top of su4.
STYLES = {"su4": "C0o-", "cx2": "C1s-", "rzz": "C2^-", "cx1": "C3v-", "u1": "C4o--"}


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw the infidelity against the CX depth, a panel for each case and a line for each type."""
    figure = Figure(figsize=(10, 6), layout="constrained")
    cases = list(dict.fromkeys(row["case"] for row in rows))
    for number, case in enumerate(cases):
        axes = figure.add_subplot(2, -(-len(cases) // 2), number + 1)
        for block in dict.fromkeys(row["block"] for row in rows if row["case"] == case):
            mine = [row for row in rows if row["case"] == case and row["block"] == block]
            depths, infidelities = ([row[k] for row in mine] for k in ("cx_depth", "infidelity"))
            axes.semilogy(depths, infidelities, STYLES[block], label=block)
        axes.set(title=case, xlabel="CX depth", ylabel="infidelity")
        axes.legend()
    figure.savefig(path)


def main() -> None:
    """Run everything, print tables and write a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num-qubits", type=int, default=50)
    parser.add_argument("--max-steps", type=int, default=300)
    parser.add_argument("--output", type=Path, default=Path("bench-blocks.json"))
    parser.add_argument("--only", choices=("evolutions", "conserving", "shared", "preparations"))
    options = parser.parse_args()
    report: dict[str, Any] = {}
    if options.only in (None, "evolutions"):
        report |= _evolutions(options)
    if options.only in (None, "conserving"):
        report["conserving"] = conserving(options.num_qubits)
    if options.only in (None, "shared"):
        report["shared"] = shared()
    if options.only in (None, "preparations"):
        report["preparations"] = preparations()
    options.output.write_text(json.dumps(report, indent=2) + "\n")


def _evolutions(options: argparse.Namespace) -> dict[str, Any]:
    print("| case | block | layers | CX depth | CX | infidelity | parameters | evaluations | s |")
    print("|---|---|---|---|---|---|---|---|---|")
    report = {"evolutions": evolutions(options.num_qubits, options.max_steps)}
    draw(report["evolutions"], options.output.with_suffix(".svg"))
    options.output.write_text(json.dumps(report, indent=2) + "\n")
    return report


if __name__ == "__main__":
    main()
