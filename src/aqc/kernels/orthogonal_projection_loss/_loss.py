"""The loss, its gradient and the geometry of the classes."""

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from annotated_types import Interval
from jaxtyping import Float, Int

from aqc.errors import InputError
from aqc.kernels._signature import checked

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Penalty = Literal["abs_mean", "mean_abs", "signed"]
COLLAPSED = 0.8  # cosine between classes above which they are one direction
_MOST_PAIRWISE, _MOST_CLASSES, _MOST_ENTRIES = 4000, 1000, 20_000_000
_PAIR_GUARD, _NORM_GUARD = 1e-6, 1e-12


@dataclass(frozen=True)
class ProjectionLoss:
    """The loss of a batch and the geometry of its classes.

    Attributes:
        loss: (1 - s) + gamma times the penalty.
        same_class_cosine: s, mean over pairs of one class; 0 when there are none.
        other_class_cosine: d, mean over pairs of two classes; 0 when there are none.
        mean_abs_cosine: Mean of the absolute cosine over pairs of two classes, which d = 0 does
            not bring to zero where signs cancel; None for more than 4000 samples.
        same_class_pairs: Ordered pairs of different samples of one class.
        other_class_pairs: Ordered pairs of samples of two classes.
        gradient: Of the loss by the features, shape (batch, features); None when not wanted.
        classes: The labels in the order of `class_cosines`, shape (classes,).
        class_cosines: Between the classes' mean directions, shape (classes, classes).
        collapsed: Whether d > 0.8, all classes in nearly one direction.
        zero_rows: Samples whose features are all zero; they count as zero vectors.
    """

    loss: float
    same_class_cosine: float
    other_class_cosine: float
    mean_abs_cosine: float | None
    same_class_pairs: int
    other_class_pairs: int
    gradient: Float[np.ndarray, "batch features"] | None
    classes: Int[np.ndarray, " classes"]
    class_cosines: Float[np.ndarray, "classes classes"]
    collapsed: bool
    zero_rows: Int[np.ndarray, " zeros"]


def projection_loss(
    features: jax.Array,
    labels: jax.Array,
    num_classes: int,
    gamma: float | jax.Array = 0.5,
    penalty: Penalty = "abs_mean",
) -> jax.Array:
    """Return the loss of a batch, to be differentiated and added to a cross-entropy.

    (1 - s) + gamma |d|, with s the mean cosine of features of one class and d that of two classes.

    Args:
        features: F, shape (batch, features).
        labels: Classes as 0, ..., num_classes - 1, shape (batch,).
        num_classes: K.
        gamma: Weight of the penalty on d.
        penalty: "abs_mean" is |d|, "mean_abs" the mean of absolute cosines, "signed" d itself.

    Returns:
        A scalar.

    Source:
        arXiv:2103.14021, Eq. 4 to 6. Means over pairs come from class sums S_c of the normalized
        features, in time linear in the batch: sum over pairs of one class = sum_c ||S_c||^2 -
        sum_i ||f_i||^2, over pairs of two = ||sum_c S_c||^2 - sum_c ||S_c||^2. Only "mean_abs"
        needs all pairs.

    Example:
        >>> features = jnp.array([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0], [0.0, 1.0]])
        >>> round(float(projection_loss(features, jnp.array([0, 0, 1, 1]), 2)), 5)
        0.0
    """
    unit = normalize(features)
    same, other = mean_cosines(unit, labels, num_classes)
    if penalty == "mean_abs":
        other = mean_abs_cosine(unit, labels)
    elif penalty == "abs_mean":
        other = jnp.abs(other)
    return (1 - same) + gamma * other


def normalize(features: jax.Array) -> jax.Array:
    """Return the features over their norms; rows of zeros stay zero, with zero derivative.

    Args:
        features: Shape (batch, features).

    Returns:
        f, of the same shape.

    Source:
        arXiv:2103.14021.

    Example:
        >>> normalize(jnp.array([[3.0, 4.0], [0.0, 0.0]])).round(3).tolist()
        [[0.6..., 0.8...], [0.0, 0.0]]
    """
    squares = jnp.sum(features**2, 1, keepdims=True)
    norms = jnp.sqrt(jnp.where(squares > 0, squares, 1.0))
    return jnp.where(squares > 0, features, 0.0) / jnp.maximum(norms, _NORM_GUARD)


def mean_cosines(
    unit: jax.Array, labels: jax.Array, num_classes: int
) -> tuple[jax.Array, jax.Array]:
    """Return s and d, the mean cosines of pairs of one class and of two.

    Args:
        unit: Normalized features, shape (batch, features).
        labels: Classes, shape (batch,).
        num_classes: K.

    Returns:
        Two scalars; 0 where there are no pairs.

    Source:
        arXiv:2103.14021, Eq. 4 and 5, by class sums.

    Example:
        >>> same, other = mean_cosines(jnp.eye(2), jnp.array([0, 0]), 1)
        >>> float(same), float(other)
        (0.0, 0.0)
    """
    sums = jax.ops.segment_sum(unit, labels, num_classes)
    counts = jax.ops.segment_sum(jnp.ones(len(unit), unit.dtype), labels, num_classes)
    within = jnp.sum(sums**2)
    same_pairs = jnp.sum(counts * (counts - 1))
    other_pairs = len(unit) ** 2 - jnp.sum(counts**2)
    same = (within - jnp.sum(unit**2)) / (same_pairs + _PAIR_GUARD)
    other = (jnp.sum(jnp.sum(sums, 0) ** 2) - within) / (other_pairs + _PAIR_GUARD)
    return same, other


def mean_abs_cosine(unit: jax.Array, labels: jax.Array) -> jax.Array:
    """Return the mean absolute cosine over pairs of two classes.

    Args:
        unit: Normalized features, shape (batch, features).
        labels: Classes, shape (batch,).

    Returns:
        A scalar; 0 where there are no pairs.

    Source:
        arXiv:2103.14021, as its authors' code for CIFAR has it.

    Example:
        >>> float(mean_abs_cosine(jnp.array([[1.0], [-1.0]]), jnp.array([0, 1]))) > 0.99999
        True
    """
    differ = labels[:, None] != labels[None, :]
    return jnp.sum(jnp.abs(unit @ unit.T) * differ) / (jnp.sum(differ) + _PAIR_GUARD)


@checked(batch=(2, 20_000), features=(1, 4096))
def orthogonal_projection_loss(
    features: Float[np.ndarray, "batch features"],
    labels: Int[np.ndarray, " batch"],
    gamma: Annotated[float, Interval(ge=0)] = 0.5,
    penalty: Penalty = "abs_mean",
    with_gradient: bool = True,
) -> ProjectionLoss:
    """Compute the orthogonal projection loss of a batch, its gradient and the classes' geometry.

    (1 - s) + gamma |d|, with s the mean cosine of features of one class and d that of two classes.

    Args:
        features: F, shape (batch, features), of any scale.
        labels: Classes, shape (batch,), any integers.
        gamma: Weight of the penalty on d; 0.5 in the authors' code. Below 1 a collapse of all
            classes to one direction (loss gamma) is cheaper than no structure at all (loss 1).
        penalty: "abs_mean" is |d|, the paper's; "mean_abs" the mean of absolute cosines, for at
            most 4000 samples; "signed" d itself, least at a simplex, d = -1 / (K - 1). The three
            are one after a ReLU.
        with_gradient: Compute the gradient too.

    Returns:
        Loss, cosines, gradient and class geometry.

    Raises:
        InputError: There are too many samples for the penalty, too many classes or entries.

    Source:
        arXiv:2103.14021, Eq. 4 to 6; d also without its absolute value.

    Example:
        >>> result = orthogonal_projection_loss([[1, 0], [1, 0.1], [0, 2], [0.1, 2]], [3, 3, 7, 7])
        >>> result.same_class_cosine > 0.99, result.classes.tolist(), result.collapsed
        (True, [3, 7], False)
    """
    classes, index = np.unique(labels, return_inverse=True)
    _require_size(features, len(classes), penalty)
    with jax.enable_x64(True):
        evaluated = _evaluate(features, index, len(classes), gamma, penalty, with_gradient)
        value, gradient, same, other, sums = jax.tree.map(np.asarray, evaluated)
        absolute = None
        if len(features) <= _MOST_PAIRWISE:
            absolute = float(_compiled_mean_abs(features, index))
    counts = np.bincount(index).astype(int)
    return ProjectionLoss(
        loss=float(value),
        same_class_cosine=float(same),
        other_class_cosine=float(other),
        mean_abs_cosine=absolute,
        same_class_pairs=int(np.sum(counts * (counts - 1))),
        other_class_pairs=int(len(index) ** 2 - np.sum(counts**2)),
        gradient=gradient,
        classes=classes,
        class_cosines=class_cosines(sums),
        collapsed=bool(other > COLLAPSED),
        zero_rows=np.flatnonzero(~features.any(1)),
    )


def _require_size(features: np.ndarray, num_classes: int, penalty: Penalty) -> None:
    if penalty == "mean_abs" and len(features) > _MOST_PAIRWISE:
        raise InputError(
            f"`features` must have at most {_MOST_PAIRWISE} entries along axis 0 (batch) for the "
            f'penalty "mean_abs", but has {len(features)}; use "abs_mean" or a smaller batch.',
            "/features",
        )
    if num_classes > _MOST_CLASSES:
        raise InputError(
            f"`labels` must hold at most {_MOST_CLASSES} classes, but holds {num_classes}.",
            "/labels",
        )
    if features.size > _MOST_ENTRIES:
        raise InputError(
            f"`features` must have at most {_MOST_ENTRIES} numbers, but has {features.size}.",
            "/features",
        )


@functools.partial(jax.jit, static_argnames=("num_classes", "penalty", "with_gradient"))
def _evaluate(
    features: jax.Array,
    labels: jax.Array,
    num_classes: int,
    gamma: jax.Array,
    penalty: Penalty,
    with_gradient: bool,
) -> tuple[Any, ...]:
    def loss(x: jax.Array) -> jax.Array:
        return projection_loss(x, labels, num_classes, gamma, penalty)

    gradient = jax.grad(loss)(features) if with_gradient else None
    unit = normalize(features)
    same, other = mean_cosines(unit, labels, num_classes)
    return loss(features), gradient, same, other, jax.ops.segment_sum(unit, labels, num_classes)


@jax.jit
def _compiled_mean_abs(features: jax.Array, labels: jax.Array) -> jax.Array:
    return mean_abs_cosine(normalize(features), labels)


def class_cosines(sums: np.ndarray) -> np.ndarray:
    """Return the cosines between class sums, or between their means.

    Args:
        sums: Of normalized features, shape (classes, features).

    Returns:
        Shape (classes, classes); 0 beside a sum of zero.

    Source:
        A diagnostic of this package.

    Example:
        >>> class_cosines(np.array([[2.0, 0.0], [0.0, 0.5]])).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    norms = np.linalg.norm(sums, axis=1, keepdims=True)
    unit = np.divide(sums, norms, out=np.zeros_like(sums), where=norms > 0)
    return np.asarray(unit @ unit.T)


def draw_geometry(result: ProjectionLoss) -> "Figure":
    """Draw the cosines between the classes' mean directions."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.4, 3.8), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(result.class_cosines, vmin=-1, vmax=1, cmap="RdBu_r")
    ticks = range(len(result.classes))
    if len(result.classes) <= 20:
        axes.set_xticks(ticks, [str(c) for c in result.classes])
        axes.set_yticks(ticks, [str(c) for c in result.classes])
    axes.set(xlabel="class", ylabel="class")
    figure.colorbar(image, label="cosine of mean directions")
    return figure
