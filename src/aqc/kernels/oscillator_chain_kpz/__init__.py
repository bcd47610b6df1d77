"""Phases of a ring of oscillators as a growing surface: Edwards-Wilkinson, KPZ, or no order.

R. Gutierrez and R. Cuerno, "Dynamical phase diagram of synchronization in one dimension: universal
behavior from Edwards-Wilkinson to random deposition through Kardar-Parisi-Zhang", arXiv 2604.06040.

    d phi_i / dt = w_i + G(phi_{i+1} - phi_i) + G(phi_{i-1} - phi_i) + eta_i,
    G(d) = K (sin(d + delta) - sin delta)

For small slopes nu = K cos(delta), lambda = -2 K sin(delta): odd coupling (delta = 0) grows as
Edwards and Wilkinson, other coupling as Kardar, Parisi and Zhang, too strong randomness as random
deposition, without order.

Limits: the paper's abstract was at hand; the model is that of the authors' earlier papers. The
crossover to KPZ takes a time of about nu^5 / (D^2 lambda^4), longer than most runs: exponents
between 1/4 and 1/3 are what a run shows, and g = lambda^2 D / nu^3 says how far along it is.
With noise, steps are of first order (strongly, as the noise is additive); without, SciPy's DOP853
solves the rings.
"""

from typing import TYPE_CHECKING

import numpy as np

from aqc.kernels._kernel import Claim, Kernel, Operation, Paper
from aqc.kernels.oscillator_chain_kpz._diagram import (
    Diagram,
    diagram_work,
    map_synchronization,
    map_synchronization_steps,
)
from aqc.kernels.oscillator_chain_kpz._locking import Locking, find_locking
from aqc.kernels.oscillator_chain_kpz._roughening import (
    Roughening,
    grow_roughness,
    grow_roughness_steps,
    roughening_work,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "KERNEL",
    "Diagram",
    "Locking",
    "Roughening",
    "find_locking",
    "grow_roughness",
    "grow_roughness_steps",
    "map_synchronization",
    "map_synchronization_steps",
]


def _draw_growth(ring: Roughening) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.4), layout="constrained")
    growth, spectrum = figure.subplots(1, 2)
    growth.errorbar(ring.t, ring.width, ring.error, fmt=".", markersize=4)
    middle = len(ring.t) // 2
    for beta, name in ((1 / 4, "1/4"), (1 / 3, "1/3"), (1 / 2, "1/2")):
        line = ring.width[middle] * (ring.t / ring.t[middle]) ** beta
        growth.plot(ring.t, line, linewidth=0.8, label=f"t^{name}")
    growth.set(xscale="log", yscale="log", xlabel="t", ylabel="roughness W (rad)")
    growth.set_title(f"β = {ring.beta:.3f}, {ring.verdict}", fontsize="medium")
    growth.legend(frameon=False)
    spectrum.loglog(ring.wavenumber, ring.structure_factor, ".", markersize=4)
    spectrum.set(xlabel="wavenumber k", ylabel="structure factor S(k)")
    return figure


def _draw_diagram(found: Diagram) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    shown = (found.beta, np.log10(found.width), np.log10(np.maximum(found.slip_rate, 1e-6)))
    names = ("growth exponent β", "log10 W(T)", "log10 slip rate")
    for panel, values, name in zip(panels, shown, names, strict=True):
        image = panel.imshow(values, origin="lower", aspect="auto", cmap="viridis")
        panel.set_xticks(range(len(found.strength)), [f"{x:.2g}" for x in found.strength])
        panel.set_yticks(range(len(found.delta)), [f"{x:.2g}" for x in found.delta])
        panel.set(xlabel="strength of the randomness")
        figure.colorbar(image, ax=panel, label=name)
        for i, j in zip(*np.nonzero(found.verdict == "desynchronized"), strict=True):
            panel.text(j, i, "×", ha="center", va="center", color="red")
    panels[0].set(ylabel="delta (× = desynchronized)")
    return figure


KERNEL = Kernel(
    paper=Paper(
        title="Dynamical phase diagram of synchronization in one dimension: universal behavior "
        "from Edwards-Wilkinson to random deposition through Kardar-Parisi-Zhang",
        authors="Gutierrez, Cuerno",
        year=2026,
        link="https://arxiv.org/abs/2604.06040",
    ),
    topic="physics and differential equations",
    operations=(
        Operation(
            grow_roughness,
            example={"size": 256, "t_final": 100.0, "delta": 0.9, "D": 0.08},
            work=roughening_work,
            unit="sites x realizations x steps",
            inline_max=4e7,
            max=5e9,
            steps=grow_roughness_steps,
            figure=_draw_growth,
        ),
        Operation(
            map_synchronization,
            example={
                "deltas": [0.0, 0.6, 1.2],
                "strengths": [0.01, 0.1, 1.0],
                "randomness": "noise",
                "size": 64,
                "t_final": 40.0,
            },
            work=diagram_work,
            unit="pairs x sites x realizations x steps",
            inline_max=4e7,
            max=5e9,
            steps=map_synchronization_steps,
            figure=_draw_diagram,
        ),
        Operation(
            find_locking,
            example={"frequencies": [round(0.2 * np.cos(3 * i), 3) for i in range(32)]},
        ),
    ),
    claims=(
        Claim(
            claim="Growth crosses over from Edwards-Wilkinson (1/4) to KPZ (1/3) as the coupling "
            "loses its oddness",
            baseline="odd coupling, beta = 1/4",
            measured="L=1024, 24 rings, T=600, 5 seeds: beta 0.24 at g=0, then 0.28, 0.32, 0.33, "
            "0.36, 0.36 at g=0.27 to 1.36; the skewness turns negative. The last two lie above "
            "1/3 and differ by 0.03 between seeds: rare slips roughen the surface too",
            outcome="in part",
        ),
        Claim(
            claim="Randomness too strong for the coupling ends in random deposition (1/2), or in "
            "linear growth if columnar",
            baseline="uncoupled oscillators",
            measured="L=256, 48 rings: beta 0.506 at K=0.05, D=0.5; 1.003 at K=0.02, sigma=0.5",
            outcome="reproduced",
        ),
        Claim(
            claim="Columnar randomness has its own exponents: 3/4 for odd coupling, about 0.8 for "
            "other",
            baseline="the exact width of the linear surface",
            measured="L=2048, 12 rings, T=400, 5 seeds: 0.746 and 0.820 (0.80 to 0.85)",
            outcome="reproduced",
        ),
    ),
)
