"""How far a Taylor model of softmax cross-entropy can be trusted: zeros of the partition function.

Sao, arXiv:2603.13552. Along a step's direction v the logits move as z_k + a_k t, a = J v, and

    F(t) = sum_k exp(z_k + a_k t),  loss = -z_y(t) + log F(t)

has the radius of convergence rho* = least |t| with F(t) = 0. With D = max_k a_k - min_k a_k every
zero has |Im t| >= pi / D, so that rho* >= rho = pi / D; with two classes rho* =
sqrt((z_1 - z_2)^2 + pi^2) / |a_1 - a_2|. At temperature T all logits are over T. A step p is capped
to p min(1, rho / ||p||), rho the least of the batch.

Limits. The bound is that of the logits' linear model along the step; networks with ReLUs are not
analytic, so that there it is empirical. It is computed on a batch and says nothing of other data.
The loss may rise within the radius: it bounds the trust in a Taylor model, not the descent.
"""

import numpy as np

from aqc.kernels._kernel import Claim, Kernel, Operation, Paper
from aqc.kernels.softmax_convergence_radius._radius import (
    NearestZeros,
    Radius,
    TaylorErrors,
    cap_step_to_radius,
    draw_taylor_errors,
    expand_in_taylor_series,
    find_nearest_zeros,
    radius_of_step,
    softmax_convergence_radius,
)
from aqc.kernels.softmax_convergence_radius._training import (
    SpikeComparison,
    SpikeRun,
    compare_controllers,
    compare_steps,
    count_work,
    draw_comparison,
)

__all__ = [
    "KERNEL",
    "NearestZeros",
    "Radius",
    "SpikeComparison",
    "SpikeRun",
    "TaylorErrors",
    "cap_step_to_radius",
    "compare_controllers",
    "compare_steps",
    "expand_in_taylor_series",
    "find_nearest_zeros",
    "radius_of_step",
    "softmax_convergence_radius",
]

_RNG = np.random.default_rng(0)
_LOGITS, _DERIVATIVES = _RNG.normal(size=(2, 8, 5)).round(3)
_LABELS = np.arange(32) % 2
_POINTS = (_RNG.normal(size=(32, 3)) + 2 * _LABELS[:, None]).round(2)

KERNEL = Kernel(
    paper=Paper(
        title="Ghosts of Softmax: Complex Singularities That Limit Safe Step Sizes in "
        "Cross-Entropy",
        authors="Sao",
        year=2026,
        link="https://arxiv.org/abs/2603.13552",
    ),
    topic="learning dynamics",
    operations=(
        Operation(
            softmax_convergence_radius,
            example={
                "logits": _LOGITS.tolist(),
                "derivatives": _DERIVATIVES.tolist(),
                "step_norm": 3.0,
            },
        ),
        Operation(
            find_nearest_zeros,
            example={"logits": _LOGITS.tolist(), "derivatives": _DERIVATIVES.tolist()},
            work=lambda logits, **_: float(logits.size),
            unit="logits",
            inline_max=2000,
            max=20_000,
        ),
        Operation(
            expand_in_taylor_series,
            example={"logits": [1.0, 0.5, -0.7, 0.2], "derivatives": [0.6, -0.4, 0.1, 0.9]},
            figure=draw_taylor_errors,
        ),
        Operation(
            compare_controllers,
            example={
                "points": _POINTS[:20].tolist(),
                "labels": _LABELS[:20].tolist(),
                "test_points": _POINTS[20:].tolist(),
                "test_labels": _LABELS[20:].tolist(),
                "steps": 100,
                "batch": 10,
                "hidden": 16,
                "seeds": 1,
            },
            work=count_work,
            unit="multiplications (3 x seeds x steps x batch x weights)",
            inline_max=1e9,
            max=1e12,
            steps=compare_steps,
            figure=draw_comparison,
        ),
    ),
    claims=(
        Claim(
            claim="No zero is nearer than pi / D.",
            baseline="the exact nearest zero",
            measured="200 random samples of 3 to 10 classes: exact radius over bound 1.00 at "
            "least, 1.7 in the median; exact radii agree with roots of polynomials to 1e-9",
            outcome="reproduced",
        ),
        Claim(
            claim="Capping steps to the radius carries training through a spike of the learning "
            "rate.",
            baseline="Adam without control, and with gradients clipped to norm 1",
            measured="Digits, network 64-128-10, 200 steps, rate x 1000 for one step, 5 seeds, "
            "test accuracy: 0.95 to 0.96 controlled for 0.82 to 0.91 plain and 0.84 to 0.92 "
            "clipped at the rate 0.001; 0.97 to 0.99 for 0.61 to 0.92 and 0.70 to 0.96 at 0.01",
            outcome="reproduced",
        ),
        Claim(
            claim="A step within the radius keeps the accuracy, a step far beyond it does not.",
            baseline="the trained network",
            measured="Digits, linear 64-10 and 64-64-10 with tanh, with normalized layers and with "
            "ReLU, 5 seeds: at 0.99 of the radius at least 0.95 of the accuracy is kept by all; at "
            "30 times at most 0.45 in random directions; along the gradient 0.84 to 0.99 by the "
            "linear and the tanh network, 0.3 to 0.6 by the others",
            outcome="in part",
        ),
        Claim(
            claim="Radii explain at which step the loss breaks at different temperatures: dividing "
            "by them takes the spread of the logarithms from 0.99 to 0.16.",
            baseline="the steps themselves",
            measured="Linear and tanh networks, temperatures 1/4 to 64, 5 seeds, step at which the "
            "loss doubles (the paper does not define its onset): 2.6 to 3.2 times less spread "
            "along the gradient, 3.2 to 6.8 times in random directions; the paper's 6 only there",
            outcome="in part",
        ),
    ),
)
