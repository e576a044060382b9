"""A database that hangs or takes no more: requests are answered, or refused where that is asked for, and no row is lost."""

import asyncio
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil  # type: ignore[import-untyped]
import pytest

from server.ledger.writer import FileWriter
from server.storage.database import Database
from tests.end_to_end.command import LIMIT_S, run
from tests.end_to_end.rows import wait_for_rows
from tests.end_to_end.running import KEY, config, row, run_gateway, write_config
from tests.fakes.answers import Text, Usage
from tests.fakes.stores import Postgresql
from tests.fakes.vendor import ScriptedVendor

CHAT = "/v1/chat/completions"
_CALLERS = 8
_REQUESTS = 40


@dataclass(frozen=True, slots=True)
class Store:
    """A database that can be stopped.

    Attributes:
        url: where it is.
        stop: makes a context in which it takes nothing.
        data_dir: of a gateway whose rows go through a journal; None: they go to the database at once.
    """

    url: str
    stop: Callable[[], AbstractContextManager[None]]
    data_dir: Path | None = None


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Somebody else writes to an SQLite file, and does not end."""
    connection = sqlite3.connect(str(file), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.close()


@contextmanager
def frozen(postgresql: Postgresql) -> Iterator[None]:
    """No process of a PostgreSQL does anything."""
    above = psutil.Process(postgresql.process)
    family = [above, *above.children(recursive=True)]
    for process in family:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in family:
            process.send_signal(signal.SIGCONT)


@pytest.fixture(params=["sqlite", "journal", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A database of each kind in turn."""
    if request.param != "postgresql":
        data_dir = tmp_path / "data" if request.param == "journal" else None
        return Store(str(request.getfixturevalue("sqlite_url")), lambda: locked(tmp_path / "test.db"), data_dir)
    url = str(request.getfixturevalue("postgresql_url"))
    postgresql: Postgresql = request.getfixturevalue("postgresql")
    return Store(url, lambda: frozen(postgresql))


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor(default=lambda _: Text("Hello there", usage=Usage(9, 3))) as scripted:
        yield scripted


async def ask(url: str, first: int) -> list[int]:
    """Asks one thing after another, several at once, half of them streams; gives the statuses."""
    numbers = iter(range(first, first + _REQUESTS))
    statuses: list[int] = []

    async def call(session: aiohttp.ClientSession) -> None:
        for number in numbers:
            body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}], "stream": number % 2 == 0}
            async with session.post(CHAT, json=body, headers={"x-request-id": f"r{number}"}) as response:
                await response.read()
                statuses.append(response.status)

    async with aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {KEY}"}) as session:
        await asyncio.gather(*(call(session) for _ in range(_CALLERS)))
    return statuses


async def arrived(url: str, count: int) -> Mapping[str, str]:
    """What came of all requests that have rows, once so many are completed and none is open; each has one."""
    database = await Database.open(url, None)
    try:
        rows = await wait_for_rows(database, lambda rows: sum(row.status == "completed" for row in rows) >= count)
        return {row.request_id: row.status for row in rows}
    finally:
        await database.close()


async def test_requests_are_answered_and_their_rows_arrive_later(
    vendor: ScriptedVendor, store: Store, tmp_path: Path
) -> None:
    document = config([row("first", vendor, ["gpt-4o"])], storage={"url": store.url})
    async with run_gateway(tmp_path, document, "whole", store.data_dir) as gateway:
        before = await ask(gateway.url, 0)
        with store.stop():
            during = await ask(gateway.url, _REQUESTS)
        after = await ask(gateway.url, 2 * _REQUESTS)
        rows = await arrived(store.url, 3 * _REQUESTS)
    assert {*before, *during, *after} == {200}
    assert rows == {f"r{number}": "completed" for number in range(3 * _REQUESTS)}


@pytest.mark.parametrize(
    ("trouble", "relief"),
    [
        pytest.param("PRAGMA query_only=ON", "PRAGMA query_only=OFF", id="read-only"),
        pytest.param("PRAGMA max_page_count=1", f"PRAGMA max_page_count={1 << 30}", id="full"),
    ],
)
@pytest.mark.parametrize("folder", [None, "data"], ids=["at once", "journal"])
async def test_a_database_that_takes_nothing_costs_no_row(
    vendor: ScriptedVendor, sqlite_url: str, tmp_path: Path, trouble: str, relief: str, folder: str | None
) -> None:
    document = config([row("first", vendor, ["gpt-4o"])], storage={"url": sqlite_url})
    async with run_gateway(tmp_path, document, "whole", tmp_path / folder if folder else None) as gateway:
        core = gateway.gateways[0]._core
        assert core is not None
        assert core._governance is not None
        ledger = core._governance._ledger
        assert ledger is not None
        writer = ledger._writer
        assert isinstance(writer, FileWriter)
        await ask(gateway.url, 0)
        await writer.tell(trouble)
        during = [*await ask(gateway.url, _REQUESTS), *await ask(gateway.url, 2 * _REQUESTS)]
        await ledger.flush()
        assert ledger.troubled
        await writer.tell(relief)
        rows = await arrived(sqlite_url, 3 * _REQUESTS)
    assert {*during} == {200}
    assert rows == {f"r{number}": "completed" for number in range(3 * _REQUESTS)}


async def test_requests_are_refused_where_that_is_asked_for(vendor: ScriptedVendor, store: Store, tmp_path: Path) -> None:
    storage = {"url": store.url, "on_failure": "refuse"}
    document = config([row("first", vendor, ["gpt-4o"])], storage=storage)
    async with run_gateway(tmp_path, document, "whole", store.data_dir) as gateway:
        with store.stop():
            during = await ask(gateway.url, 0)
            asked = len(vendor.requests)
        first, after = _REQUESTS, [0]
        async with asyncio.timeout(LIMIT_S):
            while 200 not in after:
                after = await ask(gateway.url, first)
                first += _REQUESTS
        rows = await arrived(store.url, after.count(200))
    assert (set(during), asked) == ({503}, 0)
    assert list(rows.values()).count("completed") == len(vendor.requests) == after.count(200)
    assert set(rows.values()) <= {"completed", "failed"}


async def test_rows_that_wait_when_the_gateway_is_killed_arrive_at_its_next_start(
    vendor: ScriptedVendor, store: Store, tmp_path: Path
) -> None:
    path = str(write_config(tmp_path, config([row("first", vendor, ["gpt-4o"])], storage={"url": store.url})))
    arguments = ("--config", path, "--port", "0", "--grpc-port", "0")
    async with run(tmp_path, *arguments) as command:
        with store.stop():
            statuses = await ask(command.url, 0)
            command.process.kill()
            await command.process.wait()
    assert set(statuses) == {200}
    async with run(tmp_path, *arguments):
        rows = await arrived(store.url, _REQUESTS)
    assert rows == {f"r{number}": "completed" for number in range(_REQUESTS)}
