"""Processes that end with the one that started them."""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Collection

SUPERVISOR = "AQC_SUPERVISOR_PID"
GATE = "AQC_SUPERVISOR_GATE"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_SWEEPS = 100  # what forks faster than it is killed is left to the next call


def die_with_parent(parent: int, number: int = signal.SIGKILL) -> None:
    """Ask the kernel to send this process a signal when its parent's creating thread ends.

    Elsewhere than on Linux nothing is asked; there the end of a pipe has to tell.

    Args:
        parent: The parent's process id; if it is gone already, this process ends now.
        number: The signal.
    """
    _prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        raise SystemExit(1)


def adopt_orphans() -> None:
    """Become the parent of what this process's children leave behind, so that it can be ended."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def follow_supervisor() -> None:
    """End by SIGTERM when the supervisor that started this process ends, if there is one."""
    parent = os.environ.get(SUPERVISOR)
    if parent is not None:
        die_with_parent(int(parent), signal.SIGTERM)


def wait_at_gate() -> None:
    """Wait until the supervisor that started this process lets it go on, if there is one."""
    gate = os.environ.get(GATE)
    if gate is not None:
        os.read(int(gate), 1)  # of a pipe that nobody writes to: its end is the sign


def end_strays(known: Collection[int]) -> None:
    """Kill all children of this process but these; those of children that ended are among them.

    Args:
        known: Process ids to leave alone.
    """
    import psutil

    for _ in range(_SWEEPS):
        strays = [one for one in psutil.Process().children() if one.pid not in known]
        if not strays:
            return
        for stray in strays:
            with contextlib.suppress(psutil.NoSuchProcess):
                stray.kill()
            with contextlib.suppress(ChildProcessError):
                os.waitpid(stray.pid, 0)


def limit_memory(extra: int) -> None:
    """Refuse allocations beyond a limit, so that an error tells of them and not a killed host.

    Args:
        extra: Bytes beyond what this process has now.
    """
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[5])  # data and stack
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (pages * resource.getpagesize() + extra, most))


def kill_group(pid: int) -> None:
    """Kill a process that leads a group, and the whole group, if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
