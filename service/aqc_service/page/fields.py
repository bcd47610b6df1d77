"""The fields of the form; their hints, defaults and choices are those of the problem's schema."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

from aqc.models import MODELS, Model
from aqc.problem import Problem

# How what is typed becomes JSON: as it is, as a number, as a number or a list of numbers, as
# text or JSON, as JSON.
Kind = Literal["text", "number", "numbers", "state", "json"]


@dataclass(frozen=True)
class FormField:
    """An input of the form.

    Attributes:
        pointer: Where its value stands in the problem: a JSON pointer.
        label: What it is called.
        kind: How what is typed becomes JSON.
        hint: What it means.
        default: What holds when it is empty.
        choices: The values to choose from, if only these are allowed.
        wide: Whether it takes a row of its own.
        list_pointer: Where a list stands, if not in the same place.
    """

    pointer: str
    label: str
    kind: Kind
    hint: str
    default: str = ""
    choices: tuple[str, ...] = ()
    wide: bool = False
    list_pointer: str = ""

    @property
    def key(self) -> str:
        """Name of the field as an HTML id."""
        return "f" + self.pointer.replace("/", "-")


def main_fields() -> tuple[FormField, ...]:
    """Return what almost everybody sets.

    Example:
        >>> [field.pointer for field in main_fields()][:2]
        ['/time', '/initial_state']
    """
    state = FormField(
        "/initial_state",
        "Initial state",
        "state",
        'neel, zeros, bits such as 0101 (the last is qubit 0), or {"bloch": [[theta, phi], ...]}.',
        "zeros",
    )
    time = _field("/time", "Time t")
    several = f"{time.hint[:-1]}; or several, such as 0.5, 1, 1.5."
    return (
        replace(time, kind="numbers", hint=several, list_pointer="/times"),
        state,
        replace(_field("/ansatz/layers", "Brick layers"), kind="numbers"),
        _field("/goal/infidelity", "Goal: infidelity"),
        _field("/circuit/basis", "Two-qubit gate"),
    )


def more_fields() -> tuple[FormField, ...]:
    """Return what few people set.

    Example:
        >>> [field.default for field in more_fields() if field.pointer == "/optimizer/max_steps"]
        ['200']
    """
    return (
        _field("/optimizer/max_steps", "Evaluations at most"),
        _field("/optimizer/name", "Optimizer"),
        _field("/target/tolerance", "Tolerance of the target"),
        _field("/target/max_bond", "Bond dimension at most"),
        _field("/limits/memory_gb", "Memory in GB"),
        _field("/limits/threads", "Threads"),
        _field("/seed", "Seed"),
    )


@dataclass(frozen=True)
class ModelForm:
    """A model and the inputs of its parameters.

    Attributes:
        name: Name of the model.
        formula: H in ASCII.
        fields: One input for each parameter.
    """

    name: str
    formula: str
    fields: tuple[FormField, ...]


def model_forms() -> tuple[ModelForm, ...]:
    """Return every named Hamiltonian with its parameters.

    Example:
        >>> [form.name for form in model_forms()][0]
        'ising_chain'
    """
    return tuple(ModelForm(m.name, m.formula, _parameters(m)) for m in MODELS.values())


def terms_field() -> FormField:
    """Return the input of a Hamiltonian that is given by its terms."""
    return FormField(
        "/hamiltonian/terms",
        "Terms",
        "json",
        '[letters, qubits, coefficient]: ["XX", [0, 1], 1.0] is X on qubits 0 and 1.',
        wide=True,
    )


def _parameters(model: Model) -> tuple[FormField, ...]:
    each = {"bond": "; or a list, one for each bond", "site": "; or a list, one for each site"}
    return tuple(
        FormField(
            f"/hamiltonian/{parameter.name}",
            parameter.name,
            "numbers",
            f"{_capital(parameter.meaning)}{each.get(parameter.varies, '')}.",
            f"{parameter.default:g}",
        )
        for parameter in model.parameters
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _field(pointer: str, label: str) -> FormField:
    schema = _schema(pointer)
    default = schema.get("default")
    return FormField(
        pointer,
        label,
        "number" if schema.get("type") in ("number", "integer") else "text",
        schema["description"],
        "" if default is None else str(default),
        tuple(str(choice) for choice in schema.get("enum", ())),
    )


def _schema(pointer: str) -> dict[str, Any]:
    root = _problem_schema()
    node = root
    for name in pointer.split("/")[1:]:
        node = node["properties"][name]
        if "$ref" in node:
            node = root["$defs"][node["$ref"].rsplit("/", 1)[1]]
    return node


@cache
def _problem_schema() -> dict[str, Any]:
    return Problem.model_json_schema()
