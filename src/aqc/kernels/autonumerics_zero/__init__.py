"""Short arithmetic programs for a function, found by evolution.

E. Real, Y. Chen, M. Rossini, C. de Souza, M. Garg, A. Verghese, M. Firsching, Q. V. Le, E. D.
Cubuk and D. H. Park, "AutoNumerics-Zero: Automated Discovery of State-of-the-Art Mathematical
Functions", arXiv 2312.08472. A program is a straight line of + - * / with free constants; the
search returns the front of

    E = max_i |f(x_i) / y_i - 1|   against the number of operations that depend on x.

Limits: one population of 60 with 240 children a generation instead of the paper's many workers, at
most 12 operations and six constants, which Levenberg-Marquardt fits unless the paper's CMA-ES is
asked for. With 200 generations the search for exp2 beats polynomials; one run of five finds what
the continued fraction of six operations does, and the others miss it. `refit_program` refits
constants of a structure that is given: it finds none. Errors are measured at points (10000 in
double precision, 501 in 45 digits), not proved.
"""

from aqc.kernels._kernel import Claim, Kernel, Operation, Paper
from aqc.kernels.autonumerics_zero.baselines import Baseline
from aqc.kernels.autonumerics_zero.refit import Refit, refit_program
from aqc.kernels.autonumerics_zero.search import (
    Found,
    Front,
    draw,
    search_programs,
    search_programs_steps,
    search_work,
)
from aqc.kernels.autonumerics_zero.targets import Named, Table

__all__ = [
    "Baseline",
    "Found",
    "Front",
    "Named",
    "Refit",
    "Table",
    "refit_program",
    "search_programs",
    "search_programs_steps",
]

# (c4 / (c1/u + c2 + u) - c5)^8 with u = c3/x + x, the ten operations published for exp2.
TEN_OPERATIONS = (
    (3, 3, 0),
    (0, 7, 0),
    (3, 1, 8),
    (0, 9, 2),
    (0, 10, 8),
    (3, 4, 11),
    (1, 12, 5),
    (2, 13, 13),
    (2, 14, 14),
    (2, 15, 15),
)

KERNEL = Kernel(
    paper=Paper(
        title="AutoNumerics-Zero: Automated Discovery of State-of-the-Art Mathematical Functions",
        authors="Real, Chen, Rossini, de Souza, Garg, Verghese, Firsching, Le, Cubuk, Park",
        year=2023,
        link="https://arxiv.org/abs/2312.08472",
    ),
    topic="mathematics and statistics",
    operations=(
        Operation(
            search_programs,
            example={
                "target": {"function": "exp2", "low": 0.0, "high": 1.0},
                "max_ops": 4,
                "generations": 4,
                "n_points": 17,
            },
            work=search_work,
            unit="generations x operations x nodes",
            inline_max=4000,
            max=1e6,
            steps=search_programs_steps,
            figure=draw,
        ),
        Operation(
            refit_program,
            example={
                "program": [[2, 0, 1], [0, 7, 2], [2, 8, 0], [0, 9, 3]],
                "constants": ["0.3", "0.6", "1.0"],
                "function": "exp2",
                "low": 0.0,
                "high": 1.0,
                "n_points": 16,
            },
        ),
    ),
    claims=(
        Claim(
            claim="Ten operations give exp2 to nearly double precision",
            baseline="minimax quintic, ten operations in Horner's form",
            measured="published structure, constants refitted from the series of coth: 5.1e-15 on "
            "[-1, 1] in 45 digits; the quintic 7.5e-8 on [0, 1]",
            outcome="reproduced",
        ),
        Claim(
            claim="Evolution finds programs that beat the classical ones of as many operations",
            baseline="minimax polynomials in Horner's form: 1.7e-3, 7.5e-5, 2.6e-6 at 4, 6, 8 "
            "operations; rational functions 1/1 and 2/2 as continued fractions: 8.7e-4 at 3, "
            "4.4e-7 at 6 (2/2 in Horner's form at 9); Padé's 3.5e-3 and 7.0e-6 likewise",
            measured="exp2 on [0, 1], 200 generations of 240, best of 5 seeds: 8.7e-4, 2.2e-4, "
            "1.2e-5, 4.0e-7, 4.0e-7 at 3, 4, 5, 6, 7 operations (at 6 and 7 one run; the others "
            "4.8e-6 to 2.5e-5 at 7): better than polynomials, as good as the fraction of 3, and a "
            "tenth better than the fraction of 6. The settings were chosen on these seeds; the "
            "best of five fresh ones: 8.7e-4, 2.2e-4, 2.5e-5, 4.4e-6, 3.1e-6, better than "
            "polynomials of as many operations, and not than the fraction of 6",
            outcome="in part",
        ),
        Claim(
            claim="Selection and fitted constants are both needed",
            baseline="random parents; constants as drawn",
            measured="exp2, 40 generations, 5 seeds, geometric means of the error at five "
            "operations: 2.5e-5 with both, 2.7e-3 with random parents, 0.034 with drawn constants",
            outcome="reproduced",
        ),
    ),
)
