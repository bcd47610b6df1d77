"""Named arrays in a file that is either whole or not there."""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from aqc.errors import InputError


def save_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays to an .npz file: to a temporary name first, synced, then renamed.

    Args:
        path: Where to; replaced if it exists.
        arrays: Arrays of numbers or text by name.
    """
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        try:
            np.savez(file, allow_pickle=False, **arrays)
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read what `save_arrays` wrote.

    Raises:
        InputError: If the file is not an .npz file of plain arrays.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise InputError(f"`{path}` must be an .npz file written by aqc: {error}.") from error


class Checkpoints:
    """What one compile keeps in a directory, so that it can go on after it was stopped.

    The target is kept once, the optimizer's state again and again, and the state before it as
    `state.1.npz`. What belongs to another problem is not used.

    Args:
        directory: Created if it does not exist.
        problem: The problem as text.
        interval: Seconds between two writes of the optimizer's state.
    """

    def __init__(self, directory: Path, problem: str, interval: float = 10.0):
        self._directory = directory
        # A problem may bring megabytes along, and NumPy keeps four bytes a character.
        self._problem = np.array(hashlib.sha256(problem.encode()).hexdigest())
        self._interval = interval
        self._written = -np.inf
        directory.mkdir(parents=True, exist_ok=True)

    def load(self, name: str) -> dict[str, np.ndarray] | None:
        """Return the arrays kept under a name, or None if there are none for this problem."""
        path = self._directory / f"{name}.npz"
        if not path.exists():
            return None
        arrays = load_arrays(path)
        return arrays if arrays.pop("problem", None) == self._problem else None

    def save(self, name: str, arrays: dict[str, np.ndarray]) -> None:
        """Keep arrays under a name, and what was kept before them beside them."""
        path, before = (self._directory / f"{name}{suffix}.npz" for suffix in ("", ".1"))
        if path.exists():
            before.unlink(missing_ok=True)
            before.hardlink_to(path)
        save_arrays(path, {"problem": self._problem, **arrays})

    def begin(self, arrays: dict[str, np.ndarray]) -> None:
        """Hear where an optimization starts; it can be made again, so nothing is kept here."""

    def save_in_time(self, name: str, arrays: Callable[[], dict[str, np.ndarray]]) -> None:
        """Keep arrays under a name, unless the last time is not long ago."""
        now = time.monotonic()
        if now - self._written >= self._interval:
            self.save(name, arrays())
            self._written = now
