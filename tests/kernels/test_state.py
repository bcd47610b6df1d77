"""States of runs as arrays: what can be kept comes back as it was."""

from collections import namedtuple
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aqc.checkpoint import load_arrays, save_arrays
from aqc.errors import InputError
from aqc.kernels._state import pack, unpack

LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)
)
STATES = st.recursive(
    LEAVES | st.complex_numbers(allow_nan=False),
    lambda x: (
        st.lists(x, max_size=3)
        | st.tuples(x, x)
        | st.dictionaries(st.text(max_size=4), x, max_size=3)
    ),
    max_leaves=10,
)


@given(STATES)
def test_what_is_packed_comes_back(state: Any) -> None:
    assert unpack(pack(state)) == state


def test_generators_and_arrays_survive_a_file(tmp_path) -> None:
    rng = np.random.default_rng(3)
    rng.normal(size=5)
    state = {"rng": rng.bit_generator.state, "x": (np.ones((2, 3), np.float32), np.array(1j))}
    save_arrays(tmp_path / "state.npz", pack(state))
    found = unpack(load_arrays(tmp_path / "state.npz"))
    again = np.random.default_rng()
    again.bit_generator.state = found["rng"]
    assert again.normal() == rng.normal()
    assert found["x"][0].dtype == np.float32
    np.testing.assert_array_equal(found["x"][0], state["x"][0])
    assert found["x"][1] == 1j


@pytest.mark.parametrize(
    "state", [{1: 2}, object(), {"x": {1, 2}}, namedtuple("T", "a")(1), np.array([{}], object)]
)
def test_what_would_be_lost_is_not_packed(state: Any) -> None:
    with pytest.raises(TypeError, match="A state cannot hold a "):
        pack(state)


@pytest.mark.parametrize("text", ["", "{", '{"array": "7"}', '{"a": 1, "b": 2}'])
def test_what_was_never_packed_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="must be one that a run yielded"):
        unpack({"structure": np.array(text)})
