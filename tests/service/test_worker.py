"""A worker process, real children, and every way in which a job can end."""

import json

import service_kinds


def test_a_job_runs_to_its_end_and_its_files_are_committed(service):
    service.start()
    job = service.submit("count")
    done = service.reach(job.id, "succeeded", "failed")
    assert (done.state, done.attempt, done.lost) == ("succeeded", 1, 0)
    assert done.result == {"x": service_kinds.expected()}
    assert done.finished_at >= done.started_at >= done.created_at
    assert done.wall_seconds > service_kinds.STEPS * service_kinds.STEP_SECONDS / 2
    path = service.store.open_artifact(job.id, "result.json")
    assert json.loads(path.read_text()) == service_kinds.expected()


def test_events_are_numbered_without_gaps_and_carry_every_point(service):
    service.start()
    job = service.submit("count")
    done = service.reach(job.id, "succeeded")
    events = service.store.events(job.id)
    assert [event.seq for event in events] == list(range(1, done.version + 1))
    states = [event.data["state"] for event in events if event.kind == "state"]
    assert states == ["queued", "running", "succeeded"]
    points = [p[0] for event in events for p in event.data.get("points", ())]
    assert points == list(range(1, service_kinds.STEPS + 1))
