"""Deep circuits beside published fidelities, and how far in time a target can be had.

    B5, B6  Heisenberg chain in its ground state, one qubit turned, then evolved: n = 10 and 30
    B7      Heisenberg chain from the Neel state, n = 9
    B7-long the same at n = 50 and 100

B5 and B6 are those of Qiskit's tutorial "Simulate neutron scattering in quantum materials with
quantum circuits" (after arXiv:2603.15608), whose circuits contain the ground state's preparation
and whose CX depth counts it, as ours do. Its preparation is a variational circuit of 7 brick layers
(n = 10; fidelity .984 with the ground state) or 11; ours has as many.
"""

import tempfile
import time
from math import pi
from pathlib import Path
from typing import Any

from aqc.compile import compile_evolution, compile_state
from aqc.errors import TruncationError
from aqc.hamiltonian import Hamiltonian
from aqc.inline import inline
from aqc.interop.quimb import ground_state
from aqc.problem import Problem
from aqc.result import CompileResult
from aqc.series import compile_series
from aqc.targets import make_target

Row = dict[str, Any]

# H = -sum S.S and H = sum S.S in operators of spin 1/2.
FERROMAGNET = {"model": "heisenberg_chain", "j": -0.25}
ANTIFERROMAGNET = {"model": "heisenberg_chain", "j": 0.25}
# The paper's code at n = 9: full layers, of which each but the last is two brick layers.
PUBLISHED_B7 = {
    (1.2, 5): 0.999473,
    (2.4, 9): 0.999462,
    (3.6, 13): 0.999151,
    (4.8, 17): 0.998791,
    (6.0, 21): 0.997917,
    (7.2, 25): 0.997424,
}
STEP = 0.6
# Fidelities after 1, 2, ... steps, by their CX depth: three for each brick layer.
PUBLISHED_B5 = {27: (1.0000, 0.9980, 0.9890), 33: (0.9983, 0.9957)}
PUBLISHED_B6 = {
    39: (1.0, 0.9994, 0.9944, 0.9853, 0.9747, 0.9590),
    45: (0.9495, 0.9542, 0.9533, 0.9451),
}


def scattering(
    num_qubits: int,
    preparation: int,
    published: dict[int, tuple[float, ...]],
    *,
    least: float,
    share: float,
    max_steps: int,
) -> list[Row]:
    """Compile the evolved states of B5 or B6 at the published depths.

    Args:
        num_qubits: Number of qubits.
        preparation: Brick layers of the ground state's circuit.
        published: Fidelities by CX depth.
        least: Infidelity where a fit stops, or where more:
        share: of the published infidelity.
        max_steps: Most evaluations of each fit.
    """
    model = {**ANTIFERROMAGNET, "num_qubits": num_qubits}
    hamiltonian = Problem.build(model, 0.0).to_hamiltonian()
    began = time.perf_counter(), time.process_time()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "start.qasm"
        fidelity = _turned_ground_state(hamiltonian, preparation, file)
        print(f"ground state: fidelity {fidelity:.5f}", flush=True)

        def take(result: CompileResult) -> None:
            depth, known = expected[len(rows)]
            rows.append(
                {
                    "step": len(rows) + 1,
                    "ground_state": fidelity,
                    "published_depth": depth,
                    "published": known,
                    "depth": result.two_qubit_depth,
                    "fidelity": 1 - result.certificate.infidelity,
                    "bound": 1 - result.certificate.infidelity_bound,
                    "start": result.chosen.start,
                    "evaluations": result.optimum.evaluations,
                    "target_bond": result.target.mps.max_bond,
                    "processor_seconds": time.process_time() - began[1],
                }
            )
            print(rows[-1], flush=True)

        expected = [(depth, known) for depth, all_of in published.items() for known in all_of]
        for depth in published:
            problems = [
                Problem.from_dict(
                    inline(
                        {
                            "hamiltonian": model,
                            "time": STEP * (k + 1),
                            "initial_state": {"circuit": file},
                            "ansatz": {"layers": depth // 3},
                            "goal": {"infidelity": max(least, share * (1 - known))},
                            "target": {"tolerance": 1e-4},
                            "optimizer": {"max_steps": max_steps},
                        }
                    )
                )
                for k, (each, known) in enumerate(expected)
                if each == depth
            ]
            compile_series(problems, on_result=take)
    spent = {
        "seconds": time.perf_counter() - began[0],
        "processor_seconds": time.process_time() - began[1],
    }
    return [*rows, spent]


def _turned_ground_state(hamiltonian: Hamiltonian, layers: int, file: Path) -> float:
    """Write a circuit of the ground state with Rz(pi/2) on its middle site; return 1 - error."""
    from qiskit import qasm2

    state, _ = ground_state(hamiltonian)
    prepared = compile_state(
        list(state.tensors),
        ansatz={"layers": layers},
        goal={"infidelity": 1e-5},
        optimizer={"max_steps": 300},
    )
    circuit = prepared.circuit.copy()
    circuit.rz(pi / 2, hamiltonian.num_qubits // 2 - 1)
    file.write_text(qasm2.dumps(circuit))
    return 1 - prepared.certificate.infidelity


def b5() -> list[Row]:
    """B5: ten qubits."""
    return scattering(10, 7, PUBLISHED_B5, least=2e-5, share=0.0, max_steps=1000)


def b6() -> list[Row]:
    """B6: thirty qubits."""
    return scattering(30, 11, PUBLISHED_B6, least=4e-5, share=0.5, max_steps=150)


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


def b7_long(lengths: tuple[int, ...] = (50, 100), last: float = 3.6) -> list[Row]:
    """B7's chain, longer: a fit at each horizon of B7 up to `last`, to 1e-3."""
    rows: list[Row] = []
    for n in lengths:
        for horizon, layers in PUBLISHED_B7:
            if horizon > last:
                break
            began = time.process_time()
            found = compile_evolution(
                {**FERROMAGNET, "num_qubits": n},
                horizon,
                initial_state="neel",
                ansatz={"layers": layers},
                goal={"infidelity": 1e-3},
                target={"tolerance": 1e-3},
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
