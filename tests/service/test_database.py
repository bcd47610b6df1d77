"""What goes wrong with storage is said in a sentence, and nothing half done stays."""

import contextlib
import os
import subprocess

import pytest
import sqlalchemy as sa
from harness import make_settings

from aqc_service import schema
from aqc_service.database import StorageError, make_data_directory, open_engine, writing
from aqc_service.health import examine
from aqc_service.store import Store


def test_sqlite_is_synced_at_every_commit(settings):
    schema.upgrade(settings)
    engine = open_engine(settings.url)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(sa.text("PRAGMA synchronous")) == 2  # FULL
        assert connection.scalar(sa.text("PRAGMA foreign_keys")) == 1
    engine.dispose()


# An index on an expression cannot be read back from SQLite; a test of the store shows it works.
@pytest.mark.filterwarnings("ignore:.*expression-based index")
def test_migrations_make_the_tables_that_the_code_knows(any_settings):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from aqc_service.tables import metadata

    tables = metadata.tables
    schema.upgrade(any_settings)
    schema.upgrade(any_settings)
    engine = open_engine(any_settings.url)
    schema.check(engine)
    with engine.connect() as connection:
        ours = {"include_object": lambda o, name, kind, *_: name in tables or kind != "table"}
        context = MigrationContext.configure(connection, opts=ours)
        differences = [
            found
            for found in compare_metadata(context, metadata)
            if "job_idempotency" not in str(found)  # an index on an expression is not compared
        ]
    engine.dispose()
    assert differences == []


def test_an_old_or_missing_schema_is_refused_with_the_command_that_helps(settings):
    settings.data_dir.mkdir()
    engine = open_engine(settings.url)
    with pytest.raises(StorageError, match="no tables of aqc; run `aqc db upgrade`"):
        schema.check(engine)
    schema.upgrade(settings)
    with writing(engine) as connection:
        connection.execute(sa.text("UPDATE aqc_version SET version_num = '0000'"))
    with pytest.raises(StorageError, match="version 0000, but this program needs"):
        schema.check(engine)
    engine.dispose()


def test_a_data_directory_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written: Not a directory"):
        make_data_directory(tmp_path / "file" / "data")


def test_health_tells_of_storage_and_workers(service, monkeypatch):
    health = examine(service.store)
    assert {name: part["ok"] for name, part in health.items()} == {
        "storage": True,
        "database": True,
        "schema": True,
        "workers": False,
    }
    assert "jobs are accepted and wait" in health["workers"]["message"]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MB, where the machine lets us mount one."""
    directory = tmp_path / "disk"
    directory.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", directory]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("Mounting a small file system needs root.")
    yield directory
    subprocess.run(["umount", "--lazy", directory], check=True)


def create_many(store):
    for _ in range(200):
        store.create("x" * 10_000, num_qubits=1, memory_bytes=1, body_hash="-")


def test_a_full_disk_gives_a_sentence_and_loses_no_job(small_disk):
    settings = make_settings(small_disk)
    schema.upgrade(settings)
    store = Store.open(settings)
    kept, _ = store.create("{}", num_qubits=1, memory_bytes=1, body_hash="-")
    ballast = small_disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    with pytest.raises(StorageError, match="cannot be used: .*full"):
        create_many(store)
    assert not examine(store)["storage"]["ok"]
    ballast.unlink()
    assert examine(store)["storage"]["ok"]
    assert store.get(kept.id) == kept
    store.create("{}", num_qubits=1, memory_bytes=1, body_hash="-")
    assert all(store.queue.status(job.id) == "ENQUEUED" for job in store.list(limit=200)[0])
    store.close()
