"""An operation that says what it means: the state exp(-iHt)|psi_0>, made from |0...0>.

Qiskit's high-level synthesis makes it in one of the ways registered in pyproject.toml:

    HLSConfig(TimeEvolvedState=[("aqctensor", {"tolerance": 1e-3})])
"""

import logging
from typing import TYPE_CHECKING, Any

from qiskit import QuantumCircuit
from qiskit.circuit import Gate
from qiskit.transpiler.passes.synthesis.plugin import HighLevelSynthesisPlugin

if TYPE_CHECKING:
    from qiskit.circuit.library import PauliEvolutionGate
    from qiskit.quantum_info import SparsePauliOp

    from aqc.hamiltonian import Hamiltonian

logger = logging.getLogger(__name__)


class TimeEvolvedState(Gate):
    """Prepare exp(-iHt)|psi_0> from |0...0>.

    Its definition is the preparation of the product state |psi_0>, a gate on each qubit, and a
    PauliEvolutionGate: so it has a matrix, and an action on other inputs than |0...0>. What is
    compiled for it is used only where its qubits are known to be in |0>.

    Args:
        hamiltonian: A chain or lattice, in any of the forms that `compile_evolution` takes; site i
            is qubit i.
        time: t, in units of 1/energy.
        initial_state: A product state, in any of the forms of problem.json.

    Raises:
        InputError: If the chain, the time or the state is refused, or the state is entangled.

    Example:
        >>> from qiskit.quantum_info import SparsePauliOp
        >>> state = TimeEvolvedState(SparsePauliOp(["IXX", "XXI", "ZII"]), 0.5, "neel")
        >>> circuit = QuantumCircuit(3)
        >>> _ = circuit.append(state, range(3))
        >>> [step.operation.name for step in circuit.decompose().data]
        ['x', 'PauliEvolution']
    """

    def __init__(
        self,
        hamiltonian: "Hamiltonian | SparsePauliOp | PauliEvolutionGate | dict[str, Any]",
        time: float | None = None,
        initial_state: Any = "zeros",
    ) -> None:
        from aqc.inline import as_problem

        self.problem = as_problem(hamiltonian, time, initial_state=initial_state)
        self._sites = self.problem.product_state()  # refuses an entangled state
        super().__init__("TimeEvolvedState", self.problem.num_qubits, [])

    def _define(self) -> None:
        from aqc.gates import preparation
        from aqc.interop.qiskit import evolution_gate

        evolution = self.problem.evolution()
        assert evolution is not None
        self.definition = QuantumCircuit(self.num_qubits, name=self.name)
        for qubit, state in enumerate(self._sites):
            if state[0] == 0.0:
                self.definition.x(qubit)
            elif state[1] != 0.0:
                self.definition.unitary(preparation(state), [qubit])
        self.definition.append(evolution_gate(*evolution), range(self.num_qubits))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TimeEvolvedState) and self.problem == other.problem

    __hash__ = None  # type: ignore[assignment]  # as Qiskit's own gates


class Trotter(HighLevelSynthesisPlugin):
    """The method `trotter`: a product formula, all terms of a bond in one gate.

    Options: `reps`, its number of steps (1); `order`, 1 or 2 (2).
    """

    def run(
        self,
        high_level_object: Any,
        coupling_map: Any = None,
        target: Any = None,
        qubits: Any = None,
        **options: Any,
    ) -> QuantumCircuit | None:
        """Return the circuit; None for another operation."""
        if not isinstance(high_level_object, TimeEvolvedState):
            return None
        from aqc.checks import integer
        from aqc.circuit import Circuit, Gate
        from aqc.gates import preparation
        from aqc.interop.synthesis import synthesize
        from aqc.lattice import formula

        problem = high_level_object.problem
        reps = integer(options.get("reps", 1), "The option `reps`", least=1, most=10_000)
        order = integer(options.get("order", 2), "The option `order`", least=1, most=2)
        evolution = problem.evolution()
        assert evolution is not None
        states = problem.product_state()
        begun = tuple(Gate((j,), preparation(state)) for j, state in enumerate(states))
        gates = begun + formula(*evolution, reps, order).gates
        return synthesize(Circuit(problem.num_qubits, gates)).circuit


class Compile(HighLevelSynthesisPlugin):
    """The method `aqctensor`: a short circuit within the tolerance of the exact state.

    Options: as `aqc.qiskit_plugin.state_options.Options` lists them. None, and a line in the log,
    where the tolerance is not reached or a qubit is not known to be in |0>.
    """

    def run(
        self,
        high_level_object: Any,
        coupling_map: Any = None,
        target: Any = None,
        qubits: Any = None,
        **options: Any,
    ) -> QuantumCircuit | None:
        """Return the circuit, or None.

        Raises:
            InputError: If an option is refused.
        """
        if not isinstance(high_level_object, TimeEvolvedState):
            return None
        from aqc.qiskit_plugin.options import QISKITS_OWN
        from aqc.qiskit_plugin.state_options import Options

        own = {name: value for name, value in options.items() if name not in QISKITS_OWN}
        chosen = Options.of(own)
        tracker, inputs = options.get("qubit_tracker"), options.get("input_qubits", ())
        if tracker is None or not all(tracker.is_qubit_clean(qubit) for qubit in inputs):
            logger.warning("TimeEvolvedState is not compiled: its qubits may not be in |0>")
            return None
        from aqc.compile import compile_problem
        from aqc.problem import Problem
        from aqc.qiskit_plugin.states import attempt, record

        fields = high_level_object.problem.to_dict()
        fields = {name: fields[name] for name in ("hamiltonian", "time", "initial_state")}
        problem = Problem.from_dict({**fields, **chosen.for_target(target)})
        result = attempt(lambda report: compile_problem(problem, progress=report), chosen)
        if isinstance(result, str):
            logger.warning("TimeEvolvedState is not compiled: %s", result)
            return None
        logger.info("compiled a TimeEvolvedState: %s", record(result))
        return result.circuit


class Default(HighLevelSynthesisPlugin):
    """The method `default`, at every optimization level: `aqctensor` where it can, else `trotter`.

    Qiskit does not tell the level reliably: some stages pass on 2 whatever the user chose.
    """

    def run(
        self,
        high_level_object: Any,
        coupling_map: Any = None,
        target: Any = None,
        qubits: Any = None,
        **options: Any,
    ) -> QuantumCircuit | None:
        """Return the circuit; None for another operation."""
        arguments = (high_level_object, coupling_map, target, qubits)
        made = Compile().run(*arguments, **options)
        return Trotter().run(*arguments) if made is None else made
