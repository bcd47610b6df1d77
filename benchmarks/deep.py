"""Deep circuits, long chains, long times: what the truncated overlap and warm starts are for.

`make bench-deep` runs all cases and writes bench-deep.json after each; `--cases` chooses some, and
what the file holds of the others stays.

    evaluations  XXZ chain, t = 1: one value and gradient of the truncated overlap
    batches      several random starts in one evaluation, n = 20
    S4           the same chain at n = 50, 17 and 25 layers: whole compiles
    S3           the same chain, n = 1000, 9 layers, by the exact scan
    catastrophe  B4: random XXZ couplings, n = 100, 3 layers, Haar-random starts
    B5, B6       a turned ground state, evolved, beside published fidelities, see scattering.py
    B7           Heisenberg chain, n = 9, beside published fidelities, see published.py
    B7-long      B7's chain at n = 50 and 100
    horizons     how long B7's chain can be evolved
    series       B7's chain at n = 50, t = 0.5 ... 4 in one job and in eight, see time_series.py
"""

import argparse
import json
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

os.environ.setdefault("JAX_NUM_CPU_DEVICES", "2")

import jax
import numpy as np
from engine import best, neel, xxz
from published import b7, b7_long, horizons
from run import timed
from scattering import B5, B6, scattering
from time_series import time_series

from aqc import overlap
from aqc.ansatz import Ansatz
from aqc.fit import fit
from aqc.hamiltonian import Hamiltonian
from aqc.mps import MPS
from aqc.objective import evaluate
from aqc.points import nearest_point
from aqc.race import evaluate_all
from aqc.start import random_ansatz
from aqc.tebd import evolve
from aqc.threads import one_blas_thread

Row = dict[str, Any]

XXZ = {"model": "xxz_chain", "j": 1.0, "delta": 0.5}


def process(problem: Row) -> Row:
    """Compile in a process of its own, with empty caches; time and memory are the whole's."""
    with tempfile.TemporaryDirectory() as directory:
        file, out = Path(directory) / "problem.json", Path(directory) / "out"
        file.write_text(json.dumps(problem))
        command = [sys.executable, "-m", "aqc.cli", "compile", str(file), "--quiet"]
        wall, memory, _ = timed(
            [*command, "--out", str(out)], {"JAX_COMPILATION_CACHE_DIR": f"{directory}/cache"}
        )
        told = json.loads((out / "result.json").read_text())
    return {
        "seconds": wall,
        "peak_gb": memory,
        "layers": told["layers"],
        "infidelity": told["infidelity"],
        "infidelity_bound": told["certificate"]["infidelity_bound"],
        "density": told["certificate"]["log_fidelity_per_site"],
        "trotter": told["trotter"]["infidelity"],
        "evaluations": told["optimizer"]["evaluations"],
        "stages": told["seconds"],
    }


def chain(num_qubits: int, layers: int, goal: float, **settings: Any) -> Row:
    """Return the problem of the S cases."""
    return {
        "hamiltonian": {**XXZ, "num_qubits": num_qubits},
        "time": 1.0,
        "initial_state": "neel",
        "ansatz": {"layers": layers},
        "goal": {"infidelity": goal},
        **settings,
    }


def deep_chains() -> list[Row]:
    """S4: whole compiles."""
    return [process(chain(50, 17, 7e-4)), process(chain(50, 25, 2e-4))]


def evaluations() -> list[Row]:
    """Time one value and gradient of the truncated overlap, also beside twice the length."""
    return [evaluation(n, layers) for n in (50, 100) for layers in (17, 25)]


def evaluation(num_qubits: int, layers: int, lost: float = 3.5e-4) -> Row:
    """Time one value and gradient of the truncated overlap in single precision."""
    state, hamiltonian = neel(num_qubits), xxz(num_qubits)
    with one_blas_thread():
        target = evolve(hamiltonian, state, 1.0, steps=4, angle=1e-3, max_bond=50).mps
    ansatz = Ansatz.from_trotter(hamiltonian, 1.0, state, layers=layers, order=2)
    weight = lost * num_qubits / 50
    dtype = np.dtype(np.complex64)
    with jax.enable_x64(True), one_blas_thread():
        data = overlap.prepare(ansatz, target, "truncated", dtype, weight=weight)
        point = nearest_point(ansatz.blocks, ansatz.block).astype(dtype)
        still = np.zeros((len(point), 15))
        options = {"objective": "log_density", "block": "su4", "num_qubits": num_qubits}
        began = time.perf_counter()
        run = evaluate.lower(point, still, data, **options).compile()
        compiling = time.perf_counter() - began
        found = run(point, still, data)
        began = time.process_time()
        seconds = best(lambda: jax.block_until_ready(run(point, still, data)), 10)
        busy = (time.process_time() - began) / 10
    return {
        "num_qubits": num_qubits,
        "layers": layers,
        "target_bond": target.max_bond,
        "segments": data.segments,
        "lost": float(found.lost),
        "seconds": seconds,
        "processor_seconds": busy,
        "compile_seconds": compiling,
    }


def batches(num_qubits: int = 20, layers: int = 5, sizes: tuple[int, ...] = (1, 8)) -> list[Row]:
    """Time one value and gradient of several starts at once, by both overlaps."""
    state, hamiltonian = neel(num_qubits), xxz(num_qubits)
    with one_blas_thread():
        target = evolve(hamiltonian, state, 0.5, steps=2, angle=1e-3, max_bond=32).mps
    rows = []
    for engine, size in product(("exact", "truncated"), sizes):
        starts = [random_ansatz(state, layers, seed) for seed in range(size)]
        segments = {"segments": (((layers + 1) // 2, 32),)} if engine == "truncated" else {}
        with jax.enable_x64(True), one_blas_thread():
            data = overlap.prepare(starts[0], target, engine, np.dtype(complex), **segments)
            points = np.stack([start.blocks[:, None] for start in starts])
            still = np.zeros((*points.shape[:2], 15))
            options = {"block": "su4", "num_qubits": num_qubits}
            run = evaluate_all.lower(points, still, data, **options).compile()
            seconds = best(partial(_waited, run, points, still, data), 5)
        rows.append({"overlap": engine, "starts": size, "seconds": seconds})
    return rows


def _waited(run: Callable[..., Any], *arguments: Any) -> Any:
    return jax.block_until_ready(run(*arguments))


def long_chain() -> list[Row]:
    """S3: ten and a hundred times the length at the same goal for each site."""
    goals = {100: 0.026, 1000: 0.2316}
    return [{"num_qubits": n} | process(chain(n, 9, goal)) for n, goal in goals.items()]


def catastrophe(seeds: Sequence[int], num_qubits: int = 100, evaluations: int = 3000) -> list[Row]:
    """B4 from Haar-random blocks: 1 - F has no gradient there, log F has."""
    hamiltonian, state = disordered(num_qubits), neel(num_qubits)
    with one_blas_thread():
        target = evolve(hamiltonian, state, 0.2, steps=4, angle=1e-4, max_bond=64).mps
    trotter = Ansatz.from_trotter(hamiltonian, 0.2, state, layers=3, order=2)
    start = -_log_fidelity(trotter, target) / num_qubits
    rows = []
    for seed in seeds:
        ansatz = random_ansatz(state, 3, seed)
        first = _log_fidelity(ansatz, target)
        row = {"seed": seed, "log_fidelity": first, "trotter_density": start}
        for objective in ("log_density", "infidelity"):
            optimum = fit(ansatz, target, objective=objective, max_evaluations=evaluations).optimum
            last = optimum.state.log_fidelity
            row[objective] = {
                "density": -last / num_qubits,
                "evaluations": optimum.evaluations,
                "gain": float(np.expm1(last) - np.expm1(first)),
            }
            if objective == "log_density":
                counts = [count for count, _ in optimum.history]
                row["curve"] = thinned(list(zip(counts, optimum.state.values, strict=False)))
        rows.append(row)
        print(_summary(row), flush=True)
    return rows


def _summary(row: Row) -> Row:
    shown = {k: v["density"] if isinstance(v, dict) else v for k, v in row.items()}
    return {k: v for k, v in shown.items() if k != "curve"}


def thinned(curve: list[tuple[int, float]], most: int = 120) -> list[tuple[int, float]]:
    """Return at most so many entries and the last, close together at the start."""
    kept = np.unique(np.geomspace(1, len(curve), most).astype(int) - 1)
    return [curve[k] for k in kept]


def _log_fidelity(ansatz: Ansatz, target: MPS) -> float:
    with jax.enable_x64(True):
        data = overlap.prepare(ansatz, target, "exact", np.dtype(complex))
        return float(jax.jit(overlap.log_fidelity)(ansatz.blocks, data))


def disordered(num_qubits: int) -> Hamiltonian:
    """Return B2's and B4's chain: couplings drawn for even bonds first."""
    drawn = np.random.RandomState(0).rand(num_qubits - 1) + 0.5
    bonds = [*range(0, num_qubits - 1, 2), *range(1, num_qubits - 1, 2)]
    weights = {"XX": 0.5, "YY": 0.5, "ZZ": 1.0}
    return Hamiltonian.from_terms(
        num_qubits,
        [
            (pair, (bond, bond + 1), weight * drawn[k])
            for k, bond in enumerate(bonds)
            for pair, weight in weights.items()
        ],
    )


CASES: dict[str, Callable[..., list[Row]]] = {
    "evaluations": evaluations,
    "batches": batches,
    "S4": deep_chains,
    "S3": long_chain,
    "catastrophe": catastrophe,
    "B5": partial(scattering, B5),
    "B6": partial(scattering, B6),
    "B7": b7,
    "B7-long": b7_long,
    "horizons": horizons,
    "series": time_series,
}


def table(rows: list[Row]) -> str:
    """Return rows in Markdown, leaving out what does not fit into a cell."""
    names = [
        k for k in dict.fromkeys(k for row in rows for k in row) if k not in ("stages", "curve")
    ]
    names = [k for k in names if not any(isinstance(row.get(k), dict) for row in rows)]
    lines = ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]
    for row in rows:
        cells = [row.get(name, "") for name in names]
        shown = [f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in cells]
        lines.append("| " + " | ".join(shown) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run the cases, print their tables and write a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--output", type=Path, default=Path("bench-deep.json"))
    parser.add_argument("--seeds", type=int, nargs="+", default=range(5), help="of catastrophe")
    parser.add_argument(
        "--targets", choices=("steps", "exact"), default="steps", help="of B5 and B6"
    )
    parser.add_argument("--num-qubits", type=int, default=50, help="of horizons and series")
    parser.add_argument("--goals", type=float, nargs="+", default=(1e-2, 1e-3), help="of series")
    parser.add_argument("--blocks", nargs="+", default=("u1", "su4"), help="of series")
    parser.add_argument("--last", type=float, default=4.0, help="longest time of series")
    options = parser.parse_args()
    report: Row = json.loads(options.output.read_text()) if options.output.exists() else {}
    report["machine"] = f"{platform.machine()}, {os.cpu_count()} cores"
    report["devices"] = [str(device) for device in jax.devices()]
    settings = {
        "catastrophe": {"seeds": options.seeds},
        "B5": {"targets": options.targets},
        "B6": {"targets": options.targets},
        "horizons": {"num_qubits": options.num_qubits},
        "series": {
            "num_qubits": options.num_qubits,
            "goals": options.goals,
            "blocks": options.blocks,
            "last": options.last,
        },
    }
    for name in options.cases:
        report[name] = CASES[name](**settings.get(name, {}))
        report["peak_gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        options.output.write_text(json.dumps(report, indent=2) + "\n")
        print(f"{name}\n{table(report[name])}\n", flush=True)


if __name__ == "__main__":
    main()
