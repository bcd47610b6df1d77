"""What a circuit has to reproduce: one evolved state, or the evolution of every input."""

from typing import Annotated, Any, Literal

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from aqc.checks import integer, shown
from aqc.errors import InputError
from aqc.given import GivenCircuit

Mode = Literal["state", "unitary"]

_MOST_POWERS, _LARGEST_POWER = 16, 10**6


def read_powers(value: Any) -> tuple[int, ...]:
    """Read the field `powers`.

    Raises:
        InputError: It is no list of distinct positive integers.
    """
    if not isinstance(value, list | tuple) or len(value) > _MOST_POWERS:
        raise InputError(
            f"`powers` must be a list of at most {_MOST_POWERS} integers, but is {shown(value)}."
        )
    powers = [
        integer(power, "A power of `powers`", f"/powers/{index}", least=1, most=_LARGEST_POWER)
        for index, power in enumerate(value)
    ]
    if len(set(powers)) < len(powers):
        raise InputError(f"`powers` must hold distinct integers, but is {shown(value)}.")
    return tuple(powers)


Powers = Annotated[
    tuple[int, ...],
    PlainValidator(read_powers),
    PlainSerializer(list),
    WithJsonSchema({"type": "array", "items": {"type": "integer", "minimum": 1}}),
]


def check_field(name: str, value: Any, mode: Mode) -> Any:
    """Return the value of a problem's field if it goes with the mode.

    Raises:
        InputError: It does not.
    """
    if mode == "state":
        if name == "powers" and value:
            raise InputError('`powers` must be left out unless `mode` is "unitary".')
        return value
    if name == "initial_state" and value != "zeros":
        raise InputError(
            '`initial_state` must be left out where `mode` is "unitary": the circuit then acts '
            "on every input."
        )
    if name == "objective" and value == "flip":
        raise InputError(
            '`objective` must be "log_density" or "infidelity" where `mode` is "unitary", but is '
            '"flip", which flips the qubits of one input.'
        )
    if name == "observables" and value:
        raise InputError(
            '`observables` must be left out where `mode` is "unitary": they are those of one state.'
        )
    if name == "target":
        _check_target(value)
    if name == "ansatz" and isinstance(value.start, GivenCircuit):
        raise InputError(
            '`ansatz.start` must be null or {"random": seed} where `mode` is "unitary".',
            "/ansatz/start",
        )
    return value


def _check_target(target: Any) -> None:
    if target.given is not None:
        form = "circuit" if isinstance(target.given, GivenCircuit) else "state"
        raise InputError(
            f'`target.{form}` must be left out where `mode` is "unitary": a unitary is asked for '
            "by `hamiltonian` and `time`.",
            f"/target/{form}",
        )
    if target.evolver != "native":
        raise InputError(
            f'`target.evolver` must be "native" where `mode` is "unitary", but is '
            f'"{target.evolver}".',
            "/target/evolver",
        )
