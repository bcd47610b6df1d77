"""A network trained to satisfy a differential equation, earlier times before later ones.

S. Wang, S. Sankaran and P. Perdikaris, "Respecting causality is all you need for training
physics-informed neural networks", arXiv 2203.07404. The residuals L_i at times t_1 < ... < t_n are
weighted by

    w_i = exp(-eps sum_{k<i} L_k)

without a gradient through w, so that later times count once the earlier ones are solved. The least
weight is the paper's certificate of convergence.

NOTICE: the authors state that this training algorithm may not be used commercially (it is subject
to a patent of the University of Pennsylvania). Ask them before any commercial use. Nothing of
their program is used here.

Limits: ordinary differential equations with polynomial right-hand sides (in Python also with any
function of JAX operations: `solve_rate_causally`), and equations of diffusion, advection and
reaction on a circle, Allen and Cahn's among them (`causal_loss` and `causal_weights` serve any
other in Python); Kuramoto and Sivashinsky's and the flows of the paper are left out. Single
precision; networks and budgets far smaller than the paper's: its case of Allen and Cahn's equation
was tried with a 25th of its iterations, where plain training fails and causal training has not yet
converged. The paper's certificate can be wrong: one run of five had a least weight of 0.94 and an
error of 40 %, by a jump between two training times; `between` looks there.

SciPy's DOP853 is faster by orders of magnitude on such problems. It is run for every answer, which
holds its solution and the network's distance from it; the network is there for what the paper asks.
"""

from typing import TYPE_CHECKING

import numpy as np

from aqc.kernels._kernel import Claim, Kernel, Operation, Paper
from aqc.kernels.causal_pinn._field import (
    Equation,
    FieldSolution,
    field_work,
    solve_field_causally,
    solve_field_steps,
)
from aqc.kernels.causal_pinn._given import solve_rate_causally
from aqc.kernels.causal_pinn._network import causal_loss, causal_weights
from aqc.kernels.causal_pinn._solve import (
    Solution,
    solve_causally,
    solve_causally_steps,
    solving_work,
)
from aqc.kernels.causal_pinn._systems import Lorenz, Polynomial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "KERNEL",
    "Equation",
    "FieldSolution",
    "Lorenz",
    "Polynomial",
    "Solution",
    "causal_loss",
    "causal_weights",
    "solve_causally",
    "solve_causally_steps",
    "solve_field_causally",
    "solve_field_steps",
    "solve_rate_causally",
]


def _draw(solution: Solution) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    path, residual, weights = figure.subplots(1, 3)
    for k, component in enumerate(solution.u.T):
        path.plot(solution.t, component, label=f"u_{k + 1}")
    if solution.reference is not None:
        path.plot(solution.t, solution.reference, "k:", linewidth=0.8)
    path.set(xlabel="t", ylabel="u")
    path.legend(frameon=False)
    residual.semilogy(solution.t, solution.residual + 1e-30, linewidth=0.8)
    residual.set(xlabel="t", ylabel="squared residual")
    for row, values in enumerate(solution.w_min):
        weights.plot(range(1, len(values) + 1), values, "o-", label=f"window {row + 1}")
    weights.set(xlabel="stage (rising ε)", ylabel="least weight", ylim=(-0.05, 1.05))
    weights.set_title(solution.status, fontsize="medium")
    if 0 < len(solution.w_min) <= 6:
        weights.legend(frameon=False)
    return figure


def _draw_field(solution: FieldSolution) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    field, residual, weights = figure.subplots(1, 3)
    image = field.pcolormesh(solution.t, solution.x, solution.u.T, shading="nearest")
    field.set(xlabel="t", ylabel="x", title="u")
    figure.colorbar(image, ax=field)
    residual.semilogy(solution.t, solution.residual + 1e-30)
    residual.set(xlabel="t", ylabel="mean squared residual")
    weights.plot(range(1, len(solution.w_min) + 1), solution.w_min, "o-")
    weights.set(xlabel="stage (rising ε)", ylabel="least weight", ylim=(-0.05, 1.05))
    weights.set_title(solution.status, fontsize="medium")
    return figure


_X = np.arange(16) / 8

KERNEL = Kernel(
    paper=Paper(
        title="Respecting causality is all you need for training physics-informed neural networks",
        authors="Wang, Sankaran, Perdikaris",
        year=2024,
        link="https://arxiv.org/abs/2203.07404",
    ),
    topic="physics and differential equations",
    operations=(
        Operation(
            solve_causally,
            # A pendulum's first terms: u'' = -u + u^3 / 6.
            example={
                "system": {
                    "component": [0, 1, 1],
                    "coefficient": [1.0, -1.0, 0.16667],
                    "exponents": [[0, 1], [1, 0], [3, 0]],
                },
                "u0": [1.0, 0.0],
                "t_final": 2.0,
                "n_t": 32,
                "width": 16,
                "depth": 2,
                "eps": [0.1, 1.0, 10.0],
                "iterations": 1500,
            },
            work=solving_work,
            unit="iterations x times x weights",
            inline_max=6e8,
            max=2e12,
            steps=solve_causally_steps,
            figure=_draw,
        ),
        Operation(
            solve_field_causally,
            # Allen and Cahn's reaction, with more diffusion than the paper's.
            example={
                "equation": {"diffusion": 0.05, "reaction": [0.0, 1.0, 0.0, -1.0]},
                "u0": np.cos(np.pi * _X).round(4).tolist(),
                "length": 2.0,
                "t_final": 0.5,
                "n_t": 8,
                "eps": [1.0],
                "iterations": 400,
                "waves": 2,
                "width": 8,
                "depth": 1,
                "gated": False,
                "learning_rate": 0.01,
            },
            work=field_work,
            unit="3 iterations x times x points x weights",
            inline_max=6e8,
            max=2e12,
            steps=solve_field_steps,
            figure=_draw_field,
        ),
    ),
    claims=(
        Claim(
            claim="Causal weights solve the Lorenz system where plain training settles on a false "
            "solution of small residual",
            baseline="all weights 1, the same network and 60 000 iterations",
            measured="T=1 from (1, 1, 1), 3 x 64 network, 5 seeds, relative L2: causal 5e-4 to "
            "1.2e-3 for four, 0.40 for one; plain 0.99 for all, at a median residual of 0.002. A "
            "general solver, DOP853, takes 1.3 ms where a network takes 20 s: it is every answer's "
            "reference",
            outcome="reproduced",
        ),
        Claim(
            claim="The least weight certifies convergence",
            baseline="the error to DOP853",
            measured="the same runs end with least weights of 0.86 to 0.95 at eps=0.1, the wrong "
            "one with 0.94: it jumps between two training times, and on 16 times as many has 0",
            outcome="not reproduced",
        ),
        Claim(
            claim="Causal weights solve Allen and Cahn's equation where plain training fails",
            baseline="all weights 1, the same network and iterations",
            measured="diffusion 0.01 for the paper's 1e-4, T=0.5, gated 3 x 24 network, 4500 "
            "iterations, 5 seeds, relative L2 to a Fourier method: causal 0.5 to 4.2 %, median "
            "1.4 %; plain 0.7 to 6.8 %, median 1.8 %, worse in 4 of 5: no failure at this size. "
            "The paper's own 1e-4, T=1, gated 3 x 32 network, 12 000 iterations of its 300 000, "
            "one seed: plain 54 % at a mean residual of 0.008, causal 23 % and not converged",
            outcome="in part",
        ),
    ),
    notice="The authors of arXiv:2203.07404 state that this training algorithm may not be used "
    "commercially (patent of the University of Pennsylvania); ask them before any commercial use.",
)
