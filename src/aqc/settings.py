"""What a problem may set beside its physics: frozen, strict, every field with a default."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from aqc.checks import integer, real_number, shown
from aqc.errors import InputError
from aqc.given import (
    CIRCUIT_SCHEMA,
    START_SCHEMA,
    STATE_SCHEMA,
    GivenCircuit,
    GivenState,
    RandomStart,
    read_circuit,
    read_start,
    read_state,
    to_json,
)
from aqc.layer_counts import LayersInput, fitting_order
from aqc.refusals import refuses_in_sentences


class Settings(BaseModel):
    """Base of the settings: frozen, no unknown fields, no conversions, no NaN or infinity."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    if not TYPE_CHECKING:  # type checkers and editors derive a better signature from the fields
        __init__ = refuses_in_sentences(BaseModel.__init__)

    @field_validator("*", mode="before")
    @classmethod
    def _numpy_scalars(cls, value: Any) -> Any:
        return value.item() if isinstance(value, np.generic) else value


class DeviceSettings(Settings):
    """The noise of a device; all its qubits are alike. Times are in one unit, such as seconds."""

    two_qubit_error: Annotated[float, Field(ge=0, le=0.5, examples=[3e-3])]
    """Average gate error of the two-qubit gate that the circuit is written in."""

    one_qubit_error: Annotated[float, Field(ge=0, le=0.5, examples=[3e-4])] = 0.0
    """Average gate error of a one-qubit gate."""

    readout_error: Annotated[float, Field(ge=0, le=0.5, examples=[0.01])] = 0.0
    """Probability of reading out the wrong bit; it does not depend on the depth."""

    t1: Annotated[float | None, Field(gt=0, examples=[2e-4])] = None
    """Relaxation time of an idle qubit; null: idle qubits do not relax."""

    t2: Annotated[float | None, Field(gt=0, examples=[1e-4])] = None
    """Coherence time of an idle qubit, at most 2 t1; given with t1."""

    two_qubit_duration: Annotated[float, Field(ge=0, examples=[7e-8])] = 0.0
    """Time that a two-qubit gate takes."""

    one_qubit_duration: Annotated[float, Field(ge=0, examples=[4e-8])] = 0.0
    """Time that a one-qubit gate takes."""

    @model_validator(mode="after")
    def _times_fit(self) -> Self:
        if (self.t1 is None) != (self.t2 is None):
            raise InputError("`t1` and `t2` of a device must be given together, or neither.")
        if self.t1 is not None and self.t2 is not None:
            if self.t2 > 2 * self.t1:
                raise InputError(
                    f"`t2` of a device must be at most 2 `t1`, {2 * self.t1:g}, but is {self.t2:g}."
                )
            if not self.two_qubit_duration:
                raise InputError(
                    "`two_qubit_duration` of a device must be given with `t1` and `t2`: without it "
                    "no qubit is ever idle."
                )
        return self


class GoalSettings(Settings):
    """What to reach."""

    infidelity: Annotated[float, Field(gt=0, lt=1, examples=[0.01])] = 0.01
    """1 - F of the emitted circuit against the target state, at which the optimizer may stop."""

    device: Annotated[DeviceSettings | None, Field(examples=[None])] = None
    """Take the depth at which the state on this device is best, whatever `infidelity` says."""


def _optional(read: Callable[[Any], Any]) -> PlainValidator:
    return PlainValidator(lambda value: None if value is None else read(value))


def _or_null(schema: dict[str, Any]) -> WithJsonSchema:
    return WithJsonSchema({"oneOf": [{"type": "null"}, schema]})


_TargetCircuit = Annotated[
    GivenCircuit | None,
    _optional(lambda value: read_circuit(value, "/target/circuit")),
    PlainSerializer(to_json),
    _or_null(CIRCUIT_SCHEMA),
]
_TargetState = Annotated[
    GivenState | None,
    _optional(lambda value: read_state(value, "/target/state")),
    PlainSerializer(to_json),
    _or_null(STATE_SCHEMA),
]
_Start = Annotated[
    GivenCircuit | RandomStart | None,
    PlainValidator(read_start),
    PlainSerializer(to_json),
    WithJsonSchema(START_SCHEMA),
]


class TargetSettings(Settings):
    """The state to reach, where it is not an evolved one, and how accurately it is computed."""

    tolerance: Annotated[float, Field(gt=0, le=0.1, examples=[1e-6])] = 1e-4
    """Largest infidelity of the target itself; default goal.infidelity / 100 in [1e-8, 1e-4]."""

    max_bond: Annotated[int, Field(ge=2, le=65536, examples=[256])] = 256
    """Largest bond dimension of the target."""

    evolver: Annotated[Literal["native", "quimb"], Field(examples=["native"])] = "native"
    """Which time evolution computes the target: this package's own or quimb's."""

    circuit: Annotated[_TargetCircuit, Field(examples=[None])] = None
    """The target is what this circuit makes of |0...0>, in place of an evolved state."""

    state: Annotated[_TargetState, Field(examples=[None])] = None
    """The target is this state, in place of an evolved one."""

    @field_validator("state")
    @classmethod
    def _one_target(cls, state: GivenState | None, info: ValidationInfo) -> GivenState | None:
        if state is not None and info.data.get("circuit") is not None:
            raise InputError(
                "`target` must have either `circuit` or `state`, but has both.", "/target/state"
            )
        return state

    @property
    def given(self) -> GivenCircuit | GivenState | None:
        """The circuit or state to reach, None where the target is an evolved state."""
        return self.circuit or self.state


def _is_random(start: Any) -> bool:
    return isinstance(start, RandomStart) or (isinstance(start, Mapping) and "random" in start)


class AnsatzSettings(Settings):
    """The circuit's shape and where its optimization starts."""

    layers: Annotated[LayersInput, Field(examples=[9])] = 9
    """Number of brick layers; a list to sweep over; or "auto": the fewest that reach the goal."""

    # Before pydantic 2.12 the default is asked for even when `layers` was refused.
    order: int | None = Field(
        default_factory=lambda fields: fitting_order(fields.get("layers", 1)),
        ge=1,
        le=2,
        examples=[2],
    )
    """Order of the Trotter circuit at the start: 2 for odd layers, else 1; null for a sweep."""

    block: Annotated[Literal["su4", "cx2", "cx1", "rzz", "u1", "auto"], Field(examples=["su4"])] = (
        "su4"
    )
    """Kind of two-qubit block: any gate, 2 or 1 CX, one RZZ, conserving; auto by the couplings."""

    start: Annotated[_Start, Field(examples=[{"random": 1}])] = None
    """Where the blocks start; null: at Trotter's circuit, or at one derived from the target."""

    tied: Annotated[bool, Field(examples=[False])] = False
    """Blocks of a layer share one gate where Hamiltonian and state repeat after two sites."""

    @model_validator(mode="before")
    @classmethod
    def _layers_of_a_start(cls, fields: Any) -> Any:
        start = fields.get("start") if isinstance(fields, Mapping) else None
        is_circuit = start is not None and not _is_random(start)
        if is_circuit and fields.get("layers", "auto") == "auto":
            raise InputError(
                "`ansatz.layers` must be given as a number or a list with a circuit as "
                "`ansatz.start`: as many brick layers as the circuit has, or more.",
                "/ansatz/layers",
            )
        return fields

    @field_validator("order")
    @classmethod
    def _order_fits_layers(cls, order: int | None, info: ValidationInfo) -> int | None:
        layers = info.data.get("layers")  # absent when it was refused itself
        if layers is None or order == fitting_order(layers):
            return order
        if not isinstance(layers, int):
            raise InputError(
                f"`ansatz.order` must be left out for several depths, each of which has its own "
                f"(2 for an odd number of layers, 1 for an even one), but is {order}."
            )
        raise InputError(
            f"`ansatz.order` must be {fitting_order(layers)} for {layers} layers (2 for an "
            f"odd number, 1 for an even one), but is {shown(order)}; it may be left out."
        )


class OptimizerSettings(Settings):
    """What changes the blocks, and for how long."""

    name: Annotated[
        Literal["riemannian_lbfgs", "optax_lbfgs", "optax_adam", "root", "normuon", "auon"],
        Field(examples=["riemannian_lbfgs"]),
    ] = "riemannian_lbfgs"
    """The optimizer; root, normuon and auon are those of the shelf."""

    max_steps: Annotated[int, Field(ge=0, le=10**9, examples=[200])] = 200
    """Largest number of evaluations of the objective and its gradient."""


def _read_coupling_map(value: Any) -> tuple[tuple[int, int], ...] | None:
    if value is None:
        return None
    name, pointer = "`circuit.coupling_map`", "/circuit/coupling_map"
    if not isinstance(value, list | tuple):
        raise InputError(
            f"{name} must be null or a list of pairs [a, b], but is {shown(value)}.", pointer
        )
    pairs = []
    for index, pair in enumerate(value):
        at = f"{pointer}/{index}"
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise InputError(f"{name} must hold pairs [a, b], but holds {shown(pair)}.", at)
        a, b = (integer(q, f"A qubit of {name}", at, least=0, most=10**6) for q in pair)
        if a == b:
            raise InputError(f"{name} must join distinct qubits, but holds [{a}, {b}].", at)
        pairs.append((a, b))
    return tuple(pairs)


CouplingMap = Annotated[
    tuple[tuple[int, int], ...] | None,
    PlainValidator(_read_coupling_map),
    PlainSerializer(lambda pairs: pairs and [list(pair) for pair in pairs]),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "null"},
                {
                    "type": "array",
                    "items": {
                        "type": "array",
                        "items": {"type": "integer", "minimum": 0},
                        "minItems": 2,
                        "maxItems": 2,
                    },
                },
            ]
        }
    ),
]


def _read_errors(value: Any) -> tuple[float, ...] | None:
    if value is None:
        return None
    name, pointer = "`circuit.errors`", "/circuit/errors"
    if not isinstance(value, list | tuple):
        raise InputError(
            f"{name} must be null or a list of numbers from 0 to 1, but is {shown(value)}.", pointer
        )
    found = tuple(real_number(error, f"A value of {name}", pointer) for error in value)
    if not all(0 <= error <= 1 for error in found):
        raise InputError(f"{name} must hold numbers from 0 to 1, but holds others.", pointer)
    return found


class CircuitSettings(Settings):
    """How the circuit is written."""

    basis: Annotated[Literal["cx", "cz", "ecr", "iswap", "rzz"], Field(examples=["cx"])] = "cx"
    """The two-qubit gate that the circuit uses and its counts count."""

    coupling_map: Annotated[CouplingMap, Field(examples=[[[0, 1], [1, 2]]])] = None
    """Pairs of device qubits that a two-qubit gate may join, in any direction; null: all pairs."""

    errors: Annotated[
        tuple[float, ...] | None,
        PlainValidator(_read_errors),
        PlainSerializer(lambda errors: errors and list(errors)),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "null"},
                    {"type": "array", "items": {"type": "number", "minimum": 0, "maximum": 1}},
                ]
            }
        ),
        Field(examples=[None]),
    ] = None
    """Error of the two-qubit gate on each pair of `coupling_map`; good pairs are taken."""

    @model_validator(mode="after")
    def _one_error_for_each_pair(self) -> Self:
        pairs = self.coupling_map or ()
        if self.errors is not None and len(self.errors) != len(pairs):
            raise InputError(
                f"`circuit.errors` must hold {len(pairs)} numbers, one for each pair of "
                f"`circuit.coupling_map`, but holds {len(self.errors)}.",
                "/circuit/errors",
            )
        return self


class LimitSettings(Settings):
    """What the computation may use."""

    threads: Annotated[int, Field(ge=1, le=1024, examples=[2])] = 2
    """Number of threads."""

    memory_gb: Annotated[float, Field(gt=0, examples=[8])] = 8.0
    """Memory in gigabytes; what is predicted to need more is refused before it starts."""
