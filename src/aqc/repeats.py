"""Whether a problem repeats after two sites, so that blocks of a layer may share a gate."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from aqc.errors import InputError
from aqc.given import GivenCircuit
from aqc.hamiltonian import Hamiltonian
from aqc.initial_state import amplitudes
from aqc.pieces import colored
from aqc.ties import CELL

_EQUAL = 1e-12


def check_tied(ansatz: Any, fields: Mapping[str, Any]) -> None:
    """Refuse blocks that share gates where nothing says that they are alike.

    Args:
        ansatz: `ansatz`.
        fields: The other fields of the problem, as far as they were accepted.

    Raises:
        InputError: If the problem does not repeat, or nothing is known of it.
    """
    if not ansatz.tied or not {"hamiltonian", "time", "initial_state"} <= fields.keys():
        return  # or one of them was refused itself
    if fields["hamiltonian"] is None or fields["time"] is None:
        _refuse("needs a Hamiltonian and a time, by which blocks are alike, but has none")
    if isinstance(ansatz.start, GivenCircuit):
        _refuse("cannot keep a circuit as `ansatz.start`, whose blocks may be any")
    hamiltonian = getattr(fields["hamiltonian"], "hamiltonian", fields["hamiltonian"])
    pieces = (*fields.get("schedule", ()), (hamiltonian, fields["time"]))
    colors = colored(pieces)
    for piece, _ in pieces:
        _check_terms(piece, around=bool(colors))
    n = hamiltonian.num_qubits
    for pairs in colors:
        moved = {tuple(sorted((site + CELL) % n for site in pair)) for pair in pairs}
        if moved != set(pairs):
            _refuse(
                f"needs couplings that fall into layers alike after {CELL} sites, as those of a "
                "ring of an even number of qubits do, but these do not"
            )
    if fields.get("mode") != "unitary":
        _check_state(fields["initial_state"], n, around=bool(colors))


def _check_terms(hamiltonian: Hamiltonian, *, around: bool) -> None:
    n = hamiltonian.num_qubits
    known = {
        frozenset(zip(term.qubits, term.pauli, strict=True)): term.coefficient
        for term in hamiltonian.terms
    }
    for term in hamiltonian.terms:
        for by in (CELL, -CELL):
            sites = [site + by for site in term.qubits]
            if around:
                sites = [site % n for site in sites]
            elif not 0 <= min(sites) <= max(sites) < n:
                continue
            there = known.get(frozenset(zip(sites, term.pauli, strict=True)), 0.0)
            if abs(there - term.coefficient) > _EQUAL * abs(term.coefficient):
                _refuse(
                    f"needs a Hamiltonian that repeats after {CELL} sites, along an open chain or "
                    f"around a ring, but {term.pauli} on {list(term.qubits)} is "
                    f"{term.coefficient:g}, and {there:g} on {sites}"
                )


def _check_state(state: Any, num_qubits: int, *, around: bool) -> None:
    if isinstance(state, GivenCircuit):
        _refuse("needs a product state as `initial_state`, but that is a circuit")
    sites = amplitudes(state, num_qubits)
    differ = np.abs(sites - np.roll(sites, -CELL, axis=0)).max(axis=1) > _EQUAL
    for site in np.flatnonzero(differ if around else differ[:-CELL]):
        _refuse(
            f"needs an `initial_state` that repeats after {CELL} sites, but qubits {site} and "
            f"{(site + CELL) % num_qubits} differ"
        )


def _refuse(reason: str) -> None:
    raise InputError(f"`ansatz.tied` {reason}; leave it out.", "/ansatz/tied")
