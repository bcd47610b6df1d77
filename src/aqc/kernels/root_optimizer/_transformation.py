"""ROOT as an optax transformation."""

import warnings
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax

from aqc.errors import InputError
from aqc.kernels._muon import (
    MUON_COEFFICIENTS,
    chain_for_matrices,
    map_leaves,
    newton_schulz,
    require_matrices,
    require_within,
)
from aqc.kernels.root_optimizer._coefficients import (
    PUBLISHED,
    Origin,
    Triple,
    fitted_coefficients,
)

Coefficients = Literal["adaptive", "published", "muon"]
Table = Mapping[tuple[int, int], Triple]


class RootState(NamedTuple):
    """State of `scale_by_root`, trees of one leaf for each matrix.

    Attributes:
        momentum: M, the sum of the gradients with weights mu^age.
        threshold: eps of the last step.
        clipped_fraction: Share of entries that it clipped.
    """

    momentum: Any
    threshold: Any
    clipped_fraction: Any


def root(
    learning_rate: optax.ScalarOrSchedule,
    *,
    momentum: float = 0.95,
    nesterov: bool = True,
    quantile: float = 0.9,
    threshold: float | None = None,
    ns_steps: int = 5,
    coefficients: Coefficients | Table = "adaptive",
    weight_decay: float = 0.0,
    rms_scale: float = 0.2,
) -> optax.GradientTransformation:
    """Return the optimizer ROOT for matrices, AdamW for leaves of other shapes.

    M <- mu M + G;  B = clip(G + mu M, -eps, eps);  p <- p (1 - lr wd) - lr 0.2 sqrt(max(m, n)) X,
    X the Newton-Schulz iteration of B with coefficients that fit its shape.

    Args:
        learning_rate: lr, a number or a schedule.
        momentum: mu.
        nesterov: Clip G + mu M, else M.
        quantile: q in (0, 1]; eps is this quantile of the entries' absolute values. 1 clips
            nothing.
        threshold: eps itself, in place of the quantile.
        ns_steps: Newton-Schulz iterations, 1 to 10.
        coefficients: "adaptive" fits (a, b, c) to each shape; "published" takes the paper's for
            its four shapes; "muon" Muon's for all; or a table by (shorter, longer) side.
            A shape that is missing gets Muon's, with a warning.
        weight_decay: wd.
        rms_scale: Root mean square of an update's entries over lr, where X is orthogonal.

    Returns:
        An optax transformation.

    Raises:
        InputError: A setting is outside of its interval.

    Source:
        arXiv:2511.20626, Sec. 4. The table "published" is its authors'; the loss by which other
        shapes are fitted is this package's choice, see `fit_coefficients`.

    Example:
        >>> import jax.numpy as jnp
        >>> optimizer = root(0.01)
        >>> weights = {"dense": jnp.eye(8), "bias": jnp.zeros(8)}
        >>> state = optimizer.init(weights)
        >>> updates, state = optimizer.update(weights, state, weights)
        >>> updates["dense"].shape
        (8, 8)
    """
    direction = scale_by_root(
        momentum, nesterov, quantile, threshold, ns_steps, coefficients, rms_scale
    )
    return chain_for_matrices(direction, learning_rate, weight_decay)


def scale_by_root(
    momentum: float = 0.95,
    nesterov: bool = True,
    quantile: float = 0.9,
    threshold: float | None = None,
    ns_steps: int = 5,
    coefficients: Coefficients | Table = "adaptive",
    rms_scale: float = 0.2,
) -> optax.GradientTransformation:
    """Return the transformation from gradients of matrices to ROOT's directions.

    Args:
        momentum: As in `root`, like all others.
        nesterov: See there.
        quantile: See there.
        threshold: See there.
        ns_steps: See there.
        coefficients: See there.
        rms_scale: See there.

    Returns:
        An optax transformation whose state is a `RootState`.

    Raises:
        InputError: A setting is outside of its interval, or, on init, a leaf is no matrix.

    Source:
        arXiv:2511.20626, Sec. 4.

    Example:
        >>> import jax.numpy as jnp
        >>> transformation = scale_by_root(quantile=1.0)
        >>> state = transformation.init(jnp.zeros((4, 4)))
        >>> direction, state = transformation.update(2 * jnp.eye(4), state)
        >>> bool(jnp.allclose(direction, direction[0, 0] * jnp.eye(4), atol=1e-6))
        True
    """
    require_within(momentum, "momentum", 0, 1, "[)")
    require_within(quantile, "quantile", 0, 1, "(]")
    require_within(ns_steps, "ns_steps", 1, 10)
    if threshold is not None and not threshold > 0:
        raise InputError(f"`threshold` must be positive, but is {threshold}.", "/threshold")

    def init(params: Any) -> RootState:
        require_matrices(params, "scale_by_root")
        for leaf in jax.tree.leaves(params):
            _warn_if_missing(leaf.shape, coefficients)
        numbers = jax.tree.map(lambda p: jnp.zeros((), p.dtype), params)
        return RootState(optax.tree.zeros_like(params), numbers, numbers)

    def update(updates: Any, state: RootState, params: Any = None) -> tuple[Any, RootState]:
        direction, *rest = map_leaves(step, 4, updates, state.momentum)
        return direction, RootState(*rest)

    def step(gradient: jax.Array, memory: jax.Array) -> tuple[jax.Array, ...]:
        memory = momentum * memory + gradient
        along = gradient + momentum * memory if nesterov else memory
        eps = find_threshold(along, quantile) if threshold is None else jnp.asarray(threshold)
        clipped = jnp.clip(along, -eps, eps)
        triple, _ = find_coefficients(gradient.shape, coefficients)
        orthogonal = newton_schulz(clipped, triple, ns_steps)
        scale = rms_scale * max(gradient.shape) ** 0.5
        eps = eps.astype(memory.dtype)
        return scale * orthogonal, memory, eps, (jnp.abs(along) > eps).mean(dtype=memory.dtype)

    return optax.GradientTransformation(init, update)


def find_threshold(along: jax.Array, quantile: float) -> jax.Array:
    """Return eps: the quantile of the absolute entries, a little above zero."""
    return jnp.quantile(jnp.abs(along), quantile) + 1e-9


def find_coefficients(
    shape: tuple[int, ...], coefficients: Coefficients | Table
) -> tuple[Triple, Origin]:
    """Return (a, b, c) for a shape, and where they come from ("muon" also when none are known).

    Args:
        shape: Of the matrix.
        coefficients: As in `root`.
    """
    short, long = sorted(shape)
    if coefficients == "adaptive":
        return fitted_coefficients(short, long), "fitted"
    table: Table = {}
    origin: Origin = "given"
    if coefficients == "published":
        table, origin = PUBLISHED, "published"
    elif isinstance(coefficients, Mapping):
        table = coefficients
    known = table.get((short, long))
    return (MUON_COEFFICIENTS, "muon") if known is None else (known, origin)


def _warn_if_missing(shape: tuple[int, ...], coefficients: Coefficients | Table) -> None:
    if coefficients != "muon" and find_coefficients(shape, coefficients)[1] == "muon":
        warnings.warn(
            f"There are no coefficients for the shape {shape}: it gets Muon's.", stacklevel=2
        )
