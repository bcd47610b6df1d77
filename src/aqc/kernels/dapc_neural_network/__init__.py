"""Deep arbitrary polynomial chaos: networks of polynomials orthonormal under the data.

Oladyshkin, Praditia, Kroeker, Mohammadi, Nowak and Otte, arXiv:2306.14753. With P_k orthonormal
under the sample of one signal, a node of layer l answers

    u_j = sum_alpha W_{alpha j} Psi_alpha(x),  Psi_alpha(x) = prod_i P_{alpha_i}^{(i)}(x_i),
    |alpha| <= d_l,  x of the next layer = tanh(u)

A dense layer is the case of degree 1. The bases of deeper layers are rebuilt from the signals of
the training points at all weights, and frozen there for prediction.

Limits. Products of the polynomials are orthonormal for independent signals only, which those of
hidden layers are not: see `gram_error`, and the basis "gram". The paper's network sizes and its
tables were not at hand; fits are by Levenberg and Marquardt's method with a ridge, and whether
derivatives pass through the basis in the paper is unknown (here they do by default). Which
surrogate is better depends on the degrees and on the number of runs, as the claims tell. The
first layer's shares are Sobol indices of y only for a network without hidden layers.
"""

import numpy as np

from aqc.kernels._kernel import Claim, Kernel, Operation, Paper
from aqc.kernels.dapc_neural_network._basis import (
    Moments,
    PolynomialBasis,
    Samples,
    arbitrary_polynomial_chaos_basis,
    draw_basis,
)
from aqc.kernels.dapc_neural_network._compare import (
    Score,
    compare_steps,
    compare_surrogates,
    count_comparison,
    draw_scores,
)
from aqc.kernels.dapc_neural_network._models import Layer
from aqc.kernels.dapc_neural_network._surrogate import (
    Surrogate,
    count_work,
    dapc_neural_network,
    dapc_steps,
    draw_surrogate,
)

__all__ = [
    "KERNEL",
    "Layer",
    "Moments",
    "PolynomialBasis",
    "Samples",
    "Score",
    "Surrogate",
    "arbitrary_polynomial_chaos_basis",
    "compare_steps",
    "compare_surrogates",
    "dapc_neural_network",
    "dapc_steps",
]

_RNG = np.random.default_rng(0)
_X = _RNG.uniform(-1, 1, (60, 2)).round(2)
_Y = (np.exp(_X[:, :1]) * np.sin(3 * _X[:, 1:])).round(3)

KERNEL = Kernel(
    paper=Paper(
        title="The Deep Arbitrary Polynomial Chaos Neural Network or how Deep Artificial Neural "
        "Networks could benefit from Data-Driven Homogeneous Chaos Theory",
        authors="Oladyshkin, Praditia, Kroeker, Mohammadi, Nowak, Otte",
        year=2023,
        link="https://arxiv.org/abs/2306.14753",
    ),
    topic="learning dynamics",
    operations=(
        Operation(
            dapc_neural_network,
            example={
                "x": _X.tolist(),
                "y": _Y.tolist(),
                "layers": [3],
                "degrees": [1, 3],
                "x_query": [[0.0, 0.0], [0.5, 0.5]],
                "restarts": 2,
            },
            work=count_work,
            unit="starts x evaluations x points x weights x terms",
            inline_max=1e8,
            max=5e10,
            steps=dapc_steps,
            figure=draw_surrogate,
        ),
        Operation(
            arbitrary_polynomial_chaos_basis,
            example={
                "source": {
                    "kind": "samples",
                    "values": _RNG.gamma(2.0, size=100).round(3).tolist(),
                    "degree": 4,
                }
            },
            figure=draw_basis,
        ),
        Operation(
            compare_surrogates,
            example={
                "x": _X[:40].tolist(),
                "y": _Y[:40].tolist(),
                "x_test": _X[40:].tolist(),
                "y_test": _Y[40:].tolist(),
                "layers": [3],
                "degrees": [1, 3],
                "dense": [[6]],
                "chaos": [3],
                "restarts": 2,
            },
            work=count_comparison,
            unit="starts x evaluations x points x weights x terms",
            inline_max=1e8,
            max=5e10,
            steps=compare_steps,
            figure=draw_scores,
        ),
    ),
    claims=(
        Claim(
            claim="Polynomials orthonormal under the data themselves carry the layers.",
            baseline="Hermite's and Legendre's recurrences, moments of the sample, exact Sobol "
            "indices",
            measured="200 uniform samples, degree 8: Gram matrix to 1e-12, Gauss rule's moments to "
            "1e-9; one layer of degree 8 on 2048 Sobol' points gives the Ishigami function's "
            "variance to 0.05 and its indices to 0.003. Products are not orthonormal for dependent "
            "signals",
            outcome="reproduced",
        ),
        Claim(
            claim="The network needs fewer data than conventional networks and plain polynomial "
            "chaos.",
            baseline="tanh networks 3-14-1 (71 weights) and 3-8-8-1 (113), chaos of degree 4 and 6",
            measured="Ishigami function, 10 draws, error over deviation on 2000 fresh points, "
            "median (least to largest). 100 runs: nodes 5, degrees 1 and 3 (76 weights) 0.22 (0.18 "
            "to 0.43), tanh 0.29 and 0.28, chaos 0.76 and 1.15, better than the first tanh network "
            "in 8 draws; nodes 4, degrees 2 and 2 (55 weights) 0.15 (0.07 to 0.78), better in 6 "
            "and far worse in 4. 200 runs, nodes 4, degrees 2 and 2: 0.06, tanh 0.24 and 0.18, "
            "chaos 0.59 and 0.28, best in all draws",
            outcome="in part",
        ),
    ),
)
