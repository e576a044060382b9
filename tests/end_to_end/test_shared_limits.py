"""Four gateways with one PostgreSQL and one Redis: what one of them knows and counts holds for all."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import aiohttp
import pytest
import pytest_asyncio
from redis.asyncio import Redis
from sqlalchemy import func, insert, select

from server.clock import SystemClock
from server.storage.database import Database
from server.storage.tables import BUDGETS, COMPLETIONS
from tests.end_to_end.command import LIMIT_S, Command, run
from tests.end_to_end.holders import TIMES, add_holder
from tests.end_to_end.running import KEY, config, row, run_gateway, write_config
from tests.fakes.answers import Status, Text, Usage
from tests.fakes.faults import Stall
from tests.fakes.stores import Postgresql
from tests.fakes.vendor import ScriptedVendor

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT = "/v1/chat/completions"
TENTH = Text("Hi", usage=Usage(1, 1000))
"""An answer that costs a tenth of a dollar, which is what is held back for it."""

PRICE = {"cost_per_1k_input_tokens": 0, "cost_per_1k_output_tokens": 0.1}
MICROS = 100_000
BUDGET = 5_000_000
AT_ONCE = 1000
RATE = 400
REVOKED_S = 2.0
_GATEWAYS = 4
_ENOUGH_FAILURES = 3


@dataclass(frozen=True, slots=True)
class Shared:
    """Gateways in processes of their own.

    Attributes:
        commands: the processes.
        vendor: the provider that they share.
        database: theirs.
    """

    commands: Sequence[Command]
    vendor: ScriptedVendor
    database: Database


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(
    postgresql: Postgresql, redis_server: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shared]:
    """The gateways; the tests of this file share them, each with keys and models of its own."""
    redis = Redis.from_url(redis_server)
    await redis.flushall()
    await redis.aclose()
    url = await postgresql.own("shared")
    async with AsyncExitStack() as stack:
        vendor = await stack.enter_async_context(ScriptedVendor(default=lambda _: TENTH))
        broken = await stack.enter_async_context(ScriptedVendor(default=lambda _: Status(500)))
        database = await Database.open(url, None)
        stack.push_async_callback(database.close)
        await add_holder_with_budget(database, "spender")
        async with database.begin() as connection:
            for id in ("revoked", "again"):
                await add_holder(connection, id, f"llm_{id}")
        rows = [row("first", vendor, ["gpt-4o", "rated"], **PRICE), row("broken", broken, ["broken"])]
        document = config(
            rows,
            storage={"url": url},
            redis={"url": redis_server, "on_failure": "fail_closed", "timeout": 5},
            circuit_breaker={"failure_threshold": _ENOUGH_FAILURES, "recovery_timeout": 600},
            rate_limit={
                "requests_per_window": 1_000_000,
                "burst_limit": 0,
                "scopes": [{"scope": "model", "name": "rated", "requests_per_window": RATE}],
            },
        )

        async def begin() -> Command:
            folder = tmp_path_factory.mktemp("gateway")
            path = str(write_config(folder, document))
            return await stack.enter_async_context(run(folder, "--config", path, "--port", "0", "--grpc-port", "0"))

        commands = await asyncio.gather(*(begin() for _ in range(_GATEWAYS)))
        yield Shared(commands, vendor, database)


async def add_holder_with_budget(database: Database, id: str) -> None:
    """Adds a key that may spend five dollars."""
    money = {"display_name": "", "limit_micros": BUDGET, "enforced": True, "thresholds": "[50, 100]", "period": "total"}
    async with database.begin() as connection:
        await add_holder(connection, id, f"llm_{id}")
        await connection.execute(insert(BUDGETS), {"id": id, "scope": "key", "scope_id": id, **money, **TIMES})


async def ask_all(urls: Sequence[str], count: int, key: str, model: str = "gpt-4o") -> list[int]:
    """Asks the gateways in turn, all at once; gives the answers' statuses."""
    body = {"model": model, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1000}
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers) as session:

        async def ask(url: str) -> int:
            async with session.post(f"{url}{CHAT}", json=body) as response:
                await response.read()
                return response.status

        return await asyncio.gather(*(ask(urls[number % len(urls)]) for number in range(count)))


async def spent(database: Database, key: str) -> int:
    """What the rows of a key come to, in millionths of a dollar."""
    query = select(func.coalesce(func.sum(COMPLETIONS.c.cost_micros), 0)).where(COMPLETIONS.c.key_id == key)
    async with database.read() as connection:
        return int((await connection.execute(query)).scalar_one())


async def test_a_budget_is_not_exceeded_by_a_thousand_at_once(shared: Shared) -> None:
    statuses = await ask_all([command.url for command in shared.commands], AT_ONCE, "llm_spender")
    assert (statuses.count(200), statuses.count(403)) == (BUDGET // MICROS, AT_ONCE - BUDGET // MICROS)
    assert await spent(shared.database, "spender") == BUDGET


async def test_a_rate_lets_as_much_through_as_one_gateway_would(shared: Shared) -> None:
    statuses = await ask_all([command.url for command in shared.commands], AT_ONCE, KEY, "rated")
    assert 0.95 * RATE <= statuses.count(200) <= RATE
    assert statuses.count(200) + statuses.count(429) == AT_ONCE


async def test_a_revoked_key_is_refused_everywhere_in_two_seconds(shared: Shared) -> None:
    clock = SystemClock()
    urls = [command.url for command in shared.commands]
    assert await ask_all(urls, len(urls), "llm_revoked") == [200] * len(urls)
    change = {"name": "api_keys/revoked", "enabled": False}
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as admin,
        admin.patch(f"{urls[0]}/v1/api_keys/revoked", json=change) as response,
    ):
        assert response.status == 200, await response.text()
    revoked = clock.monotonic()

    async def last_let_in(url: str) -> float:
        """When the last request was sent that was let in."""
        last = revoked
        while True:
            sent = clock.monotonic()
            if await ask_all([url], 1, "llm_revoked") == [401]:
                return last
            last = sent

    async with asyncio.timeout(LIMIT_S):
        lasts = await asyncio.gather(*map(last_let_in, urls))
    assert max(lasts) - revoked <= REVOKED_S


async def test_a_request_made_again_at_another_gateway_is_paid_once(shared: Shared) -> None:
    asked = len(shared.vendor.requests)
    shared.vendor.add(TENTH.with_fault(Stall()))
    body = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1000}
    headers = {"Authorization": "Bearer llm_again", "Idempotency-Key": "once"}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def ask(url: str) -> object:
            async with session.post(f"{url}{CHAT}", json=body) as response:
                assert response.status == 200, await response.text()
                return (await response.json())["id"]

        urls = [command.url for command in shared.commands]
        asking = [asyncio.ensure_future(ask(url)) for url in urls]
        await shared.vendor.stalled()
        shared.vendor.release()
        ids = {*await asyncio.gather(*asking), await ask(urls[-1])}
    assert len(ids) == 1
    assert len(shared.vendor.requests) == asked + 1
    assert await spent(shared.database, "again") == MICROS


async def test_a_breaker_that_opens_in_one_is_open_in_all(shared: Shared) -> None:
    urls = [command.url for command in shared.commands]
    await ask_all(urls[:1], _ENOUGH_FAILURES, KEY, "broken")

    async def opened(url: str) -> None:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session:
            while True:
                async with session.get(f"{url}/v1/routes/broken") as response:
                    steps = cast(list[dict[str, str]], (await response.json())["steps"])
                reasons = [step.get("reason", "") for step in steps if step["provider"] == "broken"]
                if any("circuit breaker is open" in reason for reason in reasons):
                    return
                await asyncio.sleep(0.05)

    async with asyncio.timeout(LIMIT_S):
        await asyncio.gather(*map(opened, urls))


async def test_one_gateway_alone_keeps_to_a_budget_too(database_url: str, tmp_path: Path) -> None:
    database = await Database.open(database_url, None)
    await add_holder_with_budget(database, "spender")
    async with ScriptedVendor(default=lambda _: TENTH) as vendor:
        document = config([row("first", vendor, ["gpt-4o"], **PRICE)], storage={"url": database_url})
        async with run_gateway(tmp_path, document, "whole") as gateway:
            statuses = await ask_all([gateway.url], AT_ONCE, "llm_spender")
    assert (statuses.count(200), statuses.count(403)) == (BUDGET // MICROS, AT_ONCE - BUDGET // MICROS)
    assert await spent(database, "spender") == BUDGET
    await database.close()


async def test_what_nobody_knows_the_price_of_is_refused_once_nothing_is_left(database_url: str, tmp_path: Path) -> None:
    database = await Database.open(database_url, None)
    await add_holder_with_budget(database, "spender")
    async with ScriptedVendor(default=lambda _: TENTH) as vendor:
        rows = [row("first", vendor, ["gpt-4o"], **PRICE), row("second", vendor, ["nobody-sells-this"])]
        async with run_gateway(tmp_path, config(rows, storage={"url": database_url}), "whole") as gateway:
            assert await ask_all([gateway.url], 1, "llm_spender", "nobody-sells-this") == [200]
            assert await ask_all([gateway.url], BUDGET // MICROS, "llm_spender") == [200] * (BUDGET // MICROS)
            assert await ask_all([gateway.url], 1, "llm_spender", "nobody-sells-this") == [403]
    await database.close()
