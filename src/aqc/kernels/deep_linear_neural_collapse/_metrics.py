"""How far features and a classifier have collapsed."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from aqc.errors import InputError
from aqc.kernels._magnitude import refuse_huge
from aqc.kernels._signature import checked


class Distance(NamedTuple):
    """Distances of normalized matrices from one geometry.

    Args:
        nc2: || W W^T / ||W W^T|| - T / ||T|| ||_F.
        nc3: || W Hbar / ||W Hbar|| - T / ||T|| ||_F, Hbar the class means.
    """

    nc2: float
    nc3: float


class Collapse(NamedTuple):
    """How far features and a classifier have collapsed.

    Args:
        nc1: tr(S_W pinv(S_B)) / K: spread within the classes by that between them.
        simplex: Distance from the simplex equiangular tight frame, T = I - 11^T / K.
        orthogonal: Distance from the orthogonal frame, T = I.
        given: Distance from the targets given, or None.
        cosines: Between class means, not centered, shape (K, K); 0 where a mean vanishes.
        norms: Of the class means, shape (K,).
    """

    nc1: float
    simplex: Distance
    orthogonal: Distance
    given: Distance | None
    cosines: np.ndarray
    norms: np.ndarray


@checked(n=(2, 50_000), d=(1, 2048), classes=(2, 1000))
def measure_collapse(
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    classifier: Float[np.ndarray, "classes d"],
    gram: Float[np.ndarray, "classes classes"] | None = None,
    logits: Float[np.ndarray, "classes classes"] | None = None,
) -> Collapse:
    """Return how far features and a classifier have collapsed, and to which geometry.

    Args:
        features: Rows h, shape (N, d).
        labels: 0..K-1, shape (N,).
        classifier: W, shape (K, d).
        gram: Target of W W^T, for example `product_gram` of the closed form; both or none.
        logits: Target of W Hbar.

    Returns:
        The measures NC1 to NC3 against the simplex, the orthogonal frame and the given targets.

    Raises:
        InputError: A class has no sample, a label no class, or only one target is given.

    Source: the measures of arXiv:2301.00437.

    Example:
        >>> collapsed = measure_collapse(np.eye(3)[[0, 0, 1, 2]], [0, 0, 1, 2], np.eye(3))
        >>> collapsed.nc1, collapsed.orthogonal.nc2
        (0.0, 0.0)
    """
    refuse_huge(features=features, classifier=classifier, gram=gram, logits=logits)
    classes = len(classifier)
    if labels.min() < 0 or labels.max() >= classes:
        fault = labels.min() if labels.min() < 0 else labels.max()
        raise InputError(
            f"`labels` must be in 0..{classes - 1}, the classifier's rows, but holds {fault}.",
            "/labels",
        )
    counts = np.bincount(labels, minlength=classes)
    if not counts.all():
        raise InputError(
            f"`labels` must hold every class, but class {counts.argmin()} has no sample.",
            "/labels",
        )
    if (gram is None) != (logits is None):
        raise InputError(
            "`gram` and `logits` must be given together, but only one is.",
            "/logits" if logits is None else "/gram",
        )
    means = np.zeros((classes, features.shape[1]))
    np.add.at(means, labels, features)
    means /= counts[:, None]
    simplex = np.eye(classes) - 1 / classes
    found = classifier @ classifier.T, classifier @ means.T
    norms = np.linalg.norm(means, axis=1)
    unit = means / np.where(norms > 0, norms, 1)[:, None]
    return Collapse(
        _nc1(features, labels, means),
        _distance(found, simplex, simplex),
        _distance(found, np.eye(classes), np.eye(classes)),
        None if gram is None or logits is None else _distance(found, gram, logits),
        unit @ unit.T,
        norms,
    )


def _nc1(features: np.ndarray, labels: np.ndarray, means: np.ndarray) -> float:
    # tr(S_W pinv(S_B)) needs S_W only along the few directions between the class means.
    within = features - means[labels]
    between = means - means.mean(0)
    _, s, axes = np.linalg.svd(between, full_matrices=False)
    # Where the means span less than K - 1 directions, the rest is rounding over rounding.
    kept = s > 1e-6 * max(s[0], np.finfo(float).tiny)
    along = np.sum((within @ axes[kept].T) ** 2, axis=0) / len(features)
    return float(np.sum(along / (s[kept] ** 2 / len(means))) / len(means))


def _distance(
    found: tuple[np.ndarray, np.ndarray], gram: np.ndarray, logits: np.ndarray
) -> Distance:
    pairs = zip(found, (gram, logits), strict=True)
    return Distance(*(float(np.linalg.norm(_unit(a) - _unit(b))) for a, b in pairs))


def _unit(matrix: np.ndarray) -> np.ndarray:
    size = np.linalg.norm(matrix)
    unit: np.ndarray = matrix / size if size else matrix
    return unit
