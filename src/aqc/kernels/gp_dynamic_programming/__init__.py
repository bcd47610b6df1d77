"""A harvest policy from a short series, by a Gaussian process instead of a growth model.

C. Boettiger, M. Mangel and S. Munch, "Avoiding tipping points in fisheries management through
Gaussian process dynamic programming", Proc. R. Soc. B 2015, arXiv 1412.8081. The posterior of next
year's stock, with the uncertainty of the function and of the process, makes a transition matrix
for each escapement; dynamic programming on it,

    V(x) = max_h min(x, h) + (1 - delta) E V(x'),

gives a policy that is cautious where nothing has been seen.

Limits: unit amplitude of the process (stocks of order 1 to 10, else `scale`). The fits of the
rivals are true maximum-likelihood fits; with them, and data that come near the tipping point, AIC
mostly finds a model with one, so that selecting a model fails clearly only on data near
equilibrium.
"""

from aqc.kernels._kernel import Claim, Kernel, Operation, Paper
from aqc.kernels.gp_dynamic_programming.compare import (
    Comparison,
    Play,
    compare_policies,
    compare_policies_steps,
    simulate_stock,
)
from aqc.kernels.gp_dynamic_programming.gp import Priors
from aqc.kernels.gp_dynamic_programming.harvest import (
    Plan,
    Rivals,
    draw,
    fit_rivals,
    plan_harvest,
    plan_harvest_steps,
    sampler_work,
)
from aqc.kernels.gp_dynamic_programming.models import Fit, Model, Pairs, Series
from aqc.kernels.gp_dynamic_programming.planning import Policy

__all__ = [
    "Comparison",
    "Fit",
    "Model",
    "Pairs",
    "Plan",
    "Play",
    "Policy",
    "Priors",
    "Rivals",
    "Series",
    "compare_policies",
    "compare_policies_steps",
    "fit_rivals",
    "plan_harvest",
    "plan_harvest_steps",
    "simulate_stock",
]

_TRUTH = Model("allen", (2.0, 8.0, 5.0), 0.05)
_STOCK = [round(float(x), 3) for x in simulate_stock(_TRUTH, 5.5, 40, seed=1)]

KERNEL = Kernel(
    paper=Paper(
        title="Avoiding tipping points in fisheries management through Gaussian process dynamic "
        "programming",
        authors="Boettiger, Mangel, Munch",
        year=2015,
        link="https://arxiv.org/abs/1412.8081",
    ),
    topic="mathematics and statistics",
    operations=(
        Operation(
            plan_harvest,
            example={"data": {"stock": _STOCK}, "grid_max": 15.0, "n_mcmc": 2000},
            work=sampler_work,
            unit="weighted iterations",
            inline_max=2e8,
            max=1e11,
            steps=plan_harvest_steps,
            figure=draw,
        ),
        Operation(fit_rivals, example={"data": {"stock": _STOCK}, "grid_max": 15.0}),
        Operation(
            compare_policies,
            example={
                "data": {"stock": _STOCK},
                "truth": {"name": "allen", "parameters": [2.0, 8.0, 5.0], "sigma": 0.05},
                "start": 10.0,
                "grid_max": 15.0,
                "n_mcmc": 1000,
            },
            work=sampler_work,
            unit="weighted iterations",
            inline_max=1e8,
            max=1e11,
            steps=compare_policies_steps,
        ),
    ),
    claims=(
        Claim(
            claim="GPDP avoids the tipping point where the model that AIC selects crashes",
            baseline="Ricker, Allen, Myers by maximum likelihood, and the choice of AIC",
            measured="Allen truth, 25 series of 40 years from 8 (near equilibrium): relative "
            "profit 0.69 and crashes 1 % by GPDP, 0.39 and 74 % by AIC's choice, Ricker 0.25 and "
            "100 %; Myers has GPDP's profit with 33 % crashes",
            outcome="reproduced",
        ),
        Claim(
            claim="Near-optimal profit from a short series; Ricker and Myers fail",
            baseline="the true model's policy",
            measured="25 series from 5.5 that do not die out: GPDP 0.97, Allen 0.95, Myers 0.96, "
            "AIC's choice 0.95, Ricker 0.25: with true maximum-likelihood fits selection does not "
            "fail here",
            outcome="in part",
        ),
    ),
)
