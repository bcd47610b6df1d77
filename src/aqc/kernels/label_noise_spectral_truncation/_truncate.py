"""Accuracy and memorized label noise by the number of principal directions kept."""

from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np
from annotated_types import Interval, Len
from jaxtyping import Float, Int

from aqc.errors import InputError
from aqc.kernels._magnitude import refuse_huge
from aqc.kernels._signature import checked
from aqc.kernels.label_noise_spectral_truncation._spectrum import (
    Spectrum,
    effective_rank,
    spectrum_of,
    target_energy,
)

Kept = Annotated[tuple[Annotated[int, Interval(ge=1, le=2048)], ...], Len(1, 40)] | None

_POINTS = 40


@dataclass(frozen=True)
class Samples:
    """Labeled features that were not trained on.

    Args:
        features: Shape (M, D).
        labels: Shape (M,), 0..K-1.
    """

    features: Float[np.ndarray, "?m width"]
    labels: Int[np.ndarray, " ?m"]


class Curve(NamedTuple):
    """How one classifier fares by the number d of directions kept.

    Args:
        test_accuracy: On the clean test samples; None without any.
        memorized: Share of the training samples with a wrong label that are classified as that;
            None when no label is known to be wrong.
        fitted: Share of the other training samples that are classified as labeled.
        signal_directions: Smallest d with 95 % of the best test accuracy; None without test.
        noise_directions: Smallest d that memorizes half of the wrong labels; None if no d does.
    """

    test_accuracy: np.ndarray | None
    memorized: np.ndarray | None
    fitted: np.ndarray
    signal_directions: int | None
    noise_directions: int | None


class Truncation(NamedTuple):
    """What truncating the features to their first d principal directions does.

    Args:
        directions: The d tried, shape (P,).
        head: The network's own head on truncated features.
        refit: A ridge regression on them, fitted to the labels as given.
        chosen: The d of the folded head below.
        chosen_by: How it was chosen: by "held-out noisy labels", or as "twice the classes".
        weight: Head with the truncation folded in, shape (D, K).
        bias: Its shift, shape (K,).
        spectrum: Variance along each principal direction, falling, shape (D,).
        effective_rank: exp(entropy) of the normalized spectrum.
        signal_energy: Share of the true labels along each direction; None when not known.
        noise_energy: Share of the labels' errors along each direction; None when there are none.
    """

    directions: np.ndarray
    head: Curve
    refit: Curve
    chosen: int
    chosen_by: str
    weight: np.ndarray
    bias: np.ndarray
    spectrum: np.ndarray
    effective_rank: float
    signal_energy: np.ndarray | None
    noise_energy: np.ndarray | None


class Head(NamedTuple):
    """A linear head.

    Args:
        weight: Shape (D, K).
        bias: Shape (K,).
    """

    weight: np.ndarray
    bias: np.ndarray


@checked(n=(2, 20_000), width=(1, 2048), classes=(2, 1000), m=(1, 20_000))
def truncate_features(
    features: Float[np.ndarray, "n width"],
    labels: Int[np.ndarray, " n"],
    weight: Float[np.ndarray, "width classes"],
    bias: Float[np.ndarray, " classes"],
    true_labels: Int[np.ndarray, " n"] | None = None,
    test: Samples | None = None,
    held_out: Samples | None = None,
    directions: Kept = None,
    ridge: Annotated[float, Interval(gt=0, le=1e6)] = 1e-6,
) -> Truncation:
    """Return accuracy and memorized noise by the number of principal directions kept.

    With Z the features, mu their mean, Z - mu = U S V^T and P_d = V_d V_d^T:

        head:   logits_d(z) = W^T (mu + P_d (z - mu)) + b
        refit:  ridge regression of the labels, one-hot, on V_d^T (z - mu), penalty ridge * N

    The number kept is chosen without clean labels: by the accuracy of the truncated head on
    `held_out`, whose labels may be wrong too, or else as twice the number of classes.

    Args:
        features: Z of the training samples, shape (N, D).
        labels: As trained on, wrong ones among them, 0..K-1, shape (N,).
        weight: W of the trained head, shape (D, K).
        bias: b, shape (K,).
        true_labels: Without errors; tells what is memorized. Shape (N,).
        test: Clean test samples; measured, never used to choose.
        held_out: Samples with labels as noisy as those trained on, to choose d by.
        directions: The d to try; at most 40 up to D, evenly spaced in the logarithm, if not given.
        ridge: Penalty of the refit.

    Returns:
        Curves for head and refit, the folded head, and where labels and errors lie.

    Raises:
        InputError: Labels are not classes of the head, some d is above D, or all features agree.

    Source: after the abstract of arXiv:2603.02293v1; the choices of probe and d are ours.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> z = rng.normal(size=(50, 3))
        >>> result = truncate_features(z, (z[:, 0] > 0).astype(int), np.eye(3, 2), np.zeros(2))
        >>> result.directions.tolist(), result.head.memorized
        ([1, 2, 3], None)
    """
    refuse_huge(features=features, weight=weight, bias=bias)
    _refuse_labels(len(bias), labels=labels, true_labels=true_labels)
    for name, samples in (("test", test), ("held_out", held_out)):
        if samples is not None:
            _refuse_labels(len(bias), **{f"{name}.labels": samples.labels})
            refuse_huge(**{f"{name}.features": samples.features})
    kept = _directions(directions, features.shape[1])
    spectrum = spectrum_of(features)
    flipped = None if true_labels is None else labels != true_labels
    head = _steps_of_head(spectrum, weight)
    refit = _steps_of_refit(spectrum, features, labels, len(bias), ridge)
    start = spectrum.mean @ weight + bias
    average = np.bincount(labels, minlength=len(bias)) / len(labels)
    chosen, chosen_by = _choose(spectrum, head, start, kept, held_out)
    folded = fold(spectrum, weight, bias, chosen)
    known = (features, labels, flipped, test)
    return Truncation(
        kept,
        _curve(spectrum, head, start, kept, *known),
        _curve(spectrum, refit, average, kept, *known),
        chosen,
        chosen_by,
        folded.weight,
        folded.bias,
        spectrum.variances,
        effective_rank(spectrum.variances),
        *target_energy(spectrum, features, labels, true_labels, len(bias)),
    )


@checked(n=(2, 20_000), width=(1, 2048), classes=(2, 1000))
def truncate_head(
    features: Float[np.ndarray, "n width"],
    weight: Float[np.ndarray, "width classes"],
    bias: Float[np.ndarray, " classes"],
    directions: Annotated[int, Interval(ge=1, le=2048)],
) -> Head:
    """Return a head with the truncation of its features folded in.

        W_d = P_d W,   b_d = b + W^T (I - P_d) mu

    Args:
        features: Of the training samples, shape (N, D).
        weight: W, shape (D, K).
        bias: b, shape (K,).
        directions: d.

    Returns:
        The head, for features as they are.

    Raises:
        InputError: d is above D, or all features agree.

    Source: as for `truncate_features`.

    Example:
        >>> z = np.array([[3.0, 1.0], [-3.0, 1.0]])
        >>> head = truncate_head(z, np.eye(2), np.zeros(2), 1)
        >>> head.weight.round(9).tolist(), head.bias.tolist()
        ([[1.0, 0.0], [0.0, 0.0]], [0.0, 1.0])
    """
    refuse_huge(features=features, weight=weight, bias=bias)
    _directions((directions,), features.shape[1])
    return fold(spectrum_of(features), weight, bias, directions)


def fold(spectrum: Spectrum, weight: np.ndarray, bias: np.ndarray, directions: int) -> Head:
    """Return the head that sees only the first directions.

    Args:
        spectrum: Of the training features.
        weight: W, shape (D, K).
        bias: b, shape (K,).
        directions: d.

    Returns:
        The head.

    Source: as for `truncate_head`.

    Example:
        >>> fold(spectrum_of(np.array([[1.0], [3.0]])), np.ones((1, 2)), np.zeros(2), 1).bias
        array([0., 0.])
    """
    axes = spectrum.axes[:, :directions]
    folded = axes @ (axes.T @ weight)
    return Head(folded, bias + spectrum.mean @ (weight - folded))


def truncation_work(features: np.ndarray, **_: Any) -> float:
    """Return the multiplications that a truncation takes, roughly.

    Args:
        features: Shape (N, D).

    Returns:
        Those of the covariance and its eigenvectors.

    Source: counted.

    Example:
        >>> truncation_work(np.ones((1000, 100)))
        50000000.0
    """
    n, width = features.shape
    return 3.0 * n * width**2 + 20.0 * width**3


def _steps_of_head(spectrum: Spectrum, weight: np.ndarray) -> np.ndarray:
    """Return what each direction adds to the logits, by its score: shape (D, K)."""
    return spectrum.axes.T @ weight


def _steps_of_refit(
    spectrum: Spectrum, features: np.ndarray, labels: np.ndarray, classes: int, ridge: float
) -> np.ndarray:
    # Scores along different directions are orthogonal: every direction is fitted by itself.
    scores = (features - spectrum.mean) @ spectrum.axes
    products = scores.T @ np.eye(classes)[labels]
    n = len(features)
    fitted: np.ndarray = products / (n * spectrum.variances + ridge * n)[:, None]
    return fitted


def _predictions(
    spectrum: Spectrum, steps: np.ndarray, start: np.ndarray, kept: np.ndarray, points: np.ndarray
) -> np.ndarray:
    """Return the classes by d, shape (P, N): each direction is added once."""
    scores = (points - spectrum.mean) @ spectrum.axes
    logits = np.broadcast_to(start, (len(points), len(start)))
    found = []
    for first, last in zip([0, *kept[:-1]], kept, strict=True):
        logits = logits + scores[:, first:last] @ steps[first:last]
        found.append(logits.argmax(1))
    return np.stack(found)


def _curve(
    spectrum: Spectrum,
    steps: np.ndarray,
    start: np.ndarray,
    kept: np.ndarray,
    features: np.ndarray,
    labels: np.ndarray,
    flipped: np.ndarray | None,
    test: Samples | None,
) -> Curve:
    agrees = _predictions(spectrum, steps, start, kept, features) == labels
    memorized = noise = accuracy = signal = None
    if flipped is not None and flipped.any():
        memorized = agrees[:, flipped].mean(1)
        noise = _first(kept, memorized >= 0.5)
        agrees = agrees[:, ~flipped] if not flipped.all() else agrees
    if test is not None:
        found = _predictions(spectrum, steps, start, kept, test.features)
        accuracy = (found == test.labels).mean(1)
        signal = _first(kept, accuracy >= 0.95 * accuracy.max())
    return Curve(accuracy, memorized, agrees.mean(1), signal, noise)


def _first(kept: np.ndarray, holds: np.ndarray) -> int | None:
    return int(kept[holds.argmax()]) if holds.any() else None


def _choose(
    spectrum: Spectrum,
    head: np.ndarray,
    start: np.ndarray,
    kept: np.ndarray,
    held_out: Samples | None,
) -> tuple[int, str]:
    if held_out is None:
        return min(2 * len(start), len(spectrum.mean)), "twice the classes"
    found = _predictions(spectrum, head, start, kept, held_out.features)
    return int(kept[(found == held_out.labels).mean(1).argmax()]), "held-out noisy labels"


def _directions(directions: tuple[int, ...] | None, width: int) -> np.ndarray:
    if directions is None:
        return np.unique(np.geomspace(1, width, _POINTS).round().astype(int))
    if max(directions) > width:
        raise InputError(
            f"`directions` must be in 1..{width}, the features' dimensions, but holds "
            f"{max(directions)}.",
            "/directions",
        )
    return np.unique(directions)


def _refuse_labels(classes: int, **labels: np.ndarray | None) -> None:
    for name, given in labels.items():
        if given is not None and (given.min() < 0 or given.max() >= classes):
            fault = given.min() if given.min() < 0 else given.max()
            raise InputError(
                f"`{name}` must be in 0..{classes - 1}, the head's classes, but holds {fault}.",
                "/" + name.replace(".", "/"),
            )
