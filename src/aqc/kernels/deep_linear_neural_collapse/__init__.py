"""Neural collapse in deep linear networks: the minimum in closed form, and measures of collapse.

Dang, Tran, Osher, Tran-The, Ho, Nguyen, arXiv:2301.00437. A network W_M ... W_1 H over free
features H, with weight decay on all of them, is driven to a minimum whose geometry depends on how
many samples n_k each class has:

- squared error without bias: features of a class agree and are orthogonal to the other classes';
  weights and lengths follow from a scalar equation for each class, and classes that are too small
  vanish (minority collapse);
- balanced classes with a bias, or with the cross-entropy and up to two layers: a simplex
  equiangular tight frame.

Limits: with the cross-entropy and three layers the simplex frame is a local minimum only; one of
lower rank is better (so Garrod, Keating, arXiv:2410.23169, and so our tests). With a bias or the
cross-entropy on imbalanced data no closed form is known, and `minimize_collapse` gives a numerical
answer, the best of several starts. Trained networks with nonlinear layers are not minima of this
problem; `measure_collapse` tells how near they are.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from aqc.kernels._kernel import Claim, Kernel, Operation, Paper
from aqc.kernels.deep_linear_neural_collapse._closed_form import Minimum, find_minimum
from aqc.kernels.deep_linear_neural_collapse._metrics import Collapse, Distance, measure_collapse
from aqc.kernels.deep_linear_neural_collapse._minimize import (
    Descent,
    minimize_collapse,
    minimize_collapse_steps,
    minimizing_work,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "KERNEL",
    "Collapse",
    "Descent",
    "Distance",
    "Minimum",
    "find_minimum",
    "measure_collapse",
    "minimize_collapse",
    "minimize_collapse_steps",
]


def _draw(result: Minimum) -> "Figure":
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    classes = np.arange(1, len(result.alive) + 1)
    for layer, values in enumerate(result.singular_values, 1):
        axes.plot(classes, values, "o-", ms=4, label=f"$s_k$ of $W_{{{layer}}}$")
    axes.plot(classes, result.feature_norms, "s--", ms=4, color="k", label="$|h_k|$")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("class $k$, as given")
    axes.set_ylabel("length at the minimum")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize="small")
    return figure


def _measuring_work(features: np.ndarray, classifier: np.ndarray, **_: Any) -> float:
    n, d = features.shape
    return 4.0 * n * d * min(len(classifier), d)


def _collapsing() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    labels = np.arange(18) % 3
    frame = np.eye(3) - 1 / 3
    return {
        "features": (frame[labels] + 0.05 * rng.normal(size=(18, 3))).round(3).tolist(),
        "labels": labels.tolist(),
        "classifier": (2 * frame + 0.05 * rng.normal(size=(3, 3))).round(3).tolist(),
    }


KERNEL = Kernel(
    paper=Paper(
        "Neural Collapse in Deep Linear Networks: From Balanced to Imbalanced Data",
        "Dang, Tran, Osher, Tran-The, Ho, Nguyen",
        2023,
        "https://arxiv.org/abs/2301.00437",
    ),
    topic="learning dynamics",
    operations=(
        Operation(
            find_minimum,
            example={
                "class_counts": [60, 30, 20, 5],
                "depth": 3,
                "weight_decay": [2e-3, 1e-3, 1e-3],
                "feature_decay": 1e-3,
            },
            figure=_draw,
        ),
        Operation(
            minimize_collapse,
            example={
                "class_counts": [8, 6, 4],
                "width": 6,
                "weight_decay": [5e-3],
                "feature_decay": 5e-3,
                "starts": 2,
            },
            work=minimizing_work,
            unit="multiplications",
            inline_max=4e9,
            max=1e12,
            steps=minimize_collapse_steps,
        ),
        Operation(
            measure_collapse,
            example=_collapsing(),
            work=_measuring_work,
            unit="multiplications",
            inline_max=1e10,
            max=1e12,
        ),
    ),
    claims=(
        Claim(
            "The global minimum for any class sizes has a closed form.",
            "L-BFGS from 3 random starts",
            "class sizes 40, 30, 20, 10, width 12, depths 1 to 3: losses agree to 1e-10, the "
            "classifier's Gram matrix to 1e-5",
            "reproduced",
        ),
        Claim(
            "Classes below a critical size vanish altogether (minority collapse).",
            "L-BFGS from 3 random starts on both sides of the threshold",
            "class sizes 60, 30, 20, 5, depth 2: all four live at decays of 5e-3, the smallest one "
            "is gone at 1.2e-2, in both",
            "reproduced",
        ),
        Claim(
            "With the squared error balanced classes collapse to a simplex equiangular tight frame "
            "with a bias, to an orthogonal frame without.",
            "the other frame: 0.5 and more away",
            "4 classes of 25 samples, depths 2 and 3: within 1e-5 of the right frame",
            "reproduced",
        ),
        Claim(
            "With the cross-entropy the global minimum for balanced classes is a simplex "
            "equiangular tight frame.",
            "L-BFGS from random starts, and the least loss over all simplex frames",
            "4 classes of 25 samples, decays 1e-3: within 1e-5 of the frame at depths 1 and 2; at "
            "depth 3 the frame (loss 0.03822) is a local minimum, and a solution of rank 2 has "
            "0.03458 (5 seeds of 8 starts)",
            "in part",
        ),
    ),
)
