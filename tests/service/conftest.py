"""What every test of the service starts from: settings, and a service that ends with the test."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the children import service_kinds by this name

from aqc_service.settings import ServiceSettings
from harness import Service, make_settings


@pytest.fixture
def settings(tmp_path: Path) -> ServiceSettings:
    return make_settings(tmp_path / "data")


@pytest.fixture
def service(settings: ServiceSettings) -> Iterator[Service]:
    service = Service(settings)
    yield service
    service.close()
