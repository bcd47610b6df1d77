"""What a step of AuON and of Muon costs, as compiled."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import numpy as np
import optax
from jaxtyping import Float, Int

from aqc.errors import InputError
from aqc.kernels._signature import checked
from aqc.kernels.auon_optimizer._transformation import scale_by_auon

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Cost:
    """Floating-point operations of one compiled step on square matrices.

    Attributes:
        sizes: Rows and columns, shape (sizes,).
        auon: Operations of AuON, shape (sizes,).
        muon: Operations of Muon, shape (sizes,).
    """

    sizes: Int[np.ndarray, " sizes"]
    auon: Float[np.ndarray, " sizes"]
    muon: Float[np.ndarray, " sizes"]


@checked(sizes=(1, 8))
def cost(sizes: Int[np.ndarray, " sizes"]) -> Cost:
    """Count the floating-point operations of one compiled step of AuON and of Muon.

    Args:
        sizes: Rows and columns of square matrices, 8 to 2048.

    Returns:
        Operations as XLA counts them: AuON's grow as n^2, Muon's as n^3.

    Raises:
        InputError: A size is outside of [8, 2048].

    Source:
        arXiv:2509.24320 calls AuON linear in the number of entries.

    Example:
        >>> result = cost([32, 64])
        >>> round(result.auon[1] / result.auon[0]), round(result.muon[1] / result.muon[0])
        (4, 8)
    """
    for i, size in enumerate(sizes.tolist()):
        if not 8 <= size <= 2048:
            raise InputError(f"`sizes[{i}]` must be in [8, 2048], but is {size}.", f"/sizes/{i}")
    muon = optax.contrib.scale_by_muon()
    counts = [[_flops(t, n) for n in sizes.tolist()] for t in (scale_by_auon(), muon)]
    return Cost(sizes, *np.array(counts))


def _flops(transformation: optax.GradientTransformation, size: int) -> float:
    matrix = jax.ShapeDtypeStruct((size, size), np.float32)
    state = jax.eval_shape(transformation.init, matrix)
    compiled = jax.jit(transformation.update).lower(matrix, state).compile()
    return float((compiled.cost_analysis() or {})["flops"])


def draw_cost(result: Cost) -> "Figure":
    """Draw the operations over the size."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.8), layout="constrained")
    axes = figure.subplots()
    order = np.argsort(result.sizes)
    axes.loglog(result.sizes[order], result.muon[order], "o-", label="Muon")
    axes.loglog(result.sizes[order], result.auon[order], "o-", label="AuON")
    axes.set_xticks(result.sizes, [str(n) for n in result.sizes])
    axes.minorticks_off()
    axes.set(xlabel="rows and columns", ylabel="floating-point operations of a step")
    axes.legend()
    return figure
