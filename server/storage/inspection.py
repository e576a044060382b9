"""Looks at a database as it is and changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from server.storage.address import find_address
from server.storage.copying import count_all
from server.storage.database import Database
from server.storage.errors import StorageError
from server.storage.revision import find_revision
from server.storage.tables import METADATA, REVISION
from server.storage.totals import Totals

_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was seen.

    Attributes:
        shown: where the database is, without secrets.
        revision: that of its tables; None: it has none.
        newest: the revision that this version knows.
        fault: what is wrong; None: nothing.
        tables: what each holds; empty where they are not the newest.
    """

    shown: str
    revision: str | None
    newest: str
    fault: str | None
    tables: Mapping[str, Totals]


async def inspect(url: str | None, data_dir: Path | None) -> Inspection:
    """Looks at a database: whether its tables are those that this version knows, and what is in them.

    Raises:
        StorageError: it is not there or cannot be reached.
    """
    address = find_address(url, data_dir)
    if address.file is not None and not address.file.is_file():
        raise StorageError(f"{address.shown}: there is no such file. `trunkline db upgrade` makes it")
    database = await Database.open(url, data_dir, migrations=None)
    try:
        async with database.read(_TIMEOUT_S) as connection:
            revision, newest = await connection.run_sync(find_revision), REVISION
            if revision != newest:
                fault: str | None = (
                    f"its tables have revision {revision or 'none'}, not {newest}; "
                    "`trunkline db upgrade` brings older ones up to date"
                )
                return Inspection(address.shown, revision, newest, fault, {})
            fault = await connection.run_sync(_find_fault)
            return Inspection(address.shown, revision, newest, fault, await count_all(connection))
    finally:
        await database.close()


def _find_fault(connection: Connection) -> str | None:
    options = {"compare_type": True, "include_name": _is_ours}
    differences = compare_metadata(MigrationContext.configure(connection, opts=options), METADATA)
    if differences:
        return f"its tables differ from those of revision {REVISION} in {len(differences)} places"
    if connection.dialect.name != "sqlite":
        return None
    result = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    return None if result == "ok" else f"the file is damaged: {result}"


def _is_ours(name: str | None, kind: str, _: Mapping[str, str | None]) -> bool:
    """Whether something in the database is looked at: there may be tables of someone else beside."""
    return kind != "table" or name in METADATA.tables
