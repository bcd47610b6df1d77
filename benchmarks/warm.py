"""Compile a problem twice in one process and report the second time: a worker that is warm.

    python benchmarks/warm.py NUM_QUBITS LAYERS INFIDELITY

Prints one JSON object. What is timed is what a worker does for a job: compile, and write the
circuit and the result. The caches of compiled code in memory are filled by the first compile.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from aqc import runtime

runtime.limit_threads(None)

from aqc.compile import as_problem, compile_problem  # noqa: E402
from aqc.output import write_result  # noqa: E402


def main() -> None:
    """Run and print."""
    num_qubits, layers, infidelity = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    problem = as_problem(
        {"model": "xxz_chain", "num_qubits": num_qubits, "j": 1.0, "delta": 0.5},
        1.0,
        initial_state="neel",
        ansatz={"layers": layers},
        goal={"infidelity": infidelity},
    )
    with tempfile.TemporaryDirectory() as directory:
        for name in ("first", "second"):
            began = time.perf_counter()
            result = compile_problem(problem)
            write_result(Path(directory) / name, result, problem, draw=False)
            seconds = time.perf_counter() - began
    print(
        json.dumps(
            {
                "wall_seconds": seconds,
                "infidelity": result.certificate.infidelity,
                "infidelity_bound": result.certificate.infidelity_bound,
                "evaluations": result.optimum.evaluations,
                "seconds_per_evaluation": result.seconds["optimize"] / result.optimum.evaluations,
                "seconds": result.seconds,
            }
        )
    )


if __name__ == "__main__":
    main()
