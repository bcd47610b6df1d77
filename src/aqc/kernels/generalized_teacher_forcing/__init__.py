"""A small piecewise-linear network trained on chaos by generalized teacher forcing.

F. Hess, Z. Monfared, M. Brenner and D. Durstewitz, "Generalized Teacher Forcing for Learning
Chaotic Dynamics", ICML 2023, arXiv 2306.04406.

    z_t = F(z~_{t-1}),   z~_t = (1 - alpha) z_t + alpha x_t,
    F(z) = A z + W1 [relu(W2 z + h2) - relu(W2 z)] + h1

The product of the Jacobians in the gradient carries (1 - alpha) for each step: it stays bounded,
however chaotic the data, for alpha >= 1 - 1 / sigma_max, and an adaptive alpha stays about there.

Limits: written from the paper alone, and tried on the Lorenz system. Training is shorter than the
paper's (8000 updates, its own 250 000), at larger rates; 1500 updates are too few for any alpha.
States are the observations: there are no hidden ones.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from aqc.kernels._kernel import Claim, Kernel, Operation, Paper
from aqc.kernels.generalized_teacher_forcing._free_run import FreeRun, run_freely
from aqc.kernels.generalized_teacher_forcing._network import Network
from aqc.kernels.generalized_teacher_forcing._scores import Scores, score_dynamics
from aqc.kernels.generalized_teacher_forcing._training import (
    Adaptive,
    Constant,
    Trained,
    train_forced,
    train_forced_steps,
    training_work,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "KERNEL",
    "Adaptive",
    "Constant",
    "FreeRun",
    "Network",
    "Scores",
    "Trained",
    "run_freely",
    "score_dynamics",
    "train_forced",
    "train_forced_steps",
]


def _draw_training(trained: Trained) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    loss, forcing, attractor = figure.subplots(1, 3)
    loss.semilogy(trained.loss, label="loss", linewidth=0.8)
    loss.semilogy(trained.gradient_norm, label="norm of its gradient", linewidth=0.8)
    loss.set(xlabel="update")
    loss.legend(frameon=False)
    forcing.plot(trained.alpha)
    forcing.set(xlabel="update", ylabel="forcing α", ylim=(0, 1.05))
    _draw_states(attractor, trained.generated)
    attractor.set_title(f"running alone, λ = {trained.lyapunov:.2g} per step", fontsize="medium")
    return figure


def _draw_free_run(run: FreeRun) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5, 3.6), layout="constrained")
    axes = figure.add_subplot()
    _draw_states(axes, run.states)
    axes.set_title(f"λ = {run.lyapunov:.2g} per step", fontsize="medium")
    return figure


def _draw_states(axes: Any, states: np.ndarray) -> None:
    if states.shape[1] == 1:
        axes.plot(states[:, 0], linewidth=0.8)
        axes.set(xlabel="step", ylabel="x₁")
    else:
        axes.plot(states[:, 0], states[:, -1], ".", markersize=2)
        axes.set(xlabel="x₁", ylabel="x₂" if states.shape[1] == 2 else f"x_{states.shape[1]}")


_STEPS = np.arange(100)
_ORBIT = np.stack([np.sin(0.3 * _STEPS), np.cos(0.3 * _STEPS) ** 3], 1).round(3).tolist()

KERNEL = Kernel(
    paper=Paper(
        title="Generalized Teacher Forcing for Learning Chaotic Dynamics",
        authors="Hess, Monfared, Brenner, Durstewitz",
        year=2023,
        link="https://arxiv.org/abs/2306.04406",
    ),
    topic="physics and differential equations",
    operations=(
        Operation(
            train_forced,
            example={
                "series": _ORBIT,
                "hidden": 30,
                "forcing": {"alpha": 0.2},
                "sequence": 40,
                "n_updates": 400,
                "learning_rate": 0.02,
                "final_rate": 0.002,
            },
            work=training_work,
            unit="updates x windows x steps x (hidden + 50)",
            inline_max=1.5e8,
            max=1.5e11,
            steps=train_forced_steps,
            figure=_draw_training,
        ),
        Operation(
            run_freely,
            # The map of Lozi, x+ = 1 - 1.7 |x| + y, y+ = x / 2.
            example={
                "network": {
                    "A": [0.0, 0.0],
                    "W1": [[-1.7, -1.7, 1.0, -1.0], [0.5, -0.5, 0.0, 0.0]],
                    "W2": [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]],
                    "h1": [1.0, 0.0],
                    "h2": [0.0, 0.0, 0.0, 0.0],
                    "clipped": False,
                },
                "start": [0.1, 0.1],
                "steps": 2000,
            },
            figure=_draw_free_run,
        ),
        Operation(
            score_dynamics,
            example={"true": _ORBIT, "generated": _ORBIT[50:]},
        ),
    ),
    claims=(
        Claim(
            claim="Some forcing learns the attractor; none (backpropagation through time) and all "
            "(teacher forcing) do not",
            baseline="alpha = 0; alpha = 1",
            measured="Lorenz, 20 000 points, 5 % noise, 8000 updates, 5 seeds, medians of D_stsp / "
            "PSE on a clean test series: adaptive 0.52 / 0.03, alpha=0.15 0.42 / 0.03, alpha=0 "
            "14.5 / 1, alpha=1 5.6 / 0.17; another true trajectory 0.21 / 0.04",
            outcome="reproduced",
        ),
        Claim(
            claim="Forcing of at least 1 - 1 / sigma_max bounds the gradients of any chaos",
            baseline="alpha = 0",
            measured="random network, 200 Jacobians: product above 1e20 without forcing, at most 1 "
            "with; Lorenz: largest gradient norm above 1000 without (one run of five diverged), 1 "
            "with the adaptive alpha",
            outcome="reproduced",
        ),
    ),
)
