"""Draw docs/catastrophe.svg from what `deep.py --cases catastrophe` wrote.

python benchmarks/figure.py [bench-deep.json] [docs/catastrophe.svg]
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from aqc.figures import save
from aqc.figures.style import blank, dress, grid, level, log_axis, show_legend, theme_of


def catastrophe(rows: list[dict[str, Any]]) -> Figure:
    """Draw -(log F)/n against the evaluations, for both objectives and all seeds."""
    theme = theme_of(False)
    figure = blank(6.4, 4.0, theme)
    axes = figure.add_axes((0.115, 0.125, 0.865, 0.845))
    dress(axes, theme)
    grid(axes, theme)
    curves = [np.array(row["curve"], dtype=float) for row in rows]
    plain = [-row["log_fidelity"] / 100 for row in rows]
    trotter = rows[0]["trotter_density"]
    log_axis(axes, np.concatenate([*(curve[:, 1] for curve in curves), plain]))
    axes.set(xlabel="evaluations", ylabel="$-(\\log F)\\,/\\,n$")
    longest = max(curve[-1, 0] for curve in curves)
    axes.set_xlim(0, 1.02 * longest)
    for number, (row, height) in enumerate(zip(rows, plain, strict=True)):
        label = "minimizing $1 - F$" if number == 0 else None
        heights = [height, row["infidelity"]["density"]]
        axes.plot([0, longest], heights, color=theme.trotter, linewidth=1.2, label=label)
    for number, curve in enumerate(curves):
        label = "minimizing $-(\\log F)\\,/\\,n$" if number == 0 else None
        axes.plot(*curve.T, color=theme.line, linewidth=1.4, label=label)
    level(axes, "Trotter's circuit", trotter, theme.goal, "right")
    show_legend(axes, theme, loc="center right")
    return figure


def main() -> None:
    """Read the benchmark's file and write the figure."""
    source, out = [*sys.argv[1:], *["bench-deep.json", "docs/catastrophe.svg"][len(sys.argv) - 1 :]]
    save(catastrophe(json.loads(Path(source).read_text())["catastrophe"]), out)


if __name__ == "__main__":
    main()
