"""What a training costs, and how its course is drawn."""

from typing import TYPE_CHECKING, Any

from aqc.kernels.execution_manifold._dynamics import Dynamics
from aqc.kernels.execution_manifold._transformer import Network

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def dynamics_work(
    length: int,
    vocabulary: int,
    classes: int,
    width: int,
    layers: int,
    heads: int,
    mlp: bool,
    steps: int,
    every: int,
    batch: int,
    pairs: int,
    **_: Any,
) -> float:
    """Return the multiplications of a training and its measurements, roughly.

    Args:
        length: T.
        vocabulary: Tokens.
        classes: C.
        width: d.
        layers: L.
        heads: Of attention.
        mlp: Whether there is one.
        steps: Of training.
        every: Steps between measurements.
        batch: Sequences of a step.
        pairs: Of batches.

    Returns:
        Three passes of the network per gradient, measurements counted twice for their precision,
        and the principal components of all snapshots.

    Source: counted.

    Example:
        >>> f"{dynamics_work(16, 64, 8, 64, 2, 4, False, 1500, 50, 64, 9):.1e}"
        '4.2e+11'
    """
    network = Network(vocabulary, length, classes, width, layers, heads, mlp)
    layer = (4 + 8 * mlp) * width**2 + 2 * length * width
    gradient = 3 * batch * length * layers * layer + 10 * network.parameters
    measurements = steps // every
    components = measurements**3 * layers * width**2 * 4
    return float(gradient * (steps + 8 * pairs * measurements) + components)


def draw_dynamics(result: Dynamics) -> "Figure":
    """Draw accuracy and entropy, dimensions, and the commutator's alignment along the training."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.5, 3.8), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    left.plot(result.steps, result.accuracy, label="accuracy")
    left.plot(result.steps, result.entropy, label="attention entropy (nats)")
    left.set(xlabel="step", ylim=(0, None))
    left.legend(fontsize="small")
    few = len(result.blocks) <= 8
    for name, course in zip(result.blocks, result.dimensions.T, strict=True):
        middle.plot(result.measured_steps, course, label=name if few else None, alpha=0.8)
    walk = result.trajectory.random_walk_dimension
    middle.axhline(walk, color="k", linestyle="--", label=f"random walk: {walk}")
    middle.set(xlabel="step", ylabel="effective dimension", ylim=(0, walk + 0.5))
    middle.legend(fontsize="x-small", loc="lower right")
    right.plot(result.measured_steps, result.ratio, label="inside / random")
    right.plot(result.measured_steps, result.outside, label="share outside")
    right.axhline(1, color="k", linestyle="--", label="random subspace")
    right.set(xlabel="step", ylabel="commutator", ylim=(0, None))
    right.legend(fontsize="small")
    return figure
