"""What the fields of a problem ask of each other."""

from collections.abc import Mapping
from typing import Any

from aqc.block_choice import check_block
from aqc.cost import dense_qubits
from aqc.errors import InputError
from aqc.given import GivenCircuit


def check_ansatz(ansatz: Any, num_qubits: int | None, fields: Mapping[str, Any]) -> None:
    """Refuse a circuit to start at of other qubits than the target's, and blocks that do not fit.

    Args:
        ansatz: `ansatz`.
        num_qubits: Of the target, None where it was refused itself.
        fields: The other fields of the problem, as far as they were accepted.

    Raises:
        InputError: If the start has other qubits, or the block type conserves where nothing is
            conserved.
    """
    start = ansatz.start
    if isinstance(start, GivenCircuit) and start.num_qubits != (num_qubits or start.num_qubits):
        raise InputError(
            f"`ansatz.start` must have {num_qubits} qubits, as the target has, but has "
            f"{start.num_qubits}.",
            "/ansatz/start",
        )
    if not {"hamiltonian", "time", "initial_state"} <= fields.keys():
        return  # one of them was refused itself
    given, state = fields["hamiltonian"], fields["initial_state"]
    evolved = None if fields["time"] is None else getattr(given, "hamiltonian", given)
    elsewhere = start is not None or isinstance(state, GivenCircuit)
    for hamiltonian in (evolved, *(piece for piece, _ in fields.get("schedule", ()))):
        check_block(ansatz.block, hamiltonian, starts_elsewhere=elsewhere)


def check_flips(objective: str, ansatz: Any) -> None:
    """Refuse flips with blocks that cannot follow them.

    Args:
        objective: `objective`.
        ansatz: `ansatz`, None where it was refused itself.

    Raises:
        InputError: If the blocks cannot follow.
    """
    if objective == "flip" and ansatz is not None and ansatz.block == "u1":
        raise InputError(
            '`objective` "flip" turns single qubits, which blocks "u1" cannot follow; use '
            '"log_density", or `ansatz.block` "su4".'
        )
    if objective == "flip" and ansatz is not None and ansatz.tied:
        raise InputError(
            '`objective` "flip" turns single qubits, which blocks that share gates '
            '(`ansatz.tied`) cannot follow; use "log_density".'
        )


def check_dense(overlap: str, num_qubits: int | None, *, operator: bool) -> None:
    """Refuse state vectors of too many qubits.

    Raises:
        InputError: If `overlap` is "dense" and there are more than it can hold.
    """
    most = dense_qubits(operator)
    if overlap == "dense" and num_qubits is not None and num_qubits > most:
        raise InputError(
            f'`overlap` "dense" must have at most {most} qubits, but the Hamiltonian has '
            f'{num_qubits}; "exact" takes any number.'
        )


def check_device(pairs: tuple[tuple[int, int], ...] | None, num_qubits: int | None) -> None:
    """Refuse a coupling map that cannot hold so many qubits.

    Raises:
        InputError: If its largest connected part is too small.
    """
    if pairs is None or num_qubits is None:
        return
    size = largest_component(pairs)
    if size < num_qubits:
        raise InputError(
            f"`circuit.coupling_map` must connect at least {num_qubits} qubits, one for "
            f"each of the Hamiltonian, but its largest connected part has {size}.",
            "/circuit/coupling_map",
        )


def largest_component(pairs: tuple[tuple[int, int], ...]) -> int:
    """Return how many qubits the largest connected part of a coupling map has.

    Example:
        >>> largest_component(((0, 1), (1, 2), (5, 6)))
        3
    """
    neighbors: dict[int, list[int]] = {}
    for a, b in pairs:
        neighbors.setdefault(a, []).append(b)
        neighbors.setdefault(b, []).append(a)
    largest = 0
    unseen = set(neighbors)
    while unseen:
        stack = [unseen.pop()]
        size = 0
        while stack:
            size += 1
            near = unseen.intersection(neighbors[stack.pop()])
            unseen -= near
            stack += near
        largest = max(largest, size)
    return largest
