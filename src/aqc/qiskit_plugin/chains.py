"""An evolution gate's operator, taken apart into open chains of qubits that do not interact."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aqc.errors import AqcError, InputError

if TYPE_CHECKING:
    from qiskit.circuit.library import PauliEvolutionGate

# There are twelve distinct terms for each site of a chain; equal terms may repeat.
_MOST_TERMS_PER_QUBIT = 32

Term = tuple[str, tuple[int, ...], float]


class Declined(AqcError):
    """What the plugin leaves to the next method, and why."""


@dataclass(frozen=True)
class Chain:
    """Qubits that interact one after another.

    Attributes:
        qubits: Those of the gate, in the order of the chain.
        terms: Terms (letters, sites, coefficient) on sites 0..len(qubits) - 1.
    """

    qubits: tuple[int, ...]
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Evolution:
    """exp(-iHt) as a product of chains and a global phase.

    Attributes:
        num_qubits: Number of qubits of the gate.
        time: t.
        constant: Coefficient of the identity in H.
        chains: In the order of their first qubits; qubits without any term are in none.
    """

    num_qubits: int
    time: float
    constant: float
    chains: tuple[Chain, ...]


def read_evolution(gate: "PauliEvolutionGate") -> Evolution:
    """Return the chains of an evolution gate; of equal terms the sum.

    Raises:
        Declined: If the operator is no sum of open chains, or not of numbers.

    Example:
        >>> from qiskit.circuit.library import PauliEvolutionGate
        >>> from qiskit.quantum_info import SparsePauliOp
        >>> ring = SparsePauliOp.from_sparse_list([("XY", [2, 0], 1), ("Z", [1], 2)], 3)
        >>> [chain.qubits for chain in read_evolution(PauliEvolutionGate(ring)).chains]
        [(0, 2), (1,)]
    """
    from aqc.interop.qiskit import terms_from_qiskit

    operators = gate.operator if isinstance(gate.operator, list) else [gate.operator]
    if sum(map(len, operators)) > _MOST_TERMS_PER_QUBIT * gate.num_qubits:
        raise Declined("the operator has too many terms for a chain")
    try:
        num_qubits, terms, time = terms_from_qiskit(gate)
    except InputError as refusal:
        raise Declined(str(refusal)) from refusal
    assert time is not None  # of a gate
    sums: dict[tuple[tuple[int, ...], str], float] = {}
    for letters, qubits, coefficient in terms:
        pairs = sorted(zip(qubits, letters, strict=True))
        key = tuple(qubit for qubit, _ in pairs), "".join(letter for _, letter in pairs)
        sums[key] = sums.get(key, 0.0) + coefficient
    constant = sums.pop(((), ""), 0.0)
    sums = {key: coefficient for key, coefficient in sums.items() if coefficient and time}
    largest = max(map(len, (qubits for qubits, _ in sums)), default=0)
    if largest > 2:
        raise Declined(f"a term acts on {largest} qubits, and a chain's on two neighbors")
    chains = [_chain(path, sums) for path in _paths(sums)]
    return Evolution(num_qubits, time, constant, tuple(chains))


def _paths(sums: dict[tuple[tuple[int, ...], str], float]) -> list[list[int]]:
    """Return the connected parts of the couplings, each from one end to the other."""
    near: dict[int, set[int]] = {}
    for qubits, _ in sums:
        for qubit in qubits:
            near.setdefault(qubit, set()).update(q for q in qubits if q != qubit)
    for qubit, others in near.items():
        if len(others) > 2:
            raise Declined(f"qubit {qubit} is coupled to {len(others)} others, and not to two")
    paths = []
    left = set(near)
    for end in sorted(near):  # from the lower end of each
        if end not in left or len(near[end]) == 2:
            continue
        path = [end]
        left.discard(end)
        while following := near[path[-1]] & left:
            path.append(following.pop())
            left.discard(path[-1])
        paths.append(path)
    if left:
        raise Declined(f"the couplings of qubit {min(left)} form a ring")
    return paths


def _chain(path: list[int], sums: dict[tuple[tuple[int, ...], str], float]) -> Chain:
    site = {qubit: number for number, qubit in enumerate(path)}
    terms = []
    for (qubits, letters), coefficient in sums.items():
        if qubits[0] in site:
            pairs = sorted(zip((site[q] for q in qubits), letters, strict=True))
            letters = "".join(letter for _, letter in pairs)
            terms.append((letters, tuple(number for number, _ in pairs), coefficient))
    return Chain(tuple(path), tuple(sorted(terms, key=lambda term: (term[1], term[0]))))
