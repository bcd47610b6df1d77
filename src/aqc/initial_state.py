"""The state from which the evolution starts, in the six forms of problem.json."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aqc.checks import integer, nearest, real_number, shown
from aqc.errors import InputError
from aqc.gates import bloch_state
from aqc.given import CIRCUIT_SCHEMA, GivenCircuit, read_circuit
from aqc.given import to_json as given_to_json

_POINTER = "/initial_state"

_NAMED: dict[str, Callable[[int], np.ndarray]] = {
    "zeros": lambda n: np.zeros(n, dtype=int),
    "neel": lambda n: np.arange(n) % 2,
}

_FORMS = (
    '"zeros", "neel", a list of 0 and 1 in site order, a string of 0 and 1 in Qiskit order, '
    '{"bloch": [[theta, phi], ...]}, or {"circuit": {"qasm": ...}}'
)


@dataclass(frozen=True)
class BlochState:
    """A product state given by its Bloch angles.

    Attributes:
        bloch: (theta, phi) of every site, radians: cos(theta/2)|0> + exp(i phi) sin(theta/2)|1>.
    """

    bloch: tuple[tuple[float, float], ...]


InitialState = str | tuple[int, ...] | BlochState | GivenCircuit


def read_initial_state(value: Any, num_qubits: int | None = None) -> InitialState:
    """Read an initial state in any of its six forms.

    Args:
        value: "zeros"; "neel" (1 on odd sites); a sequence of 0 and 1 in site order; a string of
            0 and 1 in Qiskit order (leftmost is the highest qubit); {"bloch": [[theta, phi], ...]};
            {"circuit": {"qasm": text}}, which acts on |0...0>.
        num_qubits: What its length must be; not checked when None.

    Returns:
        A name, a bit string, a tuple of bits, Bloch angles or a circuit.

    Raises:
        InputError: It has none of the forms, or the wrong length.

    Example:
        >>> read_initial_state([0, 1, 0], 3)
        (0, 1, 0)
    """
    if isinstance(value, np.ndarray):
        value = value.tolist()
    state: InitialState
    if isinstance(value, str):
        if value in _NAMED:
            return value
        state = _read_bit_string(value)
        length = len(state)
    elif isinstance(value, list | tuple):
        state = tuple(
            integer(bit, "A bit of `initial_state`", f"{_POINTER}/{site}", least=0, most=1)
            for site, bit in enumerate(value)
        )
        length = len(state)
    elif isinstance(value, GivenCircuit) or (isinstance(value, Mapping) and "circuit" in value):
        state = _read_circuit(value)
        length = state.num_qubits
    elif isinstance(value, BlochState | Mapping):
        state = _read_bloch(value)
        length = len(state.bloch)
    else:
        raise InputError(f"`initial_state` must be {_FORMS}, but is {shown(value)}.", _POINTER)
    if num_qubits is not None and length != num_qubits:
        raise InputError(
            f"`initial_state` must describe all {num_qubits} qubits of the Hamiltonian, but "
            f"describes {length}.",
            _POINTER,
        )
    return state


def amplitudes(state: str | tuple[int, ...] | BlochState, num_qubits: int) -> np.ndarray:
    """Return the product state's amplitudes, site by site.

    Args:
        state: As `read_initial_state` returns it, of the right length.
        num_qubits: Number of sites n.

    Returns:
        shape (n, 2), complex: row j holds the amplitudes of |0> and |1> on site j.

    Example:
        >>> amplitudes("neel", 3).real.tolist()
        [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    """
    if isinstance(state, BlochState):
        return np.array([bloch_state(theta, phi) for theta, phi in state.bloch])
    bits: Sequence[int] | np.ndarray
    if isinstance(state, str):
        bits = _NAMED[state](num_qubits) if state in _NAMED else [int(b) for b in reversed(state)]
    else:
        bits = state
    return np.eye(2, dtype=complex)[np.asarray(bits)]


def to_json(state: InitialState) -> Any:
    """Return the state as JSON holds it.

    Example:
        >>> to_json(BlochState(((0.5, 0.0),)))
        {'bloch': [[0.5, 0.0]]}
    """
    if isinstance(state, BlochState):
        return {"bloch": [list(angles) for angles in state.bloch]}
    if isinstance(state, GivenCircuit):
        return {"circuit": given_to_json(state)}
    return state if isinstance(state, str) else list(state)


JSON_SCHEMA: dict[str, Any] = {
    "title": "Initial state",
    "oneOf": [
        {"enum": list(_NAMED), "description": "All |0>, or |1> on the odd qubits."},
        {
            "type": "array",
            "items": {"enum": [0, 1]},
            "description": "One bit for each qubit, in site order.",
        },
        {
            "type": "string",
            "pattern": "^[01]+$",
            "description": "One bit for each qubit, in Qiskit order: leftmost is the highest.",
        },
        {
            "type": "object",
            "properties": {
                "bloch": {
                    "type": "array",
                    "items": {
                        "type": "array",
                        "items": {"type": "number"},
                        "minItems": 2,
                        "maxItems": 2,
                    },
                }
            },
            "required": ["bloch"],
            "additionalProperties": False,
            "description": "[theta, phi] of each qubit in radians, in site order: "
            "cos(theta/2)|0> + exp(i phi) sin(theta/2)|1>.",
        },
        {
            "type": "object",
            "properties": {"circuit": CIRCUIT_SCHEMA},
            "required": ["circuit"],
            "additionalProperties": False,
            "description": "What a circuit makes of |0...0>; it may be entangled.",
        },
    ],
}


def _read_bit_string(value: str) -> str:
    if value and set(value) <= {"0", "1"}:
        return value
    raise InputError(
        f"`initial_state` must be {_FORMS}, but is {shown(value)}{nearest(value, _NAMED)}",
        _POINTER,
    )


def _read_circuit(value: GivenCircuit | Mapping[Any, Any]) -> GivenCircuit:
    if isinstance(value, GivenCircuit):
        return value
    if set(value) != {"circuit"}:
        raise InputError(
            "`initial_state` as an object must have the one field `circuit` or `bloch`, but is "
            f"{shown(value)}.",
            _POINTER,
        )
    return read_circuit(value["circuit"], f"{_POINTER}/circuit")


def _read_bloch(value: BlochState | Mapping[Any, Any]) -> BlochState:
    given = {"bloch": value.bloch} if isinstance(value, BlochState) else value
    if set(given) != {"bloch"}:
        raise InputError(
            f"`initial_state` as an object must have the one field `bloch`, but is {shown(given)}.",
            _POINTER,
        )
    angles = given["bloch"]
    if isinstance(angles, np.ndarray):
        angles = angles.tolist()
    if not isinstance(angles, list | tuple):
        raise InputError(
            "`initial_state.bloch` must be a list of [theta, phi] in radians, but is "
            f"{shown(angles)}.",
            f"{_POINTER}/bloch",
        )
    return BlochState(tuple(_read_angles(site, pair) for site, pair in enumerate(angles)))


def _read_angles(site: int, pair: Any) -> tuple[float, float]:
    pointer = f"{_POINTER}/bloch/{site}"
    if not isinstance(pair, list | tuple) or len(pair) != 2:
        raise InputError(
            f"Each entry of `initial_state.bloch` must be [theta, phi], but one is {shown(pair)}.",
            pointer,
        )
    theta, phi = (real_number(angle, "A Bloch angle", pointer) for angle in pair)
    return theta, phi
