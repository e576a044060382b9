"""A Redis that begins again with an old snapshot: what it forgot is counted again from the rows."""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis.asyncio import Redis

from server.limits.limits import Limits
from server.storage.database import Database
from tests.fakes.stores import run_redis
from tests.server.limits.asking import ask, counted, refusal
from tests.server.limits.rows import add_budget, open_row, settle_row
from tests.server.limits.test_redis_counters import NOW, connect, warm
from tests.server.limits.turned_clock import TurnedClock


class Restarting:
    """A Redis of the test's own.

    Args:
        folder: where its socket and its snapshot are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running = ExitStack()
        self.url = self._running.enter_context(run_redis(folder))

    async def save(self) -> None:
        """Makes the snapshot."""
        client = Redis.from_url(self.url)
        await client.save()
        await client.aclose()

    def restart(self) -> None:
        """Begins again, with the snapshot."""
        self.stop()
        self._running.enter_context(run_redis(self._folder))

    def stop(self) -> None:
        self._running.close()


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[Restarting]:
    made = Restarting(tmp_path)
    yield made
    made.stop()


async def begin(redis: Restarting, database: Database, clock: TurnedClock) -> Limits:
    counters = connect(redis.url, clock)
    await warm(counters, clock)
    limits = Limits(None, counters, database, clock)
    await limits.start()
    await limits.look_at_counters()
    return limits


async def spend(limits: Limits, database: Database, micros: int) -> None:
    reservation = await limits.reserve(ask(micros=micros))
    await settle_row(database, await open_row(database, NOW, 0, micros), 0, micros)
    await reservation.settle(0, micros)
    await limits.finish()


async def test_a_budget_is_counted_again(redis: Restarting, sqlite_database: Database, clock: TurnedClock) -> None:
    budget = await add_budget(sqlite_database, 100)
    limits = await begin(redis, sqlite_database, clock)
    await spend(limits, sqlite_database, 10)
    await redis.save()
    await spend(limits, sqlite_database, 80)
    redis.restart()
    assert await counted(limits, ask()) == {budget: 10}
    await limits.look_at_counters()
    assert await refusal(limits, ask(micros=20)) is not None
    assert await counted(limits, ask()) == {budget: 90}
    await limits.close()


async def test_who_begins_after_it_counts_again_too(
    redis: Restarting, sqlite_database: Database, clock: TurnedClock
) -> None:
    budget = await add_budget(sqlite_database, 100)
    limits = await begin(redis, sqlite_database, clock)
    await spend(limits, sqlite_database, 10)
    await redis.save()
    await spend(limits, sqlite_database, 80)
    await limits.close()
    redis.restart()
    limits = await begin(redis, sqlite_database, clock)
    assert await refusal(limits, ask(micros=20)) is not None
    assert await counted(limits, ask()) == {budget: 90}
    await limits.close()


async def test_it_is_counted_again_once(redis: Restarting, sqlite_database: Database, clock: TurnedClock) -> None:
    budget = await add_budget(sqlite_database, 100)
    limits = await begin(redis, sqlite_database, clock)
    await redis.save()
    redis.restart()
    await limits.look_at_counters()
    reservation = await limits.reserve(ask(micros=10))  # it has no row, so that a sum would lack it
    await limits.look_at_counters()
    other = await begin(redis, sqlite_database, clock)
    assert await counted(other, ask()) == {budget: 10}
    await reservation.release()
    for each in (limits, other):
        await each.close()


async def test_who_may_not_ask_the_server_for_its_run_is_not_told(redis: Restarting, clock: TurnedClock) -> None:
    counters = connect(redis.url, clock)
    assert await counters.new_run()
    client = Redis.from_url(redis.url)
    await client.acl_setuser("default", enabled=True, commands=["-info"])
    await client.aclose()
    assert not await counters.new_run()
    await counters.close()
