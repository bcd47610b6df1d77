"""B7's chain at several times: one job beside one job for each time, and Trotter's depths.

Whole processes of `aqc compile` with no compilation cache: imports, targets, XLA's compilation, the
search for the fewest layers and the certificates, in processor seconds and by the clock.
"""

import json
import resource
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from published import FERROMAGNET
from run import timed

from aqc.baseline import best_trotter
from aqc.mps import MPS
from aqc.problem import Problem
from aqc.targets import make_target

Row = dict[str, Any]


def time_series(
    num_qubits: int,
    goals: Sequence[float] = (1e-2, 1e-3),
    blocks: Sequence[str] = ("u1", "su4"),
    last: float = 4.0,
) -> list[Row]:
    """Compile for t = 0.5, 1, ... in one process, and for each time in one of its own."""
    times = [0.5 * k for k in range(1, 9) if 0.5 * k <= last]
    return [
        row for goal in goals for block in blocks for row in _series(num_qubits, goal, block, times)
    ]


def _series(num_qubits: int, goal: float, block: str, times: list[float]) -> list[Row]:
    settings: Row = {
        "hamiltonian": {**FERROMAGNET, "num_qubits": num_qubits},
        "initial_state": "neel",
        "ansatz": {"layers": "auto", "block": block},
        "goal": {"infidelity": goal},
    }
    together, told = _process({**settings, "times": times})
    print(told, flush=True)
    found = {result["problem"]["time"]: result for result in together}
    rows, alone = [], {"seconds": 0.0, "processor_seconds": 0.0}
    for time in times:
        (single,), spent = _process({**settings, "time": time})
        alone = {name: alone[name] + spent[name] for name in alone}
        result = found[time]
        problem = Problem.from_dict({**settings, "time": time})
        target = make_target(problem).mps
        row = {
            "block": block,
            "goal": goal,
            "time": time,
            "layers": result["layers"],
            "cx_depth": result["two_qubit_depth"],
            "infidelity": result["infidelity"],
            "trotter_depth": trotter_depth(problem, target, goal, result["two_qubit_depth"]),
            "tried": _tried(result),
            "layers_alone": single["layers"],
            "infidelity_alone": single["infidelity"],
            "tried_alone": _tried(single),
            "processor_seconds_alone": spent["processor_seconds"],
        }
        rows.append(row)
        print(row, flush=True)
    ratios = {f"{name}_ratio": told[name] / alone[name] for name in alone}
    summed = {f"{name}_alone": value for name, value in alone.items()}
    return [*rows, {"block": block, "goal": goal, **told, **summed, **ratios}]


def _process(content: Row) -> tuple[list[Row], Row]:
    """Run `aqc compile`; return what each result.json holds, in the order of time, and the cost."""
    with tempfile.TemporaryDirectory() as directory:
        file, out = Path(directory) / "problem.json", Path(directory) / "out"
        file.write_text(json.dumps(content))
        command = [sys.executable, "-m", "aqc.cli", "compile", str(file), "--quiet"]
        before = _processor_seconds()
        wall, _, _ = timed(
            [*command, "--no-figures", "--out", str(out)], {"JAX_COMPILATION_CACHE_DIR": ""}
        )
        spent = {"seconds": wall, "processor_seconds": _processor_seconds() - before}
        results = [json.loads(path.read_text()) for path in out.rglob("result.json")]
    return sorted(results, key=lambda result: result["problem"]["time"]), spent


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _tried(result: Row) -> str:
    """Return the evaluations at each depth."""
    return ", ".join(f"{depth['layers']}: {depth['evaluations']}" for depth in result["sweep"])


def trotter_depth(problem: Problem, target: MPS, goal: float, depth: int) -> int:
    """Return the CX depth, at least `depth`, that the best product formula needs for a goal."""
    evolution = problem.evolution()
    assert evolution is not None
    while True:
        plain = best_trotter(*evolution, problem.product_state(), target, depth)
        if plain.infidelity <= goal:
            return plain.two_qubit_depth
        depth = plain.two_qubit_depth + 1
