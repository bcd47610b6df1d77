"""Settings: where they come from, and what is refused."""

import pytest

from aqc.errors import InputError
from aqc_service.commands import read_settings
from aqc_service.settings import ServiceSettings


def test_the_environment_and_then_the_command_line_decide(monkeypatch, tmp_path):
    monkeypatch.setenv("AQC_PORT", "1234")
    monkeypatch.setenv("AQC_DATA_DIR", str(tmp_path))
    assert read_settings().port == 1234
    settings = read_settings(port=4321, host=None)
    assert (settings.port, settings.host, settings.data_dir) == (4321, "127.0.0.1", tmp_path)
    assert settings.url == f"sqlite:///{tmp_path}/aqc.db"


def test_a_bad_value_is_refused_by_its_name(monkeypatch):
    monkeypatch.setenv("AQC_SLOTS", "none")
    with pytest.raises(InputError, match="AQC_SLOTS: .*valid integer"):
        read_settings()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_is_reached_by_psycopg(scheme):
    settings = ServiceSettings(database_url=f"{scheme}://me:secret@db/aqc")
    assert settings.url == "postgresql+psycopg://me:secret@db/aqc"
    assert settings.shown_url == "postgresql+psycopg://me:***@db/aqc"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
def test_a_public_address_needs_a_key_unless_told_otherwise(host):
    refused = f"loopback address such as 127.0.0.1, but is {host}"
    with pytest.raises(InputError, match=f"{refused}.* Make a key by `aqc key create"):
        ServiceSettings(host=host).check_exposure(lambda: False)
    with pytest.raises(InputError, match=f"{refused}.* Leave AQC_KEYS=off out"):
        ServiceSettings(host=host, keys="off").check_exposure(lambda: True)
    ServiceSettings(host=host).check_exposure(lambda: True)
    ServiceSettings(host=host, allow_open=True).check_exposure(lambda: False)
    assert ServiceSettings(host=host).keys_required
    assert ServiceSettings(host=host, allow_open=True, keys="on").keys_required
    assert not ServiceSettings(host=host, allow_open=True).keys_required


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_a_loopback_address_is_accepted(host):
    ServiceSettings(host=host).check_exposure(lambda: False)
    assert not ServiceSettings(host=host).keys_required
    assert ServiceSettings(host=host, keys="on").keys_required
