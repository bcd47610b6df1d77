"""B5 and B6: a ground state, one qubit turned, then evolved, beside published fidelities.

From Qiskit's tutorial "Simulate neutron scattering in quantum materials with quantum circuits"
(after arXiv:2603.15608): a Heisenberg chain of 10 or 30 qubits, Rz(pi/2) on a middle one, k steps
of 0.6. Its circuits prepare the ground state, too, and their CX depth counts that; so does ours.

Two targets for each k: "steps", as published, is the prepared state after k steps of the
second-order product formula; "exact" is the prepared state evolved by 0.6 k. At n = 30 both are
kept up to a bond dimension of 128, as published, and every fidelity is measured against that; a fit
contracts with as much of it as its goal needs.
"""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from math import pi
from pathlib import Path
from typing import Any

import numpy as np
from qiskit import QuantumCircuit, qasm2

from aqc.ansatz import Ansatz
from aqc.compile import compile_problem, compile_state
from aqc.continued import extrapolated, followed
from aqc.given import GivenCircuit
from aqc.hamiltonian import Hamiltonian
from aqc.inline import inline
from aqc.interop.bricks import find_bricks
from aqc.interop.circuits import parse
from aqc.interop.quimb import ground_state
from aqc.mps import MPS, log_overlap, right_canonical
from aqc.problem import Problem
from aqc.result import CompileResult
from aqc.simulate import compress, run_circuit
from aqc.target import Target
from aqc.tebd import apply_layers
from aqc.trotter import brick_layers, evolution_layers

Row = dict[str, Any]

STEP = 0.6
# Of the infidelity that a fit may end with, what its target may be cut by; and how exactly states
# are simulated where they are made and measured.
_CUT, _ANGLE, _MAX_BOND = 0.1, 3e-3, 128


@dataclass(frozen=True)
class Case:
    """A chain, and what is published for it.

    Attributes:
        num_qubits: Its length.
        preparation: Brick layers of the ground state's circuit.
        published: Fidelities after 1, 2, ... steps, by CX depth: three for each brick layer.
        least: Infidelity where a fit stops, or where more:
        share: of the published infidelity.
        max_steps: Most evaluations of each fit.
    """

    num_qubits: int
    preparation: int
    published: dict[int, tuple[float, ...]]
    least: float
    share: float
    max_steps: int

    @property
    def hamiltonian(self) -> Hamiltonian:
        """H = sum S.S in operators of spin 1/2."""
        return Problem.build(self.model, 0.0).to_hamiltonian()

    @property
    def model(self) -> Row:
        """H as problem.json has it."""
        return {"model": "heisenberg_chain", "j": 0.25, "num_qubits": self.num_qubits}

    @property
    def expected(self) -> list[tuple[int, float]]:
        """CX depth and fidelity of every step."""
        return [(depth, known) for depth, all_of in self.published.items() for known in all_of]


B5 = Case(
    10,
    7,
    {27: (1.0000, 0.9980, 0.9890), 33: (0.9983, 0.9957)},
    least=2e-5,
    share=0.0,
    max_steps=1000,
)
B6 = Case(
    30,
    9,
    {39: (1.0, 0.9994, 0.9944, 0.9853, 0.9747, 0.9590), 45: (0.9495, 0.9542, 0.9533, 0.9451)},
    least=1e-3,
    share=0.75,
    max_steps=150,
)


def scattering(case: Case, targets: str) -> list[Row]:
    """Compile the states of a case after every step, each fit warm-started from those before.

    Args:
        case: What is compiled.
        targets: "steps" or "exact".
    """
    began = time.perf_counter(), time.process_time()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "start.qasm"
        fidelity = turned_ground_state(case, file)
        spent = time.process_time() - began[1]
        print(f"ground state: fidelity {fidelity:.5f}, {spent:.0f} processor seconds", flush=True)
        for k, (result, reached) in enumerate(_compiled(case, file, targets)):
            depth, known = case.expected[k]
            rows.append(
                {
                    "step": k + 1,
                    "target": targets,
                    "ground_state": fidelity,
                    "published_depth": depth,
                    "published": known,
                    "depth": result.two_qubit_depth,
                    "fidelity": reached,
                    "start": result.chosen.start,
                    "evaluations": result.optimum.evaluations,
                    "fitted_bond": result.target.mps.max_bond,
                    "processor_seconds": time.process_time() - began[1],
                }
            )
            print(rows[-1], flush=True)
    spent_in_all = {
        "seconds": time.perf_counter() - began[0],
        "processor_seconds": time.process_time() - began[1],
    }
    return [*rows, spent_in_all]


def turned_ground_state(case: Case, file: Path) -> float:
    """Write a circuit of the ground state with Rz(pi/2) on its middle site; return its fidelity."""
    state, _ = ground_state(case.hamiltonian)
    prepared = compile_state(
        list(state.tensors),
        hamiltonian=case.hamiltonian,
        ansatz={"layers": case.preparation},
        goal={"infidelity": 1e-5},
        target={"tolerance": 1e-4},
        overlap="exact",
        optimizer={"max_steps": 500},
    )
    circuit = prepared.circuit.copy()
    circuit.rz(pi / 2, case.num_qubits // 2 - 1)
    file.write_text(qasm2.dumps(circuit))
    return 1 - prepared.certificate.infidelity


def _compiled(case: Case, file: Path, targets: str) -> Iterator[tuple[CompileResult, float]]:
    """Yield what was compiled for each step, and its fidelity with the whole target."""
    prepared = GivenCircuit(file.read_text(), case.num_qubits)
    begun = find_bricks(parse(prepared))
    whole, found = run_circuit(begun.circuit(), angle=_ANGLE, max_bond=_MAX_BOND).mps, []
    for k, (depth, known) in enumerate(case.expected, 1):
        whole = _one_step(case.hamiltonian, whole, targets)
        goal = max(case.least, case.share * (1 - known))
        problem = _problem(case, file, targets, k, depth // 3, goal)
        cut = compress(whole, angle=float(np.sqrt(_CUT * goal)), max_bond=_MAX_BOND)
        target = Target(cut.mps, cut.angle, 0.0, True, cut.weight, key=problem.target_key())
        warm = partial(_starts, begun, case.hamiltonian, STEP * k, list(found))
        result = compile_problem(problem, target=target, warm=warm)
        found.append(result.chosen.ansatz)
        made = run_circuit(found[-1].circuit(), angle=_ANGLE, max_bond=2 * _MAX_BOND).mps
        yield result, float(np.exp(2 * log_overlap(whole, made)[0]))


def _one_step(hamiltonian: Hamiltonian, state: MPS, targets: str) -> MPS:
    """Return the state after one more step, with nothing but the bond dimension to bound it."""
    if targets == "steps":
        layers = brick_layers(hamiltonian, STEP, 1, 2)
    else:
        layers = evolution_layers(hamiltonian, STEP, 2)
    return apply_layers(right_canonical(state), layers, angle=_ANGLE, max_bond=_MAX_BOND).mps


def _problem(case: Case, file: Path, targets: str, k: int, layers: int, goal: float) -> Problem:
    content: Row = {
        "ansatz": {"layers": layers},
        "goal": {"infidelity": goal},
        "target": {"tolerance": 0.1, "max_bond": _MAX_BOND},
        "optimizer": {"max_steps": case.max_steps},
        "overlap": "exact" if case.num_qubits > 14 else "auto",
    }
    if targets == "steps":
        content["target"]["circuit"] = _with_steps(case, file, k)
    else:
        content |= {"hamiltonian": case.model, "time": STEP * k}
        content["initial_state"] = {"circuit": file}
    return Problem.from_dict(inline(content))


def _with_steps(case: Case, file: Path, steps: int) -> QuantumCircuit:
    """Return the prepared circuit followed by steps of the second-order product formula."""
    circuit = QuantumCircuit.from_qasm_file(str(file))
    evens, odds = ([(j, j + 1) for j in range(first, case.num_qubits - 1, 2)] for first in (0, 1))
    for _ in range(steps):
        for pairs, angle in ((evens, STEP / 2), (odds, STEP), (evens, STEP / 2)):
            for pair in pairs:
                for rotation in (circuit.rxx, circuit.ryy, circuit.rzz):
                    rotation(0.5 * angle, *pair)
    return circuit


def _starts(
    begun: Ansatz, hamiltonian: Hamiltonian, time: float, found: list[Ansatz], layers: int
) -> list[tuple[str, Ansatz]]:
    """Return the starts of a fit: the state's circuit evolved, the last fit, and where it led."""
    starts = [("evolved", followed(begun, hamiltonian, time, layers))]
    if found:
        starts.append(("last", found[-1].deepened(layers)))
        if found[-1].layers < layers:
            starts.append(("evolved last", followed(found[-1], hamiltonian, STEP, layers)))
    if len(found) > 1:
        starts.append(("extrapolated", extrapolated(*found[-2:], 1.0).deepened(layers)))
    return starts
