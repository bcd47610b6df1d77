"""A child process by itself: its exit codes, its orders, and that it ends with its parent."""

import contextlib
import os
import resource
import signal
import subprocess
import sys

import psutil
import pytest
from harness import wait_for

from aqc_service.nursery import Child
from aqc_service.protocol import Exit, Task


@pytest.fixture
def begin(task, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    children = []

    def begin(kind):
        child = Child(1, ["service_kinds"])
        children.append(child)
        child.start(task(kind))
        return child

    yield begin
    for child in children:
        child.kill()
        child.wait()


@pytest.fixture
def task(tmp_path):
    def task(kind, name="j"):
        directory = tmp_path / name
        directory.mkdir(exist_ok=True)
        return Task(name, 1, f"service_kinds:{kind}", "{}", str(directory), (), 10**9, 0.1)

    return task


def until(child, kind):
    """Return what the child says up to a kind of message."""
    heard = []
    while not heard or heard[-1]["kind"] != kind:
        heard.append(child.receive(60))
    return heard


def until_end(child):
    """Return what the child says until it ends, and its exit code."""
    heard = []
    while (message := child.receive(60)) is not None:
        heard.append(message)
    return heard, wait_for(lambda: child.exit_code() is not None) and child.exit_code()


def first_progress(child):
    until(child, "progress")


def test_a_child_that_is_done_says_so_and_is_ready_for_more(begin, task):
    child = begin("noop")
    for name in ("j", "k"):
        heard = [message["kind"] for message in until(child, "done")]
        assert heard == ["ready", "started", "done"]
        child.start(task("noop", name))
    assert child.exit_code() is None


def test_what_a_task_changed_does_not_reach_the_next(begin, task):
    child = begin("noop")
    until(child, "done")
    until(child, "ready")
    process = psutil.Process(child.pid)
    assert process.cwd() == "/"
    most = resource.RLIM_INFINITY
    assert process.rlimit(psutil.RLIMIT_DATA) == (most, most)
    child.order("cancel")  # late, for the task that is done
    child.start(task("count", "k"))
    until(child, "done")


def test_a_child_is_used_again_only_when_it_is_as_new(begin, monkeypatch):
    child = begin("noop")
    until(child, "done")
    assert child.is_as_new()
    greedy = begin("keep_much")
    until(greedy, "done")
    assert not greedy.is_as_new()
    failed = begin("fail")
    until_end(failed)
    monkeypatch.setattr(failed, "receive", None)  # of one that is gone nothing is expected
    assert not failed.is_as_new()


@pytest.mark.parametrize("how", ["sigterm", "order"])
def test_a_child_told_to_leave_keeps_its_work(begin, tmp_path, how):
    child = begin("count")
    first_progress(child)
    if how == "sigterm":
        child.terminate()
    else:
        child.order("cancel")
    heard, code = until_end(child)
    assert (heard[-1]["kind"], code) == ("stopped", Exit.CHECKPOINTED)
    assert (tmp_path / "j/checkpoint/state.npz").is_file()


@pytest.mark.parametrize(
    ("kind", "code", "reason"),
    [
        ("refuse", Exit.BAD_INPUT, "invalid_input"),
        ("diverge", Exit.BAD_INPUT, "numerical"),
        ("fail", Exit.INTERNAL, "internal"),
        ("allocate", Exit.MEMORY, "memory_limit"),
    ],
)
def test_a_child_that_fails_tells_why(begin, kind, code, reason):
    heard, found = until_end(begin(kind))
    assert (heard[-1]["kind"], heard[-1]["reason"], found) == ("failed", reason, code)


def test_a_child_ends_when_its_pipe_does(begin):
    child = begin("loop")
    first_progress(child)
    child._process.stdin.close()
    wait_for(lambda: child.exit_code() is not None, 5.0)


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux ends children by a signal.")
def test_a_child_ends_with_its_parent(tmp_path):
    code = (
        "import time; from aqc_service.nursery import Nursery; "
        "n = Nursery(1, 1, ['service_kinds']); c = n.take(1); c.receive(60); "
        "print(c.pid, flush=True); time.sleep(600)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        pid = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)
    wait_for(lambda: not is_running(pid), 5.0)


def is_running(pid):
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def test_a_crash_dumps_no_core(begin):
    child = begin("loop")
    first_progress(child)
    assert psutil.Process(child.pid).rlimit(psutil.RLIMIT_CORE) == (0, 0)
    os.kill(child.pid, signal.SIGSEGV)
    assert until_end(child)[1] == -signal.SIGSEGV
