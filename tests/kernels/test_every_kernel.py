"""What every kernel of the shelf owes, tried on each: a new one is tested by being there."""

import ast
import contextlib
import functools
import inspect
import json
import typing
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aqc import kernels
from aqc.errors import AqcError, InputError
from aqc.kernels import _results, _state
from aqc.kernels.__main__ import catalogue_text
from aqc.kernels._arrays import Array
from aqc.kernels._claims import claims_table
from aqc.kernels._kernel import Operation, Steps, Topic, drain
from aqc.kernels._types import Items, OneOf, Type
from mutations import malformed

ROOT = Path(__file__).parents[2]
SHELF = ROOT / "src/aqc/kernels"
MOST_NUMBERS = 400
MALFORMED, RUN_OF_THEM = 200, 3

every_kernel = pytest.mark.parametrize("slug", kernels.slugs())


def operations(slug: str) -> tuple[Operation, ...]:
    return kernels.load(slug).operations


@functools.cache
def answer(slug: str, name: str) -> Any:
    operation = kernels.load(slug).operation(name)
    return operation.run(operation.example)


def example(operation: Operation) -> dict[str, Any]:
    """The example as a caller of the API sends it."""
    found: dict[str, Any] = json.loads(json.dumps(_results.to_json(operation.example)))
    return found


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from numbers(item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


def arrays(value: Any) -> Iterator[np.ndarray]:
    """All numbers of a result, before they are written as JSON."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    elif hasattr(value, "__dataclass_fields__"):
        value = {name: getattr(value, name) for name in value.__dataclass_fields__}
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from arrays(item)
    elif value is not None and not isinstance(value, str):
        yield np.asarray(value)


def module_of(path: Path) -> str:
    return path.relative_to(SHELF).parts[0].removesuffix(".py")


@every_kernel
def test_the_record_is_complete(slug: str) -> None:
    kernel = kernels.load(slug)
    assert kernel.slug == slug
    assert kernel.topic in typing.get_args(Topic)
    assert kernel.paper.link.startswith("https://")
    assert 2000 < kernel.paper.year < 2100
    assert kernel.claims
    assert all(c.claim and c.baseline and c.measured for c in kernel.claims)
    names = [operation.name for operation in kernel.operations]
    assert len(set(names)) == len(names)
    assert slug in kernel._repr_html_()


@every_kernel
def test_every_operation_is_documented(slug: str) -> None:
    for operation in operations(slug):
        text = inspect.getdoc(operation.function) or ""
        for part in ("Args:", "Returns:", "Source:", "Example:", ">>> "):
            assert part in text, (operation.name, part)
        for name in operation.signature.types:
            assert f"\n    {name}: " in text, (operation.name, name)
        assert operation.summary.endswith(".")
        if operation.work is not None:
            assert operation.unit


@every_kernel
def test_the_example_is_small_and_runs(slug: str) -> None:
    for operation in operations(slug):
        assert len(list(numbers(example(operation)))) <= MOST_NUMBERS, operation.name
        assert operation.is_short(operation.signature.check(operation.example)), operation.name
        result = answer(slug, operation.name)
        json.dumps(_results.to_json(result), allow_nan=False)
        for array in arrays(result):
            assert array.dtype.kind in "biuUS" or np.isfinite(array).all(), operation.name


@every_kernel
def test_arguments_survive_json(slug: str) -> None:
    for operation in operations(slug):
        for form in ("list", "npy"):
            sent = _results.to_json(operation.signature.check(operation.example), form)
            sent = {k: v for k, v in sent.items() if v is not None}
            again = operation.signature.check(json.loads(json.dumps(sent)))
            assert _results.to_json(again, form) | sent == _results.to_json(again, form)


@every_kernel
def test_the_same_arguments_have_the_same_answer(slug: str) -> None:
    for operation in operations(slug):
        again = operation.run(example(operation))
        first = _results.to_json(answer(slug, operation.name))
        assert _results.to_json(again) == first, operation.name


def shapes(kind: Type) -> Iterator[Array]:
    """The arrays that an argument is, or is a list of."""
    if isinstance(kind, Array):
        yield kind
    elif isinstance(kind, OneOf):
        for option in kind.options:
            yield from shapes(option)


@every_kernel
def test_another_number_of_axes_is_refused(slug: str) -> None:
    for operation in operations(slug):
        body = example(operation)
        for name, kind in operation.signature.types.items():
            is_list = isinstance(kind, Items)
            for _ in shapes(kind.item if isinstance(kind, Items) else kind):
                if name not in body or (is_list and not body[name]):
                    continue
                value = [body[name][0]] if is_list else body[name]
                with pytest.raises(InputError, match=f"`{name}"):
                    operation.signature.check(body | {name: [value]})
                with pytest.raises(InputError, match=f"`{name}"):
                    operation.signature.check(body | {name: float("nan")})


@every_kernel
def test_unknown_and_missing_arguments_are_refused(slug: str) -> None:
    for operation in operations(slug):
        body = example(operation)
        with pytest.raises(InputError, match='but not "nonsense"'):
            operation.run(body | {"nonsense": 1})
        for name in set(operation.signature.types) - set(operation.signature.defaults):
            with pytest.raises(InputError, match=f"`{name}` is required"):
                operation.run({k: v for k, v in body.items() if k != name})


def sound_bodies(operation: Operation) -> list[dict[str, Any]]:
    """Those of the malformed bodies that are right after all; the others are refused."""
    refused, sound = 0, []
    for body in malformed(example(operation), MALFORMED):
        try:
            if operation.is_short(operation.signature.check(body)):
                sound.append(body)
        except InputError as error:
            refused += 1
            sentences = [text for _, text in error.errors]
            assert all(text[:1] and text[-1] in ".?" for text in sentences), sentences
    assert refused > MALFORMED / 4, operation.name
    return sound


def run_or_refuse(operation: Operation, body: dict[str, Any]) -> None:
    """Whatever comes is an answer or an error of ours, and never another exception."""
    with warnings.catch_warnings(), contextlib.suppress(AqcError):
        warnings.simplefilter("ignore")  # overflows of absurd numbers
        json.dumps(_results.to_json(operation.run(body)), allow_nan=False)


@every_kernel
def test_malformed_bodies_are_refused_in_sentences_or_answered(slug: str) -> None:
    for operation in operations(slug):
        sound = sound_bodies(operation)
        for body in sound[:: max(1, len(sound) // RUN_OF_THEM)][:RUN_OF_THEM]:
            run_or_refuse(operation, body)


@pytest.mark.slow
@every_kernel
def test_every_malformed_body_is_answered_or_refused(slug: str) -> None:
    for operation in operations(slug):
        for body in sound_bodies(operation):
            run_or_refuse(operation, body)


@every_kernel
def test_a_resumed_run_ends_as_if_never_stopped(slug: str) -> None:
    for operation in operations(slug):
        if operation.steps is None:
            continue
        whole = _results.to_json(answer(slug, operation.name))
        states, fractions = [], []
        ended = []

        def run(operation: Operation = operation, ended: list[Any] = ended) -> Steps:
            ended.append((yield from operation.run_steps(operation.example)))

        for fraction, state in run():
            fractions.append(fraction)
            # Copies, as files are: a run may change its arrays in place.
            states.append({name: x.copy() for name, x in _state.pack(state).items()})
        assert _results.to_json(ended[0]) == whole, operation.name
        assert states, operation.name
        assert fractions == sorted(fractions)
        assert 0 <= fractions[0] <= fractions[-1] <= 1
        # From the first state, one in the middle and the last one, as files give them back.
        for number in {0, len(states) // 2, len(states) - 1}:
            resumed = drain(operation.run_steps(operation.example, _state.unpack(states[number])))
            assert _results.to_json(resumed) == whole, (operation.name, number)


@every_kernel
def test_figures_draw(slug: str) -> None:
    for operation in operations(slug):
        if operation.figure is not None:
            figure = operation.figure(answer(slug, operation.name))
            figure.canvas.draw()
            assert figure.axes, operation.name


@every_kernel
def test_a_kernel_knows_no_other_kernel(slug: str) -> None:
    own = slug.replace("-", "_")
    others = {name.replace("-", "_") for name in kernels.slugs()} - {own}
    for path in SHELF.rglob("*.py"):
        if module_of(path) != own:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            for name in names:
                parts = name.split(".")
                assert parts[:2] != ["aqc", "kernels"] or parts[2] not in others, (path, name)
                assert parts[:2] != ["matplotlib", "pyplot"], path


def test_the_catalogue_and_the_table_are_current() -> None:
    remedy = "run `make catalogue`"
    assert (SHELF / "catalogue.json").read_text("utf-8") == catalogue_text(), remedy
    assert (ROOT / "docs/kernels.md").read_text("utf-8") == claims_table(), remedy


def test_unknown_names_are_refused() -> None:
    with pytest.raises(InputError, match="There is no kernel 'do-mergin'; did you mean `do-merg"):
        kernels.load("do-mergin")
    with pytest.raises(InputError, match="do-merging has the operations merge-adapters, .* not 'x"):
        kernels.load("do-merging").operation("x")
