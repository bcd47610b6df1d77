"""The service in numbers for Prometheus: counted in the database, so that any process may tell."""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from aqc_service import tables, tally
from aqc_service.database import now, reading

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Counters = dict[tuple[str, str], float]


def exposition(engine: sa.Engine) -> bytes:
    """Return all metrics in Prometheus' text format.

    Raises:
        StorageError: If the database cannot be read.
    """
    registry = CollectorRegistry()
    registry.register(_Collector(engine))
    return generate_latest(registry)


class _Collector:
    """Reads the database at each scrape; the gauges and counters are those of the whole service."""

    def __init__(self, engine: sa.Engine):
        self._engine = engine

    def describe(self) -> list[Metric]:
        """Return nothing: registering must not read the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        with reading(self._engine) as connection:
            yield from _jobs(connection)
            yield from _workers(connection)
            counters = tally.read(connection)
        yield _ended(counters)
        for name, key, words in (
            ("evaluations", "evaluations", "Evaluations of objectives by ended jobs."),
            ("cpu_seconds", "cpu", "CPU time of ended jobs."),
        ):
            yield CounterMetricFamily(f"aqc_{name}", words, value=counters.get((key, ""), 0.0))
        for name, key, bounds, words in (
            ("job_wait_seconds", "wait", tally.SECONDS, "From the submission to the first start."),
            ("job_run_seconds", "run", tally.SECONDS, "Wall time of a job, over all attempts."),
            ("job_memory_bytes", "peak", tally.BYTES, "Most memory of a job's process."),
        ):
            yield _histogram(f"aqc_{name}", words, counters, key, bounds)


def _jobs(connection: sa.Connection) -> Iterator[Metric]:
    job = tables.job
    counts = sa.select(job.c.queue, job.c.state, sa.func.count()).group_by(job.c.queue, job.c.state)
    family = GaugeMetricFamily("aqc_jobs", "Jobs that are kept.", labels=("queue", "state"))
    for queue, state, count in connection.execute(counts):
        family.add_metric((queue, state), count)
    yield family
    waiting = GaugeMetricFamily(
        "aqc_queue_depth",
        "Jobs that wait; held: for their owner's others.",
        labels=("queue", "held"),
    )
    oldest = GaugeMetricFamily(
        "aqc_queue_oldest_seconds", "How long the oldest of them waits.", labels=("queue", "held")
    )
    at = now(connection)
    depths = (
        sa.select(job.c.queue, job.c.held, sa.func.count(), sa.func.min(job.c.created_at))
        .where(job.c.state == "queued")
        .group_by(job.c.queue, job.c.held)
    )
    for queue, held, count, first in connection.execute(depths):
        labels = (queue, str(bool(held)).lower())
        waiting.add_metric(labels, count)
        oldest.add_metric(labels, max((at - first).total_seconds(), 0.0))
    yield from (waiting, oldest)
    running = sa.select(
        sa.func.coalesce(sa.func.max(job.c.peak_bytes), 0),
        sa.func.coalesce(sa.func.sum(job.c.peak_bytes), 0),
    ).where(job.c.state.in_(("running", "cancelling")))
    most, total = connection.execute(running).one()
    memory = GaugeMetricFamily(
        "aqc_child_memory_bytes",
        "Most memory that the processes of the running jobs had: of the largest, and all together.",
        labels=("of",),
    )
    memory.add_metric(("largest",), most)
    memory.add_metric(("all",), total)
    yield memory


def _workers(connection: sa.Connection) -> Iterator[Metric]:
    worker = tables.worker
    workers = GaugeMetricFamily("aqc_workers", "Worker processes.", labels=("queue", "state"))
    slots = GaugeMetricFamily("aqc_worker_slots", "Jobs that they can run.", labels=("queue",))
    found: dict[tuple[str, str], int] = {}
    places: dict[str, int] = {}
    for row in connection.execute(sa.select(worker).where(worker.c.state != "dead")):
        for queue in row.queues:
            found[queue, row.state] = found.get((queue, row.state), 0) + 1
            if row.state == "alive":
                places[queue] = places.get(queue, 0) + row.slots
    for labels, count in found.items():
        workers.add_metric(labels, count)
    for queue, count in places.items():
        slots.add_metric((queue,), count)
    yield from (workers, slots)


def _ended(counters: Counters) -> Metric:
    family = CounterMetricFamily("aqc_jobs_ended", "Jobs that ended.", labels=("state", "reason"))
    for (name, label), value in sorted(counters.items()):
        if name == "ended":
            state, _, reason = label.partition(" ")
            family.add_metric((state, reason), value)
    return family


def _histogram(
    name: str, words: str, counters: Counters, key: str, bounds: tuple[float, ...]
) -> Metric:
    buckets: list[Any] = []
    count = 0.0
    for bound in (*(f"{bound:g}" for bound in bounds), "+Inf"):
        count += counters.get((key, bound), 0.0)
        buckets.append((bound, count))
    total = counters.get((f"{key}_sum", ""), 0.0)
    return HistogramMetricFamily(name, words, buckets=buckets, sum_value=total)
