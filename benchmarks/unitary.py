"""Unitary mode against published costs, second-order Trotter and Qiskit's own synthesis.

`make bench-unitary` calls this. B9 and B10 are chains of 50 qubits; what is compared is the process
infidelity 1 - |tr V^dagger U / 2^n|^2, measured again from the emitted circuit. (The published
figures are called costs. That they are process infidelities is seen from those of second-order
Trotter, 0.869 and 0.258 at 5 and 7 layers, which are the same here; 2 - 2 |tr| / 2^n is 1.276 and
0.277. For small errors both are the same.) Then PauliEvolutionGates are transpiled by the plugin
and by Qiskit's plugins, these with the fewest second-order steps within the same tolerance.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any, NamedTuple

from qiskit import QuantumCircuit, transpile
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import SparsePauliOp
from qiskit.synthesis import SuzukiTrotter
from qiskit.transpiler.passes import HLSConfig

from aqc import compile_evolution
from aqc.certify_unitary import certify_unitary
from aqc.hamiltonian import Hamiltonian
from aqc.interop.synthesis import two_qubit_counts
from aqc.propagator import propagate_within
from aqc.qiskit_plugin.evolution import AQCTensorEvolution


class Case(NamedTuple):
    """A published problem: couplings and fields of an open chain, infidelities by brick layers."""

    couplings: dict[str, float]
    fields: dict[str, float]
    time: float
    published: dict[int, float]
    trotter: dict[int, float]


# Le, Sun, Mendl, arXiv:2501.08872 and its code: rqcopt-mpo, and second-order Trotter.
CASES = {
    "B9": Case(
        {"ZZ": 1.0},
        {"X": 0.75, "Z": 0.6},
        2.0,
        {5: 0.119, 7: 1.49e-3, 9: 6.30e-5, 11: 1.08e-5, 13: 1.38e-6},
        {5: 0.869, 7: 0.258, 9: 0.0836, 11: 0.0341, 13: 0.0163},
    ),
    "B10": Case(
        {"XX": 1.0, "YY": 1.0, "ZZ": -0.5},
        {"X": 0.75},
        0.25,
        {3: 0.0167, 5: 1.82e-4, 7: 3.00e-5, 9: 9.52e-6, 11: 5.24e-6, 13: 1.73e-6},
        {},
    ),
}
# Of what is published: the target's own error.
_TARGET_SHARE = 1e-4
_MOST_STEPS = 200


def chain(case: Case, num_qubits: int) -> Hamiltonian:
    """Return the case's Hamiltonian."""
    bonds = [(p, (j, j + 1), c) for j in range(num_qubits - 1) for p, c in case.couplings.items()]
    sites = [(p, (j,), c) for j in range(num_qubits) for p, c in case.fields.items()]
    return Hamiltonian.from_terms(num_qubits, bonds + sites)


def published(name: str, layers: int, num_qubits: int, evaluations: int) -> dict[str, Any]:
    """Compile one of the cases, with general blocks as the published circuits have them."""
    case = CASES[name]
    goal = case.published[layers]
    began = time.perf_counter()
    result = compile_evolution(
        chain(case, num_qubits),
        case.time,
        mode="unitary",
        ansatz={"layers": layers, "block": "su4"},
        goal={"infidelity": 1e-12},  # as far as it goes
        target={"tolerance": max(_TARGET_SHARE * goal, 1e-10), "max_bond": 512},
        optimizer={"max_steps": evaluations},
    )
    found = result.certificate
    return {
        "case": name,
        "layers": layers,
        "infidelity": found.infidelity,
        "bound": found.infidelity_bound,
        "published": goal,
        "trotter": result.optimum.history[0][1],  # the start is second-order Trotter
        "trotter_there": case.trotter.get(layers),
        "best_trotter": result.trotter and result.trotter.infidelity,
        "best_depth": result.trotter and result.trotter.two_qubit_depth,
        "evaluations": result.optimum.evaluations,
        "status": result.status,
        "cx_depth": result.two_qubit_depth,
        "cx": result.two_qubit_gates,
        "worst_input": found.to_dict()["spectral_distance"],
        "chi": result.target.mps.max_bond,
        "seconds": time.perf_counter() - began,
        "stages": result.seconds,
    }


def at_equal_error(num_qubits: int, evolution_time: float, tolerance: float) -> list[dict]:
    """Transpile exp(-iHt) of the B9 chain by every method, with no larger measured error."""
    hamiltonian = chain(CASES["B9"], num_qubits)
    # Even bonds, odd bonds, fields: in the order of the chain Qiskit's circuits are n times deeper.
    terms = sorted(hamiltonian.to_terms(), key=lambda t: (len(t[1]) == 1, t[0], t[1][0] % 2))
    operator = SparsePauliOp.from_sparse_list(terms, num_qubits)
    target = None
    if num_qubits > 10:
        target = propagate_within(
            hamiltonian, evolution_time, tolerance=1e-4 * tolerance, max_bond=512
        )

    def row(name: str, methods: list[Any], steps: int | None = None) -> dict[str, Any]:
        product = None if steps is None else SuzukiTrotter(order=2, reps=steps)
        circuit = QuantumCircuit(num_qubits)
        gate = PauliEvolutionGate(operator, evolution_time, synthesis=product)
        circuit.append(gate, range(num_qubits))
        began = time.perf_counter()
        made = transpile(
            circuit,
            basis_gates=["u", "cx"],
            optimization_level=2,
            hls_config=HLSConfig(PauliEvolution=methods),
            seed_transpiler=0,
        )
        seconds = time.perf_counter() - began
        found = certify_unitary(made, hamiltonian, evolution_time, target)
        gates, depth = two_qubit_counts(made)
        return {
            "qubits": num_qubits,
            "method": name,
            "steps": steps,
            "infidelity": found.infidelity,
            "cx_depth": depth,
            "cx": gates,
            "seconds": seconds,
        }

    own = {"tolerance": tolerance, "cache_dir": None, "timeout": 3600}
    rows = [row("aqctensor", [(AQCTensorEvolution(), own)])]
    for method in ("default", "mcts", "rustiq"):
        steps = 1
        while True:  # the error falls as steps^-4
            tried = row(method, [method], steps)
            if tried["infidelity"] <= tolerance or steps >= _MOST_STEPS:
                break
            excess = (tried["infidelity"] / tolerance) ** 0.25
            steps = max(steps + 1, int(0.95 * steps * excess))
        rows.append(tried)
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    """Print the plain columns of some rows."""
    names = [name for name, value in rows[0].items() if not isinstance(value, dict)]
    print("  ".join(f"{name:>12}" for name in names))
    for row in rows:
        cells = (row[name] for name in names)
        print("  ".join(f"{c:12.4g}" if isinstance(c, float) else f"{c!s:>12}" for c in cells))


def main() -> None:
    """Run both comparisons and write bench-unitary.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("bench-unitary.json"))
    parser.add_argument("--qubits", type=int, default=50, help="of B9 and B10")
    parser.add_argument("--layers", type=int, nargs="*", default=[3, 5, 7, 9, 11])
    parser.add_argument("--cases", nargs="*", default=sorted(CASES), choices=sorted(CASES))
    parser.add_argument("--evaluations", type=int, default=300)
    parser.add_argument("--sizes", type=int, nargs="*", default=[4, 10, 20, 50])
    parser.add_argument("--time", type=float, default=0.5, help="of the transpiled evolutions")
    parser.add_argument("--tolerance", type=float, default=1e-3)
    asked = parser.parse_args()
    content: dict[str, Any] = {
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "load": os.getloadavg(),
        "published": [],
        "at_equal_error": [],
    }
    for name in asked.cases:
        for layers in sorted(CASES[name].published.keys() & set(asked.layers)):
            content["published"].append(published(name, layers, asked.qubits, asked.evaluations))
            show(content["published"][-1:])
            asked.out.write_text(json.dumps(content, indent=2) + "\n")
    for size in asked.sizes:
        content["at_equal_error"] += at_equal_error(size, asked.time, asked.tolerance)
        show(content["at_equal_error"][-4:])
        asked.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
