"""The image and the compose file, checked by tools that need no Docker."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PINS, IMAGE_PINS = "constraints.txt", "constraints-service.txt"


def run(*command: str) -> str:
    tool = Path(sys.executable).with_name(command[0])
    finished = subprocess.run(
        [str(tool), *command[1:]], cwd=ROOT, text=True, stdout=-1, stderr=subprocess.STDOUT
    )
    assert finished.returncode == 0, finished.stdout
    return finished.stdout


def pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", (ROOT / name).read_text(), re.MULTILINE))


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker/compose.yaml").read_text())


def test_hadolint_has_nothing_to_say() -> None:
    assert run("hadolint", "Dockerfile") == ""


def test_the_compose_file_follows_its_schema() -> None:
    run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker/compose.yaml")


def test_the_image_runs_as_nobody_in_particular() -> None:
    text = (ROOT / "Dockerfile").read_text()
    final = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER [1-9]\d+:[1-9]\d+$", final, re.MULTILINE)
    for instruction in ("HEALTHCHECK", "STOPSIGNAL SIGTERM", "VOLUME /data", 'CMD ["serve"]'):
        assert f"\n{instruction}" in final


def test_the_image_is_made_of_the_pins() -> None:
    """Every package that the image installs is one that was tested, and is checked by its hash."""
    text = (ROOT / IMAGE_PINS).read_text()
    assert "://" not in text
    assert text.count("==") <= text.count("--hash=sha256:")
    image, tested = pins(IMAGE_PINS), pins(PINS)
    assert {"jax", "qiskit", "dbos", "fastapi", "hatchling"} <= set(image)
    assert image.items() <= tested.items()
    assert {"pytest", "mypy", "playwright"}.isdisjoint(image)


def test_what_the_image_copies_is_sent_to_the_builder() -> None:
    sent = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    build = (ROOT / "Dockerfile").read_text().split("\nFROM ")[1]
    copied = [
        name
        for sources in re.findall(r"^COPY (.*) \S+$", build, re.MULTILINE)
        for name in sources.split()
    ]
    assert sorted(sent) == sorted(copied)
    assert all((ROOT / name).exists() for name in copied)


def test_everything_waits_for_the_database(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert set(services) == {"db", "migrate", "api", "worker", "worker-gpu"}
    assert services["migrate"]["depends_on"]["db"]["condition"] == "service_healthy"
    for name in ("api", "worker", "worker-gpu"):
        after = services[name]["depends_on"]["migrate"]["condition"]
        assert after == "service_completed_successfully"
    assert services["worker-gpu"]["profiles"] == ["gpu"]
    assert services["worker"]["deploy"]["replicas"] > 1


def test_only_this_machine_reaches_the_service(compose: dict[str, Any]) -> None:
    published = [
        port for service in compose["services"].values() for port in service.get("ports", ())
    ]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_ours_can_do_no_more_than_they_need(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        if name != "db":
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("script", ["docker/verify.sh", ".ci/run"])
def test_scripts_are_sound(script: str) -> None:
    path = ROOT / script
    assert os.access(path, os.X_OK)
    subprocess.run([shutil.which("bash") or "bash", "-n", str(path)], check=True)
