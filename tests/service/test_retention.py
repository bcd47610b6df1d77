"""Old jobs and files without a job go; everything else stays."""

import os
from datetime import timedelta

import sqlalchemy as sa

from aqc_service import tables
from aqc_service.attempts import Attempts
from aqc_service.database import now, writing
from aqc_service.retention import sweep


def age(store, job_id, days):
    with writing(store.engine) as connection:
        finished = now(connection) - timedelta(days=days)
        connection.execute(
            sa.update(tables.job).where(tables.job.c.id == job_id).values(finished_at=finished)
        )


def test_finished_jobs_go_after_their_time(any_service):
    store = any_service.store
    old, young, running = (any_service.submit() for _ in range(3))
    for job, days in ((old, 31), (young, 29)):
        store.request_cancel(job.id)
        age(store, job.id, days)
        (store.jobs_dir / job.id).mkdir()
    assert sweep(store, keep_days=30) == 1
    assert store.get(old.id) is None
    assert not (store.jobs_dir / old.id).exists()
    assert (store.jobs_dir / young.id).exists()
    assert {job.id for job in store.list()[0]} == {young.id, running.id}


def test_files_without_a_job_go_once_they_are_old(service):
    fresh, stale = (service.store.jobs_dir / name for name in ("fresh", "stale"))
    for directory in (fresh, stale):
        directory.mkdir()
    os.utime(stale, (0, 0))
    sweep(service.store, keep_days=30)
    assert fresh.exists()
    assert not stale.exists()


def test_progress_is_thinned_a_day_later_and_loses_no_point(any_service):
    store = any_service.store
    attempts = Attempts(store.engine)
    spent = {"wall_seconds": 1.0, "cpu_seconds": 1.0}
    jobs = [attempts.start(any_service.submit().id, "w") for _ in range(2)]
    for job in jobs:
        for k in range(250):
            attempts.report(job, {"evaluations": k}, points=[(k, 1 / (k + 1))], **spent)
            if k == 100:
                attempts.tell(job, "half way")
        attempts.finish(job, "succeeded", **spent)
    old, young = (job.id for job in jobs)
    before = store.events(old)
    age(store, old, 2)
    for _ in range(2):
        sweep(store, keep_days=30)
        after = store.events(old)
        assert len(after) < 120
        for kind in ("state", "message"):
            assert [e for e in after if e.kind == kind] == [e for e in before if e.kind == kind]
        points = [point[0] for e in after for point in e.data.get("points", ())]
        assert points == list(range(250))
        assert after[-2].data["evaluations"] == 249
    assert len(store.events(young)) == len(before)
