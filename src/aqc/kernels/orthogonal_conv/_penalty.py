"""The penalty L_orth, what it bounds, and what it costs."""

import jax
import jax.numpy as jnp

from aqc.errors import InputError
from aqc.kernels.orthogonal_conv._existence import case_of

_MOST_WEIGHTS = 200_000


def lorth(kernel: jax.Array, stride: int = 1) -> jax.Array:
    """Return the penalty L_orth, differentiable and in the kernel's own precision.

    G = K * K with zero padding P = floor((k-1)/S) S and stride S, shape (M, M, 2P/S+1, 2P/S+1):

        L_orth = ||G - I_M at the middle||_F^2 - max(0, M - C S^2)

    Args:
        kernel: K, shape (M, C, k, k): outputs, inputs, taps.
        stride: S.

    Returns:
        A number, zero (to rounding) exactly for orthogonal circular convolutions.

    Source: arXiv:2108.05623, the definition of L_orth.

    Example:
        >>> float(lorth(jnp.eye(3)[:, :, None, None]))  # the identity as a 1 x 1 convolution
        0.0
    """
    m, c, k = kernel.shape[:3]
    pad = (k - 1) // stride * stride
    gram = jax.lax.conv_general_dilated(kernel, kernel, (stride, stride), [(pad, pad)] * 2)
    middle = pad // stride
    gram = gram.at[:, :, middle, middle].add(-jnp.eye(m, dtype=kernel.dtype))
    return jnp.sum(gram**2) - max(0, m - c * stride**2)


penalty_and_gradient = jax.jit(jax.value_and_grad(lorth), static_argnames="stride")


def spectral_factor(out_channels: int, in_channels: int, kernel_size: int, stride: int) -> int:
    """Return alpha of the bound ||A A^T - I||_2^2 <= alpha L_orth.

    Args:
        out_channels: M.
        in_channels: C.
        kernel_size: k.
        stride: S.

    Returns:
        M (2 floor((k-1)/S) + 1)^2 for rows, C (2k-1)^2 for columns, the smaller one if square.

    Source: arXiv:2108.05623, the theorem on the spectral norm.

    Example:
        >>> spectral_factor(6, 8, 3, 1)
        150
    """
    rows = out_channels * (2 * ((kernel_size - 1) // stride) + 1) ** 2
    columns = in_channels * (2 * kernel_size - 1) ** 2
    case = case_of(out_channels, in_channels, stride)
    return {"rows": rows, "columns": columns, "square": min(rows, columns)}[case]


def penalty_work(out_channels: int, in_channels: int, kernel_size: int, stride: int) -> float:
    """Return the multiplications that L_orth takes.

    Args:
        out_channels: M.
        in_channels: C.
        kernel_size: k.
        stride: S.

    Returns:
        M^2 C k^2 (2 P/S + 1)^2.

    Source: counted.

    Example:
        >>> penalty_work(6, 8, 3, 1)
        64800.0
    """
    shifts = 2 * ((kernel_size - 1) // stride) + 1
    return float(out_channels**2 * in_channels * kernel_size**2 * shifts**2)


def refuse_weights(out_channels: int, in_channels: int, kernel_size: int, pointer: str) -> None:
    """Refuse a kernel of too many weights.

    Args:
        out_channels: M.
        in_channels: C.
        kernel_size: k.
        pointer: Of the argument at fault.

    Raises:
        InputError: There are more than 200,000.

    Source: our own limit.

    Example:
        >>> refuse_weights(6, 8, 3, "/kernel")
    """
    weights = out_channels * in_channels * kernel_size**2
    if weights > _MOST_WEIGHTS:
        raise InputError(
            f"A kernel must have at most {_MOST_WEIGHTS} weights, but this one has {weights}.",
            pointer,
        )
