"""Mixtures of light and heavy particles, with time steps that do not know the mass ratio.

Z. Hao, N. Jiang and L. Liu, "An efficient Asymptotic-Preserving scheme for the Boltzmann mixture
with disparate mass", arXiv 2411.13240. Of the collisions between the species only the leading
terms in eps = sqrt(m_L / m_H) are kept, each species on its own velocity grid:

    f_L' = (Q(f_L,f_L) + b0 n_H (Pi f_L - f_L)) / eps^2 - b0 n_H u_H.grad Pi f_L / eps
           + b0 n_H div(v Pi f_L + T_H grad Pi f_L),
    f_H' = (Q(f_H,f_H) - b0 n_L u_L.grad f_H) / eps + b0 n_L div(v f_H + T_L grad f_H),

Pi the average over circles. Stiff terms are implicit by penalization; Q is a fast spectral sum.

Limits: the truncated operators were derived here for two-dimensional Maxwell molecules, and are
of no use for eps near 1; first order in time. Velocities are in each species' own thermal units:
a heavy particle's physical velocity is eps times the one here.
"""

from aqc.kernels._kernel import Claim, Kernel, Operation, Paper
from aqc.kernels.disparate_mass_boltzmann_ap._relax import (
    Maxwellian,
    Maxwellians,
    Relaxation,
    Species,
    Values,
    draw,
    relax_mixture,
    relax_mixture_steps,
    relax_work,
)

__all__ = [
    "Maxwellian",
    "Maxwellians",
    "Relaxation",
    "Species",
    "Values",
    "relax_mixture",
    "relax_mixture_steps",
]


def _bumps(temperature: float) -> dict[str, object]:
    return {
        "kind": "maxwellians",
        "parts": [
            {"density": 0.5, "mean": [x, 0.0], "temperature": temperature} for x in (1.0, -1.0)
        ],
    }


KERNEL = Kernel(
    paper=Paper(
        title="An efficient Asymptotic-Preserving scheme for the Boltzmann mixture with disparate "
        "mass",
        authors="Hao, Jiang, Liu",
        year=2025,
        link="https://arxiv.org/abs/2411.13240",
    ),
    topic="physics and differential equations",
    operations=(
        Operation(
            relax_mixture,
            example={
                "light": _bumps(0.8),
                "heavy": _bumps(0.61),
                "eps": 0.1,
                "dt": 0.002,
                "n_steps": 250,
            },
            work=relax_work,
            unit="steps x points of velocity x (directions + 8)",
            inline_max=2.5e7,
            max=1.4e9,
            steps=relax_mixture_steps,
            figure=draw,
        ),
    ),
    claims=(
        Claim(
            claim="The time step need not resolve the mass ratio",
            baseline="explicit Euler with the same step, and the law of temperatures",
            measured="32^2 velocities, dt=0.02, eps=1e-2, 1e-3, 1e-4: temperature gap at t=1 as "
            "0.92^50 to 1e-9, energy kept to 1e-12; explicit Euler blows up at all three",
            outcome="reproduced",
        ),
        Claim(
            claim="The truncated collision operators describe the mixture for small eps",
            baseline="Monte Carlo of collisions with the true masses, 2e5 particles a species",
            measured="eps=0.1, t=0.05, 0.1, 0.2: temperatures and fourth moments of both species "
            "within 2 %, anisotropy of the heavy one within 4 % or 0.01",
            outcome="reproduced",
        ),
        Claim(
            claim="Relaxation has three epochs",
            baseline="the times eps^2, eps and 1",
            measured="time to lose 90 % of the distance from equilibrium: light falls by 4 from "
            "eps=0.1 to 0.05 (within 15 %), heavy by 2 from 0.02 to 0.01 (within 10 %; only by "
            "1.6 from 0.1 to 0.05, where eps is not far from 1)",
            outcome="reproduced",
        ),
    ),
)
