"""What the plugin does with an evolution: looks it up, compiles its chains, puts them together."""

import logging
import time as clock
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aqc.errors import AqcError
from aqc.qiskit_plugin.cache import Cache
from aqc.qiskit_plugin.chains import Chain, Declined, Evolution, read_evolution
from aqc.qiskit_plugin.exact import exact
from aqc.qiskit_plugin.options import Options

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.circuit.library import PauliEvolutionGate

    from aqc.progress import Progress

_LOG = logging.getLogger(__name__)
# The optimizer's goal leaves room for the target's own error; angles add up. Few qubits are
# compared with the exponential itself.
_GOAL_SHARE, _GOAL_SHARE_OF_FEW, _FEW = 0.8, 0.97, 8


class _Late(Exception):
    pass


@dataclass(frozen=True, eq=False)
class Part:
    """A chain's circuit, and what the metadata tells of it."""

    circuit: "QuantumCircuit"
    figures: dict[str, Any]


def synthesize(gate: "PauliEvolutionGate", options: Options) -> "QuantumCircuit":
    """Return a circuit within the tolerance, its figures in the metadata under "aqctensor".

    Args:
        gate: The evolution.
        options: How.

    Raises:
        Declined: If there is none, or it is out of reach.

    Example:
        >>> from qiskit.circuit.library import PauliEvolutionGate
        >>> from qiskit.quantum_info import SparsePauliOp
        >>> gate = PauliEvolutionGate(SparsePauliOp(["XX", "ZI"]), time=0.3)
        >>> circuit = synthesize(gate, Options(cache_dir=None))
        >>> circuit.count_ops()["cx"], circuit.metadata["aqctensor"]["infidelity_bound"] < 1e-12
        (2, True)
    """
    evolution = read_evolution(gate)
    cache = Cache(options.cache_dir, evolution, options)
    circuit = cache.load()
    if circuit is None:
        try:
            circuit = _compile(evolution, options)
        except _OutOfReach as reason:
            cache.keep_reason(str(reason))
            raise
        cache.keep(circuit)
    _LOG.info("%d qubits, time %g: %s", gate.num_qubits, evolution.time, circuit.metadata)
    return circuit


class _OutOfReach(Declined):
    """A reason that will be the same the next time."""


def _compile(evolution: Evolution, options: Options) -> "QuantumCircuit":
    from qiskit import QuantumCircuit

    deadline = clock.monotonic() + options.timeout
    bonds = sum(len(chain.qubits) - 1 for chain in evolution.chains if len(chain.qubits) > 2)
    phase = -evolution.constant * evolution.time
    whole = QuantumCircuit(evolution.num_qubits, global_phase=phase)
    kept, bound, parts = 1.0, 1.0, []
    for chain in evolution.chains:
        if len(chain.qubits) <= 2:
            part = Part(*exact(chain, evolution.time))
        else:
            # Infidelities of independent chains add up at most.
            share = (len(chain.qubits) - 1) / bonds
            part = _compile_chain(chain, evolution.time, options, share, deadline)
        whole.compose(part.circuit, chain.qubits, inplace=True)
        kept *= 1 - part.figures["infidelity"]
        bound *= 1 - part.figures["infidelity_bound"]
        parts.append({"qubits": list(chain.qubits), **part.figures})
    from aqc import __version__

    whole.metadata = {
        "aqctensor": {
            "infidelity": float(1 - kept),
            "infidelity_bound": float(1 - bound),
            "seed": options.seed,
            "version": __version__,
            "chains": parts,
        }
    }
    return whole


def _compile_chain(
    chain: Chain, time: float, options: Options, share: float, deadline: float
) -> Part:
    few = len(chain.qubits) <= _FEW
    problem: dict[str, Any] = {
        "hamiltonian": {"num_qubits": len(chain.qubits), "terms": _as_json(chain)},
        "time": time,
        "mode": "unitary",
        "ansatz": {"layers": options.layers or "auto", "block": options.block},
        "target": {"max_bond": options.max_bond},
        "seed": options.seed,
    }
    tolerance = None if options.tolerance is None else share * options.tolerance
    if tolerance is not None:
        problem["goal"] = {"infidelity": (_GOAL_SHARE_OF_FEW if few else _GOAL_SHARE) * tolerance}
        if few:
            problem["target"]["tolerance"] = max(1e-5 * tolerance, 1e-14)
    compile_one = _by_service if options.service else _here
    try:
        part = compile_one(problem, options, deadline)
    except Declined:
        raise
    except AqcError as error:
        raise _OutOfReach(str(error)) from error
    except _Late:
        raise Declined(f"the compile took longer than `timeout` = {options.timeout:g} s") from None
    reached = part.figures["infidelity_bound"]
    if tolerance is not None and not reached <= tolerance:
        raise _OutOfReach(
            f"the tolerance {tolerance:.3g} is out of reach: {part.figures['layers']} layers reach "
            f"{reached:.3g}"
        )
    return part


def _as_json(chain: Chain) -> list[list[Any]]:
    return [[letters, list(sites), coefficient] for letters, sites, coefficient in chain.terms]


def _here(problem: dict[str, Any], options: Options, deadline: float) -> Part:
    from aqc.compile import compile_problem
    from aqc.problem import Problem

    def watch(progress: "Progress") -> None:
        if clock.monotonic() > deadline:
            raise _Late

    result = compile_problem(Problem.from_dict(problem), progress=watch)
    return Part(result.circuit, _figures(result.to_dict()))


def _by_service(problem: dict[str, Any], options: Options, deadline: float) -> Part:
    """Let a running service compile."""
    try:
        from aqc.client import Client, ServiceError
    except ModuleNotFoundError as error:
        raise Declined(
            "`service` needs the extra `client` of aqc: pip install aqc[client]"
        ) from error
    assert options.service is not None
    seconds = max(1.0, deadline - clock.monotonic())
    try:
        with Client(options.service) as client:
            job = client.submit(problem, name="aqctensor", wall_seconds=seconds)
            job = client.wait(job, progress=False)
            if job.state != "succeeded":
                raise Declined(f"the job {job.id} of {options.service} has {job.state}")
            return Part(client.result(job), _figures(client.result_json(job)))
    except ServiceError as error:
        raise Declined(f"{options.service}: {error}") from error


def _figures(result: dict[str, Any]) -> dict[str, Any]:
    """Return what the metadata tells of a chain, from its result.json."""
    figures = {name: result["certificate"][name] for name in ("infidelity", "infidelity_bound")}
    told = ("bound_kind", "average_gate_fidelity", "spectral_distance", "spectral_kind", "method")
    figures |= {name: result["certificate"][name] for name in told}
    return figures | {
        name: result[name] for name in ("layers", "two_qubit_gates", "two_qubit_depth")
    }
