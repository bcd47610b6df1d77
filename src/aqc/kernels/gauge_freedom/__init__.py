"""What a diffusion model's vector field may be, split into a gradient and a gauge field.

C. Horvat and J.-P. Pfister, "On gauge freedom, conservativity and intrinsic dimensionality
estimation in diffusion models", ICLR 2024, arXiv 2402.03845. A field at one noise level is

    s = grad phi + r,   div r + r . grad log p = 0,

orthogonal in L2(p). The probability flow is exact when grad phi is the true score, whatever r is.

Limits: the paper's experiment on dimensions trains networks; here the fields are exact (of a
mixture or of the data points themselves), with a gauge field of known size. That a field which is
not conservative spoils the estimate is seen for large gauge fields only.
"""

import numpy as np

from aqc.kernels._kernel import Claim, Kernel, Operation, Paper
from aqc.kernels.gauge_freedom import dimension, flow
from aqc.kernels.gauge_freedom.decomposition import (
    Decomposition,
    FourierFeatures,
    Polynomials,
    decompose_field,
    decomposition_work,
)
from aqc.kernels.gauge_freedom.dimension import (
    Dimensions,
    Points,
    dimension_work,
    estimate_dimension,
    estimate_dimension_steps,
)
from aqc.kernels.gauge_freedom.fields import Mixture
from aqc.kernels.gauge_freedom.flow import (
    Exact,
    Flow,
    Gauge,
    Linear,
    Scaled,
    energy_distance,
    flow_samples,
    flow_work,
)

__all__ = [
    "Decomposition",
    "Dimensions",
    "Exact",
    "Flow",
    "FourierFeatures",
    "Gauge",
    "Linear",
    "Mixture",
    "Points",
    "Polynomials",
    "Scaled",
    "decompose_field",
    "energy_distance",
    "estimate_dimension",
    "estimate_dimension_steps",
    "flow_samples",
]

_GRID = [[round(1.3 * np.cos(k), 3), round(0.8 * np.sin(1.7 * k), 3)] for k in range(60)]
_CIRCLE = [
    [round(np.cos(2 * np.pi * k / 60), 4), round(np.sin(2 * np.pi * k / 60), 4), 0.0]
    for k in range(60)
]
_MIXTURE = {
    "weights": [0.5, 0.3, 0.2],
    "means": [[-2.0, 0.0], [2.0, 1.0], [0.5, -2.0]],
    "covariances": [[[0.5, 0.2], [0.2, 0.3]], [[0.3, 0.0], [0.0, 0.6]], [[0.2, -0.1], [-0.1, 0.4]]],
}

KERNEL = Kernel(
    paper=Paper(
        title="On gauge freedom, conservativity and intrinsic dimensionality estimation in "
        "diffusion models",
        authors="Horvat, Pfister",
        year=2024,
        link="https://arxiv.org/abs/2402.03845",
    ),
    topic="mathematics and statistics",
    operations=(
        Operation(
            decompose_field,
            example={
                "samples": _GRID,
                "field": [[round(y - x, 3), round(-x - y, 3)] for x, y in _GRID],
            },
            work=decomposition_work,
            unit="samples x dimensions x functions x (functions + 20 dimensions)",
            inline_max=2e8,
            max=2e10,
        ),
        Operation(
            flow_samples,
            example={
                "mixture": _MIXTURE,
                "field": {"skew": [[0.0, 1.0], [-1.0, 0.0]]},
                "n": 200,
                "steps": 100,
            },
            work=flow_work,
            unit="steps x samples x components x dimensions squared",
            inline_max=5e7,
            max=5e8,
            figure=flow.draw,
        ),
        Operation(
            estimate_dimension,
            example={"source": {"data": _CIRCLE}, "steps": 60, "n_queries": 4},
            work=dimension_work,
            unit="trajectories x steps x points x dimensions squared",
            inline_max=2e8,
            max=1e11,
            steps=estimate_dimension_steps,
            figure=dimension.draw,
        ),
    ),
    claims=(
        Claim(
            claim="Exact sampling needs grad phi to be the score, not the field to be conservative",
            baseline="energy distance of two samples of the mixture",
            measured="3 Gaussians in 2-D, 2500 samples, 5 seeds: exact and gauged field within 2x "
            "the null distance; a curl that is no gauge field, and 1.2 x score, over 8x the exact",
            outcome="reproduced",
        ),
        Claim(
            claim="A conservative field is desirable for the dimension of the data's manifold",
            baseline="exact score with gauge fields of norm c, sampling equally exact",
            measured="sphere in R^5, 1200 points, 24 queries, 5 seeds: c=0 and 1 right in 22 or "
            "more, c=3 in 20 to 24 (slope) and 21 to 24 (gap), c=6 in fewer than 20 and 18 on "
            "average; the exact score of 1500 points right in 22 or more; of a Swiss roll of 1500 "
            "points, no gauge field, in 14 to 18 (slope) and 12 to 17 (gap)",
            outcome="in part",
        ),
    ),
)
