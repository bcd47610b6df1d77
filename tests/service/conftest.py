"""What every test of the service starts from: settings, and a service that ends with the test."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the children import service_kinds by this name

import postgres
from harness import Service, make_settings

from aqc_service.settings import ServiceSettings


@pytest.fixture
def settings(tmp_path: Path) -> ServiceSettings:
    return make_settings(tmp_path / "data")


@pytest.fixture
def service(settings: ServiceSettings) -> Iterator[Service]:
    service = Service(settings)
    yield service
    service.close()


@pytest.fixture(scope="session")
def postgres_binaries() -> Path:
    binaries = postgres.find_binaries()
    if binaries is None:
        message = "There is no PostgreSQL server here; Debian's package postgresql has one."
        if postgres.REQUIRED in os.environ:
            pytest.fail(message)
        pytest.skip(message)
    return binaries


@pytest.fixture(scope="session")
def postgres_server(postgres_binaries: Path) -> Iterator[str]:
    with postgres.running(postgres_binaries) as server:
        yield server.url


@pytest.fixture(params=["sqlite", "postgresql"])
def any_database(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    """The address of a fresh database of either kind; None is SQLite in the data directory."""
    if request.param == "sqlite":
        return None
    server: str = request.getfixturevalue("postgres_server")
    return postgres.new_database(server, f"aqc_{abs(hash(tmp_path)):x}")


@pytest.fixture
def any_settings(any_database: str | None, tmp_path: Path) -> ServiceSettings:
    return make_settings(tmp_path / "data", database_url=any_database)


@pytest.fixture
def any_service(any_settings: ServiceSettings) -> Iterator[Service]:
    service = Service(any_settings)
    yield service
    service.close()
