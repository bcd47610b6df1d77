import os
from unittest import mock

import pytest

from aqc import runtime


@pytest.fixture(autouse=True)
def environment(tmp_path):
    with mock.patch.dict(os.environ, XDG_CACHE_HOME=str(tmp_path / "cache")):
        os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)
        yield


def test_threads_given_by_the_problem_the_environment_or_the_default():
    from aqc.settings import LimitSettings

    assert LimitSettings().threads == runtime.DEFAULT_THREADS
    for given, before, after in (
        (5, None, "5"),
        (5, "7", "5"),
        (None, "7", "7"),
        (None, None, "2"),
    ):
        with mock.patch.dict(os.environ):
            os.environ.pop("OMP_NUM_THREADS", None)
            if before:
                os.environ["OMP_NUM_THREADS"] = before
            runtime.limit_threads(given)
            assert os.environ["OMP_NUM_THREADS"] == after


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"\xff", b'{"limits": {"threads": true}}', b"[" * 10**5]
)
def test_no_text_keeps_the_problem_from_being_read(text):
    assert runtime.requested_threads(text) is None


def test_compilation_cache_is_the_users_and_a_given_one_is_kept(tmp_path):
    runtime.use_compilation_cache()
    directory = os.environ["JAX_COMPILATION_CACHE_DIR"]
    assert directory.startswith(str(tmp_path / "cache" / "aqc" / "jax-"))
    assert os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] == "0"
    os.environ["JAX_COMPILATION_CACHE_DIR"] = "elsewhere"
    runtime.use_compilation_cache()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == "elsewhere"


def test_unusable_cache_directory_is_no_obstacle(tmp_path):
    (tmp_path / "cache").write_text("a file")
    runtime.use_compilation_cache()
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ
