"""Differential equations with fast oscillations, under a process that learns its frequencies.

S. Fang, M. Cooley, D. Long, S. Li, R. Kirby and S. Zhe, "Solving High Frequency and Multi-Scale
PDEs with Gaussian Processes", arXiv 2311.04465. The solution's values on a grid are those most
probable under a Gaussian process whose spectrum is a mixture, along each axis

    kappa(d) = sum_q e^(w_q) (1 + a + a^2 / 3) e^(-a) cos(2 pi f_q d),  a = sqrt(5) d e^(l_q)

(a Student-t density around each frequency; or a Gaussian one), together with the boundary values
and with the equation's residual at the grid points, u_xx = K_xx K^-1 u. Weights, lengths and
frequencies rise with u on the same objective by gradient ascent (Adam).

On a uniform grid K is Toeplitz, so that the covariance is evaluated on one row of lags; gradients
are written out, not traced.

Limits: uniform grids, one or two axes, Poisson and Allen-Cahn. The ascent is long (some 10 000
steps before the frequency is found) and ends where it ends: no step is picked by its error. Here
its step falls to zero over the last fifth, as a constant one leaves spikes. With eight points per
wavelength the plain Matérn covariance is better. Where the source is of size one, u = 0 with all
weights gone is a maximum too, and the ascent reaches it unless `precision` is raised; for smooth
solutions that helps on coarse grids alone (sin x: 24 points solved, 40 not). The joint has no
upper bound in the precisions tau and v, which are held at most at e^20.
"""

from typing import TYPE_CHECKING

import numpy as np

from aqc.kernels._kernel import Claim, Kernel, Operation, Paper
from aqc.kernels.gp_high_frequency_pde._ascent import Solution
from aqc.kernels.gp_high_frequency_pde._solve import (
    solve_on_interval,
    solve_on_interval_steps,
    solve_on_rectangle,
    solve_on_rectangle_steps,
    solving_work,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "KERNEL",
    "Solution",
    "solve_on_interval",
    "solve_on_interval_steps",
    "solve_on_rectangle",
    "solve_on_rectangle_steps",
]


def _draw(solution: Solution) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    field, spectrum, loss = figure.subplots(1, 3)
    if solution.u_grid.ndim == 1:
        field.plot(solution.u_grid, ".-", linewidth=0.8)
        field.set(xlabel="grid point", ylabel="u")
    else:
        image = field.imshow(solution.u_grid.T, origin="lower", aspect="auto")
        field.set(xlabel="grid point of x", ylabel="grid point of y")
        figure.colorbar(image, ax=field, label="u")
    for name, frequency, weight in zip("xy", solution.frequencies, solution.weights, strict=False):
        spectrum.semilogy(np.abs(frequency), weight, "o", label=name, fillstyle="none")
    spectrum.set(xlabel="frequency (cycles per unit)", ylabel="weight")
    spectrum.legend(frameon=False)
    loss.plot(solution.epochs, solution.loss)
    loss.set_yscale("symlog", linthresh=1e3)
    loss.set(xlabel="epoch", ylabel="-log joint")
    return figure


_X = np.linspace(0, 1, 24).round(9)
_WAVE = np.sin(30 * _X).round(6)
_GRID = np.linspace(0, 1, 16).round(9)
_PRODUCT = np.outer(np.sin(20 * _GRID), np.sin(20 * _GRID)).round(6)

KERNEL = Kernel(
    paper=Paper(
        title="Solving High Frequency and Multi-Scale PDEs with Gaussian Processes",
        authors="Fang, Cooley, Long, Li, Kirby, Zhe",
        year=2024,
        link="https://arxiv.org/abs/2311.04465",
    ),
    topic="physics and differential equations",
    operations=(
        Operation(
            solve_on_interval,
            # sin(30 x), some five points per wavelength; 5 % off after so few steps.
            example={
                "x": _X.tolist(),
                "source": (-900 * _WAVE).round(2).tolist(),
                "boundary": _WAVE[[0, -1]].tolist(),
                "x_eval": [0.1, 0.45, 0.8],
                "components": 8,
                "freq_scale": 6.0,
                "epochs": 3000,
            },
            work=solving_work,
            unit="epochs x operations",
            inline_max=5e9,
            max=5e12,
            steps=solve_on_interval_steps,
            figure=_draw,
        ),
        Operation(
            solve_on_rectangle,
            # sin(20 x) sin(20 y), some five points per wavelength.
            example={
                "x": _GRID.tolist(),
                "y": _GRID.tolist(),
                "source": (-800 * _PRODUCT).round(2).tolist(),
                "x_edges": _PRODUCT[[0, -1]].tolist(),
                "y_edges": _PRODUCT[[0, -1]].tolist(),
                "x_eval": [0.3],
                "y_eval": [0.7],
                "components": 6,
                "epochs": 1000,
            },
            work=solving_work,
            unit="epochs x operations",
            inline_max=5e9,
            max=5e12,
            steps=solve_on_rectangle_steps,
            figure=_draw,
        ),
    ),
    claims=(
        Claim(
            claim="Learned frequencies solve oscillating problems that plain covariances miss",
            baseline="the same with Matérn-5/2 and Gaussian covariances without cosines",
            measured="u''=s, u=sin(100 x), 80 points, 20 000 epochs, relative L2: 1.2e-6; Matérn "
            "0.044, Gaussian 0.066; sin(90 x) and sin(110 x): 6e-6 and 3e-6, Matérn 0.033 and "
            "0.062",
            outcome="reproduced",
        ),
        Claim(
            claim="The dominant frequency is found and the other components are pruned",
            baseline="the exact 100; components spread evenly over 0 to 126 at the start",
            measured="100.000 (radians per unit), with 20 times the weight of the second",
            outcome="reproduced",
        ),
    ),
)
