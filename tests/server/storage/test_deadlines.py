"""A database that is slow, held or silent keeps nobody longer than they allowed."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, text

from server.storage.bounds import Bounds
from server.storage.connection import AsyncConnection
from server.storage.database import Database
from server.storage.errors import StorageError
from server.storage.tables import TENANTS
from tests.fakes.stores import Postgresql
from tests.server.storage.proxy import Proxy, run_proxy
from tests.server.storage.tenants import add, names

_SHORT = Bounds(connections=2, timeout_s=0.2, close_timeout_s=0.1, connect_timeout_s=0.2)
_LONG_WORK = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
    "postgresql": "SELECT pg_sleep(3600)",
}


@pytest.fixture
async def proxy(postgresql: Postgresql) -> AsyncIterator[Proxy]:
    async with run_proxy(postgresql.folder) as running:
        yield running


@pytest.fixture
async def distant(postgresql: Postgresql, proxy: Proxy) -> AsyncIterator[Database]:
    """A database behind the proxy."""
    name = await postgresql.with_tables()
    database = await Database.open(f"postgresql://postgres@127.0.0.1:{proxy.port}/{name}", None, _SHORT)
    yield database
    proxy.speak()
    await database.close()


async def work(database: Database, timeout_s: float | None) -> None:
    async with database.begin(timeout_s) as connection:
        await connection.execute(text(_LONG_WORK[database.dialect]))


async def test_work_that_takes_too_long_is_given_up(database: Database) -> None:
    with pytest.raises(StorageError, match=r"not done after 0\.1 s"):
        await work(database, 0.1)
    await add(database, "a")
    assert await names(database) == ["a"]


async def test_work_that_is_given_up_with_rows_half_read_holds_up_nobody(database: Database) -> None:
    for name in ("a", "b"):
        await add(database, name)
    half_read = []

    async def work() -> None:
        async with database.begin(0.1) as connection:
            half_read.append(connection.partitions(select(TENANTS.c.id), 1))
            await anext(half_read[0])
            await connection.execute(text(_LONG_WORK[database.dialect]))

    with pytest.raises(StorageError):
        await work()
    await add(database, "c")
    assert await names(database) == ["a", "b", "c"]


async def test_the_default_holds_where_nobody_says(database_url: str) -> None:
    database = await Database.open(database_url, None, _SHORT)
    with pytest.raises(StorageError):
        await work(database, None)
    await database.close()


async def test_postgresql_works_longer_for_those_who_allow_it(postgresql_url: str) -> None:
    database = await Database.open(postgresql_url, None, _SHORT)
    async with database.read(timeout_s=30) as connection:
        await connection.execute(text("SELECT pg_sleep(0.4)"))
    await database.close()


async def test_who_waits_for_a_connection_gives_up(database_url: str) -> None:
    database = await Database.open(database_url, None, replace(_SHORT, connections=1))
    async with database.begin(30):
        with pytest.raises(StorageError):
            await add(database, "a")
    async with database.read(30):
        with pytest.raises(StorageError):
            await names(database)
    await add(database, "b")
    await database.close()


async def test_a_file_that_another_process_writes_to_is_waited_for_and_given_up(tmp_path: Path) -> None:
    database = await Database.open(None, tmp_path, _SHORT)
    other = sqlite3.connect(tmp_path / "trunkline.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError):
        await add(database, "a")
    assert await names(database) == []
    other.execute("COMMIT")
    other.close()
    await add(database, "b")
    assert await names(database) == ["b"]
    await database.close()


async def test_a_silent_network_ends_what_asks(distant: Database, proxy: Proxy) -> None:
    await add(distant, "a")
    proxy.fall_silent()
    for _ in range(_SHORT.connections + 1):
        with pytest.raises(StorageError):
            await names(distant)
    proxy.speak()
    assert await names(distant) == ["a"]


async def _commit(_: AsyncConnection) -> None:
    return


async def _fail(_: AsyncConnection) -> None:
    raise ZeroDivisionError


async def _ask(connection: AsyncConnection) -> None:
    await connection.execute(text("SELECT 1"))


async def _wait(_: AsyncConnection) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("end", [_commit, _fail, _ask, _wait])
async def test_a_network_that_falls_silent_within_a_block_ends_it(
    distant: Database, proxy: Proxy, end: Callable[[AsyncConnection], Awaitable[None]]
) -> None:
    async def work() -> None:
        async with distant.begin() as connection:
            await connection.execute(text("SELECT 1"))
            proxy.fall_silent()
            await end(connection)

    with pytest.raises((StorageError, ZeroDivisionError)):
        await work()
    proxy.speak()
    await add(distant, "a")


async def test_a_silent_database_is_closed(distant: Database, proxy: Proxy) -> None:
    await add(distant, "a")
    proxy.fall_silent()
    await distant.close()


async def test_opening_a_silent_database_ends(postgresql: Postgresql, proxy: Proxy) -> None:
    proxy.fall_silent()
    with pytest.raises(StorageError, match="does not answer"):
        await Database.open(f"postgresql://postgres:secret@127.0.0.1:{proxy.port}/postgres", None, _SHORT)
