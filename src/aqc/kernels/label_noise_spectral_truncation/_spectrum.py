"""Principal directions of features, and what of the labels lies along them."""

from typing import NamedTuple

import numpy as np

from aqc.errors import InputError


class Spectrum(NamedTuple):
    """Principal directions.

    Args:
        mean: mu, shape (D,).
        variances: S^2 / N, falling, shape (D,).
        axes: V, orthogonal, shape (D, D).
    """

    mean: np.ndarray
    variances: np.ndarray
    axes: np.ndarray


def spectrum_of(features: np.ndarray) -> Spectrum:
    """Return the principal directions of features.

    Args:
        features: Shape (N, D).

    Returns:
        All D directions, those without variance too.

    Raises:
        InputError: All features agree.

    Source: principal component analysis by the eigenvectors of the covariance.

    Example:
        >>> spectrum_of(np.array([[1.0, 0.0], [3.0, 0.0]])).variances.tolist()
        [1.0, 0.0]
    """
    mean = features.mean(0)
    centered = features - mean
    if np.abs(centered).max() <= 1e-13 * np.abs(features).max():
        raise InputError(
            "`features` must vary, but all samples have the same (zero variance).", "/features"
        )
    variances, axes = np.linalg.eigh(centered.T @ centered / len(features))
    return Spectrum(mean, np.maximum(variances[::-1], 0), axes[:, ::-1])


def effective_rank(variances: np.ndarray) -> float:
    """Return exp of the entropy of the normalized variances.

    Args:
        variances: Shape (D,).

    Returns:
        Between 1 and D.

    Source: Roy and Vetterli, 2007.

    Example:
        >>> round(effective_rank(np.array([2.0, 2.0, 0.0])), 12)
        2.0
    """
    shares = variances[variances > 0] / variances.sum()
    return float(np.exp(-np.sum(shares * np.log(shares))))


def target_energy(
    spectrum: Spectrum,
    features: np.ndarray,
    labels: np.ndarray,
    true_labels: np.ndarray | None,
    classes: int,
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return the shares of the true labels and of the labels' errors along each direction.

        |u_i^T Y|^2 / ||Y||^2,   u_i the left singular vectors, Y centered one-hot targets

    Args:
        spectrum: Of the features.
        features: Shape (N, D).
        labels: As given, shape (N,).
        true_labels: Without errors, shape (N,), or None.
        classes: K.

    Returns:
        (share of the one-hot true labels, share of given minus true ones), each of shape (D,) or
        None where there are none; 0 along directions without variance.

    Source: our own measure of what arXiv:2603.02293 calls segregation.

    Example:
        >>> z = np.array([[1.0], [-1.0]])
        >>> labels = np.array([0, 1])
        >>> target_energy(spectrum_of(z), z, labels, labels, 2)
        (array([1.]), None)
    """
    if true_labels is None:
        return None, None
    one_hot = np.eye(classes)
    signal, noise = one_hot[true_labels], one_hot[labels] - one_hot[true_labels]
    scores = (features - spectrum.mean) @ spectrum.axes
    sizes = len(features) * spectrum.variances
    varies = sizes > 1e-12 * sizes[0]

    def shares(targets: np.ndarray) -> np.ndarray | None:
        targets = targets - targets.mean(0)
        total = np.sum(targets**2)
        if not total:
            return None
        along = np.sum((scores.T @ targets) ** 2, axis=1)
        return np.where(varies, along / np.where(varies, sizes, 1), 0) / total

    return shares(signal), shares(noise)
