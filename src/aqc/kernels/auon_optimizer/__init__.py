"""AuON: momentum over its norm and over the root mean square of the cosh of its entries.

Maity, arXiv:2509.24320. For a matrix with gradient g:

    m <- beta m + (1 - beta) g,  G = beta m + (1 - beta) g          (Nesterov)
    u = G / ||G||_F,  r = sqrt(mean(cosh(gamma u)^2))
    U = u / r  ("paper"),  U = G / r  ("repo", the author's code, with gamma = 1.5)
    p <- p (1 - lr wd) - lr U

Hybrid AuON orthogonalizes first: X by Newton-Schulz from G, r of X / ||X||_F, U = X / r.

Limits. ||u||_F = 1 bounds r: with N entries cosh(gamma / sqrt N) <= r <= sqrt((N - 1 +
cosh(gamma)^2) / N), so r = 1 + O(1/N), and on any real layer AuON is momentum normalized by its
Frobenius norm, to a part in a thousand or better. U is not semi-orthogonal: it is a multiple of
the momentum. What the paper calls comparable to Muon and AdamW is not: plain AuON ends above both
in the paper's own table and in the bench here. Hybrid AuON with five iterations is Muon. The
paper's formula of the hybrid omits the root in r; it is taken here.
"""

from typing import Annotated, Any

import numpy as np
from annotated_types import Interval, Len
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
from aqc.kernels._muon import count_multiplications
from aqc.kernels._signature import checked
from aqc.kernels.auon_optimizer._apply import AuonLayer, AuonUpdates, apply, apply_hybrid
from aqc.kernels.auon_optimizer._cost import Cost, cost, draw_cost
from aqc.kernels.auon_optimizer._transformation import (
    AuonState,
    auon,
    cosh_scale,
    hybrid_auon,
    scale_by_auon,
)

__all__ = [
    "KERNEL",
    "AuonLayer",
    "AuonState",
    "AuonUpdates",
    "Cost",
    "apply",
    "apply_hybrid",
    "auon",
    "bench",
    "cosh_scale",
    "cost",
    "hybrid_auon",
    "scale_by_auon",
]


def steps_of_bench(
    learning_rates: np.ndarray,
    baselines: tuple[Baseline, ...],
    gamma: float,
    hybrid_ns_steps: tuple[int, ...],
    steps: int,
    seeds: int,
    state: Any = None,
) -> Steps:
    """Do what `bench` does, step by step.

    Args:
        learning_rates: As in `bench`, like all others.
        baselines: See there.
        gamma: See there.
        hybrid_ns_steps: See there.
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
        >>> run = steps_of_bench(np.array([0.1, 0.3]), (), 1.0, (), 5, 2)
        >>> next(run)[0]
        0.5
    """
    shared = (("gamma", gamma), ("shape_scale", True))
    own = [Contender("auon", auon, shared)]
    for count in hybrid_ns_steps:
        settings = (*shared, ("ns_steps", count))
        own.append(Contender(f"hybrid_auon_{count}", hybrid_auon, settings))
    return (
        yield from bench_steps(
            (*own, *(BASELINES[name] for name in baselines)),
            learning_rates,
            steps=steps,
            seeds=seeds,
            state=state,
        )
    )


@checked(rates=(1, 16))
def bench(
    learning_rates: Float[np.ndarray, " rates"],
    baselines: Annotated[tuple[Baseline, ...], Len(0, 3)] = ("muon", "adamw"),
    gamma: Annotated[float, Interval(ge=0, le=20)] = 1.0,
    hybrid_ns_steps: Annotated[tuple[Annotated[int, Interval(ge=0, le=10)], ...], Len(0, 3)] = (),
    steps: Annotated[int, Interval(ge=1, le=2000)] = 300,
    seeds: Annotated[int, Interval(ge=1, le=10)] = 3,
) -> BenchResult:
    """Train a small network with AuON, hybrids of it, and others.

    A bias-free ReLU network 32-64-64-10 learns a ReLU teacher 32-64-10 from 8192 points.

    Args:
        learning_rates: Initial rates, which fall linearly to zero. A step of AuON is smaller than
            Muon's at the same rate by some 0.2 sqrt(m n): rates of a wide range are needed.
        baselines: Whom to compare with.
        gamma: Inside cosh.
        hybrid_ns_steps: Train Hybrid AuON with each of these numbers of iterations too.
        steps: Of each training, batches of 64.
        seeds: Trainings with networks and points of seeds 0, 1, ...

    Returns:
        Final losses of each optimizer, AuON's first; all with `shape_scale`.

    Raises:
        InputError: A learning rate is not positive.

    Source:
        arXiv:2509.24320 trains a language model of 41 million parameters; this problem is ours.

    Example:
        >>> result = bench([0.1, 0.3], baselines=[], hybrid_ns_steps=[1], steps=5, seeds=1)
        >>> [score.optimizer for score in result.scores]
        ['auon', 'hybrid_auon_1']
    """
    return drain(steps_of_bench(learning_rates, baselines, gamma, hybrid_ns_steps, steps, seeds))


_GRADIENTS = np.random.default_rng(0).standard_t(3, size=(2, 6, 8)).round(3).tolist()

KERNEL = Kernel(
    paper=Paper(
        title="AuON: A Linear-time Alternative to Semi-Orthogonal Momentum Updates",
        authors="Maity",
        year=2025,
        link="https://arxiv.org/abs/2509.24320",
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
        Operation(
            apply_hybrid,
            example={"gradients": [_GRADIENTS], "ns_steps": 5},
            work=count_multiplications,
            unit="multiplications",
            inline_max=5e9,
            max=1e12,
        ),
        Operation(cost, example={"sizes": [64, 128, 256]}, figure=draw_cost),
        Operation(
            bench,
            example={
                "learning_rates": [0.1, 0.3, 1.0],
                "baselines": ["normalized_momentum"],
                "steps": 100,
                "seeds": 1,
            },
            work=lambda hybrid_ns_steps, **rest: count_steps(
                entrants=1 + len(hybrid_ns_steps), **rest
            ),
            unit="training steps (optimizers x seeds x rates x steps)",
            inline_max=2000,
            max=1.3e6,
            steps=steps_of_bench,
            figure=draw_bench,
        ),
    ),
    claims=(
        Claim(
            claim="A step costs time linear in the entries.",
            baseline="Muon",
            measured="Operations of the compiled step when n doubles, n = 128, 256, 512: 4 times "
            "for AuON, 8 times for Muon",
            outcome="reproduced",
        ),
        Claim(
            claim="A step has at most unit spectral norm.",
            baseline="the identity ||U||_2 <= ||U||_F = 1 / r < 1",
            measured="Student-t matrices 8 x 8 to 256 x 64; r is 1 + O(1 / (m n)): the step is "
            "normalized momentum",
            outcome="reproduced",
        ),
        Claim(
            claim="AuON trains comparably to AdamW and Muon.",
            baseline="optax's AdamW and Muon, and normalized momentum, each at its best rate",
            measured="Network 32-64-64-10, 300 steps, 5 seeds, final loss: AuON 0.448, normalized "
            "momentum 0.446, AdamW 0.390, Muon 0.333 (the paper's own table has AuON last too)",
            outcome="not reproduced",
        ),
        Claim(
            claim="Hybrid AuON with one Newton-Schulz iteration reaches Muon's loss.",
            baseline="optax's Muon, each at its best rate",
            measured="As above: 0.424 with one iteration, 0.335 with five, Muon 0.333",
            outcome="not reproduced",
        ),
    ),
)
