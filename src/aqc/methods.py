"""The methods that choose directions in local coordinates, and their names.

The shelf's optimizers are made for matrices: they see the local coordinates as one row for each
block. Their steps have a fixed size, so the rate falls to zero along the evaluations. None of them
came near Riemannian L-BFGS where it was tried (8 qubits, 18 blocks, 300 evaluations: 1.6e-5 against
6e-5), so none is the default.
"""

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import jax
import numpy as np

from aqc.lbfgs import LBFGS

if TYPE_CHECKING:
    import optax

# Optax takes 0.3 s to import: functions that need it import it.

_METRIC_EVERY, _REGULARIZATION = 20, 1e-3
# Name to the module of the shelf whose function of that name is the transformation.
_ON_THE_SHELF = {
    "root": "root_optimizer",
    "normuon": "normuon_optimizer",
    "auon": "auon_optimizer",
}
# Radians at the start; ten times more stalled for all of them.
_RATE = 0.003

Metric = Callable[[np.ndarray], np.ndarray]


class Method(Protocol):
    """Chooses directions in local coordinates; its state is a dictionary of arrays."""

    line_search: bool

    def direction(self, gradient: np.ndarray, point: np.ndarray, steps: int) -> np.ndarray:
        """Return where to go from a point that was reached by so many steps."""

    def update(self, step: np.ndarray, change: np.ndarray) -> None:
        """Take in the step made and the change of the gradient along it."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the state, for a checkpoint."""

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take the state from a checkpoint."""


class RiemannianLBFGS(LBFGS):
    """L-BFGS in the left-trivialized frame, with a Wolfe line search.

    Args:
        metric: Maps a point to matrices (blocks, p, p), whose regularized inverse is the initial
            inverse Hessian; taken anew every twenty steps.
    """

    line_search = True

    def __init__(self, metric: Metric | None = None):
        super().__init__()
        self._metric = metric

    def direction(self, gradient: np.ndarray, point: np.ndarray, steps: int) -> np.ndarray:
        """Return -H grad."""
        if self._metric is not None and steps % _METRIC_EVERY == 0:
            metric = self._metric(point)
            self.inverse = np.linalg.inv(metric + _REGULARIZATION * np.eye(metric.shape[-1]))
        return self.along(gradient)


class OptaxMethod:
    """Any optax GradientTransformation; its parameters are the summed local coordinates.

    Args:
        transformation: For example `optax.adam(0.01)`.
        line_search: Whether its update is a direction to search along, not a finished step.
    """

    def __init__(self, transformation: Any, line_search: bool = False):
        self.transformation = transformation
        self.line_search = line_search
        self._position: np.ndarray | None = None
        self._state: Any = None
        self._update = jax.jit(transformation.update)

    def direction(self, gradient: np.ndarray, point: np.ndarray, steps: int) -> np.ndarray:
        """Return the transformation's update."""
        self._start(gradient.size)
        update, self._state = self._update(gradient, self._state, self._position)
        return np.asarray(update, dtype=float)

    def update(self, step: np.ndarray, change: np.ndarray) -> None:
        """Move the parameters; the transformation keeps what it needs itself."""
        assert self._position is not None
        self._position = self._position + step

    def arrays(self) -> dict[str, np.ndarray]:
        """Return parameters and state, leaf by leaf."""
        leaves = [self._position, *jax.tree.leaves(self._state)] if self._state is not None else []
        return {f"leaf_{k}": np.asarray(leaf) for k, leaf in enumerate(leaves)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take parameters and state from arrays."""
        if not arrays:
            return
        self._start(arrays["leaf_0"].size)
        self._position = arrays["leaf_0"]
        leaves = [arrays[f"leaf_{k}"] for k in range(1, len(arrays))]
        self._state = jax.tree.unflatten(jax.tree.structure(self._state), leaves)

    def _start(self, size: int) -> None:
        if self._position is None:
            self._position = np.zeros(size)
            self._state = self.transformation.init(self._position)


def _optax_lbfgs(metric: Metric | None = None) -> Method:
    import optax  # 0.3 s to import: only where it is chosen

    return OptaxMethod(optax.lbfgs(memory_size=20, linesearch=None), line_search=True)


def _optax_adam(metric: Metric | None = None) -> Method:
    import optax

    return OptaxMethod(optax.adam(0.01))


METHODS: dict[str, Callable[[Metric | None], Method]] = {
    "riemannian_lbfgs": RiemannianLBFGS,
    "optax_lbfgs": _optax_lbfgs,
    "optax_adam": _optax_adam,
}


def method_named(name: str, evaluations: int, columns: int) -> str | Method:
    """Return what `aqc.fit.fit` takes as `optimizer` for a problem's `optimizer.name`.

    Args:
        name: A key of `METHODS`, or root, normuon or auon.
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
    import optax

    build = getattr(importlib.import_module(f"aqc.kernels.{_ON_THE_SHELF[name]}"), name)
    rate = optax.cosine_decay_schedule(_RATE, max(evaluations, 1))
    return OptaxMethod(_by_rows(build(rate), columns))


def _by_rows(transformation: Any, columns: int) -> "optax.GradientTransformation":
    """Return a transformation of vectors that shows another one matrices of so many columns."""

    import optax

    def rows(vector: Any) -> Any:
        return None if vector is None else vector.reshape(-1, columns)

    def update(gradient: Any, state: Any, parameters: Any = None) -> tuple[Any, Any]:
        step, state = transformation.update(rows(gradient), state, rows(parameters))
        return step.reshape(gradient.shape), state

    return optax.GradientTransformation(lambda vector: transformation.init(rows(vector)), update)
