"""The plugin `PauliEvolution.aqctensor`: PauliEvolutionGates on chains as compiled circuits."""

import logging
from typing import TYPE_CHECKING, Any

from qiskit.transpiler.passes.synthesis.plugin import HighLevelSynthesisPlugin

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.circuit.library import PauliEvolutionGate
    from qiskit.transpiler import CouplingMap, Target

_LOG = logging.getLogger(__name__)
_LOWEST_LEVEL = 2


class AQCTensorEvolution(HighLevelSynthesisPlugin):
    """Replaces exp(-iHt) on open chains by a short circuit, certified within a tolerance.

    Named in an HLSConfig, with options:

        HLSConfig(PauliEvolution=[("aqctensor", {"tolerance": 1e-4}), "default"])

    `aqc.qiskit_plugin.options.Options` lists them. Whatever it cannot do within the tolerance it
    leaves to the next method, and logs the reason. At optimization levels 0 and 1 it does nothing,
    where Qiskit passes the level on: 2.6 does where a coupling map or a Target is given.
    """

    def run(
        self,
        high_level_object: "PauliEvolutionGate",
        coupling_map: "CouplingMap | None" = None,
        target: "Target | None" = None,
        qubits: list[int] | None = None,
        **options: Any,
    ) -> "QuantumCircuit | None":
        """Return the circuit, or None where another method has to do it.

        Args:
            high_level_object: The evolution.
            coupling_map: Not looked at: the circuit's qubits form open chains, which fit a line.
            target: Not looked at: the circuit is of `u` and `cx`, which Qiskit translates.
            qubits: Not looked at.
            **options: Those of `Options`, and what Qiskit adds.

        Raises:
            InputError: If an option is refused.
        """
        level = options.get("optimization_level")
        if level is not None and level < _LOWEST_LEVEL:
            _LOG.info("left to the next method at optimization level %s", level)
            return None
        from aqc.qiskit_plugin.chains import Declined
        from aqc.qiskit_plugin.options import Options
        from aqc.qiskit_plugin.synthesis import synthesize

        try:
            return synthesize(high_level_object, Options.read(options))
        except Declined as reason:
            _LOG.warning("left to the next method: %s", reason)
            return None
