"""The signature is the schema: what every kind of argument takes, refuses, and says of itself."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import annotated_types
import numpy as np
import pytest
from annotated_types import Ge, Gt, Interval, Le, Len, Lt
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float, Num

from aqc.errors import InputError
from aqc.kernels._signature import checked, read_signature, type_of
from aqc.kernels._types import Axes, Place


@dataclass(frozen=True)
class Ball:
    radius: Annotated[float, Gt(0)]
    kind: Literal["ball"] = "ball"


@dataclass(frozen=True)
class Box:
    sides: Float[np.ndarray, "d"]
    open: bool = False
    kind: Literal["box"] = "box"


@dataclass(frozen=True)
class Cube:
    sides: Float[np.ndarray, "d"]
    kind: Literal["cube"] = "cube"


def check(annotation: Any, value: Any) -> Any:
    return type_of(annotation).check(value, Place("x", ("x",), Axes()))


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (int, 3, 3),
        (int, np.int32(3), 3),
        (Annotated[int, Interval(ge=1, le=3)], 1, 1),
        (float, 3, 3.0),
        (float, np.float32(0.5), 0.5),
        (complex, 2, 2 + 0j),
        (complex, {"re": 1, "im": -2.0}, 1 - 2j),
        (complex, 1j, 1j),
        (bool, True, True),
        (str, "héllo", "héllo"),
        (Literal["a", "b"], "b", "b"),
        (Literal[1, 2], 2, 2),
        (tuple[int, ...], [1, 2], (1, 2)),
        (tuple[int, ...], np.array([1, 2]), (1, 2)),
        (tuple[float, float], (1, 2), (1.0, 2.0)),
        (Ball, {"radius": 2}, Ball(2.0)),
        (Ball, Ball(2.0), Ball(2.0)),
        (Ball | None, None, None),
        (Ball | Box, {"radius": 1}, Ball(1.0)),
        (Ball | Box, {"radius": 1, "kind": "ball"}, Ball(1.0)),
        (float | None, 1, 1.0),
        (float | None, None, None),
        (Ball | float, 2, 2.0),
        (Ball | float, {"radius": 2}, Ball(2.0)),
    ],
)
def test_values_are_taken(annotation: Any, value: Any, expected: Any) -> None:
    found = check(annotation, value)
    assert found == expected
    assert type(found) is type(expected)


def test_alternatives_with_arrays() -> None:
    box = check(Ball | Box, {"sides": [1, 2], "open": True})
    assert isinstance(box, Box)
    assert box.open
    np.testing.assert_array_equal(box.sides, [1.0, 2.0])
    cube = check(Box | Cube, {"sides": [1.0], "kind": "cube"})
    assert isinstance(cube, Cube)
    array = check(Float[np.ndarray, "n"] | None, [1, 2])
    np.testing.assert_array_equal(array, [1.0, 2.0])


@pytest.mark.parametrize(
    ("annotation", "value", "message"),
    [
        (int, True, "`x` must be an integer, but is true."),
        (int, 3.0, "`x` must be an integer, but is 3.0."),
        (int, "3", '`x` must be an integer, but is "3".'),
        (int, 2**63, f"`x` must be at most {2**63 - 1}, but is {2**63}."),
        pytest.param(int, 10**5000, "but is an integer of 16610 bits.", id="huge"),
        (Annotated[int, Interval(ge=1, le=3)], 0, "`x` must be at least 1, but is 0."),
        (Annotated[int, Gt(1)], 1, "`x` must be at least 2, but is 1."),
        (Annotated[int, Lt(5)], 5, "`x` must be at most 4, but is 5."),
        (float, float("nan"), "`x` must be finite, but is nan."),
        (float, 10**400, "`x` must be finite, but is an integer of 1329 bits."),
        (float, "1", '`x` must be a number, but is "1".'),
        (float, None, "`x` must be a number, but is null."),
        (float, False, "`x` must be a number, but is false."),
        (Annotated[float, Ge(0)], -1, "`x` must be at least 0, but is -1.0."),
        (Annotated[float, Gt(0)], 0, "`x` must be greater than 0, but is 0.0."),
        (Annotated[float, Le(1)], 2, "`x` must be at most 1, but is 2.0."),
        (Annotated[float, Lt(1)], 1, "`x` must be less than 1, but is 1.0."),
        (complex, {"re": 1}, '`x` must be a number or have the keys "re" and "im"'),
        (complex, {"re": 1, "im": None}, "`x.im` must be a number, but is null."),
        (complex, complex("nan"), "`x` must be finite"),
        (bool, 1, "`x` must be true or false, but is 1."),
        (str, 1, "`x` must be a string, but is 1."),
        (str, "\ud800", "`x` must be valid Unicode"),
        (Annotated[str, Len(1, 3)], "", "`x` must have 1 to 3 characters, but has 0."),
        (Literal["up", "down"], "dwn", '`x` must be one of "up", "down", but is "dwn"; did you'),
        (Literal[1, 2], True, "`x` must be one of 1, 2, but is true."),
        (tuple[int, ...], 3, "`x` must be a list, but is 3."),
        (tuple[int, ...], "ab", '`x` must be a list, but is "ab".'),
        (tuple[int, ...], [1, "b"], '`x[1]` must be an integer, but is "b".'),
        (Annotated[tuple[int, ...], Len(1, 2)], [], "`x` must have 1 to 2 items, but has 0."),
        (tuple[float, float], [1], "`x` must have 2 to 2 items, but has 1."),
        (Ball, 3, "`x` must be an object, but is 3."),
        (Ball, {}, "`x.radius` is required."),
        (Ball, {"radius": 1, "raduis": 2}, '`x` has the fields radius, kind, but not "raduis"'),
        (Ball, {"radius": -1}, "`x.radius` must be greater than 0, but is -1.0."),
        (Ball | Box, 1, "`x` must be an object, but is 1."),
        (Ball | Box, {"kind": "bal"}, '`x.kind` must be one of "ball", "box", but is "bal"'),
        (Box | Cube, {"sides": [1]}, '`x` needs the field `kind`, one of "box", "cube"'),
        (Ball | Box, {}, "its other fields (none) do not decide."),
        (Ball | None, "b", '`x` must be an object, but is "b".'),
        (Ball | float, [1], "`x` must be a number, but is [1]."),
    ],
)
def test_values_are_refused(annotation: Any, value: Any, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        check(annotation, value)


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (Annotated[int, Interval(ge=1, lt=9)], {"type": "integer", "minimum": 1, "maximum": 8}),
        (Annotated[float, Gt(0)], {"type": "number", "exclusiveMinimum": 0}),
        (Literal["a", 2], {"enum": ["a", 2]}),
        (bool, {"type": "boolean"}),
        (type(None), {"type": "null"}),
        (Annotated[str, Len(1, 9)], {"type": "string", "minLength": 1, "maxLength": 9}),
        (
            tuple[bool, bool],
            {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 2},
        ),
        (float | None, {"anyOf": [{"type": "number"}, {"type": "null"}]}),
    ],
)
def test_schema(annotation: Any, schema: dict[str, Any]) -> None:
    assert type_of(annotation).schema() == schema


def test_schema_of_a_record() -> None:
    schema = type_of(Ball).schema()
    assert schema["required"] == ["radius"]
    assert schema["properties"]["kind"] == {"enum": ["ball"], "default": "ball"}
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (dict, "has no JSON form"),
        (Num[np.ndarray, "n"], "must be one of Float, Complex, Int and Bool"),
        (Float[np.ndarray, "n+1"], "must be a name or a length"),
        (Float[np.ndarray, "..."], "must be a name or a length"),
        (tuple[int, str], "must hold items of one type"),
        (float | str, "alternatives must be dataclasses"),
        (Annotated[float, annotated_types.MultipleOf(2)], "cannot be bounded by"),
        (Annotated[Float[np.ndarray, "n"], Ge(0)], "cannot be bounded by"),
        (Annotated[float, Len(1)], "cannot be bounded by"),
        (Annotated[str, Ge(1)], "cannot be bounded by"),
    ],
)
def test_annotations_that_nobody_could_check(annotation: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        type_of(annotation)


def test_parameters_need_one_annotated_value_each() -> None:
    def bare(x):
        pass

    def variadic(*x: int) -> None:
        pass

    with pytest.raises(TypeError, match="bare: the parameter x needs an annotation"):
        read_signature(bare, {})
    with pytest.raises(TypeError, match="variadic: the parameter x must have one value"):
        read_signature(variadic, {})


@checked(n=(2, 5))
def weigh(
    points: Float[np.ndarray, "n d"],
    weights: Float[np.ndarray, "n"] | None = None,
    power: Annotated[int, Interval(ge=1, le=3)] = 2,
) -> tuple[tuple[int, ...], bool, int]:
    """Tell what arrived."""
    return points.shape, weights is None, power


def test_a_checked_function_is_called_like_any_other() -> None:
    assert weigh([[1, 2], [3, 4]]) == ((2, 2), True, 2)
    assert weigh([[1], [3]], [1, 2], power=3) == ((2, 1), False, 3)
    assert weigh(points=np.ones((2, 1))) == ((2, 1), True, 2)
    assert weigh.__doc__ == "Tell what arrived."


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InputError) as refused:
        weigh([[1.0]], [[1.0]], power=9)
    pointers = [pointer for pointer, _ in refused.value.errors]
    assert pointers == ["/points", "/weights", "/power"]
    assert refused.value.pointer == "/points"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "`points` is required."),
        ({"points": [[1], [2]], "wieghts": 1}, "did you mean `weights`?"),
        ({"points": [[1], [2]], "weights": [1, 2, 3]}, "must have 2 entries along axis 0 (n), as"),
        ({"points": [[1]] * 6}, "`points` must have at most 5 entries along axis 0 (n), but has 6"),
    ],
)
def test_calls_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        weigh(**arguments)


@pytest.mark.parametrize("arguments", [[], "x", None, 3])
def test_arguments_that_are_no_object(arguments: Any) -> None:
    with pytest.raises(InputError, match="The input must be a JSON object"):
        weigh.signature.check(arguments)


@checked()
def merge(
    ups: tuple[Float[np.ndarray, "m ?r"], ...], downs: tuple[Float[np.ndarray, "?r n"], ...]
) -> list[int]:
    return [up.shape[1] for up in ups]


def test_items_of_one_number_share_their_own_axes() -> None:
    ups, downs = [np.ones((3, 1)), np.ones((3, 2))], [np.ones((1, 4)), np.ones((2, 4))]
    assert merge(ups, downs) == [1, 2]
    message = re.escape("`downs[0]` must have 1 entry along axis 0 (r), as `ups[0]` has, but has 2")
    with pytest.raises(InputError, match=message):
        merge(ups, downs[::-1])
    with pytest.raises(InputError, match=re.escape("`ups[1]` must have 3 entries along axis 0")):
        merge([ups[0], ups[1][:2]], downs)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda x: st.lists(x, max_size=4) | st.dictionaries(st.text(max_size=5), x, max_size=3),
    max_leaves=12,
)
NAMES = st.sampled_from(["points", "weights", "power", "other"])


@given(st.dictionaries(NAMES, JSON) | JSON)
def test_whatever_comes_is_checked_or_refused(arguments: Any) -> None:
    try:
        checked_arguments = weigh.signature.check(arguments)
    except InputError as error:
        refused = str(error)
    else:
        refused = ""
        assert checked_arguments["points"].ndim == 2
        assert np.isfinite(checked_arguments["points"]).all()
    assert refused[-1:] in ("", ".", "?")


KINDS = [int, float, complex, bool, str, Literal["a"], tuple[float, ...], Ball, Ball | Box]


@given(st.sampled_from([*KINDS, Ball | None, Float[np.ndarray, "a b"]]), JSON)
def test_whatever_comes_is_refused_in_a_sentence(annotation: Any, value: Any) -> None:
    refused = "`x"
    try:
        check(annotation, value)
    except InputError as error:
        refused = str(error)
    assert refused.startswith("`x")
