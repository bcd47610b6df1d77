"""A circuit drawn as blocks: one collection of rectangles, so 1000 qubits take about a second."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from aqc.figures.style import Theme, blank, dress, theme_of

_LONGEST_PANEL = 64  # qubits, one row each
_LARGEST = 18.0  # inches, width and height
_COLUMN = 0.4  # inches of a layer, when there is room
_MARGIN, _BAR, _EDGE = 0.6, 0.95, 0.35  # inches: left of a panel, color bar, above and below


def brickwork(
    num_qubits: int, layers: Sequence[Sequence[Sequence[float]]], *, dark: bool = False
) -> Figure:
    """Draw a brickwork circuit as blocks, time left to right, colored by entangling strength.

    A long chain is folded into panels side by side; a block on a fold is drawn in both.

    Args:
        num_qubits: Number of qubits n.
        layers: For every layer its blocks (left qubit, strength), strength from 0 (a product of
            one-qubit gates) to 1 (as entangling as a two-qubit gate can be). Blocks on qubits that
            are not neighbors are (left, right, strength), and those that would cross are drawn in
            columns of their own.
        dark: Light on dark.

    Returns:
        A figure whose size follows the circuit, at most 18 x 18 inches.

    Example:
        >>> figure = brickwork(4, [[(0, 1.0), (2, 0.5)], [(1, 0.2)]])
        >>> len(figure.axes)  # one panel and the color scale
        2
    """
    theme = theme_of(dark)
    blocks, strengths = _blocks(layers)
    columns = int(blocks[:, 0].max(initial=-1)) + 1
    layout = _fold(num_qubits, max(columns, len(layers), 1))
    figure = blank(layout.width, layout.height, theme)
    scale = ScalarMappable(
        Normalize(0.0, 1.0), LinearSegmentedColormap.from_list("", [theme.weak, theme.strong])
    )
    for panel in range(layout.panels):
        axes = figure.add_axes(layout.rectangle(panel))
        dress(axes, theme)
        first = panel * layout.rows
        last = min(first + layout.rows, num_qubits) - 1
        inside = (blocks[:, 1] <= last) & (blocks[:, 2] >= first)
        _draw_panel(axes, blocks[inside], scale.to_rgba(strengths[inside]), theme)
        wires = [[(-0.6, q), (layout.depth - 0.4, q)] for q in range(first, last + 1)]
        axes.add_collection(LineCollection(wires, colors=theme.wire, linewidths=0.6, zorder=1))
        # The last panel may hold fewer qubits; it keeps the scale of the others.
        axes.set(xlim=(-0.6, layout.depth - 0.4), ylim=(first + layout.rows - 0.4, first - 0.6))
        _ticks(axes, first, last, layout)
        what = "brick layer" if columns <= len(layers) else "column"
        axes.set_xlabel(what if layout.panels <= 8 else "")
        axes.set_ylabel("qubit" if panel == 0 else "")
    _color_bar(figure, scale, layout, theme)
    return figure


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


def _blocks(layers: Sequence[Sequence[Sequence[float]]]) -> tuple[np.ndarray, np.ndarray]:
    """(column, left qubit, right qubit) and strength of every block."""
    table, column = [], 0
    for layer in layers:
        ends: list[float] = []  # the lowest qubit drawn so far, of each column of this layer
        for left, *other, strength in sorted(layer, key=tuple):
            right = other[0] if other else left + 1
            free = next((k for k, end in enumerate(ends) if end < left), len(ends))
            ends[free : free + 1] = [right]
            table.append((column + free, left, right, strength))
        column += max(len(ends), 1)
    blocks = np.array(table, dtype=float).reshape(-1, 4)
    return blocks[:, :3], blocks[:, 3]


def _draw_panel(axes: Axes, blocks: np.ndarray, colors: np.ndarray, theme: Theme) -> None:
    # From a little above the upper wire to a little below the lower one.
    x = blocks[:, :1] + [-0.36, 0.36, 0.36, -0.36]
    y = blocks[:, [1, 1, 2, 2]] + [-0.3, -0.3, 0.3, 0.3]
    axes.add_collection(
        PolyCollection(
            list(np.stack([x, y], axis=-1)),
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


def _color_bar(figure: Figure, scale: ScalarMappable, layout: _Layout, theme: Theme) -> None:
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
