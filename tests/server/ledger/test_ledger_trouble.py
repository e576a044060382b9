"""While the database is slow, read-only, full or gone, rows wait and arrive later, or requests are refused."""

import asyncio
import gc
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest

from server.errors import GatewayError
from server.ledger.ledger import Ledger
from server.ledger.rows import Rows
from server.ledger.settings import LedgerSettings
from server.ledger.writer import FileWriter, Writer
from server.storage.database import Database
from server.storage.errors import StorageError
from tests.fakes.stores import Postgresql
from tests.server.ledger.entries import TurnedClock, intent, settlement

DEADLINE_S = 0.3
Fault = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(slots=True)
class Store:
    """A database, how to make it fail, and what the ledger says of it."""

    database: Database
    fault: Fault
    folder: Path
    writer: Callable[[], Writer | None] = lambda: None
    alone: bool = False
    troubles: "asyncio.Queue[bool]" = field(default_factory=asyncio.Queue)

    async def open(self, worker: str = "me", settings: LedgerSettings | None = None) -> Ledger:
        """A ledger that has begun."""
        settings = settings or LedgerSettings(deadline_s=DEADLINE_S)
        ledger = Ledger(
            *(self.database, TurnedClock(), worker, self.folder, settings),
            on_trouble=self.troubles.put_nowait,
            writer=self.writer(),
            alone=self.alone,
        )
        await ledger.recover()
        return ledger

    async def states(self, *ids: str) -> list[str]:
        """The states of completions; `none`: there is none."""
        found = [await Rows(self.database).find(id) for id in ids]
        return ["none" if row is None else row.state for row in found]


def sqlite_fault(kind: str, file: Path, writers: list[FileWriter]) -> Fault:
    @asynccontextmanager
    async def locked() -> AsyncIterator[None]:
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
        other.close()

    @asynccontextmanager
    async def told() -> AsyncIterator[None]:
        begin, end = {
            "read-only": ("PRAGMA query_only = ON", "PRAGMA query_only = OFF"),
            "full": ("PRAGMA max_page_count = 1", "PRAGMA max_page_count = 1000000"),
        }[kind]
        await writers[-1].tell(begin)
        yield
        with suppress(StorageError):  # it may be closed
            await writers[-1].tell(end)

    @asynccontextmanager
    async def moved() -> AsyncIterator[None]:
        elsewhere = file.with_name("elsewhere.db")
        os.rename(file, elsewhere)
        if kind == "replaced":
            sqlite3.connect(file).close()
        yield
        os.rename(elsewhere, file)

    if kind in ("moved", "replaced"):
        return moved
    return locked if kind == "slow" else told


def postgresql_fault(kind: str, server: Postgresql, name: str, database: Database) -> Fault:
    @asynccontextmanager
    async def locked() -> AsyncIterator[None]:
        async with database.begin() as connection:
            await connection.exec_driver_sql("LOCK TABLE completions IN ACCESS EXCLUSIVE MODE")
            yield

    @asynccontextmanager
    async def told() -> AsyncIterator[None]:
        begin, end = {
            "read-only": ("SET default_transaction_read_only = on", "RESET default_transaction_read_only"),
            "gone": ("WITH ALLOW_CONNECTIONS false", "WITH ALLOW_CONNECTIONS true"),
        }[kind]
        await tell(begin)
        yield
        await tell(end)

    async def tell(setting: str) -> None:
        connection = await asyncpg.connect(server.url("postgres"))
        await connection.execute(f"ALTER DATABASE {name} {setting}")
        await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        await connection.close()

    return locked if kind == "slow" else told


CASES = [f"{way}-{kind}" for way in ("sqlite", "journal") for kind in ("slow", "read-only", "full", "moved", "replaced")]
CASES += [f"postgresql-{kind}" for kind in ("slow", "read-only", "gone")]


@pytest.fixture(params=CASES)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    dialect, _, kind = str(request.param).partition("-")
    folder = tmp_path / "spool"
    if dialect != "postgresql":
        file, writers = tmp_path / "test.db", list[FileWriter]()
        database = await Database.open(f"sqlite:///{file}", None)

        def writer() -> Writer:
            writers.append(FileWriter(str(file), DEADLINE_S))
            return writers[-1]

        yield Store(database, sqlite_fault(kind, file, writers), folder, writer, dialect == "journal")
        await database.close()
        return
    server = request.getfixturevalue("postgresql")
    assert isinstance(server, Postgresql)
    name = await server.with_tables()
    database = await Database.open(server.url(name), None)
    yield Store(database, postgresql_fault(kind, server, name, database), folder)
    await database.close()


async def soon(waited: Awaitable[bool]) -> bool:
    return await asyncio.wait_for(waited, 20)


async def test_rows_wait_and_arrive_later(store: Store) -> None:
    ledger = await store.open()
    await ledger.intent(intent("before"))
    await ledger.flush()
    async with store.fault():
        await ledger.intent(intent("a", request_body="x" * 50_000))
        await ledger.flush()
        assert await soon(store.troubles.get())
        await ledger.settle(settlement("before"))
        await ledger.settle(settlement("a"))
        await ledger.intent(intent("b"))
        assert ledger.waiting == 4
    assert not await soon(store.troubles.get())
    assert ledger.waiting == 0
    await ledger.settle(settlement("b"))
    await ledger.flush()
    assert await store.states("before", "a", "b") == ["settled"] * 3
    await ledger.close()
    assert list(store.folder.iterdir()) == []


async def test_a_flush_returns_when_the_database_fails(store: Store) -> None:
    ledger = await store.open()
    async with store.fault():
        telling = asyncio.create_task(ledger.intent(intent("a", request_body="x" * 50_000)))
        await asyncio.sleep(0)
        await ledger.flush()
        assert await soon(store.troubles.get())
        await telling
        await ledger.flush()
    assert not await soon(store.troubles.get())
    await ledger.close()


async def test_requests_are_refused_where_that_is_the_setting(store: Store) -> None:
    ledger = await store.open(settings=LedgerSettings("refuse", DEADLINE_S))
    await ledger.intent(intent("before"))
    async with store.fault():
        for id in ("a", "b"):
            with pytest.raises(GatewayError):
                await ledger.intent(intent(id, request_body="x" * 50_000))
        await ledger.settle(settlement("before"))
    assert [await soon(store.troubles.get()) for _ in range(2)] == [True, False]
    assert (await store.states("before"))[0] == "settled"
    assert "open" not in await store.states("a", "b")
    await ledger.close()


async def test_a_full_spool_refuses_requests_and_loses_nothing(store: Store) -> None:
    ledger = await store.open(settings=LedgerSettings(deadline_s=DEADLINE_S, max_spool_bytes=10))
    await ledger.intent(intent("before"))
    async with store.fault():
        with pytest.raises(GatewayError):
            await ledger.intent(intent("a", request_body="x" * 50_000))
        await ledger.settle(settlement("before"))
    assert [await soon(store.troubles.get()) for _ in range(2)] == [True, False]
    assert (await store.states("before"))[0] == "settled"
    await ledger.close()


async def test_what_still_waits_at_the_end_arrives_with_the_next_start(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = await store.open("first")
    async with store.fault():
        await ledger.intent(intent("a", request_body="x" * 50_000))
        await ledger.settle(settlement("a"))
        await ledger.close()
    second = await store.open("second")
    assert await store.states("a") == ["settled"]
    await second.close()
    gc.collect()
    assert [record for record in caplog.records if record.name == "asyncio"] == []


async def test_much_that_waits_is_not_in_memory_and_arrives(store: Store) -> None:
    ledger = await store.open(settings=LedgerSettings(deadline_s=DEADLINE_S, journal_bytes=5000))
    ids = [str(number) for number in range(60)]
    async with store.fault():
        await ledger.intent(intent(ids[0], request_body="x" * 50_000))
        await ledger.flush()
        for id in ids[1:]:
            await ledger.intent(intent(id, request_body="x" * 5_000))
        for id in ids[1:]:
            await ledger.settle(settlement(id))
        assert ledger.waiting == 2 * len(ids) - 1
    assert [await soon(store.troubles.get()) for _ in range(2)] == [True, False]
    await ledger.settle(settlement(ids[0]))
    await ledger.flush()
    assert (await store.states(*ids), ledger.waiting) == (["settled"] * len(ids), 0)
    await ledger.close()
    assert list(store.folder.iterdir()) == []
