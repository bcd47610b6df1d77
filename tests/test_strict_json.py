"""JSON text: what is refused, and where it says the fault is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aqc.errors import InputError
from aqc.strict_json import parse_json


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "not JSON: expecting value at line 1, column 1"),
        ("{'a': 1}", "enclosed in double quotes at line 1, column 2"),
        ('{"a": 1,\n "b": 2,\n}', "not JSON: .* at line 2, column 8|line 3, column 1"),
        ('{"a": 1}\n{"b"', "not JSON: extra data at line 2, column 1"),
        ('{"a": "b\n"}', "not JSON: invalid control character at line 1, column 9"),
        ('{"a": "b', "not JSON: unterminated string at line 1, column 7"),
        ('{"a": 01}', "not JSON: .* at line 1, column 8"),
        ('{"a": NaN}', "must be finite, but NaN stands at line 1, column 7"),
        ('{"a": "\\"NaN",\n "b":\n[1, -Infinity]}', "but -Infinity stands at line 3, column 5"),
        ('["Infinity", Infinity]', "but Infinity stands at line 1, column 14"),
        ('{"a": {"b": 1, "b": 1}}', 'must be given once, but "b" is given twice'),
        (b'{"a": "\xff"}', "must be UTF-8, but byte 7 is not"),
    ],
)
def test_what_is_not_json_is_refused(text, sentence):
    with pytest.raises(InputError, match=sentence):
        parse_json(text)


def test_what_python_cannot_hold_is_refused():
    with pytest.raises(InputError, match="nested too deeply"):
        parse_json("[" * 200_000)
    with pytest.raises(InputError, match="an integer of thousands of digits"):
        parse_json("1" * 5000)


@pytest.mark.parametrize("text", ['\ufeff{"a": "é"}', '\ufeff{"a": "é"}'.encode(), '{"a": "é"}'])
def test_a_byte_order_mark_is_no_fault(text):
    assert parse_json(text) == {"a": "é"}


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | finite | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json_is_read_as_it_was_written(value):
    assert parse_json(json.dumps(value)) == value


@given(st.text('{}[]":,\\ \n01.eE-+tfNaInity"abu', max_size=30))
def test_text_is_refused_where_pythons_reader_refuses(text):
    try:
        json.loads(text)
    except json.JSONDecodeError:
        with pytest.raises(InputError, match=r"not JSON|must be finite|must be given once"):
            parse_json(text)
