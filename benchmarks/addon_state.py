"""A given matrix product state prepared with qiskit-addon-aqc-tensor: a whole process.

Ansatz: brick layers of any two-qubit gates (3 CX each) on the nearest basis state, at first random
ones near the identity. SciPy's L-BFGS-B minimizes 1 - F through quimb's JAX gradient. Prints one
JSON object.
"""

import argparse
import functools
import json
import time

import numpy as np
import quimb.tensor as qtn
import scipy.linalg
import scipy.optimize
from qiskit import QuantumCircuit
from qiskit.circuit.library import UnitaryGate
from qiskit_addon_aqc_tensor import generate_ansatz_from_circuit
from qiskit_addon_aqc_tensor.objective import MaximizeStateFidelity
from qiskit_addon_aqc_tensor.simulation.quimb import QuimbSimulator


def start(ones: list[bool], layers: int, size: float, seed: int) -> QuantumCircuit:
    """Return a basis state behind which gates exp(iH) stand, H random with entries of a size."""
    rng, num_qubits = np.random.default_rng(seed), len(ones)
    circuit = QuantumCircuit(num_qubits)
    circuit.x([qubit for qubit, one in enumerate(ones) if one])
    for layer in range(layers):
        for bond in range(layer % 2, num_qubits - 1, 2):
            h = size * (rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4)))
            circuit.append(UnitaryGate(scipy.linalg.expm(1j * (h + h.conj().T))), [bond, bond + 1])
    return circuit


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target", help="tensors (vL, i, vR) as npz, in the order of the sites")
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--size", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-evaluations", type=int, default=500)
    options = parser.parse_args()
    with np.load(options.target) as file:
        tensors = [file[name] for name in file.files]
    n, began = len(tensors), time.perf_counter()
    arrays = [tensors[0][0], *tensors[1:-1], tensors[-1][..., 0]]
    state = qtn.MatrixProductState(arrays, shape="lpr")
    settings = QuimbSimulator(
        functools.partial(
            qtn.CircuitMPS, gate_opts={"cutoff": 1e-10, "max_bond": 64}, dtype="complex128"
        ),
        autodiff_backend="jax",
    )
    target = qtn.CircuitMPS(psi0=state)
    ones = [bool(state.magnetization(site).real < 0) for site in range(n)]
    circuit = start(ones, options.layers, options.size, options.seed)
    ansatz, point = generate_ansatz_from_circuit(circuit, qubits_initially_zero=True)
    objective = MaximizeStateFidelity(target, ansatz, settings)
    found = scipy.optimize.minimize(
        objective.loss_function,
        point,
        jac=True,
        method="L-BFGS-B",
        options={"maxfun": options.max_evaluations, "maxiter": options.max_evaluations},
    )
    counts = ansatz.decompose(reps=3).count_ops()
    print(
        json.dumps(
            {
                "fidelity": 1 - float(found.fun),
                "evaluations": int(found.nfev),
                "message": str(found.message),
                "two_qubit_gates": counts.get("cx"),
                "seconds": time.perf_counter() - began,
            }
        )
    )


if __name__ == "__main__":
    main()
