"""Pictures of a compile: how it went, the circuit as blocks, its errors, the states along time."""

from collections.abc import Callable

from matplotlib.figure import Figure

from aqc.figures.accuracy import error_budget, infidelity_per_site
from aqc.figures.circuits import brickwork
from aqc.figures.optimization import convergence, depth_sweep
from aqc.figures.states import entanglement, traces
from aqc.figures.style import render, save

__all__ = [
    "FIGURES",
    "brickwork",
    "convergence",
    "depth_sweep",
    "entanglement",
    "error_budget",
    "infidelity_per_site",
    "render",
    "save",
    "traces",
]

FIGURES: dict[str, Callable[..., Figure]] = {
    "circuit": brickwork,
    "convergence": convergence,
    "sweep": depth_sweep,
}
"""What is drawn of a compile, by the name of its file."""
