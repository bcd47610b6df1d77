"""The alternatives of a problem: an evolution, or a given target, and what each goes with."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationInfo
from pydantic.config import JsonDict

from aqc import hamiltonian_json, initial_state
from aqc.errors import InputError
from aqc.given import GivenCircuit, GivenState
from aqc.pauli_strings import PauliString, read_observables
from aqc.settings import TargetSettings

MODEL_EXAMPLE: JsonDict = {"model": "xxz_chain", "num_qubits": 50}
TERMS_EXAMPLE: JsonDict = {"num_qubits": 2, "terms": [["XX", [0, 1], 1.0], ["Z", [0], 0.5]]}


def requires_target(form: str) -> JsonDict:
    """Return the JSON schema of a problem whose target is given in this form."""
    target: JsonDict = {"required": [form], "properties": {form: {"type": "object"}}}
    return {"required": ["target"], "properties": {"target": target}}


def without_default(schema: JsonDict) -> None:
    """Take the default out of a field's JSON schema."""
    schema.pop("default")  # an evolution has none


def num_qubits_of(fields: Mapping[str, Any]) -> int | None:
    """Return the number of qubits that a problem's fields tell, as far as they were accepted."""
    given = getattr(fields.get("target"), "given", None)
    sized = fields.get("hamiltonian") or given  # absent when it was refused itself
    return None if sized is None else sized.num_qubits


def read_state_of(value: Any, info: ValidationInfo) -> initial_state.InitialState:
    """Read the field `initial_state`."""
    return initial_state.read_initial_state(value, num_qubits_of(info.data))


def read_observables_of(value: Any, info: ValidationInfo) -> tuple[PauliString, ...]:
    """Read the field `observables`."""
    return read_observables(value, num_qubits_of(info.data))


# Stand for a field that an evolved state needs, but that is left out or null.
_ABSENT, _NULL = object(), object()


def mark_missing(fields: Any) -> Any:
    """Return a problem's fields; where an evolution is asked for, what it lacks is marked.

    The fields' own readers then refuse it, each with its place.
    """
    if not isinstance(fields, Mapping) or _has_given_target(fields.get("target")):
        return fields
    found = {name: fields.get(name, _ABSENT) for name in ("hamiltonian", "time")}
    return {**fields, **{name: _NULL if v is None else v for name, v in found.items()}}


def read_hamiltonian(value: Any) -> hamiltonian_json.HamiltonianInput | None:
    """Read the field `hamiltonian`, which an evolution must have.

    Raises:
        InputError: It is missing, or no Hamiltonian.
    """
    if value is _ABSENT:
        raise InputError(f"`hamiltonian` is required, such as {json.dumps(MODEL_EXAMPLE)}.")
    if value is None:
        return None
    return hamiltonian_json.read_hamiltonian(None if value is _NULL else value)


def read_time(value: Any) -> Any:
    """Return the field `time` if it is there where an evolution must have it.

    Raises:
        InputError: It is missing.
    """
    if value is _ABSENT:
        raise InputError("`time` is required, such as 1.0.")
    if value is _NULL:
        raise InputError("`time` must be a number, but is null.")
    return value


def _has_given_target(target: Any) -> bool:
    if isinstance(target, TargetSettings):
        return target.given is not None
    names = ("circuit", "state")
    return isinstance(target, Mapping) and any(target.get(name) is not None for name in names)


def check_alone(given: GivenCircuit | GivenState, fields: Mapping[str, Any]) -> None:
    """Refuse what does not go with a target that is given as a circuit or a state.

    Args:
        given: The target.
        fields: The other fields of the problem, as far as they were accepted.

    Raises:
        InputError: There is a time, an initial state, or a Hamiltonian of another size.
    """
    faults = []
    if fields.get("time") is not None:
        faults.append(
            (
                "/time",
                "`time` must be left out where `target` is a circuit or a state: it is not "
                "evolved any further.",
            )
        )
    if fields.get("initial_state", "zeros") != "zeros":
        faults.append(
            (
                "/initial_state",
                "`initial_state` must be left out where `target` is a circuit on |0...0> or a "
                "state.",
            )
        )
    hamiltonian = fields.get("hamiltonian")
    if hamiltonian is not None and hamiltonian.num_qubits != given.num_qubits:
        faults.append(
            (
                "/hamiltonian/num_qubits",
                f"`hamiltonian` must have {given.num_qubits} qubits, as the target has, but has "
                f"{hamiltonian.num_qubits}; it may be left out.",
            )
        )
    if faults:
        raise InputError("\n".join(text for _, text in faults), faults[0][0], tuple(faults))
