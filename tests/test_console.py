import io
import json
import os
import sys
from unittest import mock

from aqc import console
from aqc.progress import Progress


def test_bar_shows_stage_evaluations_and_infidelity(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    with mock.patch.dict(os.environ, TERM="xterm", COLUMNS="120"), console.for_people() as report:
        report(Progress("target"))
        report(Progress("optimize", 0.5, 17, 0.0345))
    shown = sys.stderr.getvalue()
    assert "optimizing" in shown
    assert "17 evaluations, infidelity 0.0345" in shown


def test_json_lines_say_only_what_changes(capsys):
    with console.json_lines() as report:
        for fraction in (0.001, 0.002, 0.5, 0.5):
            report(Progress("target", fraction))
        report(Progress("compile"))
    assert [json.loads(line)["fraction"] for line in capsys.readouterr().out.splitlines()] == [
        0.0,
        0.5,
        None,
    ]
