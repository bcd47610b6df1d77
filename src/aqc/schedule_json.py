"""How problem.json writes a Hamiltonian that changes in time: pieces before the last one."""

from collections.abc import Mapping
from typing import Any

from aqc import hamiltonian_json
from aqc.checks import pointer_to, real_number, shown
from aqc.errors import InputError
from aqc.given import GivenCircuit
from aqc.hamiltonian import Hamiltonian
from aqc.pieces import Pieces

_MOST = 1000


def read_schedule(value: Any) -> Pieces:
    """Read the field `schedule`.

    Args:
        value: A list of {"hamiltonian": ..., "time": ...}, or of pairs of a Hamiltonian and a time.

    Raises:
        InputError: It is none.

    Example:
        >>> piece = {"hamiltonian": {"num_qubits": 2, "terms": [["X", [0], 1.0]]}, "time": 0.5}
        >>> read_schedule([piece])[0][1]
        0.5
    """
    if not isinstance(value, list | tuple) or len(value) > _MOST:
        raise InputError(
            f'`schedule` must be a list of at most {_MOST} pieces {{"hamiltonian": ..., "time": '
            f"...}}, but is {shown(value)}.",
            "/schedule",
        )
    return tuple(_read(piece, index) for index, piece in enumerate(value))


def to_json(pieces: Pieces) -> list[dict[str, Any]]:
    """Return pieces as JSON holds them."""
    return [{"hamiltonian": hamiltonian_json.to_json(h), "time": time} for h, time in pieces]


def check_schedule(fields: Mapping[str, Any]) -> None:
    """Refuse a schedule that does not go with the other fields of a problem.

    Args:
        fields: As far as they were accepted.

    Raises:
        InputError: If it does not.
    """
    pieces = fields.get("schedule")
    if not pieces:
        return
    if fields.get("time") is None or fields.get("hamiltonian") is None:
        raise InputError(
            "`schedule` must go with `hamiltonian` and `time`, the last piece.", "/schedule"
        )
    if fields.get("mode") == "unitary":
        raise InputError('`schedule` must go with `mode` "state".', "/schedule")
    if isinstance(fields.get("initial_state"), GivenCircuit):
        raise InputError(
            "`initial_state` must be a product state with a `schedule`, but is a circuit.",
            "/initial_state",
        )
    n = fields["hamiltonian"].num_qubits
    for index, (hamiltonian, _) in enumerate(pieces):
        if hamiltonian.num_qubits != n:
            raise InputError(
                f"A Hamiltonian of `schedule` must have {n} qubits, as `hamiltonian` has, but has "
                f"{hamiltonian.num_qubits}.",
                f"/schedule/{index}/hamiltonian/num_qubits",
            )


def _read(piece: Any, index: int) -> tuple[Hamiltonian, float]:
    at = pointer_to("schedule", index)
    if isinstance(piece, tuple) and len(piece) == 2:
        piece = {"hamiltonian": piece[0], "time": piece[1]}
    if not isinstance(piece, Mapping) or set(piece) != {"hamiltonian", "time"}:
        raise InputError(
            f'Piece {index} of `schedule` must be {{"hamiltonian": ..., "time": ...}}, but is '
            f"{shown(piece)}.",
            at,
        )
    try:
        found = hamiltonian_json.read_hamiltonian(piece["hamiltonian"])
    except InputError as refusal:
        raise InputError(
            f"Piece {index} of `schedule`: {refusal}", f"{at}{refusal.pointer}"
        ) from None
    hamiltonian = found if isinstance(found, Hamiltonian) else found.hamiltonian
    time = real_number(piece["time"], f"The time of piece {index} of `schedule`", f"{at}/time")
    return hamiltonian, time


JSON_SCHEMA: dict[str, Any] = {
    "type": "array",
    "maxItems": _MOST,
    "items": {
        "type": "object",
        "properties": {
            "hamiltonian": hamiltonian_json.JSON_SCHEMA,
            "time": {"type": "number"},
        },
        "required": ["hamiltonian", "time"],
        "additionalProperties": False,
    },
}
