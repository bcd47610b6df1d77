"""What a process decides before it loads a numerical library: threads, the compilation cache.

Only the command line and the service's workers do this; importing aqc changes no setting.
"""

import hashlib
import json
import os
import platform
from pathlib import Path

DEFAULT_THREADS = 2  # as in `Problem`, which cannot be asked before NumPy is loaded

# OpenMP (XLA and Aer read it too), OpenBLAS, MKL, Accelerate, XLA's own, Numba, Rust.
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "PJRT_NPROC",
    "NUMBA_NUM_THREADS",
    "RAYON_NUM_THREADS",
)


def requested_threads(text: bytes) -> int | None:
    """Return `limits.threads` of a problem without checking anything else.

    The problem's own reader needs NumPy, which reads its number of threads when it is loaded.
    Whatever is not right here is refused by that reader afterwards.

    Args:
        text: problem.json.

    Returns:
        The number of threads, None when it is not given or not a sensible number.

    Example:
        >>> requested_threads(b'{"limits": {"threads": 2}}'), requested_threads(b"{")
        (2, None)
    """
    try:
        threads = json.loads(text)["limits"]["threads"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None
    return threads if type(threads) is int and 1 <= threads <= 4096 else None


def limit_threads(count: int | None) -> None:
    """Make the libraries that are loaded from now on use at most so many threads each.

    Args:
        count: Number of threads; None leaves it to OMP_NUM_THREADS or, without that, to the
            default.
    """
    if count is None and "OMP_NUM_THREADS" in os.environ:
        return
    threads = count or DEFAULT_THREADS
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = str(threads)
    # The exact contraction runs the two halves of a chain side by side where there are two devices.
    os.environ["JAX_NUM_CPU_DEVICES"] = str(min(threads, 2))


def use_compilation_cache() -> None:
    """Let JAX keep what it compiles in the user's cache directory for the next process.

    A directory named by JAX_COMPILATION_CACHE_DIR is left as it is. Machine code depends on the
    processor, so processors with other features get other directories. Without a directory that
    can be written JAX compiles as usual.
    """
    # By default JAX keeps only what took it longer than a second to compile.
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    directory = Path(home) / "aqc" / f"jax-{_processor_key()}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    if os.access(directory, os.W_OK):
        os.environ["JAX_COMPILATION_CACHE_DIR"] = str(directory)


def _processor_key() -> str:
    features = {platform.machine(), platform.processor()}
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features", "model name"):
            features.update(value.split())
    return hashlib.sha256(" ".join(sorted(features)).encode()).hexdigest()[:12]
