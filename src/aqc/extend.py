"""A compiled circuit followed by plain Trotter steps, beside Trotter's formula alone.

The compiled part is exact where a classical computer still follows the state; the steps behind it
go on from there (Robertson, Akhriev, Vala, Zhuk, arXiv:2301.08609, step 4).
"""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from aqc.baseline import Baseline
from aqc.certificates import certify_for
from aqc.certify import Certificate
from aqc.checks import integer, real_number
from aqc.circuit import Circuit
from aqc.errors import InputError
from aqc.given import GivenCircuit
from aqc.interop.circuits import as_gates
from aqc.interop.fusion import from_zeros
from aqc.interop.routing import chain_circuit
from aqc.interop.synthesis import synthesize, two_qubit_counts
from aqc.lattice import formula
from aqc.lattice_baseline import best_formula
from aqc.problem import Problem
from aqc.targets import make_target

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


@dataclass(frozen=True, eq=False)
class Extension:
    """A compiled circuit with Trotter steps behind it.

    Attributes:
        problem: The compiled problem with the time after all steps.
        steps: Number of steps of second order.
        circuit: As it is written, on the device's qubits where a coupling map is given.
        layout: Physical qubit of each site at the end, or None without a coupling map.
        two_qubit_gates: Number of two-qubit gates.
        two_qubit_depth: Depth in two-qubit gates alone.
        certificate: How close the circuit is to the exact state after all steps.
        observables: As result.json has them.
        trotter: The best plain formula of the same or the next larger CX depth.
    """

    problem: Problem
    steps: int
    circuit: "QuantumCircuit"
    layout: tuple[int, ...] | None
    two_qubit_gates: int
    two_qubit_depth: int
    certificate: Certificate
    observables: dict[str, Any] | None
    trotter: Baseline

    def to_dict(self) -> dict[str, Any]:
        """Return what extended.json holds."""
        return {
            "steps": self.steps,
            "time": self.problem.time,
            "two_qubit_gates": self.two_qubit_gates,
            "two_qubit_depth": self.two_qubit_depth,
            "infidelity": self.certificate.infidelity,
            "certificate": self.certificate.to_dict(),
            "observables": self.observables,
            "trotter": {**asdict(self.trotter), "infidelity": self.trotter.infidelity},
            "layout": None if self.layout is None else list(self.layout),
            "problem": self.problem.to_dict(),
        }


def extend(
    problem: Problem,
    circuit: "QuantumCircuit",
    steps: int,
    step_time: float,
    *,
    layout: tuple[int, ...] | None = None,
) -> Extension:
    """Return a compiled circuit followed by Trotter steps of second order, certified again.

    Args:
        problem: What was compiled: an evolution of a product state, in state mode.
        circuit: The compiled circuit.
        steps: Number of steps.
        step_time: Time of each.
        layout: Physical qubit of each site at the circuit's end, where it is on a device's.

    Raises:
        InputError: If the problem is another, or the steps are refused.
        TruncationError: If the state after all steps cannot be computed within the tolerance.

    Example:
        >>> from aqc.compile import compile_evolution
        >>> result = compile_evolution({"model": "xxz_chain", "num_qubits": 4}, 0.3)
        >>> later = extend(result.problem, result.circuit, 2, 0.1)
        >>> round(later.problem.time, 12), later.certificate.infidelity < 0.01
        (0.5, True)
    """
    steps = integer(steps, "The number of steps", least=1, most=10_000)
    step_time = real_number(step_time, "The time of a step")
    evolution = problem.evolution()
    if evolution is None or problem.mode != "state":
        raise InputError('What is extended must be an evolution, compiled with `mode` "state".')
    if isinstance(problem.initial_state, GivenCircuit):
        raise InputError("What is extended must begin in a product state.", "/initial_state")
    hamiltonian, time = evolution
    later = Problem.from_dict({**problem.to_dict(), "time": time + steps * step_time})
    begun = as_gates(circuit if layout is None else chain_circuit(circuit, layout))
    if begun.num_qubits != problem.num_qubits:
        raise InputError(
            "A circuit that is extended must need no qubits beside the sites of the chain; compile "
            "without a coupling map, or with one that holds the chain."
        )
    onward = formula(hamiltonian, steps * step_time, steps, 2)
    whole = from_zeros(Circuit(problem.num_qubits, begun.gates + onward.gates))
    settings = problem.circuit
    emitted = synthesize(whole, settings.basis, settings.coupling_map, problem.seed)
    written = emitted.circuit
    chain = written if emitted.layout is None else chain_circuit(written, emitted.layout)
    target = make_target(later)
    certificate, observables = certify_for(later, chain, target)
    assert isinstance(certificate, Certificate)
    gates, depth = two_qubit_counts(written)
    cx_depth = two_qubit_counts(synthesize(whole).circuit)[1]
    start = problem.product_state()
    trotter = best_formula(later.pieces(), start, target.mps, cx_depth)
    return Extension(
        later,
        steps,
        written,
        emitted.layout,
        gates,
        depth,
        certificate,
        observables,
        trotter,
    )
