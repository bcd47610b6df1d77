"""The house holds together: public names, pins, and a README that says what really runs."""

import ast
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import aqc

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS, OLDEST_PINS = "constraints.txt", "constraints-min.txt"
HEAVY = {"jax", "matplotlib", "numpy", "pydantic", "qiskit", "quimb", "scipy", "typer"}


def run_python(code: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    return finished.stdout.strip()


def pins(name: str) -> dict[str, Version]:
    lines = re.findall(r"^([\w.-]+)==([^\s;\\]+)", (ROOT / name).read_text(), re.MULTILINE)
    return {canonicalize_name(package): Version(pinned) for package, pinned in lines}


def requirements() -> list[Requirement]:
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    found = [Requirement(line) for group in groups for line in group]
    return [requirement for requirement in found if requirement.name != PROJECT["name"]]


def code_block(markdown: str, heading: str) -> str:
    section = re.split(rf"^## {heading}$", markdown, flags=re.MULTILINE)[1]
    match = re.search(r"^```sh\n(.*?)\n```$", section, re.MULTILINE | re.DOTALL)
    assert match is not None
    return match[1]


# --- the package


@pytest.mark.parametrize("name", aqc.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(aqc, name) is not None
    assert name in dir(aqc)


def test_type_checkers_see_the_names_that_load() -> None:
    tree = ast.parse(Path(aqc.__file__).read_text())
    seen = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("aqc.")
        for alias in node.names
    }
    assert seen == aqc._HOME
    assert sorted([*seen, "__version__"]) == aqc.__all__


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="module 'aqc' has no attribute 'compile_evolutoin'"):
        aqc.compile_evolutoin  # noqa: B018


def test_importing_aqc_loads_nothing_heavy() -> None:
    loaded = run_python("import aqc, sys; print(*{name.split('.')[0] for name in sys.modules})")
    assert "aqc" in loaded.split()
    assert HEAVY.isdisjoint(loaded.split())


def test_importing_the_package_in_full_changes_no_setting_of_jax() -> None:
    code = """
import jax
before = dict(jax.config.values)
import aqc
for name in aqc.__all__:
    getattr(aqc, name)
print(dict(jax.config.values) == before)
"""
    assert run_python(code) == "True"


@pytest.mark.parametrize(
    "first", ["import aqc.certify", "from aqc.certify import Certificate", "import aqc.compile"]
)
def test_certify_is_the_function_whatever_was_imported_before(first: str) -> None:
    code = f"{first}\nfrom aqc import certify\nprint(type(certify).__name__, certify.__module__)"
    assert run_python(code) == "function aqc.certify"


def test_the_engine_imports_from_where_names_live() -> None:
    wrong = []
    for path in (ROOT / "src/aqc").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "aqc":
                names = [alias.name for alias in node.names]
                wrong += [f"{path.name}: {name}" for name in names if not is_module(name)]
    assert wrong == []


def is_module(name: str) -> bool:
    return name == "__version__" or (
        importlib.util.find_spec(f"aqc.{name}") is not None and name not in aqc.__all__
    )


def test_the_package_is_typed() -> None:
    assert Path(aqc.__file__).with_name("py.typed").is_file()


def test_one_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text()
    assert aqc.__version__ == version("aqc") == PROJECT["version"]
    assert f"\nversion: {aqc.__version__}\n" in citation


# --- the pins


@pytest.mark.parametrize(
    "name",
    [PINS, OLDEST_PINS, "pyproject.toml", "Makefile", ".ci/run", ".pre-commit-config.yaml"],
)
def test_no_file_that_installs_names_an_index(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text  # "http" alone is in the name httpx
    assert not re.search(r"^\s*(-i|-f|--(extra-)?index-url|--find-links)\b", text, re.MULTILINE)


def test_every_pin_has_a_hash() -> None:
    text = (ROOT / PINS).read_text().replace("\\\n", " ")
    lines = text.splitlines()
    assert len(lines) > len(requirements())
    for line in lines:
        assert re.fullmatch(r"[\w.-]+==[\w.]+( ; [^\\]+?)?( +--hash=sha256:[0-9a-f]{64})+", line)


@pytest.mark.parametrize("name", [PINS, OLDEST_PINS])
def test_pins_satisfy_the_project(name: str) -> None:
    pinned = pins(name)
    for requirement in requirements():
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def test_the_oldest_pins_are_the_stated_minimum() -> None:
    pinned = pins(OLDEST_PINS)
    for requirement in map(Requirement, PROJECT["dependencies"]):
        stated = [s.version for s in requirement.specifier if s.operator == ">="]
        assert [Version(s) for s in stated] == [pinned[requirement.name]], requirement


# --- the commands


def write_script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_ci_runs_the_test_command_of_the_readme(tmp_path: Path) -> None:
    record = tmp_path / "record"
    write_script(tmp_path / "make", f'echo make "$@" >> {shlex.quote(str(record))}')
    write_script(tmp_path / "apt-get", "exit 0")
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        [ROOT / ".ci/run"], env={**os.environ, "PATH": path}, check=True, capture_output=True
    )
    assert record.read_text().splitlines() == [code_block((ROOT / "README.md").read_text(), "Test")]


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", ".ci/run"])
def test_every_make_command_in_the_papers_exists(name: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = re.findall(r"(?:^|`)make((?: [a-z-]+)+)", (ROOT / name).read_text(), re.MULTILINE)
    used = {word for command in commands for word in command.split()}
    assert used <= targets
    assert used or name == ".ci/run"


@pytest.mark.parametrize(
    ("python", "sentence"),
    [
        ("exit 1", "aqc needs Python 3.11 or newer"),
        ('case "$2" in *ensurepip*) exit 1;; esac', "sudo apt install -y python3-venv"),
        (None, "sudo apt install -y python3 python3-venv"),
    ],
    ids=["too old", "no ensurepip", "no python"],
)
def test_make_venv_says_what_is_missing(python: str | None, sentence: str, tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", PINS):
        shutil.copy(ROOT / name, tmp_path)
    if python is not None:
        write_script(tmp_path / "python", python)
    finished = subprocess.run(
        ["make", "venv", "PYTHON=./python"], cwd=tmp_path, capture_output=True, text=True
    )
    assert finished.returncode != 0
    assert sentence in finished.stdout
    assert not (tmp_path / ".venv").exists()
