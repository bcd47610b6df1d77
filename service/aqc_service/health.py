"""Whether the parts of the service work."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from aqc_service import schema
from aqc_service.database import StorageError, make_data_directory, reading
from aqc_service.store import Store


def examine(store: Store) -> dict[str, dict[str, Any]]:
    """Return whether the parts work: {part: {"ok": bool, "message": str}}, never raising.

    The parts are storage, database, schema and workers; without workers jobs are accepted and
    wait.
    """

    def database() -> None:
        with reading(store.engine) as connection:
            connection.execute(sa.select(1))

    def workers() -> None:
        if not store.workers():
            raise StorageError("No worker is alive; jobs are accepted and wait.")

    return {
        "storage": _tell(lambda: make_data_directory(store.jobs_dir.parent)),
        "database": _tell(database),
        "schema": _tell(lambda: schema.check(store.engine)),
        "workers": _tell(workers),
    }


def _tell(check: Callable[[], None]) -> dict[str, Any]:
    try:
        check()
    except (StorageError, sa.exc.SQLAlchemyError) as error:
        return {"ok": False, "message": str(error)}
    return {"ok": True, "message": "ok"}
