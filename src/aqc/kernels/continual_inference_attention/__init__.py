"""Continual inference: a window's attention and convolution, one token at a time, exactly.

Hedegaard, arXiv:2306.13474, with Continual Transformers (arXiv:2201.06268) and Continual 3D CNNs
(arXiv:2106.00050). A sliding window of n tokens has, when k_old, v_old leave and k_new, v_new come,

    D_i <- D_i - exp(s_i,old) + exp(s_i,new),  A_i <- A_i - exp(s_i,old) v_old + exp(s_i,new) v_new
    y_i = A_i / D_i,  s_ij = q_i k_j / d^(1/2)

for its other tokens (retroactive), or one query per step: y = softmax(q K^T / d^(1/2)) V. Until
the first window is full there is no output.

Limits. Subtraction loses digits when the scores of a row differ much: the loss is tracked, and
refused where it could pass 1e-10; the form with one query has no such limit. Multiplications per
step fall as 7 n d to 2 n^2 d, the time by far less. In an encoder of two blocks the first is
retroactive and the last answers one query; its layers and projections see all n tokens still, and
every block in between is regular. Left out: structured pruning, and the published networks and
their accuracies.
"""

import numpy as np

from aqc.kernels._kernel import Claim, Kernel, Operation, Paper
from aqc.kernels.continual_inference_attention._encoder import (
    EncodedStream,
    EncoderBlock,
    EncoderState,
    encode_continually,
    encoding_work,
)
from aqc.kernels.continual_inference_attention._steps import (
    ConvolutionState,
    RetroactiveState,
    TokenState,
    convolution_step,
    retroactive_step,
    token_step,
)
from aqc.kernels.continual_inference_attention._streams import (
    ConvolvedStream,
    Multiplications,
    RetroactiveOutputs,
    SingleOutputs,
    attend_retroactively,
    attend_with_one_query,
    convolve_continually,
    draw_outputs,
)

__all__ = [
    "KERNEL",
    "ConvolutionState",
    "ConvolvedStream",
    "EncodedStream",
    "EncoderBlock",
    "EncoderState",
    "Multiplications",
    "RetroactiveOutputs",
    "RetroactiveState",
    "SingleOutputs",
    "TokenState",
    "attend_retroactively",
    "attend_with_one_query",
    "convolution_step",
    "convolve_continually",
    "encode_continually",
    "retroactive_step",
    "token_step",
]

_RNG = np.random.default_rng(0)
_TOKENS = {name: _RNG.normal(size=(16, 1, 4)).round(2).tolist() for name in "qkv"}


def _block() -> dict[str, list[object]]:
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(("query", "key", "value", "out"), (2, 2))
    shapes |= {"up": (2, 3), "up_bias": (3,), "down": (3, 2), "down_bias": (2,)}
    drawn = {name: _RNG.normal(size=shape).round(2).tolist() for name, shape in shapes.items()}
    return drawn | {"scale": [[1.0] * 2] * 2, "shift": [[0.0] * 2] * 2}


def _work(q: np.ndarray, window: int, **_: object) -> float:
    return float(q.size * window)


KERNEL = Kernel(
    paper=Paper(
        title="Efficient Online Processing with Deep Neural Networks",
        authors="Hedegaard",
        year=2023,
        link="https://arxiv.org/abs/2306.13474",
    ),
    topic="learning dynamics",
    operations=(
        Operation(
            attend_retroactively,
            example=_TOKENS | {"window": 6},
            work=_work,
            unit="tokens x window x heads x d",
            inline_max=2e8,
            max=4e9,
        ),
        Operation(
            attend_with_one_query,
            example=_TOKENS | {"window": 6},
            work=_work,
            unit="tokens x window x heads x d",
            inline_max=1e9,
            max=2e10,
            figure=draw_outputs,
        ),
        Operation(
            convolve_continually,
            example={
                "x": _RNG.normal(size=(20, 2)).round(2).tolist(),
                "weights": _RNG.normal(size=(3, 2, 2)).round(2).tolist(),
                "bias": [0.1, -0.1],
            },
            work=lambda x, weights, **_: float(len(x) * weights.size),
            unit="inputs x weights",
            inline_max=1e9,
            max=2e10,
        ),
        Operation(
            encode_continually,
            example={
                "x": _RNG.normal(size=(14, 2)).round(2).tolist(),
                "blocks": [_block(), _block()],
                "window": 5,
            },
            work=encoding_work,
            unit="multiplications",
            inline_max=1e9,
            max=2e10,
        ),
    ),
    claims=(
        Claim(
            claim="The continual forms answer exactly as the windowed network does.",
            baseline="softmax over each window; convolution of the whole stream",
            measured="512 standard normal tokens, d = 64, windows of 64 and 120: all three agree "
            "to 1e-12, encoders of two and three blocks likewise; beyond score differences that "
            "doubles can carry the retroactive form refuses",
            outcome="reproduced",
        ),
        Claim(
            claim="Redundancy-free steps need about n times fewer multiplications.",
            baseline="all outputs of the window anew",
            measured="By formula, d = 64: one query 64 and 120 times fewer for n = 64 and 120, "
            "retroactive 18.6 and 34.5; operations counted by the compiler agree within a quarter. "
            "The published networks were not run",
            outcome="in part",
        ),
        Claim(
            claim="Steps are as much faster as they need fewer multiplications.",
            baseline="all outputs of the window anew, and its newest alone",
            measured="Five random inputs, one core, double precision, d = 64, processor time: "
            "one query 4 times (n = "
            "64) and 7 times (n = 120) less, retroactive 1.3 to 1.8 and 2.1 to 2.9 times. The "
            "newest output alone, from keys and values at hand, costs half of a continual step: "
            "what is saved are the others' projections",
            outcome="not reproduced",
        ),
    ),
)
