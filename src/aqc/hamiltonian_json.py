"""How problem.json writes a Hamiltonian: by its terms, or by a model and its parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aqc.checks import nearest, pointer_to, shown
from aqc.errors import InputError
from aqc.hamiltonian import MAX_QUBITS, Hamiltonian, check_num_qubits
from aqc.models import MODELS, Model, Parameter, find_model


@dataclass(frozen=True)
class ModelChoice:
    """A model with a value for every one of its parameters.

    Attributes:
        model: Name of the model.
        num_qubits: Number of sites.
        parameters: (name, number or one number per bond or site), in the model's order.
        hamiltonian: What the model builds from them.
    """

    model: str
    num_qubits: int
    parameters: tuple[tuple[str, float | tuple[float, ...]], ...]
    hamiltonian: Hamiltonian = field(repr=False, compare=False)


HamiltonianInput = Hamiltonian | ModelChoice


def read_hamiltonian(value: Any) -> HamiltonianInput:
    """Read the field `hamiltonian` of a problem.

    Args:
        value: {"num_qubits": n, "terms": [...]}, {"model": name, "num_qubits": n, ...} or a
            `Hamiltonian`.

    Returns:
        The Hamiltonian, or the model with its parameters.

    Raises:
        InputError: It is neither, or what it says cannot be used.

    Example:
        >>> read_hamiltonian({"model": "ising_chain", "num_qubits": 2}).parameters
        (('j', 1.0), ('g', 1.0), ('h', 0.0))
    """
    if isinstance(value, HamiltonianInput):
        value = to_json(value)
    if not isinstance(value, Mapping):
        raise InputError(
            '`hamiltonian` must be {"num_qubits": n, "terms": [...]} or {"model": name, '
            f'"num_qubits": n, ...}}, but is {shown(value)}.',
            "/hamiltonian",
        )
    if ("model" in value) == ("terms" in value):
        both = "both" if "model" in value else "neither"
        raise InputError(
            f"`hamiltonian` must have either `terms` or `model`, but has {both}.", "/hamiltonian"
        )
    if "num_qubits" not in value:
        raise InputError("`hamiltonian.num_qubits` is required.", "/hamiltonian/num_qubits")
    return _read_model(value) if "model" in value else _read_terms(value)


def to_json(value: HamiltonianInput) -> dict[str, Any]:
    """Return a Hamiltonian, or a model with all its parameters, as JSON holds it.

    Example:
        >>> to_json(Hamiltonian.from_terms(2, [("Z", [0], 1)]))
        {'num_qubits': 2, 'terms': [['Z', [0], 1.0]]}
    """
    if isinstance(value, Hamiltonian):
        return {"num_qubits": value.num_qubits, "terms": value.to_terms()}
    parameters = {
        name: list(number) if isinstance(number, tuple) else number
        for name, number in value.parameters
    }
    return {"model": value.model, "num_qubits": value.num_qubits, **parameters}


def _read_terms(value: Mapping[Any, Any]) -> Hamiltonian:
    fields = ("num_qubits", "terms")
    for name in value:
        if name not in fields:
            raise InputError(
                f"`hamiltonian` by terms has the fields num_qubits and terms, but not "
                f"{shown(name)}{nearest(str(name), fields)}",
                pointer_to("hamiltonian", name),
            )
    if not isinstance(value["terms"], list | tuple):
        raise InputError(
            'A Hamiltonian\'s terms must be a list such as [["XX", [0, 1], 1.0], ...], but are '
            f"{shown(value['terms'])}.",
            "/hamiltonian/terms",
        )
    return Hamiltonian.from_terms(value["num_qubits"], value["terms"])


def _read_model(value: Mapping[Any, Any]) -> ModelChoice:
    model = find_model(value["model"])
    num_qubits = check_num_qubits(value["num_qubits"])
    given = {str(k): v for k, v in value.items() if k not in ("model", "num_qubits")}
    values = model.values(num_qubits, **given)
    return ModelChoice(
        model.name, num_qubits, tuple(values.items()), model.build(num_qubits, **values)
    )


_NUM_QUBITS = {
    "type": "integer",
    "minimum": 2,
    "maximum": MAX_QUBITS,
    "description": "Number of sites.",
    "examples": [50],
}

_TERM = {
    "type": "array",
    "prefixItems": [
        {"type": "string", "pattern": "^[IXYZ]*$"},
        {"type": "array", "items": {"type": "integer", "minimum": 0}},
        {"type": "number"},
    ],
    "minItems": 3,
    "maxItems": 3,
}


def _parameter_schema(parameter: Parameter) -> dict[str, Any]:
    number: dict[str, Any] = {"type": "number"}
    varying = {"oneOf": [number, {"type": "array", "items": number}]}
    each = (
        f": a number, or one for each {parameter.varies}"
        if parameter.varies in ("bond", "site")
        else ""
    )
    if parameter.varies == "count":
        number = {"type": "integer", "minimum": 1}
    return {
        **(varying if parameter.varies in ("bond", "site") else number),
        "default": parameter.default,
        "description": f"{parameter.meaning}{each}.",
        "examples": [parameter.default],
    }


def _model_schema(model: Model) -> dict[str, Any]:
    return {
        "type": "object",
        "title": model.name,
        "description": f"H = {model.formula}, in Pauli matrices.",
        "properties": {
            "model": {"const": model.name, "description": "Name of the model."},
            "num_qubits": _NUM_QUBITS,
            **{parameter.name: _parameter_schema(parameter) for parameter in model.parameters},
        },
        "required": ["model", "num_qubits"],
        "additionalProperties": False,
    }


JSON_SCHEMA: dict[str, Any] = {
    "title": "Hamiltonian",
    "oneOf": [
        {
            "type": "object",
            "title": "terms",
            "description": "A sum of Pauli terms, as SparsePauliOp.from_sparse_list reads them.",
            "properties": {
                "num_qubits": _NUM_QUBITS,
                "terms": {
                    "type": "array",
                    "items": _TERM,
                    "description": "[letters, qubits, coefficient]: letter k acts on qubits[k].",
                    "examples": [[["XX", [0, 1], 1.0], ["Z", [0], 0.5]]],
                },
            },
            "required": ["num_qubits", "terms"],
            "additionalProperties": False,
        },
        *(_model_schema(model) for model in MODELS.values()),
    ],
}
