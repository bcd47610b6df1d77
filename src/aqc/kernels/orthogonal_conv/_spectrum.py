"""The singular values of a circular convolution, by Fourier transform."""

from collections.abc import Iterator

import numpy as np

# Complex entries of the blocks that are decomposed at once.
_CHUNK = 1_000_000


def conv_singular_values(kernel: np.ndarray, stride: int, n: int) -> np.ndarray:
    """Return all singular values of a circular convolution, without its matrix.

    The S^2 input frequencies that alias to one output frequency make a block of M x C S^2 numbers,
    K's Fourier transform at them divided by S; the blocks' singular values are A's.

    Args:
        kernel: K, shape (M, C, k, k).
        stride: S.
        n: Size N of the output image; the input's is S N.

    Returns:
        Shape (N^2 min(M, C S^2),), descending.

    Source: our own choice of method, exact; for S = 1 that of Sedghi, Gupta, Long,
    arXiv:1805.10408.

    Example:
        >>> conv_singular_values(np.full((1, 1, 2, 2), 0.25), 1, 2).round(12).tolist()
        [1.0, 0.0, 0.0, 0.0]
    """
    rows = [np.repeat(values, weight) for values, weight in spectrum(kernel, stride, n)]
    return np.sort(np.concatenate(rows))[::-1]


def spectrum(kernel: np.ndarray, stride: int, n: int) -> Iterator[tuple[np.ndarray, int]]:
    """Yield the singular values row by row of output frequencies.

    Args:
        kernel: K, shape (M, C, k, k).
        stride: S.
        n: Size N of the output image.

    Yields:
        (values, how often each of them occurs).

    Source: as for `conv_singular_values`.

    Example:
        >>> [weight for _, weight in spectrum(np.ones((1, 1, 1, 1)), 1, 4)]
        [1, 2, 1]
    """
    m, c, k = kernel.shape[:3]
    frequencies = np.arange(n)[:, None] + n * np.arange(stride)  # f a
    # Reduced as integers: the phases keep their digits.
    turns = np.multiply.outer(frequencies, np.arange(k)) % (stride * n) / (stride * n)
    waves = np.exp(-2j * np.pi * turns)  # f a q
    columns = np.einsum("mcpq,gbq->mcpgb", kernel, waves)
    # The kernel is real: row n - f is the conjugate of row f.
    half = np.arange(n // 2 + 1)
    per_chunk = max(1, int(_CHUNK / (n * m * c * stride**2)))
    for start in range(0, len(half), per_chunk):
        chosen = half[start : start + per_chunk]
        blocks = np.einsum("mcpgb,fap->fgmcab", columns, waves[chosen], optimize=True) / stride
        values = np.linalg.svd(blocks.reshape(len(chosen), n, m, -1), compute_uv=False)
        for f, row in zip(chosen, values, strict=True):
            yield row.ravel(), 1 if f == 0 or 2 * f == n else 2
