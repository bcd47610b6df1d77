"""Merging fine-tuned weights by the mean of their rotations in the Lie algebra so(d).

Yang, Shi, Liu, arXiv:2602.05943 (OrthoMerge). Each expert W_i = W0 R_i + tau_i is split into a
rotation from the right and a residual; the rotations are averaged as antisymmetric matrices A_i,
with the mean length put back in, and the residuals are added at a small scale:

    W* = W0 R(A*) + lambda sum_i tau_i,   R(A) = (I - A)^-1 (I + A)

Rotations leave the angles between neurons and the spectrum of W0 as they are.

Limits: formulas as in the authors' published code. Where W0^T W_i lacks rank the best R is
completed here by the nearest to I; an expert half a turn away has no Cayley transform and is
refused. In parameter distance to the experts the merge is not nearer than their average, and no
fine-tuned networks were tried: what is reproduced is the geometry.
"""

from typing import Any

import numpy as np

from aqc.kernels._kernel import Claim, Kernel, Operation, Paper
from aqc.kernels.orthomerge._measures import Geometry, Merged, geometry
from aqc.kernels.orthomerge._merge import (
    adapter_work,
    merge_adapters,
    merge_experts,
    merge_experts_steps,
    merging_work,
)
from aqc.kernels.orthomerge._rotations import cayley, inverse_cayley

__all__ = [
    "KERNEL",
    "Geometry",
    "Merged",
    "cayley",
    "geometry",
    "inverse_cayley",
    "merge_adapters",
    "merge_experts",
    "merge_experts_steps",
]


def _example() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    base = rng.normal(size=(6, 4))
    turns = rng.normal(0, 0.3, size=(3, 4, 4))
    experts = base @ cayley(turns - turns.swapaxes(1, 2)) + 0.05 * rng.normal(size=(3, 6, 4))
    return {"base": base.round(2).tolist(), "experts": experts.round(2).tolist()}


def _adapters() -> dict[str, Any]:
    turn = np.array([[0.0, -0.2], [0.2, 0.0]])
    skews = [[turn, 2 * turn], [3 * turn, -turn]]
    return {"base": _example()["base"], "skews": np.array(skews).tolist()}


KERNEL = Kernel(
    paper=Paper(
        "Orthogonal Model Merging",
        "Yang, Shi, Liu",
        2026,
        "https://arxiv.org/abs/2602.05943",
    ),
    topic="matrices and orthogonality",
    operations=(
        Operation(
            merge_experts,
            example=_example(),
            work=merging_work,
            unit="multiplications",
            inline_max=3e10,
            max=2e12,
            steps=merge_experts_steps,
        ),
        Operation(
            merge_adapters,
            example=_adapters(),
            work=adapter_work,
            unit="multiplications",
            inline_max=1e10,
            max=5e11,
        ),
    ),
    claims=(
        Claim(
            "Merging rotations in the Lie algebra keeps the hyperspherical energy and the "
            "spectrum.",
            "task arithmetic moves the energy of 354.9-359.2 by 0.04 to 3.9; the average moves the "
            "spectral norm by 4 to 7 %",
            "4 rotated experts of 32 x 24, 5 seeds: energy and spectral norm as the base's to "
            "1e-12",
            "reproduced",
        ),
        Claim(
            "The spectral norm stays put however many tasks are merged.",
            "task arithmetic: 0.96-1.08 of the base's for 2 tasks, growing to 1.62-1.77 for 8",
            "experts of 48 x 32, rotated by ||A|| = 1.5 with a residual of 10 %, 5 seeds: 0.998 to "
            "1.004 of the base's for 2, 3, 5 and 8 tasks",
            "reproduced",
        ),
        Claim(
            "Averaging rotations shortens them; the corrected mean does not.",
            "the plain average of the A_i",
            "4 random rotations: the average is 1.9 to 2.1 times too short, the merge's ||A*|| is "
            "the mean ||A_i|| to 1e-14",
            "reproduced",
        ),
    ),
)
