"""How far a given kernel is from an orthogonal convolution, at every size of the image."""

from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from annotated_types import Interval, Len
from jaxtyping import Float

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._magnitude import refuse_huge
from aqc.kernels._signature import checked
from aqc.kernels.orthogonal_conv._existence import (
    Case,
    Stride,
    check_existence,
)
from aqc.kernels.orthogonal_conv._penalty import (
    penalty_and_gradient,
    penalty_work,
    refuse_weights,
    spectral_factor,
)
from aqc.kernels.orthogonal_conv._spectrum import spectrum

_MOST_SPECTRUM = 4e7
# Multiplications done in the time that a block takes beside its own.
_OVERHEAD = 400


class Analysis(NamedTuple):
    """Distance of a circular convolution from an orthogonal one.

    Args:
        case: Which of A A^T = I, A^T A = I is meant.
        exists: Whether the architecture can be orthogonal.
        reason: Why.
        penalty: L_orth.
        gradient: Of L_orth by the kernel, shape (M, C, k, k).
        sizes: Output sizes N.
        frobenius_error: ||A A^T - I||_F (or of A^T A) by size.
        spectral_error: ||A A^T - I||_2 by size.
        spectral_bound: sqrt(alpha L_orth), at least the spectral error at every size.
        smallest: Smallest singular value of A by size.
        largest: Largest one.
    """

    case: Case
    exists: bool
    reason: str
    penalty: float
    gradient: np.ndarray
    sizes: tuple[int, ...]
    frobenius_error: np.ndarray
    spectral_error: np.ndarray
    spectral_bound: float
    smallest: np.ndarray
    largest: np.ndarray


def analyze_kernel_steps(
    kernel: np.ndarray, stride: int, sizes: tuple[int, ...], state: list[list[float]] | None = None
) -> Steps:
    """Do what `analyze_kernel` does, one image size after another.

    Args:
        kernel: K, shape (M, C, k, k).
        stride: S.
        sizes: Output sizes N.
        state: What an earlier run yielded.

    Yields:
        (fraction done, measures of the sizes done).

    Returns:
        The analysis.

    Source: as for `analyze_kernel`.

    Example:
        >>> next(analyze_kernel_steps(np.ones((1, 1, 1, 1)), 1, (2, 4)))
        (0.5, [[0.0, 0.0, 1.0, 1.0]])
    """
    m, c, k = kernel.shape[:3]
    refuse_huge(kernel=kernel)
    _refuse(kernel, stride, sizes)
    done = list(state or [])
    for n in sizes[len(done) :]:
        done.append(_measure(kernel, stride, n))
        yield len(done) / len(sizes), list(done)
    with jax.enable_x64(True):
        penalty, gradient = penalty_and_gradient(jnp.asarray(kernel), stride=stride)
    # Of two numbers that agree when orthogonal the difference may round below zero.
    penalty = max(0.0, float(penalty))
    existence = check_existence(m, c, k, stride)
    frobenius, spectral, smallest, largest = np.array(done).T
    return Analysis(
        existence.case,
        existence.exists,
        existence.reason,
        penalty,
        np.asarray(gradient),
        sizes,
        frobenius,
        spectral,
        float(np.sqrt(spectral_factor(m, c, k, stride) * penalty)),
        smallest,
        largest,
    )


@checked(m=(1, 128), c=(1, 128), k=(1, 11))
def analyze_kernel(
    kernel: Float[np.ndarray, "m c k k"],
    stride: Stride = 1,
    sizes: Annotated[tuple[Annotated[int, Interval(ge=1, le=128)], ...], Len(1, 16)] = (8, 16, 32),
) -> Analysis:
    """Return how far a kernel's circular convolution is from an orthogonal one.

    At output size N, when the input is at least 2 k - 1 wide,

        ||A A^T - I||_F^2 = N^2 L_orth,     ||A A^T - I||_2^2 <= alpha L_orth

    with A^T A in place of A A^T when M > C S^2. alpha does not depend on N: a small penalty keeps
    the layer an isometry on images of every size.

    Args:
        kernel: K, shape (M, C, k, k): outputs, inputs, taps.
        stride: S.
        sizes: Sizes N of the output image; the input's are S N.

    Returns:
        The penalty and its gradient, and by size the exact errors and extreme singular values.

    Raises:
        InputError: The kernel or the images are too large, or an image is too small.

    Source: arXiv:2108.05623, the theorems on the Frobenius and the spectral norm.

    Example:
        >>> result = analyze_kernel(np.eye(2)[:, :, None, None], sizes=(4,))
        >>> result.penalty, result.smallest.tolist(), result.largest.tolist()
        (0.0, [1.0], [1.0])
    """
    result: Analysis = drain(analyze_kernel_steps(kernel, stride, sizes))
    return result


def analysis_work(kernel: np.ndarray, stride: int, sizes: tuple[int, ...]) -> float:
    """Return the multiplications that `analyze_kernel` takes, roughly.

    Args:
        kernel: K, shape (M, C, k, k).
        stride: S.
        sizes: Output sizes N.

    Returns:
        Multiplications of the blocks' decompositions and of the penalty.

    Source: counted.

    Example:
        >>> analysis_work(np.ones((1, 1, 1, 1)), 1, (2,))
        1605.0
    """
    m, c, k = kernel.shape[:3]
    columns = c * stride**2
    frequencies = sum(float(n) ** 2 for n in sizes)
    blocks = frequencies * (m * columns * min(m, columns) + _OVERHEAD)
    return blocks + penalty_work(m, c, k, stride)


def _refuse(kernel: np.ndarray, stride: int, sizes: tuple[int, ...]) -> None:
    m, c, k = kernel.shape[:3]
    refuse_weights(m, c, k, "/kernel")
    for i, n in enumerate(sizes):
        if stride * n < 2 * k - 1:
            raise InputError(
                f"`sizes[{i}]` must be at least {-(-(2 * k - 1) // stride)}, so that the input "
                f"image is 2 k - 1 = {2 * k - 1} wide, but is {n}.",
                f"/sizes/{i}",
            )
    entries = sum(n * n for n in sizes) * m * c * stride**2
    if entries > _MOST_SPECTRUM:
        raise InputError(
            f"`sizes` must keep the sum of N^2 M C S^2 at most {_MOST_SPECTRUM:.0f}, but it is "
            f"{entries}; send fewer or smaller ones.",
            "/sizes",
        )


def _measure(kernel: np.ndarray, stride: int, n: int) -> list[float]:
    """Return the Frobenius and spectral errors, the smallest and largest singular value."""
    squares, worst, smallest, largest = 0.0, 0.0, np.inf, 0.0
    for values, weight in spectrum(kernel, stride, n):
        defects = values**2 - 1
        squares += weight * float(np.sum(defects**2))
        worst = max(worst, float(np.abs(defects).max()))
        smallest = min(smallest, float(values.min()))
        largest = max(largest, float(values.max()))
    return [float(np.sqrt(squares)), worst, float(smallest), largest]
