"""Arrays as arguments: every form of JSON and of NumPy that is taken, and what is refused."""

import base64
import io
import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from aqc.errors import InputError
from aqc.kernels._arrays import Array, to_json
from aqc.kernels._types import Axes, Place

DTYPES = {"float": np.float64, "complex": np.complex128, "int": np.int64, "bool": np.bool_}


def check(value: Any, kind: str = "float", shape: tuple[str | int, ...] = ("m", "n")) -> Any:
    return Array(kind, shape).check(value, Place("x", ("x",), Axes()))


def npy(array: np.ndarray, **options: Any) -> dict[str, str]:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return {"npy": base64.b64encode(buffer.getvalue()).decode()}


def values(kind: str) -> st.SearchStrategy[Any]:
    return {
        "float": st.floats(allow_nan=False, allow_infinity=False),
        "complex": st.complex_numbers(allow_nan=False, allow_infinity=False),
        "int": st.integers(-(2**63), 2**63 - 1),
        "bool": st.booleans(),
    }[kind]


@given(st.data())
def test_a_round_trip_by_json_changes_nothing(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(DTYPES)))
    shape = data.draw(arrays.array_shapes(min_dims=1, max_dims=3, max_side=4))
    array = data.draw(arrays.arrays(DTYPES[kind], shape, elements=values(kind)))
    axes = tuple(f"axis{i}" for i in range(array.ndim))
    for form in ("list", "npy"):
        text = json.dumps(to_json(array, form), allow_nan=False)
        found = check(json.loads(text), kind, axes)
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ([[1, 2.5]], "float"),
        (((1, 2.5),), "float"),
        ([[1, 2]], "complex"),
        (np.float32([[1, 2]]), "float"),
        (np.array([[1, 2]], ">f8"), "float"),
        (np.array([[1, 2]], np.uint8), "int"),
        (np.asfortranarray([[1, 2], [3, 4]]), "int"),
        ([np.array([1.0, 2.0]), [3, 4]], "float"),
        (npy(np.array([[1, 2]], ">i4")), "int"),
        (npy(np.array([[1, 2]], np.float16)), "complex"),
    ],
)
def test_forms_that_are_taken(value: Any, kind: str) -> None:
    found = check(value, kind)
    assert found.dtype == DTYPES[kind]
    assert found.dtype.isnative
    assert type(found) is np.ndarray


def test_numpy_s_own_classes_lose_their_meaning() -> None:
    masked = np.ma.masked_array([[1.0, 2.0]], mask=[[True, False]])
    assert type(check(masked)) is np.ndarray


def test_a_number_is_an_array_without_axes() -> None:
    assert check(2, shape=()) == 2.0


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ([[1, float("nan")]], "float", "`x` must be finite, but holds nan at index [0, 1]."),
        (np.array([[np.inf]]), "float", "`x` must be finite, but holds inf at index [0, 0]."),
        ([[1, 2], [3]], "float", "`x` must not be ragged, but item 0 has shape (2,) and item 1"),
        ([[1, [2]]], "float", "`x[0]` must not be ragged"),
        ([1, 2], "float", "`x` must have 2 axes (m, n), but has 1 axis: shape (2,)."),
        (3, "float", "`x` must have 2 axes (m, n), but has 0 axes."),
        ([[]], "float", "`x` must have at least 1 entries along axis 1 (n), but has 0."),
        ([], "float", "`x` must have 2 axes (m, n), but has 1 axis"),
        ([["1"]], "float", '`x[0][0]` must be a number, but is "1".'),
        ([[None]], "float", "`x[0][0]` must be a number, but is null."),
        ([[True, 1.0]], "float", "`x[0][0]` must be a number, but is true."),
        ([[1, 2], [3, False]], "int", "`x[1][1]` must be an integer, but is false."),
        ([[True]], "float", "`x` must hold numbers, but holds bool values."),
        ([[1.5]], "int", "`x` must hold integers, but holds float64 values."),
        ([[1]], "bool", "`x` must hold true or false, but holds int64 values."),
        ([[1j]], "float", "`x` must hold numbers, but holds complex128 values."),
        ([[2**63]], "int", f"`x` must hold integers below 2^63, but holds {2**63}."),
        ([[2**70]], "int", "`x[0][0]` must fit into 64 bits, but is"),
        ([[10**400]], "float", "`x[0][0]` must fit into 64 bits, but is an integer of"),
        ("abc", "float", '`x` must hold numbers, but is "abc".'),
        (None, "float", "`x` must hold numbers, but is null."),
        ({1, 2}, "float", "`x` must be a number, but is {1, 2}."),
        ([[{"re": 1, "im": 2}]], "complex", "`x[0][0]` must be a number, but is {"),
        ({"re": [[1]]}, "complex", '{"re": nested list, "im": nested list}, but has the keys'),
        ({"re": [[1]], "im": [[1, 2]]}, "complex", 'have parts "re" and "im" of one shape'),
        (
            {"re": [[1]], "im": [[float("inf")]]},
            "complex",
            "`x` must be finite, but holds (1+infj)",
        ),
        ({"re": [[1]], "im": [["a"]]}, "complex", '`x.im[0][0]` must be a number, but is "a".'),
        ({"re": [[1]], "im": [[1]]}, "float", "`x` must be a nested list, {"),
        ({"npy": 3}, "float", "`x.npy` must be a base64 string, but is 3."),
        ({"npy": "%"}, "float", "`x.npy` must be base64 of a .npy file without pickled objects"),
        ({"npy": ""}, "float", "`x.npy` must be base64 of a .npy file"),
        ({"npy": "AAAA"}, "float", "`x.npy` must be base64 of a .npy file"),
        ([[["a"] * 3] * 3] * 3, "float", '`x[0][0][0]` must be a number, but is "a".'),
        (np.array([[1, "a"]], object), "float", "`x` must hold numbers, but holds object values."),
        (np.array([["2020-01-01"]], "M8[D]"), "int", "`x` must hold integers, but holds datetime"),
        (np.array([[1e300]], np.longdouble) * 1e300, "float", "`x` must be finite"),
    ],
)
def test_refusals(value: Any, kind: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        check(value, kind)


def test_what_is_nested_too_deeply() -> None:
    deep: Any = 1.0
    for _ in range(100):
        deep = [deep]
    with pytest.raises(InputError, match="is nested too deeply"):
        check(deep)


def test_fixed_lengths() -> None:
    with pytest.raises(InputError, match="`x` must have 3 entries along axis 1, but has 2"):
        check([[1, 2]], shape=("n", 3))


def test_an_array_larger_than_its_data_is_not_allocated() -> None:
    whole = base64.b64decode(npy(np.zeros(8))["npy"])
    huge = whole.replace(b"(8,), ", b"(2000000000000,), ".ljust(6))
    with pytest.raises(InputError, match="its header says"):
        check({"npy": base64.b64encode(huge[:10] + huge[10:]).decode()}, shape=("n",))


def test_pickles_are_refused() -> None:
    with pytest.raises(InputError, match="without pickled objects"):
        check(npy(np.array([[{}]], object), allow_pickle=True))


@given(st.data())
def test_damaged_files_are_refused(data: st.DataObject) -> None:
    whole = bytearray(base64.b64decode(npy(np.arange(6.0).reshape(2, 3))["npy"]))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, 127))] = data.draw(st.integers(0, 255))
    try:
        found = check({"npy": base64.b64encode(whole).decode()})
    except InputError:
        pass
    else:
        assert found.ndim == 2
        assert np.isfinite(found).all()


def test_answers_have_no_nan() -> None:
    array = np.array([1.0, np.nan, np.inf])
    assert to_json(array, "list") == [1.0, None, None]
    assert to_json(np.array([[1, 2j]]), "list") == {"re": [[1.0, 0.0]], "im": [[0.0, 2.0]]}
    assert to_json(np.array(3.0), "npy") == 3.0
