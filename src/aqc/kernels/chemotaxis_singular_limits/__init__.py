"""Chemotaxis with an indirect signal, and how its fast-signal limits are reached.

L. T. T. Bui, T. K. L. Huynh, B. Q. Tang and B.-N. Tran, "Parabolic-elliptic and indirect-direct
simplifications in chemotaxis systems driven by indirect signalling", arXiv 2508.01436:

    n_t = Lap n - div(n grad c),  eps c_t = Lap c - c + w,  eps w_t = tau Lap w - w + n.

With eps -> 0 (parabolic-elliptic) the signals follow the cells at once, with eps = tau -> 0
(indirect-direct) w is n itself. One exponential scheme on a cosine basis serves every eps >= 0,
so that the distances between full and reduced system can be measured.

Limits: the paper proves, this kernel measures; scheme and norms are ours. One and two dimensions
only: nothing is said here of the critical dimension 4 of the parabolic-elliptic limit. In two
dimensions the direct system can blow up for a mass above 4 pi (quoted, not shown here); a run
whose cells concentrate beyond the grid stops with the status "blow-up suspected".
"""

import numpy as np

from aqc.kernels._kernel import Claim, Kernel, Operation, Paper
from aqc.kernels.chemotaxis_singular_limits._rates import (
    Rates,
    draw_rates,
    indirect_direct_rates,
    indirect_direct_rates_steps,
    parabolic_elliptic_rates,
    parabolic_elliptic_rates_steps,
    rates_work,
)
from aqc.kernels.chemotaxis_singular_limits._solve import (
    Chemotaxis,
    draw,
    solve_chemotaxis,
    solve_chemotaxis_rectangle,
    solve_chemotaxis_rectangle_steps,
    solve_chemotaxis_steps,
    solve_work,
)

__all__ = [
    "Chemotaxis",
    "Rates",
    "indirect_direct_rates",
    "indirect_direct_rates_steps",
    "parabolic_elliptic_rates",
    "parabolic_elliptic_rates_steps",
    "solve_chemotaxis",
    "solve_chemotaxis_rectangle",
    "solve_chemotaxis_rectangle_steps",
    "solve_chemotaxis_steps",
]

_X = (np.arange(48) + 0.5) / 48
_CELLS = [round(1 + 0.8 * np.cos(np.pi * x) + 0.3 * np.cos(2 * np.pi * x), 4) for x in _X]
_DATA = {
    "n0": _CELLS,
    "c0": [0.2] * 48,
    "w0": [round(0.5 + 0.4 * np.cos(np.pi * x), 4) for x in _X],
    "length": 4.0,
}
_SQUARE = [
    [round(4 + np.cos(np.pi * (i + 0.5) / 8) + np.cos(np.pi * (j + 0.5) / 8), 3) for j in range(8)]
    for i in range(8)
]

KERNEL = Kernel(
    paper=Paper(
        title="Parabolic-elliptic and indirect-direct simplifications in chemotaxis systems "
        "driven by indirect signalling",
        authors="Bui, Huynh, Tang, Tran",
        year=2025,
        link="https://arxiv.org/abs/2508.01436",
    ),
    topic="physics and differential equations",
    operations=(
        Operation(
            solve_chemotaxis,
            example=_DATA | {"eps": 0.05, "tau": 1.0, "n_steps": 400},
            work=solve_work,
            unit="steps x (points + 200)",
            inline_max=2e6,
            max=3e7,
            steps=solve_chemotaxis_steps,
            figure=draw,
        ),
        Operation(
            solve_chemotaxis_rectangle,
            example={
                "n0": _SQUARE,
                "c0": _SQUARE,
                "w0": _SQUARE,
                "lengths": [3.0, 3.0],
                "eps": 0.1,
                "tau": 0.5,
                "n_steps": 200,
            },
            work=solve_work,
            unit="steps x (points + 200)",
            inline_max=2e6,
            max=1.4e9,
            steps=solve_chemotaxis_rectangle_steps,
            figure=draw,
        ),
        Operation(
            parabolic_elliptic_rates,
            example=_DATA | {"eps": [0.1, 0.03, 0.01, 0.003, 0.001], "n_steps": 600},
            work=rates_work,
            unit="steps x (runs x points + 200)",
            inline_max=2e6,
            max=3e8,
            steps=parabolic_elliptic_rates_steps,
            figure=draw_rates,
        ),
        Operation(
            indirect_direct_rates,
            example=_DATA | {"eps": [0.1, 0.03, 0.01, 0.003, 0.001], "n_steps": 600},
            work=rates_work,
            unit="steps x (runs x points + 200)",
            inline_max=2e6,
            max=3e8,
            steps=indirect_direct_rates_steps,
            figure=draw_rates,
        ),
    ),
    claims=(
        Claim(
            claim="The parabolic-elliptic system is the limit eps -> 0, with a rate that the "
            "initial layer limits",
            baseline="the system with eps = 0 on the same grid and time steps",
            measured="interval of length 4, 64 points, eps 0.1 to 3e-4: last slopes of n 0.99, "
            "grad n 1.00, c and w in L2 0.50, c largest in time 0.00, c at the end 1.00; with data "
            "on the critical manifold all seven 1.00",
            outcome="reproduced",
        ),
        Claim(
            claim="The direct Keller-Segel system is the limit eps = tau -> 0",
            baseline="the system with eps = tau = 0 on the same grid and time steps",
            measured="same interval, eps 0.1 to 1e-3, prepared data: slopes of n 0.77, 0.92, 0.97, "
            "0.99, the last slope within 0.05 of 1 in all seven norms",
            outcome="reproduced",
        ),
    ),
)
