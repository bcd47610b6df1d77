"""How far a circuit is from the exact state, and what that is made of."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from aqc.figures.style import FLOOR, blank, dress, grid, log_axis, show_legend, theme_of

_SHARES = {
    "infidelity": "circuit against target",
    "target_truncation": "truncation of the target",
    "target_trotter_estimate": "time step of the target",
    "circuit_truncation": "simulation of the circuit",
}


def error_budget(certificate: Mapping[str, Any], *, dark: bool = False) -> Figure:
    """Draw what a certificate's bound is made of: angles between states, which add up.

    A bar's length is the angle arcsin(sqrt(infidelity)); the last bar's, sin^2 of which is the
    bound, is their sum.

    Args:
        certificate: `Certificate.to_dict()`, or `certificate` of result.json.
        dark: Light on dark.

    Returns:
        A figure, 6.4 x 2.9 inches.

    Example:
        >>> parts = {"infidelity": 0.01, "target_truncation": 1e-4, "circuit_truncation": 0.0}
        >>> parts |= {"target_trotter_estimate": 1e-5, "infidelity_bound": 0.0124}
        >>> [bar.get_text() for bar in error_budget(parts).axes[0].get_yticklabels()][-1]
        'bound'
    """
    theme = theme_of(dark)
    figure = blank(6.4, 2.9, theme)
    axes = figure.add_axes((0.29, 0.17, 0.68, 0.79))
    dress(axes, theme)
    grid(axes, theme)
    axes.grid(False, axis="y")
    values = [float(certificate[name]) for name in (*_SHARES, "infidelity_bound")]
    angles = np.arcsin(np.sqrt(np.clip(values, 0.0, 1.0)))
    begins = np.append(np.cumsum(angles[:-1]) - angles[:-1], 0.0)
    colors = [*theme.series[: len(_SHARES)], theme.ink]
    rows = np.arange(len(values))
    axes.barh(rows, angles, left=begins, color=colors, height=0.62)
    axes.set_yticks(rows, [*_SHARES.values(), "bound"])
    axes.tick_params(axis="y", length=0, labelsize=9)
    axes.set(xlabel="angle between states  (rad)", ylim=(len(values) - 0.45, -0.55))
    axes.set_xlim(0, max(angles[-1], angles[:-1].sum(), 1e-8) * 1.3)
    for row, (begin, angle, value) in enumerate(zip(begins, angles, values, strict=True)):
        axes.annotate(
            f"{value:.2g}",
            (begin + angle, row),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=theme.ink,
            fontsize=9,
        )
    return figure


def infidelity_per_site(
    num_qubits: Sequence[int],
    curves: Mapping[str, Sequence[float]],
    *,
    dark: bool = False,
) -> Figure:
    """Draw 1 - F and -(log F)/n against the number of qubits n, on log axes side by side.

    The fidelity of a fixed error per site dies exponentially in n (the orthogonality catastrophe);
    its logarithm per site does not.

    Args:
        num_qubits: n of each point, in ascending order.
        curves: For each name -(log F)/n at every n.
        dark: Light on dark.

    Returns:
        A figure, 8.4 x 3.8 inches.

    Example:
        >>> figure = infidelity_per_site([10, 20], {"Trotter": [0.01, 0.011]})
        >>> len(figure.axes)
        2
    """
    theme = theme_of(dark)
    figure = blank(8.4, 3.8, theme)
    sizes = np.asarray(num_qubits, dtype=float)
    densities = {name: np.asarray(values, dtype=float) for name, values in curves.items()}
    panels = (
        ("infidelity  $1 - F$", lambda d: -np.expm1(-d * sizes)),
        ("per site  $-(\\log F)/n$", lambda d: d),
    )
    for number, (label, shown) in enumerate(panels):
        axes = figure.add_axes((0.085 + 0.5 * number, 0.135, 0.405, 0.83))
        dress(axes, theme)
        drawn = [np.maximum(shown(density), FLOOR) for density in densities.values()]
        log_axis(axes, np.concatenate(drawn))
        grid(axes, theme)
        for index, (name, values) in enumerate(zip(densities, drawn, strict=True)):
            color = theme.series[index % len(theme.series)]
            axes.plot(sizes, values, "o-", color=color, linewidth=1.8, markersize=4.5, label=name)
        axes.set(xlabel="qubits", ylabel=label)
        if number == 0:
            show_legend(axes, theme, loc="lower right")
    return figure
