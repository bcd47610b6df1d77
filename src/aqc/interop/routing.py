"""Placing a circuit on the physical qubits of a device, and reading it back as a chain."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Gate as QiskitGate
from qiskit.converters import circuit_to_dag
from qiskit.transpiler import CouplingMap, StagedPassManager, generate_preset_pass_manager
from qiskit.transpiler.passes import VF2Layout

from aqc.circuit import Circuit, Gate
from aqc.errors import InputError
from aqc.interop.fusion import embed

_POINTER = "/circuit/coupling_map"
_SWAP = np.eye(4)[[0, 2, 1, 3]]
# Finding a long path in a graph is hard, and now and then a search takes a wrong turn that it
# cannot undo: several short searches in different orders find more than a long one.
_SEARCHES = 8
_QUIET_SEARCHES = 2  # where pairs are left out, there may be no place at all
_CALLS_PER_SEARCH = 1_000_000


@dataclass(frozen=True, eq=False)
class Placed:
    """A circuit on physical qubits.

    Attributes:
        circuit: As many qubits as the coupling map; two-qubit gates only on its edges, with
            (right qubit, left qubit) an edge.
        layout: For each qubit of the given circuit, the physical one that holds it at the end.
    """

    circuit: Circuit
    layout: tuple[int, ...]


def place(
    circuit: Circuit,
    coupling_map: CouplingMap | Iterable[Sequence[int]],
    seed: int = 0,
    *,
    swaps: bool = True,
    errors: Sequence[float] | None = None,
) -> Placed:
    """Put a circuit on a coupling map: without swaps if a place is found, else with few.

    Blocks are placed before they are decomposed: no pass of Qiskit's may approximate them, and
    `fuse` merges a swap that follows a block on the same pair into it.

    Args:
        circuit: Gates on one or two qubits.
        coupling_map: Pairs (first, second) of physical qubits in the order of the basis gate.
        seed: Seed of the searches.
        swaps: Whether qubits may be moved where no place is found.
        errors: Error of the two-qubit gate on each pair of the map, in their order: of the places
            that are found the one of least total error is taken.

    Returns:
        The placed circuit and where its qubits end.

    Raises:
        InputError: The map is malformed, has fewer qubits than the circuit, or is not connected;
            or no place was found without swaps.

    Source: Qiskit's VF2Layout (subgraph isomorphism) and, where it finds nothing, SABRE.

    Example:
        >>> circuit = Circuit(2, (Gate((0, 1), np.eye(4)),))
        >>> place(circuit, [(0, 1), (1, 2)]).circuit.num_qubits
        3
    """
    if not isinstance(coupling_map, CouplingMap):
        coupling_map = list(coupling_map)
    directed = _read(coupling_map, circuit.num_qubits)
    edges = {tuple(edge) for edge in directed.get_edges()}
    if errors is None:
        layout = _embedding(circuit, directed, edges, seed)
    else:
        pairs = directed.get_edges() if isinstance(coupling_map, CouplingMap) else coupling_map
        by_edge = _by_edge(pairs, errors)
        layout = _quiet_embedding(circuit, directed, by_edge, seed)
    if layout is not None:
        gates = [Gate(tuple(layout[q] for q in gate.qubits), gate.matrix) for gate in circuit.gates]
    elif swaps:
        gates, layout = _route(circuit, directed, seed)
    else:
        raise InputError(
            '`circuit.coupling_map` must hold the chain as a path where `mode` is "unitary", '
            "so that no swap moves a qubit; none was found.",
            _POINTER,
        )
    oriented = tuple(_orient(gate, edges) for gate in gates)
    return Placed(Circuit(directed.size(), oriented), layout)


def chain_circuit(circuit: QuantumCircuit, layout: Sequence[int]) -> QuantumCircuit:
    """Return a placed circuit with its qubits renamed: qubit i ends as site i of the chain.

    Physical qubits that no gate touches and no site uses are dropped. Those that only helped a
    swap stay, as the last qubits; they start and end in |0>.

    Args:
        circuit: On physical qubits.
        layout: The physical qubit that holds each site at the end.

    Returns:
        The same gates on fewer qubits; the first len(layout) are the sites.

    Raises:
        InputError: The layout repeats a qubit or names one that the circuit does not have.

    Example:
        >>> circuit = QuantumCircuit(5)
        >>> _ = circuit.cx(4, 2)
        >>> chain = chain_circuit(circuit, (2, 4))
        >>> chain.num_qubits, [chain.find_bit(q).index for q in chain.data[0].qubits]
        (2, [1, 0])
    """
    sites = list(layout)
    if len(set(sites)) < len(sites) or not set(sites) <= set(range(circuit.num_qubits)):
        raise InputError(
            f"`layout` must hold distinct qubits in 0..{circuit.num_qubits - 1}, but is {sites}.",
            "/layout",
        )
    touched = {circuit.find_bit(qubit).index for step in circuit.data for qubit in step.qubits}
    names = {physical: site for site, physical in enumerate(sites)}
    for physical in sorted(touched - names.keys()):
        names[physical] = len(names)
    chain = QuantumCircuit(len(names), global_phase=circuit.global_phase)
    for step in circuit.data:
        qubits = [names[circuit.find_bit(qubit).index] for qubit in step.qubits]
        chain.append(step.operation, qubits, copy=False)
    return chain


def _read(coupling_map: CouplingMap | Iterable[Sequence[int]], num_qubits: int) -> CouplingMap:
    if not isinstance(coupling_map, CouplingMap):
        coupling_map = CouplingMap(_edges(coupling_map))
    if coupling_map.size() < num_qubits:
        raise InputError(
            f"`coupling_map` must have at least {num_qubits} qubits, but has "
            f"{coupling_map.size()}.",
            _POINTER,
        )
    if not coupling_map.is_connected():
        raise InputError(
            "`coupling_map` must be connected, but falls into "
            f"{len(coupling_map.connected_components())} parts; give only the edges of one of "
            "them, its qubits counted from 0 without gaps.",
            _POINTER,
        )
    return coupling_map


def _edges(pairs: Iterable[Sequence[int]]) -> list[tuple[int, int]]:
    edges = []
    for pair in pairs:
        match pair:
            case (int() as first, int() as second) if first != second:
                edges.append((first, second))
            case _:
                raise InputError(
                    "`coupling_map` must be a list of pairs of distinct qubits, but holds "
                    f"{pair!r}.",
                    _POINTER,
                )
    qubits = {qubit for edge in edges for qubit in edge}
    # Qiskit would make all qubits up to the largest number.
    if qubits != set(range(len(qubits))):
        raise InputError(
            f"The {len(qubits)} qubits of `coupling_map` must be counted from 0 without gaps, but "
            f"run from {min(qubits)} to {max(qubits)}.",
            _POINTER,
        )
    return edges


def _embedding(
    circuit: Circuit,
    coupling_map: CouplingMap,
    edges: set[tuple[int, ...]],
    seed: int,
    searches: int = _SEARCHES,
) -> tuple[int, ...] | None:
    """Return a physical qubit for each qubit such that every pair is an edge, if one is found."""
    pairs = {tuple(sorted(gate.qubits)) for gate in circuit.gates if len(gate.qubits) == 2}
    if all(pair in edges or pair[::-1] in edges for pair in pairs):
        return tuple(range(circuit.num_qubits))
    interactions = QuantumCircuit(circuit.num_qubits)
    for pair in sorted(pairs):
        interactions.cz(*pair)
    dag = circuit_to_dag(interactions)
    for search in range(searches):
        vf2 = VF2Layout(
            coupling_map,
            strict_direction=False,
            seed=seed + search,
            call_limit=_CALLS_PER_SEARCH,
            max_trials=1,
        )
        vf2.run(dag)
        found = vf2.property_set["layout"]
        if found is not None:
            return tuple(found[qubit] for qubit in interactions.qubits)
    return None


def _by_edge(
    pairs: Iterable[Sequence[int]], errors: Sequence[float]
) -> dict[tuple[int, ...], float]:
    """Return the error of each pair, its smaller qubit first; of two directions the lesser one."""
    found: dict[tuple[int, ...], float] = {}
    for pair, error in zip(pairs, errors, strict=True):
        key = tuple(sorted(pair))
        found[key] = min(error, found.get(key, 1.0))
    return found


def _quiet_embedding(
    circuit: Circuit, coupling_map: CouplingMap, errors: dict[tuple[int, ...], float], seed: int
) -> tuple[int, ...] | None:
    """Return the place of least total error that is found: on all pairs, or on the better ones.

    Pairs are left out from the worst on, as long as there still is a place (by bisection), so that
    no bad pair is used; every place that is met on the way is compared.
    """
    gates = [tuple(gate.qubits) for gate in circuit.gates if len(gate.qubits) == 2]
    best: tuple[float, tuple[int, ...]] | None = None
    values = sorted(set(errors.values()))
    low, high = 0, len(values) - 1
    while low <= high:
        middle = high if best is None else (low + high) // 2
        kept = [pair for pair, error in errors.items() if error <= values[middle]]
        pruned = _undirected(kept, coupling_map.size())
        found = None
        if max(part.size() for part in pruned.connected_components()) >= circuit.num_qubits:
            searches = _SEARCHES if best is None else _QUIET_SEARCHES
            found = _embedding(circuit, pruned, set(kept), seed, searches)
        if found is None:
            if best is None:
                return None
            low = middle + 1
            continue
        costs = (errors[tuple(sorted((found[a], found[b])))] for a, b in gates)
        total = -sum(math.log1p(-min(cost, 1 - 1e-12)) for cost in costs)
        if best is None or total < best[0]:
            best = total, found
        high = middle - 1
    return None if best is None else best[1]


def _undirected(pairs: list[tuple[int, ...]], size: int) -> CouplingMap:
    made = CouplingMap()
    for qubit in range(size):
        made.add_physical_qubit(qubit)
    for a, b in pairs:
        made.add_edge(a, b)
        made.add_edge(b, a)
    return made


def _route(
    circuit: Circuit, coupling_map: CouplingMap, seed: int
) -> tuple[list[Gate], tuple[int, ...]]:
    """Insert swaps with SABRE, which sees the gates as boxes that carry their number."""
    boxes = QuantumCircuit(circuit.num_qubits)
    for number, gate in enumerate(circuit.gates):
        boxes.append(QiskitGate("box", len(gate.qubits), [number]), gate.qubits)
    undirected = CouplingMap(coupling_map.get_edges())
    undirected.make_symmetric()
    preset = generate_preset_pass_manager(
        optimization_level=3, coupling_map=undirected, seed_transpiler=seed
    )
    routed = StagedPassManager(
        stages=["layout", "routing"], layout=preset.layout, routing=preset.routing
    ).run(boxes)
    gates = []
    for step in routed.data:
        qubits = tuple(routed.find_bit(qubit).index for qubit in step.qubits)
        swap = step.operation.name == "swap"
        matrix = _SWAP if swap else circuit.gates[int(step.operation.params[0])].matrix
        gates.append(Gate(qubits, matrix))
    return gates, tuple(routed.layout.final_index_layout())


def _orient(gate: Gate, edges: set[tuple[int, ...]]) -> Gate:
    """Order the qubits such that (right, left) is an edge, the order of Qiskit's basis gate."""
    if len(gate.qubits) == 1 or gate.qubits[::-1] in edges:
        return gate
    return Gate(gate.qubits[::-1], embed(gate, gate.qubits[::-1]))
