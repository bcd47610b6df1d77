"""Deep circuits beside published fidelities, and how far in time a target can be had.

B7      Heisenberg chain from the Neel state, n = 9
B7-long the same at n = 50 and 100
"""

import time
from typing import Any

from aqc.compile import compile_evolution
from aqc.errors import TruncationError
from aqc.problem import Problem
from aqc.targets import make_target

Row = dict[str, Any]

# H = -sum S.S in operators of spin 1/2.
FERROMAGNET = {"model": "heisenberg_chain", "j": -0.25}
# The paper's code at n = 9: full layers, of which each but the last is two brick layers.
PUBLISHED_B7 = {
    (1.2, 5): 0.999473,
    (2.4, 9): 0.999462,
    (3.6, 13): 0.999151,
    (4.8, 17): 0.998791,
    (6.0, 21): 0.997917,
    (7.2, 25): 0.997424,
}


def b7() -> list[Row]:
    """B7 at n = 9: our infidelity at the published depths."""
    rows = []
    for (horizon, layers), published in PUBLISHED_B7.items():
        found = compile_evolution(
            {**FERROMAGNET, "num_qubits": 9},
            horizon,
            initial_state="neel",
            ansatz={"layers": layers},
            goal={"infidelity": 1e-5},
            target={"tolerance": 1e-7},
            optimizer={"max_steps": 1000},
        )
        rows.append(
            {
                "time": horizon,
                "layers": layers,
                "fidelity": 1 - found.certificate.infidelity,
                "published": published,
                "evaluations": found.optimum.evaluations,
                "seconds": found.seconds["total"],
            }
        )
    return rows


# Most evaluations at each horizon with 50 qubits: those of the last two take 3 and 20 s each. With
# 100 qubits from 3.6 on half as many, which take twice as long.
B7_EVALUATIONS = {1.2: 800, 2.4: 800, 3.6: 800, 4.8: 60, 6.0: 12}


def b7_long(lengths: tuple[int, ...] = (50, 100)) -> list[Row]:
    """B7's chain, longer: fits to 1e-3 at its horizons up to 6.0."""
    rows: list[Row] = []
    for n in lengths:
        for horizon, layers in PUBLISHED_B7:
            if horizon not in B7_EVALUATIONS:
                break
            most = B7_EVALUATIONS[horizon] // (2 if n > 50 and horizon > 3 else 1)
            began = time.process_time()
            found = compile_evolution(
                {**FERROMAGNET, "num_qubits": n},
                horizon,
                initial_state="neel",
                ansatz={"layers": layers, "block": "u1"},
                goal={"infidelity": 1e-3},
                target={"tolerance": 1e-3},
                optimizer={"max_steps": most},
                limits={"memory_gb": 16},
            )
            rows.append(
                {
                    "num_qubits": n,
                    "time": horizon,
                    "layers": layers,
                    "target_bond": found.target.mps.max_bond,
                    "infidelity": found.certificate.infidelity,
                    "infidelity_bound": found.certificate.infidelity_bound,
                    "trotter": found.trotter.infidelity if found.trotter else None,
                    "evaluations": found.optimum.evaluations,
                    "processor_seconds": time.process_time() - began,
                }
            )
            print(rows[-1], flush=True)
    return rows


def horizons(num_qubits: int = 50, first: float = 5.4, step: float = 0.6) -> list[Row]:
    """How long B7's chain can be evolved: tolerance 1e-3, bond dimension at most 256."""
    rows: list[Row] = []
    horizon = first
    while True:
        problem = Problem.build(
            {**FERROMAGNET, "num_qubits": num_qubits},
            horizon,
            initial_state="neel",
            target={"tolerance": 1e-3, "max_bond": 256},
        )
        row: Row = {"num_qubits": num_qubits, "time": horizon}
        began = time.process_time()
        try:
            target = make_target(problem)
            row |= {"bond": target.mps.max_bond, "infidelity_bound": target.infidelity_bound}
        except TruncationError as error:
            row |= {"refused": str(error)}
        rows.append(row | {"processor_seconds": time.process_time() - began})
        print(rows[-1], flush=True)
        if "refused" in row:
            return rows
        horizon = round(horizon + step, 10)
