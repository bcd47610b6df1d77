"""How many numerically independent functions a hidden layer with bounded parameters offers.

L. Liu, T. Yu and H. Yong, "Numerical Approximation Capacity of Neural Networks with Bounded
Parameters", arXiv 2409.16697. The numerical span dimension of sigma(w . x + b) with (w, b) in a
box is finite for analytic activations: it saturates with the width, and units beyond are redundant.

    NSdim(eps) = #{k : s_k > eps s_1}

Limits: only the paper's abstract was at hand. The normalization, the default cuts and the
saturation width are our reading, and the paper's own tables were not compared with.
"""

import numpy as np

from aqc.kernels._kernel import Claim, Kernel, Operation, Paper
from aqc.kernels.nsdim.dimension import (
    Dimensions,
    Limit,
    dimension_work,
    draw,
    limit_dimension,
    limit_work,
    measure_dimension,
    measure_dimension_steps,
    measure_layer,
)
from aqc.kernels.nsdim.features import GaussLegendre, Points, Power, Uniform
from aqc.kernels.nsdim.fit import FitErrors, fit_random_features

__all__ = [
    "Dimensions",
    "FitErrors",
    "GaussLegendre",
    "Limit",
    "Points",
    "Power",
    "Uniform",
    "fit_random_features",
    "limit_dimension",
    "measure_dimension",
    "measure_dimension_steps",
    "measure_layer",
]

_X = [round(x, 4) for x in np.linspace(-1, 1, 60).tolist()]

KERNEL = Kernel(
    paper=Paper(
        title="Numerical Approximation Capacity of Neural Networks with Bounded Parameters: Do "
        "Limits Exist, and How Can They Be Measured?",
        authors="Liu, Yu, Yong",
        year=2024,
        link="https://arxiv.org/abs/2409.16697",
    ),
    topic="mathematics and statistics",
    operations=(
        Operation(
            measure_dimension,
            example={
                "domain": {"per_axis": 300},
                "activation": "tanh",
                "bound": 1.0,
                "widths": [10, 20, 40, 80, 160],
                "epsilons": [1e-3, 1e-6, 1e-9, 1e-12],
            },
            work=dimension_work,
            unit="points x width x rank",
            inline_max=5e9,
            max=1e12,
            steps=measure_dimension_steps,
            figure=draw,
        ),
        Operation(
            limit_dimension,
            example={"domain": {"per_axis": 100}, "activation": "sin", "bound": 5.0},
            work=limit_work,
            unit="points squared x nodes",
            inline_max=3e9,
            max=6e10,
        ),
        Operation(
            measure_layer,
            example={
                "points": [[x] for x in _X],
                "weights": [[0.5, 1.0, -1.5, 2.0]],
                "bias": [0.1, -0.3, 0.2, 0.0],
                "activation": "sigmoid",
            },
            work=lambda points, bias, **_: len(points) * len(bias) * min(len(points), len(bias)),
            unit="points x units x rank",
            inline_max=5e9,
            max=6e10,
        ),
        Operation(
            fit_random_features,
            example={
                "points": [[x] for x in _X],
                "target": [round(float(np.sin(3 * x)), 4) for x in _X],
                "activation": "tanh",
                "bound": 2.0,
                "widths": [5, 10, 20],
            },
            work=lambda points, widths, **_: sum(
                len(points) * m * min(len(points), m) for m in widths
            ),
            unit="points x width x rank",
            inline_max=2e9,
            max=3e10,
        ),
    ),
    claims=(
        Claim(
            claim="With bounded parameters an analytic activation saturates with the width",
            baseline="relu, same box and cut 1e-13",
            measured="1500 points, d=1: NSdim(800) / NSdim(400) at most 1.1 for tanh with R=1 and "
            "5, at least 1.7 for relu; growing with R",
            outcome="reproduced",
        ),
        Claim(
            claim="Units beyond the saturation are redundant for the approximation",
            baseline="the same features at small width",
            measured="sin(8x) e^x by tanh, R=1, 5 seeds (geometric mean): error falls by over 1e3 "
            "from 10 to 25 units and by less than 10 from 100 to 400",
            outcome="reproduced",
        ),
    ),
)
