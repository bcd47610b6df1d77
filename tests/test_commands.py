import importlib.metadata
import sys
import types
from typing import ClassVar

import pytest

from aqc import commands
from command_line import call, refused


class EntryPoint(importlib.metadata.EntryPoint):
    loaded: ClassVar[list[str]] = []

    def load(self):
        self.loaded.append(self.name)
        return super().load()


@pytest.fixture
def entry_points(monkeypatch):
    module = types.ModuleType("other_package")
    module.greet = greet
    monkeypatch.setitem(sys.modules, "other_package", module)
    points = [
        EntryPoint("greet", "other_package:greet", "aqc.commands"),
        EntryPoint("broken", "package_that_is_missing:app [service]", "aqc.commands"),
    ]
    monkeypatch.setattr(commands, "entry_points", lambda group: points)
    EntryPoint.loaded.clear()


def greet(name: str) -> None:
    """Say hello."""
    print(f"hello {name}")  # noqa: T201


def test_commands_of_other_packages_are_listed_without_loading(entry_points):
    printed = call("--help").stdout
    assert "greet" in printed
    assert "broken" in printed
    assert EntryPoint.loaded == []


def test_commands_of_other_packages_run(entry_points):
    assert call("greet", "Neel").stdout == "hello Neel\n"
    assert EntryPoint.loaded == ["greet"]
    assert "Say hello." in call("greet", "--help").stdout
    assert refused(call("broken"), "package_that_is_missing", "extra `service`")
