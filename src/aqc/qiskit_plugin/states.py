"""Compile a prefix in state mode, and keep the circuit only if it is what was asked."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Qubit
from qiskit.circuit.library import PauliEvolutionGate

from aqc.errors import AqcError
from aqc.qiskit_plugin.chains import read_evolution
from aqc.qiskit_plugin.prefix import Part
from aqc.qiskit_plugin.state_options import Options

if TYPE_CHECKING:
    from qiskit.transpiler import Target

    from aqc.hamiltonian import Hamiltonian
    from aqc.progress import Progress, Report
    from aqc.result import CompileResult


class _Late(Exception):
    pass


@dataclass(frozen=True, eq=False)
class Compiled:
    """A circuit on |0...0> that a plugin may put in place of what it was given.

    Attributes:
        circuit: Qubit i of the circuit acts on qubits[i] of the part.
        qubits: Of the part, in the order of the chain.
        record: What metadata and property set say of it.
    """

    circuit: QuantumCircuit
    qubits: list[Qubit]
    record: dict[str, Any]


def compile_part(part: Part, options: Options, target: "Target | None" = None) -> Compiled | str:
    """Compile a part of a prefix, or say in a sentence why it stays as it is.

    Args:
        part: Of a prefix.
        options: What the user chose.
        target: The transpiler's, whose errors `options.device` asks for.

    Raises:
        InputError: If the errors are asked for and not known.
        KeyboardInterrupt: If the user stopped the optimization.
    """
    from aqc.compile import compile_circuit, compile_evolution

    settings = options.for_target(target)

    if part.kind == "rotations":
        qubits = line_of(part.qubits, [tuple(n.qargs) for n in part.nodes if len(n.qargs) == 2])
        circuit = part.circuit(qubits or part.qubits)
        kept = attempt(
            lambda report: compile_circuit(circuit, progress=report, **settings), options
        )
        if isinstance(kept, str):
            return kept
        depth = _two_qubit_depth(circuit)
        if kept.two_qubit_depth >= depth:
            return f"its own two-qubit depth is {depth}, and {kept.two_qubit_depth} when compiled"
        return Compiled(kept.circuit, qubits or part.qubits, record(kept))

    if part.kind == "state":
        given = part.nodes[-1].op.problem.to_dict()
        fields = {name: given[name] for name in ("hamiltonian", "time", "initial_state")}
        order = list(part.qubits)
    else:
        fields, order = _evolution(part)
    kept = attempt(lambda report: compile_evolution(**fields, progress=report, **settings), options)
    return kept if isinstance(kept, str) else Compiled(kept.circuit, order, record(kept))


def attempt(
    compile_it: "Callable[[Report], CompileResult]", options: Options
) -> "CompileResult | str":
    """Return what a compile gives, or why it must not be used.

    Args:
        compile_it: Compiles with the settings of the options, and reports progress.
        options: They say what has to be reached, and how long it may take.

    Raises:
        KeyboardInterrupt: If the user stopped the optimization, which keeps its best circuit.
    """
    deadline = time.monotonic() + options.timeout

    def watch(progress: "Progress") -> None:
        if time.monotonic() > deadline:
            raise _Late

    try:
        result = compile_it(watch)
    except AqcError as error:
        return str(error)
    except _Late:
        return f"the compile took longer than `timeout` = {options.timeout:g} s"
    if result.status == "interrupted":
        raise KeyboardInterrupt
    bound = result.certificate.infidelity_bound
    if bound > options.tolerance:
        layers = len(result.bricks)
        return (
            f"with {layers} layers the infidelity is at most {bound:.3g}, more than the tolerance "
            f"{options.tolerance:.3g}"
        )
    return result


def record(result: "CompileResult") -> dict[str, Any]:
    """Return what a circuit's metadata say of a compile; JSON holds it."""
    certificate = result.certificate
    return {
        "fidelity": certificate.fidelity,
        "infidelity": certificate.infidelity,
        "infidelity_bound": certificate.infidelity_bound,
        "bound_kind": certificate.bound_kind,
        "layers": len(result.bricks),
        "two_qubit_gates": result.two_qubit_gates,
        "two_qubit_depth": result.two_qubit_depth,
        "evaluations": result.optimum.evaluations,
        "seconds": result.seconds["total"],
        "seed": result.problem.seed,
    }


def hamiltonian_on_line(gate: PauliEvolutionGate) -> "tuple[Hamiltonian, float, list[int]]":
    """Return an evolution's Hamiltonian with its qubits renumbered along a line.

    Args:
        gate: Of one or several chains, which follow each other, and qubits without terms.

    Returns:
        The Hamiltonian, the time, and which of the gate's qubits is at each site.

    Raises:
        Declined: If the terms are no chains', or no Hamiltonian's.

    Example:
        >>> from qiskit.quantum_info import SparsePauliOp
        >>> gate = PauliEvolutionGate(SparsePauliOp(["ZIZ", "XXI"]), 0.5)
        >>> hamiltonian, _, order = hamiltonian_on_line(gate)
        >>> hamiltonian.to_terms(), order
        ([['ZZ', [0, 1], 1.0], ['XX', [1, 2], 1.0]], [0, 2, 1])
    """
    from aqc.hamiltonian import Hamiltonian

    evolution = read_evolution(gate)
    order: list[int] = []
    terms: list[tuple[str, list[int], float]] = []
    for chain in evolution.chains:
        first = len(order)
        order += chain.qubits
        terms += [(p, [first + site for site in sites], c) for p, sites, c in chain.terms]
    order += [qubit for qubit in range(gate.num_qubits) if qubit not in set(order)]
    return Hamiltonian.from_terms(gate.num_qubits, terms), evolution.time, order


def line_of(items: list[Any], pairs: list[tuple[Any, ...]]) -> list[Any] | None:
    """Return items in an order in which every pair is of neighbors, None where there is none.

    Lines that are not connected follow each other.

    Example:
        >>> line_of([0, 1, 2, 3], [(0, 2), (2, 1)])
        [0, 2, 1, 3]
        >>> line_of([0, 1, 2], [(0, 1), (1, 2), (2, 0)]) is None
        True
    """
    near: dict[Any, list[Any]] = {item: [] for item in items}
    for a, b in dict.fromkeys(tuple(pair) for pair in pairs):
        if b not in near[a]:
            near[a].append(b)
            near[b].append(a)
    if any(len(neighbors) > 2 for neighbors in near.values()):
        return None
    order: dict[Any, None] = {}
    for end in (item for item in items if len(near[item]) < 2):
        item: Any = end
        while item is not None and item not in order:
            order[item] = None
            item = next((other for other in near[item] if other not in order), None)
    return list(order) if len(order) == len(items) else None  # a ring has no end


def _evolution(part: Part) -> tuple[dict[str, Any], list[Qubit]]:
    """The problem that a part's gates are: one Hamiltonian, a time, a product state."""
    from aqc.interop.circuits import matrix_of

    gates = [node for node in part.nodes if len(node.qargs) > 1]
    hamiltonian, _, order = hamiltonian_on_line(gates[0].op)
    times = [hamiltonian_on_line(node.op)[1] for node in gates]
    qubits = [gates[0].qargs[number] for number in order]
    states = {qubit: np.array([1.0, 0.0], dtype=complex) for qubit in qubits}
    for node in part.nodes:
        if len(node.qargs) == 1:
            states[node.qargs[0]] = matrix_of(node.op) @ states[node.qargs[0]]
    bloch = [list(_bloch_angles(states[qubit])) for qubit in qubits]
    return (
        {"hamiltonian": hamiltonian, "time": sum(times), "initial_state": {"bloch": bloch}},
        qubits,
    )


def _bloch_angles(state: np.ndarray) -> tuple[float, float]:
    """(theta, phi) of a qubit in cos(theta/2)|0> + exp(i phi) sin(theta/2)|1>, up to a phase."""
    theta = 2 * np.arctan2(abs(state[1]), abs(state[0]))
    return float(theta), float(np.angle(state[1] * np.conj(state[0])))


def _two_qubit_depth(circuit: QuantumCircuit) -> int:
    """The depth in CX of a circuit on |0...0> as it stands, written with the fewest."""
    from aqc.interop.circuits import from_qiskit
    from aqc.interop.fusion import from_zeros
    from aqc.interop.synthesis import synthesize, two_qubit_counts

    return two_qubit_counts(synthesize(from_zeros(from_qiskit(circuit))).circuit)[1]
