"""Fisher metric, inertia and regime parameter of an observer that is an exponential family.

M. Zhuravlev, "Verifying Good Regulator Conditions for Hypergraph Observers", arXiv 2603.09067.
With the Fisher matrix F and the ansatz M = F^2 (exact where the weights follow the mean
parameters, w_e = E[T_e]) the Type-II metric is

    g(beta) = M + beta F,   beta = alpha^2 / (1 - alpha),   0 <= alpha < 1.

The convergence time cond(g) rho(g) is least at beta* = lam_max - 2 lam_min where
kappa(F) = lam_max / lam_min > 2, and at alpha = 0 otherwise.

Limits: that optimum belongs to this functional. The paper says that other convergence models do
not give it, without our knowing their exact form: the four rivals here are our choice, and one of
them, (slowest time of g^-1 F) x cond(g^-1 F), has the same optimum. Numbers only: nothing here
tells a "quantum" from a "classical" observer, or verifies a good regulator.
"""

from aqc.kernels._kernel import Claim, Kernel, Operation, Paper
from aqc.kernels.good_regulator.flows import Flows, compare_flows, flow_work
from aqc.kernels.good_regulator.observers import Family, Given, Ising
from aqc.kernels.good_regulator.regime import Regime, Rival, analyze_regime, draw

__all__ = [
    "Family",
    "Flows",
    "Given",
    "Ising",
    "Regime",
    "Rival",
    "analyze_regime",
    "compare_flows",
]

_SQUARE = [[0, 1], [1, 2], [2, 3], [3, 0], [0, 2]]

KERNEL = Kernel(
    paper=Paper(
        title="Verifying Good Regulator Conditions for Hypergraph Observers: Natural Gradient "
        "Learning from Causal Invariance via Established Theorems",
        authors="Zhuravlev",
        year=2026,
        link="https://arxiv.org/abs/2603.09067",
    ),
    topic="mathematics and statistics",
    operations=(
        Operation(
            analyze_regime,
            example={
                "observer": {"n_vertices": 4, "edges": _SQUARE, "couplings": [0.5] * 5},
            },
            figure=draw,
        ),
        Operation(
            compare_flows,
            example={
                "observer": {
                    "n_vertices": 3,
                    "edges": [[0, 1], [1, 2], [0, 2]],
                    "couplings": [-0.5, 0.6, 0.1],
                },
                "target": [0.8, -0.3, 0.4],
            },
            work=flow_work,
            unit="states x parameters squared x evaluations",
            inline_max=2e10,
            max=2e12,
        ),
    ),
    claims=(
        Claim(
            claim="cond(g) rho(g) has a closed-form optimal alpha, with a threshold at kappa(F)=2",
            baseline="numerical minimization over alpha",
            measured="200 random F: equal to 1e-6 where kappa > 2, alpha = 0 elsewhere; K3, K4, K5 "
            "at J=0.5: 0.430, 0.601, 0.554; trees and 4- and 6-cycles: 0",
            outcome="reproduced",
        ),
        Claim(
            claim="Three other convergence models do not give this alpha",
            baseline="five functionals of our choice; the paper's own are not known to us",
            measured="four have their least time at alpha = 0 or 1; the fifth, cond / min rate of "
            "g^-1 F, gives the same alpha",
            outcome="in part",
        ),
        Claim(
            claim="Natural gradient learning does not depend on the parametrization",
            baseline="plain gradient in theta and in sinh(theta)",
            measured="3 spins, t<=4: probabilities differ by less than 1e-8, plain gradient by "
            "more than 1e-3",
            outcome="reproduced",
        ),
    ),
)
