"""The commands db, worker and serve: what they say, and what they refuse."""

import logging

import pytest
import structlog
import typer
from typer.testing import CliRunner

from aqc.errors import InputError
from aqc_service import commands, schema, worker_commands
from aqc_service.database import open_engine

app = typer.Typer()
app.add_typer(commands.db, name="db")
app.add_typer(worker_commands.app, name="worker")
app.command()(commands.serve)


@pytest.fixture
def aqc(monkeypatch):
    for name in ("AQC_DATABASE_URL", "AQC_DATA_DIR", "AQC_SUPERVISOR_PID"):
        monkeypatch.delenv(name, raising=False)
    handlers = list(logging.root.handlers)
    yield lambda *words: CliRunner().invoke(app, [str(word) for word in words])
    # The commands send the logs to the stderr of their time, which is closed by now.
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers


def test_db_upgrade_makes_the_database_and_may_be_said_twice(aqc, tmp_path):
    for _ in range(2):
        result = aqc("db", "upgrade", "--data-dir", tmp_path / "data")
        assert result.exit_code == 0
        assert result.output == f"The database sqlite:///{tmp_path}/data/aqc.db is up to date.\n"
    engine = open_engine(f"sqlite:///{tmp_path}/data/aqc.db")
    schema.check(engine)
    engine.dispose()


@pytest.mark.parametrize("command", [("db", "upgrade"), ("worker",), ("serve",)])
def test_a_data_directory_that_cannot_be_written_is_one_line(aqc, tmp_path, command):
    (tmp_path / "file").write_text("")
    result = aqc(*command, "--data-dir", tmp_path / "file/data")
    assert result.exit_code == 1
    assert len(result.output.splitlines()) == 1
    assert "file/data cannot be written: Not a directory." in result.output


def test_a_worker_does_not_run_on_a_database_without_tables(aqc, tmp_path):
    result = aqc("worker", "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert "no tables of aqc; run `aqc db upgrade`" in result.output


def test_serve_refuses_a_public_address(aqc, tmp_path):
    result = aqc("serve", "--host", "0.0.0.0", "--data-dir", tmp_path)
    assert isinstance(result.exception, InputError)
    assert "loopback address such as 127.0.0.1, but is 0.0.0.0" in str(result.exception)
    assert list(tmp_path.iterdir()) == []
