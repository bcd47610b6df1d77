import numpy as np
import pytest

from aqc.checkpoint import Checkpoints, load_arrays, save_arrays
from aqc.errors import InputError


def test_arrays_round_trip(tmp_path):
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b": np.array("text"), "c": np.empty((0, 2))}
    save_arrays(tmp_path / "x.npz", arrays)
    loaded = load_arrays(tmp_path / "x.npz")
    assert loaded.keys() == arrays.keys()
    assert all(np.array_equal(loaded[name], arrays[name]) for name in arrays)
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "x.npz"
    save_arrays(path, {"a": np.ones(2)})
    with pytest.raises(ValueError, match="Object arrays"):
        save_arrays(path, {"a": np.array([object()])})
    assert np.array_equal(load_arrays(path)["a"], np.ones(2))
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.npz"]


@pytest.mark.parametrize("content", [b"", b"not a zip file", b"PK\x03\x04 cut off"])
def test_damaged_files_are_refused(tmp_path, content):
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="must be an .npz file written by aqc"):
        load_arrays(path)


def test_what_belongs_to_another_problem_is_not_used(tmp_path):
    ours = Checkpoints(tmp_path / "new", "problem 1")
    assert ours.load("state") is None
    ours.save("state", {"a": np.ones(1)})
    assert np.array_equal(ours.load("state")["a"], np.ones(1))
    assert Checkpoints(tmp_path / "new", "problem 2").load("state") is None


def test_state_is_not_written_too_often(tmp_path):
    calls = []

    def arrays():
        calls.append(1)
        return {"a": np.ones(1)}

    kept = Checkpoints(tmp_path, "p", interval=100.0)
    kept.save_in_time("state", arrays)
    kept.save_in_time("state", arrays)
    assert len(calls) == 1
