"""Hamiltonians from Qiskit's operators and evolution gates, and back."""

import numpy as np
from qiskit.circuit import ParameterExpression
from qiskit.circuit.library import PauliEvolutionGate
from qiskit.quantum_info import SparseObservable, SparsePauliOp

from aqc.errors import InputError
from aqc.gates import evolution
from aqc.hamiltonian import Hamiltonian

# An imaginary part this small beside the largest coefficient is the rounding of a product.
_IMAGINARY_TOLERANCE = 1e-12

PauliTerm = tuple[str, list[int], float]


def hamiltonian_from_qiskit(
    operator: SparsePauliOp | SparseObservable | PauliEvolutionGate,
) -> tuple[Hamiltonian, float | None]:
    """Read a Hamiltonian; qubit i of Qiskit becomes site i of the chain.

    A PauliEvolutionGate is exp(-i t H). Where it holds a list of operators, H is their sum, as in
    its `to_matrix`: the list only tells Qiskit's synthesis which terms commute. The gate's own
    synthesis, a product formula, is left aside.

    Args:
        operator: Real coefficients; terms on one site or on two.

    Returns:
        The Hamiltonian, and the time of an evolution gate (None for an operator).

    Raises:
        InputError: A coefficient is complex or not a number, the time is not a real number, the
            type is another, or a term acts on more than two sites.

    Example:
        >>> gate = PauliEvolutionGate([SparsePauliOp("IXX"), SparsePauliOp("ZII")], time=0.5)
        >>> hamiltonian, time = hamiltonian_from_qiskit(gate)
        >>> hamiltonian.to_terms(), time
        ([['XX', [0, 1], 1.0], ['Z', [2], 1.0]], 0.5)
    """
    num_qubits, terms, time = terms_from_qiskit(operator)
    return Hamiltonian.from_terms(num_qubits, terms), time


def terms_from_qiskit(
    operator: SparsePauliOp | SparseObservable | PauliEvolutionGate,
) -> tuple[int, list[PauliTerm], float | None]:
    """Return (number of qubits, terms, time of an evolution gate), the terms on any qubits.

    Args:
        operator: As `hamiltonian_from_qiskit` takes it.

    Returns:
        Terms (letters, qubits, coefficient), letter k acting on qubits[k]; equal ones may repeat.

    Raises:
        InputError: A coefficient is complex or not a number, the time is not a real number, or the
            type is another.

    Example:
        >>> terms_from_qiskit(SparsePauliOp("XIZ", 2.0))
        (3, [('ZX', [0, 2], 2.0)], None)
    """
    time = None
    operators = [operator]
    if isinstance(operator, PauliEvolutionGate):
        time = _time(operator.time)
        inner = operator.operator
        operators = inner if isinstance(inner, list) else [inner]
    terms = [term for part in operators for term in _terms(part)]
    return operators[0].num_qubits, terms, time


def evolution_matrix(gate: PauliEvolutionGate) -> np.ndarray:
    """Return exp(-i t H) of an evolution gate on few qubits, in Qiskit's order.

    Unlike the gate's own `to_matrix`, it does not go through sparse matrices, with their warnings.

    Args:
        gate: Of real coefficients and a real time.

    Returns:
        shape (2**n, 2**n), complex.

    Raises:
        InputError: A coefficient or the time is not a real number.

    Example:
        >>> evolution_matrix(PauliEvolutionGate(SparsePauliOp("Z"), np.pi)).diagonal().real.tolist()
        [-1.0, -1.0]
    """
    num_qubits, terms, time = terms_from_qiskit(gate)
    assert time is not None  # a gate has one
    operator = SparsePauliOp.from_sparse_list(terms, num_qubits)
    return evolution(operator.to_matrix(), time)


def hamiltonian_to_qiskit(hamiltonian: Hamiltonian) -> SparsePauliOp:
    """Return a Hamiltonian as Qiskit's operator; site i becomes qubit i.

    Args:
        hamiltonian: On any pairs.

    Returns:
        The sum of Pauli terms, the constant included.

    Example:
        >>> chain = Hamiltonian.from_terms(3, [("XZ", (0, 1), 2.0)])
        >>> hamiltonian_to_qiskit(chain).to_list()
        [('IZX', (2+0j))]
    """
    return SparsePauliOp.from_sparse_list(hamiltonian.to_terms(), hamiltonian.num_qubits)


def evolution_gate(hamiltonian: Hamiltonian, time: float) -> PauliEvolutionGate:
    """Return exp(-i t H) as Qiskit's gate.

    Args:
        hamiltonian: On any pairs.
        time: t, in units of 1/energy.

    Returns:
        A gate on all qubits.

    Example:
        >>> evolution_gate(Hamiltonian.from_terms(2, [("X", (0,), 1.0)]), 0.5).time
        0.5
    """
    return PauliEvolutionGate(hamiltonian_to_qiskit(hamiltonian), time)


def _time(time: float | ParameterExpression) -> float:
    if isinstance(time, ParameterExpression):
        if time.parameters:
            raise InputError(
                f"The time of an evolution gate must be a number, but is {time}; use "
                "`assign_parameters` first.",
                "/time",
            )
        time = time.numeric()
    if isinstance(time, complex) or not np.isfinite(time):
        raise InputError(
            f"The time of an evolution gate must be real and finite, but is {time}.", "/time"
        )
    return float(time)


def _terms(operator: SparsePauliOp | SparseObservable) -> list[PauliTerm]:
    """Return (letters, qubits, coefficient) for each Pauli term, letter k acting on qubits[k]."""
    if isinstance(operator, SparseObservable):
        operator = _without_projectors(operator)
    if not isinstance(operator, SparsePauliOp):
        raise InputError(
            "A Hamiltonian must be a SparsePauliOp, a SparseObservable or a PauliEvolutionGate, "
            f"but has type {type(operator).__name__}.",
            "/hamiltonian",
        )
    if operator.parameters:
        names = ", ".join(parameter.name for parameter in operator.parameters)
        raise InputError(
            f"Coefficients must be numbers, but hold the parameters {names}; use "
            "`assign_parameters` first.",
            "/hamiltonian",
        )
    coefficients = np.asarray(operator.coeffs, dtype=complex)
    scale = abs(coefficients).max(initial=0.0)
    terms = []
    for letters, qubits, coefficient in operator.to_sparse_list():
        if abs(coefficient.imag) > _IMAGINARY_TOLERANCE * scale:
            raise InputError(
                f"Coefficients must be real, but the term {letters} on {qubits} has {coefficient}.",
                "/hamiltonian",
            )
        terms.append((letters, qubits, float(coefficient.real)))
    return terms


def _without_projectors(observable: SparseObservable) -> SparsePauliOp:
    # A projector on k qubits expands into 2^k Pauli terms.
    longest = max((len(term.indices) for term in observable), default=0)
    if longest > 2:
        raise InputError(
            f"Terms must act on one qubit or on two, but one acts on {longest} qubits.",
            "/hamiltonian",
        )
    return SparsePauliOp.from_sparse_observable(observable)
