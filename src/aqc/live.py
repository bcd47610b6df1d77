"""The progress of a compile in a notebook: a bar that moves in place.

compile_evolution(hamiltonian, 1.0, progress=live())
"""

import contextlib
import sys
import time
from html import escape

from aqc.console import STAGES, bar, describe
from aqc.errors import InputError
from aqc.progress import Progress, Report

_PAUSE = 0.2  # seconds between two changes of the display


def in_notebook() -> bool:
    """Return whether a Jupyter kernel runs this.

    Example:
        >>> in_notebook()
        False
    """
    shell = sys.modules.get("IPython")
    instance = shell.get_ipython() if shell else None
    return getattr(instance, "kernel", None) is not None


def live() -> Report:
    """Return a callback for the `progress` of any compile that shows it in a notebook.

    Stop the kernel (not restart) to end the optimization: the compile goes on with the best circuit
    so far, certifies it, and returns it with the status "interrupted".

    Raises:
        InputError: If this is no notebook.
    """
    if not in_notebook():
        raise InputError(
            "A live display needs a Jupyter notebook; elsewhere pass a function as `progress`."
        )
    from IPython.display import HTML, display

    handle = display(HTML(""), display_id=True)
    began = changed = time.monotonic()
    stage = ""

    def report(progress: Progress) -> None:
        nonlocal changed, stage
        now = time.monotonic()
        done = progress.stage == "certify" and progress.fraction == 1.0
        if progress.stage == stage and now - changed < _PAUSE and not done:
            return
        changed, stage = now, progress.stage
        handle.update(HTML(line(progress, now - began)))

    return report


def line(progress: Progress, seconds: float) -> str:
    """Return where a compile stands, as HTML.

    Args:
        progress: Where it stands.
        seconds: Since it began.

    Example:
        >>> line(Progress("target", 0.5), 1.25)
        '<progress max="1" value="0.500"></progress> computing the target state (1.2 s)'
    """
    value = "" if progress.fraction is None else f' value="{progress.fraction:.3f}"'
    parts = [STAGES.get(progress.stage, progress.stage), describe(progress)]
    text = escape(": ".join(part for part in parts if part))
    return f'<progress max="1"{value}></progress> {text} ({seconds:.1f} s)'


def progress_display() -> contextlib.AbstractContextManager[Report]:
    """Return what shows progress here: in a notebook below the cell, else a bar on stderr."""
    return contextlib.nullcontext(live()) if in_notebook() else bar()
