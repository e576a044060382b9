"""Copies everything from one database into another, whole or not at all, and compares what came of it."""

from collections.abc import Mapping

from sqlalchemy import insert, select

from server.storage.connection import AsyncConnection
from server.storage.database import Database
from server.storage.errors import SchemaError, StorageError
from server.storage.revision import find_revision
from server.storage.tables import METADATA, REVISION
from server.storage.totals import Totals, count_totals

_ROWS_AT_ONCE = 500
_TIMEOUT_S = 86_400.0


async def copy(source: Database, target: Database) -> Mapping[str, Totals]:
    """Copies all rows, in one transaction of the target's.

    Args:
        source: what it holds at one moment is copied; what comes in meanwhile is not.
        target: has the tables and no rows.

    Returns:
        What each table holds now, on both sides.

    Raises:
        SchemaError: the source's tables are not the newest.
        StorageError: the target has rows, a database failed, or the copy is not the same. Then nothing was copied.
    """
    copied: dict[str, Totals] = {}
    async with source.read(_TIMEOUT_S) as reading, target.begin(_TIMEOUT_S) as writing:
        revision = await reading.run_sync(find_revision)
        if revision != REVISION:
            raise SchemaError(f"{source.shown}: its tables are not up to date. `trunkline db upgrade` makes them so")
        for table in METADATA.sorted_tables:
            if (await writing.execute(select(table).limit(1))).first() is not None:
                raise StorageError(f"{target.shown}: there are rows in {table.name} already. Copy into an empty database")
        for table in METADATA.sorted_tables:
            async for rows in reading.partitions(select(table), _ROWS_AT_ONCE):
                await writing.execute(insert(table), [dict(row) for row in rows])
        for table in METADATA.sorted_tables:
            before, after = await count_totals(reading, table), await count_totals(writing, table)
            if before != after:
                raise StorageError(f"{table.name} came out different: {before} became {after}. Nothing was copied")
            copied[table.name] = after
    return copied


async def count_all(connection: AsyncConnection) -> Mapping[str, Totals]:
    """What each table holds."""
    return {table.name: await count_totals(connection, table) for table in METADATA.sorted_tables}
