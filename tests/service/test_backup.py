"""Backup and restore as docs/service.md tells it: what was finished is there, what ran goes on."""

import contextlib
import shutil
import sqlite3
import subprocess

import postgres
import pytest
import service_kinds
import sqlalchemy as sa
from harness import Service, make_settings


def copy_sqlite(settings, target):
    """What `.backup` of the program sqlite3 does."""
    with (
        contextlib.closing(sqlite3.connect(settings.data_dir / "aqc.db")) as source,
        contextlib.closing(sqlite3.connect(target / "aqc.db")) as copy,
    ):
        source.backup(copy)


def copy_postgres(settings, name):
    """Dump the database, and restore it under another name; return its address."""
    binaries = postgres.find_binaries()
    url = sa.make_url(settings.url)
    plain = {"-h": url.query["host"], "-U": url.username}
    options = [word for pair in plain.items() for word in pair]
    dump = settings.data_dir / "backup.dump"
    command = [binaries / "pg_dump", *options, "--format=custom", f"--file={dump}", url.database]
    subprocess.run(command, check=True)
    engine = sa.create_engine(settings.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    subprocess.run([binaries / "pg_restore", *options, f"--dbname={name}", dump], check=True)
    return url.set(database=name).render_as_string(False)


@pytest.mark.slow
def test_what_was_finished_is_there_and_what_ran_goes_on(any_service, tmp_path):
    service, settings = any_service, any_service.settings
    worker = service.start()
    finished = service.reach(service.submit().id, "succeeded")
    running = service.submit()
    waiting = service.submit("noop")
    service.running(running.id)
    target = tmp_path / "restored"
    target.mkdir()
    url = None
    if settings.database_url is None:
        copy_sqlite(settings, target)
    else:
        url = copy_postgres(settings, f"{sa.make_url(settings.url).database}_restored")
    shutil.copytree(settings.jobs_dir, target / "jobs")
    worker.kill()
    restored = Service(make_settings(target, database_url=url))
    try:
        kept = restored.job(finished.id)
        assert kept == finished
        path = restored.store.open_artifact(finished.id, "result.json")
        assert float(path.read_text()) == service_kinds.expected()
        assert restored.job(running.id).state == "running"
        restored.start()
        done = restored.reach(running.id, "succeeded", "failed")
        assert (done.state, done.result) == ("succeeded", {"x": service_kinds.expected()})
        assert done.attempt == 2
        restored.reach(waiting.id, "succeeded")
    finally:
        restored.close()
