"""A Redis that is slow: who waits for it, and for how long."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.config.schema import RateLimitSettings
from server.limits.counters import CountersError
from server.limits.limits import Limits
from server.limits.memory import MemoryCounters
from server.limits.redis_counters import RedisCounters
from server.storage.database import Database
from tests.server.limits.asking import ask, counted, refusal
from tests.server.limits.held_redis import HeldRedis, hold_redis
from tests.server.limits.rows import add_budget, open_row, settle_row
from tests.server.limits.test_redis_counters import NOW, connect, warm
from tests.server.limits.turned_clock import TurnedClock

TOKENS = RateLimitSettings.model_validate({"requests_per_window": 1000, "burst_limit": 0, "tokens_per_window": 10})
TIMEOUT_S = 0.8


@pytest.fixture
async def held(redis_url: str, tmp_path: Path) -> AsyncIterator[HeldRedis]:
    async with hold_redis(redis_url, tmp_path / "held") as held:
        yield held


@pytest.fixture
async def silent(redis_url: str, tmp_path: Path) -> AsyncIterator[HeldRedis]:
    """A Redis that never answers."""
    async with hold_redis(redis_url, tmp_path / "silent") as silent:
        silent.hold()
        yield silent


async def begin(held: HeldRedis, database: Database, clock: TurnedClock) -> tuple[Limits, RedisCounters]:
    """Limits of a database's rows with little patience, and their counters."""
    counters = connect(held.url, clock, TIMEOUT_S)
    await warm(counters, clock)
    limits = Limits(None, counters, database, clock)
    await limits.start()
    return limits, counters


async def test_who_waits_behind_others_waits_no_longer_in_all(
    held: HeldRedis, silent: HeldRedis, clock: TurnedClock
) -> None:
    counters = connect(held.url, clock, TIMEOUT_S)
    half, longer = (connect(silent.url, clock, part * TIMEOUT_S) for part in (0.5, 0.75))
    await warm(counters, clock)
    held.hold()
    first = asyncio.ensure_future(counters.value("a"))
    await held.waiting()
    second = asyncio.ensure_future(counters.value("a"))
    with pytest.raises(CountersError):
        await half.value("a")
    held.permit()
    assert await first is None
    await held.waiting()
    other = asyncio.ensure_future(longer.value("a"))
    done, _ = await asyncio.wait({second, other}, return_when=asyncio.FIRST_COMPLETED)
    assert done == {second}
    assert isinstance(second.exception(), CountersError)
    assert counters.troubled
    await asyncio.gather(other, return_exceptions=True)
    for each in (counters, half, longer):
        await each.close()


async def test_nobody_waits_for_what_a_settlement_gives_back(held: HeldRedis, clock: TurnedClock) -> None:
    counters = connect(held.url, clock)
    limits = Limits(TOKENS, counters, None, clock)
    reservation = await limits.reserve(ask(tokens=10))
    held.hold()
    await reservation.settle(3, 0)
    await held.waiting()
    assert counters.failures == 0
    held.permit()
    await limits.close()
    assert counters.failures == 0


async def test_who_asks_after_a_settlement_finds_what_it_gave_back(
    redis_counters: RedisCounters, clock: TurnedClock
) -> None:
    limits = Limits(TOKENS, redis_counters, None, clock)
    await (await limits.reserve(ask(tokens=10))).settle(3, 0)
    assert await refusal(limits, ask(tokens=7)) is None
    await limits.close()


async def test_what_was_settled_last_is_given_back_before_the_end(
    redis_url: str, redis_counters: RedisCounters, clock: TurnedClock
) -> None:
    limits = Limits(TOKENS, connect(redis_url, clock), None, clock)
    await (await limits.reserve(ask(tokens=10))).settle(3, 0)
    await limits.close()
    assert await refusal(Limits(TOKENS, redis_counters, None, clock), ask(tokens=7)) is None


async def test_what_a_settlement_could_not_give_back_is_counted_anew(
    held: HeldRedis, sqlite_database: Database, clock: TurnedClock
) -> None:
    budget = await add_budget(sqlite_database, 100)
    limits, counters = await begin(held, sqlite_database, clock)
    reservation = await limits.reserve(ask(micros=100))
    await settle_row(sqlite_database, await open_row(sqlite_database, NOW, 0, 100), 0, 5)
    held.hold()
    await reservation.settle(0, 5)
    await limits.finish()
    assert counters.troubled
    held.let_go()
    clock.time += 1.5
    assert await refusal(limits, ask(micros=95)) is None
    assert await counted(limits, ask()) == {budget: 100}
    await limits.close()


async def test_who_leaves_a_question_that_is_never_answered_holds_nothing_back(
    held: HeldRedis, sqlite_database: Database, clock: TurnedClock
) -> None:
    budget = await add_budget(sqlite_database, 100)
    limits, counters = await begin(held, sqlite_database, clock)
    await (await limits.reserve(ask())).release()
    await limits.finish()
    held.hold()
    leaving = asyncio.ensure_future(limits.reserve(ask(micros=100)))
    await held.waiting()  # it is granted, and nobody knows
    leaving.cancel()
    with pytest.raises(CountersError):
        await counters.value("a")
    held.let_go()
    clock.time += 1.5
    await limits.refresh()
    assert await refusal(limits, ask(micros=95)) is None
    assert await counted(limits, ask()) == {budget: 95}
    await limits.close()


async def test_in_memory_a_settlement_is_done_when_it_returns(clock: TurnedClock) -> None:
    limits = Limits(TOKENS, MemoryCounters(clock), None, clock)
    reservation, tasks = await limits.reserve(ask(tokens=10)), asyncio.all_tasks()
    await reservation.settle(3, 0)
    assert asyncio.all_tasks() == tasks
    assert await refusal(limits, ask(tokens=7)) is None
    await limits.close()
