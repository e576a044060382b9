"""A gateway that is killed between the steps of a request with a key: whatever is paid as completed can be given again.

A lock on a table in PostgreSQL holds the gateway just before it writes there; then it is killed.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from tests.end_to_end.command import LIMIT_S, Command, run
from tests.end_to_end.running import KEY, config, row, write_config
from tests.fakes.answers import Text, Usage
from tests.fakes.faults import Stall
from tests.fakes.vendor import ScriptedVendor

BODY = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}
HEADERS = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": "k"}
HELLO = Text("Hello there all of you", usage=Usage(9, 5))
COMPLETIONS = "SELECT state, status FROM completions ORDER BY begin_time"
KEPT = "SELECT 1 FROM idempotency WHERE state = 'done'"
HELD = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'idempotency'::regclass"
LEASE_LASTS = "UPDATE idempotency SET expire_time = expire_time + 3600000000"


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor() as running:
        running.add(HELLO.with_fault(Stall()), HELLO)
        yield running


@pytest.fixture
async def watch(postgresql_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Looks at the gateway's database."""
    connection = await asyncpg.connect(postgresql_url)
    yield connection
    await connection.close()


@pytest.fixture
def folder(tmp_path: Path, vendor: ScriptedVendor, postgresql_url: str) -> Path:
    """Has the gateway's configuration and its data."""
    (tmp_path / "data").mkdir(mode=0o700)
    write_config(tmp_path, config([row("first", vendor, ["gpt-4o"])], storage={"url": postgresql_url}))
    return tmp_path


def gateway(folder: Path) -> AbstractAsyncContextManager[Command]:
    return run(folder, "--config", str(folder / "config.yaml"), "--port", "0", "--grpc-port", "0")


async def ask(url: str) -> tuple[str, bool]:
    """The answer, and whether it is another call's."""
    async with (
        aiohttp.ClientSession(url, headers=HEADERS, timeout=aiohttp.ClientTimeout(LIMIT_S)) as http,
        http.post("/v1/chat/completions", json=BODY) as response,
    ):
        assert response.status == 200, await response.text()
        answer = await response.json()
        return answer["choices"][0]["message"]["content"], "x-trunkline-replayed" in response.headers


@asynccontextmanager
async def locked(url: str, table: str) -> AsyncIterator[None]:
    """Lets nobody write to a table."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN SHARE MODE")
            yield
    finally:
        await connection.close()


async def until_found(watch: asyncpg.Connection, query: str) -> None:
    async with asyncio.timeout(LIMIT_S):
        while True:
            if await watch.fetch(query):
                return
            await asyncio.sleep(0.01)


async def killed_while_it_writes(
    folder: Path, url: str, vendor: ScriptedVendor, watch: asyncpg.Connection, table: str, moment: str
) -> None:
    """Asks once, and kills the gateway that may not write to a table, at the moment that a query finds."""
    async with gateway(folder) as command:
        asking = asyncio.ensure_future(ask(command.url))
        async with asyncio.timeout(LIMIT_S):
            await vendor.stalled()
        async with locked(url, table):
            vendor.release()
            await until_found(watch, moment)
            command.process.kill()
            await command.process.wait()
    with pytest.raises((aiohttp.ClientError, ConnectionError)):
        await asking


async def test_killed_before_its_answer_is_kept_a_request_is_not_settled_and_is_made_anew(
    folder: Path, postgresql_url: str, vendor: ScriptedVendor, watch: asyncpg.Connection
) -> None:
    await killed_while_it_writes(folder, postgresql_url, vendor, watch, "idempotency", HELD)
    assert [tuple(found) for found in await watch.fetch(COMPLETIONS)] == [("open", "")]
    await watch.execute(LEASE_LASTS)
    async with gateway(folder) as command:
        assert await ask(command.url) == (HELLO.text, False)
        assert await ask(command.url) == (HELLO.text, True)
    states = [tuple(found) for found in await watch.fetch(COMPLETIONS)]
    assert states == [("interrupted", "incomplete"), ("settled", "completed")]
    assert len(vendor.requests) == 2


async def test_killed_before_its_settlement_a_request_is_answered_from_what_is_kept_and_not_paid_again(
    folder: Path, postgresql_url: str, vendor: ScriptedVendor, watch: asyncpg.Connection
) -> None:
    await killed_while_it_writes(folder, postgresql_url, vendor, watch, "completions", KEPT)
    async with gateway(folder) as command:
        assert await ask(command.url) == (HELLO.text, True)
    assert len(await watch.fetch(COMPLETIONS)) == 1
    assert len(vendor.requests) == 1
