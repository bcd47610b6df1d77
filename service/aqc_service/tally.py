"""Counters that outlive what they count: the CPU time of owners, and numbers for the metrics."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from aqc_service import tables
from aqc_service.database import now
from aqc_service.records import Job

SECONDS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 14400.0)
BYTES = (0.5e9, 1e9, 2e9, 4e9, 8e9, 16e9, 32e9)


def count_end(connection: sa.Connection, job: Job) -> None:
    """Count a job that has just ended; last in its transaction, so that none waits for another."""
    add: dict[tuple[str, str], float] = {("ended", f"{job.state} {job.reason or ''}".strip()): 1.0}
    began = job.started_at or job.finished_at
    assert began is not None
    _observe(add, "wait", (began - job.created_at).total_seconds(), SECONDS)
    if job.started_at is not None:
        _observe(add, "run", job.wall_seconds, SECONDS)
        _observe(add, "peak", job.peak_bytes, BYTES)
        add["evaluations", ""] = float((job.progress or {}).get("evaluations") or 0)
        add["cpu", ""] = job.cpu_seconds
    _add(connection, add)
    if job.owner is not None and job.cpu_seconds > 0:
        charge(connection, job.owner, job.cpu_seconds)


def _observe(
    add: dict[tuple[str, str], float], name: str, value: float, bounds: tuple[float, ...]
) -> None:
    """Count a value into the first bucket that it fits into."""
    bound = next((bound for bound in bounds if value <= bound), None)
    add[name, "+Inf" if bound is None else f"{bound:g}"] = 1.0
    add[f"{name}_sum", ""] = float(value)


def charge(connection: sa.Connection, owner: str, cpu_seconds: float) -> None:
    """Write CPU time to an owner's account."""
    hour = now(connection).replace(minute=0, second=0, microsecond=0)
    values = {"owner": owner, "hour": hour, "cpu_seconds": cpu_seconds}
    _upsert(connection, tables.usage, [values], "cpu_seconds")


def cpu_seconds_since(connection: sa.Connection, owner: str, moment: datetime) -> float:
    """Return an owner's CPU time in the hours that ended after a moment."""
    usage = tables.usage
    hour = moment.replace(minute=0, second=0, microsecond=0)
    found = sa.select(sa.func.sum(usage.c.cpu_seconds)).where(
        usage.c.owner == owner, usage.c.hour >= hour
    )
    return float(connection.scalar(found) or 0.0)


def read(connection: sa.Connection) -> dict[tuple[str, str], float]:
    """Return all counters: {(name, label): value}."""
    rows = connection.execute(sa.select(tables.tally))
    return {(row.name, row.label): row.value for row in rows}


def _add(connection: sa.Connection, add: Mapping[tuple[str, str], float]) -> None:
    # In one order, so that two transactions never hold what the other one wants.
    rows = [{"name": n, "label": k, "value": value} for (n, k), value in sorted(add.items())]
    _upsert(connection, tables.tally, rows, "value")


def _upsert(
    connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]], column: str
) -> None:
    """Insert rows, or add a column's values to those that are there."""
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert
    statement = insert(table).values(rows)
    added = {column: table.c[column] + statement.excluded[column]}
    connection.execute(
        statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=added)
    )
