"""Gated delta-rule residuals in deep transformers, and whether tokens keep their rank.

Su and You, arXiv:2601.01014. A sublayer writes v, gated; the update may also erase:

    v = sublayer(LN x) * sigmoid(LN(x) W_gate),  x' = x + beta (v - alpha Proj(x))

With Proj(x) = k (k . x), k = v / |v|, this is x' = (1 - beta alpha k k^T) x + beta v, whose matrix
has the eigenvalues 1 and, once, 1 - beta alpha: identity at beta = 0, projection at 1, reflection
at 2 (alpha = 1).

Limits. The paper is a proposal: it has equations and no experiment. How it makes the gate, beta
and Proj was not at hand; they are choices here, after Deep Delta Learning (arXiv:2601.00417), and
they decide: with Proj(x) = x the rank is not kept, and with a vector of betas the gate adds
nothing to it. The "mhc" here is a gate, not the Sinkhorn connections of that name. All is at random
initialization, which says nothing of trained networks. A high rank is what noise has, too: with
beta = 2 sigmoid the tokens of "mgt" end with no memory of where they began (`identity`), where the
gate alone, of lower rank, keeps some.
"""

import numpy as np

from aqc.kernels._kernel import Claim, Kernel, Operation, Paper
from aqc.kernels.manifold_geometric_transformer._block import (
    Settings,
    draw_block,
    manifold_geometric_block,
)
from aqc.kernels.manifold_geometric_transformer._gradients import (
    Gradients,
    Mlp,
    OwnProfile,
    Stack,
    Sublayers,
    draw_gradients,
    gradient_work,
    own_work,
    profile_gradients,
    profile_own_layers,
)
from aqc.kernels.manifold_geometric_transformer._profile import (
    Profile,
    count_work,
    draw_profiles,
    profile_rank_collapse,
    profile_steps,
)

__all__ = [
    "KERNEL",
    "Gradients",
    "Mlp",
    "OwnProfile",
    "Profile",
    "Settings",
    "Stack",
    "Sublayers",
    "draw_block",
    "manifold_geometric_block",
    "profile_gradients",
    "profile_own_layers",
    "profile_rank_collapse",
    "profile_steps",
]

_RNG = np.random.default_rng(0)
_TOKENS = (_RNG.normal(size=(12, 16)) + _RNG.normal(size=16)).round(2)


def _layers() -> dict[str, object]:
    def draw(*shape: int) -> object:
        return (_RNG.normal(size=shape) / 8**0.5).round(1).tolist()

    own = {"gate": draw(1, 8, 8), "beta": draw(1, 8, 1), "bias": [0.0]}
    return {name: draw(1, 8, 8) for name in ("query", "key", "value", "out")} | {"own": own}


KERNEL = Kernel(
    paper=Paper(
        title="Geometric and Dynamic Scaling in Deep Transformers",
        authors="Su, You",
        year=2026,
        link="https://arxiv.org/abs/2601.01014",
    ),
    topic="learning dynamics",
    operations=(
        Operation(
            profile_rank_collapse,
            example={"x": _TOKENS.tolist(), "depth": 24, "rules": ["vanilla", "mgt"]},
            work=count_work,
            unit="multiplications (rules x seeds x depth x those of a layer)",
            inline_max=1e10,
            max=5e12,
            steps=profile_steps,
            figure=draw_profiles,
        ),
        Operation(
            profile_gradients,
            example={
                "x": _TOKENS[:, :8].tolist(),
                "depth": 12,
                "rules": ["vanilla", "mgt"],
                "mlp": False,
            },
            work=gradient_work,
            unit="multiplications (4 rules x seeds x depth x those of a layer)",
            inline_max=1e10,
            max=2e12,
            figure=draw_gradients,
        ),
        Operation(
            profile_own_layers,
            example={"x": _TOKENS[:5, :8].tolist(), "layers": _layers()},
            work=own_work,
            unit="multiplications (4 depth x those of a layer)",
            inline_max=1e10,
            max=2e12,
        ),
    ),
    claims=(
        Claim(
            claim="Gate and erasure together keep the tokens from collapsing in depth (a "
            "prediction: the paper has no experiment).",
            baseline="the plain residual, the gate alone, the erasure alone",
            measured="At initialization, 64 tokens of width 64, 128 blocks, 2 inputs x 5 networks, "
            "effective rank at the end: both 44 to 46, plain 10 to 12, gate 19 to 25, erasure 31 "
            "to 41. But with Proj(x) = x it is 1.0 (beta a vector: 1.6 to 31), and with a vector "
            "of betas erasure alone does as well (48 to 50, both 48 to 50). Nothing was trained",
            outcome="in part",
        ),
        Claim(
            claim="Tokens of high rank remember where they began (not of the paper: a check of "
            "what the rank tells).",
            baseline="the gate alone; chance, 1 / 64",
            measured="The same runs, share of tokens whose nearest first token is their own, mean "
            "of 5 networks for each input: both 0.02 and 0.01, which is chance, gate alone 0.16 "
            "and 0.12 at half the rank. With a vector of betas both 0.19 and 0.17",
            outcome="in part",
        ),
        Claim(
            claim="Attention without residuals loses its rank doubly exponentially (known before).",
            baseline="the input's effective rank",
            measured="64 tokens of width 64, 5 networks: effective rank 1.00 by layer 4; with the "
            "norm after the plain residual at most 1.2 by layer 32",
            outcome="reproduced",
        ),
    ),
)
