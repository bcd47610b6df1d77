"""Alembic's entry: the connection comes from aqc_service.schema."""

from alembic import context

from aqc_service.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    version_table="aqc_version",
)
with context.begin_transaction():
    context.run_migrations()
