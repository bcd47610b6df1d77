"""How an optimization went, and what more layers bring."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from aqc.figures.style import FLOOR, blank, dress, level, log_axis, show_legend, theme_of


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
    theme = theme_of(dark)
    figure = blank(6.4, 4.0, theme)
    axes = figure.add_axes((0.115, 0.125, 0.865, 0.79))
    dress(axes, theme)
    pairs = np.array(history, dtype=float).reshape(-1, 2)
    steps, values = pairs[:, 0], np.maximum(pairs[:, 1], FLOOR)
    best = np.minimum.accumulate(values)
    levels = [goal] if trotter_infidelity is None else [goal, trotter_infidelity]
    log_axis(axes, np.append(values, np.maximum(levels, FLOOR)))
    axes.grid(True, color=theme.grid, linewidth=0.6)
    axes.set(xlabel="evaluations", ylabel="infidelity  $1 - F$", axisbelow=True)
    axes.set_xlim(0, max(steps.max(initial=0), 10) * 1.02)
    axes.plot(steps, values, ".", color=theme.line, alpha=0.6, markersize=5, markeredgewidth=0)
    axes.plot(steps, best, color=theme.line, linewidth=1.8, drawstyle="steps-post")
    # The curve falls from the upper left, so the labels meet neither it nor each other.
    if trotter_infidelity is not None:
        level(axes, "plain Trotter, no shallower", trotter_infidelity, theme.trotter, "right")
    level(axes, "goal", goal, theme.goal, "left")
    if best.size:
        axes.set_title(f"best infidelity {best[-1]:.3g}", loc="left", color=theme.ink, fontsize=10)
    return figure


def depth_sweep(
    depths: Sequence[tuple[int, float, float]],
    goal: float,
    *,
    on_device: Sequence[float] = (),
    dark: bool = False,
) -> Figure:
    """Draw the infidelity against the number of layers, on a log axis.

    Args:
        depths: For each depth (layers, 1 - F of the fit, 1 - F of Trotter's circuit of so many
            layers or another start), in ascending order.
        goal: The infidelity asked for.
        on_device: For each depth 1 - F of the state that a noisy device makes; the goal is left out
            then, for the best depth is what was asked for.
        dark: Light on dark.

    Returns:
        A figure, 6.4 x 4 inches.

    Example:
        >>> figure = depth_sweep([(3, 0.05, 0.4), (5, 0.008, 0.2)], 0.01)
        >>> figure.axes[0].get_xlabel()
        'brick layers'
    """
    theme = theme_of(dark)
    figure = blank(6.4, 4.0, theme)
    axes = figure.add_axes((0.115, 0.125, 0.865, 0.79))
    dress(axes, theme)
    layers, fitted, trotter = np.array(depths, dtype=float).reshape(-1, 3).T
    curves = [
        ("its start, not optimized", trotter, "s--", theme.trotter),
        ("optimized", fitted, "o-", theme.line),
    ]
    if len(on_device):
        curves.append(("on the device", np.array(on_device, dtype=float), "D-", theme.goal))
    shown = [np.maximum(values, FLOOR) for _, values, _, _ in curves]
    log_axis(axes, np.concatenate([*shown, [] if len(on_device) else [max(goal, FLOOR)]]))
    axes.grid(True, color=theme.grid, linewidth=0.6)
    axes.set(xlabel="brick layers", ylabel="infidelity  $1 - F$", axisbelow=True)
    axes.set_xticks(layers)
    lines = [
        axes.plot(layers, values, marker, color=color, linewidth=1.8, markersize=5)[0]
        for (_, _, marker, color), values in zip(curves, shown, strict=True)
    ]
    show_legend(axes, theme, lines, [words for words, _, _, _ in curves])
    if not len(on_device):
        level(axes, "goal", goal, theme.goal, "left")
    return figure
