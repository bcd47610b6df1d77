"""The tables of the service, as SQLAlchemy sees them; migrations/ creates them."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa


class UTCDateTime(sa.TypeDecorator[datetime]):
    """A moment in UTC; SQLite forgets the zone, so it is put back on reading."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Return the moment in UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Return the moment with its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = sa.MetaData()

job = sa.Table(
    "job",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("queue", sa.String(32), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.String(32)),
    sa.Column("message", sa.Text),
    sa.Column("name", sa.Text),
    sa.Column("tags", sa.JSON, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("owner", sa.String(64)),
    sa.Column("problem", sa.Text, nullable=False),
    sa.Column("body_hash", sa.String(64), nullable=False),
    sa.Column("num_qubits", sa.Integer, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("lost", sa.Integer, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("progress", sa.JSON),
    sa.Column("cpu_seconds", sa.Float, nullable=False),
    sa.Column("wall_seconds", sa.Float, nullable=False),
    sa.Column("wall_limit", sa.Float),
    sa.Column("memory_bytes", sa.BigInteger, nullable=False),
    sa.Column("cancel_requested", sa.Boolean, nullable=False),
    sa.Column("created_at", UTCDateTime, nullable=False),
    sa.Column("started_at", UTCDateTime),
    sa.Column("finished_at", UTCDateTime),
    sa.Column("worker_id", sa.String(32)),
    sa.Column("result", sa.JSON),
    sa.Column("best", sa.JSON),
    sa.Column("series", sa.JSON),
    sa.Column("retry_of", sa.String(32)),
    sa.Column("idempotency_key", sa.String(255)),
    sa.Column("request_id", sa.String(64)),
    sa.Column("batch_id", sa.String(32)),
    sa.Column("batch_index", sa.Integer),
    sa.Column("held", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("run_quota", sa.Integer),
    sa.Column("input_bytes", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    sa.Column("peak_bytes", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    sa.Index("job_by_state", "state", "id"),
    sa.Index("job_by_worker", "worker_id", "state"),
    sa.Index("job_by_batch", "batch_id", "batch_index"),
    sa.Index("job_by_owner", "owner", "state"),
)
# A missing owner is an owner too, so that the key is unique also where there are no owners.
sa.Index(
    "job_idempotency",
    sa.func.coalesce(job.c.owner, ""),
    job.c.idempotency_key,
    unique=True,
)

job_tag = sa.Table(
    "job_tag",
    metadata,
    sa.Column("job_id", sa.ForeignKey("job.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("tag", sa.String(64), primary_key=True),
    sa.Index("job_tag_by_tag", "tag", "job_id"),
)

job_event = sa.Table(
    "job_event",
    metadata,
    sa.Column("job_id", sa.ForeignKey("job.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("at", UTCDateTime, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
)

artifact = sa.Table(
    "artifact",
    metadata,
    sa.Column("job_id", sa.ForeignKey("job.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("name", sa.String(128), primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("media_type", sa.String(64), nullable=False),
    sa.Column("path", sa.Text, nullable=False),
)

worker = sa.Table(
    "worker",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("pid_started", sa.Float, nullable=False),
    sa.Column("queues", sa.JSON, nullable=False),
    sa.Column("slots", sa.Integer, nullable=False),
    sa.Column("started_at", UTCDateTime, nullable=False),
    sa.Column("heartbeat_at", UTCDateTime, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
)

batch = sa.Table(
    "batch",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("name", sa.Text),
    sa.Column("owner", sa.String(64)),
    sa.Column("mode", sa.String(16), nullable=False),
    # As text, which keeps the order of the axes.
    sa.Column("template", sa.Text, nullable=False),
    sa.Column("axes", sa.Text, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("created_at", UTCDateTime, nullable=False),
    sa.Column("body_hash", sa.String(64), nullable=False),
    sa.Column("idempotency_key", sa.String(255)),
)
sa.Index(
    "batch_idempotency",
    sa.func.coalesce(batch.c.owner, ""),
    batch.c.idempotency_key,
    unique=True,
)

api_key = sa.Table(
    "api_key",
    metadata,
    sa.Column("prefix", sa.String(16), primary_key=True),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("owner", sa.String(64), nullable=False),
    sa.Column("scope", sa.String(16), nullable=False),
    sa.Column("quota", sa.JSON, nullable=False),
    sa.Column("created_at", UTCDateTime, nullable=False),
    sa.Column("expires_at", UTCDateTime),
    sa.Column("revoked_at", UTCDateTime),
)

# CPU time of finished work by owner and hour: what was deleted since is still in it.
usage = sa.Table(
    "usage",
    metadata,
    sa.Column("owner", sa.String(64), primary_key=True),
    sa.Column("hour", UTCDateTime, primary_key=True),
    sa.Column("cpu_seconds", sa.Float, nullable=False),
)

# What the metrics count; it only grows, whatever is deleted.
tally = sa.Table(
    "tally",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("label", sa.String(64), primary_key=True),
    sa.Column("value", sa.Float, nullable=False),
)
