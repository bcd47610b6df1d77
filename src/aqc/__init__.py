"""Compile quantum dynamics: a Hamiltonian and a time in, a short circuit and its certificate out.

Public names load on first use (PEP 562), so `import aqc` is quick and changes no setting of JAX.

Example:
    >>> import aqc
    >>> issubclass(aqc.InputError, aqc.AqcError)
    True
"""

import importlib
import sys
import types
from typing import TYPE_CHECKING

__all__ = [
    "Ansatz",
    "AqcError",
    "Certificate",
    "CompileResult",
    "DivergenceError",
    "Hamiltonian",
    "InputError",
    "Problem",
    "Progress",
    "Target",
    "TimeEvolvedState",
    "TruncationError",
    "UnsupportedGateError",
    "__version__",
    "certify",
    "certify_unitary",
    "compile_circuit",
    "compile_evolution",
    "compile_problem",
    "compile_state",
    "compile_times",
    "estimate",
    "extend",
    "live",
    "make_target",
]

_HOME = {
    "Ansatz": "aqc.ansatz",
    "AqcError": "aqc.errors",
    "Certificate": "aqc.certify",
    "CompileResult": "aqc.result",
    "DivergenceError": "aqc.errors",
    "Hamiltonian": "aqc.hamiltonian",
    "InputError": "aqc.errors",
    "Problem": "aqc.problem",
    "Progress": "aqc.progress",
    "Target": "aqc.target",
    "TimeEvolvedState": "aqc.qiskit_plugin.evolved_state",
    "TruncationError": "aqc.errors",
    "UnsupportedGateError": "aqc.errors",
    "certify": "aqc.certify",
    "certify_unitary": "aqc.certify_unitary",
    "compile_circuit": "aqc.compile",
    "compile_evolution": "aqc.compile",
    "compile_problem": "aqc.compile",
    "compile_state": "aqc.compile",
    "compile_times": "aqc.series",
    "estimate": "aqc.estimate",
    "extend": "aqc.extend",
    "live": "aqc.live",
    "make_target": "aqc.targets",
}

if TYPE_CHECKING:
    __version__: str
    from aqc.ansatz import Ansatz
    from aqc.certify import Certificate, certify
    from aqc.certify_unitary import certify_unitary
    from aqc.compile import (
        compile_circuit,
        compile_evolution,
        compile_problem,
        compile_state,
    )
    from aqc.errors import (
        AqcError,
        DivergenceError,
        InputError,
        TruncationError,
        UnsupportedGateError,
    )
    from aqc.estimate import estimate
    from aqc.extend import extend
    from aqc.hamiltonian import Hamiltonian
    from aqc.live import live
    from aqc.problem import Problem
    from aqc.progress import Progress
    from aqc.qiskit_plugin.evolved_state import TimeEvolvedState
    from aqc.result import CompileResult
    from aqc.series import compile_times
    from aqc.target import Target
    from aqc.targets import make_target
else:

    def __getattr__(name: str) -> object:
        if name == "__version__":
            value = importlib.import_module("importlib.metadata").version("aqc")
        elif name in _HOME:
            value = getattr(importlib.import_module(_HOME[name]), name)
        else:
            raise AttributeError(f"module 'aqc' has no attribute {name!r}")
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


class _Package(types.ModuleType):
    """Keeps `aqc.certify` the function, although a module has the same name.

    Importing a submodule binds it on its package, which would hide the function from then on.
    The module itself stays importable: `from aqc.certify import Certificate`.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOME and isinstance(value, types.ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
