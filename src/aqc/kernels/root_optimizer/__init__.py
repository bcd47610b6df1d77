"""ROOT: Muon with coefficients fitted to each matrix's shape, and outliers clipped.

He, Han, Zhou, Chen, Liu, Chen and Wang, arXiv:2511.20626. For a matrix with gradient G:

    M <- mu M + G,  g = G + mu M                      (Nesterov)
    eps = quantile_q(|g|),  O = sign(g) max(|g| - eps, 0),  B = g - O = clip(g, -eps, eps)
    X_0 = B / ||B||_F,  A = X X^T,  X <- a X + (b A + c A A) X,  five times
    p <- p (1 - lr wd) - lr 0.2 sqrt(max(m, n)) X

with (a, b, c) of the matrix's shape. The paper fits these offline by spectra of real momentum and
prints four; `fit_coefficients` fits any shape, by a loss chosen here.

Limits: the paper's headline, language models of 10^9 parameters, is out of reach here; see the
claims for what the small bench showed. Fitted coefficients are near 1 where spectra of random
matrices are; for the square shapes of the paper that gains little (a factor 1.3 in the mean
squared error). Clipping keeps the direction under outliers that turn Muon's, but it is no match for
AdamW where outliers are extreme (300 standard deviations) or frequent (one entry in a hundred).
"""

import functools
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import optax
from annotated_types import Gt, Interval, Len
from jaxtyping import Float

from aqc.kernels._bench import (
    BASELINES,
    Baseline,
    BenchResult,
    Contender,
    bench_steps,
    count_steps,
    draw_bench,
)
from aqc.kernels._kernel import Claim, Kernel, Operation, Paper, Steps, drain
from aqc.kernels._muon import count_multiplications, require_pairs, run_over
from aqc.kernels._signature import checked
from aqc.kernels.root_optimizer._coefficients import (
    CoefficientFit,
    Origin,
    Triple,
    draw_coefficients,
    fit_coefficients,
)
from aqc.kernels.root_optimizer._transformation import (
    Coefficients,
    RootState,
    find_coefficients,
    root,
    scale_by_root,
)

__all__ = [
    "KERNEL",
    "CoefficientFit",
    "RootLayer",
    "RootState",
    "RootUpdates",
    "apply",
    "bench",
    "fit_coefficients",
    "root",
    "scale_by_root",
]


@dataclass(frozen=True)
class RootLayer:
    """What ROOT made of the gradients of one matrix.

    Attributes:
        updates: To be added to the parameters, shape (steps, m, n).
        threshold: eps of each step, shape (steps,).
        clipped_fraction: Share of entries that it clipped, shape (steps,).
        coefficients: (a, b, c).
        coefficients_from: Where they come from; "muon" when "published" has none for the shape.
    """

    updates: Float[np.ndarray, "steps m n"]
    threshold: Float[np.ndarray, " steps"]
    clipped_fraction: Float[np.ndarray, " steps"]
    coefficients: Float[np.ndarray, "3"]
    coefficients_from: Origin


@dataclass(frozen=True)
class RootUpdates:
    """What ROOT made of the gradients, layer by layer."""

    layers: tuple[RootLayer, ...]


@checked(steps=(1, 100), m=(1, 2048), n=(1, 2048))
def apply(
    gradients: Annotated[tuple[Float[np.ndarray, "steps ?m ?n"], ...], Len(1, 100)],
    learning_rate: Annotated[float, Gt(0)] = 1e-3,
    momentum: Annotated[float, Interval(ge=0, lt=1)] = 0.95,
    nesterov: bool = True,
    quantile: Annotated[float, Interval(gt=0, le=1)] = 0.9,
    threshold: Annotated[float, Gt(0)] | None = None,
    ns_steps: Annotated[int, Interval(ge=1, le=10)] = 5,
    coefficients: Coefficients = "adaptive",
    weight_decay: Annotated[float, Interval(ge=0)] = 0.0,
    parameters: Annotated[tuple[Float[np.ndarray, "?m ?n"], ...], Len(1, 100)] | None = None,
) -> RootUpdates:
    """Turn recorded gradients of matrices into ROOT's updates.

    Args:
        gradients: For each layer an array (steps, m, n), from zero momentum on.
        learning_rate: lr.
        momentum: mu.
        nesterov: Clip G + mu M, else M.
        quantile: q; eps is this quantile of the entries' absolute values, 1 clips nothing.
        threshold: eps itself, in place of the quantile.
        ns_steps: Newton-Schulz iterations.
        coefficients: "adaptive" fits them to each shape, "published" takes the paper's for its
            four shapes and Muon's for others, "muon" Muon's for all.
        weight_decay: wd, which acts on the parameters.
        parameters: For each layer the array (m, n) before the first step; zero when not given.

    Returns:
        Updates, thresholds and coefficients of each layer.

    Raises:
        InputError: There are not as many parameters as gradients.

    Source:
        arXiv:2511.20626, Sec. 4.

    Example:
        >>> import numpy as np
        >>> gradient = np.random.default_rng(0).normal(size=(1, 8, 16))
        >>> layer = apply([gradient]).layers[0]
        >>> float(layer.clipped_fraction[0])  # 13 of 128 entries are above the 0.9 quantile
        0.1015625
    """
    require_pairs(parameters, gradients)
    found = {g.shape[1:]: find_coefficients(g.shape[1:], coefficients) for g in gradients}
    table = {tuple(sorted(shape)): triple for shape, (triple, _) in found.items()}
    direction = _direction(momentum, nesterov, quantile, threshold, ns_steps, tuple(table.items()))
    updates, (thresholds, clipped) = run_over(
        direction, _observe, gradients, parameters, learning_rate, weight_decay
    )
    return RootUpdates(
        tuple(
            RootLayer(u, eps, share, np.array(found[u.shape[1:]][0]), found[u.shape[1:]][1])
            for u, eps, share in zip(updates, thresholds, clipped, strict=True)
        )
    )


# Cached, because the compiled run is kept by the transformation's identity.
@functools.lru_cache(maxsize=64)
def _direction(
    momentum: float,
    nesterov: bool,
    quantile: float,
    threshold: float | None,
    ns_steps: int,
    table: tuple[tuple[Any, Triple], ...],
) -> optax.GradientTransformation:
    return scale_by_root(momentum, nesterov, quantile, threshold, ns_steps, dict(table))


def _observe(direction: Any, state: RootState) -> tuple[Any, Any]:
    return state.threshold, state.clipped_fraction


def steps_of_bench(
    learning_rates: np.ndarray,
    baselines: tuple[Baseline, ...],
    quantile: float,
    outlier_probability: float,
    outlier_amplitude: float,
    steps: int,
    seeds: int,
    state: Any = None,
) -> Steps:
    """Do what `bench` does, step by step.

    Args:
        learning_rates: As in `bench`, like all others.
        baselines: See there.
        quantile: See there.
        outlier_probability: See there.
        outlier_amplitude: See there.
        steps: See there.
        seeds: See there.
        state: What an earlier run yielded, to go on from there.

    Yields:
        (fraction done, state) after each training.

    Returns:
        The scores.

    Source:
        See `bench`.

    Example:
        >>> run = steps_of_bench(np.array([0.01, 0.03]), (), 0.9, 0.0, 0.0, 5, 2)
        >>> next(run)[0]
        0.5
    """
    own = Contender("root", root, (("quantile", quantile),))
    return (
        yield from bench_steps(
            (own, *(BASELINES[name] for name in baselines)),
            learning_rates,
            steps=steps,
            seeds=seeds,
            outlier_probability=outlier_probability,
            outlier_amplitude=outlier_amplitude,
            state=state,
        )
    )


@checked(rates=(1, 16))
def bench(
    learning_rates: Float[np.ndarray, " rates"],
    baselines: Annotated[tuple[Baseline, ...], Len(0, 3)] = ("muon", "adamw"),
    quantile: Annotated[float, Interval(gt=0, le=1)] = 0.9,
    outlier_probability: Annotated[float, Interval(ge=0, le=1)] = 0.0,
    outlier_amplitude: Annotated[float, Interval(ge=0, le=1e4)] = 0.0,
    steps: Annotated[int, Interval(ge=1, le=2000)] = 300,
    seeds: Annotated[int, Interval(ge=1, le=10)] = 3,
) -> BenchResult:
    """Train a small network with ROOT and others, with outliers in the gradients when wanted.

    A bias-free ReLU network 32-64-64-10 learns a ReLU teacher 32-64-10 from 8192 points.

    Args:
        learning_rates: Initial rates, which fall linearly to zero.
        baselines: Whom to compare with.
        quantile: q of ROOT.
        outlier_probability: Of each entry of each gradient.
        outlier_amplitude: Standard deviation of outliers over that of the gradient's entries.
        steps: Of each training, batches of 64.
        seeds: Trainings with networks and points of seeds 0, 1, ...

    Returns:
        Final losses of each optimizer, ROOT's first.

    Raises:
        InputError: A learning rate is not positive.

    Source:
        arXiv:2511.20626 trains language models of 10^9 parameters; this problem is ours.

    Example:
        >>> result = bench([0.01, 0.03], baselines=[], steps=5, seeds=1)
        >>> [score.optimizer for score in result.scores], result.scores[0].losses.shape
        (['root'], (1, 2))
    """
    return drain(
        steps_of_bench(
            learning_rates,
            baselines,
            quantile,
            outlier_probability,
            outlier_amplitude,
            steps,
            seeds,
        )
    )


_GRADIENTS = np.random.default_rng(0).standard_t(2, size=(2, 5, 10)).round(3).tolist()

KERNEL = Kernel(
    paper=Paper(
        title="ROOT: Robust Orthogonalized Optimizer for Neural Network Training",
        authors="He, Han, Zhou, Chen, Liu, Chen, Wang",
        year=2025,
        link="https://arxiv.org/abs/2511.20626",
    ),
    topic="matrices and orthogonality",
    operations=(
        Operation(
            apply,
            example={"gradients": [_GRADIENTS]},
            work=count_multiplications,
            unit="multiplications",
            inline_max=5e9,
            max=1e12,
        ),
        Operation(fit_coefficients, example={"rows": 64, "columns": 256}, figure=draw_coefficients),
        Operation(
            bench,
            example={
                "learning_rates": [0.01, 0.03],
                "baselines": ["adamw"],
                "outlier_probability": 1e-3,
                "outlier_amplitude": 30,
                "steps": 100,
                "seeds": 1,
            },
            work=count_steps,
            unit="training steps (optimizers x seeds x rates x steps)",
            inline_max=800,
            max=1.3e6,
            steps=steps_of_bench,
            figure=draw_bench,
        ),
    ),
    claims=(
        Claim(
            claim="Coefficients fitted to a matrix's shape orthogonalize it better.",
            baseline="Muon's coefficients",
            measured="Mean squared error of five steps on new Gaussian matrices: 0.0088 for 0.045 "
            "(64 x 64), 2.1e-5 for 0.046 (64 x 256), 1.3e-4 for 0.048 (128 x 512), 0.017 for "
            "0.045 (256 x 256); the paper's own four on limiting spectra: 0.039 for 0.050 (2048 x "
            "2048) to 0.0015 for 0.034 (2048 x 8192)",
            outcome="reproduced",
        ),
        Claim(
            claim="Clipping keeps the direction when some entries of the gradient are outliers.",
            baseline="Muon",
            measured="Cosine with Muon's direction of the clean gradient (64 x 256, rank 8 and "
            "noise, 1 % of entries off by 20 or 100 standard deviations, 5 seeds): ROOT 0.76 to "
            "0.78, Muon 0.12 to 0.30",
            outcome="reproduced",
        ),
        Claim(
            claim="Networks train to a lower loss than with Muon and AdamW, most of all when "
            "gradients have outliers.",
            baseline="optax's Muon and AdamW, each at its best rate",
            measured="Network 32-64-64-10, 300 steps, 5 seeds, final loss of ROOT, Muon, AdamW: "
            "0.334, 0.333, 0.390 without outliers; 0.381, 0.430, 0.395 with outliers of 30 "
            "standard deviations in 0.1 % of entries; but 0.456, 0.727, 0.398 with 300 in 0.1 % "
            "and 0.845, 0.924, 0.470 with 100 in 1 %",
            outcome="in part",
        ),
    ),
)
