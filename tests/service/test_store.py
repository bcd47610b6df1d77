"""The store on SQLite and on PostgreSQL: one job for one key, one event for one change."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from aqc_service.attempts import Attempts
from aqc_service.creation import Caller, IdempotencyConflict
from aqc_service.states import FOLLOWING, TERMINAL
from aqc_service.store import JobNotFinished


@pytest.fixture
def store(any_service):
    return any_service.store


@pytest.fixture
def submit(any_service):
    return any_service.submit


@pytest.fixture
def attempts(store):
    return Attempts(store.engine, max_lost=3)


SPENT = {"wall_seconds": 1.0, "cpu_seconds": 2.0}


def test_a_job_is_read_as_it_was_created(store):
    job, replayed = store.create(
        '{"a": 1}',
        num_qubits=7,
        memory_bytes=10**12,
        body_hash="h",
        name="ξ",
        tags=["b", "a", "b"],
        priority=9,
        wall_limit=60.0,
        request_id="r",
    )
    assert not replayed
    assert store.get(job.id) == job
    assert (job.state, job.attempt, job.version, job.tags) == ("queued", 0, 1, ("b", "a"))
    assert abs((job.created_at - datetime.now(UTC)).total_seconds()) < 60
    assert [(e.seq, e.kind, e.data) for e in store.events(job.id)] == [
        (1, "state", {"state": "queued"})
    ]
    assert store.get("0" * 32) is None


def test_lists_go_from_new_to_old_page_by_page(store, submit):
    ids = [submit(tags=["even"] if k % 2 == 0 else []).id for k in range(7)][::-1]
    first, cursor = store.list(limit=3)
    second, cursor = store.list(limit=3, cursor=cursor)
    third, end = store.list(limit=3, cursor=cursor)
    assert [job.id for page in (first, second, third) for job in page] == ids
    assert end is None
    assert [job.id for job in store.list(tag="even")[0]] == ids[::2]
    store.request_cancel(ids[0])
    assert [job.id for job in store.list(state="cancelled")[0]] == [ids[0]]
    assert store.list(kind="other") == ([], None)


def test_one_key_is_one_job(store, submit):
    first = submit(idempotency_key="k", body_hash="1")
    again, replayed = store.create(
        "{}", num_qubits=2, memory_bytes=1, body_hash="1", kind="count", idempotency_key="k"
    )
    assert replayed
    assert again == first
    with pytest.raises(IdempotencyConflict, match="k was used before with another body"):
        submit(idempotency_key="k", body_hash="2")
    assert submit(idempotency_key="k", body_hash="2", caller=Caller("someone")).id != first.id


def test_forty_creates_at_once_with_thirty_keys_are_thirty_jobs(store, submit):
    keys = [f"key-{k}" for k in [*range(30), *range(10)]]
    with ThreadPoolExecutor(8) as pool:
        jobs = list(pool.map(lambda key: submit(idempotency_key=key), keys))
    assert len({job.id for job in jobs}) == 30
    assert len(store.list(limit=200)[0]) == 30


def test_a_job_goes_through_its_states(store, submit, attempts):
    job = submit()
    running = attempts.start(job.id, "w1")
    assert (running.state, running.attempt, running.worker_id) == ("running", 1, "w1")
    assert attempts.start(job.id, "w2") is None
    assert attempts.report(running, {"stage": "optimize"}, points=[(1, 0.5)], **SPENT)
    done = attempts.finish(running, "succeeded", result={"infidelity": 0.1}, **SPENT)
    assert (done.state, done.version, done.wall_seconds) == ("succeeded", 4, 1.0)
    assert [event.seq for event in store.events(job.id)] == [1, 2, 3, 4]
    assert [event.seq for event in store.events(job.id, after=2, limit=1)] == [3]


def test_what_is_over_stays_as_it_is(store, submit, attempts):
    job = submit()
    running = attempts.start(job.id, "w1")
    done = attempts.finish(running, "failed", reason="numerical", message="No.", **SPENT)
    assert attempts.finish(running, "succeeded", result={}, **SPENT) is None
    assert attempts.start(job.id, "w2") is None
    assert attempts.hand_back(running, why="-", **SPENT) is None
    assert attempts.lose(running, "-") is None
    assert not attempts.report(running, {}, **SPENT)
    assert store.request_cancel(job.id) == done == store.get(job.id)


def test_a_stale_attempt_changes_nothing(store, submit, attempts):
    job = submit()
    stale = attempts.start(job.id, "w1")
    attempts.lose(stale, "its worker died")
    fresh = attempts.start(job.id, "w2")
    assert (fresh.attempt, fresh.lost) == (2, 1)
    assert attempts.finish(stale, "succeeded", result={"x": 1}, **SPENT) is None
    assert not attempts.report(stale, {}, **SPENT)
    assert attempts.state(stale) is None
    assert attempts.state(fresh) == "running"


def test_cancel_before_and_during_a_run(store, submit, attempts):
    waiting, job = submit(), submit()
    assert store.request_cancel(waiting.id).state == "cancelled"
    running = attempts.start(job.id, "w1")
    asked = store.request_cancel(job.id)
    assert (asked.state, asked.cancel_requested) == ("cancelling", True)
    assert store.request_cancel(job.id) == asked
    assert attempts.hand_back(running, why="-", **SPENT).state == "cancelled"
    assert store.request_cancel("0" * 32) is None


def test_a_retry_is_a_new_job(store, submit):
    job = submit(tags=["t"], idempotency_key="k")
    with pytest.raises(JobNotFinished, match="finished to be retried, but is queued"):
        store.retry(job.id)
    store.request_cancel(job.id)
    again, replayed = store.retry(job.id, request_id="r", idempotency_key="k2")
    assert not replayed
    assert (again.state, again.retry_of, again.tags) == ("queued", job.id, ("t",))
    assert again.id > job.id
    assert store.retry(job.id, idempotency_key="k2") == (again, True)
    with pytest.raises(IdempotencyConflict):
        store.retry(job.id, idempotency_key="k")
    assert store.retry("0" * 32) is None


def test_delete_removes_rows_and_files(store, submit, any_service):
    job = submit(tags=["t"])
    with pytest.raises(JobNotFinished, match="finished to be deleted, but is queued"):
        store.delete(job.id)
    store.request_cancel(job.id)
    files = any_service.settings.jobs_dir / job.id
    files.mkdir()
    assert store.delete(job.id)
    assert store.get(job.id) is None
    assert store.events(job.id) == []
    assert not files.exists()
    assert store.queue.status(job.id) is None
    assert not store.delete(job.id)


def test_only_what_ends_ends():
    assert {"succeeded", "failed", "cancelled"} == TERMINAL
    assert all(FOLLOWING[state] for state in set(FOLLOWING) - TERMINAL)
