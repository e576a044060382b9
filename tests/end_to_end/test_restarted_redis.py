"""A Redis that begins again with what it held long ago: budgets hold all the same, soon and without anybody's help."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.end_to_end.command import LIMIT_S
from tests.end_to_end.running import config, row, run_gateway
from tests.end_to_end.test_accounts import limits_read
from tests.end_to_end.test_alerts import MICROS, PRICE, Operator
from tests.fakes.answers import Text, Usage
from tests.fakes.stores import run_redis
from tests.fakes.vendor import ScriptedVendor
from trunkline.v1.tenancy_pb2 import LIMIT_PERIOD_TOTAL, Budget
from trunkline_client import AsyncClient


@pytest.fixture
async def vendor() -> AsyncIterator[ScriptedVendor]:
    async with ScriptedVendor(default=lambda _: Text("Hi", usage=Usage(1, 1000))) as scripted:
        yield scripted


async def known_again(url: str) -> None:
    """Returns once somebody noticed that it is another Redis, and counted anew."""
    async with Redis.from_url(url) as redis, asyncio.timeout(LIMIT_S):
        run = (await redis.info("server"))["run_id"].encode()
        while True:
            if await redis.get("{trunkline}:limits:run") == run:
                return
            await asyncio.sleep(0.05)


async def save(url: str) -> None:
    """Has Redis write down what it holds, which it finds there when it begins again."""
    async with Redis.from_url(url) as redis:
        await redis.save()


async def test_what_was_spent_stays_spent(vendor: ScriptedVendor, tmp_path: Path) -> None:
    with ExitStack() as running:
        url = running.enter_context(run_redis(tmp_path))
        document = config([row("first", vendor, ["gpt-4o"], **PRICE)], redis={"url": url, "timeout": 5})
        async with run_gateway(tmp_path, document, "whole") as gateway:
            operator = Operator(gateway)
            async with AsyncClient(gateway.target, api_key=operator.key) as client:
                budget = Budget(subject="global", limit_usd_micros=9 * MICROS, period=LIMIT_PERIOD_TOTAL)
                await client.admin.create_budget(budget)
            await limits_read(gateway)
            assert await operator.ask() == [200]
            await known_again(url)
            await save(url)
            assert await operator.ask(8) == [200] * 8
            running.close()
            running.enter_context(run_redis(tmp_path))
            await known_again(url)
            assert await operator.ask() == [403]
