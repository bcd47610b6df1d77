"""A compile problem: what problem.json says, checked, with every default filled in."""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from aqc import alternatives as forms
from aqc import hamiltonian_json
from aqc import initial_state as states
from aqc.checks import shown
from aqc.consistency import check_ansatz, check_dense, check_device, check_flips
from aqc.couplings import check_couplings
from aqc.errors import InputError
from aqc.given import GivenCircuit
from aqc.given import to_json as given_to_json
from aqc.hamiltonian import Hamiltonian
from aqc.modes import Mode, Powers, check_field
from aqc.mps import bell_pairs
from aqc.pauli_strings import JSON_SCHEMA as OBSERVABLES_SCHEMA
from aqc.pauli_strings import PauliString
from aqc.pauli_strings import to_json as observables_to_json
from aqc.pieces import Pieces
from aqc.repeats import check_tied
from aqc.schedule_json import JSON_SCHEMA as SCHEDULE_SCHEMA
from aqc.schedule_json import read_schedule
from aqc.schedule_json import to_json as schedule_to_json
from aqc.settings import (
    AnsatzSettings,
    CircuitSettings,
    GoalSettings,
    LimitSettings,
    OptimizerSettings,
    Settings,
    TargetSettings,
)
from aqc.strict_json import parse_json


class Problem(Settings):
    """A Hamiltonian and a time, or another target, and all that a compile may be told.

    Make one with `from_json`, `from_dict` or `build`, which say in sentences what is wrong.

    Example:
        >>> problem = Problem.from_json(
        ...     '{"hamiltonian": {"model": "xxz_chain", "num_qubits": 50}, "time": 1.0}'
        ... )
        >>> problem.ansatz.layers, problem.target.tolerance
        (9, 0.0001)
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"hamiltonian": forms.MODEL_EXAMPLE, "time": 1.0}],
            "anyOf": [
                {"required": ["hamiltonian", "time"]},
                forms.requires_target("circuit"),
                forms.requires_target("state"),
            ],
        }
    )

    hamiltonian: Annotated[
        hamiltonian_json.HamiltonianInput | None,
        PlainValidator(forms.read_hamiltonian),
        PlainSerializer(lambda value: value and hamiltonian_json.to_json(value)),
        WithJsonSchema(hamiltonian_json.JSON_SCHEMA),
        Field(
            examples=[forms.MODEL_EXAMPLE, forms.TERMS_EXAMPLE],
            json_schema_extra=forms.without_default,
        ),
    ] = None
    """The Hamiltonian in Pauli matrices, by its terms or by a model; required for an evolution."""

    time: Annotated[
        float | None,
        BeforeValidator(forms.read_time),
        WithJsonSchema({"type": "number"}),
        Field(examples=[1.0], json_schema_extra=forms.without_default),
    ] = None
    """Evolution time t of exp(-i H t), in 1/energy, of any sign; required for an evolution."""

    schedule: Annotated[
        Pieces,
        PlainValidator(read_schedule),
        PlainSerializer(schedule_to_json),
        WithJsonSchema(SCHEDULE_SCHEMA),
        Field(examples=[[]]),
    ] = ()
    """Hamiltonians that act before `hamiltonian`, one after another, each for its time."""

    mode: Annotated[Mode, Field(examples=["state", "unitary"])] = "state"
    """What the circuit has to reproduce: the evolved initial state, or exp(-i H t) itself."""

    initial_state: Annotated[
        states.InitialState,
        PlainValidator(forms.read_state_of),
        PlainSerializer(states.to_json),
        WithJsonSchema(states.JSON_SCHEMA),
        Field(examples=["neel"]),
    ] = "zeros"
    """The state at time 0: a product state, or what a circuit makes of |0...0>."""

    goal: Annotated[GoalSettings, Field(examples=[{"infidelity": 0.01}])] = GoalSettings()
    """What to reach."""

    target: Annotated[
        TargetSettings, Field(validate_default=True, examples=[{"tolerance": 1e-6}])
    ] = TargetSettings()
    """How accurately the evolved state is computed."""

    ansatz: Annotated[AnsatzSettings, Field(validate_default=True, examples=[{"layers": 9}])] = (
        AnsatzSettings()
    )
    """The circuit's shape and where its optimization starts."""

    objective: Annotated[
        Literal["log_density", "infidelity", "flip"], Field(examples=["log_density"])
    ] = "log_density"
    """What is minimized: -(log F) / n, 1 - F, or the paper's cost with single flips."""

    overlap: Annotated[Literal["auto", "exact", "truncated", "dense"], Field(examples=["auto"])] = (
        "auto"
    )
    """How the overlap is contracted: exactly, by truncated states (deep), or as state vectors."""

    optimizer: Annotated[OptimizerSettings, Field(examples=[{"max_steps": 200}])] = (
        OptimizerSettings()
    )
    """What changes the blocks, and for how long."""

    circuit: Annotated[CircuitSettings, Field(examples=[{"basis": "cx"}])] = CircuitSettings()
    """How the circuit is written."""

    limits: Annotated[LimitSettings, Field(examples=[{"threads": 2}])] = LimitSettings()
    """What the computation may use."""

    powers: Annotated[Powers, Field(examples=[[]])] = ()
    """In unitary mode: numbers of repetitions of the circuit to tell the error of, too."""

    observables: Annotated[
        tuple[PauliString, ...],
        PlainValidator(forms.read_observables_of),
        PlainSerializer(observables_to_json),
        WithJsonSchema(OBSERVABLES_SCHEMA),
        Field(examples=[[["ZZ", [0, 1]]]]),
    ] = ()
    """In state mode: Pauli strings whose expectation values are told of circuit and target, too."""

    seed: Annotated[int, Field(ge=0, le=2**32 - 1, examples=[0])] = 0
    """Seed of all that is random; the same seed gives the same circuit."""

    @model_validator(mode="before")
    @classmethod
    def _evolution_needs_both(cls, fields: Any) -> Any:
        return forms.mark_missing(fields)

    @field_validator("target", mode="before")
    @classmethod
    def _default_tolerance(cls, target: Any, info: ValidationInfo) -> Any:
        if isinstance(target, TargetSettings):
            target = target.model_dump(exclude_unset=True)
        if "goal" not in info.data or not isinstance(target, Mapping):
            return target
        tolerance = min(max(info.data["goal"].infidelity / 100, 1e-8), 1e-4)
        return {"tolerance": tolerance, **target}

    @field_validator("target")
    @classmethod
    def _one_target(cls, target: TargetSettings, info: ValidationInfo) -> TargetSettings:
        if target.given is not None:
            forms.check_alone(target.given, info.data)
        return target

    @field_validator("initial_state", "target", "ansatz", "objective", "powers", "observables")
    @classmethod
    def _goes_with_mode(cls, value: Any, info: ValidationInfo) -> Any:
        mode = info.data.get("mode")  # absent when it was refused itself
        return value if mode is None else check_field(str(info.field_name), value, mode)

    @field_validator("ansatz")
    @classmethod
    def _start_fits(cls, ansatz: AnsatzSettings, info: ValidationInfo) -> AnsatzSettings:
        check_ansatz(ansatz, forms.num_qubits_of(info.data), info.data)
        check_couplings(ansatz, info.data)
        check_tied(ansatz, info.data)
        return ansatz

    @field_validator("objective")
    @classmethod
    def _flips_turn_blocks(cls, objective: str, info: ValidationInfo) -> str:
        check_flips(objective, info.data.get("ansatz"))
        return objective

    @field_validator("overlap")
    @classmethod
    def _dense_is_small(cls, overlap: str, info: ValidationInfo) -> str:
        check_dense(
            overlap, forms.num_qubits_of(info.data), operator=info.data.get("mode") == "unitary"
        )
        return overlap

    @field_validator("circuit")
    @classmethod
    def _device_is_large_enough(cls, circuit: CircuitSettings, info: ValidationInfo) -> Any:
        check_device(circuit.coupling_map, forms.num_qubits_of(info.data))
        return circuit

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a problem from JSON text.

        Args:
            text: The content of a problem.json.

        Returns:
            The problem, all defaults filled in.

        Raises:
            InputError: It is not JSON, or no problem; `errors` lists all that is wrong.

        Example:
            >>> text = '{"hamiltonian": {"num_qubits": 2, "terms": []}, "time": 0}'
            >>> Problem.from_json(text).time
            0.0
        """
        return cls.from_dict(parse_json(text))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a problem from what its JSON text holds.

        Args:
            data: The fields of the problem.

        Returns:
            The problem, all defaults filled in.

        Raises:
            InputError: It is no problem; `errors` lists all that is wrong.

        Example:
            >>> data = {"hamiltonian": {"model": "ising_chain", "num_qubits": 4}, "time": 1.0}
            >>> Problem.from_dict(data).to_hamiltonian().num_qubits
            4
        """
        if not isinstance(data, Mapping):
            raise InputError(f"The input must be a JSON object, but is {shown(data)}.")
        return cls(**{str(name): value for name, value in data.items()})

    @classmethod
    def build(
        cls, hamiltonian: Hamiltonian | Mapping[str, Any], time: float, **settings: Any
    ) -> Self:
        """Make a problem in Python.

        Args:
            hamiltonian: A Hamiltonian, or what problem.json holds for one.
            time: Evolution time.
            **settings: The other fields; groups as dicts or as settings objects.

        Returns:
            The problem, all defaults filled in.

        Raises:
            InputError: It is no problem; `errors` lists all that is wrong.

        Example:
            >>> chain = Hamiltonian.from_terms(2, [("XX", [0, 1], 1.0)])
            >>> Problem.build(chain, 0.5, ansatz={"layers": 2}).ansatz.order
            1
        """
        return cls.from_dict({"hamiltonian": hamiltonian, "time": time, **settings})

    @property
    def num_qubits(self) -> int:
        """Number of sites of the chain."""
        sized = self.hamiltonian or self.target.given
        assert sized is not None  # one of them was required
        return sized.num_qubits

    def evolution(self) -> tuple[Hamiltonian, float] | None:
        """Return the Hamiltonian and the time, None where the target is given in another form.

        Example:
            >>> model = {"model": "heisenberg_chain", "num_qubits": 2}
            >>> Problem.build(model, 0.5).evolution()[1]
            0.5
        """
        return None if self.time is None else (self.to_hamiltonian(), self.time)

    def pieces(self) -> Pieces:
        """Return the Hamiltonians and times, those of `schedule` first; () for no evolution."""
        evolution = self.evolution()
        return () if evolution is None else (*self.schedule, evolution)

    def to_hamiltonian(self) -> Hamiltonian:
        """Return the Hamiltonian, built when the problem names a model.

        Example:
            >>> model = {"model": "heisenberg_chain", "num_qubits": 2}
            >>> Problem.build(model, 1.0).to_hamiltonian().to_terms()[0]
            ['XX', [0, 1], 1.0]
        """
        if self.hamiltonian is None:
            raise InputError("`hamiltonian` is required for this.", "/hamiltonian")
        if isinstance(self.hamiltonian, Hamiltonian):
            return self.hamiltonian
        return self.hamiltonian.hamiltonian

    def product_state(self) -> np.ndarray:
        """Return the amplitudes of the initial state, site by site.

        Returns:
            shape (n, 2), complex: row j holds the amplitudes of |0> and |1> on site j. In unitary
            mode one Bell pair of input and reference for each site, shape (n, 2, 2).

        Raises:
            InputError: If the initial state is made by a circuit.

        Example:
            >>> chain = Hamiltonian.from_terms(2, [])
            >>> Problem.build(chain, 0, initial_state="01").product_state().real.tolist()
            [[0.0, 1.0], [1.0, 0.0]]
        """
        if self.mode == "unitary":
            return bell_pairs(self.num_qubits)
        if isinstance(self.initial_state, GivenCircuit):
            raise InputError("`initial_state` must be a product state for this.", "/initial_state")
        return states.amplitudes(self.initial_state, self.num_qubits)

    def target_key(self) -> str:
        """Return a hash of all that decides which state is the target, but not how exactly.

        Example:
            >>> chain = Hamiltonian.from_terms(2, [("XX", [0, 1], 1.0)])
            >>> one, same = (Problem.build(chain, 0.5, initial_state=s) for s in ("neel", "10"))
            >>> one.target_key() == same.target_key()
            True
        """
        evolution = self.evolution()
        what: Any
        if evolution is None:
            assert self.target.given is not None
            what = given_to_json(self.target.given)
        else:
            hamiltonian, time = evolution
            start = self.initial_state
            if not isinstance(start, GivenCircuit):
                start = self.product_state().astype(complex).tobytes().hex()
            what = [hamiltonian.to_terms(), hamiltonian.num_qubits, time, states.to_json(start)]
            what += schedule_to_json(self.schedule)
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()

    def within_memory(self, gigabytes: float) -> Self:
        """Return the problem, allowed at most so much memory.

        Example:
            >>> chain = Hamiltonian.from_terms(2, [])
            >>> Problem.build(chain, 0).within_memory(4.0).limits.memory_gb
            4.0
        """
        if self.limits.memory_gb <= gigabytes:
            return self
        limits = self.limits.model_copy(update={"memory_gb": gigabytes})
        return self.model_copy(update={"limits": limits})

    def to_dict(self) -> dict[str, Any]:
        """Return the problem as JSON holds it, all defaults included.

        Example:
            >>> problem = Problem.build(Hamiltonian.from_terms(2, []), 1.0)
            >>> Problem.from_dict(problem.to_dict()) == problem
            True
        """
        return self.model_dump(mode="json")

    def to_json(self) -> str:
        """Return the problem as JSON text, all defaults included.

        Example:
            >>> problem = Problem.build(Hamiltonian.from_terms(2, []), 1.0)
            >>> Problem.from_json(problem.to_json()) == problem
            True
        """
        return self.model_dump_json()
