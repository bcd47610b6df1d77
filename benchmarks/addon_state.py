"""A state compiled with qiskit-addon-aqc-tensor: brick layers of three CX, all parameters at once.

Runs in the environment of benchmarks/requirements.txt. The start is a product state of bits,
followed by blocks near the identity; SciPy's L-BFGS-B minimizes 1 - F by quimb's JAX gradient.
Prints one JSON object.
"""

import argparse
import contextlib
import functools
import json
import time

import numpy as np
import quimb.tensor as qtn
import scipy.optimize
from qiskit import QuantumCircuit
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import SparsePauliOp
from qiskit_addon_aqc_tensor import generate_ansatz_from_circuit
from qiskit_addon_aqc_tensor.objective import MaximizeStateFidelity
from qiskit_addon_aqc_tensor.simulation.quimb import QuimbSimulator

WEIGHTS = {"XX": 1.0, "YY": 1.0, "ZZ": 0.5}  # three different ones: three CX


def bricks(bits: str, layers: int, angle: float) -> QuantumCircuit:
    """Return the preparation of bits, qubit 0 first, and layers of blocks near the identity."""
    circuit = QuantumCircuit(len(bits))
    circuit.x([j for j, bit in enumerate(bits) if bit == "1"])
    block = SparsePauliOp.from_list(list(WEIGHTS.items()))
    for layer in range(layers):
        for j in range(layer % 2, len(bits) - 1, 2):
            circuit.append(PauliEvolutionGate(block, time=angle), [j, j + 1])
    return circuit.decompose(reps=2)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("state", help="what np.savez(file, *tensors) wrote: (left, 2, right)")
    parser.add_argument("--bits", required=True)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--angle", type=float, default=0.02)
    parser.add_argument("--max-evaluations", type=int, default=300)
    options = parser.parse_args()
    with np.load(options.state) as file:
        tensors = [file[f"arr_{k}"] for k in range(len(file.files))]
    arrays = [tensors[0][0], *tensors[1:-1], tensors[-1][:, :, 0]]
    state = qtn.MatrixProductState(arrays, shape="lpr")
    options_ = {"gate_opts": {"cutoff": 1e-10, "max_bond": 64}, "dtype": "complex128"}
    factory = functools.partial(qtn.CircuitMPS, **options_)
    target = factory(N=state.L, psi0=state)
    ansatz, start = generate_ansatz_from_circuit(
        bricks(options.bits, options.layers, options.angle), qubits_initially_zero=True
    )
    objective = MaximizeStateFidelity(
        target, ansatz, QuimbSimulator(factory, autodiff_backend="jax")
    )
    history: list[float] = []
    began = time.process_time()

    class Spent(Exception):
        pass

    def evaluate(x):
        value, gradient = objective.loss_function(x)
        history.append(float(value))
        if len(history) % 20 == 1:
            print(json.dumps([len(history), min(history), time.process_time() - began]), flush=True)
        if len(history) >= options.max_evaluations:
            raise Spent
        return value, gradient

    with contextlib.suppress(Spent):
        scipy.optimize.minimize(
            evaluate, start, jac=True, method="L-BFGS-B", options={"maxiter": 10**6}
        )
    plain = ansatz.decompose(reps=3)
    cx = lambda gate: gate.operation.num_qubits == 2  # noqa: E731
    print(
        json.dumps(
            {
                "fidelity": 1 - min(history),
                "evaluations": len(history),
                "parameters": ansatz.num_parameters,
                "cx": plain.count_ops().get("cx"),
                "cx_depth": plain.depth(cx),
                "processor_seconds": time.process_time() - began,
            }
        )
    )


if __name__ == "__main__":
    main()
