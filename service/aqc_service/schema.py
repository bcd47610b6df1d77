"""Bring the database to the newest schema, ours and DBOS's, and tell whether it is there."""

from pathlib import Path

import sqlalchemy as sa

from aqc_service.database import StorageError, make_data_directory, open_engine, writing
from aqc_service.settings import ServiceSettings

HEAD = "0003"
_LOCK = 0x617163  # "aqc": one process migrates at a time


def upgrade(settings: ServiceSettings) -> None:
    """Create or upgrade all tables; harmless when they are up to date.

    Raises:
        StorageError: If the data directory or the database cannot be written.
    """
    from alembic import command
    from alembic.config import Config

    from aqc_service import engine as port

    make_data_directory(settings.data_dir)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    engine = open_engine(settings.url)
    try:
        with writing(engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()
    port.migrate(settings.url)


def check(engine: sa.Engine) -> None:
    """Refuse a database whose tables are missing or older than this program.

    Raises:
        StorageError: With the command that helps.
    """
    try:
        with engine.connect() as connection:
            found = connection.scalar(sa.text("SELECT version_num FROM aqc_version"))
    except sa.exc.DBAPIError as error:
        raise StorageError("The database has no tables of aqc; run `aqc db upgrade`.") from error
    if found != HEAD:
        raise StorageError(
            f"The database's tables are of version {found}, but this program needs {HEAD}; run "
            f"`aqc db upgrade`."
        )
