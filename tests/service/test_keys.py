"""Keys and quotas in the database: only hashes, and never more than the quota allows."""

import datetime as dt
import json

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from aqc.errors import InputError
from aqc_service import keys, tables, tally
from aqc_service.attempts import Attempts
from aqc_service.creation import Caller, release_all
from aqc_service.database import reading, writing
from aqc_service.key_commands import app
from aqc_service.quota import Quota, QuotaExceeded

ALICE = "alice"


@pytest.fixture
def engine(any_service):
    return any_service.store.engine


def test_a_key_is_found_by_its_text_until_it_is_revoked(engine):
    key, text = keys.create(engine, ALICE, quota={"running": 2})
    other, other_text = keys.create(engine, "bob", scope="reader")
    assert keys.find(engine, text) == key
    assert keys.find(engine, other_text) == other
    assert [found.prefix for found in keys.list_keys(engine)] == [key.prefix, other.prefix]
    secret = text.rsplit("_", 1)[1] if text.count("_") == 2 else text[17:]
    for wrong in ("", "aqc_", text[:-1], text + "A", text.replace(secret[:4], "AAAA"), secret):
        assert keys.find(engine, wrong) is None
    assert keys.find(engine, other_text[:17] + text[17:]) is None
    assert keys.revoke(engine, key.prefix)
    assert not keys.revoke(engine, key.prefix)
    assert keys.find(engine, text) is None
    assert keys.find(engine, other_text) == other


def test_only_the_hash_is_kept(engine):
    _, text = keys.create(engine, ALICE)
    secret = text[17:]
    with reading(engine) as connection:
        row = connection.execute(sa.select(tables.api_key)).one()
    assert secret not in str(row)
    assert len(secret) == 43


def test_a_key_ends_when_its_time_is_over(engine):
    key, text = keys.create(engine, ALICE, days=1)
    past = key.created_at - dt.timedelta(seconds=1)
    with writing(engine) as connection:
        connection.execute(sa.update(tables.api_key).values(expires_at=past))
    assert keys.find(engine, text) is None


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"owner": "a b"}, "The owner must be 1 to 64 letters"),
        ({"owner": "a", "scope": "root"}, "The scope must be one of user, reader, metrics"),
        ({"owner": "a", "days": 0}, "The days must be more than 0"),
        ({"owner": "a", "quota": {"jobs": 3}}, "The quota jobs is no good"),
        ({"owner": "a", "quota": {"running": 0}}, "The quota running is no good"),
    ],
)
def test_what_is_wrong_with_a_key_is_said(service, given, sentence):
    with pytest.raises(InputError, match=sentence):
        keys.create(service.store.engine, **given)
    assert keys.list_keys(service.store.engine) == []


def test_the_commands_make_show_and_revoke(settings, monkeypatch):
    for name in ("AQC_DATABASE_URL", "AQC_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)

    def aqc(*words):
        return CliRunner().invoke(app, [*words, "--data-dir", str(settings.data_dir)])

    assert not keys.exist(settings)
    assert not settings.data_dir.exists()
    made = aqc("create", "--owner", ALICE, "--quota", "running=2", "--days", "30")
    text = made.output.strip()
    assert text.startswith("aqc_")
    assert keys.exist(settings)
    listed = aqc("list").output
    assert text[4:16] in listed
    assert "running=2" in listed
    assert text[17:] not in listed
    assert aqc("revoke", text[4:16]).output == "Revoked.\n"
    assert "no valid key" in str(aqc("revoke", text[4:16]).exception)
    assert not keys.exist(settings)
    assert "NAME=NUMBER" in str(aqc("create", "--owner", "a", "--quota", "running").exception)


def as_owner(owner, **quota):
    return Caller(owner, Quota(**quota))


def finish(any_service, job_id, cpu_seconds=1.0):
    attempts = Attempts(any_service.store.engine)
    job = attempts.start(job_id, "w")
    attempts.finish(job, "succeeded", wall_seconds=1.0, cpu_seconds=cpu_seconds)


def test_no_more_jobs_wait_than_the_quota_says(any_service):
    alice = as_owner(ALICE, queued=2)
    jobs = [any_service.submit(caller=alice) for _ in range(2)]
    with pytest.raises(QuotaExceeded, match="At most 2 of your jobs may wait") as error:
        any_service.submit(caller=alice)
    assert error.value.retry_after
    any_service.submit(caller=as_owner("bob", queued=2))
    finish(any_service, jobs[0].id)
    any_service.submit(caller=alice)


def test_what_one_job_may_be_is_checked_before_it_is_stored(any_service):
    alice = as_owner(ALICE, qubits=10, priority=5)
    with pytest.raises(QuotaExceeded, match="at most 10 qubits, but this one has 11") as error:
        any_service.submit(caller=alice, num_qubits=11)
    assert (error.value.pointer, error.value.retry_after) == ("/hamiltonian/num_qubits", None)
    with pytest.raises(QuotaExceeded, match="`priority` may be at most 5"):
        any_service.submit(caller=alice, priority=6)
    with pytest.raises(QuotaExceeded, match="keep at most 100 bytes and have 0"):
        any_service.submit(caller=as_owner(ALICE, bytes=100), problem_json="x" * 101)
    assert any_service.store.list() == ([], None)


def test_cpu_time_of_the_day_counts_also_what_was_deleted(any_service):
    alice = as_owner(ALICE, cpu_seconds_per_day=10)
    first, second = any_service.submit(caller=alice), any_service.submit(caller=alice)
    finish(any_service, first.id, cpu_seconds=6)
    any_service.store.delete(first.id)
    any_service.submit(caller=alice)
    finish(any_service, second.id, cpu_seconds=6)
    with pytest.raises(QuotaExceeded, match="10 s of CPU time in 24 hours and have used 12 s"):
        any_service.submit(caller=alice)
    with writing(any_service.store.engine) as connection:
        hour = tables.usage.c.hour
        connection.execute(sa.update(tables.usage).values(hour=hour_before(connection, hour)))
    any_service.submit(caller=alice)


def hour_before(connection, hour):
    """Two days before, as the database adds it."""
    found = connection.scalar(sa.select(hour))
    return sa.literal(found - dt.timedelta(days=2), tables.UTCDateTime())


def test_jobs_beyond_the_running_quota_wait_for_the_owners_others(any_service):
    store = any_service.store
    alice = as_owner(ALICE, running=2)
    jobs = [any_service.submit(caller=alice, priority=k) for k in range(4)]
    assert [job.held for job in jobs] == [False, False, True, True]
    assert not any_service.submit(caller=as_owner("bob", running=2)).held
    assert store.queue.status(jobs[1].id) == "ENQUEUED"
    assert store.queue.status(jobs[2].id) is None
    assert release_all(store.engine, store.queue) == 0
    finish(any_service, jobs[0].id)
    assert release_all(store.engine, store.queue) == 1
    held = {job.id: job.held for job in store.list(limit=9)[0]}
    assert [held[job.id] for job in jobs[2:]] == [True, False], "the higher priority goes first"
    assert store.queue.status(jobs[3].id) == "ENQUEUED"
    assert store.request_cancel(jobs[2].id).state == "cancelled"


def test_what_is_seen_and_touched_is_the_owners(any_service):
    store = any_service.store
    alice, bob = as_owner(ALICE), as_owner("bob")
    mine, theirs = any_service.submit(caller=alice), any_service.submit(caller=bob)
    assert [job.id for job in store.of(alice).list()[0]] == [mine.id]
    assert store.of(alice).get(theirs.id) is None
    assert store.of(alice).get(mine.id).owner == ALICE
    assert len(store.list()[0]) == 2


def test_what_is_counted_outlives_the_jobs(any_service):
    store = any_service.store
    job = any_service.submit()
    finish(any_service, job.id, cpu_seconds=2.5)
    store.request_cancel(any_service.submit().id)
    store.delete(job.id)
    with reading(store.engine) as connection:
        found = tally.read(connection)
    assert found["ended", "succeeded"] == found["ended", "cancelled"] == 1
    assert found["cpu", ""] == 2.5
    assert found["run", "1"] == 1
    assert found["run_sum", ""] == 1.0
    assert sum(value for (name, _), value in found.items() if name == "wait") == 2


def test_a_quota_of_the_environment_is_json(monkeypatch, tmp_path):
    from aqc_service.commands import read_settings

    monkeypatch.setenv("AQC_QUOTA", json.dumps({"running": 3}))
    assert read_settings().quota == Quota(running=3)
    monkeypatch.setenv("AQC_QUOTA", json.dumps({"jobs": 3}))
    with pytest.raises(InputError, match="AQC_QUOTA_JOBS: Extra inputs"):
        read_settings()
