"""A copy holds what the original holds, on every kind of database, or there is none."""

from collections.abc import Mapping

import pytest
from sqlalchemy import BigInteger, Boolean, LargeBinary, Table, insert, select

from server.storage.copying import copy
from server.storage.database import Database
from server.storage.errors import StorageError
from server.storage.tables import METADATA, TENANTS
from tests.server.storage.tenants import add, names

_ROWS = 603
_LARGE = 9_100_000_000_000_000_000


def row_of(table: Table, number: int) -> Mapping[str, object]:
    """A row that has something in each column; those that point to others point to rows of the same number."""
    row: dict[str, object] = {}
    for column in table.columns:
        if isinstance(column.type, Boolean):
            row[column.name] = number % 2 == 0
        elif isinstance(column.type, BigInteger):
            row[column.name] = (_LARGE if column.name == "create_time" else -7) + number
        elif isinstance(column.type, LargeBinary):
            row[column.name] = number.to_bytes(32, "big")
        else:
            row[column.name] = f"ä{number}"
        if column.nullable and number % 3 == 0:
            row[column.name] = None
    return row


@pytest.fixture
async def original(sqlite_database: Database) -> Database:
    """A database with rows in all tables."""
    async with sqlite_database.begin() as connection:
        for table in METADATA.sorted_tables:
            await connection.execute(insert(table), [row_of(table, number) for number in range(_ROWS)])
    return sqlite_database


async def contents(database: Database) -> list[list[object]]:
    async with database.read() as connection:
        results = [await connection.execute(select(table).order_by(*table.primary_key)) for table in METADATA.sorted_tables]
        return [list(map(tuple, result)) for result in results]


async def test_a_copy_has_every_value_of_the_original(original: Database, postgresql_database: Database) -> None:
    copied = await copy(original, postgresql_database)
    assert await contents(postgresql_database) == await contents(original)
    assert {totals.rows for totals in copied.values()} == {_ROWS}
    assert copied["tenants"].total == sum((_LARGE + n) + (-7 + n) + (n % 2 == 0) for n in range(_ROWS))


async def test_a_copy_of_the_copy_is_the_same(original: Database, postgresql_database: Database) -> None:
    first = await copy(original, postgresql_database)
    back = await Database.open(None, None)
    assert await copy(postgresql_database, back) == first
    await back.close()


async def test_a_database_with_rows_is_no_target(database: Database) -> None:
    other = await Database.open(None, None)
    await add(database, "a")
    await add(other, "b")
    with pytest.raises(StorageError, match="rows in tenants already"):
        await copy(other, database)
    assert await names(database) == ["a"]
    await other.close()


async def test_a_copy_that_fails_leaves_nothing(postgresql_database: Database) -> None:
    original = await Database.open(None, None)
    async with original.begin() as connection:
        for table, number in ((TENANTS, 1), (METADATA.tables["audit"], 1)):
            await connection.execute(insert(table), row_of(table, number))
        await connection.execute(TENANTS.update().values(display_name="longer than PostgreSQL's column" * 20))
    with pytest.raises(StorageError):
        await copy(original, postgresql_database)
    await original.close()
    assert set(map(len, await contents(postgresql_database))) == {0}
