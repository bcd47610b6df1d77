"""The circuit of an optimizer's state: what there is of a job that is not finished."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from aqc.problem import Problem


def write_best(
    directory: Path, problem: Problem, arrays: dict[str, np.ndarray], name: str = "best"
) -> dict[str, Any]:
    """Write the circuit of an optimizer's state.

    Args:
        directory: The attempt's directory; the files go to a new one in it.
        arrays: As `Ansatz.frame` gives them, and `aqc.optimize.State.arrays` or, where the
            optimizer has not begun, `blocks`.
        name: What the new directory's name begins with.

    Returns:
        {infidelity, evaluations, directory}; the infidelity is the optimizer's, not certified,
        and None before its first evaluation.
    """
    from aqc.ansatz import Ansatz
    from aqc.interop import files, qasm
    from aqc.interop.synthesis import synthesize, two_qubit_counts
    from aqc.optimize import State
    from aqc.points import exact_matrices

    best: dict[str, Any] = {"infidelity": None, "evaluations": 0}
    history: list[list[float]] = []
    if "blocks" in arrays:
        blocks = arrays["blocks"]
    else:
        state = State.restored(arrays)
        blocks = exact_matrices(state.point, str(arrays["block"]))
        best = {"infidelity": state.history[-1][1], "evaluations": state.evaluations}
        history = [list(point) for point in state.history]
    ansatz = Ansatz.framed(arrays, blocks)
    circuit = synthesize(
        ansatz.circuit(),
        problem.circuit.basis,
        problem.circuit.coupling_map,
        problem.seed,
        swaps=problem.mode == "state",
    ).circuit
    gates, depth = two_qubit_counts(circuit)
    stage = directory / f"{name}-{ansatz.layers}-{best['evaluations']}"
    stage.mkdir(exist_ok=True)
    (stage / "circuit.qasm").write_text(qasm.to_qasm3(circuit))
    (stage / "circuit.qasm2").write_text(qasm.to_qasm2(circuit))
    files.save_qpy(circuit, stage / "circuit.qpy")
    result = {
        "best_so_far": True,
        "certified": False,
        "num_qubits": problem.num_qubits,
        "layers": ansatz.layers,
        "basis": problem.circuit.basis,
        "two_qubit_gates": gates,
        "two_qubit_depth": depth,
        **best,
        "history": history,
        "problem": problem.to_dict(),
    }
    (stage / "result.json").write_text(json.dumps(result, indent=2, allow_nan=False) + "\n")
    return {**best, "directory": stage.name}
