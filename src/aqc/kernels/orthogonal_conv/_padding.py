"""Convolutions without wrap-around, their matrix written out."""

from typing import Annotated, Literal, NamedTuple

import numpy as np
from annotated_types import Interval
from jaxtyping import Float

from aqc.errors import InputError
from aqc.kernels._magnitude import refuse_huge
from aqc.kernels._signature import checked
from aqc.kernels.orthogonal_conv._existence import Case, Stride, check_existence

_MOST_MATRIX = 4e6


class PaddedAnalysis(NamedTuple):
    """Distance of a convolution without wrap-around from an orthogonal one.

    Args:
        case: Which of A A^T = I, A^T A = I is meant.
        exists: Whether the architecture can be orthogonal with this padding.
        reason: Why.
        shape: Rows and columns of A.
        frobenius_error: ||A A^T - I||_F (or of A^T A).
        spectral_error: ||A A^T - I||_2.
        smallest: Smallest singular value of A.
        largest: Largest one.
    """

    case: Case
    exists: bool
    reason: str
    shape: tuple[int, int]
    frobenius_error: float
    spectral_error: float
    smallest: float
    largest: float


@checked(m=(1, 128), c=(1, 128), k=(1, 11))
def analyze_padding(
    kernel: Float[np.ndarray, "m c k k"],
    n: Annotated[int, Interval(ge=1, le=128)],
    padding: Literal["same", "valid"] = "same",
    stride: Stride = 1,
) -> PaddedAnalysis:
    """Return how far a kernel's convolution without wrap-around is from an orthogonal one.

    The matrix A is written out: for small images.

    Args:
        kernel: K, shape (M, C, k, k): outputs, inputs, taps.
        n: The input image is S n wide.
        padding: "same" (zeros around the image, as JAX's SAME puts them) or "valid" (none).
        stride: S.

    Returns:
        The errors, the extreme singular values, and whether the architecture allows better.

    Raises:
        InputError: The matrix is too large, or the kernel larger than the image.

    Source: our own; arXiv:2108.05623 discusses which paddings leave nothing.

    Example:
        >>> analyze_padding(np.eye(2)[:, :, None, None], 3).spectral_error
        0.0
    """
    m, c, k = kernel.shape[:3]
    refuse_huge(kernel=kernel)
    size = stride * n
    if k > size:
        raise InputError(
            f"`n` must be at least {-(-k // stride)}, so that the image holds the kernel, but is "
            f"{n}.",
            "/n",
        )
    pad = max(k - stride, 0) if padding == "same" else 0
    out = (size + pad - k) // stride + 1
    rows, columns = m * out**2, c * size**2
    if rows * columns > _MOST_MATRIX:
        raise InputError(
            f"`n` must leave the matrix at most {_MOST_MATRIX:.0f} entries, but {rows} rows and "
            f"{columns} columns have {rows * columns}; send a smaller one.",
            "/n",
        )
    values = np.linalg.svd(_matrix(kernel, stride, size, out, pad // 2), compute_uv=False)
    existence = check_existence(m, c, k, stride, padding)
    defects = values**2 - 1
    # The side that cannot be orthonormal is not asked to be; the other one may lack rank.
    side = rows if m <= c * stride**2 else columns
    missing = max(0, side - len(values))
    return PaddedAnalysis(
        existence.case,
        existence.exists,
        existence.reason,
        (rows, columns),
        float(np.sqrt(np.sum(defects**2) + missing)),
        float(max(np.abs(defects).max(), 1.0 if missing else 0.0)),
        float(values[-1]),
        float(values[0]),
    )


def _matrix(kernel: np.ndarray, stride: int, size: int, out: int, low: int) -> np.ndarray:
    m, c, k = kernel.shape[:3]
    matrix = np.zeros((m, out, out, c, size, size))
    outputs = np.arange(out)
    for p in range(k):
        i = outputs[(stride * outputs + p >= low) & (stride * outputs + p < size + low)]
        for q in range(k):
            j = outputs[(stride * outputs + q >= low) & (stride * outputs + q < size + low)]
            x, y = stride * i + p - low, stride * j + q - low
            # The four index arrays stand apart: their axes come first.
            matrix[:, i[:, None], j, :, x[:, None], y] = kernel[:, :, p, q]
    return matrix.reshape(m * out**2, c * size**2)
