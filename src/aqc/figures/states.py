"""States along time: how entangled they become, and what is measured in them."""

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from aqc.figures.style import blank, dress, grid, show_legend, theme_of


def entanglement(
    times: Sequence[float],
    bond_dimensions: Sequence[int],
    entropies: Sequence[float],
    *,
    dark: bool = False,
) -> Figure:
    """Draw the bond dimension and the largest entanglement entropy against time.

    Args:
        times: In ascending order, in 1/energy.
        bond_dimensions: Largest bond dimension at each time.
        entropies: Largest entanglement entropy at each time, in bits.
        dark: Light on dark.

    Returns:
        A figure, 6.4 x 4.4 inches, with two panels above each other.

    Example:
        >>> figure = entanglement([0.0, 0.5, 1.0], [1, 8, 20], [0.0, 0.9, 1.6])
        >>> [axes.get_ylabel() for axes in figure.axes]
        ['bond dimension', 'entropy  (bits)']
    """
    theme = theme_of(dark)
    figure = blank(6.4, 4.4, theme)
    rows = (
        ("bond dimension", bond_dimensions, theme.series[0]),
        ("entropy  (bits)", entropies, theme.series[1]),
    )
    for number, (label, values, color) in enumerate(rows):
        axes = figure.add_axes((0.105, 0.565 - 0.45 * number, 0.875, 0.4))
        dress(axes, theme)
        grid(axes, theme)
        axes.plot(times, values, "o-", color=color, linewidth=1.8, markersize=4.5)
        axes.set_ylim(0, max(*map(float, values), 1.0) * 1.12)
        axes.set_ylabel(label)
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=number == 0))
        if number == 0:
            axes.tick_params(labelbottom=False)
        else:
            axes.set_xlabel("time  (1/energy)")
    return figure


def traces(
    times: Sequence[float],
    exact: Sequence[Sequence[float]],
    circuit: Sequence[Sequence[float]],
    labels: Sequence[str],
    *,
    ylabel: str = "expectation value",
    dark: bool = False,
) -> Figure:
    """Draw observables along time: lines for the target states, circles for the circuits.

    Args:
        times: In ascending order, in 1/energy.
        exact: For each observable its value in the target state at each time.
        circuit: The same in the circuit's state.
        labels: A name for each observable, at most 6.
        ylabel: What the values are.
        dark: Light on dark.

    Returns:
        A figure, 6.4 x 4 inches.

    Example:
        >>> figure = traces([0, 1], [[1.0, 0.2]], [[1.0, 0.21]], ["$Z_0$"])
        >>> len(figure.axes[0].get_lines())
        2
    """
    theme = theme_of(dark)
    figure = blank(6.4, 4.0, theme)
    axes = figure.add_axes((0.115, 0.125, 0.865, 0.85))
    dress(axes, theme)
    grid(axes, theme)
    handles = []
    for color, line, dots in zip(theme.series, exact, circuit, strict=False):
        handles += axes.plot(times, line, color=color, linewidth=1.6)
        axes.plot(times, dots, "o", markersize=5, color=color, markerfacecolor=theme.paper)
    both = [
        Line2D([], [], color=theme.ink, linewidth=1.6),
        Line2D([], [], color=theme.ink, marker="o", linestyle="", markerfacecolor=theme.paper),
    ]
    axes.set(xlabel="time  (1/energy)", ylabel=ylabel)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.2 * (high - low))  # room for the legend
    names = [*labels, "target", "circuit"]
    show_legend(axes, theme, handles + both, names, ncols=4, loc="upper right")
    return figure
