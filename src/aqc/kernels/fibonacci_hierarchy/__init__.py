"""A text parsed by phrases whose places an aperiodic tiling allows, at ten levels.

R. Tacconelli, "Aperiodic Structures Never Collapse", arXiv 2603.14999 (Quasicryth). A sequence of
words is tiled by L (two words) and S (one); deflation L S -> L', L -> S' makes a hierarchy of
phrases of 2, 3, 5, ..., 144 words. With the Fibonacci tiling every level keeps its share,
W / phi^(k+2) phrases; a periodic tiling has none beyond a level that depends on its period.

Limits: this is the controlled comparison of tilings with one code, not the paper's compressor:
no LZ77, no recency cache, no range coder, and escapes and codebooks, equal for all tilings, are
not counted; ratios of file sizes did not come from here. The large advantage that the paper
states compares twelve aperiodic tilings with ONE periodic one: the comparison with equally many is
told beside it, and is far smaller.
"""

from aqc.kernels._kernel import Claim, Kernel, Operation, Paper
from aqc.kernels.fibonacci_hierarchy.parse import (
    Comparison,
    Parse,
    compare_tilings,
    compare_tilings_steps,
    decode_phrases,
    krichevsky_trofimov_bits,
    parse_phrases,
)
from aqc.kernels.fibonacci_hierarchy.tiling import (
    CutAndProject,
    Hierarchy,
    Periodic,
    describe_tiling,
)
from aqc.kernels.fibonacci_hierarchy.tokens import Bytes, Source, Text, Tokens

__all__ = [
    "Bytes",
    "Comparison",
    "CutAndProject",
    "Hierarchy",
    "Parse",
    "Periodic",
    "Text",
    "Tokens",
    "compare_tilings",
    "compare_tilings_steps",
    "decode_phrases",
    "describe_tiling",
    "krichevsky_trofimov_bits",
    "parse_phrases",
]


def _words(source: Source) -> float:
    """Return about how many words a source has, without splitting it."""
    if isinstance(source, Tokens):
        return float(len(source.tokens))
    return len(source.text if isinstance(source, Text) else source.base64) / 4


_TEXT = (
    "The rain fell on the roof of the house, and the rain fell on the road. When the rain fell on "
    "the roof of the house, the children sat by the window and counted the drops. "
) * 4

KERNEL = Kernel(
    paper=Paper(
        title="Aperiodic Structures Never Collapse",
        authors="Tacconelli",
        year=2026,
        link="https://arxiv.org/abs/2603.14999",
    ),
    topic="mathematics and statistics",
    operations=(
        Operation(
            parse_phrases,
            example={"source": {"text": _TEXT}},
            work=lambda source, **_: _words(source),
            unit="words",
            inline_max=3e5,
            max=2e6,
        ),
        Operation(
            compare_tilings,
            example={"source": {"text": _TEXT}},
            work=lambda source, **_: 5 * _words(source),
            unit="words x tilings",
            inline_max=5e5,
            max=1e7,
            steps=compare_tilings_steps,
        ),
        Operation(describe_tiling, example={"tiling": {"pattern": "LLSLS"}, "n_words": 10000}),
    ),
    claims=(
        Claim(
            claim="No level of the Fibonacci hierarchy collapses; every periodic one does",
            baseline="LLSLS, and periodic approximants 34/55, 55/89",
            measured="1e6 words: 381966, 236067, ..., 5025 phrases at ten levels, each covering "
            "0.72 of the words; LLSLS has none from 13 words on, longer periods die later",
            outcome="reproduced",
        ),
        Claim(
            claim="The aperiodic hierarchy saves bits on text with long repeats, more the longer",
            baseline="LLSLS, one tiling each, equal codebooks; the same words without repeats",
            measured="Zipf words with 400-word passages, 5 seeds: 1.3 % of 20k words, 0.3 % of "
            "200k, in bytes growing with the length; without passages below 0.1 %",
            outcome="reproduced",
        ),
        Claim(
            claim="A large advantage over the periodic hierarchy",
            baseline="equally many tilings on both sides",
            measured="Zipf words with passages, 20k words, 5 seeds: twelve phases against one "
            "LLSLS save more than 1.3x what five against five rotations save",
            outcome="in part",
        ),
    ),
)
