"""The map from pairs of embeddings alone: no labels."""

from typing import Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Interval
from jaxtyping import Float

from aqc.kernels._kernel import Steps, drain
from aqc.kernels._lbfgs import descend
from aqc.kernels._magnitude import refuse_huge
from aqc.kernels._signature import checked
from aqc.kernels.lambda_orthogonality._penalty import (
    Alpha,
    Lam,
    distance,
    lambda_penalty,
    threshold,
)

# Iterations between two states from which a run can go on; L-BFGS starts anew with each.
_CHUNK = 200
_SHOWN = 200


class Map(NamedTuple):
    """A map B(h) = W h + b from new to old embeddings.

    Args:
        weight: W, shape (n, n).
        bias: b, shape (n,).
        distance: x = ||W W^T - I||_F.
        lam: The distance from which on the penalty acts.
        alignment: mean (W h_new + b - h_old)^2, over samples and dimensions.
        affine_alignment: The least that any affine map reaches.
        rotation_alignment: The least that any orthogonal W reaches.
        norm_distortion: Standard deviation over mean of ||W h|| / ||h||, centered embeddings h.
        rank: Of the centered new embeddings; below n, W is not unique.
        losses: At most 200 values on the way, evenly spaced.
        iterations: Done.
        converged: Whether the gradient vanished; false when it ran out of iterations or the
            penalty's kink at orthogonal matrices (for lam = 0) stopped it.
    """

    weight: np.ndarray
    bias: np.ndarray
    distance: float
    lam: float
    alignment: float
    affine_alignment: float
    rotation_alignment: float
    norm_distortion: float
    rank: int
    losses: np.ndarray
    iterations: int
    converged: bool


class Rotation(NamedTuple):
    """The best rotation from new to old embeddings.

    Args:
        weight: W, shape (n, n), of determinant 1.
        bias: b, shape (n,).
        alignment: mean (W h_new + b - h_old)^2.
        affine_alignment: The least that any affine map reaches.
    """

    weight: np.ndarray
    bias: np.ndarray
    alignment: float
    affine_alignment: float


class Moments(NamedTuple):
    """All that the alignment depends on: it is quadratic in W, and b follows from W.

    Args:
        mean_new: Shape (n,).
        mean_old: Shape (n,).
        new: Covariance of the new embeddings over n, shape (n, n).
        cross: That of old (rows) with new embeddings.
        old: Mean variance of the old ones' entries.
    """

    mean_new: np.ndarray
    mean_old: np.ndarray
    new: np.ndarray
    cross: np.ndarray
    old: float

    def alignment(self, weight: np.ndarray) -> float:
        """Return mean (W h_new + b - h_old)^2 with the best b."""
        quadratic = np.sum((weight @ self.new) * weight)
        return float(quadratic - 2 * np.sum(weight * self.cross) + self.old)

    def bias(self, weight: np.ndarray) -> np.ndarray:
        """Return the best b."""
        return self.mean_old - weight @ self.mean_new


def moments(h_new: np.ndarray, h_old: np.ndarray) -> Moments:
    """Return the means and covariances of pairs of embeddings.

    Args:
        h_new: Shape (N, n).
        h_old: Shape (N, n).

    Returns:
        The moments.

    Source: our own; the sum over pairs is done once instead of once for each step.

    Example:
        >>> moments(np.array([[0.0], [2.0]]), np.array([[1.0], [5.0]])).cross.item()
        2.0
    """
    mean_new, mean_old = h_new.mean(0), h_old.mean(0)
    a, b = h_new - mean_new, h_old - mean_old
    count = a.size
    return Moments(
        mean_new, mean_old, a.T @ a / count, b.T @ a / count, float(np.sum(b**2) / count)
    )


def nearest_rotation(cross: np.ndarray, proper: bool = False) -> np.ndarray:
    """Return the orthogonal W that aligns best: argmax tr(W^T cross).

    Args:
        cross: Covariance of old (rows) with new embeddings, (n, n).
        proper: Of determinant +1 only.

    Returns:
        W, shape (n, n).

    Source: Procrustes' problem (Schönemann 1966), with Kabsch's sign for `proper`.

    Example:
        >>> nearest_rotation(np.diag([3.0, -1.0])).tolist()
        [[1.0, 0.0], [0.0, -1.0]]
    """
    u, _, vt = np.linalg.svd(cross)
    if proper and np.linalg.det(u @ vt) < 0:
        u[:, -1] *= -1
    rotation: np.ndarray = u @ vt
    return rotation


def truncate(h_new: np.ndarray, h_old: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both embeddings cut to the shorter one's dimensions, so that W is square.

    Args:
        h_new: Shape (N, n).
        h_old: Shape (N, d).

    Returns:
        Both, of min(n, d) columns.

    Source: arXiv:2509.16664, where the dimensions differ.

    Example:
        >>> [h.shape for h in truncate(np.ones((5, 3)), np.ones((5, 2)))]
        [(5, 2), (5, 2)]
    """
    n = min(h_new.shape[1], h_old.shape[1])
    return h_new[:, :n], h_old[:, :n]


def fit_map_steps(
    h_new: np.ndarray,
    h_old: np.ndarray,
    lam: float | None = None,
    alpha: float = 10.0,
    weight: float = 1.0,
    max_iter: int = 2000,
    state: dict[str, Any] | None = None,
) -> Steps:
    """Do what `fit_map` does, some iterations after others.

    Args:
        h_new: Shape (N, n).
        h_old: Shape (N, d).
        lam: Distance that is allowed.
        alpha: Steepness of the penalty's onset.
        weight: Of the penalty.
        max_iter: Most iterations.
        state: What an earlier run yielded.

    Yields:
        (fraction done, state).

    Returns:
        The map.

    Source: as for `fit_map`.

    Example:
        >>> h = np.random.default_rng(0).normal(size=(20, 2))
        >>> [fraction for fraction, _ in fit_map_steps(h, 2 * h)]
        [1.0]
    """
    refuse_huge(h_new=h_new, h_old=h_old)
    h_new, h_old = truncate(h_new, h_old)
    pairs, lam = moments(h_new, h_old), threshold(lam, h_new.shape[1])
    rotation = nearest_rotation(pairs.cross)
    if state is None:
        state = {"map": rotation, "losses": [], "stopped": False, "converged": False}
    while not state["stopped"]:
        state = _advance(state, pairs, (lam, alpha, weight), max_iter)
        yield 1.0 if state["stopped"] else len(state["losses"]) / max_iter, state
    fitted, losses = state["map"], np.array(state["losses"])
    return Map(
        fitted,
        pairs.bias(fitted),
        distance(fitted),
        lam,
        pairs.alignment(fitted),
        affine_alignment(h_new, h_old),
        pairs.alignment(rotation),
        norm_distortion(fitted, h_new - pairs.mean_new),
        int(np.linalg.matrix_rank(h_new - pairs.mean_new)),
        losses[:: -(-max(1, len(losses)) // _SHOWN)],
        len(losses),
        state["converged"],
    )


@checked(samples=(2, 20_000), n=(1, 512), d=(1, 512))
def fit_map(
    h_new: Float[np.ndarray, "samples n"],
    h_old: Float[np.ndarray, "samples d"],
    lam: Lam = None,
    alpha: Alpha = 10.0,
    weight: Annotated[float, Interval(gt=0, le=1e6)] = 1.0,
    max_iter: Annotated[int, Interval(ge=1, le=20_000)] = 2000,
) -> Map:
    """Return the affine map from new to old embeddings, held near orthogonality.

        min over W, b of  mean (W h_new + b - h_old)^2 + weight s x,
        x = ||W W^T - I||_F,  s = sigmoid(alpha (x - lambda))

    with the mean over samples and dimensions.

    lam = 0 pulls to orthogonality wherever W is; a huge one (1e9) leaves W free. Of embeddings of
    different lengths the longer ones are cut.

    Args:
        h_new: Embeddings of N samples by the new model, shape (N, n).
        h_old: Embeddings of the same samples by the old model, shape (N, d).
        lam: Distance x that is allowed; 0.53 sqrt(n) when not given.
        alpha: Steepness of the penalty's onset: x ends some 1 / alpha below lambda.
        weight: Of the penalty, 1 in the paper; with a small one the best W lies beyond lambda.
        max_iter: Most iterations of L-BFGS.

    Returns:
        The map, and what it costs beside the best affine map and the best rotation.

    Source: arXiv:2509.16664, equation 6 with L_B. Full batches and L-BFGS from the best rotation
    in place of Adam: the alignment is quadratic, so that no step looks at the samples.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> h = rng.normal(size=(100, 4))
        >>> fitted = fit_map(h, 3 * h, lam=1.0, alpha=100.0)
        >>> 0.9 < fitted.distance < 1.0, fitted.affine_alignment < 1e-12
        (True, True)
    """
    result: Map = drain(fit_map_steps(h_new, h_old, lam, alpha, weight, max_iter))
    return result


@checked(samples=(2, 20_000), n=(1, 512), d=(1, 512))
def fit_rotation(
    h_new: Float[np.ndarray, "samples n"], h_old: Float[np.ndarray, "samples d"]
) -> Rotation:
    """Return the rotation, with a shift, that maps new to old embeddings best.

        min over skew P and b of  mean ||exp(P) h_new + b - h_old||^2

    Args:
        h_new: Embeddings of N samples by the new model, shape (N, n).
        h_old: Embeddings of the same samples by the old model, shape (N, d).

    Returns:
        W = exp(P), b and the alignment.

    Source: the strict variant of arXiv:2509.16664 with L_B. The exponentials of skew matrices are
    all rotations, so that the minimum has Kabsch's closed form; no gradient is followed.

    Example:
        >>> h = np.random.default_rng(0).normal(size=(10, 2))
        >>> turned = fit_rotation(h, h @ np.array([[0.0, 1.0], [-1.0, 0.0]]))
        >>> np.abs(turned.weight - [[0, -1], [1, 0]]).max() < 1e-12
        np.True_
    """
    refuse_huge(h_new=h_new, h_old=h_old)
    h_new, h_old = truncate(h_new, h_old)
    pairs = moments(h_new, h_old)
    rotation = nearest_rotation(pairs.cross, proper=True)
    return Rotation(
        rotation, pairs.bias(rotation), pairs.alignment(rotation), affine_alignment(h_new, h_old)
    )


def affine_alignment(h_new: np.ndarray, h_old: np.ndarray) -> float:
    """Return the least mean square distance that an affine map reaches.

    Args:
        h_new: Shape (N, n).
        h_old: Shape (N, n).

    Returns:
        mean (W h_new + b - h_old)^2 at its minimum.

    Source: least squares.

    Example:
        >>> affine_alignment(np.array([[0.0], [1.0], [2.0]]), np.array([[0.0], [1.5], [0.0]]))
        0.5
    """
    a, b = h_new - h_new.mean(0), h_old - h_old.mean(0)
    solution = np.linalg.lstsq(a, b, rcond=None)[0]
    return float(np.mean((a @ solution - b) ** 2))


def norm_distortion(weight: np.ndarray, vectors: np.ndarray) -> float:
    """Return how unevenly a map stretches: the spread of ||W h|| / ||h|| over its mean.

    Args:
        weight: W, shape (n, n).
        vectors: Rows h, shape (N, n); zero rows are left out.

    Returns:
        Standard deviation over mean; 0 for a multiple of a rotation.

    Source: our own measure.

    Example:
        >>> norm_distortion(np.diag([1.0, 3.0]), np.eye(2))
        0.5
    """
    lengths = np.linalg.norm(vectors, axis=1)
    kept = lengths > 0
    stretch = np.linalg.norm(vectors[kept] @ weight.T, axis=1) / lengths[kept]
    mean = stretch.mean() if kept.any() else 0.0
    return float(stretch.std() / mean) if mean else 0.0


def _advance(
    state: dict[str, Any], pairs: Moments, penalty: tuple[float, float, float], max_iter: int
) -> dict[str, Any]:
    lam, alpha, factor = penalty

    def value_and_gradient(weight: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = lambda_penalty(weight, lam, alpha)
        gradient = 2 * (weight @ pairs.new - pairs.cross) + factor * slope
        return pairs.alignment(weight) + factor * value, gradient

    iterations = min(_CHUNK, max_iter - len(state["losses"]))
    scale = max(np.abs(pairs.cross).max(), np.finfo(float).tiny)
    found = descend(value_and_gradient, state["map"], iterations, 1e-8 * scale)
    losses = [*state["losses"], *found.values]
    return {
        "map": found.point,
        "losses": losses,
        "stopped": found.stopped or len(losses) >= max_iter,
        # The line search may give up a few digits before the tolerance.
        "converged": found.slope <= float(1e-5 * scale),
    }
