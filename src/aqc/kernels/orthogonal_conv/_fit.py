"""An orthogonal kernel for a given architecture, by minimizing the penalty."""

from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from annotated_types import Interval

from aqc.errors import InputError
from aqc.kernels._kernel import Steps, drain
from aqc.kernels._lbfgs import descend
from aqc.kernels._signature import checked
from aqc.kernels.orthogonal_conv._existence import (
    Case,
    Channels,
    KernelSize,
    Stride,
    check_existence,
)
from aqc.kernels.orthogonal_conv._penalty import penalty_and_gradient, penalty_work, refuse_weights
from aqc.kernels.orthogonal_conv._spectrum import conv_singular_values

# Iterations between two states from which a run can go on; L-BFGS starts anew with each.
_CHUNK = 100
_ORTHOGONAL = 1e-6
# Multiplications done in the time that an iteration takes beside them.
_OVERHEAD = 3e5


class Fit(NamedTuple):
    """A kernel that minimizes L_orth.

    Args:
        case: Which of A A^T = I, A^T A = I is meant.
        kernel: The best one found, shape (M, C, k, k).
        penalty: Its L_orth.
        converged: Whether that is below 1e-6.
        floor: What L_orth cannot go below.
        penalties: L_orth reached from each start.
        size: Output size at which the singular values were taken.
        smallest: Smallest singular value.
        largest: Largest one.
    """

    case: Case
    kernel: np.ndarray
    penalty: float
    converged: bool
    floor: int
    penalties: np.ndarray
    size: int
    smallest: float
    largest: float


def fit_orthogonal_kernel_steps(
    out_channels: int,
    in_channels: int,
    kernel_size: int,
    stride: int = 1,
    restarts: int = 3,
    max_iter: int = 400,
    seed: int = 0,
    force: bool = False,
    state: dict[str, Any] | None = None,
) -> Steps:
    """Do what `fit_orthogonal_kernel` does, a hundred iterations after another.

    Args:
        out_channels: M.
        in_channels: C.
        kernel_size: k.
        stride: S.
        restarts: Number of random starts.
        max_iter: Most iterations from each.
        seed: Of the starts.
        force: Fit where no orthogonal convolution exists too.
        state: What an earlier run yielded.

    Yields:
        (fraction done, state).

    Returns:
        The fit.

    Source: as for `fit_orthogonal_kernel`.

    Example:
        >>> [round(fraction, 2) for fraction, _ in fit_orthogonal_kernel_steps(1, 1, 1, restarts=2)]
        [0.5, 1.0]
    """
    m, c, k = out_channels, in_channels, kernel_size
    existence = check_existence(m, c, k, stride)
    refuse_weights(m, c, k, "/kernel_size")
    if not existence.exists and not force:
        raise InputError(
            f"No orthogonal convolution exists: {existence.reason} Send `force` = true to get the "
            f"nearest one.",
            "/out_channels",
        )
    if state is None:
        state = {"start": 0, "iterations": 0, "kernel": None, "best": None, "penalties": []}
    while state["start"] < restarts:
        state = _advance(state, (m, c, k, k), stride, max_iter, seed)
        done = state["start"] + state["iterations"] / max_iter
        yield done / restarts, state
    n = max(8, -(-(2 * k - 1) // stride))
    sigma = conv_singular_values(state["best"], stride, n)
    penalty = min(state["penalties"])
    return Fit(
        existence.case,
        state["best"],
        penalty,
        penalty < _ORTHOGONAL,
        existence.floor,
        np.array(state["penalties"]),
        n,
        float(sigma[-1]),
        float(sigma[0]),
    )


@checked()
def fit_orthogonal_kernel(
    out_channels: Channels,
    in_channels: Channels,
    kernel_size: KernelSize,
    stride: Stride = 1,
    restarts: Annotated[int, Interval(ge=1, le=20)] = 3,
    max_iter: Annotated[int, Interval(ge=1, le=5000)] = 400,
    seed: Annotated[int, Interval(ge=0)] = 0,
    force: bool = False,
) -> Fit:
    """Return a kernel whose circular convolution is orthogonal, found by minimizing L_orth.

    L-BFGS in double precision from Gaussian kernels whose rows (columns) have norm 1 on average:
    variance 1 / (C k^2) for rows, S^2 / (M k^2) for columns.

    In the square case M = C S^2 most starts end in local minima: ask for many.

    Args:
        out_channels: M.
        in_channels: C.
        kernel_size: k.
        stride: S.
        restarts: Number of random starts.
        max_iter: Most iterations from each.
        seed: Of the starts.
        force: Fit where no orthogonal convolution exists too, down to the floor.

    Returns:
        The best kernel, its penalty and its extreme singular values.

    Raises:
        InputError: No orthogonal convolution exists, or the kernel is too large.

    Source: arXiv:2108.05623 minimizes L_orth beside a training loss; alone, and by L-BFGS, here.

    Example:
        >>> fit = fit_orthogonal_kernel(2, 3, 2)
        >>> fit.converged, round(fit.smallest, 3), round(fit.largest, 3)
        (True, 1.0, 1.0)
    """
    result: Fit = drain(
        fit_orthogonal_kernel_steps(
            out_channels, in_channels, kernel_size, stride, restarts, max_iter, seed, force
        )
    )
    return result


def fit_work(
    out_channels: int,
    in_channels: int,
    kernel_size: int,
    stride: int,
    restarts: int,
    max_iter: int,
    **_: Any,
) -> float:
    """Return the multiplications that `fit_orthogonal_kernel` takes, roughly.

    Args:
        out_channels: M.
        in_channels: C.
        kernel_size: k.
        stride: S.
        restarts: Number of random starts.
        max_iter: Most iterations from each.

    Returns:
        Iterations times the multiplications of one.

    Source: counted.

    Example:
        >>> fit_work(6, 8, 3, 1, 3, 400)
        437760000.0
    """
    penalty = penalty_work(out_channels, in_channels, kernel_size, stride)
    return restarts * max_iter * (penalty + _OVERHEAD)


def _advance(
    state: dict[str, Any], shape: tuple[int, ...], stride: int, max_iter: int, seed: int
) -> dict[str, Any]:
    kernel = state["kernel"]
    if kernel is None:
        kernel = _start(shape, stride, seed, state["start"])
    iterations = min(_CHUNK, max_iter - state["iterations"])
    found = descend(lambda x: _value_and_gradient(x, stride), kernel, iterations, 1e-10)
    if not found.stopped and state["iterations"] + iterations < max_iter:
        return state | {"kernel": found.point, "iterations": state["iterations"] + iterations}
    penalty = max(0.0, found.value)
    better = penalty < min(state["penalties"], default=np.inf)
    return {
        "start": state["start"] + 1,
        "iterations": 0,
        "kernel": None,
        "best": found.point if better else state["best"],
        "penalties": [*state["penalties"], penalty],
    }


def _start(shape: tuple[int, ...], stride: int, seed: int, number: int) -> np.ndarray:
    m, c, k = shape[:3]
    variance = 1 / (c * k**2) if m <= c * stride**2 else stride**2 / (m * k**2)
    rng = np.random.default_rng([seed, number])
    return rng.normal(0, np.sqrt(variance), shape)


def _value_and_gradient(kernel: np.ndarray, stride: int) -> tuple[float, np.ndarray]:
    with jax.enable_x64(True):
        value, gradient = penalty_and_gradient(jnp.asarray(kernel), stride=stride)
    return float(value), np.asarray(gradient)
