"""Optimizers by name, those of the shelf among them.

The shelf's optimizers are made for matrices: they see the local coordinates as one row for each
block. Their steps have a fixed size, so the rate falls to zero along the evaluations. None of them
came near Riemannian L-BFGS where it was tried (8 qubits, 18 blocks, 300 evaluations: 1.6e-5 against
6e-5), so none is the default.
"""

import importlib
from typing import Any

import optax

from aqc.optimize import METHODS, Method, OptaxMethod

# Name to the module of the shelf whose function of that name is the transformation.
_ON_THE_SHELF = {
    "root": "root_optimizer",
    "normuon": "normuon_optimizer",
    "auon": "auon_optimizer",
}
# Radians in each row's norm or so at the start; ten times more stalled for all of them.
_RATE = 0.003


def method_named(name: str, evaluations: int, columns: int) -> str | Method:
    """Return what `aqc.fit.fit` takes as `optimizer` for a problem's `optimizer.name`.

    Args:
        name: A key of `aqc.optimize.METHODS`, or root, normuon or auon.
        evaluations: Most evaluations, over which the shelf's optimizers lower their rate.
        columns: Local coordinates of a block.

    Example:
        >>> method_named("optax_adam", 100, 15)
        'optax_adam'
        >>> type(method_named("root", 100, 15)).__name__
        'OptaxMethod'
    """
    if name in METHODS:
        return name
    build = getattr(importlib.import_module(f"aqc.kernels.{_ON_THE_SHELF[name]}"), name)
    rate = optax.cosine_decay_schedule(_RATE, max(evaluations, 1))
    return OptaxMethod(_by_rows(build(rate), columns))


def _by_rows(transformation: Any, columns: int) -> optax.GradientTransformation:
    """Return a transformation of vectors that shows another one matrices of so many columns."""

    def rows(vector: Any) -> Any:
        return None if vector is None else vector.reshape(-1, columns)

    def update(gradient: Any, state: Any, parameters: Any = None) -> tuple[Any, Any]:
        step, state = transformation.update(rows(gradient), state, rows(parameters))
        return step.reshape(gradient.shape), state

    return optax.GradientTransformation(lambda vector: transformation.init(rows(vector)), update)
