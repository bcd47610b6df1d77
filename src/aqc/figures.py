"""Pictures of a compile: how the optimization went, and the circuit drawn as blocks.

Figures are built without pyplot (no global state, safe in threads), and a circuit is one
collection of rectangles, so that 1000 qubits draw in about a second.
"""

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

# A converged double-precision infidelity, or an exact zero, still needs a place on a log axis.
_FLOOR = 1e-16

_LONGEST_PANEL = 64  # qubits, one row each
_LARGEST = 18.0  # inches, width and height
_COLUMN = 0.4  # inches of a layer, when there is room
_MARGIN, _BAR, _EDGE = 0.6, 0.95, 0.35  # inches: left of a panel, color bar, above and below


@dataclass(frozen=True)
class _Theme:
    paper: str
    ink: str
    grid: str
    wire: str
    line: str
    trotter: str
    goal: str
    weak: str
    strong: str


_LIGHT = _Theme(
    "#ffffff",
    "#24292f",
    "#d8dde3",
    "#9aa4af",
    "#1f5fa8",
    "#b8541a",
    "#2b7a4b",
    "#e6eef8",
    "#0b3d7a",
)
_DARK = _Theme(
    "#14181d",
    "#dde3ea",
    "#39424d",
    "#5a6673",
    "#6cb2ff",
    "#f0a35e",
    "#6fcf97",
    "#26384d",
    "#9ccfff",
)


def convergence(
    history: Sequence[tuple[int, float]],
    trotter_infidelity: float | None,
    goal: float,
    *,
    dark: bool = False,
) -> Figure:
    """Draw the infidelity against the number of evaluations, on a log axis.

    Dots are the steps (not each of them must be better), the line is the best so far; plain
    Trotter of at least the same two-qubit depth and the goal are horizontal lines.

    Args:
        history: Pairs (evaluation, infidelity), in order; may be empty.
        trotter_infidelity: 1 - F of the best plain Trotter circuit, at the same depth or the
            next one that it can have; None where there is none.
        goal: The infidelity asked for.
        dark: Light on dark.

    Returns:
        A figure, 6.4 x 4 inches.

    Example:
        >>> figure = convergence([(1, 0.12), (2, 0.05), (3, 0.008)], 0.1, 0.01)
        >>> figure.axes[0].get_yscale()
        'log'
    """
    theme = _DARK if dark else _LIGHT
    figure = _blank(6.4, 4.0, theme)
    axes = figure.add_axes((0.115, 0.125, 0.865, 0.79))
    _dress(axes, theme)
    pairs = np.array(history, dtype=float).reshape(-1, 2)
    steps, values = pairs[:, 0], np.maximum(pairs[:, 1], _FLOOR)
    best = np.minimum.accumulate(values)
    levels = [goal] if trotter_infidelity is None else [goal, trotter_infidelity]
    _log_axis(axes, np.append(values, np.maximum(levels, _FLOOR)))
    axes.grid(True, color=theme.grid, linewidth=0.6)
    axes.set(xlabel="evaluations", ylabel="infidelity  $1 - F$", axisbelow=True)
    axes.set_xlim(0, max(steps.max(initial=0), 10) * 1.02)
    axes.plot(steps, values, ".", color=theme.line, alpha=0.6, markersize=5, markeredgewidth=0)
    axes.plot(steps, best, color=theme.line, linewidth=1.8, drawstyle="steps-post")
    # The curve falls from the upper left, so the labels meet neither it nor each other.
    if trotter_infidelity is not None:
        _level(axes, "plain Trotter, no shallower", trotter_infidelity, theme.trotter, "right")
    _level(axes, "goal", goal, theme.goal, "left")
    if best.size:
        axes.set_title(f"best infidelity {best[-1]:.3g}", loc="left", color=theme.ink, fontsize=10)
    return figure


def depth_sweep(
    depths: Sequence[tuple[int, float, float]], goal: float, *, dark: bool = False
) -> Figure:
    """Draw the infidelity against the number of layers, on a log axis.

    Args:
        depths: For each depth (layers, 1 - F of the fit, 1 - F of Trotter's circuit of so many
            layers or another start), in ascending order.
        goal: The infidelity asked for.
        dark: Light on dark.

    Returns:
        A figure, 6.4 x 4 inches.

    Example:
        >>> figure = depth_sweep([(3, 0.05, 0.4), (5, 0.008, 0.2)], 0.01)
        >>> figure.axes[0].get_xlabel()
        'brick layers'
    """
    theme = _DARK if dark else _LIGHT
    figure = _blank(6.4, 4.0, theme)
    axes = figure.add_axes((0.115, 0.125, 0.865, 0.79))
    _dress(axes, theme)
    layers, fitted, trotter = np.array(depths, dtype=float).reshape(-1, 3).T
    fitted, trotter = np.maximum(fitted, _FLOOR), np.maximum(trotter, _FLOOR)
    _log_axis(axes, np.concatenate([fitted, trotter, [max(goal, _FLOOR)]]))
    axes.grid(True, color=theme.grid, linewidth=0.6)
    axes.set(xlabel="brick layers", ylabel="infidelity  $1 - F$", axisbelow=True)
    axes.set_xticks(layers)
    lines = [
        axes.plot(layers, values, marker, color=color, linewidth=1.8, markersize=5)[0]
        for values, marker, color in ((trotter, "s--", theme.trotter), (fitted, "o-", theme.line))
    ]
    legend = axes.legend(lines, ["its start, not optimized", "optimized"], fontsize=9)
    legend.get_frame().set(facecolor=theme.paper, edgecolor=theme.grid)
    for text in legend.get_texts():
        text.set_color(theme.ink)
    _level(axes, "goal", goal, theme.goal, "left")
    return figure


def brickwork(
    num_qubits: int, layers: Sequence[Sequence[tuple[int, float]]], *, dark: bool = False
) -> Figure:
    """Draw a brickwork circuit as blocks, time left to right, colored by entangling strength.

    A long chain is folded into panels side by side; a block on a fold is drawn in both.

    Args:
        num_qubits: Number of qubits n.
        layers: For every layer its blocks (left qubit, strength), strength from 0 (a product of
            one-qubit gates) to 1 (as entangling as a two-qubit gate can be).
        dark: Light on dark.

    Returns:
        A figure whose size follows the circuit, at most 18 x 18 inches.

    Example:
        >>> figure = brickwork(4, [[(0, 1.0), (2, 0.5)], [(1, 0.2)]])
        >>> len(figure.axes)  # one panel and the color scale
        2
    """
    theme = _DARK if dark else _LIGHT
    layout = _fold(num_qubits, max(len(layers), 1))
    figure = _blank(layout.width, layout.height, theme)
    corners, strengths = _blocks(layers)
    scale = ScalarMappable(
        Normalize(0.0, 1.0), LinearSegmentedColormap.from_list("", [theme.weak, theme.strong])
    )
    for panel in range(layout.panels):
        axes = figure.add_axes(layout.rectangle(panel))
        _dress(axes, theme)
        first = panel * layout.rows
        last = min(first + layout.rows, num_qubits) - 1
        inside = (corners[:, 1] <= last) & (corners[:, 1] + 1 >= first)
        _draw_panel(axes, corners[inside], scale.to_rgba(strengths[inside]), theme)
        wires = [[(-0.6, q), (layout.depth - 0.4, q)] for q in range(first, last + 1)]
        axes.add_collection(LineCollection(wires, colors=theme.wire, linewidths=0.6, zorder=1))
        # The last panel may hold fewer qubits; it keeps the scale of the others.
        axes.set(xlim=(-0.6, layout.depth - 0.4), ylim=(first + layout.rows - 0.4, first - 0.6))
        _ticks(axes, first, last, layout)
        axes.set_xlabel("brick layer" if layout.panels <= 8 else "")
        axes.set_ylabel("qubit" if panel == 0 else "")
    _color_bar(figure, scale, layout, theme)
    return figure


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
        >>> render(brickwork(2, [[(0, 1.0)]]), "png")[1:4]
        b'PNG'
    """
    metadata = {"Date": None} if format == "svg" else None
    content = io.BytesIO()
    with rc_context({"svg.hashsalt": "aqc"}):
        figure.savefig(
            content, format=format, dpi=dpi, facecolor=figure.get_facecolor(), metadata=metadata
        )
    return content.getvalue()


FIGURES: dict[str, Callable[..., Figure]] = {
    "circuit": brickwork,
    "convergence": convergence,
    "sweep": depth_sweep,
}
"""What is drawn of a compile, by the name of its file."""


def _blank(width: float, height: float, theme: _Theme) -> Figure:
    figure = Figure(figsize=(width, height), facecolor=theme.paper)
    FigureCanvasAgg(figure)
    return figure


def _dress(axes: Axes, theme: _Theme) -> None:
    axes.set_facecolor(theme.paper)
    axes.tick_params(which="both", colors=theme.ink, labelsize=8, width=0.6)
    for name, spine in axes.spines.items():
        spine.set_color(theme.grid)
        spine.set_visible(name in ("left", "bottom"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set(color=theme.ink, fontsize=9)


def _log_axis(axes: Axes, shown: np.ndarray) -> None:
    """A log axis around everything shown, wide enough for a labeled tick."""
    low, high = shown.min() / 1.6, shown.max() * 2.0
    widen = max(1.0, math.sqrt(20.0 / (high / low)))
    axes.set_yscale("log")
    axes.set_ylim(low / widen, high * widen)
    axes.yaxis.set_major_locator(LogLocator(numticks=9))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def _level(
    axes: Axes, label: str, value: float, color: str, side: Literal["left", "right"]
) -> None:
    height = max(value, _FLOOR)
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


@dataclass(frozen=True)
class _Layout:
    """Where the panels of a folded chain lie; lengths in inches."""

    panels: int
    rows: int
    depth: int
    row: float
    column: float

    @property
    def width(self) -> float:
        return self.panels * (self.depth * self.column + _MARGIN) + _BAR

    @property
    def height(self) -> float:
        return self.rows * self.row + 2 * _EDGE

    def rectangle(self, panel: int) -> tuple[float, float, float, float]:
        """Left, bottom, width and height of a panel, as fractions of the figure."""
        left = panel * (self.depth * self.column + _MARGIN) + _MARGIN
        return (
            left / self.width,
            1.35 * _EDGE / self.height,
            self.depth * self.column / self.width,
            self.rows * self.row / self.height,
        )


def _fold(num_qubits: int, depth: int) -> _Layout:
    """Fold a chain that is too long for one panel, so that the picture is about 4:3."""
    row = max(0.15, min(0.3, 4.0 / num_qubits), 1.4 / num_qubits)
    panels = 1
    if num_qubits > _LONGEST_PANEL:
        panels = max(2, round(math.sqrt(4 / 3 * num_qubits * row / (depth * _COLUMN + _MARGIN))))
    # An even number of rows, so that no block of the first layer lies across a fold.
    rows = num_qubits if panels == 1 else 2 * math.ceil(num_qubits / panels / 2)
    panels = math.ceil(num_qubits / rows)
    row = min(row, (_LARGEST - 2 * _EDGE) / rows)
    column = min(_COLUMN, ((_LARGEST - _BAR) / panels - _MARGIN) / depth)
    return _Layout(panels, rows, depth, row, column)


def _blocks(layers: Sequence[Sequence[tuple[int, float]]]) -> tuple[np.ndarray, np.ndarray]:
    """(layer, left qubit) and strength of every block."""
    flat = [(t, left, strength) for t, layer in enumerate(layers) for left, strength in layer]
    table = np.array(flat, dtype=float).reshape(-1, 3)
    return table[:, :2], table[:, 2]


def _draw_panel(axes: Axes, corners: np.ndarray, colors: np.ndarray, theme: _Theme) -> None:
    # From a little above the upper wire to a little below the lower one.
    outline = np.array([[-0.36, -0.3], [0.36, -0.3], [0.36, 1.3], [-0.36, 1.3]])
    axes.add_collection(
        PolyCollection(
            corners[:, None, :] + outline,
            facecolors=colors,
            edgecolors=theme.line,
            linewidths=0.6,
            zorder=2,
        )
    )


def _ticks(axes: Axes, first: int, last: int, layout: _Layout) -> None:
    """Label round numbers, as many as stay readable."""
    stride = _round_up(max(0.16 / layout.row, layout.rows / 50))
    axes.set_yticks([q for q in range(first, last + 1) if q % stride == 0])
    axes.set_xticks(range(0, layout.depth, _round_up(0.22 / layout.column)))
    axes.tick_params(axis="y", length=0)


def _round_up(stride: float) -> int:
    """The next of 1, 2, 5, 10, 20, 50, ..."""
    scale = 10 ** math.floor(math.log10(max(stride, 1)))
    return next(step * scale for step in (1, 2, 5, 10) if step * scale >= stride)


def _color_bar(figure: Figure, scale: ScalarMappable, layout: _Layout, theme: _Theme) -> None:
    tall = min(2.0, layout.rows * layout.row)
    top = (layout.rows * layout.row + 1.35 * _EDGE) / layout.height
    axes = figure.add_axes(
        (
            1 - (_BAR - 0.2) / layout.width,
            top - tall / layout.height,
            0.12 / layout.width,
            tall / layout.height,
        )
    )
    bar = figure.colorbar(scale, cax=axes, ticks=[0, 0.5, 1])
    bar.set_label("entangling strength", color=theme.ink, fontsize=8)
    axes.tick_params(colors=theme.ink, labelsize=8, length=2.5)
    bar.outline.set_edgecolor(theme.grid)
