"""The circuit of a checkpoint, also while the optimizer works in single precision."""

from pathlib import Path

import numpy as np
import pytest

from aqc import fit
from aqc.checkpoint import Checkpoints
from aqc.compile import compile_problem
from aqc.interop.files import load_circuit
from aqc.interop.qasm import to_qasm3
from aqc.problem import Problem
from aqc_service.best_so_far import write_best


def test_the_best_of_single_precision_is_a_circuit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit, "_SINGLE_WORK", 0.0)
    model = {"model": "xxz_chain", "num_qubits": 6, "delta": 0.5}
    problem = Problem.build(
        model, 0.8, initial_state="neel", ansatz={"layers": 3}, optimizer={"max_steps": 4}
    )
    kept = Checkpoints(tmp_path / "checkpoint", problem.to_json(), 0.0)
    compile_problem(problem, checkpoint=kept)
    arrays = kept.load("state")
    assert arrays is not None
    assert arrays["point"].dtype == np.complex64

    best = write_best(tmp_path, problem, arrays)
    circuit = load_circuit(tmp_path / best["directory"] / "circuit.qpy")
    assert circuit.num_qubits == 6
    written = (tmp_path / best["directory"] / "circuit.qasm").read_text()
    assert written == to_qasm3(circuit)
