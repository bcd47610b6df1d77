"""The circular law of random band matrices, measured on a profile of one's own.

Y. Han, "The circular law for random band matrices: improved bandwidth for general models", arXiv
2410.16457. X_ij = b_ij xi_ij with a doubly stochastic profile: for b_ij^2 <= n^-gamma with
gamma > 5/6 (Gaussian entries) or 8/9 (subgaussian) the eigenvalues are uniform on the unit disk
in the limit. Its new input is a bound on the number of small singular values of X - z,

    #{k : s_k in I} <= 11 n |I|   for |I| >= B^(-1/8) n^c.

Limits: a theorem on a limit can be supported by a finite n, not proved. The threshold 5/6 is one
of the proof and is not visible: distances at gamma = 0.6 are small too.
"""

from aqc.kernels._kernel import Claim, Kernel, Operation, Paper
from aqc.kernels.band_circular_law import spectrum
from aqc.kernels.band_circular_law.ensembles import (
    BlockTridiagonal,
    CyclicBand,
    Entries,
    Permutations,
    Variances,
)
from aqc.kernels.band_circular_law.resolvent import (
    Resolvent,
    dyson,
    measure_resolvent,
    measure_resolvent_steps,
)
from aqc.kernels.band_circular_law.spectrum import (
    Product,
    Spectrum,
    kolmogorov,
    measure_product,
    measure_spectrum,
    measure_spectrum_steps,
)

__all__ = [
    "BlockTridiagonal",
    "CyclicBand",
    "Entries",
    "Permutations",
    "Product",
    "Resolvent",
    "Spectrum",
    "Variances",
    "dyson",
    "kolmogorov",
    "measure_product",
    "measure_resolvent",
    "measure_resolvent_steps",
    "measure_spectrum",
    "measure_spectrum_steps",
]

KERNEL = Kernel(
    paper=Paper(
        title="The circular law for random band matrices: improved bandwidth for general models",
        authors="Han",
        year=2025,
        link="https://arxiv.org/abs/2410.16457",
    ),
    topic="mathematics and statistics",
    operations=(
        Operation(
            measure_spectrum,
            example={"n": 150, "profile": {"width": 65}, "repeats": 2, "eigenvectors": True},
            # Eigenvectors take about three times as long.
            work=lambda n, repeats, eigenvectors, **_: repeats * n**3 * (3 if eigenvectors else 1),
            unit="rows cubed x matrices",
            inline_max=4e8,
            max=1e11,
            steps=measure_spectrum_steps,
            figure=spectrum.draw,
        ),
        Operation(
            measure_resolvent,
            example={"n": 150, "profile": {"block": 25}, "z": [0.0, 0.5], "v": [0.5, 0.1]},
            work=lambda n, z, **_: n**3 * len(z) / 3,
            unit="rows cubed x points / 3",
            inline_max=4e8,
            max=1e11,
            steps=measure_resolvent_steps,
        ),
        Operation(
            measure_product,
            example={"n": 100, "profile": {"width": 40}, "factors": 3},
        ),
    ),
    claims=(
        Claim(
            claim="Circular law for bandwidths above n^(5/6), whatever the geometry",
            baseline="the same at gamma = 0.4; full matrices",
            measured="Rademacher, 5 seeds, cyclic band and disjoint permutations at gamma=5/6: "
            "radial distance below 0.05 at n=1200 and down by over 1.4x from n=300; cyclic band "
            "at gamma=0.4, n=1200: above 0.05; complex Gaussian entries likewise; full "
            "matrices 0.040 to 0.014",
            outcome="reproduced",
        ),
        Claim(
            claim="At most 11 n |I| small singular values of X - z in |I| > B^(-1/8)",
            baseline="limit (2/pi) sqrt(1 - |z|^2); 50 columns set to zero",
            measured="n=600, width 207, four z: below 11; about 0.64 at z=0, raised by the planted "
            "zeros",
            outcome="reproduced",
        ),
        Claim(
            claim="Products of m band matrices: |lambda|^(2/m) is uniform",
            baseline="|lambda|^2 at m=4",
            measured="n=300, width 116, m=2, 4, 8: distance below 0.06, wrong exponent above 0.2",
            outcome="reproduced",
        ),
        Claim(
            claim="Eigenvectors are delocalized",
            baseline="gamma = 0.4",
            measured="n=500, 5 seeds: n sum |v|^4 below 2.3 for gamma=1 and 5/6, above 8 for 0.4",
            outcome="reproduced",
        ),
    ),
)
