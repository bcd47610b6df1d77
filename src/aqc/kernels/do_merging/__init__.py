"""DO-Merging: one LoRA adapter made of several, without data (arXiv:2505.15875).

Adapter i changes a layer by W_i = B_i A_i with A_i (r_i x n) and B_i (m x r_i). The factors of
different tasks are first made nearly orthogonal by small perturbations, for A

    min over dA of  sum_{i != j} ||(A_i + dA_i)(A_j + dA_j)^T||_F^2 + gamma sum_i ||dA_i||_F^2

and for B with (B_i + dB_i)^T (B_j + dB_j). Then each update is split into the norms a_i of its
columns and columns of unit length D_i = W_i / a_i, and these are merged apart:

    W* = lambda (sum_i a_i) (.) (sum_i D_i),   lambda = 1 / T^2.

Limits: the paper's own text was not at hand, only its abstract and accounts of it. Adam's step
size and number of steps are ours. The benchmarks of the paper (vision and language models) are
not repeated here; the claim is tried on synthetic adapters, scored by the direction of what a
layer puts out. At equal magnitudes of the adapters decoupling alone is worse than averaging.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from aqc.kernels._kernel import Claim, Kernel, Operation, Paper
from aqc.kernels.do_merging._compare import (
    Comparison,
    Score,
    compare_merges,
    synthetic_adapters,
)
from aqc.kernels.do_merging._merge import Merged, merge_adapters, merge_adapters_steps

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "KERNEL",
    "Comparison",
    "Merged",
    "Score",
    "compare_merges",
    "merge_adapters",
    "merge_adapters_steps",
    "synthetic_adapters",
]


def _work(lora_a: tuple[np.ndarray, ...], lora_b: tuple[np.ndarray, ...], **rest: Any) -> float:
    ranks = sum(len(a) for a in lora_a)
    return float(rest["steps"] * ranks**2 * (lora_a[0].shape[1] + len(lora_b[0])))


def _draw_cosines(merged: Merged) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.6), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    titles = ("as given", "orthogonalized")
    pairs = zip(panels, (merged.cosines_before, merged.cosines_after), titles, strict=True)
    for panel, cosines, title in pairs:
        image = panel.imshow(cosines, vmin=-1, vmax=1, cmap="RdBu_r")
        panel.set(title=title, xlabel="adapter")
        ticks = range(0, len(cosines), max(1, len(cosines) // 8))
        panel.set(xticks=ticks, yticks=ticks)
    panels[0].set(ylabel="adapter")
    figure.colorbar(image, ax=panels, label="Frobenius cosine of the updates")
    return figure


def _draw_scores(comparison: Comparison) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    at = np.arange(len(comparison))
    axes.bar(at - 0.2, [s.mean for s in comparison], 0.4, label="mean over the tasks")
    axes.bar(at + 0.2, [s.worst for s in comparison], 0.4, label="worst task")
    axes.set_xticks(at, [name.replace("_", "\n") for name in comparison._fields])
    axes.axhline(0, color="0.3", linewidth=0.8)
    axes.set(ylabel="cosine with the task's own update")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.15), ncols=2, frameon=False)
    return figure


_EXAMPLE = {
    name: [factor.round(3).tolist() for factor in factors]
    for name, factors in zip(
        ("lora_a", "lora_b"),
        synthetic_adapters(tasks=3, size=8, rank=2, shared=0.25, spread=1.0, seed=5),
        strict=True,
    )
}

KERNEL = Kernel(
    paper=Paper(
        title="Decouple and Orthogonalize: A Data-Free Framework for LoRA Merging",
        authors="Zheng, Wang, Huang, Wang, Chen, Fan, Hu, Ye",
        year=2025,
        link="https://arxiv.org/abs/2505.15875",
    ),
    topic="matrices and orthogonality",
    operations=(
        Operation(
            merge_adapters,
            example=_EXAMPLE,
            work=_work,
            unit="steps x (sum of ranks)^2 x (m + n)",
            inline_max=4e9,
            max=4e12,
            steps=merge_adapters_steps,
            figure=_draw_cosines,
        ),
        Operation(
            compare_merges,
            example=_EXAMPLE,
            work=_work,
            unit="steps x (sum of ranks)^2 x (m + n)",
            inline_max=4e9,
            max=4e11,
            figure=_draw_scores,
        ),
    ),
    claims=(
        Claim(
            claim="Merging suffers from unequal magnitudes of the adapters; decoupled magnitude "
            "and direction do not",
            baseline="averaging (task arithmetic); TIES",
            measured="worst task's cosine, 4 synthetic adapters of 48 x 48 and rank 4, 8 seeds, "
            "spread of the log magnitudes 0 to 2: averaging 0.82 to 0.07, TIES 0.70 to -0.12, "
            "DO-Merging 0.86 to 0.81",
            outcome="reproduced",
        ),
        Claim(
            claim="Small data-free perturbations make the factors of different tasks orthogonal",
            baseline="the factors as given",
            measured="the same adapters, gamma 1, 100 steps: cross loss of A 6.7 to 0.32 at a "
            "relative perturbation of 0.25",
            outcome="reproduced",
        ),
        Claim(
            claim="Both halves together are better than either",
            baseline="decoupling alone; orthogonalization alone",
            measured="the same adapters, spread 1: both 0.83, decoupling 0.79, orthogonalization "
            "0.43. At equal magnitudes orthogonalization alone is best (0.87 against 0.86) and "
            "decoupling alone is worse than averaging (0.79 against 0.82)",
            outcome="in part",
        ),
    ),
)
