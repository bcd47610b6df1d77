"""Which architectures of a convolution layer can be orthogonal at all."""

from typing import Annotated, Literal, NamedTuple

from annotated_types import Interval

from aqc.kernels._signature import checked

Case = Literal["rows", "columns", "square"]
Padding = Literal["circular", "same", "valid"]
Channels = Annotated[int, Interval(ge=1, le=128)]
KernelSize = Annotated[int, Interval(ge=1, le=11)]
Stride = Annotated[int, Interval(ge=1, le=8)]


class Existence(NamedTuple):
    """Whether an architecture can be orthogonal.

    Args:
        case: "rows" when A A^T = I is meant (M < C S^2), "columns" when A^T A = I is meant
            (M > C S^2), "square" when both are.
        exists: Whether some kernel reaches it at every size of the image.
        reason: The rule that decides.
        floor: Least value of the penalty L_orth over all kernels, with circular padding.
    """

    case: Case
    exists: bool
    reason: str
    floor: int


@checked()
def check_existence(
    out_channels: Channels,
    in_channels: Channels,
    kernel_size: KernelSize,
    stride: Stride = 1,
    padding: Padding = "circular",
) -> Existence:
    """Return whether an orthogonal convolution of this architecture exists.

    With M output channels, C input channels, k x k taps and stride S, circular padding:

        rows (M <= C S^2):     exists if and only if M <= C k^2
        columns (M >= C S^2):  exists if and only if S <= k

    Args:
        out_channels: M.
        in_channels: C.
        kernel_size: k.
        stride: S.
        padding: "circular", "same" (zeros around the image, as JAX's SAME puts them) or "valid".

    Returns:
        The verdict and its reason.

    Source: arXiv:2108.05623 (its theorem of existence) for circular padding. The other two
    verdicts are derived here from what the outputs at the image's border lose, for images larger
    than the kernel.

    Example:
        >>> check_existence(16, 1, 3, stride=4).reason
        'M = 16 rows are more than the C k^2 = 9 taps that each of them has.'
    """
    m, c, k, s = out_channels, in_channels, kernel_size, stride
    exists, reason = _verdict(m, c, k, s, padding)
    return Existence(case_of(m, c, s), exists, reason, floor_of(m, c, k, s))


def case_of(out_channels: int, in_channels: int, stride: int) -> Case:
    """Return whether the rows, the columns or both can be orthonormal.

    Args:
        out_channels: M.
        in_channels: C.
        stride: S.

    Returns:
        The case.

    Source: arXiv:2108.05623, the RO and the CO case.

    Example:
        >>> case_of(6, 8, 1), case_of(20, 1, 4), case_of(8, 8, 1)
        ('rows', 'columns', 'square')
    """
    columns = in_channels * stride**2
    if out_channels == columns:
        return "square"
    return "rows" if out_channels < columns else "columns"


def floor_of(out_channels: int, in_channels: int, kernel_size: int, stride: int) -> int:
    """Return the least L_orth that a circular convolution of this architecture can have.

    Zero where an orthogonal one exists. Elsewhere k < S, the patches do not overlap, and L_orth =
    ||K K^T - I||^2 - max(0, M - C S^2) over matrices of rank at most C k^2.

    Args:
        out_channels: M.
        in_channels: C.
        kernel_size: k.
        stride: S.

    Returns:
        max(0, M - C k^2) - max(0, M - C S^2) for k < S, else 0.

    Source: derived here.

    Example:
        >>> floor_of(12, 1, 3, 4), floor_of(20, 1, 3, 4), floor_of(8, 8, 3, 1)
        (3, 7, 0)
    """
    m, c, k, s = out_channels, in_channels, kernel_size, stride
    return max(0, m - c * k**2) - max(0, m - c * s**2) if k < s else 0


def _verdict(m: int, c: int, k: int, s: int, padding: Padding) -> tuple[bool, str]:
    rows = m <= c * s**2
    if padding == "same" and k > s:
        return True, (
            f"Zeros around the image take taps from the outputs at its border: only kernels whose "
            f"taps outside the middle {s} x {s} window vanish are orthogonal, which is a linear "
            f"map of separate patches."
        )
    if padding == "valid" and not rows and k > s:
        return False, (
            f"Without padding a corner pixel meets one window of {s} x {s} taps only, the opposite "
            f"corner another: no kernel with k = {k} > S = {s} gives both their full norm."
        )
    if rows and m > c * k**2:
        return (
            False,
            f"M = {m} rows are more than the C k^2 = {c * k**2} taps that each of them has.",
        )
    if not rows and s > k:
        return False, f"With stride S = {s} > k = {k} some pixels are read by no output."
    if rows:
        return True, f"M = {m} is at most C S^2 = {c * s**2} and C k^2 = {c * k**2}."
    return True, f"M = {m} is more than C S^2 = {c * s**2}, and S = {s} is at most k = {k}."
