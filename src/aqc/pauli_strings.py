"""Pauli strings to be measured: how a problem names them, and their expectation values."""

from typing import Any

import numpy as np

from aqc.checks import integer, shown
from aqc.errors import InputError
from aqc.gates import PAULI
from aqc.hamiltonian import Hamiltonian
from aqc.mps import MPS

_MOST = 1000

PauliString = tuple[str, tuple[int, ...]]


def expectation(state: MPS | np.ndarray, letters: str, qubits: tuple[int, ...]) -> float:
    """Return <P> of a Pauli string.

    Args:
        state: An MPS of any gauge and norm, or a state vector, qubit 0 leftmost.
        letters: Letter k acts on qubits[k].
        qubits: Distinct.

    Example:
        >>> bell = MPS((np.eye(2).reshape(1, 2, 2), np.eye(2).reshape(2, 2, 1)))
        >>> [round(expectation(bell, letters, (0, 1)), 12) for letters in ("XX", "YY", "ZI")]
        [1.0, -1.0, 0.0]
    """
    acting = {qubit: PAULI[letter] for letter, qubit in zip(letters, qubits, strict=True)}
    if isinstance(state, np.ndarray):
        turned = state
        for qubit, matrix in acting.items():
            turned = (matrix @ turned.reshape(2**qubit, 2, -1)).ravel()
        return float(np.vdot(state, turned).real / np.vdot(state, state).real)
    measured = norm = np.ones((1, 1), dtype=complex)  # vL* vL
    for site, tensor in enumerate(state.tensors):
        turned = tensor
        if site in acting:
            turned = acting[site] @ tensor
        measured = _onward(measured, tensor, turned)
        norm = _onward(norm, tensor, tensor)
        scale = np.linalg.norm(norm)
        measured, norm = measured / scale, norm / scale
    return float((measured[0, 0] / norm[0, 0]).real)


def energy(state: MPS | np.ndarray, hamiltonian: Hamiltonian) -> float:
    """Return <H>, term by term, whatever is coupled.

    Example:
        >>> ring = Hamiltonian.from_terms(3, [("ZZ", (0, 2), 2.0), ("Z", (1,), 0.5)])
        >>> energy(MPS.product(np.tile([1.0, 0.0], (3, 1))), ring)
        2.5
    """
    values = (t.coefficient * expectation(state, t.pauli, t.qubits) for t in hamiltonian.terms)
    return sum(values, hamiltonian.constant)


def _onward(boundary: np.ndarray, below: np.ndarray, above: np.ndarray) -> np.ndarray:
    grown = np.tensordot(boundary, above, 1)  # vL* i vR
    return np.tensordot(below.conj(), grown, ((0, 1), (0, 1)))


def read_observables(value: Any, num_qubits: int | None) -> tuple[PauliString, ...]:
    """Read the field `observables`.

    Args:
        value: A list of [letters, qubits].
        num_qubits: Of the problem, if known.

    Raises:
        InputError: It is none.

    Example:
        >>> read_observables([["ZZ", [0, 5]], ["X", [2]]], 6)
        (('ZZ', (0, 5)), ('X', (2,)))
    """
    if not isinstance(value, list | tuple) or len(value) > _MOST:
        raise InputError(
            f"`observables` must be a list of at most {_MOST} Pauli strings [letters, qubits], but "
            f"is {shown(value)}."
        )
    return tuple(_read(entry, index, num_qubits) for index, entry in enumerate(value))


def _read(entry: Any, index: int, num_qubits: int | None) -> PauliString:
    name, pointer = f"Pauli string {index} of `observables`", f"/observables/{index}"
    if not isinstance(entry, list | tuple) or len(entry) != 2 or not isinstance(entry[0], str):
        raise InputError(f'{name} must be like ["ZZ", [0, 5]], but is {shown(entry)}.', pointer)
    letters, qubits = entry
    if not letters or not PAULI.keys() >= set(letters):
        raise InputError(f"{name} must have letters I, X, Y, Z, but has {shown(letters)}.", pointer)
    if not isinstance(qubits, list | tuple) or len(qubits) != len(letters):
        raise InputError(
            f"{name} must have as many qubits as letters, but has {shown(qubits)} for "
            f"{shown(letters)}.",
            pointer,
        )
    most = 10**6 if num_qubits is None else num_qubits - 1
    sites = tuple(integer(q, f"A qubit of {name}", pointer, least=0, most=most) for q in qubits)
    if len(set(sites)) < len(sites):
        raise InputError(f"{name} must have distinct qubits, but has {shown(qubits)}.", pointer)
    return letters, sites


def to_json(strings: tuple[PauliString, ...]) -> list[list[Any]]:
    """Return Pauli strings as JSON holds them.

    Example:
        >>> to_json((("ZZ", (0, 5)),))
        [['ZZ', [0, 5]]]
    """
    return [[letters, list(qubits)] for letters, qubits in strings]


JSON_SCHEMA: dict[str, Any] = {
    "type": "array",
    "maxItems": _MOST,
    "items": {
        "type": "array",
        "prefixItems": [
            {"type": "string", "pattern": "^[IXYZ]+$"},
            {"type": "array", "items": {"type": "integer", "minimum": 0}},
        ],
        "minItems": 2,
        "maxItems": 2,
    },
}
