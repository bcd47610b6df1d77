"""The figure of a federated training."""

from typing import TYPE_CHECKING

import numpy as np

from aqc.kernels.federated_orthogonal_training._training import Federation

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_federation(result: Federation) -> "Figure":
    """Draw both algorithms' accuracy on each task along the tasks, and the subspaces' ranks."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.5, 3.8), layout="constrained")
    panels = figure.subplots(1, 3)
    names = ("FedAvg", "orthogonal training")
    for axes, learned, name in zip(
        panels, (result.averaging, result.orthogonal), names, strict=False
    ):
        tasks = len(learned.accuracy)
        for task in range(tasks):
            after = np.arange(task + 1, tasks + 1)
            axes.plot(after, learned.accuracy[task:, task], "o-", label=f"task {task + 1}")
        axes.set(xlabel="after task", ylabel="test accuracy", ylim=(0, 1.02))
        title = f"ACC {learned.average_accuracy:.2f}, FGT {learned.forgetting:.2f}"
        axes.set_title(f"{name}: {title}")
        axes.set_xticks(range(1, tasks + 1))
    panels[0].legend(fontsize="small")
    for layer, fractions in enumerate(result.rank_fractions.T):
        panels[2].plot(np.arange(1, tasks + 1), fractions, "o-", label=f"layer {layer + 1}")
    panels[2].set(xlabel="after task", ylabel="rank / inputs", ylim=(0, 1.02))
    panels[2].set_xticks(range(1, tasks + 1))
    panels[2].legend(fontsize="small")
    return figure
