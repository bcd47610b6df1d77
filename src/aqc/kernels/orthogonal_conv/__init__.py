"""Orthogonal convolution layers: whether they exist, how far a kernel is from one, and a fit.

Achour, Malgouyres, Mamalet, arXiv:2108.05623. A kernel K of M outputs, C inputs, k x k taps and
stride S makes a matrix A of M N^2 rows and C S^2 N^2 columns. Orthogonal means A A^T = I when
M <= C S^2, A^T A = I when M >= C S^2. One penalty that does not know N,

    L_orth = ||K * K - I||_F^2 - max(0, M - C S^2),

is the exact Frobenius error per pixel and bounds the spectral error at every N.

Limits: the theorems are for circular padding. In the square case M = C S^2 gradient descent mostly
ends in local minima (that is a property of the penalty, seen by others too): the fit needs many
starts there. `analyze_padding` writes the matrix out and serves small images only.
"""

from typing import TYPE_CHECKING

import numpy as np

from aqc.kernels._kernel import Claim, Kernel, Operation, Paper
from aqc.kernels.orthogonal_conv._analysis import (
    Analysis,
    analysis_work,
    analyze_kernel,
    analyze_kernel_steps,
)
from aqc.kernels.orthogonal_conv._existence import Existence, check_existence
from aqc.kernels.orthogonal_conv._fit import (
    Fit,
    fit_orthogonal_kernel,
    fit_orthogonal_kernel_steps,
    fit_work,
)
from aqc.kernels.orthogonal_conv._padding import PaddedAnalysis, analyze_padding
from aqc.kernels.orthogonal_conv._penalty import lorth
from aqc.kernels.orthogonal_conv._spectrum import conv_singular_values

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "KERNEL",
    "Analysis",
    "Existence",
    "Fit",
    "PaddedAnalysis",
    "analyze_kernel",
    "analyze_kernel_steps",
    "analyze_padding",
    "check_existence",
    "conv_singular_values",
    "fit_orthogonal_kernel",
    "fit_orthogonal_kernel_steps",
    "lorth",
]


def _draw(result: Analysis) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    order = np.argsort(result.sizes)
    sizes = np.array(result.sizes)[order]
    axes.plot(sizes, result.frobenius_error[order], "o-", label="Frobenius error")
    axes.plot(sizes, result.spectral_error[order], "s-", label="spectral error")
    axes.axhline(result.spectral_bound, color="0.4", ls="--", label=r"$\sqrt{\alpha L_{orth}}$")
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, [str(n) for n in sizes])
    # An error of exactly zero has no place on a logarithmic axis.
    if min(result.spectral_error) > 0:
        axes.set_yscale("log")
    axes.set_xlabel("width $N$ of the output image (pixels)")
    axes.set_ylabel("distance from orthogonality")
    axes.legend()
    return figure


def _example() -> list[object]:
    rng = np.random.default_rng(0)
    nearly: list[object] = (rng.normal(0, 0.2, (3, 4, 3, 3))).round(2).tolist()
    return nearly


KERNEL = Kernel(
    paper=Paper(
        "Existence, Stability and Scalability of Orthogonal Convolutional Neural Networks",
        "Achour, Malgouyres, Mamalet",
        2022,
        "https://arxiv.org/abs/2108.05623",
    ),
    topic="matrices and orthogonality",
    operations=(
        Operation(
            analyze_kernel,
            example={"kernel": _example(), "stride": 1, "sizes": [8, 16, 32]},
            work=analysis_work,
            unit="multiplications",
            inline_max=2e8,
            max=1e10,
            steps=analyze_kernel_steps,
            figure=_draw,
        ),
        Operation(
            check_existence,
            example={"out_channels": 16, "in_channels": 1, "kernel_size": 3, "stride": 4},
        ),
        Operation(
            fit_orthogonal_kernel,
            example={"out_channels": 6, "in_channels": 8, "kernel_size": 3},
            work=fit_work,
            unit="multiplications",
            inline_max=1e9,
            max=1e12,
            steps=fit_orthogonal_kernel_steps,
        ),
        Operation(
            analyze_padding,
            example={"kernel": _example(), "n": 6, "padding": "same"},
        ),
    ),
    claims=(
        Claim(
            "An orthogonal circular convolution exists exactly when M <= C k^2 (rows) or S <= k "
            "(columns).",
            "L-BFGS on L_orth from random kernels",
            "6 architectures that allow one reach L_orth < 1e-6, 5 that do not end within 1e-6 of "
            "the exact floor (M <= 20, C <= 8, k <= 4, S <= 4)",
            "reproduced",
        ),
        Claim(
            "L_orth knows the Frobenius error at every image size, and bounds the spectral error "
            "by a constant without the size in it.",
            "the matrix written out, and the spectrum up to 128 x 128",
            "N^2 L_orth equals the squared Frobenius error to 1e-12 in 5 architectures; for an "
            "orthogonal (6, 8, 3, 3) kernel with noise of 1e-3 the spectral error moves by less "
            "than 1 % from N = 8 to 128, while the Frobenius error grows 16-fold",
            "reproduced",
        ),
    ),
)
