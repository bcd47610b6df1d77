"""Which versions of Python and of the libraries are installed, without importing them."""

import platform
from importlib.metadata import PackageNotFoundError, version

_NAMES = ("aqc", "python", "jax", "jaxlib", "qiskit", "qiskit-aer", "quimb", "numpy")


def versions() -> dict[str, str]:
    """Return the versions that a result depends on.

    Returns:
        Name to version, "not installed" when there is none.

    Example:
        >>> list(versions())
        ['aqc', 'python', 'jax', 'jaxlib', 'qiskit', 'qiskit-aer', 'quimb', 'numpy']
    """
    return {name: _version(name) for name in _NAMES}


def _version(name: str) -> str:
    if name == "python":
        return platform.python_version()
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
