"""One problem solved with qiskit-addon-aqc-tensor, the way its own guide does: a whole process.

Target: second-order Trotter circuit, 20 steps, in quimb's CircuitMPS. Ansatz: from a shallow
second-order Trotter circuit. SciPy's L-BFGS-B minimizes 1 - F through quimb's JAX gradient.
Prints one JSON object.
"""

import argparse
import contextlib
import functools
import json
import resource
import statistics
import time

BEGAN = time.perf_counter()

import quimb.tensor as qtn  # noqa: E402
import scipy.optimize  # noqa: E402
from qiskit import QuantumCircuit  # noqa: E402
from qiskit.circuit.library import PauliEvolutionGate  # noqa: E402
from qiskit.quantum_info import SparsePauliOp  # noqa: E402
from qiskit.synthesis import SuzukiTrotter  # noqa: E402
from qiskit_addon_aqc_tensor import generate_ansatz_from_circuit  # noqa: E402
from qiskit_addon_aqc_tensor.objective import MaximizeStateFidelity  # noqa: E402
from qiskit_addon_aqc_tensor.simulation import tensornetwork_from_circuit  # noqa: E402
from qiskit_addon_aqc_tensor.simulation.quimb import QuimbSimulator  # noqa: E402


def trotter(operator: SparsePauliOp, time_: float, steps: int) -> QuantumCircuit:
    """Return Neel preparation and second-order steps; even bonds come first in the operator."""
    circuit = QuantumCircuit(operator.num_qubits)
    circuit.x(range(1, operator.num_qubits, 2))
    formula = SuzukiTrotter(order=2, reps=steps)
    gate = PauliEvolutionGate(operator, time=time_, synthesis=formula)
    circuit.append(gate, range(operator.num_qubits))
    return circuit.decompose(reps=2)


def xxz(num_qubits: int) -> SparsePauliOp:
    """Return sum XX + YY + 0.5 ZZ, bond by bond, even bonds first."""
    bonds = [*range(0, num_qubits - 1, 2), *range(1, num_qubits - 1, 2)]
    terms = [
        (pair, [bond, bond + 1], weight)
        for bond in bonds
        for pair, weight in (("XX", 1.0), ("YY", 1.0), ("ZZ", 0.5))
    ]
    return SparsePauliOp.from_sparse_list(terms, num_qubits=num_qubits)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--num-qubits", type=int, default=50)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--infidelity", type=float, default=0.0112)
    parser.add_argument("--max-evaluations", type=int, default=60)
    options = parser.parse_args()
    operator = xxz(options.num_qubits)
    settings = QuimbSimulator(
        functools.partial(
            qtn.CircuitMPS, gate_opts={"cutoff": 1e-10, "max_bond": 50}, dtype="complex128"
        ),
        autodiff_backend="jax",
    )
    seconds = {"import": time.perf_counter() - BEGAN}
    began = time.perf_counter()
    target = tensornetwork_from_circuit(trotter(operator, 1.0, 20), settings)
    seconds["target"] = time.perf_counter() - began

    ansatz, start = generate_ansatz_from_circuit(
        trotter(operator, 1.0, options.steps), qubits_initially_zero=True
    )
    objective = MaximizeStateFidelity(target, ansatz, settings)
    history: list[float] = []
    times: list[float] = []

    class Reached(Exception):
        pass

    def evaluate(x):
        began = time.perf_counter()
        value, gradient = objective.loss_function(x)
        times.append(time.perf_counter() - began)
        history.append(float(value))
        if value <= options.infidelity or len(history) >= options.max_evaluations:
            raise Reached
        return value, gradient

    with contextlib.suppress(Reached):
        scipy.optimize.minimize(evaluate, start, jac=True, method="L-BFGS-B")
    counts = ansatz.decompose(reps=3).count_ops()
    seconds["first_evaluation"] = times[0]
    seconds["evaluations"] = sum(times[1:])
    seconds["total"] = time.perf_counter() - BEGAN
    print(
        json.dumps(
            {
                "infidelity": min(history),
                "start": history[0],
                "evaluations": len(history),
                "seconds_per_evaluation": statistics.median(times[1:] or times),
                "seconds": seconds,
                "two_qubit_gates": counts.get("cx"),
                "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
            }
        )
    )


if __name__ == "__main__":
    main()
