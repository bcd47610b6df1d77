"""The init stage `aqctensor`: an evolution at the beginning of a circuit becomes a short circuit.

    transpile(circuit, backend, optimization_level=2, init_method="aqctensor")

Qiskit loads this module at every transpile, so it imports nothing that is not there by then; what
compiles is loaded when there is something to compile.
"""

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
from qiskit.converters import circuit_to_dag
from qiskit.dagcircuit import DAGCircuit
from qiskit.transpiler import PassManager, PassManagerConfig
from qiskit.transpiler.basepasses import TransformationPass
from qiskit.transpiler.preset_passmanagers.plugin import (
    PassManagerStagePlugin,
    PassManagerStagePluginManager,
)

if TYPE_CHECKING:
    from qiskit.transpiler import Target

    from aqc.qiskit_plugin.prefix import Part
    from aqc.qiskit_plugin.states import Compiled

logger = logging.getLogger(__name__)

OPTIONS = "aqctensor"
"""Key of circuit.metadata with the options of a circuit."""

OUTCOME = "aqctensor_result"
"""Key of circuit.metadata, and of the property set, with what became of a circuit."""


class CompilePrefix(TransformationPass):
    """Compile the prefix that prepares a product state and evolves it; leave the rest untouched.

    The circuit's qubits must start in |0>. Each part of the prefix is replaced by a circuit whose
    state is within the tolerance of the exact one, up to a global phase, or stays as it is. With
    parts of infidelity bounds b_k the state of all qubits is within

        1 - prod_k (1 - b_k).

    What was done stands in the circuit's metadata and in the property set, under
    "aqctensor_result": "compiled" and "left" list the parts and why some were left;
    "infidelity_bound" is that of the state.

    Args:
        target: The transpiler's, whose errors the option `device` asks for.
        **options: As `aqc.qiskit_plugin.state_options.Options` lists them; a circuit's own, in
            `circuit.metadata["aqctensor"]`, come first.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> from qiskit.circuit.library import PauliEvolutionGate
        >>> from qiskit.quantum_info import SparsePauliOp
        >>> circuit = QuantumCircuit(3)
        >>> _ = circuit.x(1)
        >>> gate = PauliEvolutionGate(SparsePauliOp(["IXX", "XXI"]), 0.4)
        >>> _ = circuit.append(gate, range(3))
        >>> circuit.measure_all()
        >>> compiled = CompilePrefix(tolerance=1e-4)(circuit)
        >>> compiled.metadata["aqctensor_result"]["infidelity_bound"] <= 1e-4
        True
    """

    def __init__(self, target: "Target | None" = None, **options: Any) -> None:
        super().__init__()
        self.target = target
        self.options = options

    def run(self, dag: DAGCircuit) -> DAGCircuit:
        """Return the circuit with its prefix compiled.

        Raises:
            InputError: If an option is refused.
        """
        from aqc.qiskit_plugin.prefix import find_prefix
        from aqc.qiskit_plugin.state_options import Options
        from aqc.qiskit_plugin.states import compile_part, hamiltonian_on_line

        chosen = (dag.metadata or {}).get(OPTIONS)
        options = Options.of(chosen, **self.options)
        prefix = find_prefix(dag, hamiltonian_on_line)
        compiled: list[tuple[Part, Compiled]] = []
        left = []
        for refusal in prefix.refusals:
            left.append({"qubits": list(refusal.qubits), "reason": refusal.reason})
        for part in prefix.parts:
            made = compile_part(part, options, self.target)
            qubits = [dag.find_bit(qubit).index for qubit in part.qubits]
            if isinstance(made, str):
                left.append({"qubits": qubits, "reason": made})
            else:
                compiled.append((part, made))
                logger.info("compiled the qubits %s: %s", qubits, made.record)
        if not prefix.parts and not prefix.refusals:
            logger.info("nothing is compiled: the circuit does not begin with an evolution")
        return self._finish(dag, compiled, left)

    def _finish(
        self, dag: DAGCircuit, compiled: "list[tuple[Part, Compiled]]", left: list[dict[str, Any]]
    ) -> DAGCircuit:
        for part in left:
            logger.warning(
                "the evolution of the qubits %(qubits)s stays as it is: %(reason)s", part
            )
        outcome = _outcome(dag, compiled, left)
        self.property_set[OUTCOME] = outcome
        new = _replaced(dag, compiled) if compiled else dag
        new.metadata = {**(dag.metadata or {}), OUTCOME: outcome}
        return new


class InitStage(PassManagerStagePlugin):
    """What `init_method="aqctensor"` puts before Qiskit's own init stage.

    From optimization level 2 on, and only where qubits start in |0>. The seed is that of the
    transpiler unless a circuit's options name one.
    """

    def pass_manager(
        self, pass_manager_config: PassManagerConfig, optimization_level: int | None = None
    ) -> PassManager:
        """Return the stage."""
        default = PassManagerStagePluginManager().get_passmanager_stage(
            "init", "default", pass_manager_config, optimization_level=optimization_level
        )
        stage = PassManager()
        if not pass_manager_config.qubits_initially_zero:
            logger.warning("nothing is compiled: the qubits may not start in |0>")
        elif optimization_level is not None and optimization_level < 2:
            logger.warning(
                "nothing is compiled at optimization level %d; use 2 or 3", optimization_level
            )
        else:
            chosen = pass_manager_config.seed_transpiler
            seed = {} if chosen is None else {"seed": chosen}
            stage.append(CompilePrefix(pass_manager_config.target, **seed))
        if default is not None:
            stage += default
        return stage


def _outcome(
    dag: DAGCircuit, compiled: "list[tuple[Part, Compiled]]", left: list[dict[str, Any]]
) -> dict[str, Any]:
    records = [
        {"qubits": [dag.find_bit(qubit).index for qubit in made.qubits], **made.record}
        for _, made in compiled
    ]
    kept = np.prod([1.0 - record["infidelity_bound"] for record in records])
    return {"compiled": records, "left": left, "infidelity_bound": float(1.0 - kept)}


def _replaced(dag: DAGCircuit, compiled: "list[tuple[Part, Compiled]]") -> DAGCircuit:
    """The circuits of the parts, then everything else in its order."""
    new = dag.copy_empty_like()
    for part, made in compiled:
        new.compose(circuit_to_dag(made.circuit), qubits=made.qubits)
        for node in part.nodes:
            dag.remove_op_node(node)
    for node in dag.topological_op_nodes():  # compose refuses a circuit that declares variables
        new.apply_operation_back(node.op, node.qargs, node.cargs)
    return new
