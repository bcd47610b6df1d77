"""What all figures share: colors for light and dark paper, axes, and how they are written.

Figures are built without pyplot (no global state, safe in threads).
"""

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

FLOOR = 1e-16
"""A converged double-precision infidelity, or an exact zero, still needs a place on a log axis."""


@dataclass(frozen=True)
class Theme:
    """Colors."""

    paper: str
    ink: str
    grid: str
    wire: str
    line: str
    trotter: str
    goal: str
    weak: str
    strong: str
    series: tuple[str, ...]


_LIGHT = Theme(
    "#ffffff",
    "#24292f",
    "#d8dde3",
    "#9aa4af",
    "#1f5fa8",
    "#b8541a",
    "#2b7a4b",
    "#e6eef8",
    "#0b3d7a",
    ("#1f5fa8", "#b8541a", "#2b7a4b", "#7a3e9d", "#a3222f", "#5c6670"),
)
_DARK = Theme(
    "#14181d",
    "#dde3ea",
    "#39424d",
    "#5a6673",
    "#6cb2ff",
    "#f0a35e",
    "#6fcf97",
    "#26384d",
    "#9ccfff",
    ("#6cb2ff", "#f0a35e", "#6fcf97", "#c79bf2", "#ff8a8a", "#a9b4c0"),
)


def theme_of(dark: bool) -> Theme:
    """Return the colors for dark or light paper."""
    return _DARK if dark else _LIGHT


def blank(width: float, height: float, theme: Theme) -> Figure:
    """Return an empty figure of a size in inches, which no window manages."""
    figure = Figure(figsize=(width, height), facecolor=theme.paper)
    FigureCanvasAgg(figure)
    return figure


def dress(axes: Axes, theme: Theme) -> None:
    """Give axes the colors of a theme, and only the two spines that carry numbers."""
    axes.set_facecolor(theme.paper)
    axes.tick_params(which="both", colors=theme.ink, labelsize=8, width=0.6)
    for name, spine in axes.spines.items():
        spine.set_color(theme.grid)
        spine.set_visible(name in ("left", "bottom"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set(color=theme.ink, fontsize=9)


def log_axis(axes: Axes, shown: np.ndarray) -> None:
    """Make y a log axis around everything shown, wide enough for a labeled tick; x counts."""
    low, high = shown.min() / 1.6, shown.max() * 2.0
    widen = max(1.0, math.sqrt(20.0 / (high / low)))
    axes.set_yscale("log")
    axes.set_ylim(low / widen, high * widen)
    axes.yaxis.set_major_locator(LogLocator(numticks=9))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def level(axes: Axes, label: str, value: float, color: str, side: Literal["left", "right"]) -> None:
    """Draw a horizontal line with its label and value above it."""
    height = max(value, FLOOR)
    axes.axhline(height, color=color, linewidth=1.2, linestyle=(0, (5, 3)))
    axes.annotate(
        f"{label}: {value:.3g}",
        (float(side == "right"), height),
        xycoords=("axes fraction", "data"),
        xytext=(-4 if side == "right" else 4, 4),
        textcoords="offset points",
        ha=side,
        color=color,
        fontsize=9,
        # The two levels may be close: a label stays readable on the other line.
        bbox={"facecolor": axes.get_facecolor(), "alpha": 0.85, "edgecolor": "none", "pad": 0.5},
    )


def grid(axes: Axes, theme: Theme) -> None:
    """Draw a grid behind everything."""
    axes.grid(True, color=theme.grid, linewidth=0.6)
    axes.set_axisbelow(True)


def show_legend(axes: Axes, theme: Theme, *arguments: Any, **options: Any) -> Legend:
    """Draw a legend in the colors of a theme."""
    legend = axes.legend(*arguments, **{"fontsize": 9, **options})
    legend.get_frame().set(facecolor=theme.paper, edgecolor=theme.grid)
    for text in legend.get_texts():
        text.set_color(theme.ink)
    return legend


def save(figure: Figure, path: Path | str, *, dpi: int = 150) -> None:
    """Write a figure as PNG or SVG; the same figure gives the same file.

    Args:
        figure: What to write.
        path: The file, replaced when it exists; its suffix .png or .svg decides.
        dpi: Pixels per inch of a PNG.
    """
    path = Path(path)
    path.write_bytes(render(figure, path.suffix.lstrip("."), dpi=dpi))


def render(figure: Figure, format: str, *, dpi: int = 150) -> bytes:
    """Return a figure as the content of a file; the same figure gives the same bytes.

    Args:
        figure: What to draw.
        format: "png" or "svg".
        dpi: Pixels per inch of a PNG.

    Example:
        >>> render(blank(2.0, 1.0, theme_of(False)), "png")[1:4]
        b'PNG'
    """
    metadata = {"Date": None} if format == "svg" else None
    content = io.BytesIO()
    with rc_context({"svg.hashsalt": "aqc"}):
        figure.savefig(
            content, format=format, dpi=dpi, facecolor=figure.get_facecolor(), metadata=metadata
        )
    return content.getvalue()
