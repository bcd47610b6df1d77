"""Checks of single values: what a refusal shows is short, printable and as JSON writes it."""

import fractions

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aqc.checks import integer, nearest, pointer_to, real_number, shown
from aqc.errors import InputError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (np.True_, "true"),
        (np.float64(0.5), "0.5"),
        ("é\n", '"é\\n"'),
        ("a\ud800", '"a\\ud800"'),
        ("x" * 100, '"' + "x" * 57 + '..."'),
        (-7, "-7"),
        ({"a": [1]}, "{'a': [1]}"),
    ],
)
def test_a_value_is_shown(value, text):
    assert shown(value) == text


def test_a_huge_integer_is_shown_by_its_size():
    assert shown(10**5000) == "an integer of 16610 bits"


nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(nested)
def test_what_is_shown_is_short_and_can_be_written(value):
    text = shown(value)
    text.encode()
    assert len(text) < 4000


@pytest.mark.parametrize(
    "value", [2, 2.0, 2 + 0j, np.float32(2), np.int8(2), fractions.Fraction(2)]
)
def test_real_numbers_become_floats(value):
    assert real_number(value, "It", "/it") == 2.0
    assert type(real_number(value, "It", "/it")) is float


@pytest.mark.parametrize("value", [2, np.int64(2), np.uint8(2)])
def test_integers_become_ints(value):
    assert type(integer(value, "It", "/it", least=0, most=2)) is int


def test_a_refusal_points_to_the_value():
    with pytest.raises(InputError, match=r"^It must be at most 1, but is 2\.$") as refusal:
        integer(2, "It", "/it", least=0, most=1)
    assert refusal.value.pointer == "/it"
    assert refusal.value.errors == (("/it", "It must be at most 1, but is 2."),)


def test_a_pointer_escapes_and_can_be_written():
    assert pointer_to("a/b", "c~d", 3, "\ud800") == "/a~1b/c~0d/3/\\ud800"


def test_the_nearest_name_is_close_or_begins_alike():
    known = ["xxz_chain", "tolerance"]
    assert nearest("tolerence", known) == "; did you mean `tolerance`?"
    assert nearest("xxz", known) == "; did you mean `xxz_chain`?"
    assert nearest("", known) == nearest("field", known) == "."
