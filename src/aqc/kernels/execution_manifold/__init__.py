"""Execution manifolds: how few directions a training takes, and where its commutators point.

Xu, arXiv:2602.10496v2. The trajectory of each attention matrix is said to stay in 3 to 4 dimensions
(principal components for 90 % of the variance), and the commutator of two SGD steps

    delta = theta_AB - theta_BA,  theta_AB = theta_A - eta g_B(theta_A),  theta_A = theta - eta g_A

to be aligned with those directions B early on: rho = ||B^T delta|| / ||delta|| up to ten times that
of a random subspace, while more than 92 % of delta lies outside.

Limits. A dimension is to be read against 6, which every long random walk in many dimensions has,
and a share outside against sqrt(1 - K / P), which every small subspace leaves; both are returned.
The paper draws ten random subspaces, here their mean is exact. The training here is smaller than
the paper's (two layers of width 64 unless asked otherwise). Text and code of the paper differ on
optimizer, length and batch; the code is followed, without the biases of its attention. The paper's
sparse autoencoders are left out.
"""

from typing import Any

import numpy as np

from aqc.kernels._kernel import Claim, Kernel, Operation, Paper
from aqc.kernels.execution_manifold._commutator import (
    Commutator,
    Projection,
    commutator,
    commutator_projection,
    mean_random_share,
    sgd_commutator,
)
from aqc.kernels.execution_manifold._dynamics import (
    Dynamics,
    modular_addition_dynamics,
    modular_addition_dynamics_steps,
)
from aqc.kernels.execution_manifold._outlook import draw_dynamics, dynamics_work
from aqc.kernels.execution_manifold._trajectory import (
    Dimensions,
    dimension_work,
    draw_dimensions,
    random_walk_shares,
    trajectory_effective_dimension,
)

__all__ = [
    "KERNEL",
    "Commutator",
    "Dimensions",
    "Dynamics",
    "Projection",
    "commutator",
    "commutator_projection",
    "mean_random_share",
    "modular_addition_dynamics",
    "modular_addition_dynamics_steps",
    "random_walk_shares",
    "sgd_commutator",
    "trajectory_effective_dimension",
]


def _trajectory() -> list[list[float]]:
    rng = np.random.default_rng(0)
    walk = rng.normal(size=(16, 8)).cumsum(0)
    line = np.outer(np.arange(16), rng.normal(size=4)) + 0.1 * rng.normal(size=(16, 4))
    rows: list[list[float]] = np.hstack([walk, line]).round(2).tolist()
    return rows


def _quadratic() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    a, b = (x @ x.T for x in rng.normal(size=(2, 4, 4)).round(1))
    names = ("linear_a", "linear_b", "theta")
    vectors = {name: rng.normal(size=4).round(2).tolist() for name in names}
    return {"hessian_a": a.round(2).tolist(), "hessian_b": b.round(2).tolist()} | vectors


_PATH = {"weights": _trajectory(), "block_sizes": [8, 4]}

KERNEL = Kernel(
    paper=Paper(
        title="Low-Dimensional Execution Manifolds in Transformer Learning Dynamics: Evidence from "
        "Modular Arithmetic Tasks",
        authors="Xu",
        year=2026,
        link="https://arxiv.org/abs/2602.10496",
    ),
    topic="learning dynamics",
    operations=(
        Operation(
            trajectory_effective_dimension,
            example=_PATH,
            work=dimension_work,
            unit="multiplications (snapshots^2 x weights)",
            inline_max=1e10,
            max=1e11,
            figure=draw_dimensions,
        ),
        Operation(
            commutator_projection,
            example=_PATH
            | {"commutators": np.random.default_rng(2).normal(size=(2, 12)).round(2).tolist()},
            work=dimension_work,
            unit="multiplications (snapshots^2 x weights)",
            inline_max=1e10,
            max=1e11,
        ),
        Operation(sgd_commutator, example=_quadratic()),
        Operation(
            modular_addition_dynamics,
            example={
                "markers": [1],
                "length": 8,
                "vocabulary": 16,
                "classes": 3,
                "width": 16,
                "layers": 1,
                "heads": 2,
                "steps": 150,
                "every": 10,
                "batch": 16,
                "learning_rate": 3e-3,
                "pairs": 3,
            },
            work=dynamics_work,
            unit="multiplications",
            inline_max=2e10,
            max=2e13,
            steps=modular_addition_dynamics_steps,
            figure=draw_dynamics,
        ),
    ),
    claims=(
        Claim(
            claim="Trajectories of attention matrices collapse onto 3 to 4 dimensions.",
            baseline="a random walk of as many snapshots: 6",
            measured="Sums of one or two values modulo 8, two layers of width 64, 1500 steps of "
            "AdamW, 5 seeds: 1 to 4 directions hold 90 % of the variance of every attention matrix "
            "at every time. One value is learned and two only in part (accuracy 0.87 to 0.97 over "
            "both; 0.89 to 0.95 after 3000 steps, in 3 to 4 directions)",
            outcome="reproduced",
        ),
        Claim(
            claim="Commutators are aligned with the execution subspace, up to ten times as much as "
            "with a random one, and less so as training converges.",
            baseline="mean over all subspaces of the same dimension",
            measured="The same runs: median ratio 3.5 to 4.9 in the first third of the "
            "measurements, 2.8 to 3.9 in the last. The fall is no larger than the scatter: single "
            "measurements vary by a factor of two, and of two runs of one seed that differ by "
            "rounding one fell and one rose",
            outcome="in part",
        ),
        Claim(
            claim="More than 92 % of a commutator lies outside of the execution subspace.",
            baseline="a random subspace of the same dimension, which leaves 99.97 % outside",
            measured="The same runs: at least 97.8 % at every time; any small subspace does so, "
            "and a random one more",
            outcome="in part",
        ),
        Claim(
            claim="Attention concentrates sharply.",
            baseline="the start of training: entropy 2.7 of at most 2.8",
            measured="The same runs: 0.3 to 0.9 in the end",
            outcome="reproduced",
        ),
    ),
)
