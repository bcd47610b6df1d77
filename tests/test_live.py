"""Progress in a notebook: what it says, and that it asks for one."""

import sys
from types import SimpleNamespace

import pytest

from aqc.errors import InputError
from aqc.live import in_notebook, line, live
from aqc.progress import Progress


@pytest.fixture
def shown(monkeypatch):
    """Return what a kernel would show; the real one runs in tests/test_notebooks.py."""
    import IPython
    import IPython.display

    texts = []
    handle = SimpleNamespace(update=lambda html: texts.append(html.data))
    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace(kernel=1))
    monkeypatch.setattr(IPython.display, "display", lambda *_, **options: handle)
    return texts


def test_elsewhere_it_is_refused(monkeypatch):
    with pytest.raises(InputError, match="needs a Jupyter notebook"):
        live()
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not in_notebook()


def test_it_shows_every_stage_and_the_end_but_not_every_step(shown):
    report = live()
    report(Progress("import"))
    for step in range(1000):
        report(Progress("optimize", step / 1000, step, 0.5))
    report(Progress("certify", 0.0, 1000, 0.01))
    report(Progress("certify", 1.0, 1000, 0.01))
    assert 4 <= len(shown) < 100
    assert "loading libraries" in shown[0]
    assert "optimizing" in shown[1]
    assert 'value="1.000"' in shown[-1]
    assert "certifying: 1000 evaluations, infidelity 0.01 (" in shown[-1]


def test_a_stage_of_unknown_length_has_a_bar_without_a_value():
    assert line(Progress("compile", None, layers=5), 0.0) == (
        '<progress max="1"></progress> compiling the contraction: 5 layers (0.0 s)'
    )
