"""Batches, keys, quotas, and what the metrics count."""

import sqlalchemy as sa
from alembic import op

from aqc_service.tables import UTCDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("batch_id", sa.String(length=32), nullable=True),
        sa.Column("batch_index", sa.Integer(), nullable=True),
        sa.Column("held", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("run_quota", sa.Integer(), nullable=True),
        sa.Column("input_bytes", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("peak_bytes", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
    ):
        op.add_column("job", column)
    op.create_index("job_by_batch", "job", ["batch_id", "batch_index"], unique=False)
    op.create_index("job_by_owner", "job", ["owner", "state"], unique=False)
    op.create_table(
        "batch",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("owner", sa.String(length=64), nullable=True),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("axes", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "batch_idempotency",
        "batch",
        [sa.text("coalesce(owner, '')"), "idempotency_key"],
        unique=True,
    )
    op.create_table(
        "api_key",
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("quota", sa.JSON(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=True),
        sa.Column("revoked_at", UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("prefix"),
    )
    op.create_table(
        "usage",
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("hour", UTCDateTime(), nullable=False),
        sa.Column("cpu_seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("owner", "hour"),
    )
    op.create_table(
        "tally",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("label", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", "label"),
    )


def downgrade() -> None:
    for table in ("tally", "usage", "api_key"):
        op.drop_table(table)
    op.drop_index("batch_idempotency", table_name="batch")
    op.drop_table("batch")
    op.drop_index("job_by_owner", table_name="job")
    op.drop_index("job_by_batch", table_name="job")
    for name in ("peak_bytes", "input_bytes", "run_quota", "held", "batch_index", "batch_id"):
        op.drop_column("job", name)
