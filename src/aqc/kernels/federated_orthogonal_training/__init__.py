"""Federated orthogonal training: new tasks are learned without touching what old inputs meet.

Bakman, Yaldiz, Ezzeldin and Avestimehr, arXiv:2309.01289 (ICLR 2024). With U_l an orthonormal basis
of what a layer's inputs were in earlier tasks, every round's averaged update is projected,

    W_l <- W_l - g_l (I - U_l U_l^T),  g_l = W_l - mean_c W_l,c   (FedProject),

so that W_l x stays for x in span U_l. At a task's end U_l is extended from the clients' sketches
Y_c = R_c G_c, R_c = A_c - U_l U_l^T A_c, and ratios rho_c = ||R_c|| / ||A_c|| alone (GPSE).

Limits. Secure aggregation is simulated by a plain sum; nothing here is a proof of privacy. The
sketch is square and its singular values noisy, so that eps is met roughly only: `captured` tells
what the subspace holds where raw activations are at hand. The threshold uses rho^2, which is
consistent with energies; the authors' code uses rho (`ratio_power` = 1). The networks here have no
biases and are smaller than the paper's, and the baseline is FedAvg, not other continual methods.
"""

from typing import Any

import numpy as np

from aqc.kernels._kernel import Claim, Kernel, Operation, Paper
from aqc.kernels.federated_orthogonal_training._figure import draw_federation
from aqc.kernels.federated_orthogonal_training._subspace import (
    Subspace,
    Update,
    federated_project,
    global_principal_subspace,
    sketch_activations,
    sketch_work,
    subspace_from_sketches,
    subspace_work,
)
from aqc.kernels.federated_orthogonal_training._training import (
    Federation,
    Learned,
    federated_orthogonal_training,
    federated_orthogonal_training_steps,
    training_work,
)

__all__ = [
    "KERNEL",
    "Federation",
    "Learned",
    "Subspace",
    "Update",
    "federated_orthogonal_training",
    "federated_orthogonal_training_steps",
    "federated_project",
    "global_principal_subspace",
    "sketch_activations",
    "subspace_from_sketches",
]


def _training_example() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    labels = np.arange(42) % 3
    points = (2.0 * np.eye(3, 5)[labels] + 0.5 * rng.normal(size=(42, 5))).round(1)
    return {
        "points": points[:24].tolist(),
        "labels": labels[:24].tolist(),
        "test_points": points[24:].tolist(),
        "test_labels": labels[24:].tolist(),
        "tasks": 3,
        "clients": 3,
        "rounds": 15,
        "batch": 8,
        "hidden": [16],
        "eps": 0.9,
    }


_RNG = np.random.default_rng(1)
_SUBSPACE = [[1.0, 0.0], [0.0, 0.6], [0.0, 0.8], [0.0, 0.0]]
_SKETCH = np.diag([0.0, 2.0, 1.0, 0.1]) @ _RNG.normal(size=(4, 4))

KERNEL = Kernel(
    paper=Paper(
        title="Federated Orthogonal Training: Mitigating Global Catastrophic Forgetting in "
        "Continual Federated Learning",
        authors="Bakman, Yaldiz, Ezzeldin, Avestimehr",
        year=2024,
        link="https://arxiv.org/abs/2309.01289",
    ),
    topic="learning dynamics",
    operations=(
        Operation(
            federated_project,
            example={
                "weights": np.zeros((3, 4)).tolist(),
                "client_weights": _RNG.normal(size=(2, 3, 4)).round(2).tolist(),
                "subspace": _SUBSPACE,
            },
        ),
        Operation(
            global_principal_subspace,
            example={
                "client_activations": _RNG.normal(size=(3, 6, 4)).round(2).tolist(),
                "subspace": _SUBSPACE,
            },
            work=subspace_work,
            unit="multiplications (inputs^2 x samples)",
            inline_max=3e9,
            max=5e11,
        ),
        Operation(
            subspace_from_sketches,
            example={
                "sketch": _SKETCH.round(2).tolist(),
                "ratios": [0.8, 0.9],
                "counts": [20, 30],
                "subspace": _SUBSPACE,
            },
            work=sketch_work,
            unit="multiplications (inputs^2 x columns)",
            inline_max=3e9,
            max=5e11,
        ),
        Operation(
            federated_orthogonal_training,
            example=_training_example(),
            work=training_work,
            unit="multiplications",
            inline_max=2e10,
            max=2e13,
            steps=federated_orthogonal_training_steps,
            figure=draw_federation,
        ),
    ),
    claims=(
        Claim(
            claim="Orthogonal updates mitigate global forgetting: more accuracy over all tasks, "
            "less forgetting.",
            baseline="FedAvg from the same start on the same batches (the paper compares with "
            "other continual methods)",
            measured="Five pixel permutations of scikit-learn's digits, 10 clients, 40 rounds "
            "each, 64-100-100-10 network, eps 0.96, 5 seeds: ACC 0.90 to 0.92 for 0.49 to 0.63, "
            "FGT 0.06 to 0.08 for 0.44 to 0.59; each task reaches at least 0.94 when learned. With "
            "rho instead of rho^2, as in the authors' code, the same within 0.01, at ranks larger "
            "by 0.1 to 0.2 of the inputs",
            outcome="reproduced",
        ),
        Claim(
            claim="Sketches cost little communication.",
            baseline="the weights uploaded for the same task",
            measured="The same runs: 3.5 % (0.96 MB for 27.8 MB)",
            outcome="reproduced",
        ),
    ),
)
